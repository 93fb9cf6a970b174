//! Measures how fast a terminal's output is read, by a bare blocking loop, which is the limit, and
//! by `PtyReader`; and how long the echo of one key takes with each.
//!
//! `cargo run --release -p moorline-host --example pty_speed`

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use moorline_host::driver::pty::{Pty, Spawn};
use moorline_shared::frame::Frame;

const FLOOD_BYTES: usize = 200_000_000;
const KEYS: usize = 2_000;

fn flood() -> Vec<String> {
    let script = format!(
        "stty raw -echo; yes 'the quick brown fox jumps over the lazy dog 0123456789' | head -c {FLOOD_BYTES}"
    );
    ["/bin/sh", "-c", &script].map(str::to_owned).to_vec()
}

fn echo() -> Vec<String> {
    ["/bin/sh", "-c", "stty raw -echo; printf r; exec cat"].map(str::to_owned).to_vec()
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for _ in 0..3 {
        bare_flood(&runtime)?;
        runtime.block_on(async { tokio::spawn(own_flood()).await? })?;
    }
    bare_echo(&runtime)?;
    runtime.block_on(async { tokio::spawn(own_echo()).await? })
}

fn bare(runtime: &tokio::runtime::Runtime, command: &[String]) -> anyhow::Result<File> {
    let _inside = runtime.enter();
    let (master, terminal) = pty_process::blocking::open()?;
    let (program, arguments) = command.split_first().context("a program")?;
    pty_process::blocking::Command::new(program).args(arguments).spawn(terminal)?;
    Ok(File::from(OwnedFd::from(master)))
}

fn bare_flood(runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let mut master = bare(runtime, &flood())?;
    let start = Instant::now();
    let (mut bytes, mut reads) = (0, 0);
    let mut buffer = vec![0; 65536];
    while let Ok(more @ 1..) = master.read(&mut buffer) {
        bytes += more;
        reads += 1;
    }
    report("bare blocking loop", bytes, reads, start.elapsed());
    Ok(())
}

async fn own_flood() -> anyhow::Result<()> {
    let mut pty = Pty::spawn(&Spawn { command: Some(flood()), ..Spawn::default() })?;
    let start = Instant::now();
    let (mut bytes, mut reads) = (0, 0);
    while let Some(piece) = pty.reader.read().await? {
        bytes += piece.len() - Frame::DATA_START;
        reads += 1;
    }
    report("PtyReader", bytes, reads, start.elapsed());
    Ok(())
}

fn report(what: &str, bytes: usize, reads: usize, time: Duration) {
    let speed = bytes as f64 / time.as_secs_f64() / 1e6;
    println!("{what:>20}: {speed:6.0} MB/s, {reads} reads of {} bytes", bytes / reads.max(1));
}

fn bare_echo(runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let mut master = bare(runtime, &echo())?;
    let mut key = [0];
    master.read_exact(&mut key)?;
    let mut times = Vec::new();
    for _ in 0..KEYS {
        let start = Instant::now();
        master.write_all(b"k")?;
        master.read_exact(&mut key)?;
        times.push(start.elapsed());
    }
    report_echo("bare blocking echo", times);
    Ok(())
}

async fn own_echo() -> anyhow::Result<()> {
    let mut pty = Pty::spawn(&Spawn { command: Some(echo()), ..Spawn::default() })?;
    pty.reader.read().await?;
    let mut times = Vec::new();
    for _ in 0..KEYS {
        let start = Instant::now();
        anyhow::ensure!(pty.writer.try_write(b"k")? == 1);
        pty.reader.read().await?;
        times.push(start.elapsed());
    }
    report_echo("PtyReader echo", times);
    Ok(())
}

fn report_echo(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100].as_micros();
    println!("{what:>20}: p50 {} µs, p99 {} µs", at(50), at(99));
}
