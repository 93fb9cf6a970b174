//! The machine of a session, between those who pass inputs in and the task that carries its outputs
//! out.
//!
//! It is behind a lock, so that a decision is answered at once with whether anybody waits for it.
//! The lock is never held across an await.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::frame::Frame;
use moorline_shared::id::ApprovalId;
use moorline_shared::limits::FRAME_DATA_BYTES;
use tokio::sync::Notify;

use super::clock::{AgentClock, random_bits};
use super::machine::{AgentInput, AgentMachine, AgentSettings};
use crate::driver::DriverOutput;

/// Outputs that wait for the session to be read, above which nothing is typed.
const WAITING: usize = 256;

/// The machine of a session, and what its owners share.
#[derive(Debug)]
pub(super) struct SharedMachine {
    machine: Mutex<AgentMachine>,
    clock: AgentClock,
    /// The number of outputs that the task could not pass on.
    waiting: AtomicUsize,
    /// Wakes the task after an input.
    wake: Notify,
    /// Wakes those who wait to type.
    room: Notify,
}

impl SharedMachine {
    pub(super) fn new(settings: AgentSettings) -> Self {
        Self {
            machine: Mutex::new(AgentMachine::new(settings)),
            clock: AgentClock::new(),
            waiting: AtomicUsize::new(0),
            wake: Notify::new(),
            room: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, AgentMachine> {
        // At worst, a panic under the lock has left the machine within an input.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn clock(&self) -> &AgentClock {
        &self.clock
    }

    /// Passes an input in. The caller carries the outputs out.
    pub(super) fn handle(&self, input: AgentInput) {
        self.lock().handle(self.clock.now(), random_bits(), input);
    }

    /// Passes an input in, and has the task carry the outputs out.
    pub(super) fn tell(&self, input: AgentInput) {
        self.handle(input);
        self.wake.notify_one();
    }

    /// Waits for [`SharedMachine::tell`].
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Records the number of outputs that the task could not pass on.
    pub(super) fn set_waiting(&self, count: usize) {
        self.waiting.store(count, Ordering::Relaxed);
        if count <= WAITING {
            self.room.notify_waiters();
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) + self.lock().pending_outputs() <= WAITING
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

    /// Passes a decision in. Returns false if nobody waits for it.
    pub(super) fn decide(&self, id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        let mut machine = self.lock();
        let is_awaited = machine.awaits(id);
        if is_awaited {
            let (approval_id, decision) = (id.clone(), decision.cloned());
            let input = AgentInput::Decision { approval_id, decision };
            machine.handle(self.clock.now(), random_bits(), input);
            self.wake.notify_one();
        }
        is_awaited
    }
}

/// Appends text to a queue of outputs, in frames.
pub(super) fn push_text(text: &str, queue: &mut VecDeque<DriverOutput>) {
    for piece in text.as_bytes().chunks(FRAME_DATA_BYTES) {
        let mut buffer = Frame::buffer(piece.len());
        buffer.extend_from_slice(piece);
        queue.push_back(DriverOutput::Bytes(buffer));
    }
}
