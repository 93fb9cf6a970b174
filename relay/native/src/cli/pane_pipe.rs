//! `moorline pane-pipe`, which tmux starts for a host that shows a pane.

use std::path::PathBuf;

use anyhow::Context as _;
use moorline_host::driver::tmux::hand_over;

/// Hand the output of a pane of tmux over to a host.
#[derive(Debug, clap::Args)]
pub(super) struct PanePipeOptions {
    /// The socket at which the host waits for it.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
}

/// Hands this process's standard input over.
pub(super) fn run(options: &PanePipeOptions) -> anyhow::Result<()> {
    hand_over(std::io::stdin(), &options.socket).context("the host does not take the pane's output")
}
