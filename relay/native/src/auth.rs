//! The tokens that are stored.

mod tokens;

pub use tokens::{MintError, Minted, Tokens, VerifyError};
