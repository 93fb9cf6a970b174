//! Measures how fast output is searched for shell marks, in GB/s.
//!
//! `cargo run --release -p moorline-host --example marks_speed`

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::Instant;

use moorline_host::marks::{Marks, ShellState};
use moorline_shared::limits::FRAME_DATA_BYTES;

const SAMPLE_BYTES: usize = 16_000_000;
const ROUNDS: usize = 100;

fn main() {
    let line = "the quick brown fox jumps over the lazy dog\r\n";
    measure("plain text", |number| format!("{number:08} {line}"));
    measure("coloured log", |number| {
        format!("\x1b[32m[info]\x1b[0m {number:08} \x1b[1;34mcompile\x1b[0m src/mm.rs ok\r\n")
    });
    measure("titles and links", |number| {
        format!("\x1b]0;title {number}\x07\x1b]8;;https://example.org/{number}\x07{line}")
    });
    measure("marks only", |number| {
        format!(
            "\x1b]133;D;0\x07\x1b]7;file://host/tmp\x07\x1b]133;C;cmdline_url=make%20{number}\x07"
        )
    });
}

fn measure(what: &str, line: impl Fn(usize) -> String) {
    let mut sample = Vec::new();
    for number in 0.. {
        sample.extend_from_slice(line(number).as_bytes());
        if sample.len() >= SAMPLE_BYTES {
            break;
        }
    }
    for piece_bytes in [FRAME_DATA_BYTES, 4096] {
        let (mut marks, mut state, mut found) = (Marks::new(), ShellState::new("host", 7), 0_usize);
        let start = Instant::now();
        for _ in 0..ROUNDS {
            for piece in sample.chunks(piece_bytes) {
                marks.push(black_box(piece), |mark, origin| {
                    found += 1;
                    state.fold(mark, state.speaker(origin, false));
                });
            }
        }
        let gigabytes = (sample.len() * ROUNDS) as f64 / 1e9;
        let speed = gigabytes / start.elapsed().as_secs_f64();
        println!("{what:>20} in pieces of {piece_bytes:>5}: {speed:6.2} GB/s, {found} marks");
        black_box(state);
    }
}
