//! Who may do what: tokens, where a request carries them, tickets, origins, and
//! the relay's own names.

mod access;
mod carrier;
mod host;
mod origin;
mod tickets;
mod tokens;

pub use access::{Access, InvalidAccess};
pub use carrier::{COOKIE, presented};
pub use host::HostPolicy;
pub use origin::OriginPolicy;
pub use tickets::{TICKET_LIFETIME, Tickets};
pub use tokens::{MintError, Minted, Tokens, VerifyError};
