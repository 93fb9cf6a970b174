//! How fast Moorline is, next to what the machine can do: one table from one run.
//!
//! Each figure is the median of several runs, and a baseline runs before each of ours: the machine
//! may have other work, and then both suffer. Readers are as cheap as they can be and run in
//! a process of their own, so that what is measured is the relay.

#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

mod baseline;
mod echo;
mod flood;
mod lean;
mod memory;
mod program;
mod screen;
mod stage;
mod table;
mod viewers;

use anyhow::{Result, bail};

use stage::{Scale, Stage};
use table::Table;

const HELP: &str = "Measures Moorline next to a bare PTY and a bare PTY-to-WebSocket loop.

Usage: bench [--quick]

  --quick   fewer and shorter runs: for a look, not for a record";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => measure(Scale::FULL),
        ["--quick"] => measure(Scale::QUICK),
        ["--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        // What the bench starts itself.
        ["emit", bytes] => program::emit(bytes.parse()?),
        ["bare", command @ ..] => baseline::serve(command),
        ["view", address, session, count] => {
            viewers::view(address.parse()?, &session.parse()?, count.parse()?)
        }
        other => bail!("{other:?} is not understood\n\n{HELP}"),
    }
}

fn measure(scale: Scale) -> Result<()> {
    let mut stage = Stage::new(scale)?;
    let mut table = Table::default();
    println!("{}", stage.describe());
    flood::measure(&mut stage, &mut table)?;
    echo::measure(&mut stage, &mut table)?;
    viewers::measure(&mut stage, &mut table)?;
    memory::measure(&mut stage, &mut table)?;
    screen::measure(&mut stage, &mut table)?;
    println!("\n{table}");
    Ok(())
}
