//! The machine of a session, between those who pass inputs in and those who carry its outputs out.
//!
//! It is behind a lock, so that a decision is answered at once with whether anybody waits for it.
//! The lock is never held across an await.
//!
//! The session's reader takes the outputs that are for the log. Whatever acts on the world outside
//! waits until the reader has reported the state that it follows from as stored: lines to the agent
//! and work on files and commands. [`SharedMachine::checkpoint`] is that state, with all outputs
//! that nobody has taken yet.

mod pod;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use super::clock::AgentClock;
use super::machine::{AgentInput, AgentMachine, AgentOutput};
use super::wire::AgentWire;
use crate::clock::random_bits;
use crate::driver::{DriverCheckpoint, DriverOutput, StoredCheckpoint};
pub(super) use pod::AgentPod;

/// Outputs that wait for the session to be read, above which nothing is typed and the agent is not
/// read.
const WAITING: usize = 256;

/// The machine of a session, and what its owners share.
#[derive(Debug)]
pub(super) struct SharedMachine {
    state: Mutex<SharedState>,
    clock: AgentClock,
    /// Wakes the task that acts on the world outside.
    wake: Notify,
    /// Wakes the session's reader.
    output: Notify,
    /// Wakes those who wait to type.
    room: Notify,
}

/// The state behind the lock.
#[derive(Debug, Serialize, Deserialize)]
struct SharedState {
    machine: AgentMachine,
    wire: AgentWire,
    /// The turn whose prompt is held back until the session's files were looked at.
    #[serde(default)]
    held: Option<TurnId>,
    /// The pod that the agent runs in, if it does.
    #[serde(default)]
    place: Option<AgentPod>,
    /// Reports of the pod that the session has not taken yet, up to a bound.
    #[serde(skip)]
    reports: VecDeque<DriverOutput>,
    /// The rest of a piece of the transcript.
    text: String,
    /// Work outside, in order, of which the first `released` may be done.
    #[serde(skip)]
    work: VecDeque<AgentOutput>,
    #[serde(skip)]
    released: usize,
    /// True if the state has changed since the reader was last asked to store it.
    #[serde(skip)]
    is_changed: bool,
    /// The number of changes, of which `stored` are in a state that is stored.
    #[serde(skip)]
    changes: u64,
    #[serde(skip)]
    stored: u64,
    /// What may be done once the last checkpoint is stored.
    #[serde(skip)]
    mark: Option<StoredMark>,
    /// The offset of the agent's output that was handled in a state that is stored.
    #[serde(skip)]
    handled: u64,
    /// The session's end, once it has come.
    #[serde(skip)]
    exit: Option<ExitStatus>,
    /// The number of the machine's outputs that were taken.
    #[serde(skip)]
    taken: usize,
    /// Those who wait until so many were taken, and reported by the reader.
    #[serde(skip)]
    flushes: Vec<(usize, oneshot::Sender<()>)>,
}

/// How far everything was at a checkpoint.
#[derive(Debug, Clone, Copy)]
struct StoredMark {
    wire_end: u64,
    handled: u64,
    work: usize,
    changes: u64,
}

impl SharedState {
    fn new(machine: AgentMachine) -> Self {
        Self {
            machine,
            wire: AgentWire::default(),
            held: None,
            place: None,
            reports: VecDeque::new(),
            text: String::new(),
            work: VecDeque::new(),
            released: 0,
            is_changed: false,
            changes: 0,
            stored: 0,
            mark: None,
            handled: 0,
            exit: None,
            taken: 0,
            flushes: Vec::new(),
        }
    }

    fn mark(&self) -> StoredMark {
        let (handled, work) = (self.wire.handled, self.work.len());
        StoredMark { wire_end: self.wire.end(), handled, work, changes: self.changes }
    }

