//! Actions and approvals: stored before they are answered or sent, carried out once, and told as
//! undelivered otherwise. The relay restarts between any two steps.

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalState};
use moorline_shared::agent::prompt::{Prompt, TurnState};
use moorline_shared::event::Event;
use moorline_shared::fold::DecisionRefused;
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::limits::{ACTIONS_BYTES, ACTIONS_WAITING, AGENT_PROMPT_BYTES};
use moorline_shared::log::EventEntry;
use moorline_shared::publish::HostMessage;
use serde_json::{Value, json};

use super::*;
use crate::action::ActionRefused;
use crate::session::{AgentDocument, DecideError, StoredSession, Urgency};
use crate::stored::Stored;

pub(super) const AT: u64 = 2000;

/// A relay whose session restarts from what it has stored.
pub(super) struct Disk {
    pub(super) session: Session,
    record: SessionRecord,
    entries: Vec<Entry>,
    agent: Option<AgentDocument>,
}

impl Disk {
    pub(super) fn new() -> Self {
        let record = SessionRecord {
            driver: "agent".into(),
            epoch: Epoch(1),
            ..support::record(Lifecycle::Detached)
        };
        let session = Session::new(record.clone(), &Profile::NATIVE);
        let mut disk = Self { session, record, entries: Vec::new(), agent: None };
        disk.store();
        disk
    }

    /// Stores what is due, one batch at a time. Returns how many actions the last document has.
    pub(super) fn store(&mut self) -> Option<usize> {
        let mut last = None;
        while let Some(batch) = self.session.store_batch(1 << 20) {
            if batch.begins_anew {
                self.entries.clear();
            }
            self.entries.extend(batch.entries.iter().cloned());
            if let Some(agent) = &batch.agent {
                let json = serde_json::to_string(&**agent).unwrap();
                self.agent = Some(serde_json::from_str(&json).unwrap());
                last = Some(agent.waiting.len());
            }
            if let Some(record) = &batch.record {
                self.record = record.clone();
            }
            self.session.handle(NOW, SessionInput::Stored { batch, rows: Vec::new() });
        }
        last
    }

    /// Loses the memory, and with it the link to the host.
    fn restart(&mut self) {
        let epoch = self.record.epoch;
        let first = self.entries.first().map_or(Seq::ZERO, |entry| Seq(entry.seq().0 - 1));
        let mut newest = Log::starting_after(epoch, first);
        self.entries.iter().for_each(|entry| newest.push(entry.clone()).unwrap());
        let index = Stored::new(epoch, []);
        let (record, agent) = (self.record.clone(), self.agent.clone());
        let stored =
            StoredSession { record, newest, index, snapshot: None, last_status: None, agent };
        self.session = Session::restored(stored, &Profile::NATIVE);
    }

    pub(super) fn link(&mut self, epoch: u64, head: u64) {
        self.session.handle(NOW, SessionInput::HostArrived);
        let from = if Epoch(epoch) == self.session.log().epoch() {
            self.session.log().head()
        } else {
            Seq::ZERO
        };
        let (epoch, head, size) = (Epoch(epoch), Seq(head), Size::default());
        support::hear(&mut self.session, HostMessage::Resumed { epoch, from, head, size });
    }

    /// Appends an event to the log, as the host does.
    pub(super) fn event(&mut self, kind: &str, fields: Value) {
        let event = Event::of_kind("session_1".parse().unwrap(), kind, 1000, fields);
        let seq = self.session.log().head().next();
        let entry = Entry::Event(EventEntry::new(seq, event));
        support::hear(&mut self.session, HostMessage::Entry(entry));
    }

    pub(super) fn asks(&mut self) {
        let request = json!({
            "approvalId": "approval_1", "command": "make", "expiresAt": 5000, "digest": "d1",
        });
        self.event("approval-request", request);
    }

    pub(super) fn acted(&mut self, number: u64, seq: u64) {
        let (number, seq) = (ActionNumber(number), Seq(seq));
        support::hear(&mut self.session, HostMessage::Acted { number, seq });
    }

