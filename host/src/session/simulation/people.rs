//! The people and the programs of the simulation: those who send prompts, decide and type, and
//! programs that ask.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::FutureExt as _;
use moorline_core::session::{DecideError, Session as RelaySession};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalKind, ApprovalRequest};
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::fold::DecisionRefused;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ApprovalId, ClientId, Epoch, Seq, TurnId};
use moorline_shared::publish::{HostCommand, HostMessage};

use crate::approvals::AskerAnswer;
use crate::driver::agent::simulated::AgentDice;
use crate::session::{PendingApproval, Session};

/// Names an approval in one life of the log: an older journal asks again.
pub(super) type ApprovalKey = (Epoch, ApprovalId);

/// Those who send prompts and decide.
#[derive(Debug, Default)]
pub(super) struct People {
    requests: u64,
    /// The prompts whose answers are awaited.
    prompted: Vec<(ActionNumber, TurnId)>,
    decided: Vec<(ActionNumber, ApprovalKey, String)>,
    /// The turns of prompts that are recorded, with their texts.
    pub(super) turns: BTreeMap<TurnId, String>,
    /// Those who were told that their decision is recorded, or that of another.
    pub(super) deciders: BTreeMap<ApprovalKey, String>,
}

impl People {
    /// Has somebody send a prompt.
    pub(super) fn prompt(&mut self, relay: &mut RelaySession) {
        self.requests += 1;
        let (text, by) = (format!("prompt {}", self.requests), "somebody".to_owned());
        let turn_id: TurnId = format!("turn_{:04}", self.requests).parse().expect("an id");
        let prompt = Prompt::text(text);
        let steer = self.requests.is_multiple_of(5);
        let action = SessionAction::Prompt { turn_id: turn_id.clone(), prompt, by, steer };
        if let Ok(number) = relay.act(action, 1) {
            self.prompted.push((number, turn_id));
        }
    }

    /// Has somebody stop the agent.
    pub(super) fn stop(relay: &mut RelaySession, force: bool) {
        // A session that is over refuses it.
        let _ = relay.act(SessionAction::Stop { turn_id: None, force }, 1);
    }

    /// Has somebody decide about one of the last approvals, open or not.
    pub(super) fn decide(&mut self, relay: &mut RelaySession, dice: &mut AgentDice) {
        let view = relay.agent(0);
        let entries = view.approvals.entries();
        let open: Vec<_> = entries.iter().filter(|entry| entry.state.is_open()).collect();
        let entry = match open.len() {
            0 => entries.last(),
            count => Some(open[dice.below(count)]),
        };
        let Some(entry) = entry else { return };
        let (id, digest) = (entry.request.approval_id.clone(), entry.request.digest.clone());
        let key = (relay.log().epoch(), id.clone());
        self.requests += 1;
        let by = format!("person {}", self.requests);
        let decision = ApprovalDecision {
            approved: dice.once_in(2),
            by: by.clone(),
            at: 1,
            ..ApprovalDecision::default()
        };
        match relay.decide(&id, decision, Some(&digest)) {
            Ok(Some(number)) => self.decided.push((number, key, by)),
            Ok(None) => panic!("no request is repeated"),
            Err(DecideError::Refused(DecisionRefused::Decided(entry))) => {
                let by = entry.decision.map(|decision| decision.by).unwrap_or_default();
                self.told(key, &by);
            }
            Err(_) => {}
        }
    }

    fn told(&mut self, key: ApprovalKey, by: &str) {
        let told = self.deciders.entry(key).or_insert_with(|| by.to_owned());
        assert_eq!(told, by, "two people have decided");
    }

    /// Takes the answers that have come.
    pub(super) fn listen(&mut self, relay: &RelaySession) {
        let is_recorded = |number: ActionNumber| relay.action_outcome(number).map(|it| it.is_ok());
        let turns = &mut self.turns;
        self.prompted.retain(|(number, turn)| {
            let recorded = is_recorded(*number);
            if recorded == Some(true) {
                let text = format!("prompt {}", turn.as_str()[5..].trim_start_matches('0'));
                turns.insert(turn.clone(), text);
            }
            recorded.is_none()
        });
        let over: Vec<_> =
            self.decided.extract_if(.., |(number, ..)| is_recorded(*number).is_some()).collect();
        for (number, key, by) in over {
            if is_recorded(number) == Some(true) {
                self.told(key, &by);
            }
        }
    }

    /// Forgets the requests that are not answered: the relay was restarted.
    pub(super) fn cut(&mut self) {
        self.prompted.clear();
        self.decided.clear();
    }
}

