//! The fake node: brings pods from `Pending` to their end.

mod containers;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::json::{list, name, namespace, now, text, uid};
use super::pod_status::{
    change_container, is_over, set_all_waiting, set_condition, set_phase, set_ready,
    set_uninitialized, terminated, waiting,
};
use super::process::{kill_all, terminate};
use super::resource::{CLAIMS, PODS};
use super::runtime::{PodOrders, PodRuntime, PodStop};
use super::script::PodScript;
use super::state::{About, NODE, SharedState};
use super::store::ObjectKey;

/// The kubelet's sentence about a node without memory.
const EVICTED: &str =
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52Mi. ";
/// The scheduler's sentence about a node that does not answer.
const NODE_UNREACHABLE: &str = "0/1 nodes are available: 1 node(s) had untolerated taint \
                                {node.kubernetes.io/unreachable: }. preemption: 0/1 nodes are available: \
                                1 Preemption is not helpful for scheduling.";
/// The scheduler's sentence about a claim that waits for a volume.
const UNBOUND_CLAIM: &str = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. \
                             preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

/// One pod on its way.
struct PodLife {
    state: SharedState,
    runtime: Arc<PodRuntime>,
    key: ObjectKey,
    uid: String,
    script: PodScript,
    orders: watch::Receiver<PodOrders>,
}

/// Runs a pod that has just been created.
pub(super) fn run(state: &SharedState, pod: &Value, script: PodScript) {
    let runtime = state.runtimes.add(uid(pod));
    let life = PodLife {
        state: Arc::clone(state),
        orders: runtime.orders(),
        runtime: Arc::clone(&runtime),
        key: ObjectKey::new(&PODS, namespace(pod), name(pod)),
        uid: uid(pod).to_owned(),
        script,
    };
    runtime.set_task(tokio::spawn(life.run()).abort_handle());
}

/// Removes a pod from the cluster, once nothing of it is left or nobody waits for that.
pub(super) fn remove(state: &SharedState, key: &ObjectKey, pod_uid: &str) -> Option<Arc<Value>> {
    let removed = state.store.remove_if(key, |pod| uid(pod) == pod_uid);
    super::claims::release(state);
    removed
}

impl PodLife {
    async fn run(mut self) {
        let stop = match self.live().await {
            Ok(()) => self.stop().await,
            Err(stop) => stop,
        };
        self.end(stop).await;
        let deleted = match stop {
            PodStop::Deleted(_) => true,
            // Its object stays until someone deletes it.
            PodStop::Evicted => {
                self.orders.wait_for(|orders| orders.deleted.is_some()).await.is_ok()
            }
        };
        if deleted {
            remove(&self.state, &self.key, &self.uid);
            self.state.runtimes.remove(&self.uid);
            self.state.volumes.remove_pod(&self.uid);
        }
    }

    async fn live(&mut self) -> Result<(), PodStop> {
        self.schedule().await?;
        self.pull().await?;
        self.run_containers().await
    }

    /// Waits for a node, and for the volumes of the pod's claims.
    async fn schedule(&mut self) -> Result<(), PodStop> {
        if let PodScript::Unschedulable(why) = &self.script {
            let why = why.clone();
            self.refuse_to_schedule(&why);
            self.released().await?;
        }
        let mut changes = self.state.store.subscribe();
        let mut node_lost = self.state.node_lost.subscribe();
        let mut refused = String::new();
        while let Some(why) = self.missing() {
            if why != refused {
                self.refuse_to_schedule(&why);
                refused = why;
            }
            let mut orders = self.orders.clone();
            tokio::select! {
                _ = changes.changed() => {}
                _ = node_lost.changed() => {}
                stop = stopped(&mut orders) => return Err(stop),
            }
        }
        if let Some(stop) = self.orders.borrow().stop() {
            return Err(stop);
        }
        self.change(|pod| {
            pod["spec"]["nodeName"] = NODE.into();
            set_condition(pod, "PodScheduled", "True", "", "");
            set_uninitialized(pod);
            pod["status"]["hostIP"] = "10.0.0.2".into();
            pod["status"]["startTime"] = now().into();
            set_all_waiting(pod);
            set_ready(pod);
        });
        let message =
            format!("Successfully assigned {}/{} to {NODE}", self.key.namespace, self.key.name);
        self.tell(None, "default-scheduler", "Normal", "Scheduled", &message);
        Ok(())
    }

