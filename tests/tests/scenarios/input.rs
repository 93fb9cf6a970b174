//! What is typed faster than the program takes it, and sessions that begin with a socket.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::join_all;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_tests::api::Api;
use moorline_tests::plain::Plain;
use moorline_tests::relay::{Kind, Relay};
use moorline_tests::wait::wait_until;
use moorline_tests::wire::Greeting;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

/// One message, as a client sends it that pastes.
const MESSAGE: usize = 60 * 1024;
/// More than fits the sockets on the way and what may wait, by far.
const FLOOD_BYTES: usize = 128 * 1024 * 1024;
/// A socket that took nothing for so long is not read.
const STUCK: Duration = Duration::from_secs(2);

async fn plain(relay: &Relay, id: &str) -> Result<Plain> {
    let path = format!("/api/terminal/ws/{id}");
    Plain::connect(relay.address(), &path, &Greeting::ic1()).await
}

/// A program that shows that it runs and reads nothing.
async fn deaf(api: &Api) -> Result<SessionId> {
    let script = "stty raw -echo; printf ready; sleep 1000";
    api.run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_program_reads_is_not_gathered() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = deaf(&api).await?;
    let mut socket = plain(&relay, session.as_str()).await?;
    let message = "x".repeat(MESSAGE);
    if Kind::of_run()? == Kind::Edge {
        // A Worker cannot leave a socket unread, and takes nothing more from one that it closed.
        for _ in 0..20 {
            socket.send(message.as_str()).await?;
        }
        let (_, code) = socket.read_to_end().await?;
        ensure!(code == 4429, "closed with {code}");
        return api.delete(&session).await;
    }
    let mut sent = 0;
    while timeout(STUCK, socket.send(message.as_str())).await.is_ok_and(|sent| sent.is_ok()) {
        sent += MESSAGE;
        ensure!(sent < FLOOD_BYTES, "{sent} bytes were taken for a program that reads nothing");
    }
    api.delete(&session).await?;
    let (_, code) = socket.read_to_end().await?;
    ensure!(
        [close::NOT_FOUND, close::ABNORMAL].contains(&code),
        "closed with {code} after {sent} bytes"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_type_for_a_program_that_reads_nothing_are_refused() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = deaf(&api).await?;
    let path = format!("/api/terminal/{session}/input");
    let data = json!({"data": "x".repeat(MESSAGE)});
    let mut refused = None;
    for _ in 0..40 {
        let (status, answer) = api.call(Method::POST, &path, data.clone()).await?;
        if status != 200 {
            refused = Some((status, answer));
            break;
        }
    }
    let (status, answer) = refused.context("40 requests were taken")?;
    ensure!(status == 429 && answer["code"] == "overloaded", "{status}: {answer}");
    Ok(())
}

/// A client that waits for what it typed to be read needs nobody to wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_by_turns_arrives_whole() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "stty raw -echo; printf ready; while head -c 10000 | cksum; do :; done";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    let mut socket = plain(&relay, session.as_str()).await?;
    let sum = format!("{} 10000", cksum_of_x(10_000));
    for _ in 0..20 {
        socket.send("x".repeat(10_000)).await?;
        socket.read_until(&sum).await?;
    }
    Ok(())
}

