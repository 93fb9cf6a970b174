//! The driver, and the two halves of a session.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, ready};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::Facts;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::Size;

use super::ask_records::AskRecords;
use super::catalogue;
use super::files::linked_file;
use super::launch::{AgentLaunch, AgentPlace, command_in_pod, settings_in_pod};
use super::machine::{AgentInput, AgentMachine};
use super::shared::{AgentPod, SharedMachine};
use super::task::AgentTask;
use super::transport::{AgentKeeper, AgentTransport, end_unknown};
use crate::changes::{CHANGES, SessionChanges};
use crate::clock::this_boot;
use crate::driver::kubernetes::{KubernetesDriver, PodPosition, PodReporter};
use crate::driver::{
    Driver, DriverCheckpoint, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession, StoredCheckpoint, Survival, blocking,
};

/// The driver's name, by which sessions select it.
pub const NAME: &str = "agent";

/// The reason for the end of an agent that nothing has kept.
pub(super) const ENDED_WITH_HOST: &str = "It has ended with its host.";

/// The driver for coding agents.
#[derive(Debug, Default)]
pub struct AgentDriver {
    keeper: Option<AgentKeeper>,
    records: Arc<AskRecords>,
    /// The host's folder, in which the changes of sessions are stored.
    folder: Option<PathBuf>,
    /// The sockets of the keepers that restored sessions use.
    restored: Mutex<BTreeSet<PathBuf>>,
    /// Has the pods that agents can run in; `None` for a host without.
    pods: Option<KubernetesDriver>,
}

impl AgentDriver {
    /// Creates the driver. Without a keeper, agents end with their host. `folder` is the host's own
    /// folder, where the driver remembers what it has seen of agents, and what they change in
    /// sessions. Blocks for a short time.
    #[must_use]
    pub fn new(keeper: Option<AgentKeeper>, folder: Option<&Path>) -> Self {
        let records = folder.map_or_else(AskRecords::default, AskRecords::open);
        let (records, folder) = (Arc::new(records), folder.map(Path::to_owned));
        Self { keeper, records, folder, restored: Mutex::new(BTreeSet::new()), pods: None }
    }

    /// Lets agents run in pods.
    #[must_use]
    pub fn with_pods(self, pods: KubernetesDriver) -> Self {
        Self { pods: Some(pods), ..self }
    }
}

impl Driver for AgentDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_folders(&self, facts: &Facts) -> bool {
        facts.pod.is_some()
    }

    fn tidy(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.end_unknown())
    }

    fn agents(&self) -> Vec<KnownAgent> {
        let mut agents = catalogue::agents();
        for agent in &mut agents {
            agent.asks = self.records.get(&agent.id, || agent.version.clone()).or(agent.asks);
        }
        agents
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            if spec.facts.pod.is_some() {
                return self.start_in_pod(spec).await;
            }
            let launch = self.launch(spec).await?;
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
            let shared = SharedMachine::restored(&checkpoint)
                .map_err(|error| DriverError::Internal(error.into()))?;
            if let Some(place) = shared.place() {
                return self.restore_in_pod(spec, shared, place);
            }
            let launch = self.launch(spec).await?;
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
    async fn launch(&self, spec: SessionSpec) -> Result<AgentLaunch, DriverError> {
        let records = Arc::clone(&self.records);
        blocking(move || AgentLaunch::new(spec, &records)).await?
    }

    fn pods(&self) -> Result<&KubernetesDriver, DriverError> {
        let missing = || DriverError::Refused("this host runs no agents in pods".into());
        self.pods.as_ref().ok_or_else(missing)
    }

    async fn start_in_pod(&self, mut spec: SessionSpec) -> Result<StartedSession, DriverError> {
        let pods = self.pods()?;
        let command = command_in_pod(&spec)?;
        spec.facts.command.clone_from(&command);
        let remote = spec.workspace.as_ref().map(|it| Arc::clone(&it.remote));
        let plan = pods.plan_agent(spec.clone()).await?;
        let settings = settings_in_pod(&spec, command, plan.cwd().into())?;
        let place = AgentPod { plan: plan.clone(), boot: this_boot() };
        let shared = SharedMachine::new(AgentMachine::new(settings.clone())).in_pod(place);
        let shared = Arc::new(shared);
        let pod = pods.begin_agent(plan, remote, reporter(&shared)).await?;
        let launch = AgentLaunch::in_pod(spec, pod, settings);
        let transport = AgentTransport::start(&launch, None).await?;
        _ = shared.process_changed(transport.keeper(), AgentInput::Started);
        Ok(self.run(launch, shared, Some(transport)))
    }

    fn restore_in_pod(
        &self,
        spec: SessionSpec,
        shared: SharedMachine,
        place: AgentPod,
    ) -> Result<StartedSession, DriverError> {
        let pods = self.pods()?;
        // After a failure of the machine, the pod may be ahead of what is stored.
        let is_current = place.boot == this_boot();
        let runs = shared.keeper().is_some() && !shared.is_starting() && is_current;
        let position = PodPosition { input: shared.input_base(), output: shared.handled() };
        let position = runs.then_some(position);
        let remote = spec.workspace.as_ref().map(|it| Arc::clone(&it.remote));
        let settings = settings_in_pod(&spec, place.plan.command(), place.plan.cwd().into())?;
        let shared = Arc::new(shared.in_pod(AgentPod { boot: this_boot(), ..place.clone() }));
        let pod = pods.restore_agent(place.plan, position, remote, reporter(&shared));
        let launch = AgentLaunch::in_pod(spec, pod, settings);
        let attached = match (position, &launch.place) {
            (Some(position), AgentPlace::Pod(pod)) => {
                Ok(AgentTransport::left_in_pod(pod, position))
            }
            _ => Err(ENDED_WITH_HOST.to_owned()),
        };
        let transport = shared.continued(attached);
        Ok(self.run(launch, shared, transport))
    }

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
        let folder = launch.settings.cwd.clone();
        let cwd = folder.to_string_lossy().into_owned();
        let is_here = matches!(launch.place, AgentPlace::Here(_));
        let pid = transport.as_ref().and_then(AgentTransport::pid);
        let place = self.folder.as_deref().map(|folder| folder.join(CHANGES));
        let changes = is_here.then(|| {
            let (id, folders) = (&launch.session_id, launch.folders.0.clone());
            SessionChanges::new(id, folders, place.as_deref(), self.folder.clone())
        });
        let (keeper, records) = (self.keeper.clone(), Arc::clone(&self.records));
        let (own, changed) = (Arc::clone(&shared), changes.clone());
        let task = AgentTask::new(own, launch, keeper, records, transport, changed);
        tokio::spawn(task.run());
        StartedSession {
            output: Box::new(AgentSessionOutput(Arc::clone(&shared))),
            control: Arc::new(AgentControl { shared, changes, folder: is_here.then_some(folder) }),
            snapshots: SnapshotSource::Conversation,
            cwd,
            pid,
            survival: match &self.keeper {
                Some(_) => Survival::Journaled,
                None if !is_here => Survival::Journaled,
                None => Survival::Ends,
            },
        }
    }
}

