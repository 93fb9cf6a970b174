//! What a test can let happen to pods and to the cluster.

use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::super::{INSUFFICIENT_CPU, PodScript};
use super::{Trial, claim, pod};
use crate::wait::wait_until;

impl Trial {
    async fn create(&self, name: &str) -> Result<(), kube::Error> {
        self.pods().create(&PostParams::default(), &pod(name, &json!({}))).await.map(|_| ())
    }

    fn condition(&self, name: &str, kind: &str) -> Value {
        let pod = self.cluster.pods().get(name).unwrap_or_default();
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
    }

    fn container_state(&self, name: &str) -> Value {
        let pod = self.cluster.pods().get(name).unwrap_or_default();
        pod["status"]["containerStatuses"][0]["state"].clone()
    }
}

#[tokio::test]
async fn unschedulable_pod_waits_until_it_is_released() {
    let trial = Trial::start().await;
    trial.cluster.script_next(PodScript::Unschedulable(INSUFFICIENT_CPU.into()));
    trial.create("a").await.unwrap();
    let told = async || trial.condition("a", "PodScheduled")["message"] == INSUFFICIENT_CPU;
    wait_until("the scheduler", told).await.unwrap();
    assert_eq!(trial.cluster.pods().events("a"), ["FailedScheduling"]);
    assert_eq!(trial.cluster.pods().phase("a"), "Pending");
    trial.cluster.pods().release("a").unwrap();
    trial.cluster.pods().wait_ready("a").await.unwrap();
}

#[tokio::test]
async fn pod_without_its_image_waits_until_it_is_released() {
    let trial = Trial::start().await;
    trial.cluster.script_next(PodScript::ImagePullBackOff);
    trial.create("a").await.unwrap();
    let told = async || trial.container_state("a")["waiting"]["reason"] == "ImagePullBackOff";
    wait_until("the back-off", told).await.unwrap();
    trial.cluster.pods().release("a").unwrap();
    trial.cluster.pods().wait_ready("a").await.unwrap();
}

#[tokio::test]
async fn pod_is_ready_when_it_is_released() {
    let trial = Trial::start().await;
    trial.cluster.script_all(PodScript::NotReady);
    trial.create("a").await.unwrap();
    wait_until("to run", async || trial.cluster.pods().phase("a") == "Running").await.unwrap();
    assert_eq!(trial.condition("a", "Ready")["reason"], "ContainersNotReady");
    trial.cluster.pods().release("a").unwrap();
    trial.cluster.pods().wait_ready("a").await.unwrap();
}

#[tokio::test]
async fn pod_is_refused_by_quota_and_by_admission() {
    let trial = Trial::start().await;
    trial.cluster.script_next(PodScript::QuotaExceeded("pods".into()));
    let error = trial.create("a").await.unwrap_err().to_string();
    let expected = "pods \"a\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=4, limited: pods=4";
    assert!(error.contains(expected), "{error}");
    trial
        .cluster
        .script_next(PodScript::Refused("violates PodSecurity \"restricted:latest\"".into()));
    let error = trial.create("a").await.unwrap_err().to_string();
    assert!(error.contains("is forbidden: violates PodSecurity"), "{error}");
    trial.create("a").await.unwrap();
}

#[tokio::test]
async fn pod_fails_when_it_is_evicted() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    trial.cluster.pods().evict("a").unwrap();
    wait_until("to fail", async || trial.cluster.pods().phase("a") == "Failed").await.unwrap();
    assert_eq!(trial.cluster.pods().get("a").unwrap()["status"]["reason"], "Evicted");
    trial.pods().delete("a", &DeleteParams::default()).await.unwrap();
    wait_until("no pod", async || trial.cluster.pods().names().is_empty()).await.unwrap();
}

#[tokio::test]
async fn container_is_killed_for_its_memory() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    trial.cluster.pods().kill_for_memory("a").unwrap();
    wait_until("to fail", async || trial.cluster.pods().phase("a") == "Failed").await.unwrap();
    let ended = trial.container_state("a");
    assert_eq!(ended["terminated"]["reason"], "OOMKilled");
    assert_eq!(ended["terminated"]["exitCode"], 137);
}

#[tokio::test]
async fn lost_node_keeps_a_deleted_pod_until_it_is_back() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    trial.cluster.lose_node();
    assert_eq!(trial.condition("a", "Ready")["status"], "Unknown");
    assert_eq!(trial.cluster.pods().get("a").unwrap()["status"]["reason"], "NodeLost");
    trial.pods().delete("a", &DeleteParams::default()).await.unwrap();
    trial.create("b").await.unwrap();
    let unreachable = async || trial.condition("b", "PodScheduled")["reason"] == "Unschedulable";
    wait_until("the scheduler", unreachable).await.unwrap();
    assert!(trial.cluster.pods().get("a").is_some());
    trial.cluster.return_node();
    trial.cluster.pods().wait_ready("b").await.unwrap();
    wait_until("one pod", async || trial.cluster.pods().names() == ["b"]).await.unwrap();
}

#[tokio::test]
async fn claim_waits_for_a_storage_class_and_the_pod_for_the_claim() {
    let trial = Trial::start().await;
    trial.cluster.remove_storage_class();
    let spec = json!({
        "volumes": [{ "name": "files", "persistentVolumeClaim": { "claimName": "files" } }],
    });
    trial.pods().create(&PostParams::default(), &pod("a", &spec)).await.unwrap();
    let message = async |part: &str| {
        trial.condition("a", "PodScheduled")["message"]
            .as_str()
            .is_some_and(|said| said.contains(part))
    };
    wait_until("no claim", async || message("\"files\" not found").await).await.unwrap();
    trial.claims().create(&PostParams::default(), &claim("files")).await.unwrap();
    wait_until("no volume", async || message("unbound immediate").await).await.unwrap();
    assert_eq!(trial.cluster.pods().events("files"), ["FailedBinding"]);
}

#[tokio::test]
async fn deleted_pod_stays_until_its_process_ends() {
    let trial = Trial::start().await;
    let spec = json!({
        "containers": [{
            "name": "main",
            "command": ["sh", "-c", "trap 'echo stopping; while [ ! -e /go/now ]; do sleep 0.01; done; exit 0' TERM; echo up; while :; do sleep 0.01; done"],
            "volumeMounts": [{ "name": "go", "mountPath": "/go" }],
        }],
        "volumes": [{ "name": "go", "persistentVolumeClaim": { "claimName": "go" } }],
    });
    trial.claims().create(&PostParams::default(), &claim("go")).await.unwrap();
    let pods = trial.pods();
    pods.create(&PostParams::default(), &pod("a", &spec)).await.unwrap();
    let log = async || pods.logs("a", &Default::default()).await.unwrap_or_default();
    wait_until("the trap", async || log().await.contains("up")).await.unwrap();
    trial.cluster.pods().delete("a").unwrap();
    wait_until("the signal", async || log().await.contains("stopping")).await.unwrap();
    assert!(pods.get("a").await.unwrap().metadata.deletion_timestamp.is_some());
    std::fs::write(trial.cluster.claims().folder("go").unwrap().join("now"), "").unwrap();
    wait_until("no pod", async || trial.cluster.pods().names().is_empty()).await.unwrap();
}

#[tokio::test]
async fn server_goes_away_and_comes_back_on_its_port() {
    let mut trial = Trial::start().await;
    trial.ready_pod("a").await;
    trial.cluster.go_away().await;
    let error = trial.pods().get("a").await.unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
    trial.cluster.come_back().await.unwrap();
    assert!(trial.pods().get("a").await.is_ok());
}
