//! Claims of volumes: bound when their storage class exists, removed when no pod uses them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::json::{list, name, namespace, text, uid};
use super::pod_status::is_over;
use super::resource::{CLAIMS, PODS, STORAGE_CLASSES};
use super::state::{About, ClusterState};
use super::store::ObjectKey;

/// Binds all claims that wait and whose storage class exists.
pub(super) fn bind_all(state: &ClusterState) {
    for claim in state.store.list(&CLAIMS, "").0 {
        if claim["status"]["phase"] == "Pending" {
            bind(state, &claim);
        }
    }
}

/// Binds a claim, or says why it cannot be bound.
pub(super) fn bind(state: &ClusterState, claim: &Value) {
    let about = About { object: claim, container: None, component: "persistentvolume-controller" };
    let classes = state.store.list(&STORAGE_CLASSES, "").0;
    let class = text(&claim["spec"]["storageClassName"]);
    if class.is_empty() {
        let why = "no persistent volumes available for this claim and no storage class is set";
        state.tell(&about, "Normal", "FailedBinding", why);
        return;
    }
    if !classes.iter().any(|other| name(other) == class) {
        let why = format!("storageclass.storage.k8s.io \"{class}\" not found");
        state.tell(&about, "Warning", "ProvisioningFailed", &why);
        return;
    }
    let key = ObjectKey::new(&CLAIMS, namespace(claim), name(claim));
    let volume = format!("pvc-{}", uid(claim));
    let bound = state.store.update(&key, |claim| {
        claim["spec"]["volumeName"] = volume.clone().into();
        claim["status"] = json!({
            "phase": "Bound",
            "accessModes": claim["spec"]["accessModes"],
            "capacity": { "storage": claim["spec"]["resources"]["requests"]["storage"] },
        });
        Ok::<_, std::convert::Infallible>(())
    });
    match bound {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let message = format!("Successfully provisioned volume {volume}");
    state.tell(&about, "Normal", "ProvisioningSucceeded", &message);
}

/// The default storage class, if there is one.
pub(super) fn default_class(state: &ClusterState) -> Option<String> {
    let classes = state.store.list(&STORAGE_CLASSES, "").0;
    let is_default = |class: &&Arc<Value>| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    };
    classes.iter().find(is_default).map(|class| name(class).to_owned())
}

/// Removes the claims that were deleted and that no pod uses any more, with their files.
pub(super) fn release(state: &ClusterState) {
    let pods = state.store.list(&PODS, "").0;
    for claim in state.store.list(&CLAIMS, "").0 {
        let key = ObjectKey::new(&CLAIMS, namespace(&claim), name(&claim));
        let is_used = pods.iter().any(|pod| {
            namespace(pod) == namespace(&claim) && !is_over(pod) && uses(pod, &key.name)
        });
        if is_used {
            continue;
        }
        let may = |claim: &Value| !claim["metadata"]["deletionTimestamp"].is_null();
        if state.store.remove_if(&key, may).is_some() {
            state.volumes.remove_claim(uid(&claim));
        }
    }
}

fn uses(pod: &Value, claim: &str) -> bool {
    let volumes = list(&pod["spec"]["volumes"]);
    volumes.iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim)
}
