//! The two halves of an agent session, and the task between them and the agent.
//!
//! The machine is behind a lock, so that a decision is answered at once with whether anybody waits
//! for it. Its outputs are carried out by one task, which reads the agent only while the session's
//! output is read.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::frame::Frame;
use moorline_shared::id::ApprovalId;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::{ExitStatus, Size};
use tokio::sync::{Notify, mpsc};

use super::catalogue;
use super::clock::{AgentClock, random_bits};
use super::launch::AgentLaunch;
use super::machine::{AgentInput, AgentMachine};
use super::task::AgentTask;
use crate::driver::{
    Driver, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec, SnapshotSource,
    StartedSession, blocking,
};

/// The driver's name, by which sessions select it.
pub const NAME: &str = "agent";

/// Outputs that wait for the session to be read, above which nothing is typed.
const WAITING: usize = 256;
/// Outputs between the task and the session.
const BETWEEN: usize = 16;

/// The driver for coding agents.
#[derive(Debug, Default)]
pub struct AgentDriver;

impl Driver for AgentDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn agents(&self) -> Vec<KnownAgent> {
        catalogue::agents()
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            let (launch, process) = blocking(move || AgentLaunch::start(spec)).await??;
            let cwd = launch.settings.cwd.to_string_lossy().into_owned();
            let pid = process.pid();
            let shared = Arc::new(SharedMachine {
                machine: Mutex::new(AgentMachine::new(launch.settings.clone())),
                clock: AgentClock::new(),
                waiting: AtomicUsize::new(0),
                wake: Notify::new(),
                room: Notify::new(),
            });
            let (sender, receiver) = mpsc::channel(BETWEEN);
            let task = AgentTask::new(Arc::clone(&shared), launch, process, sender);
            tokio::spawn(task.run());
            Ok(StartedSession {
                output: Box::new(AgentSessionOutput(receiver)),
                control: Arc::new(AgentControl(shared)),
                snapshots: SnapshotSource::Conversation,
                cwd,
                pid,
                checkpoint: None,
            })
        })
    }
}

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
    fn tell(&self, input: AgentInput) {
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

    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) + self.lock().pending_outputs() <= WAITING
    }
}

/// The output half.
#[derive(Debug)]
struct AgentSessionOutput(mpsc::Receiver<DriverOutput>);

impl OutputSource for AgentSessionOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        // Without a task there is no agent.
        let gone = DriverOutput::End(ExitStatus::default());
        Box::pin(async { self.0.recv().await.unwrap_or(gone) })
    }
}

/// The control half. Actions and decisions are made by people, so they need no bound of their own
/// beside that of the machine's queues.
#[derive(Debug)]
struct AgentControl(Arc<SharedMachine>);

impl SessionControl for AgentControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        if !self.0.has_room() {
            return Ok(0);
        }
        self.0.tell(AgentInput::Typed(input.to_vec()));
        Ok(input.len())
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            loop {
                let room = self.0.room.notified();
                if self.0.has_room() {
                    return true;
                }
                room.await;
            }
        })
    }

    fn resize(&self, _: Size) -> io::Result<()> {
        Ok(())
    }

    fn act(&self, number: ActionNumber, action: SessionAction) -> bool {
        let SharedMachine { clock, wake, .. } = &*self.0;
        let mut machine = self.0.lock();
        machine.handle(clock.now(), random_bits(), AgentInput::Action(action));
        machine.acted(number);
        wake.notify_one();
        true
    }

    fn decide(&self, approval_id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        let SharedMachine { clock, wake, .. } = &*self.0;
        let mut machine = self.0.lock();
        let is_awaited = machine.awaits(approval_id);
        if is_awaited {
            let (approval_id, decision) = (approval_id.clone(), decision.cloned());
            let input = AgentInput::Decision { approval_id, decision };
            machine.handle(clock.now(), random_bits(), input);
            wake.notify_one();
        }
        is_awaited
    }

    fn close(&self) {
        self.0.tell(AgentInput::Close);
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
