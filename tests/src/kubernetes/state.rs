//! What all parts of the fake cluster share.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::access::AccessRules;
use super::exec_faults::ExecLines;
use super::json::{name, namespace, new_uid, now, uid};
use super::resource::{ACCOUNTS, EVENTS, NAMESPACES, NODES, ResourceType, STORAGE_CLASSES};
use super::runtime::PodRuntimes;
use super::script::PodScripts;
use super::store::{ObjectKey, ObjectStore};
use super::volumes::VolumeFolders;

/// The only node.
pub(super) const NODE: &str = "fake-node";
/// The storage class of claims that name none.
pub(super) const STORAGE_CLASS: &str = "standard";

/// A cluster, as its parts see it.
#[derive(Debug)]
pub(super) struct ClusterState {
    /// Marks the processes of this cluster.
    pub(super) id: String,
    /// Whether it is as old as 1.20: `exec` by `v4.channel.k8s.io` only.
    pub(super) legacy: bool,
    pub(super) store: ObjectStore,
    pub(super) volumes: VolumeFolders,
    pub(super) scripts: PodScripts,
    pub(super) runtimes: PodRuntimes,
    pub(super) access: AccessRules,
    pub(super) execs: ExecLines,
    /// Whether the node answers.
    pub(super) node_lost: watch::Sender<bool>,
}

impl ClusterState {
    pub(super) fn new(folder: PathBuf, legacy: bool) -> Self {
        let state = Self {
            id: new_uid(),
            legacy,
            store: ObjectStore::new(),
            volumes: VolumeFolders::new(folder),
            scripts: PodScripts::default(),
            runtimes: PodRuntimes::default(),
            access: AccessRules::new(format!("fake-{}", new_uid())),
            execs: ExecLines::default(),
            node_lost: watch::Sender::new(false),
        };
        for namespace in ["default", "kube-system"] {
            state.add_namespace(namespace);
        }
        state.put(&NODES, "", NODE, json!({
            "spec": {},
            "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady" }] },
        }));
        state.put(
            &STORAGE_CLASSES,
            "",
            STORAGE_CLASS,
            json!({
                "metadata": {
                    "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
                },
                "provisioner": "fake.local/folder",
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "Immediate",
                "allowVolumeExpansion": false,
            }),
        );
        state
    }

    /// Adds a namespace, with its account for pods.
    pub(super) fn add_namespace(&self, name: &str) {
        let content =
            json!({ "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } });
        self.put(&NAMESPACES, "", name, content);
        self.put(&ACCOUNTS, name, "default", json!({}));
    }

    /// Adds an object of the cluster's own. Nothing happens if the name is taken.
    pub(super) fn put(&self, resource: &ResourceType, namespace: &str, name: &str, object: Value) {
        let mut object = object;
        object["metadata"]["name"] = name.into();
        stamp(resource, namespace, &mut object);
        self.store.insert(ObjectKey::new(resource, namespace, name), object);
    }

    /// Records an event about an object. `field` names a part of it, such as a container.
    pub(super) fn tell(&self, about: &About<'_>, kind: &str, reason: &str, message: &str) {
        let object = about.object;
        let mut involved = json!({
            "kind": object["kind"],
            "apiVersion": object["apiVersion"],
            "namespace": namespace(object),
            "name": name(object),
            "uid": uid(object),
            "resourceVersion": object["metadata"]["resourceVersion"],
        });
        if let Some(container) = about.container {
            involved["fieldPath"] = format!("spec.containers{{{container}}}").into();
        }
        let time = now();
        let mut source = json!({ "component": about.component });
        if about.component == "kubelet" {
            source["host"] = NODE.into();
        }
        let event = json!({
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": time,
            "lastTimestamp": time,
            "eventTime": null,
            "count": 1,
            "type": kind,
            "reportingComponent": about.component,
            "reportingInstance": source["host"].as_str().unwrap_or_default(),
        });
        let revision = self.store.revision();
        let event_name = format!("{}.{revision:x}{}", name(object), &new_uid()[..8]);
        self.put(&EVENTS, namespace(object), &event_name, event);
    }
}

/// The subject of an event, and who reports it.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) object: &'a Value,
    pub(super) container: Option<&'a str>,
    pub(super) component: &'a str,
}

/// Gives a new object what the server gives all of them.
pub(super) fn stamp(resource: &ResourceType, namespace: &str, object: &mut Value) {
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.into();
    let metadata = &mut object["metadata"];
    metadata["uid"] = new_uid().into();
    metadata["creationTimestamp"] = now().into();
    if resource.namespaced {
        metadata["namespace"] = namespace.into();
    }
}

/// The state as all tasks hold it.
pub(super) type SharedState = Arc<ClusterState>;
