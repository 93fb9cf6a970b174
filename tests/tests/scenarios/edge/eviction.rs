//! Memory that goes between any two events, by chance and at chosen points.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::link::ClientStatus;
use moorline_shared::session::Size;
use moorline_tests::expected::{self, Flood};
use moorline_tests::follower::{Follower, Following};
use moorline_tests::random::Random;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;

use super::{is_exact, ready, with};

/// Small enough that a client which misses all of it still gets each byte, not a snapshot.
const FLOOD: Flood = Flood { lines: 900_000 };
/// The share of its events at which an object loses its memory.
const OFTEN: &str = "0.05";
/// The same in a flood, where each loss has a host send all again that is not durable, which may be
/// hundreds of messages.
const OFTEN_IN_A_FLOOD: &str = "0.01";
/// How much [`talker`] says to a line.
const NUMBERS: u64 = 2000;
const LINES: u64 = 40;

/// A program that answers each line with its number, itself, and many numbers.
fn talker() -> Vec<String> {
    let script = format!(
        "stty -echo; n=0; printf 'ready\\n'; while read -r line; do n=$((n+1)); \
         printf '%s:%s\\n' \"$n\" \"$line\"; seq 1 {NUMBERS}; done"
    );
    ["sh", "-c", &script].map(str::to_owned).to_vec()
}

/// What [`talker`] has put out for these lines, after `ready`.
fn answers(lines: &[String]) -> String {
    let numbers = (1..=NUMBERS).fold(String::new(), |mut text, number| {
        // A String takes everything.
        let _ = write!(text, "{number}\r\n");
        text
    });
    let answer = |(index, line)| format!("{}:{line}\r\n{numbers}", index + 1);
    lines.iter().enumerate().map(answer).collect()
}

/// Types lines as a seed says: some on top of each other, some when all is quiet.
async fn talk(relay: &Relay, seed: u64) -> Result<()> {
    let (_, follower) = ready(relay, talker(), seed).await?;
    let (mut random, mut lines) = (Random::new(seed), Vec::new());
    for number in 1..=LINES {
        let line = format!("line {}", random.next());
        follower.type_input(format!("{line}\r"));
        lines.push(line);
        if random.between(0, 3) == 0 {
            let begun = format!("{number}:");
            follower.until_end("the answer's beginning", |seen| seen.contains(&begun)).await?;
        }
    }
    let output = answers(&lines);
    let end: String = output.chars().skip(output.len() - 20_000).collect();
    follower.until_end("every answer", |seen| seen.recent().ends_with(&end)).await?;
    follower.until("every line to be taken", |seen| seen.pending == 0).await?;
    let seen = follower.seen();
    ensure!(is_exact(&seen, output.as_bytes()), "{}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_and_answered_is_exact_though_memory_goes_all_the_time() -> Result<()> {
    let relay = with(&[("MOORLINE_FORGETS", OFTEN)]).await?;
    for seed in 1..=4 {
        talk(&relay, seed).await.with_context(|| format!("seed {seed}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_exact_though_memory_goes_all_the_time() -> Result<()> {
    let relay = with(&[("MOORLINE_FORGETS", OFTEN_IN_A_FLOOD)]).await?;
    let (session, follower) = ready(&relay, FLOOD.command(), 1).await?;
    let other = Follower::live(Following::new(relay.address(), &session, 2)).await?;
    follower.type_input("\r");
    let output = FLOOD.output();
    for follower in [&follower, &other] {
        follower.until_end("all of it", |seen| seen.contains(Flood::END)).await?;
        let seen = follower.seen();
        ensure!(is_exact(&seen, &output), "{}", seen.describe());
        ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    }
    Ok(())
}

/// All that clients do, at once and one after the other.
async fn dialog(relay: &Relay) -> Result<()> {
    let (session, follower) = ready(relay, expected::counter(), 1).await?;
    follower.type_input("one\r");
    follower.until("the first line", |seen| seen.contains("1:one\r\n")).await?;
    follower.resize(Size { cols: 100, rows: 30 });
    let api = relay.api();
    wait_until("the new size", async || {
        api.status(&session).await.is_ok_and(|status| status.cols == 100)
    })
    .await?;
    follower.wake();
    follower.type_input("two\r");
    follower.type_input("three\r");
    let other = Follower::start(Following::new(relay.address(), &session, 2));
    follower.until("three lines", |seen| seen.contains("3:three\r\n")).await?;
    follower.until("all to be taken", |seen| seen.pending == 0).await?;
    other.until("a live follower", |seen| seen.status == ClientStatus::Live).await?;
    other.type_input("four\r");
    follower.until("the last line", |seen| seen.contains("4:four\r\n")).await?;
    other.until("the last line", |seen| seen.contains("4:four\r\n")).await?;
    let seen = follower.seen();
    let lines = ["one", "two", "three", "four"].map(str::to_owned);
    let output = expected::counted(&lines);
    ensure!(is_exact(&seen, output.as_bytes()), "{}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_clients_do_is_done_though_memory_goes_at_every_tenth_event() -> Result<()> {
    let relay = with(&[("MOORLINE_FORGETS", "0.1")]).await?;
    for time in 1..=5 {
        dialog(&relay).await.with_context(|| format!("time {time}"))?;
    }
    Ok(())
}
