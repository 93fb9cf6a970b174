//! Serves the socket.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_shared::agent::rule::RulesQuestion;
use moorline_shared::event::AgentState;
use moorline_shared::id::SessionId;
use moorline_shared::limits::TOO_MANY_APPROVALS;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::question::{refused, request, state};
use super::wire::{LocalFollowUp, LocalQuestion, LocalReply, LocalRequest};
use super::{AskSecret, CONNECTIONS, LINE_BYTES, PATIENCE};
use crate::approvals::{AskerAnswer, RuleBook};
use crate::clock::wall_ms;
use crate::folder::is_trusted;
use crate::session::{PendingApproval, Session, SessionBehind};

/// Pause after a connection could not be accepted.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// Finds a session of the host. Waits for one that is being started: its programs may ask before the
/// host has registered it.
type SessionFinder =
    Box<dyn Fn(&SessionId) -> BoxFuture<'static, Option<Arc<Session>>> + Send + Sync>;

/// Answers the programs that connect to the socket.
pub(crate) struct AskServer {
    secret: Arc<AskSecret>,
    book: Arc<RuleBook>,
    find: SessionFinder,
    /// The number of approvals that were asked for.
    asked: AtomicU64,
}

impl AskServer {
    pub(crate) fn new(secret: Arc<AskSecret>, book: Arc<RuleBook>, find: SessionFinder) -> Self {
        Self { secret, book, find, asked: AtomicU64::new(0) }
    }

    /// Serves until the future is dropped, which ends all connections.
    pub(crate) async fn serve(self, listener: UnixListener) {
        let server = Arc::new(self);
        let mut serving = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if serving.len() < CONNECTIONS => {
                        serving.spawn(Arc::clone(&server).answer(stream));
                    }
                    Ok((stream, _)) => refuse(&stream),
                    Err(error) => {
                        tracing::debug!(%error, "a program could not connect");
                        sleep(FULL_PAUSE).await;
                    }
                },
                Some(_) = serving.join_next() => {}
            }
        }
    }

    /// Serves one connection. Errors are ignored: the program has gone.
    async fn answer(self: Arc<Self>, stream: UnixStream) -> io::Result<()> {
        let user = stream.peer_cred()?.uid();
        if !is_trusted(user) {
            tracing::warn!(user, "another user's question was refused");
            return Ok(());
        }
        let (reader, writer) = stream.into_split();
        let mut lines = LineSocket { reader, writer, buffer: Vec::new() };
        let reply = match timeout(PATIENCE, lines.next()).await?? {
            None => return Ok(()),
            Some(Err(message)) => refused("bad_request", message),
            Some(Ok(LocalRequest::Ask { session, key, question })) => {
                match self.asked(&session, &key, *question).await {
                    Ok((pending, command)) => return wait(lines, pending, &command).await,
                    Err(refusal) => refusal,
                }
            }
            Some(Ok(LocalRequest::State { session, key, value, tool })) => {
                match state(value, tool) {
                    Ok(state) => self.report(&session, &key, state).await.unwrap_or_else(|it| it),
                    Err(refusal) => refusal,
                }
            }
            Some(Ok(LocalRequest::Rules { key, question })) if self.secret.is_host_key(&key) => {
                let book = Arc::clone(&self.book);
                let answered = tokio::task::spawn_blocking(move || rules(&book, &question));
                answered.await.unwrap_or_else(|_| refused("internal", "See the host's log."))
            }
            Some(Ok(LocalRequest::Rules { .. })) => forbidden(),
        };
        lines.write(&reply).await
    }

    /// Opens the approval that a program asks for. Returns the command with it.
    async fn asked(
        &self,
        id: &SessionId,
        key: &str,
        question: LocalQuestion,
    ) -> Result<(PendingApproval, String), LocalReply> {
        let session = self.session(id, key).await?;
        let count = self.asked.fetch_add(1, Ordering::Relaxed);
        let now_ms = wall_ms();
        let approval_id = self.secret.approval_id(id, now_ms, count);
        let (agent, command) = (question.agent.clone(), question.command.clone());
        let request = request(question, approval_id, now_ms)?;
        session.flushed().await;
        Ok((session.ask(agent, request), command))
    }

    async fn report(
        &self,
        id: &SessionId,
        key: &str,
        state: AgentState,
    ) -> Result<LocalReply, LocalReply> {
        let reported = self.session(id, key).await?.report_state(state);
        reported.map(|()| LocalReply::Done).map_err(|SessionBehind| {
            refused("overloaded", "The session's relay is away for too long: try again later.")
        })
    }

    /// Finds the session that a program belongs to.
    async fn session(&self, id: &SessionId, key: &str) -> Result<Arc<Session>, LocalReply> {
        if !self.secret.is_session_key(id, key) {
            return Err(forbidden());
        }
        let gone = || refused("not_found", "The session does not run on this host any more.");
        (self.find)(id).await.ok_or_else(gone)
    }
}

