//! Measures how fast the screen keeps up, in MB/s, and how much memory it holds.
//!
//! `cargo run --release -p moorline-host --example screen_speed`

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::{Duration, Instant};

use moorline_host::screen::{CATCH_UP_BYTES, Screen};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::Size;

const FLOOD_BYTES: usize = 400_000_000;

fn repeated(line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut all = Vec::new();
    for number in 0.. {
        all.extend_from_slice(line(number).as_bytes());
        if all.len() >= CATCH_UP_BYTES {
            break;
        }
    }
    all
}

fn main() -> anyhow::Result<()> {
    let plain =
        repeated(|number| format!("{number:08} the quick brown fox jumps over the lazy dog\r\n"));
    let coloured = repeated(|number| {
        format!(
            "\x1b[32m[info]\x1b[0m {number:08} \x1b[1;34mcompile\x1b[0m src/\x1b[38;5;208mm_{}.rs\x1b[0m ok\r\n",
            number % 97
        )
    });
    let addressed = repeated(|number| {
        format!(
            "\x1b[{};{}H\x1b[{}mcell {number}\x1b[K",
            number % 24 + 1,
            number * 7 % 80 + 1,
            30 + number % 8
        )
    });
    // This comes first, while there is no freed memory to reuse.
    snapshots(&plain)?;
    flood("plain text", &plain, FLOOD_BYTES)?;
    flood("coloured log", &coloured, FLOOD_BYTES)?;
    flood("cursor addressing", &addressed, FLOOD_BYTES / 8)?;
    Ok(())
}

fn report(what: &str, bytes: usize, time: Duration) {
    println!("{what:>28}: {:7.0} MB/s", bytes as f64 / time.as_secs_f64() / 1e6);
}

/// Pushes output and catches up, as a host does.
fn flood(what: &str, output: &[u8], bytes: usize) -> anyhow::Result<()> {
    let screen = Screen::new(Size::default());
    let frames: Vec<Frame> = output
        .chunks(FRAME_DATA_BYTES)
        .map(|piece| Frame::copy(Seq(1), piece))
        .collect::<Result<_, _>>()?;
    let (mut pushed, mut pushing, mut catching_up) = (0, Duration::ZERO, Duration::ZERO);
    while pushed < bytes {
        for frame in &frames {
            let start = Instant::now();
            screen.push(frame);
            pushing += start.elapsed();
            pushed += frame.data_len();
            if screen.pending_bytes() >= CATCH_UP_BYTES {
                let start = Instant::now();
                screen.catch_up();
                catching_up += start.elapsed();
            }
        }
    }
    report(what, pushed, catching_up);
    report("pushing alone", pushed, pushing);
    let start = Instant::now();
    let snapshot = screen.snapshot();
    println!(
        "{:>28}: {:?} for {} bytes",
        "the snapshot then",
        start.elapsed(),
        snapshot.data.len()
    );
    Ok(())
}

fn snapshots(output: &[u8]) -> anyhow::Result<()> {
    let before = resident_kb()?;
    let screen = Screen::new(Size::default());
    for piece in output.chunks(FRAME_DATA_BYTES) {
        screen.push(&Frame::copy(Seq(1), piece)?);
    }
    screen.catch_up();
    let idle = resident_kb()?;
    let snapshot = screen.snapshot();
    let with_emulator = resident_kb()?;
    println!(
        "resident: {} KB caught up, {} KB with emulator",
        idle - before,
        with_emulator - before
    );

    screen.push(&Frame::copy(Seq(2), b"x")?);
    let start = Instant::now();
    let again = screen.snapshot();
    println!("a snapshot of a full scrollback: {:?}, {} bytes", start.elapsed(), again.data.len());
    let start = Instant::now();
    screen.park();
    println!("parking: {:?}, then {} KB resident", start.elapsed(), resident_kb()? - before);
    screen.push(&Frame::copy(Seq(3), b"x")?);
    let start = Instant::now();
    drop(screen.snapshot());
    println!("a snapshot of a parked screen: {:?}", start.elapsed());
    drop(snapshot);
    Ok(())
}

fn resident_kb() -> anyhow::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0))
}
