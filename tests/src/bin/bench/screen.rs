//! Time from connecting to a complete screen, after much earlier output.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;

use super::lean::{Came, Lean, snapshot_seq};
use super::program;
use super::stage::Stage;
use super::table::{Table, Target, percentile};

const BACKLOG_BYTES: u64 = 64 << 20;
/// Output before each newcomer, so that no earlier snapshot is recent enough.
const MORE_BYTES: u64 = 1 << 20;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    let program = super::stage::itself()?;
    let emit = program.display();
    let script = format!("{emit} emit {BACKLOG_BYTES}; while {emit} emit {MORE_BYTES}; do :; done");
    let session = stage.run(["sh", "-c", &script].map(str::to_owned).to_vec())?;
    let mut starter = Lean::connect(stage.relay.address(), &session)?;
    starter.resume("bench-starter", "replay")?;
    watch(&mut starter, 1, BACKLOG_BYTES)?;
    let mut times = Vec::new();
    for number in 0..stage.scale.runs as u64 * 6 {
        watch(&mut starter, number + 2, MORE_BYTES)?;
        stage.settle()?;
        times.push(arrive(stage, &session, number)?.as_secs_f64() * 1e3);
    }
    let most = percentile(&mut times, 1.0);
    let usual = percentile(&mut times, 0.5);
    let name = "a true screen, 64 MiB behind it";
    table.add(&format!("{name}, median"), usual, "ms", Target::AtMost(50.0));
    table.add(&format!("{name}, worst"), most, "ms", Target::None);
    stage.remove(&session)
}

/// Lets the program put out this many bytes, and reads them.
fn watch(viewer: &mut Lean, turn: u64, bytes: u64) -> Result<()> {
    let wanted = viewer.received + program::emitted(bytes / program::emitted(1));
    viewer.send_input(turn, b"\n")?;
    while viewer.received < wanted {
        viewer.until_output()?;
    }
    Ok(())
}

/// Connects, and reads until the screen is as it was when the relay answered. Returns the time
/// taken.
pub(crate) fn arrive(stage: &Stage, session: &SessionId, number: u64) -> Result<Duration> {
    let started = Instant::now();
    let mut viewer = Lean::connect(stage.relay.address(), session)?;
    let answer = viewer.resume(&format!("bench-newcomer-{number}"), "snapshot")?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    ensure!(answer["outcome"] == "snapshot", "{answer}");
    let head = answer["head"].as_u64().unwrap_or_default();
    let snapshot = viewer.until_text(r#"{"type":"snapshot""#)?;
    let mut seq = snapshot_seq(&snapshot).context("a snapshot without a number")?;
    while seq < head {
        if let Came::Output { seq: next, .. } = viewer.next()? {
            seq = next;
        }
    }
    Ok(started.elapsed())
}
