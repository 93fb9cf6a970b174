//! Tests of the fake by the client that the host's driver uses, and by `kubectl`.

mod commands;
mod kubectl;
mod misfortunes;
mod objects;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::PostParams;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::{FakeCluster, FakeClusterOptions};

/// A cluster and a client of it.
struct Trial {
    cluster: FakeCluster,
    client: Client,
}

impl Trial {
    async fn start() -> Self {
        Self::start_with(FakeClusterOptions::default()).await
    }

    async fn start_with(options: FakeClusterOptions) -> Self {
        let cluster = FakeCluster::start_with(options).await.unwrap();
        let file = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.unwrap()).unwrap();
        Self { cluster, client }
    }

    fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    fn claims(&self) -> Api<PersistentVolumeClaim> {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates a pod that waits for its end, and returns it once it is ready.
    async fn ready_pod(&self, name: &str) -> Pod {
        self.pods().create(&PostParams::default(), &pod(name, &json!({}))).await.unwrap();
        let pod = self.cluster.pods().wait_ready(name).await.unwrap();
        serde_json::from_value(pod).unwrap()
    }
}

/// A pod of one container `main`, whose spec is merged with this.
fn pod(name: &str, spec: &Value) -> Pod {
    let mut pod = json!({
        "metadata": { "name": name, "labels": { "app": "shell" } },
        "spec": {
            "restartPolicy": "Never",
            "containers": [{ "name": "main", "image": "busybox:1", "command": ["sleep", "infinity"] }],
        },
    });
    super::patch::PatchKind::Strategic.apply(&mut pod["spec"], spec);
    serde_json::from_value(pod).unwrap()
}

/// A claim of 1 Gi.
fn claim(name: &str) -> PersistentVolumeClaim {
    let claim = json!({
        "metadata": { "name": name },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    serde_json::from_value(claim).unwrap()
}
