//! What hosts have sent, and what must be true of it.

use std::collections::BTreeMap;

use moorline_core::session::Session as RelaySession;
use moorline_shared::agent::approval::ApprovalRequest;
use moorline_shared::agent::approval::ApprovalState;
use moorline_shared::agent::content::{ContentBlock, MessageRole};
use moorline_shared::agent::prompt::TurnState;
use moorline_shared::event::{AgentTurn, ApprovalConfirmed};
use moorline_shared::fold::{Conversation, ConversationItem};
use moorline_shared::id::{ApprovalId, Epoch, Seq, TurnId};
use moorline_shared::log::Entry;
use moorline_shared::publish::HostMessage;

use super::people::{ApprovalKey, People, Programs, Typist};
use super::world::HostFaults;
use crate::driver::agent::simulated::AgentRecord;

/// Everything that hosts have sent, by epoch and number.
#[derive(Debug, Default)]
pub(super) struct PublishedEntries(BTreeMap<(u64, Seq), Entry>);

impl PublishedEntries {
    /// Takes a message of the host. It must not contradict an earlier one.
    pub(super) fn sent(&mut self, epoch: Epoch, message: &HostMessage) {
        match message {
            HostMessage::Entry(entry) => {
                let before = self.0.insert((epoch.0, entry.seq()), entry.clone());
                let same = before.is_none_or(|before| before == *entry);
                assert!(same, "entry {} was something else before", entry.seq());
            }
            HostMessage::Resumed { epoch, head, .. } => {
                let last = self.last(*epoch).unwrap_or_default();
                assert!(last <= *head, "the host has forgotten what it has sent");
            }
            _ => {}
        }
    }

    pub(super) fn get(&self, epoch: Epoch, seq: Seq) -> Option<&Entry> {
        self.0.get(&(epoch.0, seq))
    }

    pub(super) fn last(&self, epoch: Epoch) -> Option<Seq> {
        let all = (epoch.0, Seq::ZERO)..=(epoch.0, Seq(u64::MAX));
        self.0.range(all).next_back().map(|((_, seq), _)| *seq)
    }
}

/// What the entries say, over all epochs.
#[derive(Debug, Default)]
pub(super) struct SimulationVerdict<'a> {
    record: Option<&'a AgentRecord>,
    conversation: Conversation,
    turns: BTreeMap<TurnId, TurnState>,
    questions: BTreeMap<ApprovalId, String>,
    confirmed: BTreeMap<ApprovalKey, ApprovalConfirmed>,
}

impl<'a> SimulationVerdict<'a> {
    pub(super) fn of(published: &PublishedEntries, record: &'a AgentRecord) -> Self {
        let mut verdict = Self { record: Some(record), ..Self::default() };
        for ((epoch, seq), entry) in &published.0 {
            let Entry::Event(entry) = entry else { continue };
            let Some(event) = entry.event() else { continue };
            verdict.conversation.apply(*seq, &event);
            if let Some(turn) = event.read::<AgentTurn>() {
                verdict.turns.insert(turn.turn_id, turn.state);
            } else if let Some(request) = event.read::<ApprovalRequest>() {
                verdict.questions.insert(request.approval_id, request.command);
            } else if let Some(confirmed) = event.read::<ApprovalConfirmed>() {
                let key = (Epoch(*epoch), confirmed.approval_id.clone());
                let before = verdict.confirmed.insert(key, confirmed);
                assert!(before.is_none(), "confirmed twice: {before:?}");
            }
        }
        verdict
    }

    fn record(&self) -> &AgentRecord {
        self.record.expect("a verdict has a record")
    }

    /// Returns how often agents got a prompt.
    fn times(&self, text: &str) -> usize {
        self.record().prompts.iter().filter(|prompt| *prompt == text).count()
    }