    /// Returns the numbers of the actions that are sent to the host.
    fn sent(&mut self) -> Vec<u64> {
        let numbers = commands(&mut self.session).into_iter().filter_map(|command| match command {
            HostCommand::Act { number, .. } => Some(number.0),
            _ => None,
        });
        numbers.collect()
    }

    pub(super) fn decide(&mut self, by: &str) -> Result<Option<ActionNumber>, DecideError> {
        self.session.decide(&approval(), decision(by), Some("d1"))
    }

    pub(super) fn state(&self) -> ApprovalState {
        self.session.agent(AT).approvals.get(&approval()).unwrap().state
    }

    fn decided_by(&self) -> String {
        let view = self.session.agent(AT);
        view.approvals.get(&approval()).unwrap().decision.as_ref().unwrap().by.clone()
    }
}

/// Returns a client that has resumed.
pub(super) fn attached(session: &mut Session) -> Peer {
    let terms = Terms::new(&Profile::NATIVE, Scope::Write, true);
    let mut peer = Peer::attach(session, NOW, terms).unwrap();
    resume(session, &mut peer, Resume::default());
    peer
}

fn approval() -> ApprovalId {
    "approval_1".parse().unwrap()
}

fn decision(by: &str) -> ApprovalDecision {
    ApprovalDecision { approved: true, by: by.into(), at: AT, ..ApprovalDecision::default() }
}

pub(super) fn turn(number: u64) -> TurnId {
    format!("turn_{number:04}").parse().unwrap()
}

pub(super) fn prompt(number: u64, text: &str) -> SessionAction {
    let (turn_id, by) = (turn(number), "phone".to_owned());
    SessionAction::Prompt { turn_id, prompt: Prompt::text(text), by, steer: false }
}

pub(super) fn confirmed() -> Value {
    json!({ "approvalId": "approval_1", "approved": true, "decision": decision("ann") })
}

#[test]
fn a_decision_is_stored_before_it_is_sent_and_sent_until_it_is_known_to_be_over() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    disk.store();
    disk.sent();
    let number = disk.decide("ann").unwrap().unwrap();
    assert_eq!((disk.session.action_outcome(number), disk.sent()), (None, vec![]));
    assert_eq!(disk.state(), ApprovalState::Decided);
    disk.store();
    assert_eq!(disk.session.action_outcome(number), Some(Ok(())));
    assert_eq!(disk.sent(), [1]);
    assert_eq!(disk.store(), None, "what did not change is not written again");
    // Neither a new link nor a restart loses it.
    disk.link(1, 1);
    assert_eq!((disk.sent(), disk.sent()), (vec![1], vec![]));
    disk.restart();
    assert_eq!((disk.state(), disk.decided_by()), (ApprovalState::Decided, "ann".into()));
    disk.link(1, 1);
    assert_eq!(disk.sent(), [1]);
    // The host has carried it out, but what follows is not durable.
    disk.event("approval-confirmed", confirmed());
    disk.acted(1, 2);
    assert_eq!(disk.state(), ApprovalState::Delivered);
    disk.restart();
    disk.link(1, 2);
    assert_eq!((disk.state(), disk.sent()), (ApprovalState::Decided, vec![1]));
    disk.acted(1, 2);
    assert_eq!(disk.state(), ApprovalState::Decided, "the entry has not come");
    disk.event("approval-confirmed", confirmed());
    assert_eq!(disk.store(), Some(0), "it is forgotten with the entry that follows from it");
    disk.restart();
    disk.link(1, 2);
    assert_eq!((disk.state(), disk.sent()), (ApprovalState::Delivered, vec![]));
    assert!(disk.session.is_stored());
}

