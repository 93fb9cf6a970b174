//! Who may do what: tokens, where a request carries them, and origins.

mod access;
mod carrier;
mod origin;
mod tokens;

pub use access::{Access, InvalidAccess};
pub use carrier::{COOKIE, presented};
pub use origin::OriginPolicy;
pub use tokens::{MintError, Minted, Tokens, VerifyError};
