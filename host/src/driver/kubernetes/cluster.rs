//! Requests to the cluster.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::watcher::{self, watch_object};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, ResourceExt as _};
use moorline_shared::pod::ListedPod;

use super::error::ClusterError;
use super::machine::CreatedPod;
use super::manifest::{INSTALLATION, PodPlan, selector};
use super::names::session_of;
use super::view::{PodNews, PodView};

/// Time allowed to connect to the API server.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Seconds that a pod's program has to end.
const GRACE_SECONDS: u32 = 3;

/// The cluster of a host. The configuration is read when the first request needs it, and again after
/// the cluster has refused the credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct Clusters {
    /// The context of the kubeconfig; its current one if it is not given.
    context: Option<String>,
    connected: Arc<Mutex<Option<Arc<Cluster>>>>,
}

/// A connection to the API server.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The context of the kubeconfig; `in-cluster` within a pod.
    pub(super) context: String,
    /// The namespace of pods whose template names none.
    pub(super) namespace: String,
}

impl Clusters {
    pub(super) fn new(context: Option<String>) -> Self {
        Self { context, ..Self::default() }
    }

    /// Returns the connection to the cluster.
    ///
    /// # Errors
    /// [`ClusterError::Config`] if none is configured.
    pub(super) async fn get(&self) -> Result<Arc<Cluster>, ClusterError> {
        if let Some(cluster) = &*self.lock() {
            return Ok(Arc::clone(cluster));
        }
        let cluster = Arc::new(Cluster::connect(self.context.clone()).await?);
        *self.lock() = Some(Arc::clone(&cluster));
        Ok(cluster)
    }

    /// Notes how a request has ended: one whose credentials were refused makes the next read the
    /// configuration again.
    pub(super) fn note<T>(&self, result: Result<T, ClusterError>) -> Result<T, ClusterError> {
        if let Err(ClusterError::Unauthorized(_)) = &result {
            *self.lock() = None;
        }
        result
    }

    /// Returns the reason why no cluster is configured. Reads files only.
    pub(super) fn missing(&self) -> Option<String> {
        let in_cluster = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        match kube::config::Kubeconfig::read() {
            Ok(config) => {
                let context = self.context.as_ref().or(config.current_context.as_ref());
                let is_known = |name: &String| config.contexts.iter().any(|it| &it.name == name);
                match context {
                    Some(name) if is_known(name) => None,
                    Some(name) => Some(format!("the kubeconfig has no context {name}")),
                    None if in_cluster => None,
                    None => Some(
                        "the kubeconfig has no current context: choose one with `kubectl \
                                  config use-context`"
                            .to_owned(),
                    ),
                }
            }
            Err(_) if in_cluster => None,
            Err(error) => Some(format!(
                "no Kubernetes cluster is configured: set KUBECONFIG, or log in to a cluster with \
                 its own tool ({error})"
            )),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Cluster>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster {
    async fn connect(context: Option<String>) -> Result<Self, ClusterError> {
        let options = kube::config::KubeConfigOptions { context, ..Default::default() };
        let kubeconfig = kube::Config::from_kubeconfig(&options).await;
        let (mut config, context) = match kubeconfig {
            Ok(config) => {
                let read = kube::config::Kubeconfig::read().unwrap_or_default();
                (config, options.context.or(read.current_context).unwrap_or_default())
            }
            Err(error) => match kube::Config::incluster() {
                Ok(config) => (config, "in-cluster".to_owned()),
                Err(_) => return Err(ClusterError::Config(error.to_string())),
            },
        };
        config.connect_timeout = Some(CONNECT_LIMIT);
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config)?;
        Ok(Self { client, context, namespace })
    }

    pub(super) fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn claims(&self, namespace: &str) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates a session's volume and pod, unless they exist.
    ///
    /// # Errors
    /// [`ClusterError`]; then nothing was created.
    pub(super) async fn create(&self, plan: &PodPlan) -> Result<CreatedPod, ClusterError> {
        let (owner, is_new) = self.ensure_claim(plan).await?;
        let created = self.create_pod(plan, owner).await;
        if created.is_err() && is_new {
            // Nothing is left behind; what it was refused for is more interesting.
            let _ = self.delete_claim(&plan.namespace, &plan.name()).await;
        }
        created
    }

    async fn create_pod(
        &self,
        plan: &PodPlan,
        owner: Option<String>,
    ) -> Result<CreatedPod, ClusterError> {
        let pod = plan.pod(owner.as_deref()).map_err(invalid)?;
        let pods = self.pods(&plan.namespace);
        let error = match pods.create(&PostParams::default(), &pod).await {
            Ok(_) => return Ok(CreatedPod::Exists),
            Err(error) => ClusterError::from(error),
        };
        if !matches!(error, ClusterError::NameTaken(_)) {
            return Err(error);
        }
        let Some(found) = pods.get_opt(&plan.name()).await? else {
            return Ok(CreatedPod::Deleting);
        };
        if !is_ours(found.labels(), plan) {
            return Err(error);
        }
        let view = PodView::of(&found);
        if view.is_over() && !view.deleting {
            self.delete(plan, false).await?;
        }
        Ok(if view.is_over() { CreatedPod::Deleting } else { CreatedPod::Exists })
    }

    /// Creates a session's volume, unless it exists. Returns its id, and true if it is new.
    async fn ensure_claim(&self, plan: &PodPlan) -> Result<(Option<String>, bool), ClusterError> {
        let Some(claim) = plan.claim() else { return Ok((None, false)) };
        let claims = self.claims(&plan.namespace);
        match claims.create(&PostParams::default(), &claim.map_err(invalid)?).await {
            Ok(created) => Ok((created.uid(), true)),
            Err(error) => match ClusterError::from(error) {
                ClusterError::NameTaken(message) => {
                    let found = claims.get(&plan.name()).await?;
                    if !is_ours(found.labels(), plan) {
                        return Err(ClusterError::NameTaken(message));
                    }
                    Ok((found.uid(), false))
                }
                error => Err(error),
            },
        }
    }

    /// Deletes a session's pod, and its volume if `claim` is true. Returns once the cluster has heard
    /// of it.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(super) async fn delete(&self, plan: &PodPlan, claim: bool) -> Result<(), ClusterError> {
        let name = plan.name();
        self.delete_pod(&plan.namespace, &name).await?;
        if claim && plan.template.storage.is_some() {
            self.delete_claim(&plan.namespace, &name).await?;
        }
        Ok(())
    }

    /// Deletes a pod.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(super) async fn delete_pod(&self, namespace: &str, name: &str) -> Result<(), ClusterError> {
        let params = DeleteParams::default().grace_period(GRACE_SECONDS);
        gone(self.pods(namespace).delete(name, &params).await)
    }

