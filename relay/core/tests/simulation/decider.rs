//! People who decide about the approvals that the program asks for, each on their own.

use std::collections::BTreeMap;

use moorline_core::session::{DecideError, Session};
use moorline_shared::agent::action::ActionNumber;
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalState};
use moorline_shared::fold::DecisionRefused;
use moorline_shared::id::ApprovalId;

use crate::host::Deliveries;
use crate::rng::Rng;

/// A decision whose answer is awaited.
struct Request {
    id: ApprovalId,
    by: String,
    number: ActionNumber,
}

/// The people, and the answers that they got.
#[derive(Default)]
pub(crate) struct Deciders {
    waiting: Vec<Request>,
    /// Who was told that the decision is recorded.
    won: BTreeMap<ApprovalId, String>,
    /// Who others were told has decided.
    told: BTreeMap<ApprovalId, String>,
    requests: u64,
}

impl Deciders {
    /// Has somebody decide about one of the last approvals, open or not.
    pub(crate) fn decide(&mut self, session: &mut Session, rng: &mut Rng) {
        let view = session.agent(0);
        let entries = view.approvals.entries();
        let last = entries.len().saturating_sub(1 + rng.below(3) as usize);
        let Some(entry) = entries.get(last) else { return };
        let (id, digest) = (entry.request.approval_id.clone(), entry.request.digest.clone());
        self.requests += 1;
        let by = format!("person {}", self.requests);
        let decision = ApprovalDecision {
            approved: rng.once_in(2),
            by: by.clone(),
            at: 1,
            ..ApprovalDecision::default()
        };
        match session.decide(&id, decision, Some(&digest)) {
            Ok(Some(number)) => self.waiting.push(Request { id, by, number }),
            Ok(None) => panic!("no request is repeated"),
            Err(DecideError::Refused(DecisionRefused::Decided(entry))) => {
                let by = entry.decision.map(|decision| decision.by).unwrap_or_default();
                let told = self.told.entry(id).or_insert_with(|| by.clone());
                assert_eq!(*told, by, "two people have decided");
            }
            Err(_) => {}
        }
    }

    /// Takes the answers that have come.
    pub(crate) fn listen(&mut self, session: &Session) {
        self.waiting.retain(|request| match session.action_outcome(request.number) {
            None => true,
            Some(Ok(())) => {
                let before = self.won.insert(request.id.clone(), request.by.clone());
                assert_eq!(before, None, "two people have decided about {}", request.id);
                false
            }
            Some(Err(_)) => false,
        });
    }

    /// Forgets the requests that are not answered: the relay was restarted.
    pub(crate) fn cut(&mut self) {
        self.waiting.clear();
    }

    /// Checks that each decision that was answered was delivered once, or is told as undelivered.
    /// `is_first` is true if the program was never started again.
    pub(crate) fn check(&self, session: &Session, deliveries: &Deliveries, is_first: bool) {
        assert!(deliveries.values().all(|by| by.len() == 1), "delivered twice: {deliveries:?}");
        for (id, by) in self.won.iter().chain(&self.told) {
            if let Some(delivered) = deliveries.get(id) {
                assert_eq!(
                    delivered,
                    std::slice::from_ref(by),
                    "another decision about {id} was delivered"
                );
                continue;
            }
            let view = session.agent(0);
            let Some(entry) = view.approvals.get(id) else {
                assert!(!is_first, "the decision about {id} was forgotten");
                continue;
            };
            assert_eq!(entry.state, ApprovalState::Undelivered, "the decision about {id} was lost");
            assert_eq!(entry.decision.as_ref().map(|it| &it.by), Some(by));
        }
    }
}