    /// Returns the next output for the session's log.
    fn next_output(&mut self) -> Option<DriverOutput> {
        loop {
            if !self.text.is_empty() {
                return Some(self.next_text());
            }
            if let Some(report) = self.reports.pop_front() {
                return Some(report);
            }
            self.report_flushed();
            let Some(output) = self.machine.poll_output() else { break };
            self.taken += 1;
            match output {
                AgentOutput::Line(line) => self.wire.push(&line),
                AgentOutput::Transcript(text) => self.text = text,
                AgentOutput::Event { kind, fields } => {
                    return Some(DriverOutput::Event { kind, fields });
                }
                AgentOutput::Status(status) => return Some(DriverOutput::Status(status)),
                AgentOutput::Ask(request) => return Some(DriverOutput::Ask(request)),
                AgentOutput::Withdraw { approval_id, reason } => {
                    return Some(DriverOutput::Withdraw { approval_id, reason });
                }
                AgentOutput::Done(approval_id) => return Some(DriverOutput::Done(approval_id)),
                AgentOutput::Acted(number) => return Some(DriverOutput::Acted(number)),
                AgentOutput::TurnBegins { turn_id } => {
                    self.held = Some(turn_id.clone());
                    self.wire.hold();
                    self.work.push_back(AgentOutput::TurnBegins { turn_id });
                }
                work @ (AgentOutput::Serve { .. }
                | AgentOutput::Forget { .. }
                | AgentOutput::Observed { .. }
                | AgentOutput::TurnOver { .. }
                | AgentOutput::Start
                | AgentOutput::Kill
                | AgentOutput::End) => self.work.push_back(work),
            }
        }
        if std::mem::take(&mut self.is_changed) {
            return Some(DriverOutput::Checkpoint);
        }
        self.exit.take().map(DriverOutput::End)
    }

    /// Answers those who wait for outputs that the reader has reported: it does so before it asks for
    /// the next one.
    fn report_flushed(&mut self) {
        let (taken, is_empty) = (self.taken, self.machine.pending_outputs() == 0);
        for (_, done) in self.flushes.extract_if(.., |(until, _)| is_empty || *until <= taken) {
            // Whoever has waited may be gone.
            let _ = done.send(());
        }
    }

    fn next_text(&mut self) -> DriverOutput {
        let end = self.text.floor_char_boundary(FRAME_DATA_BYTES.min(self.text.len()));
        let mut buffer = Frame::buffer(end);
        buffer.extend_from_slice(&self.text.as_bytes()[..end]);
        self.text.drain(..end);
        DriverOutput::Bytes(buffer)
    }

    fn waiting(&self) -> usize {
        self.machine.pending_outputs() + self.text.len() / FRAME_DATA_BYTES
    }
}

impl SharedMachine {
    pub(super) fn new(machine: AgentMachine) -> Self {
        Self::with(SharedState::new(machine))
    }

    /// Restores what [`SharedMachine::checkpoint`] has returned to an earlier host.
    ///
    /// # Errors
    /// An error if it is damaged.
    pub(super) fn restored(checkpoint: &StoredCheckpoint) -> serde_json::Result<Self> {
        let mut state: SharedState = serde_json::from_slice(&checkpoint.state)?;
        state.machine.fill(|key| checkpoint.contents.get(key).map(|content| &**content));
        state.wire.continued();
        state.handled = state.wire.handled;
        Ok(Self::with(state))
    }

    fn with(state: SharedState) -> Self {
        let (wake, output, room) = (Notify::new(), Notify::new(), Notify::new());
        Self { state: Mutex::new(state), clock: AgentClock::new(), wake, output, room }
    }

    fn lock(&self) -> MutexGuard<'_, SharedState> {
        // At worst, a panic under the lock has left the machine within an input.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes an input in.
    pub(super) fn handle(&self, input: AgentInput) {
        self.change(|state, now| state.machine.handle(now, random_bits(), input));
    }

    /// Passes in what the agent has written, up to this offset of its output.
    pub(super) fn handle_line(&self, input: AgentInput, handled: u64) {
        self.change(|state, now| {
            state.machine.handle(now, random_bits(), input);
            state.wire.handled = handled;
        });
    }

