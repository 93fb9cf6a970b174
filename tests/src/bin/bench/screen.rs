//! From nothing to a true screen, where much was put out before.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::lean::{Came, Lean};
use super::stage::Stage;
use super::table::{Table, Target, percentile};

const BACKLOG_BYTES: u64 = 64 << 20;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    // It goes on to run: a session that ended has nothing more to draw.
    let program = super::stage::itself()?;
    let script = format!("{} emit {BACKLOG_BYTES}; exec cat", program.display());
    let session = stage.run(["sh", "-c", &script].map(str::to_owned).to_vec())?;
    let mut starter = Lean::connect(stage.relay.address(), &session)?;
    starter.resume("bench-starter", "replay")?;
    starter.send_input(1, b"\n")?;
    while starter.received + 1_000_000 < BACKLOG_BYTES {
        if let Came::Output { seq, .. } = starter.next()? {
            starter.acknowledge(seq)?;
        }
    }
    drop(starter);
    stage.settle()?;
    let mut times = Vec::new();
    for number in 0..stage.scale.runs * 6 {
        let started = Instant::now();
        let mut viewer = Lean::connect(stage.relay.address(), &session)?;
        let answer = viewer.resume(&format!("bench-newcomer-{number}"), "snapshot")?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        ensure!(answer["outcome"] == "snapshot", "{answer}");
        let head = answer["head"].as_u64().unwrap_or_default();
        let picture = viewer.until_text(r#"{"type":"snapshot""#)?;
        let number = picture.split_once(r#""seq":"#).map_or("", |(_, rest)| rest);
        let mut seq: u64 = number.split(',').next().unwrap_or_default().parse()?;
        while seq < head {
            if let Came::Output { seq: next, .. } = viewer.next()? {
                seq = next;
            }
        }
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let most = percentile(&mut times, 1.0);
    let usual = percentile(&mut times, 0.5);
    let name = "a true screen, 64 MiB behind it";
    table.add(&format!("{name}, median"), usual, "ms", Target::AtMost(50.0));
    table.add(&format!("{name}, worst"), most, "ms", Target::None);
    stage.remove(&session)
}
