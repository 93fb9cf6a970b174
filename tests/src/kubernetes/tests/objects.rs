//! Objects: their life, watches and errors.

use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};

use super::{Trial, claim, pod};
use crate::wait::{wait_until, within};

fn code(error: kube::Error) -> (u16, String, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn pod_is_watched_until_it_is_ready_and_until_it_is_gone() {
    let trial = Trial::start().await;
    let version = trial.client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.36.0");
    let pods = trial.pods();
    let config = watcher::Config::default().labels("app=shell");
    let mut seen = watcher(pods.clone(), config).applied_objects().boxed();
    let created = pods.create(&PostParams::default(), &pod("a", &json!({}))).await.unwrap();
    assert!(created.metadata.uid.is_some() && created.metadata.creation_timestamp.is_some());
    let is_ready = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions
            .into_iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    within("the pod to be ready", async {
        while !is_ready(&seen.next().await.unwrap().unwrap()) {}
    })
    .await
    .unwrap();
    let expected = ["Scheduled", "Pulling", "Pulled", "Created", "Started"];
    assert_eq!(trial.cluster.pods().events("a"), expected);
    let deleted = pods.delete("a", &DeleteParams::default().grace_period(1)).await.unwrap();
    let deleted = deleted.left().unwrap();
    assert!(deleted.metadata.deletion_timestamp.is_some());
    wait_until("the end", async || pods.get_opt("a").await.unwrap().is_none()).await.unwrap();
}

#[tokio::test]
async fn watch_tells_changes_from_a_version_and_is_told_what_is_forgotten() {
    let trial = Trial::start().await;
    let pods = trial.pods();
    let version =
        pods.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    trial.ready_pod("a").await;
    let params = WatchParams::default().fields("metadata.name=a");
    let mut changes = pods.watch(&params, &version).await.unwrap().boxed();
    let first = within("a change", changes.try_next()).await.unwrap().unwrap();
    assert!(matches!(first, Some(WatchEvent::Added(_))), "{first:?}");
    trial.cluster.expire_watches();
    let gone = within("the end", async {
        loop {
            match changes.try_next().await.unwrap() {
                Some(WatchEvent::Error(error)) => break error.code,
                Some(_) => {}
                None => break 0,
            }
        }
    });
    assert_eq!(gone.await.unwrap(), 410);
}

#[tokio::test]
async fn errors_are_those_of_a_real_server() {
    let trial = Trial::start().await;
    let (pods, post) = (trial.pods(), PostParams::default());
    let missing = code(pods.get("a").await.unwrap_err());
    assert_eq!(missing, (404, "NotFound".into(), "pods \"a\" not found".into()));
    trial.cluster.pods().occupy("a");
    let taken = code(pods.create(&post, &pod("a", &json!({}))).await.unwrap_err());
    assert_eq!(taken, (409, "AlreadyExists".into(), "pods \"a\" already exists".into()));
    let (status, _, message) =
        code(pods.create(&post, &pod("Under_score", &json!({}))).await.unwrap_err());
    assert_eq!(status, 422);
    assert!(
        message.starts_with("Pod \"Under_score\" is invalid: metadata.name: Invalid value"),
        "{message}"
    );
    let account = json!({ "serviceAccountName": "nobody" });
    let (status, _, message) = code(pods.create(&post, &pod("b", &account)).await.unwrap_err());
    assert_eq!(status, 403);
    assert!(message.ends_with("serviceaccount \"nobody\" not found"), "{message}");
    trial.cluster.forbid("delete", "pods");
    let (status, _, message) = code(pods.delete("a", &DeleteParams::default()).await.unwrap_err());
    assert_eq!(status, 403);
    assert_eq!(
        message,
        "pods \"a\" is forbidden: User \"system:serviceaccount:default:moorline\" cannot delete resource \
         \"pods\" in API group \"\" in the namespace \"default\""
    );
    trial.cluster.set_unauthorized(true);
    assert_eq!(code(pods.get("a").await.unwrap_err()).0, 401);
}

#[tokio::test]
async fn access_review_answers_by_the_rules() {
    let trial = Trial::start().await;
    trial.cluster.forbid("create", "pods/exec");
    let reviews: Api<SelfSubjectAccessReview> = Api::all(trial.client.clone());
    for (verb, expected) in [("create", false), ("get", true)] {
        let review = json!({
            "metadata": {},
            "spec": { "resourceAttributes": {
                "namespace": "default", "verb": verb, "resource": "pods", "subresource": "exec",
            } },
        });
        let review = serde_json::from_value(review).unwrap();
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.unwrap().allowed, expected, "{verb}");
    }
}

