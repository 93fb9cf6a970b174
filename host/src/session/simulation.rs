//! Agent sessions whose host dies at any point, on one thread with one seed.
//!
//! The host's parts are the real ones: the session, its publisher, its approvals and its journal,
//! in memory, and the driver's machine. So is the relay's session. People send prompts, type, stop
//! the agent and decide; programs ask. The link breaks, the relay forgets what it has not stored,
//! agents end, and the host is killed and continues from its journal, or from an older one after a
//! power failure. In the end everything heals. Then every prompt must have reached the agent once,
//! every decision must have been delivered once or told as undelivered, and the log must have all
//! that was said, in order, each once.
//!
//! A failure prints its seed: `MOORLINE_SIM_SEED=<seed> cargo test -p moorline-host --lib
//! session::simulation` runs that seed again. `MOORLINE_SIM_SEEDS` sets the number of seeds to run.

mod people;
mod relay;
mod verdict;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{AgentWorld, HostFaults};

/// The id of the session.
const SESSION: &str = "session_1";

fn run(faults: HostFaults) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("MOORLINE_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MOORLINE_SIM_SEEDS").unwrap_or(200),
    };
    for seed in seeds {
        let world = || AgentWorld::new(seed, faults).run();
        let outcome = catch_unwind(AssertUnwindSafe(world));
        assert!(outcome.is_ok(), "failed as told above, with MOORLINE_SIM_SEED={seed}, {faults:?}");
    }
}

const GENTLE: HostFaults =
    HostFaults { agents_end: false, power_fails: false, stops: false, closes: false };

#[test]
fn a_host_that_is_killed_anywhere_goes_on_where_it_was() {
    run(GENTLE);
}

#[test]
fn a_host_that_is_killed_anywhere_knows_which_agents_have_ended() {
    run(HostFaults { agents_end: true, stops: true, ..GENTLE });
}

#[test]
fn a_session_that_is_closed_ends_whoever_dies() {
    run(HostFaults { closes: true, ..GENTLE });
}

#[test]
fn after_a_power_failure_a_session_goes_on_in_a_new_epoch() {
    run(HostFaults { agents_end: true, power_fails: true, stops: true, closes: false });
}
