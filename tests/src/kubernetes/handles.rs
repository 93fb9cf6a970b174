//! What a test sees of a fake cluster and does to it, beside the API.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::NAMESPACE;
use super::changes::{self, DeleteOptions};
use super::json::{name, text, uid};
use super::pod_status::{set_condition, set_phase, set_ready};
use super::process::kill_all;
use super::resource::{CLAIMS, EVENTS, PODS, ResourcePath, ResourceType};
use super::runtime::PodRuntime;
use super::state::SharedState;
use super::store::ObjectKey;
use crate::wait::wait_for;

/// The pods of a fake cluster.
#[derive(Debug, Clone, Copy)]
pub struct FakePods<'a> {
    state: &'a SharedState,
}

/// The claims of a fake cluster.
#[derive(Debug, Clone, Copy)]
pub struct FakeClaims<'a> {
    state: &'a SharedState,
}

/// The commands that run by `exec` in a fake cluster.
#[derive(Debug, Clone, Copy)]
pub struct FakeExecs<'a> {
    state: &'a SharedState,
}

impl<'a> FakePods<'a> {
    pub(super) const fn new(state: &'a SharedState) -> Self {
        Self { state }
    }

    /// The names of all pods.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        names(self.state, &PODS)
    }

    /// A pod as the API has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        get(self.state, &PODS, name)
    }

    /// The phase of a pod; empty if it does not exist.
    #[must_use]
    pub fn phase(&self, name: &str) -> String {
        self.get(name).map_or_else(String::new, |pod| text(&pod["status"]["phase"]).to_owned())
    }

    /// Whether a pod is ready.
    #[must_use]
    pub fn is_ready(&self, name: &str) -> bool {
        let ready = json!("True");
        let pod = self.get(name).unwrap_or_default();
        let mut conditions = super::json::list(&pod["status"]["conditions"]).iter();
        conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == ready)
    }

    /// Waits until a pod is ready.
    ///
    /// # Errors
    /// If it is not in time.
    pub async fn wait_ready(&self, name: &str) -> Result<Value> {
        let ready = async || self.get(name).filter(|_| self.is_ready(name));
        wait_for(&format!("the pod {name} to be ready"), ready).await
    }

    /// The reasons of all events about a pod, in their order.
    #[must_use]
    pub fn events(&self, pod: &str) -> Vec<String> {
        let mut events = self.state.store.list(&EVENTS, NAMESPACE).0;
        events.retain(|event| event["involvedObject"]["name"] == pod);
        events.sort_by_key(|event| text(&event["metadata"]["resourceVersion"]).parse::<u64>().ok());
        events.iter().map(|event| text(&event["reason"]).to_owned()).collect()
    }

    /// Lets a pod go on that its script holds back.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn release(&self, name: &str) -> Result<()> {
        self.runtime(name)?.order(|orders| orders.released = true);
        Ok(())
    }

    /// Deletes a pod, as somebody else does it.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn delete(&self, name: &str) -> Result<()> {
        delete(self.state, &PODS, name)
    }

    /// Ends a pod for want of memory on the node.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn evict(&self, name: &str) -> Result<()> {
        self.runtime(name)?.order(|orders| orders.evicted = true);
        Ok(())
    }

    /// Kills all processes of a pod, as the kernel does that of a container at its limit of memory.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn kill_for_memory(&self, name: &str) -> Result<()> {
        let pod = self.get(name).context("the pod does not exist")?;
        self.runtime(name)?.order(|orders| orders.out_of_memory = true);
        kill_all(&self.state.id, &[uid(&pod)]);
        Ok(())
    }

    /// Adds a pod of somebody else, which never runs here, so that its name is taken.
    pub fn occupy(&self, name: &str) {
        let pod = json!({
            "metadata": { "labels": { "app": "somebody-else" } },
            "spec": { "nodeName": "other", "containers": [{ "name": "main", "image": "other:1" }] },
            "status": { "phase": "Running" },
        });
        self.state.put(&PODS, NAMESPACE, name, pod);
    }

    pub(super) fn mark_lost(&self) {
        for name in self.names() {
            self.change(&name, |pod| {
                let message = format!(
                    "Node fake-node which was running pod {} is unresponsive",
                    super::json::name(pod)
                );
                let phase = text(&pod["status"]["phase"]).to_owned();
                set_phase(pod, &phase, "NodeLost", &message);
                for kind in ["Ready", "ContainersReady"] {
                    set_condition(
                        pod,
                        kind,
                        "Unknown",
                        "NodeStatusUnknown",
                        "Kubelet stopped posting node status.",
                    );
                }
            });
        }
    }

    pub(super) fn mark_returned(&self) {
        for name in self.names() {
            self.change(&name, |pod| {
                for field in ["reason", "message"] {
                    if let Some(status) = pod["status"].as_object_mut()
                        && status.get("reason").is_none_or(|reason| reason == "NodeLost")
                    {
                        status.remove(field);
                    }
                }
                set_ready(pod);
            });
        }
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let key = ObjectKey::new(&PODS, NAMESPACE, name);
        let on_node = |pod: &mut Value| {
            if pod["spec"]["nodeName"] == super::state::NODE {
                change(pod);
            }
            Ok::<_, std::convert::Infallible>(())
        };
        match self.state.store.update(&key, on_node) {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }

    fn runtime(&self, name: &str) -> Result<Arc<PodRuntime>> {
        let pod = self.get(name).with_context(|| format!("the pod {name} does not exist"))?;
        self.state.runtimes.get(uid(&pod)).context("the pod is not one of this node")
    }
}

