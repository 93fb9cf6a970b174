//! Many readers of event streams.

use std::time::Duration;

use anyhow::Result;
use moorline_tests::crowd::{Crowd, Shape};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::stage::{Stage, itself};
use super::table::{Table, Target, median, percentile};

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    let shape = stage.scale.crowd;
    // The relay inherits the limit: a socket per reader at both ends exceeds many systems' default.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })?;
    // Memory left behind by floods would hide what a crowd takes.
    stage.renew()?;
    let command = program(shape)?;
    let crowd = stage.block_on(Crowd::gather_for(&stage.relay, shape, &command))?;
    let start = stage.settle()?;
    let half = Duration::from_millis(shape.rounds * shape.pause_ms / 2);
    let (report, middle) = stage.block_on(async {
        let middle = async {
            tokio::time::sleep(half).await;
            stage.relay.usage()
        };
        tokio::join!(crowd.watch(), middle)
    });
    let (mut report, middle, end) = (report?, middle?, stage.relay.usage()?);

    let Shape { sessions, clients, .. } = shape;
    let name = format!("{clients} event streams of {sessions} sessions");
    let all = report.expected as f64;
    table.add(&format!("{name}, events"), report.delivered as f64, "", Target::AtLeast(all));
    table.add("  streams that broke or missed one", report.errors as f64, "", Target::AtMost(0.0));
    if let Some(error) = &report.first_error {
        println!("  the first error: {error}");
    }
    let late = &mut report.latencies_ms;
    table.add("  from the program to a reader, p50", median(late.clone()), "ms", Target::None);
    let p99 = percentile(late, 0.99);
    table.add("  from the program to a reader, p99", p99, "ms", Target::AtMost(100.0));
    table.add("  from the program to a reader, longest", percentile(late, 1.0), "ms", Target::None);
    let time = Duration::from_millis(shape.rounds * shape.pause_ms);
    let busy = end.cpu.saturating_sub(start.cpu).as_secs_f64() / time.as_secs_f64() * 100.0;
    table.add("  relay's CPU, of one core", busy, "%", Target::None);
    for (when, usage) in [("start", start), ("middle", middle), ("end", end)] {
        let memory = usage.rss_bytes as f64 / 1e6;
        table.add(&format!("  relay's memory at the {when}"), memory, "MB", Target::None);
    }
    Ok(())
}

fn program(shape: Shape) -> Result<Vec<String>> {
    let Shape { rounds, pause_ms, .. } = shape;
    let script = format!("stty -echo; exec \"$0\" tick {rounds} {pause_ms}");
    let program = itself()?.to_string_lossy().into_owned();
    Ok(["sh".to_owned(), "-c".to_owned(), script, program].to_vec())
}
