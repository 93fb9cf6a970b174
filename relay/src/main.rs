//! The binary `moorline`.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    use clap::Parser as _;
    moorline_relay::native::cli::Cli::parse().run().unwrap_or_else(|error| {
        // One line for people: where in the code it happened helps nobody who runs this.
        #[expect(clippy::print_stderr, reason = "this is what standard error is for")]
        {
            eprintln!("error: {error:#}");
        }
        std::process::ExitCode::FAILURE
    })
}

#[cfg(target_arch = "wasm32")]
fn main() {}
