//! A deployment ends every object where it stands, and each begins anew from its storage.

use anyhow::{Result, ensure};
use moorline_tests::digest::Digest;
use moorline_tests::expected::Flood;
use moorline_tests::follower::{Follower, Following, Seen};

use super::plain;

const FLOOD: Flood = Flood { lines: 1_200_000 };
const PARTS: u64 = 6;

/// Nobody helps: hosts and clients come back by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn deployments_in_a_flood_cost_nobody_a_byte() -> Result<()> {
    let mut relay = plain().await?;
    let session = relay.api().run_ready(FLOOD.command_in_parts(PARTS)).await?;
    let mut followers = Vec::new();
    for seed in 1..=3 {
        followers.push(Follower::live(Following::new(relay.address(), &session, seed)).await?);
    }
    let output = FLOOD.output();
    for part in 0..PARTS {
        // One after the other types, now and then into nothing.
        let typist = &followers[part as usize % followers.len()];
        typist.type_input("\r");
        let some = |seen: &Seen| seen.digest.bytes() > part * output.len() as u64 / PARTS + 50_000;
        followers[0].until_end("the beginning of a part", some).await?;
        if part % 2 == 0 {
            relay.kill().await?;
            relay.launch().await?;
        }
    }
    let whole = Digest::of(&output);
    for follower in &followers {
        follower.until_end("all of it", |seen| seen.digest.bytes() >= whole.bytes()).await?;
        follower.until("all to be taken", |seen| seen.pending == 0).await?;
        let seen = follower.seen();
        ensure!(seen.digest == whole, "{}", seen.describe());
        ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
        ensure!(seen.dials > PARTS / 2, "{}", seen.describe());
    }
    Ok(())
}
