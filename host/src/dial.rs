//! The transport from a host to its relay. A [`Dial`] opens [`Wire`]s, over WebSockets or over
//! channels to a relay in the same process.

mod address;
mod post;
mod trust;
mod websocket;
mod wire;

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::SessionId;
use moorline_shared::limits::{BACKOFF_MOST, DIAL_DEADLINE};
use moorline_shared::message::close;
use moorline_shared::publish::{HostCommand, HostMessage};
use tokio::time::timeout;

pub use address::{Address, BadAddress};
pub use trust::{Fingerprint, InvalidFingerprint, NoCertificates, RelayTrust};
pub use websocket::{Connector, RelayStream, Token, WebSocketDial};
pub use wire::{Wire, WireItem};

/// The host's end of a control link.
pub type ControlWire = Wire<ToRelay, ToHost>;
/// The host's end of a session's link.
pub type PublishWire = Wire<HostMessage, HostCommand>;
/// A link that is being opened; dropping the future cancels it.
pub type Dialing<'a, W> = Pin<Box<dyn Future<Output = Result<W, DialError>> + Send + 'a>>;

/// Opens links to one relay. Each call is a single attempt; the host retries.
pub trait Dial: Send + Sync + 'static {
    /// Opens the host's control link.
    fn control(&self) -> Dialing<'_, ControlWire>;

    /// Opens the link that a session is published on.
    fn publish<'a>(&'a self, session: &'a SessionId) -> Dialing<'a, PublishWire>;

    /// Posts bytes to a path of the relay, and returns the status and the body of its answer.
    fn post(&self, path: String, body: Bytes) -> Dialing<'_, (u16, Bytes)> {
        drop((path, body));
        Box::pin(async { Err(DialError::Unreachable("it takes no requests".to_owned())) })
    }

    /// Waits until there is another credential than the one that was presented last.
    fn credential_change(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    /// Returns what to do about an open link that the relay has closed with this code; `None` if the
    /// user can do nothing.
    fn advice(&self, _code: u16) -> Option<String> {
        None
    }

    /// Returns the longest wait before the host dials again.
    fn longest_wait(&self) -> Duration {
        BACKOFF_MOST
    }
}

/// Waits for a link that is being opened, but no longer than [`DIAL_DEADLINE`].
pub(crate) async fn in_time<W>(dialing: Dialing<'_, W>) -> Result<W, DialError> {
    let too_late = || DialError::Unreachable(format!("no answer within {DIAL_DEADLINE:?}"));
    timeout(DIAL_DEADLINE, dialing).await.unwrap_or_else(|_| Err(too_late()))
}

/// The error of an attempt to open a link.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The relay answered, but refused the link. `code` is a close code of
    /// [`moorline_shared::message::close`], as for an open link.
    #[error("{message}")]
    Refused {
        /// The close code, which says whether dialling again can help.
        code: u16,
        /// A sentence for the user that says what to do.
        message: String,
    },
    /// No relay answered.
    #[error("{0}")]
    Unreachable(String),
}

impl DialError {
    /// Returns true if dialling again is useless unless something else changes.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => close::is_final(*code),
            Self::Unreachable(_) => false,
        }
    }

    /// Returns the equivalent close code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Unreachable(_) => close::ABNORMAL,
        }
    }
}