    /// Deletes a volume of a session. Its pod goes with it.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(super) async fn delete_claim(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(), ClusterError> {
        gone(self.claims(namespace).delete(name, &DeleteParams::background()).await)
    }

    /// Returns the pods and the volumes that this installation has in a namespace.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(super) async fn list(
        &self,
        namespace: &str,
        installation: &str,
    ) -> Result<(Vec<ListedPod>, Vec<ListedPod>), ClusterError> {
        let ours = ListParams::default().labels(&selector(installation));
        let listed = |name: String, phase: Option<String>, node| ListedPod {
            session_id: session_of(&name),
            name,
            namespace: namespace.to_owned(),
            phase: phase.unwrap_or_else(|| "Pending".to_owned()),
            node,
        };
        let pods = self.pods(namespace).list(&ours).await?.items.into_iter().map(|pod| {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            let deleting = pod.metadata.deletion_timestamp.is_some();
            let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
            let phase = if deleting { Some("Terminating".to_owned()) } else { phase };
            listed(pod.name_any(), phase, node)
        });
        let pods = pods.collect();
        let claims = self.claims(namespace).list(&ours).await?.items.into_iter().map(|claim| {
            let phase = claim.status.as_ref().and_then(|status| status.phase.clone());
            listed(claim.name_any(), phase, None)
        });
        Ok((pods, claims.collect()))
    }

    /// Watches a session's pod for as long as the stream is read. Requests that fail are repeated.
    pub(super) fn watch(
        &self,
        plan: &PodPlan,
    ) -> impl Stream<Item = Result<Option<PodView>, watcher::Error>> + Send + use<> {
        watch_object(self.pods(&plan.namespace), &plan.name())
            .default_backoff()
            .map(|seen| seen.map(|pod| pod.as_ref().map(PodView::of)))
    }

    /// Watches what the cluster reports about a session's pod and volume.
    pub(super) fn news(&self, plan: &PodPlan) -> impl Stream<Item = PodNews> + Send + use<> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &plan.namespace);
        let of_pod = format!("involvedObject.name={}", plan.name());
        watch(events, watcher::Config::default().fields(&of_pod))
            .default_backoff()
            .applied_objects()
            .filter_map(|seen| async { seen.ok().map(PodNews::of) })
    }
}

fn is_ours(labels: &std::collections::BTreeMap<String, String>, plan: &PodPlan) -> bool {
    labels.get(INSTALLATION) == Some(&plan.installation)
}

/// Takes the end of a deletion: something that does not exist is deleted.
fn gone<T>(deleted: Result<T, kube::Error>) -> Result<(), ClusterError> {
    match deleted.map_err(ClusterError::from) {
        Ok(_) | Err(ClusterError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn invalid(error: serde_json::Error) -> ClusterError {
    ClusterError::Invalid(error.to_string())
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { context, namespace, .. } = self;
        f.debug_struct("Cluster")
            .field("context", context)
            .field("namespace", namespace)
            .finish_non_exhaustive()
    }
}
