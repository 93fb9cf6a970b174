//! The driver, and the two halves of a session.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::Size;

use super::catalogue;
use super::launch::AgentLaunch;
use super::machine::{AgentInput, AgentMachine};
use super::shared::SharedMachine;
use super::task::AgentTask;
use super::transport::{AgentKeeper, AgentTransport, end_unknown};
use crate::driver::{
    Driver, DriverCheckpoint, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession, StoredCheckpoint, blocking,
};

/// The driver's name, by which sessions select it.
pub const NAME: &str = "agent";

/// The reason for the end of an agent that nothing has kept.
pub(super) const ENDED_WITH_HOST: &str = "It has ended with its host.";

/// The driver for coding agents.
#[derive(Debug, Default)]
pub struct AgentDriver {
    keeper: Option<AgentKeeper>,
    /// The sockets of the keepers that restored sessions use.
    restored: Mutex<BTreeSet<PathBuf>>,
}

impl AgentDriver {
    /// Creates the driver. Without a keeper, agents end with their host.
    #[must_use]
    pub const fn new(keeper: Option<AgentKeeper>) -> Self {
        Self { keeper, restored: Mutex::new(BTreeSet::new()) }
    }
}

impl Driver for AgentDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn tidy(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.end_unknown())
    }

    fn agents(&self) -> Vec<KnownAgent> {
        catalogue::agents()
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            let launch = blocking(move || AgentLaunch::new(spec)).await??;
            let transport = AgentTransport::start(&launch, self.keeper.as_ref()).await?;
            let machine = AgentMachine::new(launch.settings.clone());
            let shared = Arc::new(SharedMachine::new(machine));
            _ = shared.process_changed(transport.keeper(), AgentInput::Started);
            Ok(self.run(launch, shared, Some(transport)))
        })
    }

    fn restore(
        &self,
        spec: SessionSpec,
        checkpoint: StoredCheckpoint,
    ) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            let launch = blocking(move || AgentLaunch::new(spec)).await??;
            let shared = SharedMachine::restored(&checkpoint)
                .map_err(|error| DriverError::Internal(error.into()))?;
            let attached = match shared.keeper() {
                Some(socket) => AgentTransport::attach(socket, shared.handled()).await,
                None => Err(ENDED_WITH_HOST.to_owned()),
            };
            let transport = shared.continued(attached);
            if let Some(socket) = transport.as_ref().and_then(AgentTransport::keeper) {
                self.restored.lock().unwrap_or_else(PoisonError::into_inner).insert(socket);
            }
            Ok(self.run(launch, Arc::new(shared), transport))
        })
    }
}

impl AgentDriver {
    /// Ends the keepers that no restored session uses.
    async fn end_unknown(&self) {
        let Some(keeper) = &self.keeper else { return };
        let known =
            std::mem::take(&mut *self.restored.lock().unwrap_or_else(PoisonError::into_inner));
        end_unknown(&keeper.folder, &known).await;
    }

    fn run(
        &self,
        launch: AgentLaunch,
        shared: Arc<SharedMachine>,
        transport: Option<AgentTransport>,
    ) -> StartedSession {
        let cwd = launch.settings.cwd.to_string_lossy().into_owned();
        let pid = transport.as_ref().and_then(AgentTransport::pid);
        let task = AgentTask::new(Arc::clone(&shared), launch, self.keeper.clone(), transport);
        tokio::spawn(task.run());
        StartedSession {
            output: Box::new(AgentSessionOutput(Arc::clone(&shared))),
            control: Arc::new(AgentControl(shared)),
            snapshots: SnapshotSource::Conversation,
            cwd,
            pid,
            outlives_host: self.keeper.is_some(),
        }
    }
}

/// The output half.
#[derive(Debug)]
struct AgentSessionOutput(Arc<SharedMachine>);

impl OutputSource for AgentSessionOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(self.0.next_output())
    }
}

/// The control half. Actions and decisions are made by people, so they need no bound of their own
/// beside that of the machine's queues.
#[derive(Debug)]
pub(super) struct AgentControl(pub(super) Arc<SharedMachine>);

impl SessionControl for AgentControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        if !self.0.has_room() {
            return Ok(0);
        }
        self.0.handle(AgentInput::Typed(input.to_vec()));
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

    fn act(&self, number: ActionNumber, action: SessionAction) -> bool {
        self.0.act(number, action);
        true
    }

    fn decide(&self, approval_id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        self.0.decide(approval_id, decision)
    }

    fn awaits(&self, approval_id: &ApprovalId) -> bool {
        self.0.awaits(approval_id)
    }

    fn checkpoint(&self, stored: &BTreeSet<String>) -> DriverCheckpoint {
        self.0.checkpoint(stored)
    }

    fn request_checkpoint(&self) {
        self.0.request_checkpoint();
    }

    fn journaled(&self) {
        self.0.journaled();
    }

    fn close(&self) {
        self.0.handle(AgentInput::Close);
    }
}
