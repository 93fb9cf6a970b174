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

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    for (line, pause) in LINES {
        let mut times = Vec::new();
        for run in 0..stage.scale.runs {
            let session = stage.run(pour()?)?;
            let time = stage.block_on(interrupt(stage, &session, pause, run as u64))?;
            times.push(time.as_secs_f64() * 1e3);
            stage.remove(&session)?;
        }
        table.add(&format!("^C to the prompt at {line}"), median(times), "ms", Target::AtMost(1e3));
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
) -> Result<Duration> {
    let line = Proxy::start(stage.relay.address()).await?;
    line.delay(pause);
    let follower = Follower::start(Following::new(line.address(), session, seed));
    follower.until_end("a flood", |seen| seen.digest.bytes() > FLOODED_BYTES).await?;
    let typed = Instant::now();
    follower.type_input("\x03");
    follower.until_end("the prompt", |seen| seen.shows(PROMPT)).await?;
    Ok(typed.elapsed())
}
