//! The `kubernetes` driver: a program on a terminal in a pod of its own.
//!
//! [`KubernetesDriver`] is the driver. A session has a pod and a volume with its files, made from a
//! template. A [supervisor](crate::supervisor) in the pod keeps the terminal, so that the
//! connection to it, an exec, can be lost and made again at the exact byte: clusters cut every exec
//! within minutes. `machine` decides what happens in the life of a pod; `docs/KUBERNETES.md` describes
//! it for users.
//!
//! The client of the API is `kube`, which needs no C library and whose watches go on by themselves.

mod agent;
mod cluster;
mod counts;
mod error;
mod exec;
mod files;
mod input;
mod items;
mod link;
mod machine;
mod manifest;
mod names;
mod outputs;
mod session;
mod templates;
mod view;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use moorline_shared::control::Facts;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::SessionId;
use moorline_shared::pod::{ClusterPods, PodMetrics, PodsAnswer, PodsQuestion, SupervisorWay};
use moorline_shared::session::{AGENT_DRIVER, KUBERNETES_DRIVER, Size};
use tokio::sync::{mpsc, watch};

use super::{
    Driver, DriverCheckpoint, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession, StoredCheckpoint, Survival, blocking,
};
use crate::clock::monotonic;
use crate::workspace::WorkspaceRemote;
pub(in crate::driver) use agent::{PodAgent, PodPosition, PodReporter};
use cluster::Clusters;
use counts::PodCount;
use error::ClusterError;
use exec::Supervisors;
use files::PodFiles;
use input::PodRequests;
pub(in crate::driver) use items::PodItem;
use machine::PodMachine;
pub(in crate::driver) use manifest::PodPlan;
use manifest::{PlannedWorkspace, chosen};
use names::pod_name;
use session::PodSession;
use templates::PodTemplates;

/// The reason why a template is not for agents.
const NO_AGENTS: &str = "an agent needs a supervisor in its pod: set the template's `supervisor` to \
                         `exec` or `init`";

/// The settings of the driver.
#[derive(Debug, Clone, Default)]
pub struct KubernetesConfig {
    /// The context of the kubeconfig; its current one if it is not given. Within a pod without a
    /// kubeconfig, the pod's service account is used.
    pub context: Option<String>,
    /// The folder with a supervisor for each kind of machine:
    /// `<architecture>/moorline-supervisor`.
    pub supervisors: Option<PathBuf>,
    /// The host's own folder, where templates are kept.
    pub folder: Option<PathBuf>,
}

/// The driver for pods. Clones share its state.
#[derive(Debug, Clone)]
pub struct KubernetesDriver {
    clusters: Clusters,
    supervisors: Supervisors,
    templates: Arc<PodTemplates>,
    counts: watch::Sender<PodMetrics>,
}

impl KubernetesDriver {
    /// Creates the driver. Reads files, but asks no cluster.
    #[must_use]
    pub fn new(config: KubernetesConfig) -> Self {
        let KubernetesConfig { context, supervisors, folder } = config;
        Self {
            clusters: Clusters::new(context),
            supervisors: Supervisors(supervisors),
            templates: Arc::new(PodTemplates::open(folder.as_deref())),
            counts: watch::Sender::new(PodMetrics::default()),
        }
    }

    async fn installation(&self) -> Result<String, DriverError> {
        let templates = Arc::clone(&self.templates);
        blocking(move || templates.installation()).await
    }

    async fn plan(&self, spec: SessionSpec) -> Result<PodPlan, DriverError> {
        let agent = spec.facts.driver == AGENT_DRIVER;
        let wanted = spec.facts.pod.clone().unwrap_or_default();
        let template = self.templates.find(wanted.template.as_deref())?;
        if agent && template.supervisor == SupervisorWay::None {
            return Err(ClusterError::Invalid(NO_AGENTS.to_owned()).into());
        }
        let namespace = match &template.namespace {
            Some(namespace) => namespace.clone(),
            None => self.clusters.get().await?.namespace.clone(),
        };
        let template = chosen(template, &wanted);
        let command = match spec.facts.command.is_empty() {
            true => template.command.clone(),
            false => spec.facts.command,
        };
        // Only a folder of the pod makes sense: the host's home is elsewhere.
        let cwd = spec.cwd.map(|cwd| cwd.to_string_lossy().into_owned());
        let cwd = cwd.filter(|cwd| cwd.starts_with('/'));
        Ok(PodPlan {
            session_id: spec.session_id,
            installation: self.installation().await?,
            namespace,
            cwd: cwd.unwrap_or_else(|| template.folder.clone()),
            template,
            env: spec.facts.env,
            command,
            size: spec.facts.size,
            workspace: spec.workspace.map(|it| PlannedWorkspace { id: it.id, host: it.host }),
            agent,
        })
    }

