//! The `status` of a pod, in the words of a real kubelet.

use serde_json::{Value, json};

use super::json::{list, now, text, uid};

/// Sets a condition. The time of its last change moves only if its status does.
pub(super) fn set_condition(pod: &mut Value, kind: &str, holds: &str, reason: &str, message: &str) {
    let mut condition = json!({
        "type": kind,
        "status": holds,
        "lastProbeTime": null,
        "lastTransitionTime": now(),
    });
    for (field, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            condition[field] = value.into();
        }
    }
    let conditions = entries(pod, "conditions");
    match conditions.iter_mut().find(|other| other["type"] == kind) {
        Some(other) => {
            if other["status"] == holds {
                condition["lastTransitionTime"] = other["lastTransitionTime"].clone();
            }
            *other = condition;
        }
        None => conditions.push(condition),
    }
}

/// Sets the condition `Initialized` of a pod whose containers have not started.
pub(super) fn set_uninitialized(pod: &mut Value) {
    let inits = list(&pod["spec"]["initContainers"]).iter();
    let inits: Vec<_> = inits.map(|init| text(&init["name"]).to_owned()).collect();
    if inits.is_empty() {
        set_condition(pod, "Initialized", "True", "", "");
    } else {
        let message = format!("containers with incomplete status: [{}]", inits.join(" "));
        set_condition(pod, "Initialized", "False", "ContainersNotInitialized", &message);
    }
}

/// Sets the phase, and for a pod that failed as a whole the reason.
pub(super) fn set_phase(pod: &mut Value, phase: &str, reason: &str, message: &str) {
    pod["status"]["phase"] = phase.into();
    for (field, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            pod["status"][field] = value.into();
        }
    }
}

/// Makes the statuses of all containers: they wait.
pub(super) fn set_all_waiting(pod: &mut Value) {
    for (field, statuses) in
        [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")]
    {
        let reason = if list(&pod["spec"]["initContainers"]).is_empty() || field == "initContainers"
        {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let made: Vec<_> = list(&pod["spec"][field])
            .iter()
            .map(|container| {
                json!({
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": false,
                    "started": false,
                    "restartCount": 0,
                    "state": { "waiting": { "reason": reason } },
                    "lastState": {},
                })
            })
            .collect();
        if !made.is_empty() {
            pod["status"][statuses] = made.into();
        }
    }
}

/// Changes the status of one container, an init container or not.
pub(super) fn change_container(pod: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    let is_init = list(&pod["spec"]["initContainers"]).iter().any(|init| init["name"] == name);
    let statuses = if is_init { "initContainerStatuses" } else { "containerStatuses" };
    if let Some(status) = entries(pod, statuses).iter_mut().find(|status| status["name"] == name) {
        change(status);
    }
}

/// The state of a container that waits.
pub(super) fn waiting(reason: &str, message: &str) -> Value {
    match message {
        "" => json!({ "waiting": { "reason": reason } }),
        message => json!({ "waiting": { "reason": reason, "message": message } }),
    }
}

/// The state of a container that has ended.
pub(super) fn terminated(status: &Value, exit_code: i32, reason: &str, message: &str) -> Value {
    let started = match &status["state"]["running"]["startedAt"] {
        Value::String(started) => started.clone(),
        _ => now(),
    };
    let mut state = json!({
        "exitCode": exit_code,
        "reason": reason,
        "startedAt": started,
        "finishedAt": now(),
        "containerID": status["containerID"],
    });
    if !message.is_empty() {
        state["message"] = message.into();
    }
    json!({ "terminated": state })
}

/// The id of a container in the runtime.
pub(super) fn container_id(pod: &Value, name: &str, restarts: u64) -> String {
    format!("containerd://{}{name}{restarts}", uid(pod).replace('-', ""))
}

/// Sets the conditions `Ready` and `ContainersReady` by the statuses of the containers.
pub(super) fn set_ready(pod: &mut Value) {
    let unready: Vec<_> = list(&pod["status"]["containerStatuses"])
        .iter()
        .filter(|status| status["ready"] != true)
        .map(|status| text(&status["name"]).to_owned())
        .collect();
    let (holds, reason, message) = match &unready[..] {
        _ if pod["status"]["phase"] == "Succeeded" => ("False", "PodCompleted", String::new()),
        [] => ("True", "", String::new()),
        unready => {
            let message = format!("containers with unready status: [{}]", unready.join(" "));
            ("False", "ContainersNotReady", message)
        }
    };
    for kind in ["Ready", "ContainersReady"] {
        set_condition(pod, kind, holds, reason, &message);
    }
}

/// Returns whether all containers of a pod have ended for good.
pub(super) fn is_over(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&text(&pod["status"]["phase"]))
}

fn entries<'a>(pod: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    let entries = &mut pod["status"][field];
    if !entries.is_array() {
        *entries = json!([]);
    }
    match entries {
        Value::Array(entries) => entries,
        _ => unreachable!("it was made an array above"),
    }
}
