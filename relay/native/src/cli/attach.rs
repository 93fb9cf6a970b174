//! `moorline attach`.

use std::process::ExitCode;

use moorline_shared::id::SessionId;
use moorline_shared::session::ExitReason;

use super::completion;
use super::relay::{Relay, RelayOptions};
use crate::attach::{End, Target, attach};
use crate::console::note;

/// Show and steer a session on this terminal. Ctrl-] and then d detaches.
///
/// The connection may break and come back: what you type meanwhile is delivered once. Exits with
/// the session's own exit code when the session ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline attach build                    a session by its name
  moorline attach abcdefgh12345678 --url 'http://127.0.0.1:3010/#token=…'
  ssh -L 3010:127.0.0.1:3010 server          then attach to what runs there")]
pub(super) struct AttachOptions {
    /// The session's id or name, as `moorline ls` shows them.
    #[arg(add = completion::sessions())]
    session: String,

    #[command(flatten)]
    relay: RelayOptions,
}

pub(super) fn run(options: &AttachOptions) -> anyhow::Result<ExitCode> {
    let relay = options.relay.connect()?;
    let id = relay.find(&options.session)?;
    attach_to(&relay, &id)
}

/// Attaches until the session is over or the user detaches.
pub(super) fn attach_to(relay: &Relay, session: &SessionId) -> anyhow::Result<ExitCode> {
    let opener = relay.session_opener(session)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target = Target {
        url: relay.url().to_owned(),
        trust: relay.trust().clone(),
        opener: opener.opener.clone(),
        session: session.clone(),
    };
    let end = runtime.block_on(attach(target));
    drop(opener);
    // A thread may still be waiting for a key.
    runtime.shutdown_background();
    Ok(report(session, &end?))
}

fn report(session: &SessionId, end: &End) -> ExitCode {
    let (text, code) = match end {
        End::Detached => {
            (format!("Detached; `moorline attach {session}` comes back.\n"), ExitCode::SUCCESS)
        }
        End::Over(status) => match (&status.code, &status.signal) {
            (Some(code), _) => (
                format!("The session ended with code {code}.\n"),
                ExitCode::from(u8::try_from(*code).unwrap_or(1)),
            ),
            (None, Some(signal)) => {
                (format!("The session was ended by {signal}.\n"), ExitCode::FAILURE)
            }
            (None, None) => match status.reason {
                Some(ExitReason::PaneClosed) => {
                    ("The pane was closed in tmux.\n".to_owned(), ExitCode::SUCCESS)
                }
                Some(ExitReason::ServerEnded) => {
                    ("The tmux server has ended.\n".to_owned(), ExitCode::FAILURE)
                }
                Some(ExitReason::PodFailed) => {
                    ("The session's pod has not become ready.\n".to_owned(), ExitCode::FAILURE)
                }
                Some(ExitReason::Unknown) => ("The session ended.\n".to_owned(), ExitCode::SUCCESS),
                None => ("The session was lost.\n".to_owned(), ExitCode::FAILURE),
            },
        },
    };
    note(&text);
    code
}
