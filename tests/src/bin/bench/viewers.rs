//! Throughput of one flood for many viewers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;

use super::ceiling::Ceiling;
use super::lean::Lean;
use super::stage::{Stage, itself, per_gigabyte, rate};
use super::table::{Table, Target, median};

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    for (count, bytes, least) in
        [(10, stage.scale.flood_bytes, None), (100, stage.scale.crowd_bytes, Some(0.6))]
    {
        let (mut tops, mut rates, mut costs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ratios, mut complete) = (Vec::new(), f64::INFINITY);
        for _ in 0..stage.scale.runs.min(3) {
            let top = watch_ceiling(count, bytes)?;
            let run = watch(stage, count, bytes)?;
            ratios.push(run.rate / top);
            tops.push(top);
            rates.push(run.rate);
            costs.push(run.cost);
            complete = complete.min(run.complete as f64);
        }
        let name = format!("{count} viewers");
        let target = least.map_or(Target::None, Target::AtLeast);
        table.add(&format!("{name}, memory to WebSocket"), median(tops), "MB/s", Target::None);
        table.add(&format!("{name}, in total"), median(rates), "MB/s", Target::None);
        table.add("  of memory to WebSocket", median(ratios), "×", target);
        table.add(&format!("{name}, relay's CPU"), median(costs), "s/GB", Target::None);
        let all = Target::AtLeast(count as f64);
        table.add(&format!("{name}, that got to the end"), complete, "", all);
    }
    Ok(())
}

/// Returns the rate of as many viewers that are sent bytes from memory, in MB/s.
fn watch_ceiling(count: usize, bytes: u64) -> Result<f64> {
    let ceiling = Ceiling::start(bytes)?;
    let nobody: SessionId = "bench-ceiling".parse()?;
    let mut starter = Lean::connect(ceiling.address, &nobody)?;
    starter.resume("bench-starter", "replay")?;
    let mut audience = Audience::seat(ceiling.address, &nobody, count)?;
    let started = Instant::now();
    starter.send_input(1, b"\n")?;
    drop(starter);
    let (_, received) = audience.applause()?;
    Ok(rate(received, started.elapsed()))
}

struct Run {
    rate: f64,
    cost: f64,
    complete: usize,
}

fn watch(stage: &Stage, count: usize, bytes: u64) -> Result<Run> {
    let session = stage.run_flood(bytes)?;
    let mut starter = Lean::connect(stage.relay.address(), &session)?;
    starter.resume("bench-starter", "replay")?;
    let mut audience = Audience::seat(stage.relay.address(), &session, count)?;
    let before = stage.settle()?.cpu;
    let started = Instant::now();
    starter.send_input(1, b"\n")?;
    drop(starter);
    let (complete, received) = audience.applause()?;
    let time = started.elapsed();
    ensure!(received > 0, "nobody got anything");
    let cpu = stage.settle()?.cpu.saturating_sub(before);
    stage.remove(&session)?;
    Ok(Run { rate: rate(received, time), cost: per_gigabyte(received, cpu), complete })
}

/// Viewers in a process of their own. Dropping it kills the process.
pub(crate) struct Audience {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Audience {
    /// Starts this many viewers of a session, and waits until each knows where it begins.
    pub(crate) fn seat(address: SocketAddr, session: &SessionId, count: usize) -> Result<Self> {
        let mut child = Command::new(itself()?)
            .arg("view")
            .args([&address.to_string(), session.as_str(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("it was asked for")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        ensure!(line.trim() == "seated", "the viewers say {line:?}");
        Ok(Self { child, output })
    }

    /// Waits for the end. Returns the number of viewers that saw it, and the bytes that all of them
    /// received.
    pub(crate) fn applause(&mut self) -> Result<(usize, u64)> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (complete, received) = line.trim().split_once(' ').context("the viewers are gone")?;
        Ok((complete.parse()?, received.parse()?))
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Connects this many viewers, prints when they are seated, and at the end what they received.
///
/// # Errors
/// If a viewer cannot connect.
pub(crate) fn view(address: SocketAddr, session: &SessionId, count: usize) -> Result<()> {
    let mut viewers = Vec::new();
    for number in 0..count {
        let mut viewer = Lean::connect(address, session)?;
        viewer.resume(&format!("bench-viewer-{number}"), "replay")?;
        viewers.push(viewer);
    }
    println!("seated");
    let watching = viewers.into_iter().map(|mut viewer| {
        // One thread each costs less than a runtime that wakes tasks.
        std::thread::spawn(move || {
            let complete = viewer.until_exit().unwrap_or(false);
            (complete, viewer.received)
        })
    });
    let threads: Vec<_> = watching.collect();
    let (mut complete, mut received) = (0, 0);
    for thread in threads {
        let (saw_the_end, bytes) = thread.join().ok().context("a viewer panicked")?;
        complete += usize::from(saw_the_end);
        received += bytes;
    }
    println!("{complete} {received}");
    std::io::stdout().flush()?;
    // The parent ends this process; until then its sockets stay open.
    drop(std::io::stdin().read(&mut [0]));
    Ok(())
}
