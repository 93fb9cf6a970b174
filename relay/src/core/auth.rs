//! Who may do what: what a token allows, where a request carries it, tickets, origins, and the
//! relay's own names.

mod access;
mod carrier;
mod name;
mod origin;
mod tickets;

use sha2::{Digest as _, Sha256};

pub use access::{Access, InvalidAccess};
pub use carrier::{COOKIE, presented};
pub use name::HostPolicy;
pub use origin::OriginPolicy;
pub use tickets::{TICKET_LIFETIME, Tickets};

/// What is kept of a token or ticket: its SHA-256. Both are 256 random bits, so there is nothing to
/// guess that a slow hash would protect.
pub type SecretHash = [u8; 32];

/// See [`SecretHash`].
#[must_use]
pub fn hash_secret(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}
