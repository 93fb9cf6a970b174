//! How a host reaches its relay: a [`Dial`] opens [`Wire`]s, and what carries them (a WebSocket, or
//! channels to a relay in the same process) is its own affair.

mod address;
mod redial;
mod websocket;
mod wire;

use std::pin::Pin;
use std::time::Duration;

use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::SessionId;
use moorline_shared::limits::BACKOFF_MOST;
use moorline_shared::message::close;
use moorline_shared::publish::{HostCommand, HostMessage};

pub use address::{Address, BadAddress};
pub(crate) use redial::Redial;
pub use websocket::{NoCertificates, Token, WebSocketDial};
pub use wire::{ABNORMAL, Item, Wire};

/// The host's end of a control link.
pub type ControlWire = Wire<ToRelay, ToHost>;
/// The host's end of a session's link.
pub type PublishWire = Wire<HostMessage, HostCommand>;
/// A link that is being opened; dropping it gives up.
pub type Dialing<'a, W> = Pin<Box<dyn Future<Output = Result<W, DialError>> + Send + 'a>>;

/// Opens links to one relay. Each call is one try: the host tries again by itself.
pub trait Dial: Send + Sync + 'static {
    /// Opens the host's control link.
    fn control(&self) -> Dialing<'_, ControlWire>;

    /// Opens the link that a session is published on.
    fn publish<'a>(&'a self, session: &'a SessionId) -> Dialing<'a, PublishWire>;

    /// The longest that the host waits before it dials again.
    fn longest_wait(&self) -> Duration {
        BACKOFF_MOST
    }
}

/// Why a link could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The relay answered, and does not want it. `code` is a close code of
    /// [`moorline_shared::message::close`], as for a link that was open.
    #[error("{message}")]
    Refused {
        /// Says whether dialling again can help.
        code: u16,
        /// For people: what to do.
        message: String,
    },
    /// No relay answered.
    #[error("{0}")]
    Unreachable(String),
}

impl DialError {
    /// Whether dialling again cannot help while all stays as it is.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => close::is_final(*code),
            Self::Unreachable(_) => false,
        }
    }

    /// The close code that says the same.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Unreachable(_) => ABNORMAL,
        }
    }
}
