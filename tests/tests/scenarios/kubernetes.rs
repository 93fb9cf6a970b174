//! Sessions in pods, in a fake cluster.
//!
//! `real` has those that also run in a real cluster, named by `MOORLINE_TEST_KUBECONFIG`.

mod agents;
mod files;
mod lives;
mod real;
mod seed;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::link::ClientStatus;
use moorline_shared::pod::{PodPhase, PodSpec, PodStatus};
use moorline_shared::rest::{CreateSession, HostPods};
use moorline_shared::session::{Lifecycle, Size};
use moorline_tests::api::Api;
use moorline_tests::expected::{self, Flood};
use moorline_tests::follower::{Follower, Following};
use moorline_tests::kubernetes::{FakeCluster, PodScript};
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::sse::Sse;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

/// A relay whose host starts pods in a fake cluster.
struct Place {
    cluster: FakeCluster,
    relay: Relay,
    api: Api,
}

impl Place {
    async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same, with more variables of the relay.
    async fn start_with(variables: &[(&str, &str)]) -> Result<Self> {
        let cluster = FakeCluster::start().await?;
        let relay = Relay::start_with(setup(cluster.kubeconfig(), variables)).await?;
        let api = relay.api();
        Ok(Self { cluster, relay, api })
    }

    async fn create(&self, command: Vec<String>) -> Result<SessionId> {
        Ok(self.api.create(&wish(command)).await?.session_id)
    }

    async fn follow(&self, id: &SessionId, seed: u64) -> Result<Follower> {
        Follower::live(Following::new(self.relay.address(), id, seed)).await
    }

    /// Waits until a session's log has told that its pod is ready.
    async fn ready(&self, id: &SessionId) -> Result<PodStatus> {
        States::open(&self.api, id).await?.until(PodPhase::Ready).await
    }
}

fn setup(kubeconfig: &std::path::Path, variables: &[(&str, &str)]) -> Setup {
    let mut setup = Setup::default();
    let kubeconfig = ("KUBECONFIG", &*kubeconfig.to_string_lossy());
    for (name, value) in variables.iter().copied().chain([kubeconfig]) {
        setup.variables.push((name.to_owned(), value.to_owned()));
    }
    setup
}

fn wish(command: Vec<String>) -> CreateSession {
    CreateSession {
        command: Some(command),
        pod: Some(PodSpec::default()),
        ..CreateSession::default()
    }
}

/// The states of a session's pod, as its log tells them.
struct States(Sse);

impl States {
    async fn open(api: &Api, id: &SessionId) -> Result<Self> {
        Ok(Self(Sse::replay(api, id, "").await?))
    }

    /// Skips to the next state of this phase.
    async fn until(&mut self, phase: PodPhase) -> Result<PodStatus> {
        loop {
            let told = self.0.skip_to("pod-status").await;
            let told = told.with_context(|| format!("the pod is not {}", phase.title()))?;
            let status: PodStatus = serde_json::from_value(told.data)?;
            if status.phase == phase {
                return Ok(status);
            }
        }
    }
}