#[tokio::test]
async fn claim_is_applied_bound_and_kept_while_a_pod_uses_it() {
    let trial = Trial::start().await;
    let claims = trial.claims();
    let params = PatchParams::apply("moorline");
    let mut wanted = serde_json::to_value(claim("files")).unwrap();
    let applied = claims.patch("files", &params, &Patch::Apply(&wanted)).await.unwrap();
    assert_eq!(applied.metadata.name.as_deref(), Some("files"));
    wanted["metadata"]["labels"] = json!({ "a": "b" });
    let applied = claims.patch("files", &params, &Patch::Apply(&wanted)).await.unwrap();
    assert_eq!(applied.metadata.labels.unwrap()["a"], "b");
    let merge = json!({ "metadata": { "labels": { "a": null, "c": "d" } } });
    let merged =
        claims.patch("files", &PatchParams::default(), &Patch::Merge(&merge)).await.unwrap();
    assert_eq!(merged.metadata.labels.unwrap().len(), 1);
    assert_eq!(merged.status.unwrap().phase.as_deref(), Some("Bound"));
    let spec = json!({
        "containers": [{
            "name": "main",
            "command": ["sh", "-c", "echo kept > /work/file; sleep 100"],
            "volumeMounts": [{ "name": "files", "mountPath": "/work" }],
        }],
        "volumes": [{ "name": "files", "persistentVolumeClaim": { "claimName": "files" } }],
    });
    let pods = trial.pods();
    pods.create(&PostParams::default(), &pod("a", &spec)).await.unwrap();
    let folder = trial.cluster.claims().folder("files").unwrap();
    let written =
        || std::fs::read_to_string(folder.join("file")).is_ok_and(|text| text == "kept\n");
    wait_until("the file", async || written()).await.unwrap();
    claims.delete("files", &DeleteParams::default()).await.unwrap();
    let claim = claims.get("files").await.unwrap();
    assert!(claim.metadata.deletion_timestamp.is_some());
    pods.delete("a", &DeleteParams::default()).await.unwrap();
    wait_until("no claim", async || trial.cluster.claims().names().is_empty()).await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn init_container_runs_before_and_its_files_are_there() {
    let trial = Trial::start().await;
    let spec = json!({
        "initContainers": [{
            "name": "install",
            "image": "tools:1",
            "command": ["sh", "-c"],
            "args": ["printf '#!/bin/sh\\necho $WORD\\n' > /tools/say && chmod +x /tools/say"],
            "volumeMounts": [{ "name": "tools", "mountPath": "/tools" }],
        }],
        "containers": [{
            "name": "main",
            "command": ["/tools/say"],
            "env": [{ "name": "WORD", "value": "at /tools" }],
            "volumeMounts": [{ "name": "tools", "mountPath": "/tools" }],
        }],
        "volumes": [{ "name": "tools", "emptyDir": {} }],
    });
    trial.pods().create(&PostParams::default(), &pod("a", &spec)).await.unwrap();
    wait_until("the end", async || trial.cluster.pods().phase("a") == "Succeeded").await.unwrap();
    let log = trial.pods().logs("a", &Default::default()).await.unwrap();
    assert!(log.starts_with("at /") && log.ends_with("/v/tools\n"), "{log}");
    let pod = trial.cluster.pods().get("a").unwrap();
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(0), &json!("Completed")));
    assert_eq!(pod["status"]["initContainerStatuses"][0]["ready"], Value::Bool(true));
}

#[tokio::test]
async fn missing_kinds_and_paths_are_not_found() {
    let trial = Trial::start().await;
    for path in [
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sandboxes.agents.x-k8s.io",
        "/apis/agents.x-k8s.io/v1beta1/namespaces/default/sandboxes",
    ] {
        let request = axum::http::Request::get(path).body(Vec::new()).unwrap();
        let error = trial.client.request_text(request).await.unwrap_err();
        assert_eq!(code(error).0, 404, "{path}");
    }
}