/// Returns what passes reports of a pod on to its session.
fn reporter(shared: &Arc<SharedMachine>) -> PodReporter {
    let shared = Arc::downgrade(shared);
    Arc::new(move |report| {
        if let Some(shared) = shared.upgrade() {
            shared.report(report);
        }
    })
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
pub(super) struct AgentControl {
    pub(super) shared: Arc<SharedMachine>,
    /// Changes that the agent has made; `None` if its files are not on this machine.
    pub(super) changes: Option<SessionChanges>,
    /// The session's folder, which the files of prompts are in; `None` if it is not on this machine.
    pub(super) folder: Option<PathBuf>,
}

impl SessionControl for AgentControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        if !self.shared.has_room() {
            return Ok(0);
        }
        self.shared.handle(AgentInput::Typed(input.to_vec()));
        Ok(input.len())
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            self.shared.wait_for_room().await;
            true
        })
    }

    fn resize(&self, _: Size) -> io::Result<()> {
        Ok(())
    }

    fn act(&self, number: ActionNumber, action: SessionAction) -> bool {
        let files = self.shared.files_of(&action);
        let linked = self.folder.as_ref().and_then(|folder| linked_file(folder, &files));
        self.shared.act(number, action, linked);
        true
    }

    fn decide(&self, approval_id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        self.shared.decide(approval_id, decision)
    }

    fn awaits(&self, approval_id: &ApprovalId) -> bool {
        self.shared.awaits(approval_id)
    }

    fn flush(&self) -> BoxFuture<'static, ()> {
        let done = self.shared.flush();
        // An error means that the session is over.
        Box::pin(async { _ = done.await })
    }

    fn changes(&self, question: ChangesQuestion) -> BoxFuture<'static, ChangesAnswer> {
        let Some(changes) = self.changes.clone() else {
            let message = "The files that this agent changes are in its pod, where the host does not \
                           watch them.";
            return Box::pin(ready(HostFailure::new("in_a_pod", message).into()));
        };
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            match blocking(move || changes.answer(question)).await {
                Ok((answer, report)) => {
                    if let Some(report) = report {
                        shared.handle(AgentInput::Changes(report));
                    }
                    answer
                }
                Err(error) => HostFailure::new(error.code(), error.to_string()).into(),
            }
        })
    }

    fn checkpoint(&self, stored: &BTreeSet<String>) -> DriverCheckpoint {
        self.shared.checkpoint(stored)
    }

    fn request_checkpoint(&self) {
        self.shared.request_checkpoint();
    }

    fn journaled(&self) {
        self.shared.journaled();
    }

    fn close(&self) {
        self.shared.handle(AgentInput::Close);
    }
}