    /// Plans the pod of an agent, which the session's command starts.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(in crate::driver) async fn plan_agent(
        &self,
        spec: SessionSpec,
    ) -> Result<PodPlan, DriverError> {
        self.plan(spec).await
    }

    /// Creates the pod of an agent. What it reports goes to `reporter`.
    ///
    /// # Errors
    /// [`DriverError`]; then nothing was created.
    pub(in crate::driver) async fn begin_agent(
        &self,
        plan: PodPlan,
        remote: Option<Arc<dyn WorkspaceRemote>>,
        reporter: PodReporter,
    ) -> Result<PodAgent, DriverError> {
        self.create(&plan).await?;
        let machine = PodMachine::new(&plan, monotonic());
        let position = PodPosition { input: 0, output: 0 };
        let count = PodCount::new(self.counts.clone(), true);
        Ok(self.run_agent(plan, machine, position, (PodFiles::new(remote), count), reporter))
    }

    /// Continues with the agent that an earlier host has left behind at `position`; or, if it is
    /// `None`, with one that does not run.
    pub(in crate::driver) fn restore_agent(
        &self,
        plan: PodPlan,
        position: Option<PodPosition>,
        remote: Option<Arc<dyn WorkspaceRemote>>,
        reporter: PodReporter,
    ) -> PodAgent {
        let machine = match position {
            Some(_) => PodMachine::restored(&plan, monotonic()),
            None => PodMachine::resting(&plan, monotonic()),
        };
        let position = position.unwrap_or(PodPosition { input: 0, output: 0 });
        let count = PodCount::new(self.counts.clone(), false);
        self.run_agent(plan, machine, position, (PodFiles::new(remote), count), reporter)
    }

    fn run_agent(
        &self,
        plan: PodPlan,
        machine: PodMachine,
        PodPosition { input, output }: PodPosition,
        (files, count): (PodFiles, PodCount),
        reporter: PodReporter,
    ) -> PodAgent {
        let requests = Arc::new(PodRequests::starting_at(plan.size, input));
        let (sender, items) = mpsc::channel(1);
        let services = (self.clusters.clone(), self.supervisors.clone());
        let ends = (Arc::clone(&requests), files, count);
        let session = PodSession::new(plan, machine, services, ends, (sender, Some(reporter)));
        tokio::spawn(session.reading_from(output).run());
        PodAgent::new(requests, items)
    }

    async fn create(&self, plan: &PodPlan) -> Result<(), ClusterError> {
        let create = async { self.clusters.get().await?.create(plan).await };
        let created = create.await;
        self.clusters.note(created).map(drop)
    }

    fn run(
        &self,
        plan: PodPlan,
        remote: Option<Arc<dyn WorkspaceRemote>>,
        is_new: bool,
    ) -> StartedSession {
        let now = monotonic();
        let machine =
            if is_new { PodMachine::new(&plan, now) } else { PodMachine::restored(&plan, now) };
        let requests = Arc::new(PodRequests::new(plan.size));
        let (sender, output) = mpsc::channel(1);
        let cwd = plan.cwd.clone();
        let control = PodControl {
            requests: Arc::clone(&requests),
            checkpoint: serde_json::to_vec(&plan).unwrap_or_default(),
        };
        let services = (self.clusters.clone(), self.supervisors.clone());
        let count = PodCount::new(self.counts.clone(), is_new);
        let ends = (requests, PodFiles::new(remote), count);
        let session = PodSession::new(plan, machine, services, ends, (sender, None));
        let session = if is_new { session.reading_from(0) } else { session };
        tokio::spawn(session.run());
        StartedSession {
            output: Box::new(PodTerminal(output)),
            control: Arc::new(control),
            snapshots: SnapshotSource::Emulator,
            cwd,
            pid: None,
            survival: Survival::Reopened,
        }
    }

    /// Returns all that there is in the cluster, as far as it can be asked.
    async fn listed(&self) -> Result<ClusterPods, ClusterError> {
        let cluster = self.clusters.get().await?;
        let templates = self.templates.list();
        let installation = self.templates.installation();
        let named = templates.iter().filter_map(|it| it.namespace.clone());
        let namespaces: BTreeSet<String> = named.chain([cluster.namespace.clone()]).collect();
        let mut listed = ClusterPods {
            context: cluster.context.clone(),
            namespace: cluster.namespace.clone(),
            templates,
            ..ClusterPods::default()
        };
        for namespace in namespaces {
            let found = cluster.list(&namespace, &installation).await;
            match self.clusters.note(found) {
                Ok((pods, claims)) => {
                    listed.pods.extend(pods);
                    listed.claims.extend(claims);
                }
                Err(error) => listed.problem = Some(error.to_string()),
            }
        }
        Ok(listed)
    }

    async fn answer(&self, question: PodsQuestion) -> Result<ClusterPods, HostFailure> {
        let templates = Arc::clone(&self.templates);
        let changed = match question {
            PodsQuestion::List => Ok(Ok(())),
            PodsQuestion::Save(template) => blocking(move || templates.put(*template)).await,
            PodsQuestion::Remove(name) => blocking(move || templates.remove(&name)).await,
            PodsQuestion::DeleteClaim { namespace, name } => {
                let cluster = self.clusters.get().await?;
                let ours = cluster.list(&namespace, &templates.installation()).await?.1;
                if !ours.iter().any(|claim| claim.name == name) {
                    return Err(ClusterError::NotFound(name).into());
                }
                Ok(Ok(cluster.delete_claim(&namespace, &name).await?))
            }
        };
        changed.map_err(|error| HostFailure::new(error.code(), error.to_string()))??;
        self.listed().await.map(ClusterPods::cleaned).or_else(|error| {
            let templates = self.templates.list();
            let problem = Some(error.to_string());
            Ok(ClusterPods { templates, problem, ..ClusterPods::default() })
        })
    }
}

