//! The input of a client: bytes for the program, sizes, and answers to queries.

use bytes::Bytes;
use const_format::formatcp;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Cursor, Seq};
use moorline_shared::limits::{INPUT_WAITS, NOT_A_FRAME, SESSION_INPUT_WAITS, SIZES};
use moorline_shared::message::{ErrorCode, Scope, close};
use moorline_shared::session::Size;
use moorline_shared::time::Time;

use super::Peer;
use crate::input::InputRefused;
use crate::session::Session;

pub(super) const READ_ONLY: &str = "This token is read-only.";

/// The state of a client's input on this connection.
#[derive(Debug, Default)]
pub(super) struct PeerInput {
    /// True if input waits while the host is away.
    pub(super) hold: bool,
    /// True if the client's terminal answers queries.
    pub(super) answers: bool,
    /// Its place in the order in which clients typed or resized; 0 if it never did.
    pub(super) active: u64,
    /// The last piece of input that arrived.
    pub(super) received: Option<Seq>,
    /// The last piece that the client says to have sent on any connection.
    pub(super) sent: Option<Cursor>,
    /// True once input was refused because the host is away.
    pub(super) is_refused: bool,
}

impl Peer {
    /// Handles a binary message: a piece of input.
    pub fn binary(&mut self, session: &mut Session, now: Time, encoded: Bytes) {
        self.liveness.heard(now);
        if self.closing.is_some() {
            // The client sends unacknowledged input again on its next connection.
            return;
        }
        let Ok(piece) = Frame::decode(encoded) else {
            return self.error(ErrorCode::BadMessage, NOT_A_FRAME);
        };
        let Some(client_id) = self.client_id.clone().filter(|_| self.has_answer()) else {
            return self.error(
                ErrorCode::ResumeRequired,
                "Send `resume` with a clientId before input, on the subprotocol moorline.v1.",
            );
        };
        if self.terms.scope == Scope::Read {
            return self.error(ErrorCode::ReadOnly, READ_ONLY);
        }
        if session.lifecycle().is_over() {
            return self.error(ErrorCode::SessionEnded, "The session has ended.");
        }
        // Input for an earlier epoch of the session must not reach this one.
        if self.epoch == Some(session.log().epoch()) {
            self.input.received = Some(piece.seq());
            if interrupts(piece.data()) {
                self.interrupted(session);
            }
            self.input.active = session.is_active(&client_id);
            self.pass_on(session, &client_id, piece);
        }
    }

    fn pass_on(&mut self, session: &mut Session, client_id: &ClientId, piece: Frame) {
        if self.input.is_refused && session.host_is_here() {
            // An earlier piece was refused: this connection is about to close, and the client sends
            // both again.
            return;
        }
        let (code, message) = match session.input(client_id, piece, self.input.hold) {
            Ok(()) => return,
            Err(InputRefused::HostAway) => {
                self.input.is_refused = true;
                return self.error(
                    ErrorCode::HostOffline,
                    "The session's host is offline: resume with `hold` to keep input until it is \
                     back.",
                );
            }
            Err(InputRefused::TooMuch) => {
                (ErrorCode::TooLarge, formatcp!("More than {INPUT_WAITS}."))
            }
            Err(InputRefused::SessionFull) => (ErrorCode::Overloaded, SESSION_INPUT_WAITS),
            Err(InputRefused::Gap) => {
                (ErrorCode::BadMessage, "A piece of input is missing: continue after inputSeq.")
            }
        };
        self.error(code, message);
        if code == ErrorCode::Overloaded {
            // The client sends unacknowledged input again on its next connection.
            return self.close(close::OVERLOADED, "the session does not read its input");
        }
        self.close(close::PROTOCOL, "the input does not follow what was acknowledged");
    }

    pub(super) fn resize(&mut self, session: &mut Session, size: Size) {
        if self.terms.scope == Scope::Read {
            self.error(ErrorCode::ReadOnly, READ_ONLY);
        } else if size != size.clamped() {
            self.error(ErrorCode::BadMessage, SIZES);
        } else {
            if let Some(client_id) = &self.client_id {
                self.input.active = session.is_active(client_id);
            }
            session.client_size(self.client_id.as_ref(), size);
        }
    }

    /// Passes on a terminal's answer to a query. Drops it if the client may not type, or if it is
    /// for another epoch.
    pub(super) fn reply(&self, session: &mut Session, seq: Seq, data: Bytes, more: bool) {
        let is_current = self.has_answer() && self.epoch == Some(session.log().epoch());
        let answers = self.input.answers && is_current;
        if let Some(client_id) = self.client_id.as_ref().filter(|_| answers) {
            session.reply(client_id, seq, data, more);
        }
    }
}

/// Returns true if the input asks the program to stop: ^C or ^\ as a byte, or as a key sequence if
/// the program has asked for those.
fn interrupts(input: &[u8]) -> bool {
    const KEYS: [&[u8]; 2] = [b"\x1b[99;5u", b"\x1b[92;5u"];
    let is_key = |keys: &[u8]| KEYS.contains(&keys);
    input.iter().any(|byte| matches!(byte, 0x03 | 0x1c)) || input.windows(7).any(is_key)
}
