//! A client that speaks no protocol: what it sends is typed, what it gets is output as text.
//!
//! To its session it is a client that knows only IC-1 and has asked to resume.

use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::message::{CatchUp, ClientMessage, Resume, Scope, Snapshot};
use moorline_shared::text::TextDecoder;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::peer::{Peer, PeerOutput};
use super::session::Session;

/// A session with no more output than this is shown from its beginning, else as a picture.
const REPLAY_BYTES: u64 = 64 * 1024;

/// See the module. It can be kept, as its peer can.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plain {
    decoder: TextDecoder,
    may_type: bool,
}

impl Plain {
    /// Resumes on the client's behalf.
    #[must_use]
    pub fn begin(session: &mut Session, peer: &mut Peer, scope: Scope, now: Time) -> Self {
        let log = session.log();
        let is_short = log.reaches_back_to(Seq::ZERO) && log.bytes() <= REPLAY_BYTES;
        let catch_up = if is_short { CatchUp::Replay } else { CatchUp::Snapshot };
        let resume = Resume { catch_up: Some(catch_up), ..Resume::default() };
        peer.text(session, now, &ClientMessage::Resume(resume).to_json());
        Self { decoder: TextDecoder::new(), may_type: scope == Scope::Write }
    }

    /// Types what the client sends. What cannot be typed shows as what does not appear, as on any
    /// terminal whose program does not read.
    pub fn incoming(&self, session: &mut Session, data: Bytes) {
        if !self.may_type || data.is_empty() {
            return;
        }
        match session.write(data, None) {
            // Nobody waits for the answer.
            Ok(request) => session.forget_request(request),
            Err(error) => tracing::debug!(%error, "plain text was not typed"),
        }
    }

    /// The output as text; `None` for what such a client is not told.
    pub fn outgoing(&mut self, output: PeerOutput) -> Option<PeerOutput> {
        let text = match output {
            PeerOutput::Frame(encoded) => {
                let frame = Frame::decode(encoded).ok()?;
                self.decoder.decode(frame.data())
            }
            PeerOutput::Text(message) => {
                let picture = picture(&message)?;
                self.decoder = TextDecoder::new();
                String::from_utf8_lossy(&picture.data).into_owned()
            }
            other @ (PeerOutput::Ping | PeerOutput::Load { .. } | PeerOutput::Close { .. }) => {
                return Some(other);
            }
        };
        (!text.is_empty()).then(|| PeerOutput::Text(text.into()))
    }
}

/// The picture in a message, where it is one: nothing else shows on a screen.
fn picture(message: &[u8]) -> Option<Snapshot> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        r#type: &'a str,
    }
    let message = std::str::from_utf8(message).ok()?;
    let kind: Kind<'_> = serde_json::from_str(message).ok()?;
    (kind.r#type == "snapshot").then(|| serde_json::from_str(message).ok())?
}
