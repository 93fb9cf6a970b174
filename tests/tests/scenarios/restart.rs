//! A relay that ends, in good order or not, and comes back.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::event::Activity;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::link::Status;
use moorline_shared::session::{ExitStatus, Lifecycle};
use moorline_tests::expected;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::relay::Relay;
use moorline_tests::screen::Shown;
use moorline_tests::wait::wait_until;
use moorline_tests::wire::{Greeting, Received, Wire};

/// A relay with a session that runs, one that ended with 3, and one that was killed.
struct Before {
    relay: Relay,
    running: SessionId,
    ended: SessionId,
    killed: SessionId,
    shown: Shown,
    /// Head and tail of the log of the one that ended.
    log: (Seq, Seq),
}

async fn prepare() -> Result<Before> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let sh = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    let running = api.run_ready(expected::counter()).await?;
    let ended = api.run(sh("seq 1 2000; exit 3")).await?;
    let killed = api.run(sh("kill -KILL $$")).await?;
    let follower = Follower::live(Following::new(relay.address(), &running, 1)).await?;
    follower.type_input("kept\r");
    follower.until("the line", |seen| seen.contains("1:kept\r\n")).await?;
    let shown = follower.seen().shown();
    for id in [&ended, &killed] {
        wait_until("the session to end", async || {
            api.status(id).await.is_ok_and(|status| status.summary.status == Activity::Exited)
        })
        .await?;
    }
    let status = api.status(&ended).await?;
    let log = (status.head, status.tail);
    Ok(Before { relay, running, ended, killed, shown, log })
}

async fn check(before: &Before) -> Result<()> {
    let Before { relay, running, ended, killed, shown, log } = before;
    let api = relay.api();
    let list = api.list().await?;
    let of = |id: &SessionId| {
        list.iter().find(|session| session.session_id == *id).cloned().context("it is not listed")
    };
    ensure!(list.len() == 3, "{list:?}");
    let ways = [(Lifecycle::Lost, None), (Lifecycle::Exited, Some("SIGHUP".to_owned()))];
    let now = of(running)?;
    ensure!(ways.contains(&(now.lifecycle, now.exit_signal.clone())), "{now:?}");
    ensure!(of(ended)?.lifecycle == Lifecycle::Exited, "{:?}", of(ended)?);
    ensure!(of(ended)?.exit_code == Some(3), "{:?}", of(ended)?);
    ensure!(of(killed)?.exit_signal.as_deref() == Some("SIGKILL"), "{:?}", of(killed)?);

    let lost = Follower::start(Following::new(relay.address(), running, 2));
    lost.until("the end of the lost one", |seen| matches!(seen.status, Status::Ended(_))).await?;
    ensure!(lost.seen().shown() == *shown, "{:?}", lost.seen().shown());

    let status = api.status(ended).await?;
    ensure!((status.head, status.tail) == *log, "{status:?} instead of {log:?}");
    let follower = Follower::start(Following::new(relay.address(), ended, 3));
    follower
        .until(
            "the end",
            |seen| matches!(&seen.status, Status::Ended(exit) if exit.code == Some(3)),
        )
        .await?;
    ensure!(follower.seen().shown().lines[22] == "2000", "{:?}", follower.seen().shown());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_orderly_end_all_is_there() -> Result<()> {
    let mut before = prepare().await?;
    let mut wire = Wire::connect(&before.relay, &before.running, &Greeting::extended()).await?;
    wire.resume(None).await?;
    wire.skip_to("resumed").await?;
    let (status, code) = {
        let stopped = before.relay.stop();
        let closed = wire.close_code();
        let (status, code) = tokio::join!(stopped, closed);
        (status?, code?)
    };
    ensure!(code == 1001, "closed with {code}");
    ensure!(status.success(), "it ended with {status}:\n{}", before.relay.log());
    before.relay.launch().await?;
    check(&before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_all_is_there() -> Result<()> {
    let mut before = prepare().await?;
    // Delivery does not wait for the disk: what was on the wire a moment ago may not be there yet.
    before.relay.until_stored(&["1:kept\r\n", "1999\r\n2000\r\n", "SIGKILL"]).await?;
    before.relay.kill().await?;
    before.relay.launch().await?;
    check(&before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_of_a_session_finds_it_again() -> Result<()> {
    let mut relay = Relay::start().await?;
    let session = relay.api().run(expected::counter()).await?;
    relay.kill().await?;
    relay.launch().await?;
    ensure!(relay.api().status(&session).await?.summary.lifecycle == Lifecycle::Lost);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_comes_back_by_itself_and_is_told() -> Result<()> {
    let mut relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    let shown = follower.seen().shown();
    relay.until_stored(&["1:one\r\n"]).await?;
    relay.kill().await?;
    follower.until("the loss", |seen| seen.closes == [1006]).await?;
    relay.launch().await?;
    let lost = Status::Ended(ExitStatus::default());
    follower.until("the end", |seen| seen.status == lost).await?;
    ensure!(follower.seen().shown() == shown, "{:?}", follower.seen().shown());
    let mut wire = Wire::connect(&relay, &session, &Greeting::ic1()).await?;
    wire.resume(None).await?;
    loop {
        if let Received::Closed(code) = wire.next().await? {
            ensure!(code == 1000, "closed with {code}");
            return Ok(());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_deleted_leaves_nothing() -> Result<()> {
    let mut relay = Relay::start().await?;
    let api = relay.api();
    // Its process would rather stay.
    let script = "trap '' HUP TERM; printf ready; while :; do sleep 1; done";
    let session = api.run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    let pid = api.status(&session).await?.pid.context("it runs")?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    api.delete(&session).await?;
    let refused = Status::Refused { code: 4404 };
    follower.until("the news of it", |seen| seen.status == refused).await?;
    let process = format!("/proc/{pid}/stat");
    wait_until("the process to end", async || {
        // One that has ended and was not waited for is a zombie: `Z`.
        std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "))
    })
    .await?;
    let (status, body) =
        api.refusal(reqwest::Method::GET, &format!("/api/session/{session}/status")).await?;
    ensure!(status == 404 && body.code == "not_found", "{status} {body:?}");
    relay.stop().await?;
    relay.launch().await?;
    ensure!(relay.api().list().await?.is_empty(), "it is back");
    Ok(())
}