    /// Has the machine tell what it holds back. The receiver hears of it once all outputs so far are
    /// reported, or the session is over.
    pub(super) fn flush(&self) -> oneshot::Receiver<()> {
        let (sender, done) = oneshot::channel();
        self.change(|state, _| {
            state.machine.flush();
            let until = state.taken + state.machine.pending_outputs();
            state.flushes.push((until, sender));
        });
        done
    }

    /// Returns the files of the prompt that an action sends to the agent.
    pub(super) fn files_of(&self, action: &SessionAction) -> Vec<String> {
        self.lock().machine.files_of(action).to_vec()
    }

    /// Passes an action in. `linked` is as in [`AgentInput::Action`].
    pub(super) fn act(&self, number: ActionNumber, action: SessionAction, linked: Option<String>) {
        self.change(|state, now| {
            state.machine.handle(now, random_bits(), AgentInput::Action { action, linked });
            state.machine.acted(number);
        });
    }

    /// Passes a decision in. Returns false if nobody waits for it.
    pub(super) fn decide(&self, id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        if !self.awaits(id) {
            return false;
        }
        let (approval_id, decision) = (id.clone(), decision.cloned());
        self.handle(AgentInput::Decision { approval_id, decision });
        true
    }

    /// Returns true if this question awaits a decision.
    pub(super) fn awaits(&self, id: &ApprovalId) -> bool {
        self.lock().machine.awaits(id)
    }

    /// Begins with another process, which was started or ended. Returns the number of this change:
    /// see [`SharedMachine::has_stored`].
    pub(super) fn process_changed(
        &self,
        keeper: Option<std::path::PathBuf>,
        input: AgentInput,
    ) -> u64 {
        self.change(|state, now| {
            state.machine.drop_lines();
            state.wire.restart(keeper);
            state.held = None;
            state.handled = 0;
            if let Some(mark) = &mut state.mark {
                // A state that is being stored is about the streams of the earlier process.
                (mark.wire_end, mark.handled) = (0, 0);
            }
            state.machine.handle(now, random_bits(), input);
        })
    }

    /// Lets the prompt of a turn go to the agent: the session's files were looked at.
    pub(super) fn let_go(&self, turn: &TurnId) {
        self.change(|state, _| {
            if state.held.as_ref() == Some(turn) {
                state.held = None;
                state.wire.let_go();
            }
        });
    }

    /// Returns the turn that runs.
    pub(super) fn active_turn(&self) -> Option<TurnId> {
        self.lock().machine.active_turn()
    }

    /// Returns the terminals that the agent has opened and not released.
    pub(super) fn open_terminals(&self) -> Vec<String> {
        self.lock().machine.open_terminals()
    }

    /// Returns true if this change is in a state that is stored.
    pub(super) fn has_stored(&self, change: u64) -> bool {
        self.lock().stored >= change
    }

    /// Continues in a host that has none of the work that an earlier one did for the agent. Returns
    /// the connection to the agent's process, if it is `attached`; else the agent has ended.
    pub(super) fn continued<T>(&self, attached: Result<T, String>) -> Option<T> {
        self.change(|state, _| state.machine.interrupted());
        if self.is_starting() {
            return None;
        }
        let lost = |reason| {
            let (exit, last_words) = (ExitStatus::default(), Some(reason));
            _ = self.process_changed(None, AgentInput::Exited { exit, last_words });
        };
        attached.map_err(lost).ok()
    }

    /// Makes a change. Returns its number.
    fn change(&self, change: impl FnOnce(&mut SharedState, Time)) -> u64 {
        let mut state = self.lock();
        change(&mut state, self.clock.now());
        state.is_changed = true;
        state.changes += 1;
        let number = state.changes;
        drop(state);
        self.output.notify_one();
        self.wake.notify_one();
        number
    }

