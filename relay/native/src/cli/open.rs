//! `moorline open`.

use std::process::{Command, ExitCode, Stdio};

use super::completion;
use super::relay::RelayOptions;
use crate::console;

/// Print the page's address with a code that lets one browser in, and open it on a desktop.
///
/// The code can be used once, within 30 seconds: the page exchanges it for a token of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline open
  moorline open build                      one session, by id or name
  moorline open --print --relay https://relay.example.org    with MOORLINE_TOKEN set")]
pub(super) struct OpenOptions {
    /// Only print the address.
    #[arg(long, short)]
    print: bool,

    #[command(flatten)]
    relay: RelayOptions,

    /// A session, by id or name [default: the list of sessions].
    #[arg(add = completion::sessions())]
    session: Option<String>,
}

pub(super) fn run(options: &OpenOptions) -> anyhow::Result<ExitCode> {
    let relay = options.relay.connect()?;
    let page = match &options.session {
        Some(wanted) => format!("terminal/{}", relay.find(wanted)?),
        None => String::new(),
    };
    let address = format!("{}/{page}#code={}", relay.url(), relay.code()?);
    console::print(&format!("{address}\n"))?;
    if !options.print {
        show(&address);
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens an address in the desktop's browser, if there is a desktop.
fn show(address: &str) {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let opener = match std::env::consts::OS {
        "macos" => "open",
        _ if has_display => "xdg-open",
        _ => return,
    };
    let mut command = Command::new(opener);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        tracing::debug!(opener, %error, "no browser was opened");
    }
}
