//! The time from an interrupt to the prompt on a slow line, while a program floods it.

use std::time::{Duration, Instant};

use anyhow::Result;
use moorline_shared::id::SessionId;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::proxy::Proxy;

use super::stage::{Stage, itself};
use super::table::{Table, Target, median};

/// The names of the lines, and the time that each takes for 16 KiB.
const LINES: [(&str, Duration); 2] =
    [("100 KB/s", Duration::from_millis(164)), ("1 MB/s", Duration::from_millis(16))];
/// What the shell prints once the program has ended.
const PROMPT: &str = "back-at-the-prompt";
/// Output after which the flood fills everything on the way.
const FLOODED_BYTES: u64 = 400_000;

/// What a client got from its interrupt until it showed the prompt.
struct Interrupted {
    time: Duration,
    /// Bytes of output that came as entries.
    entry_bytes: u64,
    /// Bytes of snapshots, before their encoding in base64.
    snapshot_bytes: u64,
    snapshots: u64,
}

/// Reads one figure of a run.
type Figure = fn(&Interrupted) -> f64;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    for (line, pause) in LINES {
        let mut runs = Vec::new();
        for run in 0..stage.scale.runs {
            let session = stage.run(pour()?)?;
            runs.push(stage.block_on(interrupt(stage, &session, pause, run as u64))?);
            stage.remove(&session)?;
        }
        let median_of = |figure: Figure| median(runs.iter().map(figure).collect());
        let time_ms = median_of(|run| run.time.as_secs_f64() * 1e3);
        table.add(&format!("^C to the prompt at {line}"), time_ms, "ms", Target::AtMost(1e3));
        let figures: [(&str, &str, Figure); 3] = [
            ("entries after ^C", "kB", |run| run.entry_bytes as f64 / 1e3),
            ("snapshots after ^C, before base64", "kB", |run| run.snapshot_bytes as f64 / 1e3),
            ("snapshots after ^C", "", |run| run.snapshots as f64),
        ];
        for (what, unit, figure) in figures {
            table.add(&format!("{what}, at {line}"), median_of(figure), unit, Target::None);
        }
    }
    Ok(())
}

/// Returns a shell that comes back to its prompt when its program is interrupted.
fn pour() -> Result<Vec<String>> {
    let program = itself()?.to_string_lossy().into_owned();
    let script = format!("trap : INT; '{program}' pour; echo; echo {PROMPT}; exec cat");
    Ok(vec!["sh".to_owned(), "-c".to_owned(), script])
}

async fn interrupt(
    stage: &Stage,
    session: &SessionId,
    pause: Duration,
    seed: u64,
) -> Result<Interrupted> {
    let line = Proxy::start(stage.relay.address()).await?;
    line.delay(pause);
    let follower = Follower::start(Following::new(line.address(), session, seed));
    follower.until_end("a flood", |seen| seen.digest.bytes() > FLOODED_BYTES).await?;
    let so_far = || {
        let seen = follower.seen();
        (seen.digest.bytes(), seen.painted_bytes, seen.snapshots)
    };
    let (entry_bytes, snapshot_bytes, snapshots) = so_far();
    let typed = Instant::now();
    follower.type_input("\x03");
    follower.until_end("the prompt", |seen| seen.shows(PROMPT)).await?;
    let time = typed.elapsed();
    let shown = so_far();
    Ok(Interrupted {
        time,
        entry_bytes: shown.0 - entry_bytes,
        snapshot_bytes: shown.1 - snapshot_bytes,
        snapshots: shown.2 - snapshots,
    })
}
