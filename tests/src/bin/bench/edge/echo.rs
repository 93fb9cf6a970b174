//! Time from a key to its echo by a terminal: through an object that only forwards, through the
//! native relay and its host, and through the edge relay and its host.

use std::thread;

use anyhow::{Context as _, Result, ensure};
use moorline_tests::relay::Relay;

use super::forwarder::Forwarder;
use crate::baseline::Bare;
use crate::echo::{TURN, Typist};
use crate::lean::Lean;
use crate::program;
use crate::stage::Stage;
use crate::table::{Table, Target, median, percentile};

const NAMES: [&str; 3] = [
    "echo behind an object that only forwards",
    "echo behind the native relay",
    "echo behind the edge",
];

pub(crate) fn measure(stage: &Stage, edge: &Relay, table: &mut Table) -> Result<()> {
    let forwarder = Forwarder::start()?;
    let host = forward(&forwarder)?;
    let mut typists = [
        Typist::open(forwarder.address(), "/stream")?,
        Typist::ours(stage, &stage.relay)?,
        Typist::ours(stage, edge)?,
    ];
    let mut micros = NAMES.map(|_| Vec::new());
    for turn in 0..stage.scale.keystrokes / TURN {
        // One after the other, because two cores are soon busy.
        for key in 0..TURN {
            for (typist, micros) in typists.iter_mut().zip(&mut micros) {
                micros.push(typist.type_key()?.as_secs_f64() * 1e6);
            }
            if turn == 0 && key < 100 {
                // The first keys warm up caches.
                micros.iter_mut().for_each(Vec::clear);
            }
        }
    }
    drop(forwarder);
    ensure!(host.join().is_ok(), "the forwarder's terminal panicked");
    for (name, micros) in NAMES.iter().zip(&mut micros) {
        table.add(&format!("{name}, p50"), median(micros.clone()), "µs", Target::None);
        table.add(&format!("{name}, p99"), percentile(micros, 0.99), "µs", Target::None);
    }
    let [forwarded, native, ours] = &mut micros;
    for (name, below) in [("an object that only forwards", forwarded), ("the native relay", native)]
    {
        for (part, which) in [(0.5, "p50"), (0.99, "p99")] {
            let ratio = percentile(ours, part) / percentile(below, part);
            table.add(&format!("  the edge, of {name}, {which}"), ratio, "×", Target::None);
        }
    }
    Ok(())
}

/// Publishes a terminal's echoes to the forwarder, until the forwarder ends.
fn forward(forwarder: &Forwarder) -> Result<thread::JoinHandle<()>> {
    let mut terminal = Bare::run(&program::echo())?;
    terminal.until_ready()?;
    let mut link = Lean::open(forwarder.address(), "/publish").context("no link")?;
    Ok(thread::spawn(move || {
        let mut echo = |seq| -> Result<()> {
            link.until_output()?;
            terminal.echo()?;
            link.send_input(seq, b"k")
        };
        let ended = (1..).find_map(|seq| echo(seq).err());
        drop(ended);
    }))
}
