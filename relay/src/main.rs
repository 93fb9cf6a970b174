//! The binary `moorline`.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> anyhow::Result<std::process::ExitCode> {
    use clap::Parser as _;
    moorline_relay::native::cli::Cli::parse().run()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
