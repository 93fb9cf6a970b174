//! What an idle client and an idle session take.

use anyhow::Result;

use super::lean::Lean;
use super::program;
use super::stage::{Stage, settle};
use super::table::{Table, Target};

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    // What floods have left behind would hide it.
    stage.renew()?;
    let sessions = stage.scale.idle / 2;
    // The first ones also pay for what is made once.
    let warm = stage.run(program::idle())?;
    let mut clients = Vec::new();
    for number in 0..50 {
        clients.push(follow(stage, &warm, number)?);
    }
    let before = stage.settle()?.rss_bytes;
    for number in 50..50 + stage.scale.idle {
        clients.push(follow(stage, &warm, number)?);
    }
    let with_clients = stage.settle()?.rss_bytes;
    drop(clients);
    for _ in 0..20 {
        stage.run(program::idle())?;
    }
    let between = stage.settle()?.rss_bytes;
    let host_between = settle(|| stage.relay.host_usage())?.rss_bytes;
    for _ in 0..sessions {
        stage.run(program::idle())?;
    }
    let with_sessions = stage.settle()?.rss_bytes;
    let host_with_sessions = settle(|| stage.relay.host_usage())?.rss_bytes;
    let each =
        |from: u64, to: u64, count: usize| to.saturating_sub(from) as f64 / 1e3 / count as f64;
    let client = each(before, with_clients, stage.scale.idle);
    table.add("memory of an idle client", client, "KB", Target::AtMost(20.0));
    let session = each(between, with_sessions, sessions);
    let at_host = each(host_between, host_with_sessions, sessions);
    table.add("memory of an idle session at the relay", session, "KB", Target::AtMost(40.0));
    table.add(
        "memory of an idle session, relay and host",
        session + at_host,
        "KB",
        Target::AtMost(64.0),
    );
    Ok(())
}

fn follow(stage: &Stage, session: &moorline_shared::id::SessionId, number: usize) -> Result<Lean> {
    let mut client = Lean::connect(stage.relay.address(), session)?;
    client.resume(&format!("bench-idler-{number}"), "snapshot")?;
    Ok(client)
}
