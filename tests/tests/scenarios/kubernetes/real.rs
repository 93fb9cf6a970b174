//! The same in a real cluster, if `MOORLINE_TEST_KUBECONFIG` names one; in the fake one otherwise.

use std::time::Duration;

use moorline_tests::random::Random;
use moorline_tests::run_cluster::RunCluster;
use tokio::time::{Instant, sleep};

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
