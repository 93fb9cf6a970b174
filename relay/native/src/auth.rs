//! Stored tokens, and passes, which are not stored.

mod passes;
mod tokens;

pub use passes::{HeldPass, PassError, Passes};
pub use tokens::{MintError, Minted, Tokens, VerifyError};
