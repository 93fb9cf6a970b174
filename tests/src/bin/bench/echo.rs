//! From a key to its echo.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::baseline::{Bare, BareLoop};
use super::lean::Lean;
use super::program;
use super::stage::Stage;
use super::table::{Table, Target, median, percentile};

/// Keys in one go, before it is the other's turn.
const TURN: usize = 500;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    let mut raw = Bare::run(&program::echo())?;
    raw.until_ready()?;
    let bare = BareLoop::start(&program::echo())?;
    let mut beside = Typist::bare(&bare)?;
    let mut ours = Typist::ours(stage)?;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for turn in 0..stage.scale.keystrokes / TURN {
        for key in 0..TURN {
            times[0].push(raw.echo()?);
            // Not at the same time: two cores are soon busy.
            times[1].push(beside.type_key()?);
            times[2].push(ours.type_key()?);
            if turn == 0 && key < 100 {
                // The first keys warm caches up.
                times.iter_mut().for_each(Vec::clear);
            }
        }
    }
    for (name, times, targets) in [
        ("raw PTY echo", &times[0], [Target::None; 2]),
        ("bare PTY to WebSocket echo", &times[1], [Target::None; 2]),
        ("Moorline echo", &times[2], [Target::AtMost(90.0), Target::AtMost(250.0)]),
    ] {
        let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        table.add(&format!("{name}, p50"), median(micros.clone()), "µs", targets[0]);
        table.add(&format!("{name}, p99"), percentile(&mut micros, 0.99), "µs", targets[1]);
    }
    Ok(())
}

/// Types over a WebSocket.
struct Typist {
    client: Lean,
    typed: u64,
}

impl Typist {
    fn bare(bare: &BareLoop) -> Result<Self> {
        let mut client = Lean::open(bare.address, "/")?;
        client.until_output()?;
        Ok(Self { client, typed: 0 })
    }

    fn ours(stage: &Stage) -> Result<Self> {
        let session = stage.run(program::echo())?;
        let mut client = Lean::connect(stage.relay.address(), &session)?;
        client.resume("bench-typist", "replay")?;
        client.until_output()?;
        Ok(Self { client, typed: 0 })
    }

    fn type_key(&mut self) -> Result<Duration> {
        self.typed += 1;
        let started = Instant::now();
        self.client.send_input(self.typed, b"k")?;
        self.client.until_output()?;
        Ok(started.elapsed())
    }
}
