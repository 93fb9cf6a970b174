//! The tokens that are stored, and the passes that are not.

mod passes;
mod tokens;

pub use passes::{HeldPass, PassError, Passes};
pub use tokens::{MintError, Minted, Tokens, VerifyError};
