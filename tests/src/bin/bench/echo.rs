//! Time from a key to its echo.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;

use super::baseline::{Bare, BareLoop};
use super::lean::Lean;
use super::load::MachineState;
use super::program;
use super::stage::Stage;
use super::table::{Table, Target, percentile};

/// Number of keys in one round.
pub(crate) const TURN: usize = 500;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    MachineState::BOTH.into_iter().try_for_each(|state| measure_in(state, stage, table))
}

fn measure_in(state: MachineState, stage: &Stage, table: &mut Table) -> Result<()> {
    let mut raw = Bare::run(&program::echo())?;
    raw.until_ready()?;
    let bare = BareLoop::start(&program::echo())?;
    let mut beside = Typist::open(bare.address, "/")?;
    beside.client.until_output()?;
    let mut ours = Typist::ours(stage, &stage.relay)?;
    let _load = state.enter()?;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for turn in 0..stage.scale.keystrokes / TURN {
        for key in 0..TURN {
            times[0].push(raw.echo()?);
            // One after the other, because two cores are soon busy.
            times[1].push(beside.type_key()?);
            times[2].push(ours.type_key()?);
            if turn == 0 && key < 100 {
                // The first keys warm up caches.
                times.iter_mut().for_each(Vec::clear);
            }
        }
    }
    let [raw, floor, ours] = times.map(|times| {
        let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        [percentile(&mut micros, 0.5), percentile(&mut micros, 0.99)]
    });
    for (part, figure) in ["p50", "p99"].into_iter().enumerate() {
        let name = |what: &str| state.name(&format!("{what}, {figure}"));
        table.add(&name("raw PTY echo"), raw[part], "µs", Target::None);
        table.add(&name("floor: PTY to WebSocket echo"), floor[part], "µs", Target::None);
        table.add(&name("Moorline echo"), ours[part], "µs", Target::None);
        table.add(&name("  of the floor"), ours[part] / floor[part], "×", Target::AtMost(1.25));
    }
    Ok(())
}

/// A client that types over a WebSocket and waits for each echo.
pub(crate) struct Typist {
    client: Lean,
    typed: u64,
}

impl Typist {
    /// Connects to a terminal behind any path.
    pub(crate) fn open(address: SocketAddr, path: &str) -> Result<Self> {
        Ok(Self { client: Lean::open(address, path)?, typed: 0 })
    }

    /// Starts a session on a relay and connects to it.
    pub(crate) fn ours(stage: &Stage, relay: &Relay) -> Result<Self> {
        Self::on(relay, &stage.run_on(relay, program::echo())?)
    }

    /// Connects to a session of the stage's relay.
    pub(crate) fn of(stage: &Stage, session: &SessionId) -> Result<Self> {
        Self::on(&stage.relay, session)
    }

    fn on(relay: &Relay, session: &SessionId) -> Result<Self> {
        let mut client = Lean::connect(relay.address(), session)?;
        client.resume("bench-typist", "replay")?;
        client.until_output()?;
        Ok(Self { client, typed: 0 })
    }

    /// Types a key and waits for the output that follows.
    pub(crate) fn type_key(&mut self) -> Result<Duration> {
        self.typed += 1;
        let started = Instant::now();
        self.client.send_input(self.typed, b"k")?;
        self.client.until_output()?;
        Ok(started.elapsed())
    }
}
