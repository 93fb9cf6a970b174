//! The same in a real cluster, if `MOORLINE_TEST_KUBECONFIG` names one; in the fake one otherwise.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api as Objects, DeleteParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use moorline_tests::random::Random;
use moorline_tests::run_cluster::RunCluster;
use moorline_tests::workspaces::Workspace;
use tokio::time::{Instant, sleep};

use super::files::{content, run, synced_wish};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_survives_cuts_to_the_byte() -> Result<()> {
    // Small enough that a client which misses all of it still gets each byte, not a snapshot.
    const FLOOD: Flood = Flood { lines: 900_000 };
    let cluster = RunCluster::start().await?;
    let relay = Relay::start_with(cluster.setup()).await?;
    let api = relay.api();
    cluster.prepare(&api).await?;
    // A shell, which is there before and after.
    let script = FLOOD.command().pop().context("no script")?;
    let id = api.create(&wish(["sh", "-c", &script].map(str::to_owned).to_vec())).await?.session_id;
    States::open(&api, &id).await?.until(PodPhase::Ready).await?;
    let follower = Follower::live(Following::new(relay.address(), &id, 1)).await?;
    follower.until("a ready program", |seen| seen.shows("ready")).await?;
    let mut expected = follower.seen().digest;
    expected.update(&FLOOD.output());
    follower.type_input("\r");
    let (begun, mut cuts, mut random) = (Instant::now(), 0, Random::new(1));
    let limit = Duration::from_secs(if cluster.is_real { 60 } else { 5 });
    while begun.elapsed() < limit {
        // Not to wait for something: cuts come whenever they come.
        sleep(Duration::from_millis(random.between(20, 400))).await;
        cluster.proxy.cut();
        cuts += 1;
    }
    follower.until_end("all of the output", |seen| seen.contains(Flood::END)).await?;
    let digest = follower.seen().digest;
    ensure!(digest == expected, "not byte-exact after {cuts} cuts: {}", follower.seen().describe());
    follower.type_input("\r");
    follower.until("the end", |seen| matches!(seen.status, ClientStatus::Ended(_))).await?;
    api.delete(&id).await
}

/// A client of the cluster that is not the host's.
async fn client(cluster: &RunCluster) -> Result<Client> {
    let config = Kubeconfig::read_from(cluster.direct())?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

pub(super) async fn delete_pod(cluster: &RunCluster, name: &str) -> Result<()> {
    let pods: Objects<Pod> = Objects::default_namespaced(client(cluster).await?);
    pods.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Deletes a claim and the pod that uses it, and waits until the claim is gone.
async fn delete_claim(cluster: &RunCluster, name: &str) -> Result<()> {
    let claims: Objects<PersistentVolumeClaim> =
        Objects::default_namespaced(client(cluster).await?);
    claims.delete(name, &DeleteParams::default()).await?;
    // Its pod may have gone with it.
    let _ = delete_pod(cluster, name).await;
    wait_until("the claim to go", async || {
        claims.get_opt(name).await.is_ok_and(|claim| claim.is_none())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_with_a_session_from_pod_to_pod() -> Result<()> {
    let cluster = RunCluster::start().await?;
    let relay = Relay::start_with(cluster.setup()).await?;
    let api = relay.api();
    cluster.prepare(&api).await?;
    let files = Workspace::create(&api).await?;
    files.put("in/hello.txt", "hello\n").await?;
    files.put("in/data", content(3_000_000, 1)).await?;
    let id = api.create(&synced_wish(&files, vec!["sh".to_owned()])?).await?.session_id;
    let mut states = States::open(&api, &id).await?;
    let pod = states.until(PodPhase::Ready).await?.pod;
    let follower = Follower::live(Following::new(relay.address(), &id, 1)).await?;
    // There before the first command; and back, however often the connection is cut meanwhile.
    let script = "cat in/hello.txt; cat in/data in/hello.txt in/data >twice; echo one >changed";
    run(&follower, script, "round-1").await?;
    ensure!(follower.seen().contains("hello\r\nround-1"), "{}", follower.seen().describe());
    let twice = [&content(3_000_000, 1), &b"hello\n"[..], &content(3_000_000, 1)].concat();
    let mut random = Random::new(2);
    let limit = Instant::now() + Duration::from_secs(60);
    while files.read("twice").await?.is_none_or(|now| now != twice) {
        ensure!(Instant::now() < limit, "the files are not there");
        sleep(Duration::from_millis(random.between(100, 400))).await;
        cluster.proxy.cut();
    }
    // A pod that is deleted sends its last files; the next one gets what has changed meanwhile.
    run(&follower, "echo late >late", "round-2").await?;
    delete_pod(&cluster, &pod).await?;
    states.until(PodPhase::Suspended).await?;
    files.until_content("late", b"late\n").await?;
    files.put("changed", "changed meanwhile\n").await?;
    run(&follower, "cat changed", "round-3").await?;
    ensure!(
        follower.seen().contains("changed meanwhile\r\nround-3"),
        "{}",
        follower.seen().describe()
    );
    // One without the volume gets all of it from the database.
    delete_claim(&cluster, &pod).await?;
    states.until(PodPhase::Suspended).await?;
    run(&follower, "wc -c <twice; cat late; ls", "round-4").await?;
    let seen = follower.seen().recent();
    ensure!(seen.contains("6000006\r\nlate\r\nchanged"), "{seen}");
    run(&follower, "cat twice late >again", "round-5").await?;
    files.until_content("again", &[&twice, &b"late\n"[..]].concat()).await?;
    let listed: Vec<_> = files.listing().await?.into_keys().collect();
    let expected = ["again", "changed", "in", "in/data", "in/hello.txt", "late", "twice"];
    ensure!(listed == expected, "{listed:?}");
    api.delete(&id).await
}
