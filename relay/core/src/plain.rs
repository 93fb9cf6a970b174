//! A client that speaks no protocol: it sends what is typed, and receives output as text.
//!
//! To its session it is a client that knows only IC-1 and has asked to resume. Its input waits here
//! until there is room, and its socket must not be read meanwhile ([`Plain::advance`]). As on any
//! terminal, a person who types too fast waits for the program.

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::{FRAME_DATA_BYTES, PLAIN_INPUT_BYTES};
use moorline_shared::message::{CatchUp, ClientMessage, Resume, Scope, Snapshot, close};
use moorline_shared::publish::{RequestId, WriteAnswer, WriteRefused};
use moorline_shared::session::{ExitReason, ExitStatus, Lifecycle};
use moorline_shared::text::TextDecoder;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::peer::{Peer, PeerOutput};
use super::replies::is_only_replies;
use super::session::Session;

/// The most output that is shown from its beginning. With more, the client gets a snapshot.
const REPLAY_BYTES: u64 = 64 * 1024;
/// The number of messages that may wait for the program; further ones wait in the socket.
const MESSAGES_WAITING: usize = 256;

/// The error for input beyond the limit. It never occurs if the relay can stop reading the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::REASON)]
pub struct PlainOverrun;

impl PlainOverrun {
    /// The reason for closing the client's socket, with the code [`close::OVERLOADED`].
    pub const REASON: &'static str = "the session does not read its input";
}

/// One client of plain text. It can be saved, as its peer can; its waiting input is not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plain {
    decoder: TextDecoder,
    may_type: bool,
    /// The text that explains why a session, already over when the client came, takes no input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    #[serde(skip)]
    typed: TypedInput,
}

/// Input of the client that the program has not taken.
#[derive(Debug, Clone, Default)]
struct TypedInput {
    /// Requests to the host that it has not answered, and their lengths in bytes.
    asked: VecDeque<(RequestId, usize)>,
    /// Input that waits for room, or for the host.
    waiting: VecDeque<Bytes>,
    /// The bytes of both.
    bytes: usize,
}

impl Plain {
    /// Resumes on the client's behalf, and starts the conversion.
    #[must_use]
    pub fn begin(session: &mut Session, peer: &mut Peer, scope: Scope, now: Time) -> Self {
        let log = session.log();
        let is_short = log.reaches_back_to(Seq::ZERO) && log.bytes() <= REPLAY_BYTES;
        let catch_up = if is_short { CatchUp::Replay } else { CatchUp::Snapshot };
        let resume = Resume { catch_up: Some(catch_up), ..Resume::default() };
        peer.text(session, now, 0, &ClientMessage::Resume(resume).to_json());
        Self {
            decoder: TextDecoder::new(),
            may_type: scope == Scope::Write,
            ended: ended(session),
            typed: TypedInput::default(),
        }
    }

    /// Types what the client sends: now, or once there is room and the host is here. Drops the
    /// automatic answers of its terminal: they do not say which query they answer, so the host
    /// answers every query itself.
    ///
    /// # Errors
    /// [`PlainOverrun`]: nothing of it was typed, and the client must be disconnected.
    pub fn incoming(&mut self, session: &mut Session, data: &Bytes) -> Result<(), PlainOverrun> {
        if !self.may_type || is_only_replies(data) {
            return Ok(());
        }
        if data.is_empty() || session.lifecycle().is_over() {
            return Ok(());
        }
        self.typed.advance(session);
        if self.typed.is_full() {
            return Err(PlainOverrun);
        }
        self.typed.push(data);
        self.typed.advance(session);
        Ok(())
    }

    /// Types waiting input, as far as there is room. Call it whenever the session has changed.
    /// Returns true if the client's socket may be read.
    pub fn advance(&mut self, session: &mut Session) -> bool {
        self.typed.advance(session);
        self.typed.waiting.is_empty() && !self.typed.is_full()
    }

