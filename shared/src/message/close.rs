//! Close codes of the stream's WebSocket.

/// The session ended, and everything was sent.
pub const NORMAL: u16 = 1000;
/// The relay is shutting down: dial again at once.
pub const GOING_AWAY: u16 = 1001;
/// The client went silent or broke the protocol: dial again after a wait.
pub const PROTOCOL: u16 = 1002;
/// The connection broke or was never opened. No side sends this code.
pub const ABNORMAL: u16 = 1006;
/// The token is missing, wrong or expired. Other servers of IC-1 say so by this code, and this relay
/// by [`UNAUTHORIZED`].
pub const POLICY: u16 = 1008;
/// A message exceeds the limit of its size.
pub const TOO_LARGE: u16 = 1009;
/// The reader of an event stream has received everything, and nothing can follow.
pub const NOTHING_FOLLOWS: u16 = 4204;
/// The address is malformed.
pub const BAD_REQUEST: u16 = 4400;
/// The token is missing, wrong or expired.
pub const UNAUTHORIZED: u16 = 4401;
/// The origin or the token is not allowed to do this.
pub const FORBIDDEN: u16 = 4403;
/// The session does not exist.
pub const NOT_FOUND: u16 = 4404;
/// The same client id connected again.
pub const REPLACED: u16 = 4409;
/// There are too many clients: dial again after a wait.
pub const OVERLOADED: u16 = 4429;
/// A fault of the relay: dial again after a wait.
pub const INTERNAL: u16 = 4500;

/// Returns true if dialling again is useless.
#[must_use]
pub const fn is_final(code: u16) -> bool {
    matches!(code, POLICY | 4400..=4499) && code != OVERLOADED
}

/// Returns true if dialling again helps only with another token.
#[must_use]
pub const fn is_about_token(code: u16) -> bool {
    matches!(code, POLICY | UNAUTHORIZED | FORBIDDEN)
}