/// What POSIX's cksum tells of so many times the letter x.
fn cksum_of_x(len: usize) -> u32 {
    let step = |sum: u32, byte: u8| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04C1_1DB7 }
        })
    };
    let data = std::iter::repeat_n(b'x', len);
    let length = (0..).map(|place| (len >> (8 * place)) as u8);
    let places = (0..).take_while(|place| len >> (8 * place) > 0).count();
    !data.chain(length.take(places)).fold(0, step)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_again_while_a_session_begins_gets_that_session() -> Result<()> {
    let relay = Relay::start().await?;
    // As React does it: mounted, unmounted and mounted again, at once.
    let first = plain(&relay, "strict_mode_1").await?;
    drop(first);
    let mut second = plain(&relay, "strict_mode_1").await?;
    second.send("echo second:$((6*7))\n").await?;
    second.read_until("second:42").await?;

    // So that the one that is given up is still being opened.
    let opening = timeout(Duration::from_millis(1), plain(&relay, "strict_mode_2"));
    drop(opening.await);
    let mut again = plain(&relay, "strict_mode_2").await?;
    again.send("echo again:$((6*7))\n").await?;
    again.read_until("again:42").await?;
    ensure!(relay.api().list().await?.len() == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_open_at_once_share_a_shell() -> Result<()> {
    let relay = Relay::start().await?;
    let sockets = join_all((0..8).map(|_| plain(&relay, "all_at_once"))).await;
    let mut sockets = sockets.into_iter().collect::<Result<Vec<_>>>()?;
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.send(format!("n{number}=here; echo $n0$n1$n2$n3$n4$n5$n6$n7.{number}\n")).await?;
        socket.read_until(&format!("{}.{number}", "here".repeat(number + 1))).await?;
    }
    ensure!(relay.api().list().await?.len() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_may_begin_a_session_while_the_one_before_is_removed() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    for round in 0..3 {
        let mut socket = plain(&relay, "once_more").await?;
        socket.send(format!("echo ${{round-first}}:$((1+{round})); round=seen\n")).await?;
        socket.read_until(&format!("first:{}", round + 1)).await?;
        let delete = api.expect(200, Method::DELETE, "/api/session/once_more", Value::Null);
        let (deleted, next) = tokio::join!(delete, plain(&relay, "once_more"));
        deleted?;
        // It may have come before the removal, and is closed with its session then.
        drop(next);
        wait_until("the session to be gone or begun anew", async || {
            let known = api.list().await.unwrap_or_default();
            known.iter().all(|session| session.session_id.as_str() == "once_more")
        })
        .await?;
        let _ = api.call(Method::DELETE, "/api/session/once_more", Value::Null).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_to_a_session_that_ended_is_told_why() -> Result<()> {
    let relay = Relay::start().await?;
    let mut socket = plain(&relay, "ends_soon").await?;
    socket.send("exit 3\n").await?;
    let (told, code) = socket.read_to_end().await?;
    ensure!(code == 1000 && !told.contains("Error: "), "{code}: {told:?}");
    let mut again = plain(&relay, "ends_soon").await?;
    let (told, code) = again.read_to_end().await?;
    ensure!(code == 1000 && told.contains("exit 3"), "{code}: {told:?}");
    ensure!(told.contains("Error: Session has ended") && told.contains("code 3"), "{told:?}");
    Ok(())
}

mod native {
    use super::*;

    /// Idle sessions that are measured.
    const IDLE: usize = 60;
    /// What relay and host take of an idle session together: a build for tests needs more than one
    /// for use, which is measured by the bench.
    const IDLE_BYTES: u64 = 110 * 1024;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_typed_too_fast_arrives_whole() -> Result<()> {
        let relay = Relay::start().await?;
        let total = 40 * MESSAGE;
        let script = format!("stty raw -echo; printf ready; sleep 1; head -c {total} | cksum");
        let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
        let session = relay.api().run_ready(command).await?;
        let mut socket = plain(&relay, session.as_str()).await?;
        for _ in 0..40 {
            socket.send("x".repeat(MESSAGE)).await?;
        }
        let sum = format!("{} {total}", cksum_of_x(total));
        socket.read_until(&sum).await?;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_idle_session_takes_little_memory() -> Result<()> {
        let relay = Relay::start().await?;
        let api = relay.api();
        let idle = || ["sh", "-c", "printf ready; sleep 1000"].map(str::to_owned).to_vec();
        let rss =
            || Ok::<_, anyhow::Error>(relay.usage()?.rss_bytes + relay.host_usage()?.rss_bytes);
        // The first ones also pay for what is made once.
        for _ in 0..20 {
            api.run_ready(idle()).await?;
        }
        let before = rss()?;
        for _ in 0..IDLE {
            api.run_ready(idle()).await?;
        }
        let mut each = 0;
        wait_until("idle sessions to give back what they began with", async || {
            each = rss().map_or(u64::MAX, |now| now.saturating_sub(before) / IDLE as u64);
            each <= IDLE_BYTES
        })
        .await
        .with_context(|| format!("{each} bytes each"))
    }
}
