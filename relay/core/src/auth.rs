//! Authentication and authorisation: what a token allows, where a request carries it, what stands
//! in for a token for a while, rates and wrong tokens, origins, and the relay's own names.

mod access;
mod allowance;
mod carrier;
pub mod cookie;
pub mod cors;
mod grant;
mod guesses;
mod header_list;
mod name;
mod origin;
mod reach;
mod stored_token;
mod tickets;
mod token;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

pub use access::{Access, InvalidAccess};
pub use allowance::{RequestRates, network, start_session};
pub use carrier::{Credential, lacks_host, may_change, presented, repeated};
pub use grant::Grant;
pub use guesses::{Count, Guesses, Judged};
pub use name::HostPolicy;
pub use origin::OriginPolicy;
pub(crate) use origin::is_same_origin;
pub use reach::{Reach, Reached};
pub use stored_token::{NewToken, USE_RECORD_INTERVAL};
pub use tickets::{TICKETS, Tickets};
pub use token::{InvalidToken, fixed_token};

/// The stored form of a token or ticket: its SHA-256. Both are 256 random bits, far too many to
/// guess, so a slow hash would add nothing.
pub type SecretHash = [u8; 32];

/// Returns the [`SecretHash`] of a token, ticket or cookie secret.
#[must_use]
pub fn hash_secret(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Returns 256 random bits, as text that fits into an address or a cookie.
///
/// # Errors
/// If the system provides no random numbers.
pub fn random_secret() -> Result<String, getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}