    fn refuse_to_schedule(&self, why: &str) {
        self.change(|pod| set_condition(pod, "PodScheduled", "False", "Unschedulable", why));
        self.tell(None, "default-scheduler", "Warning", "FailedScheduling", why);
    }

    /// What the pod still needs from the cluster.
    fn missing(&self) -> Option<String> {
        if *self.state.node_lost.borrow() {
            return Some(NODE_UNREACHABLE.to_owned());
        }
        let pod = self.pod()?;
        for volume in list(&pod["spec"]["volumes"]) {
            let claim = text(&volume["persistentVolumeClaim"]["claimName"]);
            if claim.is_empty() {
                continue;
            }
            match self.state.store.get(&ObjectKey::new(&CLAIMS, &self.key.namespace, claim)) {
                None => {
                    return Some(format!(
                        "0/1 nodes are available: persistentvolumeclaim \"{claim}\" not found. \
                         preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
                    ));
                }
                Some(claim) if claim["status"]["phase"] != "Bound" => {
                    return Some(UNBOUND_CLAIM.to_owned());
                }
                Some(_) => {}
            }
        }
        None
    }

    /// Pretends to pull the images.
    async fn pull(&mut self) -> Result<(), PodStop> {
        let Some(pod) = self.pod() else { return Err(self.stop().await) };
        let containers = list(&pod["spec"]["initContainers"]).iter();
        for container in containers.chain(list(&pod["spec"]["containers"])) {
            let (name, image) = (text(&container["name"]), text(&container["image"]));
            let message = format!("Pulling image \"{image}\"");
            self.tell(Some(name), "kubelet", "Normal", "Pulling", &message);
            if self.script == PodScript::ImagePullBackOff {
                self.fail_to_pull(name, image);
                self.released().await?;
                self.script = PodScript::Run;
            }
            let message = format!("Successfully pulled image \"{image}\" in 1ms");
            self.tell(Some(name), "kubelet", "Normal", "Pulled", &message);
        }
        Ok(())
    }

    fn fail_to_pull(&self, name: &str, image: &str) {
        let reference = format!("docker.io/library/{image}");
        let why = format!(
            "rpc error: code = NotFound desc = failed to pull and unpack \
             image \"{reference}\": failed to resolve reference \"{reference}\": {reference}: not found"
        );
        let back_off = format!("Back-off pulling image \"{image}\"");
        for (reason, message) in [("ErrImagePull", &why), ("ImagePullBackOff", &back_off)] {
            self.change(|pod| {
                change_container(pod, name, |status| status["state"] = waiting(reason, message));
            });
            if reason == "ErrImagePull" {
                let message = format!("Failed to pull image \"{image}\": {message}");
                self.tell(Some(name), "kubelet", "Warning", "Failed", &message);
            } else {
                self.tell(Some(name), "kubelet", "Normal", "BackOff", message);
            }
            self.tell(Some(name), "kubelet", "Warning", "Failed", &format!("Error: {reason}"));
        }
    }

    /// Ends what is left of the pod, and says so in its status.
    async fn end(&self, stop: PodStop) {
        self.node_answers().await;
        if stop == PodStop::Evicted {
            let container = self.pod().map_or_else(String::new, |pod| {
                text(&pod["spec"]["containers"][0]["name"]).to_owned()
            });
            let message = format!(
                "{EVICTED}Container {container} was using 612Mi, request is 512Mi, has larger consumption \
                 of memory. "
            );
            self.tell(None, "kubelet", "Warning", "Evicted", &message);
            self.kill(Duration::ZERO).await;
            self.change(|pod| {
                set_phase(pod, "Failed", "Evicted", &message);
                end_containers(pod, 137, "Error");
                set_ready(pod);
            });
        } else {
            let is_over = self.pod().is_some_and(|pod| is_over(&pod));
            self.kill(self.grace()).await;
            if !is_over {
                self.change(|pod| {
                    end_containers(pod, 137, "Error");
                    set_ready(pod);
                });
            }
        }
    }

