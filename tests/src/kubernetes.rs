//! A test's stand-in for a Kubernetes cluster: a fake API server, and a fake node whose containers
//! are processes of this machine.
//!
//! It speaks as much of the real protocol as `kubectl` and the `kube` crate need for pods, claims,
//! events and `exec`: lists and watches with versions, patches, `Status` objects with the sentences
//! of a real server, and WebSockets with `v4.channel.k8s.io` and `v5.channel.k8s.io`. A test says
//! what goes wrong: [`PodScript`] for pods that are created, [`FakePods`] for those that are there,
//! [`FakeExecs`] for the connections of commands, [`FakeCluster`] for the rest.
//!
//! # Containers
//! A container is its `command` and `args` with its `env`, in a process group of its own; besides,
//! the environment has `PATH`, `HOSTNAME` and a variable by which the fake finds all processes of a
//! pod again. Images are never read. Nothing is isolated: instead of a mount at its `mountPath`,
//! each volume is a folder of this machine, and the path is replaced by that of the folder wherever
//! it stands as a whole path in the command, the arguments, the variables, the working folder, and
//! in the commands of execs. A claim's folder is kept until the claim is removed; all others go with
//! their pod. Without a command a container waits for its end.
//!
//! When the main process of a container ends, so do all processes that were started in it, as those
//! of a real one. A command whose connection is lost gets the end of its input and goes on.

mod access;
mod admission;
mod changes;
mod claims;
mod discovery;
mod exec;
mod exec_faults;
mod handles;
mod json;
mod kubelet;
mod line;
mod logs;
mod objects;
mod patch;
mod pod_status;
mod process;
mod query;
mod resource;
mod routes;
mod runtime;
mod script;
mod selector;
mod server;
mod state;
mod status;
mod store;
mod table;
mod target;
mod volumes;
mod watching;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;

pub use self::handles::{FakeClaims, FakeExecs, FakePods};
pub use self::script::{INSUFFICIENT_CPU, PodScript};
use self::server::ApiServer;
use self::state::{ClusterState, SharedState};

/// The namespace of the kubeconfig, and of all handles.
pub const NAMESPACE: &str = "default";

/// A fake cluster. Dropping it ends its server and all processes of its pods.
pub struct FakeCluster {
    state: SharedState,
    server: ApiServer,
    kubeconfig: PathBuf,
    /// Has the volumes and the kubeconfig.
    _folder: TempDir,
}

/// How a fake cluster is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FakeClusterOptions {
    /// Serves HTTPS, with a certificate that the kubeconfig names.
    pub tls: bool,
    /// Behaves as a cluster of 1.20: commands by `v4.channel.k8s.io` only, and errors of the node
    /// before the upgrade to a WebSocket instead of after it.
    pub legacy: bool,
}

impl FakeCluster {
    /// Starts a cluster that serves HTTP.
    ///
    /// # Errors
    /// If there is no port or no folder.
    pub async fn start() -> Result<Self> {
        Self::start_with(FakeClusterOptions::default()).await
    }

    /// Starts a cluster.
    ///
    /// # Errors
    /// As [`FakeCluster::start`].
    pub async fn start_with(options: FakeClusterOptions) -> Result<Self> {
        let folder = TempDir::with_prefix("fake-cluster-")?;
        let volumes = folder.path().join("v");
        let state = Arc::new(ClusterState::new(volumes, options.legacy));
        let server = ApiServer::start(routes::router(Arc::clone(&state)), options.tls).await?;
        let kubeconfig = folder.path().join("kubeconfig");
        let content = kubeconfig_of(&server, state.access.token());
        std::fs::write(&kubeconfig, content)?;
        Ok(Self { state, server, kubeconfig, _folder: folder })
    }

    /// The path of a kubeconfig for this cluster, with a token.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The address of the API server.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The token that the server accepts.
    #[must_use]
    pub fn token(&self) -> &str {
        self.state.access.token()
    }

    /// The certificate of the server as PEM; empty if it serves HTTP.
    #[must_use]
    pub fn certificate(&self) -> &str {
        self.server.certificate()
    }

    /// The pods of the namespace.
    #[must_use]
    pub fn pods(&self) -> FakePods<'_> {
        FakePods::new(&self.state)
    }

    /// The claims of the namespace.
    #[must_use]
    pub fn claims(&self) -> FakeClaims<'_> {
        FakeClaims::new(&self.state)
    }

    /// The commands that run by `exec`.
    #[must_use]
    pub fn execs(&self) -> FakeExecs<'_> {
        FakeExecs::new(&self.state)
    }

    /// Sets what happens to the next pod that is created, after those for which this was called
    /// before.
    pub fn script_next(&self, script: PodScript) {
        self.state.scripts.set_next(script);
    }

    /// Sets what happens to all pods that are created and that have no script of their own.
    pub fn script_all(&self, script: PodScript) {
        self.state.scripts.set_usual(script);
    }

    /// Accepts the token no more, or accepts it again.
    pub fn set_unauthorized(&self, unauthorized: bool) {
        self.state.access.set_unauthorized(unauthorized);
    }

    /// Forbids a verb on a resource, such as `create` on `pods/exec`.
    pub fn forbid(&self, verb: &str, resource: &str) {
        self.state.access.forbid(verb, resource);
    }

    /// Allows what was forbidden.
    pub fn allow(&self, verb: &str, resource: &str) {
        self.state.access.allow(verb, resource);
    }

    /// Ends the API server: all connections are cut, and others are refused. Pods go on.
    pub async fn go_away(&mut self) {
        self.server.go_away().await;
    }

    /// Starts the API server again, on the same port.
    ///
    /// # Errors
    /// If the port was taken meanwhile.
    pub async fn come_back(&mut self) -> Result<()> {
        self.server.come_back().await
    }

    /// Forgets all changes so far: watches end with 410, and those from a version so far fail.
    pub fn expire_watches(&self) {
        self.state.store.forget();
    }

    /// Loses the node: its pods are no longer ready and end no more, commands are cut and refused,
    /// and new pods find no place. Processes go on.
    pub fn lose_node(&self) {
        self.state.node_lost.send_replace(true);
        self.state.execs.cut();
        self.pods().mark_lost();
    }

    /// Brings the node back, with all that happened on it meanwhile.
    pub fn return_node(&self) {
        self.pods().mark_returned();
        self.state.node_lost.send_replace(false);
    }

    /// Removes the storage class, so that no claim is bound.
    pub fn remove_storage_class(&self) {
        let key = store::ObjectKey::new(&resource::STORAGE_CLASSES, "", state::STORAGE_CLASS);
        self.state.store.remove_if(&key, |_| true);
    }
}

impl Drop for FakeCluster {
    fn drop(&mut self) {
        self.state.runtimes.abort();
        process::kill_all(&self.state.id, &[]);
    }
}

/// A kubeconfig: JSON, which is YAML too.
fn kubeconfig_of(server: &ApiServer, token: &str) -> String {
    use base64::Engine as _;
    let mut cluster = json!({ "server": server.url() });
    if !server.certificate().is_empty() {
        let certificate = base64::engine::general_purpose::STANDARD.encode(server.certificate());
        cluster["certificate-authority-data"] = certificate.into();
    }
    let context = json!({ "cluster": "fake", "user": "test", "namespace": NAMESPACE });
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "fake", "cluster": cluster }],
        "users": [{ "name": "test", "user": { "token": token } }],
        "contexts": [{ "name": "fake", "context": context }],
        "current-context": "fake",
    })
    .to_string()
}
