//! Memory of an idle client and of an idle session.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use moorline_shared::event::Activity;
use moorline_shared::id::SessionId;
use moorline_shared::rest::CreateSession;
use moorline_tests::wait::wait_until;
use tempfile::TempDir;

use super::lean::Lean;
use super::program;
use super::stage::Stage;
use super::table::{Table, Target};

/// Budget of an idle session, at the relay and the host together, without its program's own memory.
const SESSION_KB: f64 = 64.0;

/// Sessions started before the measured ones, to pay one-time costs.
const WARM_SESSIONS: usize = 20;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    // Memory left behind by floods would hide the figures.
    stage.renew()?;
    measure_clients(stage, table)?;
    measure_sessions(stage, table)
}

fn measure_clients(stage: &Stage, table: &mut Table) -> Result<()> {
    // These clients pay one-time costs.
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
    let client = each(before, with_clients, stage.scale.idle);
    table.add("memory of an idle client", client, "KB", Target::AtMost(20.0));
    Ok(())
}

/// Measures shells that wait at a marked prompt.
fn measure_sessions(stage: &Stage, table: &mut Table) -> Result<()> {
    let home = TempDir::with_prefix("moorline-bench-")?;
    let sessions = stage.scale.idle;
    start_shells(stage, &home, WARM_SESSIONS)?;
    let (relay, host) = (stage.settle()?.rss_bytes, stage.settle_host()?.rss_bytes);
    start_shells(stage, &home, sessions)?;
    let at_relay = each(relay, stage.settle()?.rss_bytes, sessions);
    let at_host = each(host, stage.settle_host()?.rss_bytes, sessions);
    table.add("memory of an idle session at the relay", at_relay, "KB", Target::AtMost(40.0));
    table.add("memory of an idle session at the host", at_host, "KB", Target::None);
    let both = at_relay + at_host;
    table.add("memory of an idle session at both", both, "KB", Target::Bound(SESSION_KB));
    Ok(())
}

fn start_shells(stage: &Stage, home: &TempDir, count: usize) -> Result<()> {
    let path = home.path().to_str().context("the path is no UTF-8")?;
    let wish = CreateSession {
        command: Some(program::shell()),
        env: BTreeMap::from([("HOME".to_owned(), path.to_owned())]),
        cols: Some(80),
        rows: Some(24),
        ..CreateSession::default()
    };
    let sessions = (0..count).map(|_| stage.create(&wish)).collect::<Result<Vec<_>>>()?;
    sessions.iter().try_for_each(|session| until_idle(stage, session))
}

/// Waits until a shell is at its first prompt.
fn until_idle(stage: &Stage, session: &SessionId) -> Result<()> {
    let api = stage.relay.api();
    let is_idle = async || {
        let status = api.status(session).await;
        status.is_ok_and(|status| status.summary.status == Activity::Idle)
    };
    stage.block_on(wait_until("a shell's prompt", is_idle))
}

/// Kilobytes of growth per item.
fn each(from: u64, to: u64, count: usize) -> f64 {
    to.saturating_sub(from) as f64 / 1e3 / count as f64
}

fn follow(stage: &Stage, session: &SessionId, number: usize) -> Result<Lean> {
    let mut client = Lean::connect(stage.relay.address(), session)?;
    client.resume(&format!("bench-idler-{number}"), "snapshot")?;
    Ok(client)
}
