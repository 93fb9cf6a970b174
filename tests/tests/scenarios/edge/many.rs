//! Many sessions at once, each in an object of its own.

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorline_tests::expected;
use moorline_tests::stand_in::Honest;

use super::{evict, is_exact, plain, ready, with};

const SESSIONS: u64 = 100;
/// How many are made at a time.
const AT_ONCE: usize = 8;
/// What all of them may take: a fifth of what one isolate may have at Cloudflare, and workerd's own.
const MOST_BYTES: u64 = 400 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sessions_at_once_are_each_exact() -> Result<()> {
    let relay = with(&[("MOORLINE_FORGETS", "0.01")]).await?;
    let before = relay.usage()?.rss_bytes;
    let begun = stream::iter(0..SESSIONS).map(|number| ready(&relay, expected::counter(), number));
    let sessions: Vec<_> = begun.buffered(AT_ONCE).try_collect().await?;
    let mut lines = Vec::new();
    for round in 1..=3 {
        let line = move |number: usize| format!("round {round} of session {number}");
        for (number, (_, follower)) in sessions.iter().enumerate() {
            follower.type_input(format!("{}\r", line(number)));
        }
        lines.push(line);
    }
    for (number, (session, follower)) in sessions.iter().enumerate() {
        let typed: Vec<_> = lines.iter().map(|line| line(number)).collect();
        let output = expected::counted(&typed);
        let last = format!("3:{}\r\n", typed[2]);
        follower.until("every line", |seen| seen.contains(&last)).await?;
        follower.until("every line to be taken", |seen| seen.pending == 0).await?;
        let seen = follower.seen();
        ensure!(is_exact(&seen, output.as_bytes()), "{session}: {}", seen.describe());
        ensure!(seen.troubles.is_empty(), "{session}: {}", seen.describe());
    }
    let list = relay.api().list().await?;
    ensure!(list.len() as u64 == SESSIONS, "{} are listed", list.len());
    let grown = relay.usage()?.rss_bytes - before;
    ensure!(grown < MOST_BYTES, "it grew by {grown} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_wakes_no_session() -> Result<()> {
    let relay = plain().await?;
    let mut hosts = Vec::new();
    for number in 0..10 {
        let (host, session) = (format!("stand_in_{number}"), format!("listed_{number:02}"));
        let mut host = Honest::publish(&relay, &host.parse()?, &session.parse()?, 7).await?;
        host.put_out("something\r\n").await?;
        host.until_durable().await?;
        hosts.push(host);
    }
    evict(&relay).await?;
    let list = relay.api().list().await?;
    ensure!(list.len() == hosts.len(), "{list:?}");
    ensure!(list.iter().all(|session| session.clients == 0), "{list:?}");
    // One that had woken would have asked its host where to begin, and once more now.
    evict(&relay).await?;
    for host in &mut hosts {
        let asked = host.asked();
        host.put_out("more\r\n").await?;
        host.until_durable().await?;
        ensure!(host.asked() == asked + 1, "asked {} times, then {}", asked, host.asked());
    }
    let first = list.first().context("ten are listed")?;
    ensure!(relay.api().status(&first.session_id).await?.head.0 == 2);
    Ok(())
}
