//! A relay that ends, in good order or not, and comes back.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::event::Activity;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::link::ClientStatus;
use moorline_shared::message::close;
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::{ExitStatus, Lifecycle};
use moorline_tests::digest::Digest;
use moorline_tests::expected;
use moorline_tests::follower::{Follower, Following, Seen};
use moorline_tests::relay::{Kind, Relay, Setup};
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

async fn prepare(kind: Kind) -> Result<Before> {
    let relay = Relay::start_as(kind, Setup::default()).await?;
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
    ensure!(of(ended)?.lifecycle == Lifecycle::Exited, "{:?}", of(ended)?);
    ensure!(of(ended)?.exit_code == Some(3), "{:?}", of(ended)?);
    ensure!(of(killed)?.exit_signal.as_deref() == Some("SIGKILL"), "{:?}", of(killed)?);

    check_running(relay, running, shown).await?;

    let status = api.status(ended).await?;
    ensure!((status.head, status.tail) == *log, "{status:?} instead of {log:?}");
    let follower = Follower::start(Following::new(relay.address(), ended, 3));
    follower
        .until(
            "the end",
            |seen| matches!(&seen.status, ClientStatus::Ended(exit) if exit.code == Some(3)),
        )
        .await?;
    ensure!(follower.seen().shown().lines[22] == "2000", "{:?}", follower.seen().shown());
    Ok(())
}

/// It goes on where its host is another process, and is over where that was the relay's own.
async fn check_running(relay: &Relay, running: &SessionId, shown: &Shown) -> Result<()> {
    let follower = Follower::start(Following::new(relay.address(), running, 2));
    if relay.kind() == Kind::InProcess {
        let now = relay.api().status(running).await?.summary;
        let ways = [(Lifecycle::Lost, None), (Lifecycle::Exited, Some("SIGHUP".to_owned()))];
        ensure!(ways.contains(&(now.lifecycle, now.exit_signal.clone())), "{now:?}");
        let over = |seen: &Seen| matches!(seen.status, ClientStatus::Ended(_));
        follower.until("the end of the lost one", over).await?;
        ensure!(follower.seen().shown() == *shown, "{:?}", follower.seen().shown());
        return Ok(());
    }
    follower.until("a live session", |seen| seen.status == ClientStatus::Live).await?;
    ensure!(follower.seen().shown() == *shown, "{:?}", follower.seen().shown());
    follower.type_input("and on\r");
    follower.until("the next line", |seen| seen.contains("2:and on\r\n")).await?;
    Ok(())
}

/// A Worker has no orderly end.
mod native {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn after_an_orderly_end_all_is_there() -> Result<()> {
        end_in_good_order(Kind::of_run()?).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_an_orderly_end_of_a_single_process_all_is_there() -> Result<()> {
        end_in_good_order(Kind::InProcess).await
    }
}

async fn end_in_good_order(kind: Kind) -> Result<()> {
    let mut before = prepare(kind).await?;
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

async fn be_killed(kind: Kind) -> Result<()> {
    let mut before = prepare(kind).await?;
    // Delivery does not wait for the disk: what was on the wire a moment ago may not be there yet,
    // and is lost where the host goes with the relay.
    if kind == Kind::InProcess {
        before.relay.until_stored(&["1:kept\r\n", "1999\r\n2000\r\n", "SIGKILL"]).await?;
    }
    before.relay.kill().await?;
    before.relay.launch().await?;
    // The list hears of it a moment after.
    let api = before.relay.api();
    let over = [&before.ended, &before.killed];
    let is_over = |session: &SessionSummary| {
        !over.contains(&&session.session_id) || session.status == Activity::Exited
    };
    wait_until("what the host had kept", async || {
        api.list().await.is_ok_and(|list| list.iter().all(is_over))
    })
    .await?;
    check(&before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_all_is_there() -> Result<()> {
    be_killed(Kind::of_run()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_of_a_single_process_all_is_there() -> Result<()> {
    be_killed(Kind::InProcess).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_of_a_session_finds_it_again() -> Result<()> {
    for kind in [Kind::of_run()?, Kind::InProcess] {
        let mut relay = Relay::start_as(kind, Setup::default()).await?;
        let session = relay.api().run(expected::counter()).await?;
        relay.kill().await?;
        relay.launch().await?;
        let api = relay.api();
        let expected = match kind {
            Kind::InProcess => Lifecycle::Lost,
            Kind::Native | Kind::Edge => Lifecycle::Live,
        };
        wait_until("the session as it should be", async || {
            api.status(&session).await.is_ok_and(|status| status.summary.lifecycle == expected)
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_comes_back_by_itself_and_goes_on() -> Result<()> {
    let mut relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    relay.kill().await?;
    follower.until("the loss", |seen| seen.closes == [close::ABNORMAL]).await?;
    // Typed while nobody is there.
    follower.type_input("two\r");
    relay.launch().await?;
    follower.until("what was typed", |seen| seen.contains("2:two\r\n")).await?;
    follower.type_input("three\r");
    follower.until("the next line", |seen| seen.contains("3:three\r\n")).await?;
    follower.until("nothing to be pending", |seen| seen.pending == 0).await?;
    let seen = follower.seen();
    let output = "1:one\r\n2:two\r\n3:three\r\n";
    ensure!(seen.digest == Digest::of(output.as_bytes()), "{}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_comes_back_by_itself_and_is_told() -> Result<()> {
    let mut relay = Relay::start_as(Kind::InProcess, Setup::default()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    let shown = follower.seen().shown();
    relay.until_stored(&["1:one\r\n"]).await?;
    relay.kill().await?;
    follower.until("the loss", |seen| seen.closes == [close::ABNORMAL]).await?;
    relay.launch().await?;
    let lost = ClientStatus::Ended(ExitStatus::default());
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
    let refused = ClientStatus::Refused { code: 4404 };
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
