//! Moorline's speed beside the machine's own limits: one table from one run.
//!
//! Each figure is the median of several runs, and a baseline runs before each of ours, so that
//! other work on the machine affects both. Readers are as cheap as possible and run in a process of
//! their own, so that the figures are the relay's.

#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

mod agents;
mod baseline;
mod ceiling;
mod echo;
mod edge;
mod flood;
mod heavy;
mod interrupt;
mod lean;
mod load;
mod memory;
mod page;
mod pods;
mod program;
mod screen;
mod sse;
mod stage;
mod sync;
mod table;
mod tmux;
mod viewers;

use anyhow::{Result, bail};

use stage::{Scale, Stage};
use table::Table;

const HELP: &str = "Measures Moorline next to a bare PTY and a bare PTY-to-WebSocket loop.

Usage: bench [--quick] [flood | echo | viewers | interrupt | memory | heavy | screen | sse |
              agents | page | tmux | pods | sync | edge]...

  --quick   fewer and shorter runs: for a look, not for a record
  Without names everything is measured. It fails if memory or disk is over what is promised.";

/// A part of the table.
type Part = (&'static str, fn(&mut Stage, &mut Table) -> Result<()>);

const PARTS: [Part; 14] = [
    ("flood", flood::measure),
    ("echo", echo::measure),
    ("viewers", viewers::measure),
    ("interrupt", interrupt::measure),
    ("memory", memory::measure),
    ("heavy", heavy::measure),
    ("screen", screen::measure),
    ("sse", sse::measure),
    ("agents", agents::measure),
    ("page", page::measure),
    ("tmux", tmux::measure),
    ("pods", pods::measure),
    ("sync", sync::measure),
    ("edge", edge::measure),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        // Programs that the bench itself starts.
        ["emit", bytes] => program::emit(bytes.parse()?),
        ["tick", rounds, pause_ms] => program::tick(rounds.parse()?, pause_ms.parse()?),
        ["pace", rounds, pause_ms, lines] => {
            program::pace(rounds.parse()?, pause_ms.parse()?, lines.parse()?)
        }
        ["heavy", kind, bytes] => program::heavy(kind, bytes.parse()?),
        ["agent"] => agents::serve(),
        ["hear", address, session, count, tools] => {
            agents::hear(address.parse()?, &session.parse()?, count.parse()?, tools.parse()?)
        }
        ["ceiling", bytes] => ceiling::serve(bytes.parse()?),
        ["pour"] => program::pour(),
        ["spin"] => load::spin(),
        ["bare", command @ ..] => baseline::serve(command),
        ["view", address, session, count] => {
            viewers::view(address.parse()?, &session.parse()?, count.parse()?)
        }
        ["--quick", parts @ ..] => measure(Scale::QUICK, parts),
        parts => measure(Scale::FULL, parts),
    }
}

fn measure(scale: Scale, names: &[&str]) -> Result<()> {
    let known = |name: &&str| PARTS.iter().any(|(part, _)| part == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        bail!("{unknown:?} is not understood\n\n{HELP}");
    }
    let mut stage = Stage::new(scale)?;
    let mut table = Table::default();
    println!("{}", stage.describe());
    for (name, part) in PARTS {
        if names.is_empty() || names.contains(&name) {
            part(&mut stage, &mut table)?;
        }
    }
    println!("\n{table}");
    table.check()
}