#[test]
fn an_action_waits_while_the_host_is_away() {
    let mut disk = Disk::new();
    for number in 1..=2 {
        disk.session.act(prompt(number, "go"), AT).unwrap();
        disk.store();
        disk.restart();
    }
    let view = disk.session.agent(AT);
    let queue: Vec<_> = view.turns.queued().map(|turn| (&turn.turn_id, turn.pending)).collect();
    assert_eq!(queue, [(&turn(1), true), (&turn(2), true)]);
    let withdraw = SessionAction::Withdraw { turn_id: turn(1) };
    disk.session.act(withdraw, AT).unwrap();
    assert_eq!(disk.session.agent(AT).turns.get(&turn(1)).unwrap().state, TurnState::Withdrawn);
    let overview = disk.session.agent_overview(AT).unwrap();
    assert_eq!((overview.queued, overview.approvals), (1, 0));
    disk.store();
    disk.link(1, 0);
    assert_eq!(disk.sent(), [1, 2, 3], "in order, each once on a link");
    disk.acted(2, 0);
    disk.store();
    disk.restart();
    disk.link(1, 0);
    assert_eq!(disk.sent(), [3]);
}

#[test]
fn an_action_that_cannot_be_stored_is_refused_and_not_sent() {
    let mut disk = Disk::new();
    disk.link(1, 0);
    disk.store();
    let first = disk.session.act(prompt(1, "go"), AT).unwrap();
    assert_eq!(disk.session.store_batch(1).unwrap().agent.unwrap().waiting.len(), 1);
    disk.session.handle(NOW, SessionInput::NotStored);
    assert_eq!(disk.session.action_outcome(first), Some(Err(ActionRefused::NotStored)));
    assert!(disk.session.agent(AT).turns.entries().is_empty());
    let second = disk.session.act(prompt(2, "go"), AT).unwrap();
    assert!(second > first, "a number is never given twice");
    disk.store();
    assert_eq!(disk.session.action_outcome(first), Some(Err(ActionRefused::NotStored)));
    assert_eq!(disk.session.action_outcome(second), Some(Ok(())));
    assert_eq!(disk.sent(), [second.0]);
}

#[test]
fn the_owner_is_asked_to_store_an_action_at_once() {
    let mut disk = Disk::new();
    disk.session.act(prompt(1, "go"), AT).unwrap();
    let outputs: Vec<_> = std::iter::from_fn(|| disk.session.poll_output()).collect();
    assert!(outputs.contains(&SessionEffect::Store(Urgency::Now)), "{outputs:?}");
    assert!(outputs.contains(&SessionEffect::ListChanged), "{outputs:?}");
}

#[test]
fn an_approval_is_decided_once() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    let digest = disk.session.decide(&approval(), decision("ann"), Some("other"));
    assert_eq!(digest, Err(DecisionRefused::Digest.into()));
    let keyed = ApprovalDecision { key: Some("k".into()), ..decision("ann") };
    let number = disk.session.decide(&approval(), keyed.clone(), Some("d1")).unwrap();
    assert_eq!(disk.decide("bob"), Err(DecideError::Busy(number.unwrap())), "not durable yet");
    assert_eq!(disk.session.decide(&approval(), keyed.clone(), Some("d1")), Ok(number));
    disk.store();
    disk.restart();
    let Err(DecideError::Refused(DecisionRefused::Decided(entry))) = disk.decide("bob") else {
        panic!("decided twice");
    };
    assert_eq!((entry.state, entry.decision.unwrap().by), (ApprovalState::Decided, "ann".into()));
    assert_eq!(disk.session.decide(&approval(), keyed, Some("d1")), Ok(number), "the same request");
    // If the first one could not be stored, the second may decide.
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    disk.store();
    disk.decide("ann").unwrap();
    disk.session.handle(NOW, SessionInput::NotStored);
    disk.decide("bob").unwrap();
    disk.store();
    assert_eq!(disk.decided_by(), "bob");
}