    /// Asks the containers to end, and kills all processes of the pod when they have or when the time
    /// is over. A shorter time that is asked for meanwhile counts.
    async fn kill(&self, grace: Duration) {
        let pids = self.runtime.pids();
        if !pids.is_empty() {
            self.tell(None, "kubelet", "Normal", "Killing", "Stopping container");
        }
        if !grace.is_zero() {
            pids.iter().for_each(|pid| terminate(*pid));
            let mut orders = self.orders.clone();
            let shortened = orders.wait_for(|orders| orders.deleted.is_some_and(|now| now < grace));
            tokio::select! {
                () = containers_ended(&pids) => {}
                () = tokio::time::sleep(grace) => {}
                _ = shortened => {}
            }
        }
        let (cluster, uid) = (self.state.id.clone(), self.uid.clone());
        // Reading all of /proc takes a moment.
        _ = tokio::task::spawn_blocking(move || kill_all(&cluster, &[&uid])).await;
    }

    fn grace(&self) -> Duration {
        self.orders.borrow().deleted.unwrap_or_default()
    }

    /// Waits for the order to end.
    async fn stop(&self) -> PodStop {
        stopped(&mut self.orders.clone()).await
    }

    /// Waits until the pod's script lets it go on.
    async fn released(&self) -> Result<(), PodStop> {
        let mut orders = self.orders.clone();
        let told = orders.wait_for(|orders| orders.released || orders.stop().is_some()).await;
        match told.map(|orders| orders.stop()) {
            Ok(None) => Ok(()),
            Ok(Some(stop)) => Err(stop),
            Err(_) => Err(PodStop::Deleted(Duration::ZERO)),
        }
    }

    /// Waits until the node answers: a node that is lost reports nothing.
    async fn node_answers(&self) {
        // The sender lives as long as the state.
        _ = self.state.node_lost.subscribe().wait_for(|lost| !lost).await;
    }

    fn pod(&self) -> Option<Arc<Value>> {
        self.state.store.get(&self.key).filter(|pod| uid(pod) == self.uid)
    }

    /// Changes the pod, if it is still there.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let update = self.state.store.update(&self.key, |pod| {
            if uid(pod) == self.uid {
                change(pod);
            }
            Ok::<_, std::convert::Infallible>(())
        });
        match update {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }

    fn tell(
        &self,
        container: Option<&str>,
        component: &str,
        kind: &str,
        reason: &str,
        message: &str,
    ) {
        if let Some(pod) = self.pod() {
            let about = About { object: &pod, container, component };
            self.state.tell(&about, kind, reason, message);
        }
    }
}

async fn stopped(orders: &mut watch::Receiver<PodOrders>) -> PodStop {
    let told = orders.wait_for(|orders| orders.stop().is_some()).await;
    // The sender is gone only when the pod is.
    told.ok().and_then(|orders| orders.stop()).unwrap_or(PodStop::Deleted(Duration::ZERO))
}

/// Waits until the main processes are gone.
async fn containers_ended(pids: &[u32]) {
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    let runs = |pid: &u32| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The state is after the name, which is in parentheses and may have any character.
        state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    while pids.iter().any(runs) {
        interval.tick().await;
    }
}

/// Marks the containers that still run, or have never run, as ended.
fn end_containers(pod: &mut Value, exit_code: i32, reason: &str) {
    for statuses in ["initContainerStatuses", "containerStatuses"] {
        let Some(statuses) = pod["status"][statuses].as_array_mut() else { continue };
        for status in statuses {
            if status["state"]["terminated"].is_null() {
                status["state"] = terminated(status, exit_code, reason, "");
            }
            status["ready"] = json!(false);
            status["started"] = json!(false);
        }
    }
}
