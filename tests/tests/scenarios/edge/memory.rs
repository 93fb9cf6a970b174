//! Clients that take nothing do not make the relay keep anything for them.

use std::cell::Cell;

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::digest::Digest;
use moorline_tests::expected::Flood;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::relay::Relay;
use moorline_tests::wire::{Greeting, Wire};

use super::plain;

/// A hundred megabytes.
const FLOOD: Flood = Flood { lines: 12_000_000 };
/// A part is less than the backlog, so that a reader on a slow machine needs no snapshot.
const PARTS: u64 = 20;
/// Those that take nothing, of each kind.
const STALLED: u64 = 4;
/// What they may take: the credit of each, some of it twice on its way, and what V8 has not collected.
/// Whatever is kept for a kind of them that does not count against it is the flood itself, 75 MB for each
/// of four.
const MOST_BYTES: u64 = 100 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_take_nothing_leave_memory_bounded() -> Result<()> {
    let relay = plain().await?;
    let session = relay.api().run_ready(FLOOD.command_in_parts(PARTS)).await?;
    let reader = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    // What the flood itself takes, with V8's habits.
    let most = Cell::new(0);
    flood(&relay, &reader, 1..=PARTS / 4, &most).await?;
    let alone = most.take();
    let mut stalled = Vec::new();
    for seed in 2..2 + STALLED {
        let follower = Follower::live(Following::new(relay.address(), &session, seed)).await?;
        follower.stall(true);
        stalled.push(follower);
    }
    let _silent = silent(&relay, &session).await?;
    flood(&relay, &reader, PARTS / 4 + 1..=PARTS, &most).await?;
    reader.until("the end", |seen| seen.contains(Flood::END)).await?;
    let output = FLOOD.output();
    ensure!(output.len() > 100_000_000, "a flood of {} bytes", output.len());
    ensure!(reader.seen().digest == Digest::of(&output), "{}", reader.seen().describe());
    let grown = most.get().saturating_sub(alone);
    ensure!(grown < MOST_BYTES, "the relay grew from {alone} by {grown} bytes");
    Ok(())
}

/// Clients that know only the first protocol, which has no acknowledgements.
async fn silent(relay: &Relay, session: &SessionId) -> Result<Vec<Wire>> {
    let mut wires = Vec::new();
    for _ in 0..STALLED {
        let mut wire = Wire::connect(relay, session, &Greeting::ic1()).await?;
        wire.resume(None).await?;
        wires.push(wire);
    }
    Ok(wires)
}

/// Floods, and notes the most memory that the relay takes.
async fn flood(
    relay: &Relay,
    reader: &Follower,
    parts: std::ops::RangeInclusive<u64>,
    most: &Cell<u64>,
) -> Result<()> {
    let note = || most.set(most.get().max(relay.usage().map_or(0, |usage| usage.rss_bytes)));
    for part in parts {
        reader.flood_part(FLOOD, (part, PARTS), note).await?;
    }
    Ok(())
}
