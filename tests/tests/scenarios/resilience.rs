//! Connections that break, at any byte and in any way.

use std::cell::Cell;

use anyhow::{Result, ensure};
use moorline_shared::limits::DEAD_AFTER;
use moorline_shared::link::ClientStatus;
use moorline_tests::digest::Digest;
use moorline_tests::expected::{self, Flood};
use moorline_tests::follower::{Follower, Following, Seen};
use moorline_tests::proxy::{Proxy, Way};
use moorline_tests::random::Random;
use moorline_tests::relay::{Kind, Relay};
use tokio::time::Instant;

/// Small enough that a client which misses all of it still gets each byte, not a snapshot.
const FLOOD: Flood = Flood { lines: 900_000 };

async fn survive_cuts(seed: u64, cuts: usize) -> Result<()> {
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let session = relay.api().run_ready(FLOOD.command()).await?;
    let follower = Follower::live(Following::new(proxy.address(), &session, seed)).await?;
    let mut random = Random::new(seed);
    proxy.cut_after(Way::Down, random.between(1, 300_000));
    follower.type_input("\r");
    for cut in 1..=cuts {
        let before = follower.seen().dials;
        follower.until_end(&format!("cut {cut}"), |_| proxy.was_cut(Way::Down)).await?;
        follower.until("the cut to be noticed", |seen| seen.closes.len() >= cut).await?;
        if cut < cuts {
            // Counted from the next connection's first byte: the handshake may be cut, too.
            proxy.cut_after(Way::Down, random.between(1, 300_000));
        }
        follower.dial();
        follower.until("another dial", |seen| seen.dials > before).await?;
    }
    follower.until_end("all of the output", |seen| seen.contains(Flood::END)).await?;
    let seen = follower.seen();
    let expected = FLOOD.output();
    ensure!(seen.digest == Digest::of(&expected), "not byte-exact: {}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    ensure!(seen.dials as usize > cuts, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_is_cut_at_any_byte_arrives_exactly() -> Result<()> {
    for seed in 1..=4 {
        survive_cuts(seed, 10).await.map_err(|error| error.context(format!("seed {seed}")))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_typed_into_a_breaking_network_arrive_once() -> Result<()> {
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(proxy.address(), &session, 7)).await?;
    let mut random = Random::new(7);
    let mut lines = Vec::new();
    for number in 0..60 {
        let way = if random.between(0, 2) == 0 { Way::Up } else { Way::Down };
        proxy.cut_after(way, random.between(1, 400));
        while !proxy.was_cut(way) {
            let line = format!("line-{number}-{}", "x".repeat(random.between(0, 60) as usize));
            follower.type_input(format!("{line}\r"));
            lines.push(line);
            let taken = |seen: &Seen| seen.typed == lines.len() && seen.pending == 0;
            let done = |seen: &Seen| taken(seen) || proxy.was_cut(way);
            follower.until("the line to be taken, or the cut", done).await?;
        }
        follower.until("the cut to be noticed", |seen| seen.status != ClientStatus::Live).await?;
        // Typed while there is no connection.
        lines.push(format!("offline-{number}"));
        follower.type_input(format!("offline-{number}\r"));
        follower.dial();
        follower.until("another connection", |seen| seen.status == ClientStatus::Live).await?;
    }
    let output = expected::counted(&lines);
    follower.until_end("every line", |seen| seen.digest.bytes() >= output.len() as u64).await?;
    follower.until("every line to be taken", |seen| seen.pending == 0).await?;
    let seen = follower.seen();
    ensure!(seen.digest == Digest::of(output.as_bytes()), "{}", seen.describe());
    ensure!(seen.dials > 60 && seen.troubles.is_empty(), "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_in_silence_is_found_and_replaced() -> Result<()> {
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(proxy.address(), &session, 1)).await?;
    let witness = Follower::live(Following::new(relay.address(), &session, 2)).await?;
    proxy.silence(true);
    follower.type_input("typed into nothing\r");
    // The page became visible, say: the machine asks for a sign of life, and gets none.
    follower.wake();
    follower
        .until("the silence to be noticed", |seen| {
            matches!(seen.status, ClientStatus::Waiting { .. } | ClientStatus::Connecting)
        })
        .await?;
    ensure!(!witness.seen().contains("typed into nothing"), "the network was not silent");
    // What was held back reaches the relay now, on the old connection; then comes the new one.
    proxy.silence(false);
    follower.dial();
    follower.until("the line", |seen| seen.contains("1:typed into nothing\r\n")).await?;
    follower.type_input("and once more\r");
    witness.until("the next line", |seen| seen.contains("2:and once more\r\n")).await?;
    follower.until("nothing to be pending", |seen| seen.pending == 0).await?;
    ensure!(follower.seen().troubles.is_empty(), "{}", follower.seen().describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_client_costs_nobody_anything() -> Result<()> {
    const LARGE: Flood = Flood { lines: 24_000_000 };
    // A part is less than the backlog, so that a reader on a slow machine needs no snapshot either.
    const PARTS: u64 = 40;
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(LARGE.command_in_parts(PARTS)).await?;
    let reader = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    let stalled = Follower::live(Following::new(relay.address(), &session, 2)).await?;
    stalled.stall(true);
    let since = Instant::now();
    let before = relay.usage()?.rss_bytes;
    let most = Cell::new(before);
    let note = || most.set(most.get().max(relay.usage().map_or(0, |usage| usage.rss_bytes)));
    for part in 1..=PARTS {
        reader.flood_part(LARGE, (part, PARTS), note).await?;
    }
    reader.until("the end", |seen| seen.contains(Flood::END)).await?;
    let most = most.get().max(relay.usage()?.rss_bytes);
    let output = LARGE.output();
    ensure!(output.len() > 200_000_000, "a flood of {} bytes", output.len());
    ensure!(reader.seen().digest == Digest::of(&output), "{}", reader.seen().describe());
    // workerd collects its garbage late; without a bound all of the flood would wait there, too.
    let allowed = if relay.kind() == Kind::Edge { 160 << 20 } else { 60 << 20 };
    ensure!(most - before < allowed, "the relay grew from {before} to {most} bytes");
    ensure!(stalled.seen().digest.bytes() < 16 << 20, "{}", stalled.seen().describe());

    stalled.stall(false);
    stalled.until_end("the same screen", |seen| seen.shown() == reader.seen().shown()).await?;
    let seen = stalled.seen();
    ensure!(seen.snapshots > 0 && seen.closes.is_empty(), "{}", seen.describe());
    // By itself it dials again where it has heard nothing for too long, as on a slow machine.
    ensure!(seen.dials == 1 || since.elapsed() > DEAD_AFTER, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_share_a_session() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let one = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    let two = Follower::live(Following::new(relay.address(), &session, 2)).await?;
    one.type_input("from one\r");
    two.until("what the other typed", |seen| seen.contains("1:from one\r\n")).await?;
    two.type_input("from two\r");
    one.until("what the other typed", |seen| seen.contains("2:from two\r\n")).await?;
    ensure!(one.seen().shown() == two.seen().shown(), "{:?}", two.seen().shown());
    drop(two);
    one.type_input("alone\r");
    one.until("what it typed", |seen| seen.contains("3:alone\r\n")).await?;
    Ok(())
}