async fn host_id(api: &Api) -> Result<String> {
    let hosts: Value = api.get("/api/hosts").await?;
    Ok(hosts["hosts"][0]["hostId"].as_str().context("no host")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_output_is_exact_however_often_its_exec_is_cut() -> Result<()> {
    const FLOOD: Flood = Flood { lines: 300_000 };
    let place = Place::start().await?;
    let id = place.create(FLOOD.command()).await?;
    let follower = place.follow(&id, 1).await?;
    follower.until("a ready program", |seen| seen.shows("ready")).await?;
    // Each connection is cut after so many bytes, which is anywhere in a message.
    place.cluster.execs().cut_each_after(None, Some(150_001));
    place.cluster.execs().cut();
    let mut expected = follower.seen().digest;
    expected.update(&FLOOD.output());
    follower.type_input("\r");
    follower.until_end("all of the output", |seen| seen.contains(Flood::END)).await?;
    let opened = place.cluster.execs().opened();
    ensure!(opened > 10, "{opened} execs");
    let digest = follower.seen().digest;
    ensure!(digest == expected, "not byte-exact: {}", follower.seen().describe());
    if place.relay.kind() != Kind::Edge {
        wait_until("the counts of pods", async || {
            let text = place.api.get_text("/metrics").await.map(|it| it.1).unwrap_or_default();
            let value = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name))?;
                line.rsplit(' ').next()?.parse::<u64>().ok()
            };
            value("moorline_pods{").is_some()
                && value("moorline_pods_ready_total").is_some_and(|count| count == 1)
                && value("moorline_pod_reconnects_total").is_some_and(|count| count >= 10)
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_typed_into_a_pod_arrive_once_however_often_its_exec_is_cut() -> Result<()> {
    let place = Place::start().await?;
    let id = place.create(expected::counter()).await?;
    let follower = place.follow(&id, 1).await?;
    follower.until("a ready program", |seen| seen.shows("ready")).await?;
    place.cluster.execs().cut_each_after(Some(20_001), None);
    place.cluster.execs().cut();
    let lines: Vec<String> = (0..2_000).map(|line| format!("line {line} of some length")).collect();
    for line in &lines {
        follower.type_input(format!("{line}\n"));
    }
    follower.until_end("the last line", |seen| seen.contains("\r\n2000:line 1999")).await?;
    // The end of the output is kept.
    let expected = expected::counted(&lines);
    let expected = &expected[expected.len() - 50_000..];
    ensure!(follower.seen().recent().contains(expected), "lines are missing or repeated");
    ensure!(place.cluster.execs().opened() > 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_exits_ends_its_pod_and_deleting_the_session_its_volume() -> Result<()> {
    let place = Place::start().await?;
    let id = place.create(expected::shell()).await?;
    let pod = place.ready(&id).await?.pod;
    let (pods, claims) = (place.cluster.pods(), place.cluster.claims());
    ensure!(pods.names() == [&*pod] && claims.names() == [&*pod], "{:?}", pods.names());
    let listed: HostPods =
        place.api.get(&format!("/api/hosts/{}/pods", host_id(&place.api).await?)).await?;
    ensure!(listed.cluster.pods[0].session_id.as_ref() == Some(&id), "{listed:?}");
    let follower = place.follow(&id, 1).await?;
    follower.type_input("exit 3\r");
    follower.until("the end", |seen| matches!(seen.status, ClientStatus::Ended(_))).await?;
    let status = place.api.status(&id).await?;
    ensure!(status.summary.exit_code == Some(3), "{status:?}");
    wait_until("the pod to go", async || pods.names().is_empty()).await?;
    ensure!(claims.names() == [&*pod], "the files stay");
    place.api.delete(&id).await?;
    wait_until("the volume to go", async || claims.names().is_empty()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_refuses_is_told_and_leaves_nothing_behind() -> Result<()> {
    let place = Place::start().await?;
    let refused = async |body: Value| place.api.call(Method::POST, "/api/sessions", body).await;
    let pod = json!({ "pod": {} });
    place.cluster.script_next(PodScript::QuotaExceeded("pods".to_owned()));
    let (status, body) = refused(pod.clone()).await?;
    let message = body["message"].to_string();
    ensure!(status == 503 && message.contains("quota"), "{status} {body}");
    place.cluster.forbid("create", "pods");
    let (status, body) = refused(pod.clone()).await?;
    let message = body["message"].to_string();
    ensure!(status == 400 && message.contains("forbidden"), "{status} {body}");
    place.cluster.allow("create", "pods");
    let (status, body) = refused(json!({ "pod": { "template": "none" } })).await?;
    ensure!(status == 400 && body["message"].to_string().contains("none"), "{status} {body}");
    let (status, _) = refused(json!({ "pod": { "memory": "much" } })).await?;
    ensure!(status == 400);
    place.cluster.pods().occupy("exec-session-1");
    let (status, body) = refused(json!({ "pod": {}, "sessionId": "session_1" })).await?;
    ensure!(status == 400 && body["message"].to_string().contains("else"), "{status} {body}");
    place.cluster.set_unauthorized(true);
    let (status, body) = refused(pod.clone()).await?;
    ensure!(status == 400 && body["message"].to_string().contains("log in"), "{status} {body}");
    place.cluster.set_unauthorized(false);
    ensure!(place.cluster.pods().names() == ["exec-session-1"]);
    wait_until("the volumes to go", async || place.cluster.claims().names().is_empty()).await?;
    ensure!(place.api.list().await?.iter().all(|it| it.lifecycle != Lifecycle::Live));
    // And then it works.
    let id = place.create(expected::shell()).await?;
    place.ready(&id).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_kept_by_the_host() -> Result<()> {
    let place = Place::start().await?;
    let path = format!("/api/hosts/{}/pods", host_id(&place.api).await?);
    let template = json!({ "name": "small", "image": "busybox:1", "memory": "64Mi" });
    let stored = place.api.expect(200, Method::POST, &path, template).await?;
    ensure!(stored["templates"][1]["memory"] == "64Mi", "{stored}");
    ensure!(stored["templates"][0]["name"] == "default", "{stored}");
    let bad = json!({ "name": "small", "image": "a b" });
    ensure!(place.api.call(Method::POST, &path, bad).await?.0 == 400);
    let created = json!({ "pod": { "template": "small", "cpu": "250m" }, "command": ["cat"] });
    let created = place.api.expect(201, Method::POST, "/api/sessions", created).await?;
    let id: SessionId = serde_json::from_value(created["sessionId"].clone())?;
    let name = place.ready(&id).await?.pod;
    let pod = place.cluster.pods().get(&name).context("no pod")?;
    let container = &pod["spec"]["containers"][0];
    ensure!(container["image"] == "busybox:1", "{container}");
    let limits = json!({ "cpu": "250m", "memory": "64Mi" });
    ensure!(container["resources"]["limits"] == limits, "{container}");
    let removed = format!("{path}?template=small");
    place.api.expect(200, Method::DELETE, &removed, json!({})).await?;
    ensure!(place.api.call(Method::DELETE, &removed, json!({})).await?.0 == 404);
    Ok(())
}
