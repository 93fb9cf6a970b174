//! What only the edge has: objects that lose their memory while their sockets stay, storage of their own,
//! and one memory for all of them.

mod away;
mod deploying;
mod eviction;
mod expiry;
mod fencing;
mod hibernation;
mod many;
mod memory;
mod retention;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use moorline_shared::id::SessionId;
use moorline_tests::digest::Digest;
use moorline_tests::follower::{Follower, Following, Seen};
use moorline_tests::relay::{Kind, Relay, Setup};
use tokio::time::timeout;

/// The Worker, with these variables.
async fn with(variables: &[(&str, &str)]) -> Result<Relay> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables = variables.iter().map(owned).collect();
    Relay::start_as(Kind::Edge, Setup { variables, ..Setup::default() }).await
}

/// The Worker as it is deployed.
async fn plain() -> Result<Relay> {
    with(&[]).await
}

/// Starts a program that says first that it is ready, and follows it from there on.
async fn ready(relay: &Relay, command: Vec<String>, seed: u64) -> Result<(SessionId, Follower)> {
    let session = relay.api().run(command).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, seed)).await?;
    until_ready(&follower).await?;
    Ok((session, follower))
}

async fn until_ready(follower: &Follower) -> Result<()> {
    let is_ready = |seen: &Seen| seen.shown().lines.first().is_some_and(|line| line == "ready");
    follower.until("the program to be ready", is_ready).await
}

/// Whether this is all that came after the program was ready, byte for byte. Where memory goes, that it is
/// ready may come in a snapshot or as output.
fn is_exact(seen: &Seen, output: &[u8]) -> bool {
    ["", "ready", "ready\r\n"]
        .iter()
        .any(|before| seen.digest == Digest::of(&[before.as_bytes(), output].concat()))
}

/// Takes the memory of all objects away. Now and then workerd does not answer: then it is asked again.
async fn evict(relay: &Relay) -> Result<()> {
    for _ in 0..8 {
        if let Ok(evicted) = timeout(Duration::from_secs(3), relay.evict()).await {
            return evicted;
        }
    }
    bail!("workerd takes no memory away")
}

/// What all files below a folder take.
fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // One that is gone meanwhile takes nothing.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