#[test]
fn an_approval_expires_unless_it_is_decided_in_time() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    disk.session.handle(NOW, SessionInput::HostLeft);
    let late = ApprovalDecision { at: 5000, ..decision("ann") };
    let refused = disk.session.decide(&approval(), late, Some("d1"));
    assert_eq!(refused, Err(DecisionRefused::Expired.into()));
    let state = |disk: &Disk, at| disk.session.agent(at).approvals.entries()[0].state;
    assert_eq!(state(&disk, 5000), ApprovalState::Expired);
    assert_eq!(disk.session.agent_overview(5000).unwrap().approvals, 0);
    disk.decide("ann").unwrap();
    assert_eq!(state(&disk, 5000), ApprovalState::Decided);
    // The asker gave up before the decision came.
    disk.store();
    disk.link(1, 2);
    disk.event("approval-expired", json!({ "approvalId": "approval_1" }));
    disk.acted(1, 2);
    assert_eq!((disk.state(), disk.decided_by()), (ApprovalState::Undelivered, "ann".into()));
}

#[test]
fn a_decision_of_which_the_log_says_nothing_was_not_delivered() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    disk.decide("ann").unwrap();
    disk.store();
    disk.acted(1, 1);
    assert_eq!(disk.state(), ApprovalState::Undelivered);
    assert_eq!(disk.store(), Some(0));
    disk.restart();
    assert_eq!((disk.state(), disk.decided_by()), (ApprovalState::Undelivered, "ann".into()));
}

#[test]
fn a_session_that_ends_tells_what_was_not_delivered() {
    let mut disk = Disk::new();
    disk.link(1, 4);
    disk.asks();
    disk.event("approval-request", json!({ "approvalId": "approval_2", "digest": "d2" }));
    disk.event("agent-turn", json!({ "turnId": turn(1), "state": "running" }));
    disk.event("agent-turn", json!({ "turnId": turn(2), "state": "queued" }));
    disk.store();
    disk.session.handle(NOW, SessionInput::HostLeft);
    disk.decide("ann").unwrap();
    disk.session.act(prompt(3, "go"), AT).unwrap();
    disk.store();
    disk.session.handle(NOW, SessionInput::HostLost);
    for restarts in [false, true] {
        if restarts {
            disk.store();
            disk.restart();
        }
        let view = disk.session.agent(AT);
        let states: Vec<_> = view.approvals.entries().iter().map(|entry| entry.state).collect();
        assert_eq!(states, [ApprovalState::Undelivered, ApprovalState::Withdrawn]);
        let turns: Vec<_> = view.turns.entries().iter().map(|turn| turn.state).collect();
        assert_eq!(turns, [TurnState::Failed, TurnState::Withdrawn, TurnState::Withdrawn]);
        assert_eq!(view.turns.entries()[0].error.as_ref().unwrap().code, "agent_exited");
        assert_eq!(disk.session.act(prompt(4, "go"), AT), Err(ActionRefused::Ended));
        let second = "approval_2".parse().unwrap();
        let refused = disk.session.decide(&second, decision("ann"), Some("d2"));
        assert_eq!(refused, Err(DecisionRefused::Withdrawn.into()));
    }
}

#[test]
fn a_new_epoch_keeps_what_waits_and_forgets_the_rest() {
    let mut disk = Disk::new();
    disk.link(1, 3);
    disk.asks();
    disk.event("approval-request", json!({ "approvalId": "approval_2", "digest": "d2" }));
    disk.event("agent-turn", json!({ "turnId": turn(1), "state": "queued" }));
    disk.decide("ann").unwrap();
    disk.session.act(prompt(2, "go"), AT).unwrap();
    disk.store();
    disk.sent();
    disk.link(2, 0);
    assert_eq!(disk.sent(), [1, 2]);
    for restarts in [false, true] {
        if restarts {
            disk.store();
            disk.restart();
            disk.link(2, 0);
        }
        let view = disk.session.agent(AT);
        assert_eq!(view.approvals.entries().len(), 1);
        let turns: Vec<_> = view.turns.entries().iter().map(|turn| &turn.turn_id).collect();
        assert_eq!((disk.state(), turns), (ApprovalState::Decided, vec![&turn(2)]));
    }
    disk.event("agent-turn", json!({ "turnId": turn(2), "state": "queued" }));
    disk.acted(2, 1);
    assert_eq!(disk.state(), ApprovalState::Undelivered, "nobody asks this any more");
    assert!(!disk.session.agent(AT).turns.get(&turn(2)).unwrap().pending);
}