impl<'a> FakeClaims<'a> {
    pub(super) const fn new(state: &'a SharedState) -> Self {
        Self { state }
    }

    /// The names of all claims.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        names(self.state, &CLAIMS)
    }

    /// A claim as the API has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        get(self.state, &CLAIMS, name)
    }

    /// The folder of a claim's files. It exists once a pod has used the claim.
    #[must_use]
    pub fn folder(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|claim| self.state.volumes.of_claim(uid(&claim)))
    }

    /// Deletes a claim, as somebody else does it.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn delete(&self, name: &str) -> Result<()> {
        delete(self.state, &CLAIMS, name)
    }
}

impl<'a> FakeExecs<'a> {
    pub(super) const fn new(state: &'a SharedState) -> Self {
        Self { state }
    }

    /// How many were opened since the start.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.state.execs.opened()
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.execs.count()
    }

    /// Cuts the connections of all that are open.
    pub fn cut(&self) {
        self.state.execs.cut();
    }

    /// Cuts each that is opened from now on after so many bytes of its WebSocket, frames included, to
    /// the pod or to the client. `None` for no limit.
    pub fn cut_each_after(&self, to_pod: Option<u64>, to_client: Option<u64>) {
        self.state.execs.limit(to_pod, to_client);
    }

    /// Delivers nothing in either direction, and keeps the connections open, until told otherwise.
    pub fn stall(&self, stalled: bool) {
        self.state.execs.stall(stalled);
    }

    /// Ends all that are open with exit code 0 although their commands go on, as some proxies do.
    pub fn end_falsely(&self) {
        self.state.execs.end_falsely();
    }
}

fn names(state: &SharedState, resource: &ResourceType) -> Vec<String> {
    let objects = state.store.list(resource, NAMESPACE).0;
    objects.iter().map(|object| name(object).to_owned()).collect()
}

fn get(state: &SharedState, resource: &ResourceType, name: &str) -> Option<Value> {
    let object = state.store.get(&ObjectKey::new(resource, NAMESPACE, name));
    object.map(|object| Value::clone(&object))
}

fn delete(state: &SharedState, resource: &'static ResourceType, name: &str) -> Result<()> {
    let path = ResourcePath {
        resource,
        namespace: NAMESPACE.to_owned(),
        name: name.to_owned(),
        part: String::new(),
    };
    let deleted = changes::delete(state, &path, &DeleteOptions::default());
    deleted.map(|_| ()).map_err(|error| anyhow::anyhow!("{}", error.status()["message"]))
}
