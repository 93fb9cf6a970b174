//! The actions of a session that its host is not known to have carried out.
//!
//! An action passes through these states, and a restart of the relay at any point loses none:
//!
//! 1. *Accepted*: it has a number, and is in memory. If it cannot be stored, it is dropped, and
//!    whoever asked is told so.
//! 2. *Stored*: only now is the request answered, and the action sent to the host. On each new link
//!    it is sent again until it is settled; the host carries out each number once.
//! 3. *Settled*: the host has reported it, and every entry that follows from it is in the log.
//! 4. Forgotten, in the transaction that makes these entries durable.

use std::collections::VecDeque;

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::id::Seq;
use moorline_shared::limits::{ACTIONS_BYTES, ACTIONS_WAITING, CONTROLS_BYTES, CONTROLS_WAITING};
use serde::{Deserialize, Serialize};

use crate::action::ActionRefused;

/// The most failures that are remembered until whoever asked has fetched them.
const FAILURES: usize = 4 * (ACTIONS_WAITING + CONTROLS_WAITING);

/// An action that the host is not known to have carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingAction {
    /// Its number.
    pub number: ActionNumber,
    /// When it was accepted, in milliseconds since 1970.
    pub at_ms: u64,
    /// The action.
    pub action: SessionAction,
}

/// Actions that share a limit.
#[derive(Debug, Clone, Copy, Default)]
struct ActionLoad {
    count: usize,
    /// Bytes of JSON of the actions.
    bytes: usize,
}

impl ActionLoad {
    fn add(&mut self, action: &SessionAction) {
        self.count += 1;
        self.bytes += bytes_of(action);
    }

    fn remove(&mut self, action: &SessionAction) {
        self.count -= 1;
        self.bytes -= bytes_of(action);
    }

    const fn fits(self, count: usize, bytes: usize) -> bool {
        self.count <= count && self.bytes <= bytes
    }
}

/// How much waits, of each kind that has room of its own.
#[derive(Debug, Clone, Copy, Default)]
struct QueueLoad {
    /// Decisions, stops and withdrawals.
    controls: ActionLoad,
    others: ActionLoad,
}

impl QueueLoad {
    const fn of(&mut self, action: &SessionAction) -> &mut ActionLoad {
        if action.is_control() { &mut self.controls } else { &mut self.others }
    }

    const fn fits(&self) -> bool {
        self.controls.fits(CONTROLS_WAITING, CONTROLS_BYTES)
            && self.others.fits(ACTIONS_WAITING, ACTIONS_BYTES)
    }
}

/// The actions of one session, oldest first.
#[derive(Debug, Default)]
pub(super) struct ActionQueue {
    waiting: VecDeque<WaitingAction>,
    load: QueueLoad,
    /// The last number that was given to an action.
    last: ActionNumber,
    /// Actions up to this number are in the store, unless they are among `failed`.
    stored: ActionNumber,
    /// The last action that was sent on the current link.
    sent: ActionNumber,
    /// Actions that could not be stored, the newest last.
    failed: VecDeque<ActionNumber>,
    /// The host's last report, while entries that it names have not come.
    reported: Option<(ActionNumber, Seq)>,
    /// Waiting actions up to this number are settled, by entries up to `settled_by`.
    settled: ActionNumber,
    settled_by: Seq,
}

