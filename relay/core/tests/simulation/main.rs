//! A whole Moorline under a virtual clock: clients, a relay, a host and the wires between them,
//! driven by one seed. Wires are slow, break at any byte and die silently. The relay forgets what
//! is not stored. Hosts, clients and pages start again. In the end everything heals. Then every
//! client's screen must equal the session's, byte for byte, every piece of input must have been
//! delivered once, and every decision about an approval delivered once or told as undelivered.
//!
//! A failure prints its seed: `MOORLINE_SIM_SEED=<seed> cargo test -p moorline-core --test
//! simulation` runs that seed again. `MOORLINE_SIM_SEEDS` sets the number of seeds to run.

mod decider;
mod host;
mod pipe;
mod relay;
mod replayer;
mod rng;
mod user;
mod watcher;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Faults, World};

/// Returns the seeds to run. Floods get fewer by default.
fn seeds(floods: bool) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("MOORLINE_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MOORLINE_SIM_SEEDS").unwrap_or(if floods { 500 } else { 1500 }),
    }
}

fn run(faults: Faults) {
    for seed in seeds(faults.floods) {
        let world = || World::new(seed, faults).run();
        let outcome = catch_unwind(AssertUnwindSafe(world));
        assert!(outcome.is_ok(), "failed as told above, with MOORLINE_SIM_SEED={seed}, {faults:?}");
    }
}

#[test]
fn everything_arrives_once_over_wires_that_break() {
    run(Faults {
        relay_restarts: false,
        host_restarts: false,
        floods: false,
        edge: false,
        replays: false,
    });
}

#[test]
fn everything_arrives_once_though_the_relay_forgets_what_it_has_not_stored() {
    run(Faults {
        relay_restarts: true,
        host_restarts: false,
        floods: false,
        edge: false,
        replays: false,
    });
}

#[test]
fn input_that_reached_no_host_is_taken_in_the_next_epoch() {
    run(Faults {
        relay_restarts: false,
        host_restarts: true,
        floods: false,
        edge: false,
        replays: false,
    });
}

#[test]
fn a_new_incarnation_never_mixes_with_the_old_one() {
    run(Faults {
        relay_restarts: true,
        host_restarts: true,
        floods: false,
        edge: false,
        replays: false,
    });
}

#[test]
fn clients_that_fall_behind_a_flood_come_to_the_true_screen() {
    run(Faults {
        relay_restarts: true,
        host_restarts: false,
        floods: true,
        edge: false,
        replays: false,
    });
}

#[test]
fn a_relay_without_memory_loses_nothing() {
    run(Faults {
        relay_restarts: true,
        host_restarts: false,
        floods: false,
        edge: true,
        replays: false,
    });
}

#[test]
fn a_relay_without_memory_keeps_incarnations_apart() {
    run(Faults {
        relay_restarts: true,
        host_restarts: true,
        floods: false,
        edge: true,
        replays: false,
    });
}

#[test]
fn clients_that_fall_behind_a_flood_through_the_edge_come_to_the_true_screen() {
    run(Faults {
        relay_restarts: true,
        host_restarts: false,
        floods: true,
        edge: true,
        replays: false,
    });
}

#[test]
fn clients_that_replay_get_every_entry_of_a_flood_as_long_as_they_read() {
    run(Faults {
        relay_restarts: true,
        host_restarts: false,
        floods: true,
        edge: false,
        replays: true,
    });
}

#[test]
fn clients_that_replay_get_every_entry_of_a_flood_through_the_edge_as_long_as_they_read() {
    run(Faults {
        relay_restarts: true,
        host_restarts: false,
        floods: true,
        edge: true,
        replays: true,
    });
}