    /// Converts a peer's output to text. Returns up to two outputs, in order; none for messages
    /// that such a client does not get.
    pub fn outgoing(&mut self, output: PeerOutput) -> [Option<PeerOutput>; 2] {
        let text = match output {
            PeerOutput::Frame(encoded) => match Frame::decode(encoded) {
                Ok(frame) => self.decoder.decode(frame.data()),
                Err(_) => return [None, None],
            },
            PeerOutput::Text(message) => {
                let Some(snapshot) = snapshot(&message) else { return [None, None] };
                self.decoder = TextDecoder::new();
                String::from_utf8_lossy(&snapshot.data).into_owned()
            }
            PeerOutput::Close { code: close::NORMAL, .. } => {
                let why = self.ended.take().map(|why| PeerOutput::Text(why.into()));
                return [why, Some(output)];
            }
            PeerOutput::Ping | PeerOutput::Load { .. } | PeerOutput::Close { .. } => {
                return [Some(output), None];
            }
        };
        [(!text.is_empty()).then(|| PeerOutput::Text(text.into())), None]
    }
}

impl TypedInput {
    fn push(&mut self, data: &Bytes) {
        self.bytes += data.len();
        let mut rest = data.clone();
        while rest.len() > FRAME_DATA_BYTES {
            self.waiting.push_back(rest.split_to(FRAME_DATA_BYTES));
        }
        self.waiting.push_back(rest);
    }

    fn is_full(&self) -> bool {
        let messages = self.asked.len() + self.waiting.len();
        self.bytes >= PLAIN_INPUT_BYTES || messages >= MESSAGES_WAITING
    }

    fn advance(&mut self, session: &mut Session) {
        while let Some(&(request, bytes)) = self.asked.front()
            && let Some(answer) = session.written(request)
        {
            self.asked.pop_front();
            self.bytes -= bytes;
            if let Err(error) = answer {
                tracing::debug!(%error, "plain text was not accepted");
            }
        }
        while let Some(data) = self.waiting.pop_front() {
            match session.write(data.clone(), None, WriteAnswer::Taken) {
                Ok(request) => self.asked.push_back((request, data.len())),
                Err(WriteRefused::Ended) => self.bytes -= data.len(),
                Err(WriteRefused::TooMuch | WriteRefused::HostAway) => {
                    self.waiting.push_front(data);
                    return;
                }
            }
        }
    }
}

/// Explains why a session that is over takes no input, in the style of this socket's other errors.
fn ended(session: &Session) -> Option<String> {
    let why = match session.lifecycle() {
        Lifecycle::Live | Lifecycle::Detached => return None,
        Lifecycle::Exited => match session.exit() {
            ExitStatus { signal: Some(signal), .. } => format!("It was ended by {signal}."),
            ExitStatus { code: Some(code), .. } => format!("It exited with code {code}."),
            ExitStatus { reason: Some(ExitReason::PaneClosed), .. } => {
                "Its pane was closed in tmux.".to_owned()
            }
            ExitStatus { reason: Some(ExitReason::ServerEnded), .. } => {
                "Its tmux server has ended.".to_owned()
            }
            ExitStatus { reason: Some(ExitReason::PodFailed), .. } => {
                "Its pod has not become ready.".to_owned()
            }
            ExitStatus { .. } => "It exited.".to_owned(),
        },
        Lifecycle::Lost => "Its host no longer has it.".to_owned(),
        Lifecycle::Expired => "It was unused for too long.".to_owned(),
    };
    let details = format!("{why} Connect with another id to start a session, or delete this one.");
    Some(format!("\r\nError: Session has ended\r\nDetails: {details}\r\n"))
}

/// Returns the snapshot in a message, if it is one. No other message shows on a screen.
fn snapshot(message: &[u8]) -> Option<Snapshot> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        r#type: &'a str,
    }
    let message = std::str::from_utf8(message).ok()?;
    let kind: Kind<'_> = serde_json::from_str(message).ok()?;
    (kind.r#type == "snapshot").then(|| serde_json::from_str(message).ok())?
}

#[cfg(test)]
mod tests;