impl ActionQueue {
    /// Returns the queue as it was stored.
    pub(super) fn restored(last: ActionNumber, waiting: Vec<WaitingAction>) -> Self {
        let mut load = QueueLoad::default();
        waiting.iter().for_each(|waiting| load.of(&waiting.action).add(&waiting.action));
        let last = waiting.last().map_or(last, |waiting| waiting.number.max(last));
        Self { waiting: waiting.into(), load, last, stored: last, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the last number that was given to an action.
    pub(super) const fn last(&self) -> ActionNumber {
        self.last
    }

    /// Returns true if these actions may wait, too.
    pub(super) fn has_room(&self, actions: &[SessionAction]) -> bool {
        let mut load = self.load;
        actions.iter().for_each(|action| load.of(action).add(action));
        load.fits()
    }

    pub(super) fn push(&mut self, action: SessionAction, at_ms: u64) -> ActionNumber {
        self.last.0 += 1;
        self.load.of(&action).add(&action);
        self.waiting.push_back(WaitingAction { number: self.last, at_ms, action });
        self.last
    }

    /// Returns what became of an action; `None` until it is stored.
    pub(super) fn outcome(&self, number: ActionNumber) -> Option<Result<(), ActionRefused>> {
        if self.failed.contains(&number) {
            return Some(Err(ActionRefused::NotStored));
        }
        (number <= self.stored).then_some(Ok(()))
    }

    /// Returns the actions that are not settled.
    pub(super) fn open(&self) -> impl Iterator<Item = &WaitingAction> {
        self.waiting.iter().filter(|waiting| waiting.number > self.settled)
    }

    /// Begins a link: every stored action that is not settled is to be sent.
    pub(super) const fn link_began(&mut self) {
        self.sent = ActionNumber(0);
    }

    /// Returns the actions to send now, and assumes that they are sent.
    pub(super) fn take_due(&mut self) -> Vec<(ActionNumber, SessionAction)> {
        let (sent, stored) = (self.sent.max(self.settled), self.stored);
        self.sent = stored.max(sent);
        let is_due = |number| number > sent && number <= stored;
        let due = self.waiting.iter().filter(|waiting| is_due(waiting.number));
        due.map(|waiting| (waiting.number, waiting.action.clone())).collect()
    }

    /// Takes the host's report that all actions up to `number` are over, of which the last entry is
    /// `seq`.
    pub(super) fn reported(&mut self, number: ActionNumber, seq: Seq) {
        // A number that this relay does not know of must not be given to another action.
        self.last = self.last.max(number);
        self.reported = self.reported.max(Some((number, seq)));
    }

    /// Settles the actions of which every entry has come, given the log's last one. Returns them.
    pub(super) fn settle(&mut self, head: Seq) -> Vec<SessionAction> {
        let Some((number, seq)) = self.reported.take_if(|(_, seq)| *seq <= head) else {
            return Vec::new();
        };
        self.settle_up_to(number, seq)
    }

    /// Settles the reported actions, though their entries will not come: another log begins.
    pub(super) fn log_began(&mut self) -> Vec<SessionAction> {
        self.settled_by = Seq::ZERO;
        let reported = self.reported.take();
        reported.map_or(Vec::new(), |(number, _)| self.settle_up_to(number, Seq::ZERO))
    }

    fn settle_up_to(&mut self, number: ActionNumber, seq: Seq) -> Vec<SessionAction> {
        let before = self.settled;
        self.settled = before.max(number);
        self.settled_by = self.settled_by.max(seq);
        let is_new = |waiting: &&WaitingAction| waiting.number > before && waiting.number <= number;
        self.waiting.iter().filter(is_new).map(|waiting| waiting.action.clone()).collect()
    }

    /// Returns the actions up to which all are forgotten once entries up to `durable` are stored.
    pub(super) fn forgettable(&self, durable: Seq) -> ActionNumber {
        let is_settled = self.settled_by <= durable;
        if is_settled { self.settled } else { ActionNumber(0) }
    }

    /// Returns true if there are actions up to this one, which are to be forgotten.
    pub(super) fn forgets(&self, up_to: ActionNumber) -> bool {
        self.waiting.front().is_some_and(|waiting| waiting.number <= up_to)
    }

    /// Returns the actions to store, without those that are forgotten with them.
    pub(super) fn to_store(&self, forgotten: ActionNumber) -> Vec<WaitingAction> {
        self.waiting.iter().filter(|waiting| waiting.number > forgotten).cloned().collect()
    }

    /// Records that the actions up to `last` are stored, and that those up to `forgotten` are not
    /// needed any more.
    pub(super) fn stored(&mut self, last: ActionNumber, forgotten: ActionNumber) {
        self.stored = self.stored.max(last);
        while let Some(over) = self.waiting.pop_front_if(|waiting| waiting.number <= forgotten) {
            self.load.of(&over.action).remove(&over.action);
        }
    }

    /// Drops the actions that are not stored. Returns true if there were any.
    pub(super) fn fail(&mut self) -> bool {
        let stored = self.stored;
        let before = self.waiting.len();
        while let Some(lost) = self.waiting.pop_back_if(|waiting| waiting.number > stored) {
            self.load.of(&lost.action).remove(&lost.action);
            self.failed.push_back(lost.number);
        }
        while self.failed.len() > FAILURES {
            self.failed.pop_front();
        }
        self.waiting.len() < before
    }

    /// Drops all actions, because the session is over. Returns those that are not settled.
    pub(super) fn end(&mut self) -> Vec<WaitingAction> {
        let settled = self.settled;
        self.load = QueueLoad::default();
        self.reported = None;
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().filter(|waiting| waiting.number > settled).collect()
    }
}

fn bytes_of(action: &SessionAction) -> usize {
    serde_json::to_vec(action).map_or(0, |json| json.len())
}