impl Driver for KubernetesDriver {
    fn name(&self) -> &'static str {
        KUBERNETES_DRIVER
    }

    fn missing(&self) -> Option<String> {
        self.clusters.missing()
    }

    fn has_folders(&self, _: &Facts) -> bool {
        true
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async {
            let remote = spec.workspace.as_ref().map(|it| Arc::clone(&it.remote));
            let plan = self.plan(spec).await?;
            self.create(&plan).await?;
            Ok(self.run(plan, remote, true))
        })
    }

    fn restore(
        &self,
        spec: SessionSpec,
        checkpoint: StoredCheckpoint,
    ) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            let plan: PodPlan = serde_json::from_slice(&checkpoint.state)
                .map_err(|error| DriverError::Internal(error.into()))?;
            Ok(self.run(plan, spec.workspace.map(|it| it.remote), false))
        })
    }

    fn forget(&self, session: &SessionId) -> BoxFuture<'static, ()> {
        let (clusters, templates) = (self.clusters.clone(), Arc::clone(&self.templates));
        let (session, name) = (session.clone(), pod_name(session));
        Box::pin(async move {
            // Most hosts have no cluster, and most sessions no pod.
            if clusters.missing().is_some() {
                return;
            }
            let forget = async {
                let cluster = clusters.get().await?;
                let installation = templates.installation();
                let named = templates.list().into_iter().filter_map(|it| it.namespace);
                let namespaces: BTreeSet<_> = named.chain([cluster.namespace.clone()]).collect();
                for namespace in namespaces {
                    let (_, claims) = cluster.list(&namespace, &installation).await?;
                    if claims.iter().any(|claim| claim.name == name) {
                        cluster.delete_claim(&namespace, &name).await?;
                    }
                }
                Ok::<_, ClusterError>(())
            };
            if let Err(error) = forget.await {
                tracing::warn!(%session, %error, "its volume stays in the cluster");
            }
        })
    }

    fn pods(&self, question: PodsQuestion) -> BoxFuture<'_, Option<PodsAnswer>> {
        Box::pin(async {
            Some(match self.answer(question).await {
                Ok(listed) => PodsAnswer::Listed(Box::new(listed)),
                Err(failure) => failure.into(),
            })
        })
    }

    fn pod_metrics(&self) -> Option<watch::Receiver<PodMetrics>> {
        Some(self.counts.subscribe())
    }

    fn sweep<'a>(&'a self, known: &'a BTreeSet<SessionId>) -> BoxFuture<'a, ()> {
        Box::pin(async {
            if self.clusters.missing().is_some() {
                return;
            }
            let listed = match self.listed().await {
                Ok(listed) => listed,
                Err(error) => return tracing::debug!(%error, "orphans stay in the cluster"),
            };
            let Ok(cluster) = self.clusters.get().await else { return };
            for pod in listed.pods {
                if pod.session_id.as_ref().is_some_and(|session| known.contains(session)) {
                    continue;
                }
                tracing::info!(pod = pod.name, "an orphan is deleted");
                if let Err(error) = cluster.delete_pod(&pod.namespace, &pod.name).await {
                    tracing::warn!(pod = pod.name, %error, "an orphan stays in the cluster");
                }
            }
        })
    }
}

/// The output of a session in a pod.
#[derive(Debug)]
struct PodTerminal(mpsc::Receiver<PodItem>);

impl OutputSource for PodTerminal {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(async {
            loop {
                match self.0.recv().await {
                    Some(PodItem::Program { buffer, .. }) => return DriverOutput::Bytes(buffer),
                    Some(PodItem::Terminal(output)) => return output,
                    // Only agents have these.
                    Some(PodItem::Errors(_) | PodItem::Gone { .. }) => {}
                    Some(PodItem::Over(status)) => return DriverOutput::End(status),
                    // The task only ends without an end if the runtime does.
                    None => return DriverOutput::End(Default::default()),
                }
            }
        })
    }
}

/// The input, size and end of a session in a pod.
#[derive(Debug)]
struct PodControl {
    requests: Arc<PodRequests>,
    checkpoint: Vec<u8>,
}

impl SessionControl for PodControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        Ok(self.requests.write(input))
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.requests.writable())
    }

    fn resize(&self, size: Size) -> io::Result<()> {
        self.requests.resize(size);
        Ok(())
    }

    fn checkpoint(&self, _: &BTreeSet<String>) -> DriverCheckpoint {
        DriverCheckpoint { state: self.checkpoint.clone().into(), ..DriverCheckpoint::default() }
    }

    fn close(&self) {
        self.requests.close();
    }

    fn let_go(&self) {
        self.requests.leave();
    }
}
