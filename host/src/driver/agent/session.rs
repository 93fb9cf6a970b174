//! The driver, and the two halves of a session.

use std::io;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::{ExitStatus, Size};
use tokio::sync::mpsc;

use super::launch::AgentLaunch;
use super::machine::AgentInput;
use super::shared::SharedMachine;
use super::task::AgentTask;
use crate::driver::{
    Driver, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec, SnapshotSource,
    StartedSession, blocking,
};

/// The driver's name, by which sessions select it.
pub const NAME: &str = "agent";

/// Outputs between the task and the session.
const BETWEEN: usize = 16;

/// The driver for coding agents.
#[derive(Debug, Default)]
pub struct AgentDriver;

impl Driver for AgentDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            let (launch, process) = blocking(move || AgentLaunch::start(spec)).await??;
            let cwd = launch.settings.cwd.to_string_lossy().into_owned();
            let pid = process.pid();
            let shared = Arc::new(SharedMachine::new(launch.settings.clone()));
            let (sender, receiver) = mpsc::channel(BETWEEN);
            let task = AgentTask::new(Arc::clone(&shared), launch, process, sender);
            tokio::spawn(task.run());
            Ok(StartedSession {
                output: Box::new(AgentSessionOutput(receiver)),
                control: Arc::new(AgentControl(shared)),
                snapshots: SnapshotSource::Events,
                cwd,
                pid,
            })
        })
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
            self.0.wait_for_room().await;
            true
        })
    }

    fn resize(&self, _: Size) -> io::Result<()> {
        Ok(())
    }

    fn act(&self, action: SessionAction) {
        self.0.tell(AgentInput::Action(action));
    }

    fn decide(&self, approval_id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        self.0.decide(approval_id, decision)
    }

    fn close(&self) {
        self.0.tell(AgentInput::Close);
    }
}