    /// Has the reader store the state once it has taken all outputs.
    pub(super) fn request_checkpoint(&self) {
        self.lock().is_changed = true;
        self.output.notify_one();
    }

    /// Returns the state, from which another host can continue. `stored` are the keys of the
    /// contents that are stored.
    pub(super) fn checkpoint(&self, stored: &BTreeSet<String>) -> DriverCheckpoint {
        let mut state = self.lock();
        state.mark = Some(state.mark());
        let mut checkpoint = DriverCheckpoint {
            // Texts, numbers and JSON values always encode.
            state: serde_json::to_vec(&*state).map(Bytes::from).unwrap_or_default(),
            ..DriverCheckpoint::default()
        };
        for (key, content) in state.machine.contents() {
            if checkpoint.contents.insert(key.to_owned()) && !stored.contains(key) {
                checkpoint.fresh.push((key.to_owned(), content().into()));
            }
        }
        checkpoint
    }

    /// Records that the last checkpoint is stored, or that none is.
    pub(super) fn journaled(&self) {
        let mut state = self.lock();
        let mark = state.mark.take().unwrap_or(state.mark());
        let StoredMark { wire_end, handled, work, changes } = mark;
        state.wire.release(wire_end);
        state.handled = handled;
        state.released = work.min(state.work.len());
        state.stored = changes;
        drop(state);
        self.wake.notify_one();
        self.room.notify_waiters();
    }

    /// Waits for the next output for the session's log.
    pub(super) async fn next_output(&self) -> DriverOutput {
        loop {
            if let Some(output) = self.try_output() {
                return output;
            }
            self.output.notified().await;
        }
    }

    /// Returns the next output for the session's log, if there is one.
    pub(super) fn try_output(&self) -> Option<DriverOutput> {
        self.lock().next_output()
    }

    /// Ends the session.
    pub(super) fn end(&self, exit: ExitStatus) {
        self.lock().exit = Some(exit);
        self.output.notify_one();
    }

    /// Waits until something may have changed for the task that acts on the world outside.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Waits until the machine's next timeout.
    pub(super) async fn timeout(&self) {
        let until = self.lock().machine.poll_timeout();
        self.clock.wait(until).await;
    }

    /// Returns the next work to do outside.
    pub(super) fn next_work(&self) -> Option<AgentOutput> {
        let mut state = self.lock();
        state.released = state.released.checked_sub(1)?;
        if let Some(mark) = &mut state.mark {
            mark.work = mark.work.saturating_sub(1);
        }
        state.work.pop_front()
    }

    /// Calls `write` with input for the agent, if there is some to write; it returns true if that
    /// was taken.
    pub(super) fn write(&self, write: impl FnOnce(u64, &[u8]) -> bool) {
        let mut state = self.lock();
        let Some((offset, ready)) = state.wire.ready() else { return };
        let end = offset + ready.len() as u64;
        if write(offset, ready) {
            state.wire.passed(end);
        }
    }

    /// Records that the agent's pipe has taken the input before this offset.
    pub(super) fn written(&self, up_to: u64) {
        self.lock().wire.written(up_to);
    }

    /// Returns the number of bytes of input that wait.
    pub(super) fn unwritten(&self) -> usize {
        self.lock().wire.waiting()
    }

    /// Returns the offset of the agent's output that need not be read again.
    pub(super) fn handled(&self) -> u64 {
        self.lock().handled
    }

    /// Returns the socket of the agent's keeper, if it has one.
    pub(super) fn keeper(&self) -> Option<std::path::PathBuf> {
        self.lock().wire.keeper.clone()
    }

    pub(super) fn has_room(&self) -> bool {
        self.lock().waiting() <= WAITING
    }

    /// Waits until something may be typed.
    pub(super) async fn wait_for_room(&self) {
        loop {
            let room = self.room.notified();
            if self.has_room() {
                return;
            }
            room.await;
        }
    }
}