    /// Checks what became of prompts, questions and decisions. `is_first` is true if the power never
    /// failed.
    pub(super) fn check(
        &self,
        people: &People,
        programs: &Programs,
        relay: &RelaySession,
        faults: HostFaults,
        is_first: bool,
    ) {
        if is_first {
            for (turn, text) in &people.turns {
                self.check_prompt(turn, text, faults);
            }
            self.check_questions(faults);
            for (_, id) in
                self.confirmed.keys().filter(|(_, id)| id.as_str().starts_with("program"))
            {
                assert!(programs.acted.contains_key(id), "{id} was confirmed and not delivered");
            }
        }
        for (key, by) in &people.deciders {
            let (epoch, id) = key;
            if let Some(confirmed) = self.confirmed.get(key) {
                assert_eq!(confirmed.decision.by, *by, "another decision about {id}");
                continue;
            }
            let view = relay.agent(0);
            let entry = view.approvals.get(id).filter(|_| *epoch == relay.log().epoch());
            let Some(entry) = entry else {
                assert!(!is_first, "the decision about {id} was forgotten");
                continue;
            };
            // A new log keeps the approvals whose decisions the host has not reported as over.
            let is_delivered = !is_first && entry.state == ApprovalState::Delivered;
            let is_told = is_delivered || entry.state == ApprovalState::Undelivered;
            assert!(is_told, "the decision about {id} was lost: it is {:?}", entry.state);
            assert_eq!(entry.decision.as_ref().map(|it| &it.by), Some(by));
        }
    }

    fn check_prompt(&self, turn: &TurnId, text: &str, faults: HostFaults) {
        let (state, times) = (self.turns.get(turn), self.times(text));
        assert!(times <= 1, "{text} reached the agent {times} times");
        let is_gentle = !faults.agents_end && !faults.stops && !faults.closes;
        match state {
            Some(TurnState::Done) => assert_eq!(times, 1, "{text} did not reach the agent"),
            Some(TurnState::Failed) => assert!(faults.agents_end || faults.stops, "{text} failed"),
            Some(TurnState::Cancelled | TurnState::Withdrawn) => assert!(!is_gentle, "{text}"),
            // Nobody carries out what was asked after the end.
            None => assert!(faults.closes, "{text} was lost"),
            state => panic!("{text} is {state:?} in the end"),
        }
    }

    fn check_questions(&self, faults: HostFaults) {
        let is_gentle = !faults.agents_end && !faults.stops && !faults.closes;
        let mut confirmed = BTreeMap::new();
        for (id, title) in &self.questions {
            let of_id = self.confirmed.iter().find(|((_, confirmed), _)| confirmed == id);
            confirmed.extend(of_id.map(|(_, confirmed)| (title, confirmed.approved)));
        }
        for (title, answers) in &self.record().answers {
            assert!(answers.len() <= 1, "{title} was answered twice");
            let is_allowed = answers.first().is_some_and(|answer| answer == "go");
            match confirmed.get(title) {
                Some(approved) if is_gentle => {
                    let answer = if *approved { "go" } else { "no" };
                    assert_eq!(answers, &[answer], "{title}");
                }
                Some(approved) => assert!(*approved || !is_allowed, "{title} was not allowed"),
                None => assert!(!is_allowed && !is_gentle, "nobody has decided about {title}"),
            }
        }
    }

    /// Checks that each line that was typed reached an agent once.
    pub(super) fn check_typed(&self, typist: &Typist, faults: HostFaults) {
        for line in &typist.lines {
            let times = self.times(line);
            assert!(times <= 1, "{line} reached the agent {times} times");
            let may_be_lost = faults.closes || faults.agents_end || faults.stops;
            assert!(times == 1 || may_be_lost, "{line} was lost");
        }
        let mut said = String::new();
        for item in &self.conversation.items {
            if let ConversationItem::Message(message) = item
                && message.role == MessageRole::Agent
            {
                said.extend(message.content.iter().filter_map(ContentBlock::as_text));
            }
        }
        match faults.closes {
            true => assert!(self.record().said.starts_with(&said), "{said}"),
            false => assert_eq!(said, self.record().said),
        }
    }

    /// Checks the conversation of the host.
    pub(super) fn check_conversation(&self, of_host: &Conversation) {
        assert_eq!(of_host, &self.conversation, "the host has another conversation");
    }
}
