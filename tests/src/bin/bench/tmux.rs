//! A pane of tmux: throughput beside tmux's own pipe, and the time from a key to its echo.

use std::io::Read as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::CreateSession;
use moorline_shared::tmux::TmuxSpec;
use moorline_tests::tmux::TmuxServer;

use super::echo::{TURN, Typist};
use super::lean::Lean;
use super::load::MachineState;
use super::program;
use super::stage::{Stage, itself, per_gigabyte, rate};
use super::table::{Table, Target, median, percentile};

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    MachineState::BOTH.into_iter().try_for_each(|state| measure_in(state, stage, table))
}

fn measure_in(state: MachineState, stage: &Stage, table: &mut Table) -> Result<()> {
    let _load = state.enter()?;
    let bytes = stage.scale.flood_bytes / 4;
    let (mut pipe, mut ours, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..stage.scale.runs {
        pipe.push(read_pipe(bytes)?);
        let (rate, used) = read_ours(stage, bytes)?;
        ours.push(rate);
        cpu.push(per_gigabyte(bytes, used));
    }
    let ratios = ours.iter().zip(&pipe).map(|(ours, pipe)| ours / pipe).collect();
    let name = |figure: &str| state.name(figure);
    table.add(&name("tmux's pipe-pane"), median(pipe), "MB/s", Target::None);
    table.add(&name("Moorline, a pane of tmux"), median(ours), "MB/s", Target::None);
    table.add(&name("  of tmux's pipe-pane"), median(ratios), "×", Target::AtLeast(0.9));
    table.add(&name("relay and host, CPU for a pane"), median(cpu), "s/GB", Target::None);

    let server = TmuxServer::start()?;
    let session = open(stage, &server, &program::echo())?;
    let mut typist = Typist::of(stage, &session)?;
    let mut micros = Vec::new();
    for key in 0..TURN * 2 {
        let time = typist.type_key()?;
        // The first keys warm up caches.
        if key >= 100 {
            micros.push(time.as_secs_f64() * 1e6);
        }
    }
    let (half, most) = (median(micros.clone()), percentile(&mut micros, 0.99));
    table.add(&name("Moorline, echo of a pane, p50"), half, "µs", Target::None);
    table.add(&name("Moorline, echo of a pane, p99"), most, "µs", Target::None);
    stage.remove(&session)
}

fn emit(bytes: u64) -> Result<[String; 3]> {
    let program = itself()?.to_string_lossy().into_owned();
    Ok([program, "emit".to_owned(), bytes.to_string()])
}

/// Starts a program in a window of its own, and returns its pane.
fn window(server: &TmuxServer, command: &[String]) -> Result<String> {
    let words: Vec<&str> = command.iter().map(|word| &**word).collect();
    let new = ["new-window", "-P", "-F", "#{pane_id}", "-t", "work:", "--"];
    server.run(&[&new[..], &words].concat())
}

/// Reads a flood from the pipe of a pane, and returns its rate in MB/s.
fn read_pipe(bytes: u64) -> Result<f64> {
    let server = TmuxServer::start()?;
    let pane = window(&server, &emit(bytes)?)?;
    let fifo = std::path::PathBuf::from(format!("{}.fifo", server.socket()));
    let made = Command::new("mkfifo").arg(&fifo).status()?;
    ensure!(made.success(), "mkfifo has failed");
    server.run(&["pipe-pane", "-O", "-t", &pane, &format!("exec cat >{}", fifo.display())])?;
    let mut pipe = std::fs::File::open(&fifo)?;
    let (mut buffer, mut received) = (vec![0; 64 * 1024], 0);
    let started = Instant::now();
    server.run(&["send-keys", "-t", &pane, "Enter"])?;
    loop {
        match pipe.read(&mut buffer)? {
            0 => break,
            read => received += read as u64,
        }
    }
    finished(received, bytes, started.elapsed())
}

/// Reads a flood of a pane from the relay, and returns its rate and what relay and host have used.
fn read_ours(stage: &Stage, bytes: u64) -> Result<(f64, Duration)> {
    let server = TmuxServer::start()?;
    let session = open(stage, &server, &emit(bytes)?)?;
    let mut viewer = Lean::connect(stage.relay.address(), &session)?;
    viewer.resume("bench-viewer", "replay")?;
    let used = || anyhow::Ok(stage.settle()?.cpu + stage.settle_host()?.cpu);
    let before = used()?;
    let started = Instant::now();
    viewer.send_input(1, b"\n")?;
    ensure!(viewer.until_exit()?, "the connection ended before the session");
    let rate = finished(viewer.received, bytes, started.elapsed())?;
    let cpu = used()?.saturating_sub(before);
    stage.remove(&session)?;
    Ok((rate, cpu))
}

fn finished(received: u64, bytes: u64, time: Duration) -> Result<f64> {
    ensure!(received + 1_000_000 > bytes, "only {received} bytes came");
    Ok(rate(received, time))
}

/// Opens the pane of a new window that runs a command.
fn open(stage: &Stage, server: &TmuxServer, command: &[String]) -> Result<SessionId> {
    let pane = Some(window(server, command).context("no window")?);
    let tmux = TmuxSpec { socket: Some(server.socket()), pane, ..TmuxSpec::default() };
    stage.create(&CreateSession { tmux: Some(tmux), ..CreateSession::default() })
}
