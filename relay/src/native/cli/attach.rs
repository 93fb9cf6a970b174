//! `moorline attach`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use moorline_shared::id::SessionId;
use moorline_shared::message::Scope;
use moorline_shared::time::Time;

use super::{DataDir, note};
use crate::core::auth::Access;
use crate::native::attach::{End, Target, attach};
use crate::native::auth::Tokens;
use crate::native::clock::wall_ms;
use crate::native::data_folder::DataFolder;
use crate::native::store::FILE_NAME;

/// Show and steer a session on this terminal. Ctrl-] and then d detaches.
///
/// The connection may break and come back: what you type meanwhile is delivered once. Exits with
/// the session's own exit code when the session ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline attach abcdefgh12345678
  moorline attach abcdefgh12345678 --url 'http://127.0.0.1:3010/#token=…'
  ssh -L 3010:127.0.0.1:3010 server          then attach to what runs there")]
pub(super) struct Options {
    /// The session's id, as the list of sessions shows it.
    session: SessionId,

    /// The relay's address; the one that `serve` printed may be given with its token.
    #[arg(long, env = "MOORLINE_URL", default_value = "http://127.0.0.1:3010")]
    url: String,

    /// A token for the session. Without one, a token is made for as long as this runs, where the
    /// relay's data folder can be read.
    #[arg(long, env = "MOORLINE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,

    #[command(flatten)]
    data_dir: DataDir,
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options { session, url, token, data_dir } = options;
    let (url, of_url) = match url.split_once("/#token=") {
        Some((url, token)) => (url.to_owned(), Some(token.to_owned())),
        None => (url, None),
    };
    let (token, borrowed) = match token.or(of_url) {
        Some(token) => (token, None),
        None => borrow_token(&session, &data_dir)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = runtime.block_on(attach(Target { url, token, session: session.clone() }));
    if let Some((tokens, id)) = borrowed {
        tokens.revoke(&id)?;
    }
    // A thread may still wait for a key.
    runtime.shutdown_background();
    Ok(report(&session, &end?))
}

type Borrowed = Option<(Tokens, String)>;

/// A token of this machine's own relay, to be revoked at the end.
fn borrow_token(session: &SessionId, data_dir: &DataDir) -> anyhow::Result<(String, Borrowed)> {
    let folder = data_dir.path()?;
    if !folder.join(FILE_NAME).exists() {
        bail!("a token is needed: give --token, or MOORLINE_TOKEN in the environment");
    }
    let store = DataFolder::open(&folder)?.store().context("a token is needed: give --token")?;
    let tokens = Tokens::new(store, None);
    let access = Access::Session { id: session.clone(), scope: Scope::Write };
    let label = Some("moorline attach".to_owned());
    let minted = tokens.mint(&access, label, Time::from_ms(wall_ms()), None)?;
    Ok((minted.token, Some((tokens, minted.record.id))))
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
            (None, None) => ("The session was lost.\n".to_owned(), ExitCode::FAILURE),
        },
    };
    note(&text);
    code
}
