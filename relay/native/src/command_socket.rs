//! The Unix socket on which the relay admits commands of its own user without a stored token:
//! `commands.sock` in the data folder.
//!
//! A command writes one line, [`CommandRequest`], and gets one line of JSON: `{"secret": …}` or `{"error": …}`. For
//! [`CommandRequest::Pass`] the secret is a [pass](super::auth::Passes), to be presented as a token over HTTP, and
//! ends with the connection. The protocol is deliberately not HTTP: a proxy, however it is configured,
//! cannot make such a request for somebody else. Input that does not begin with a wish gets no answer.
//! Other users get no answer either, although the permissions of the socket and its folder exclude them
//! already.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use moorline_host::folder::{SocketPath, is_trusted};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::auth::HeldPass;
use super::clock::wall_ms;
use super::http::App;
use moorline_shared::limits::TICKET_LIFETIME;

/// The socket's name in the data folder.
pub const SOCKET_NAME: &str = "commands.sock";
/// Time allowed for a wish to arrive, and for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a connection could not be accepted.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Limit of connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 512;

/// A request that a command can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandRequest {
    /// A pass that is valid while the connection is open.
    Pass,
    /// A ticket that admits one browser within [`TICKET_LIFETIME`].
    Ticket,
}

impl CommandRequest {
    /// The line that is sent. All have the same length.
    const fn line(self) -> &'static [u8; 18] {
        match self {
            Self::Pass => b"moorline 1 pass  \n",
            Self::Ticket => b"moorline 1 ticket\n",
        }
    }

    fn read(line: &[u8; 18]) -> Option<Self> {
        [Self::Pass, Self::Ticket].into_iter().find(|wish| wish.line() == line)
    }
}

/// The relay's answer to a [`CommandRequest`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum CommandAnswer {
    /// The pass or the ticket.
    Secret(String),
    /// The reason that neither was made.
    Error(String),
}

/// A pass that is valid until this value is dropped.
pub struct Pass {
    secret: String,
    _connection: BufReader<BlockingStream>,
}

impl Pass {
    /// The secret to present as a token.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

/// Asks the relay that serves this data folder for a pass. Blocks for a few seconds at most.
///
/// # Errors
/// No relay answers on the folder's socket, or the relay cannot give a pass now.
pub fn ask_pass(folder: &Path) -> io::Result<Pass> {
    let (secret, connection) = ask(folder, CommandRequest::Pass)?;
    Ok(Pass { secret, _connection: connection })
}

/// Asks the relay that serves this data folder for a ticket. Blocks for a few seconds at most.
///
/// # Errors
/// As [`ask_pass`].
pub fn ask_ticket(folder: &Path) -> io::Result<String> {
    ask(folder, CommandRequest::Ticket).map(|(ticket, _)| ticket)
}

fn ask(folder: &Path, wish: CommandRequest) -> io::Result<(String, BufReader<BlockingStream>)> {
    let path = SocketPath::new(&folder.join(SOCKET_NAME))?;
    let mut stream = BlockingStream::connect(path.path())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(wish.line())?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    match serde_json::from_str(&line)? {
        CommandAnswer::Secret(secret) => Ok((secret, stream)),
        CommandAnswer::Error(why) => Err(io::Error::other(why)),
    }
}

/// Serves commands until `closing` is true.
pub async fn serve(listener: UnixListener, app: Arc<App>, mut closing: watch::Receiver<bool>) {
    // Dropped on return, which ends the remaining connections.
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if serving.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    serving.spawn(answer(stream, Arc::clone(&app)));
                }
                Err(error) => {
                    tracing::debug!(%error, "a command was refused");
                    sleep(FULL_PAUSE).await;
                }
            },
            Some(_) = serving.join_next() => {}
            () = begun(&mut closing) => return,
        }
    }
}

async fn begun(closing: &mut watch::Receiver<bool>) {
    // Cannot fail: the registry, which holds the sender, outlives this.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Serves one command. Errors are ignored: the command has gone, or does not speak this protocol.
async fn answer(mut stream: UnixStream, app: Arc<App>) -> io::Result<()> {
    let user = stream.peer_cred()?.uid();
    if !is_trusted(user) {
        tracing::warn!(user, "another user's command was refused");
        return Ok(());
    }
    let mut line = [0; 18];
    timeout(PATIENCE, stream.read_exact(&mut line)).await??;
    let wish = CommandRequest::read(&line).ok_or(ErrorKind::InvalidData)?;
    let (answer, held) = fulfil(&app, wish);
    let mut answer = serde_json::to_vec(&answer)?;
    answer.push(b'\n');
    stream.write_all(&answer).await?;
    if held.is_some() {
        // The command sends nothing more, so this returns when it closes the connection.
        let _ = stream.read(&mut line).await;
    }
    Ok(())
}

fn fulfil(app: &App, wish: CommandRequest) -> (CommandAnswer, Option<HeldPass>) {
    let now = Time::from_ms(wall_ms());
    let passes = app.tokens.passes();
    match wish {
        CommandRequest::Pass => match passes.hold(now) {
            Ok(pass) => (CommandAnswer::Secret(pass.secret().to_owned()), Some(pass)),
            Err(error) => (CommandAnswer::Error(error.to_string()), None),
        },
        CommandRequest::Ticket => {
            let ticket = passes.until(now + TICKET_LIFETIME, now);
            let ticket = ticket.and_then(|pass| Ok(app.tickets.issue(pass, now)?));
            (
                ticket.map_or_else(
                    |error| CommandAnswer::Error(error.to_string()),
                    CommandAnswer::Secret,
                ),
                None,
            )
        }
    }
}