#[test]
fn an_action_that_is_over_is_not_repeated_to_a_new_epoch() {
    let mut disk = Disk::new();
    disk.link(1, 0);
    disk.session.act(prompt(1, "go"), AT).unwrap();
    disk.store();
    // The entry that follows from it is lost with the host's process.
    disk.acted(1, 1);
    disk.link(2, 0);
    assert_eq!(disk.sent(), [] as [u64; 0]);
    assert_eq!(disk.store(), Some(0));
}

#[test]
fn actions_that_wait_are_bounded() {
    let mut disk = Disk::new();
    for number in 1..=ACTIONS_WAITING as u64 {
        disk.session.act(prompt(number, "go"), AT).unwrap();
    }
    assert_eq!(disk.session.act(prompt(99, "go"), AT), Err(ActionRefused::TooMuch));
    let mut disk = Disk::new();
    let text = "x".repeat(AGENT_PROMPT_BYTES);
    let accepted = (1..).take_while(|it| disk.session.act(prompt(*it, &text), AT).is_ok()).count();
    assert_eq!(accepted, ACTIONS_BYTES / (AGENT_PROMPT_BYTES + 100));
    disk.session.delete();
    assert_eq!(disk.session.act(prompt(99, "go"), AT), Err(ActionRefused::Deleted));
}

#[test]
fn a_state_is_the_last_one_that_is_reported() {
    let mut disk = Disk::new();
    disk.link(1, 3);
    let mut peer = attached(&mut disk.session);
    let mut told = |disk: &mut Disk| {
        let said = std::iter::from_fn(|| peer.poll_output(&mut disk.session, NOW));
        let states = said.filter_map(|output| match message(&output)? {
            ServerMessage::State { value, tool, .. } => Some((value, tool)),
            _ => None,
        });
        states.collect::<Vec<_>>()
    };
    assert_eq!(told(&mut disk), []);
    disk.event("session-status", json!({ "status": "idle", "uptime": 1 }));
    assert_eq!(told(&mut disk), [("idle".to_owned(), None)]);
    disk.event("agent-state", json!({ "value": "working", "tool": "Bash" }));
    assert_eq!(told(&mut disk), [("working".to_owned(), Some("Bash".to_owned()))]);
    assert_eq!(told(&mut disk), []);
    disk.event("session-status", json!({ "status": "running", "uptime": 2 }));
    assert_eq!(told(&mut disk), [("running".to_owned(), None)]);
    let overview = disk.session.summary(AT).agent.unwrap();
    assert_eq!(
        (overview.state.as_deref(), overview.tool.as_deref()),
        (Some("working"), Some("Bash"))
    );
}

#[test]
fn readers_see_what_waits_for_the_host() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    let mut peer = attached(&mut disk.session);
    let mut pending = |disk: &mut Disk| {
        let said = std::iter::from_fn(|| peer.poll_output(&mut disk.session, NOW));
        let pending = said.filter_map(|output| match message(&output)? {
            ServerMessage::Pending { pending } => {
                let count = |list| pending.get(list).and_then(Value::as_array).map_or(0, Vec::len);
                Some((count("turns"), count("approvals")))
            }
            _ => None,
        });
        pending.collect::<Vec<_>>()
    };
    assert_eq!(pending(&mut disk), [], "nothing waits");
    disk.session.act(prompt(1, "go"), AT).unwrap();
    disk.decide("ann").unwrap();
    assert_eq!(pending(&mut disk), [(1, 1)]);
    disk.store();
    disk.event("approval-confirmed", confirmed());
    disk.event("agent-turn", json!({ "turnId": turn(1), "state": "queued", "prompt": {} }));
    disk.acted(2, 3);
    assert_eq!(pending(&mut disk), [(0, 0)]);
    assert_eq!(pending(&mut disk), []);
}
