//! Stored tokens, passes, which are not stored, and the connections that depend on either.

mod leases;
mod passes;
mod passkeys;
mod tokens;

pub use leases::{
    AccessEnd, AccessLease, CallerSecret, LeaseHolder, LeasePurpose, LeaseSignal, Leases,
};
pub use passes::{HeldPass, PassError, Passes};
pub use tokens::{MintError, Tokens, VerifyError};
