//! Throughput of a flood for one viewer.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::baseline::{Bare, BareLoop};
use super::lean::{Came, Lean};
use super::load::MachineState;
use super::stage::{Stage, itself, per_gigabyte, rate};
use super::table::{Table, Target, median};

/// Figures of one run.
struct Run {
    bytes: u64,
    time: Duration,
    cpu: Duration,
}

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    MachineState::BOTH.into_iter().try_for_each(|state| measure_in(state, stage, table))
}

fn measure_in(state: MachineState, stage: &Stage, table: &mut Table) -> Result<()> {
    let _load = state.enter()?;
    let (mut raw, mut bare, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..stage.scale.runs {
        raw.push(read_raw(stage)?);
        bare.push(read_bare(stage)?);
        ours.push(read_ours(stage)?);
    }
    let speed = |run: &Run| rate(run.bytes, run.time);
    let cost = |run: &Run| per_gigabyte(run.bytes, run.cpu);
    let middle = |runs: &[Run], part: fn(&Run) -> f64| median(runs.iter().map(part).collect());
    // Each pair ran in succession, so other work on the machine affects their ratio less.
    let ratio = |part: fn(&Run) -> f64, below: &[Run]| {
        median(ours.iter().zip(below).map(|(ours, below)| part(ours) / part(below)).collect())
    };
    let name = |figure: &str| state.name(figure);
    table.add(&name("raw PTY read"), middle(&raw, speed), "MB/s", Target::None);
    table.add(&name("floor: PTY to WebSocket"), middle(&bare, speed), "MB/s", Target::None);
    table.add(&name("Moorline, 1 viewer"), middle(&ours, speed), "MB/s", Target::None);
    table.add(&name("  of the raw PTY read"), ratio(speed, &raw), "×", Target::AtLeast(0.95));
    table.add(&name("  of the floor"), ratio(speed, &bare), "×", Target::AtLeast(0.95));
    table.add(&name("floor, CPU"), middle(&bare, cost), "s/GB", Target::None);
    table.add(&name("relay and host, CPU"), middle(&ours, cost), "s/GB", Target::None);
    table.add(&name("  of the floor"), ratio(cost, &bare), "×", Target::AtMost(1.25));
    Ok(())
}

fn emit(stage: &Stage) -> Result<Vec<String>> {
    let program = itself()?.to_string_lossy().into_owned();
    Ok(vec![program, "emit".to_owned(), stage.scale.flood_bytes.to_string()])
}

fn read_raw(stage: &Stage) -> Result<Run> {
    let (bytes, time) = Bare::run(&emit(stage)?)?.flood()?;
    ensure!(bytes + 1_000_000 > stage.scale.flood_bytes, "only {bytes} bytes came");
    Ok(Run { bytes, time, cpu: Duration::ZERO })
}

fn read_bare(stage: &Stage) -> Result<Run> {
    let bare = BareLoop::start(&emit(stage)?)?;
    let mut viewer = Lean::open(bare.address, "/")?;
    let before = bare.usage()?.cpu;
    let started = Instant::now();
    viewer.send_input(1, b"\n")?;
    let mut cpu = Duration::ZERO;
    while let Came::Output { .. } = viewer.next()? {
        if viewer.received + 1_000_000 > stage.scale.flood_bytes {
            // Near the end, because the process ends with its output.
            cpu = bare.usage().map_or(cpu, |usage| usage.cpu);
        }
    }
    let (bytes, time) = (viewer.received, started.elapsed());
    ensure!(bytes + 1_000_000 > stage.scale.flood_bytes, "only {bytes} bytes came");
    Ok(Run { bytes, time, cpu: cpu.saturating_sub(before) })
}

fn read_ours(stage: &Stage) -> Result<Run> {
    let session = stage.run_flood(stage.scale.flood_bytes)?;
    let mut viewer = Lean::connect(stage.relay.address(), &session)?;
    viewer.resume("bench-viewer", "replay")?;
    let used = || anyhow::Ok(stage.settle()?.cpu + stage.settle_host()?.cpu);
    let before = used()?;
    let started = Instant::now();
    viewer.send_input(1, b"\n")?;
    ensure!(viewer.until_exit()?, "the connection ended before the session");
    let (bytes, time) = (viewer.received, started.elapsed());
    ensure!(bytes + 1_000_000 > stage.scale.flood_bytes, "only {bytes} bytes came");
    // Work that follows this flood, such as storing, is part of the cost.
    let cpu = used()?.saturating_sub(before);
    stage.remove(&session)?;
    Ok(Run { bytes, time, cpu })
}