/// Somebody who types lines, numbered as every client numbers them.
#[derive(Debug)]
pub(super) struct Typist {
    client_id: ClientId,
    /// The pieces that are not acknowledged, and the last number.
    pieces: VecDeque<Frame>,
    last: Seq,
    sent: Seq,
    /// The lines that were typed.
    pub(super) lines: Vec<String>,
}

impl Typist {
    pub(super) fn new() -> Self {
        let client_id = "client_1".parse().expect("an id");
        let (pieces, lines) = (VecDeque::new(), Vec::new());
        Self { client_id, pieces, last: Seq::ZERO, sent: Seq::ZERO, lines }
    }

    /// Types a line, in one piece or two.
    pub(super) fn type_line(&mut self, dice: &mut AgentDice) {
        let line = format!("typed {}", self.lines.len() + 1);
        let bytes = format!("{line}\r").into_bytes();
        let (first, rest) = bytes.split_at(dice.below(bytes.len()));
        for part in [first, rest].into_iter().filter(|part| !part.is_empty()) {
            self.last = self.last.next();
            self.pieces.push_back(Frame::copy(self.last, part).expect("it is short"));
        }
        self.lines.push(line);
    }

    /// Begins as another client: the power has failed, and what was typed before is void.
    pub(super) fn begin_anew(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let client_id = format!("client_{}", lines.len() + 2).parse().expect("an id");
        *self = Self { client_id, lines, ..Self::new() };
    }

    /// Returns what the relay sends to a host that has just come.
    pub(super) fn host_came(&mut self) -> HostCommand {
        self.sent = Seq(u64::MAX);
        HostCommand::ClientResumed { client_id: self.client_id.clone() }
    }

    /// Returns the pieces to send.
    pub(super) fn commands(&mut self) -> Vec<HostCommand> {
        let sent = self.sent;
        let due = self.pieces.iter().filter(|piece| piece.seq() > sent);
        let (client_id, last) = (&self.client_id, self.last);
        let input = |piece: &Frame| HostCommand::Input {
            client_id: client_id.clone(),
            piece: piece.clone(),
        };
        let commands = due.map(input).collect();
        self.sent = sent.max(last);
        commands
    }

    /// Takes a message of the host. Returns true if it is for the typist.
    pub(super) fn hear(&mut self, message: &HostMessage) -> bool {
        let HostMessage::InputAck { client_id, seq } = message else { return false };
        assert_eq!(*client_id, self.client_id);
        let unknown = self.pieces.front().map_or(self.last, |first| Seq(first.seq().0 - 1));
        assert!(*seq >= unknown, "the host has forgotten what it has acknowledged");
        self.pieces.retain(|piece| piece.seq() > *seq);
        if self.sent == Seq(u64::MAX) {
            self.sent = *seq;
        }
        true
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// The programs in the session that ask, and act once they are allowed to.
#[derive(Debug, Default)]
pub(super) struct Programs {
    asked: u64,
    waiting: Vec<PendingApproval>,
    /// Those that got a decision, and are about to say so.
    deciding: Vec<(PendingApproval, ApprovalDecision)>,
    /// The decisions by which programs have acted.
    pub(super) acted: BTreeMap<ApprovalId, ApprovalDecision>,
}

impl Programs {
    pub(super) fn ask(&mut self, session: &Arc<Session>) {
        self.asked += 1;
        let id = format!("program_{:04}", self.asked);
        let request = ApprovalRequest {
            approval_id: id.parse().expect("an id"),
            command: format!("make {}", self.asked),
            explanation: String::new(),
            expires_at: None,
            kind: ApprovalKind::Command,
            options: Vec::new(),
            subject: Default::default(),
            digest: "d1gest".to_owned(),
            turn_id: None,
            form: None,
            form_order: Vec::new(),
            from: None,
            truncated: false,
        };
        self.waiting.push(session.ask(None, request));
    }

    /// Has a program go on, or give up.
    pub(super) fn work(&mut self, dice: &mut AgentDice) {
        if !self.deciding.is_empty() && dice.once_in(2) {
            let (pending, decision) = self.deciding.remove(0);
            self.acted.insert(pending.id().clone(), decision);
            pending.taken();
        }
        if self.waiting.is_empty() {
            return;
        }
        let mut pending = self.waiting.remove(dice.below(self.waiting.len()));
        match pending.answer().now_or_never() {
            Some(AskerAnswer::Decided(decision)) => self.deciding.push((pending, decision)),
            Some(_) => {}
            None if dice.once_in(60) => pending.withdraw("it is not needed any more"),
            None => self.waiting.push(pending),
        }
    }

    /// Cuts all programs off: their host has died.
    pub(super) fn cut(&mut self) {
        self.waiting.clear();
        self.deciding.clear();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.deciding.is_empty()
    }
}
