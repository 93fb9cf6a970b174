//! The binary `moorline`: parses the command line and runs the command.

fn main() -> std::process::ExitCode {
    use clap::Parser as _;
    use moorline_relay::cli::{Cli, answer_shell};
    use moorline_relay::console::{NobodyReads, note};
    use std::process::ExitCode;

    if let Some(ended) = moorline_host::limits::become_program(std::env::args_os()) {
        return ended;
    }
    answer_shell();
    Cli::parse().run().unwrap_or_else(|error| {
        if error.is::<NobodyReads>() {
            return ExitCode::SUCCESS;
        }
        // One line for people. A backtrace does not help those who run this.
        note(&format!("error: {error:#}\n"));
        ExitCode::FAILURE
    })
}
