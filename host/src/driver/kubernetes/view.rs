//! What matters of a pod's state in the cluster.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};

/// The state of a pod, as the cluster tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PodView {
    pub(super) uid: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub(super) phase: String,
    /// True if it is being deleted.
    pub(super) deleting: bool,
    pub(super) node: Option<String>,
    /// True if its container runs.
    pub(super) running: bool,
    /// The reason why it does not run yet, or no more.
    pub(super) trouble: Option<PodTrouble>,
}

/// The reason why a pod does not run: of the cluster, in its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodTrouble {
    /// One word, such as `ImagePullBackOff`.
    pub(super) reason: String,
    pub(super) message: String,
}

/// An event of the cluster about a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodNews {
    /// The id of the pod that it is about; `None` if it is about a volume.
    pub(super) pod_uid: Option<String>,
    /// True if it is a warning.
    pub(super) is_warning: bool,
    /// One word, such as `FailedScheduling`.
    pub(super) reason: String,
    pub(super) message: String,
}

impl PodView {
    pub(super) fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let container = status.container_statuses.as_deref().unwrap_or_default().first();
        let init = status.init_container_statuses.as_deref().unwrap_or_default().first();
        let state = |it: &ContainerStatus| it.state.clone().unwrap_or_default();
        let trouble = of_pod(status.reason, status.message)
            .or_else(|| container.and_then(of_container))
            .or_else(|| init.and_then(of_container))
            .or_else(|| {
                let conditions = status.conditions.iter().flatten();
                let mut unmet =
                    conditions.filter(|it| it.type_ == "PodScheduled" && it.status == "False");
                unmet.next().and_then(|it| of_pod(it.reason.clone(), it.message.clone()))
            });
        Self {
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            phase: status.phase.unwrap_or_else(|| "Pending".to_owned()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            running: container.is_some_and(|it| state(it).running.is_some()),
            trouble,
        }
    }

    /// Returns true if the pod will not run any more.
    pub(super) fn is_over(&self) -> bool {
        self.deleting || matches!(&*self.phase, "Succeeded" | "Failed")
    }
}

fn of_pod(reason: Option<String>, message: Option<String>) -> Option<PodTrouble> {
    reason.map(|reason| PodTrouble { reason, message: message.unwrap_or_default() })
}

fn of_container(status: &ContainerStatus) -> Option<PodTrouble> {
    let state = status.state.clone()?;
    if let Some(ended) = state.terminated {
        let message = ended.message.unwrap_or_else(|| format!("exit code {}", ended.exit_code));
        return of_pod(ended.reason, Some(message)).filter(|it| it.reason != "Completed");
    }
    let waiting = state.waiting?;
    let usual = ["ContainerCreating", "PodInitializing"];
    of_pod(waiting.reason, waiting.message).filter(|it| !usual.contains(&&*it.reason))
}

impl PodNews {
    pub(super) fn of(event: Event) -> Self {
        let about = event.involved_object;
        let is_pod = about.kind.as_deref() == Some("Pod");
        Self {
            pod_uid: about.uid.filter(|_| is_pod),
            is_warning: event.type_.as_deref() == Some("Warning"),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        }
    }
}

impl PodTrouble {
    /// Returns a stable code, and a sentence that a person understands. `memory` is the most memory
    /// that the pod may use.
    pub(super) fn explained(&self, memory: &str) -> (&'static str, String) {
        let Self { reason, message } = self;
        match reason.as_str() {
            "OOMKilled" => (
                "oom_killed",
                format!("the pod needed more than its {memory} of memory, and was killed"),
            ),
            "Evicted" => ("evicted", format!("the node has evicted the pod: {message}")),
            "NodeLost" | "NodeAffinity" | "NodeShutdown" | "Terminated" => {
                ("node_lost", format!("the pod's node is gone: {}", or(message, reason)))
            }
            "Unschedulable" | "FailedScheduling" => {
                ("unschedulable", format!("no node has room for the pod: {message}"))
            }
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                ("image_pull", format!("the image cannot be pulled: {}", or(message, reason)))
            }
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "StartError"
            | "ContainerCannotRun" => {
                ("container_failed", format!("the container cannot start: {}", or(message, reason)))
            }
            "FailedMount" | "FailedAttachVolume" | "ProvisioningFailed" | "FailedBinding" => {
                ("volume", format!("the volume cannot be used: {message}"))
            }
            "DeadlineExceeded" | "Preempting" | "Preempted" => {
                ("preempted", format!("the cluster has ended the pod: {}", or(message, reason)))
            }
            _ => ("pod_failed", format!("{reason}: {message}")),
        }
    }
}

fn or<'a>(message: &'a str, reason: &'a str) -> &'a str {
    if message.is_empty() { reason } else { message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(status: &serde_json::Value) -> PodView {
        let pod = json!({ "metadata": { "uid": "u" }, "status": status });
        PodView::of(&serde_json::from_value(pod).unwrap())
    }

    fn code(view: &PodView) -> &'static str {
        view.trouble.as_ref().unwrap().explained("512Mi").0
    }

    #[test]
    fn a_pod_that_waits_says_why() {
        let unmet = view(&json!({ "phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }] }));
        assert_eq!((code(&unmet), unmet.running), ("unschedulable", false));
        let waiting = |reason: &str| {
            view(&json!({ "phase": "Pending", "containerStatuses": [{
                "name": "session", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "waiting": { "reason": reason, "message": "no such image" } },
            }] }))
        };
        assert_eq!(code(&waiting("ImagePullBackOff")), "image_pull");
        assert_eq!(waiting("ContainerCreating").trouble, None);
    }

    #[test]
    fn a_pod_that_was_ended_says_why() {
        let evicted = view(&json!({ "phase": "Failed", "reason": "Evicted",
            "message": "The node was low on resource: memory." }));
        assert!(evicted.is_over());
        assert_eq!(code(&evicted), "evicted");
        let killed = view(&json!({ "phase": "Failed", "containerStatuses": [{
            "name": "session", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } },
        }] }));
        assert_eq!(code(&killed), "oom_killed");
        let running = view(&json!({ "phase": "Running", "containerStatuses": [{
            "name": "session", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "state": { "running": {} },
        }] }));
        assert!(running.running && !running.is_over() && running.trouble.is_none());
    }
}
