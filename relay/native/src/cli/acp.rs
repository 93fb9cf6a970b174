//! `moorline acp`.

mod rim;

use std::io::{BufRead, BufReader, Read as _};
use std::sync::Arc;

use anyhow::Context as _;
use moorline_core::acp::{AcpServer, AcpTerms};
use moorline_core::auth::Access;
use moorline_shared::limits::ACP_MESSAGE_BYTES;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::completion;
use super::relay::RelayOptions;
use crate::acp::{AcpDriver, AcpEnd, CLIENT_ROOM};
use crate::clock::Clock;
use rim::RelayRim;

/// Make agent sessions available to an editor that speaks the Agent Client Protocol.
///
/// For an editor to start, as an agent: it speaks the protocol on stdin and stdout. The sessions
/// outlive the editor. If the connection to the relay breaks, or the relay restarts, this command
/// goes on once it is back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline acp fix-tests                   one session, by its id or name
  moorline acp --agent claude-code         all sessions; new ones run this agent

In Zed's settings:
  \"agent_servers\": { \"Moorline\": {
    \"type\": \"custom\", \"command\": \"moorline\", \"args\": [\"acp\", \"--agent\", \"claude-code\"] } }

docs/ACP.md explains it, also for other clients.")]
pub(super) struct AcpOptions {
    /// The session's id or name, as `moorline ls` shows them. Without it, the editor may list,
    /// load and start all sessions of agents.
    #[arg(add = completion::sessions())]
    session: Option<String>,

    /// The agent that new sessions run, such as `claude-code`, unless the editor names one.
    #[arg(long, value_name = "AGENT", conflicts_with = "session")]
    agent: Option<String>,

    #[command(flatten)]
    relay: RelayOptions,
}

pub(super) fn run(options: &AcpOptions) -> anyhow::Result<()> {
    let relay = options.relay.connect()?;
    let session = options.session.as_deref().map(|wanted| relay.find(wanted)).transpose()?;
    let opener = relay.lasting(session.as_ref(), "moorline acp")?;
    let terms = AcpTerms {
        session: session.clone(),
        // The relay decides what the credential allows.
        access: Access::Admin,
        agent: options.agent.clone(),
        receipts: false,
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)?;
    let server = AcpServer::new(terms, u128::from_ne_bytes(seed));
    let rim = RelayRim::new(Arc::new(relay), opener.opener.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = runtime.block_on(serve(AcpDriver::new(server, rim, Clock::start())));
    drop(opener);
    // A thread may still be waiting for a line.
    runtime.shutdown_background();
    end
}

/// Serves the client on stdin and stdout until it closes one of them.
async fn serve(driver: AcpDriver<RelayRim>) -> anyhow::Result<()> {
    let (say, said) = mpsc::channel(CLIENT_ROOM);
    let (tell, mut told) = mpsc::channel::<String>(CLIENT_ROOM);
    std::thread::Builder::new().name("stdin".into()).spawn(move || read(&say))?;
    let write = async {
        let mut stdout = tokio::io::stdout();
        while let Some(mut line) = told.recv().await {
            line.push('\n');
            if stdout.write_all(line.as_bytes()).await.is_err() || stdout.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        end = driver.run(said, tell) => match end {
            AcpEnd::Gone => Ok(()),
            AcpEnd::Closed(_, reason) => Err(anyhow::anyhow!(reason)),
        },
        () = write => Ok(()),
    }
}

/// Passes on the lines of stdin.
fn read(say: &mpsc::Sender<String>) {
    let mut stdin = BufReader::new(std::io::stdin());
    while let Ok(Some(line)) = read_line(&mut stdin) {
        if say.blocking_send(line).is_err() {
            return;
        }
    }
}

/// Reads a line. What exceeds the limit of a message by more than a byte is dropped: the server
/// then says that the message is too large. Returns `None` at the end.
fn read_line(input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    let mut line = Vec::new();
    let limit = ACP_MESSAGE_BYTES as u64 + 2;
    input.take(limit).read_until(b'\n', &mut line).context("stdin cannot be read")?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == limit {
        input.skip_until(b'\n').context("stdin cannot be read")?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_read_as_such_and_the_next_one_as_it_is() {
        let long = "x".repeat(3 * ACP_MESSAGE_BYTES);
        let input = format!("one\r\n\n{long}\nthree");
        let mut input = input.as_bytes();
        let mut next = || read_line(&mut input).unwrap();
        assert_eq!(next().as_deref(), Some("one"));
        assert_eq!(next().as_deref(), Some(""));
        assert!(next().is_some_and(|line| line.len() > ACP_MESSAGE_BYTES));
        assert_eq!(next().as_deref(), Some("three"));
        assert_eq!(next(), None);
    }
}
