//! Hosts: the relay's own, which outlives it, others that dial in, and such as do it wrong.

mod dialling;

use anyhow::{Result, ensure};
use moorline_shared::link::ClientStatus;
use moorline_shared::rest::{HostList, HostSummary};
use moorline_shared::session::{ExitStatus, Lifecycle};
use moorline_tests::digest::Digest;
use moorline_tests::expected::{self, Flood};
use moorline_tests::follower::{Follower, Following, Seen};
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::wait_until;

/// Small enough that a client which misses all of it still gets each byte, not a snapshot.
const FLOOD: Flood = Flood { lines: 900_000 };

/// What the relay says of one host.
async fn host(relay: &Relay, id: &str) -> Result<Option<HostSummary>> {
    let list: HostList = relay.api().get("/api/hosts").await?;
    Ok(list.hosts.into_iter().find(|host| host.host_id.as_str() == id))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_in_a_flood_ends_no_shell_and_loses_no_byte() -> Result<()> {
    let mut relay = Relay::start().await?;
    let session = relay.api().run_ready(FLOOD.command()).await?;
    let pid = relay.api().status(&session).await?.pid;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("\r");
    for part in 1..=3 {
        let some = |seen: &Seen| seen.digest.bytes() > part * 200_000;
        follower.until_end("some of the output", some).await?;
        relay.kill().await?;
        relay.launch().await?;
        follower.dial();
        follower.until("another connection", |seen| seen.dials > part).await?;
    }
    follower.until_end("all of the output", |seen| seen.contains(Flood::END)).await?;
    let expected = FLOOD.output();
    {
        let seen = follower.seen();
        ensure!(seen.digest == Digest::of(&expected), "not byte-exact: {}", seen.describe());
        ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
        ensure!(seen.dials > 3, "{}", seen.describe());
    }
    let now = relay.api().status(&session).await?;
    ensure!((now.summary.lifecycle, now.pid) == (Lifecycle::Live, pid), "{now:?} and not {pid:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_stopped_takes_its_sessions_along() -> Result<()> {
    let mut relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    relay.stop_host().await?;
    let hung_up = ClientStatus::Ended(ExitStatus {
        code: None,
        signal: Some("SIGHUP".to_owned()),
        reason: None,
    });
    follower.until("the end", |seen| seen.status == hung_up).await?;
    // The relay sees to it that there is one again.
    relay.api().run_ready(expected::counter()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_host_that_is_killed_are_lost() -> Result<()> {
    let mut relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    let shown = follower.seen().shown();
    relay.kill_host().await?;
    let lost = ClientStatus::Ended(ExitStatus::default());
    follower.until("the loss", |seen| seen.status == lost).await?;
    ensure!(follower.seen().shown() == shown, "{:?}", follower.seen().shown());
    let now = relay.api().status(&session).await?.summary;
    ensure!(now.lifecycle == Lifecycle::Lost, "{now:?}");
    relay.api().run_ready(expected::counter()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_finds_the_host_again_that_another_one_started() -> Result<()> {
    let mut relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    relay.stop().await?;
    relay.launch().await?;
    // One that it did not start itself, it sees to as well.
    relay.kill_host().await?;
    let api = relay.api();
    wait_until("the loss of the session", async || {
        api.status(&session).await.is_ok_and(|now| now.summary.lifecycle == Lifecycle::Lost)
    })
    .await?;
    wait_until("another host", async || {
        host(&relay, "localhost").await.is_ok_and(|host| host.is_some_and(|host| host.connected))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_a_host_in_its_process_has_no_other() -> Result<()> {
    let relay = Relay::start_as(Kind::InProcess, Setup::default()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    ensure!(!relay.data_dir().join("relay.sock").exists(), "it listens for a host");
    let here = host(&relay, "localhost").await?;
    ensure!(here.as_ref().is_some_and(|host| host.connected && host.sessions == 1), "{here:?}");
    Ok(())
}