impl std::fmt::Debug for AskServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AskServer").finish_non_exhaustive()
    }
}

fn forbidden() -> LocalReply {
    refused("forbidden", "The key is not that of the session: ask within a session of this host.")
}

/// Answers a question about the host's rules. Blocks.
fn rules(book: &RuleBook, question: &RulesQuestion) -> LocalReply {
    match book.answer(question) {
        Ok(rules) => LocalReply::Rules { rules },
        Err(error) => refused(error.code(), error.to_string()),
    }
}

/// Waits for the answer of an approval, for as long as the program does.
async fn wait(
    mut lines: LineSocket,
    mut pending: PendingApproval,
    command: &str,
) -> io::Result<()> {
    let approval_id = pending.id().clone();
    lines.write(&LocalReply::Asked { approval_id }).await?;
    let answer = tokio::select! {
        biased;
        line = lines.next::<LocalFollowUp>() => {
            // Whatever else a program says, or that it has gone, withdraws the question.
            let reason = match line {
                Ok(Some(Ok(LocalFollowUp::Withdraw { reason }))) if !reason.is_empty() => reason,
                Ok(Some(_)) => "the program that asked has withdrawn it".to_owned(),
                Ok(None) | Err(_) => return Ok(()),
            };
            pending.withdraw(&reason);
            return lines.write(&LocalReply::Withdrawn { reason }).await;
        }
        answer = pending.answer() => answer,
    };
    match answer {
        AskerAnswer::Decided(decision) => {
            let command = decision.custom_command.clone().unwrap_or_else(|| command.to_owned());
            let approved = decision.approved;
            let decision = Box::new(decision);
            lines.write(&LocalReply::Decided { approved, command, decision }).await?;
            let followed = timeout(PATIENCE, lines.next::<LocalFollowUp>()).await;
            if let Ok(Ok(Some(Ok(LocalFollowUp::Received)))) = followed {
                pending.taken();
            }
            Ok(())
        }
        AskerAnswer::Expired => lines.write(&LocalReply::Expired).await,
        AskerAnswer::Over => {
            let reason = "the session has ended".to_owned();
            lines.write(&LocalReply::Withdrawn { reason }).await
        }
        AskerAnswer::TooMany => lines.write(&refused("overloaded", TOO_MANY_APPROVALS)).await,
    }
}

/// Refuses a connection beyond the limit, as far as that takes no time.
fn refuse(stream: &UnixStream) {
    let message = format!("{CONNECTIONS} programs ask already: try again later.");
    if let Ok(line) = line_of(&refused("overloaded", message)) {
        let _ = stream.try_write(&line);
    }
}

fn line_of(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// A connection that carries lines.
struct LineSocket {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// The beginning of the next line.
    buffer: Vec<u8>,
}

impl LineSocket {
    /// Reads the next line; `None` at the end, and `Err` with a sentence if it is not what is
    /// expected. If the future is dropped, nothing is lost.
    async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<Result<T, String>>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let read = serde_json::from_slice(&line);
                return Ok(Some(read.map_err(|error| format!("The line is not valid: {error}."))));
            }
            if self.buffer.len() >= LINE_BYTES {
                let message = format!("A line has at most {} KiB.", LINE_BYTES / 1024);
                return Ok(Some(Err(message)));
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn write(&mut self, reply: &LocalReply) -> io::Result<()> {
        let line = line_of(reply)?;
        timeout(PATIENCE, self.writer.write_all(&line)).await?
    }
}
