//! Error answers about passkeys.

use std::fmt::Display;

use http::StatusCode;
use moorline_shared::limits::TOO_MANY_PASSKEYS;

use super::ApiError;

pub(super) const WRONG_PASSKEY: &str = "Passkey not valid";

impl ApiError {
    /// The relay cannot have passkeys as the page reaches it.
    #[must_use]
    pub fn no_passkeys() -> Self {
        Self::new(StatusCode::FORBIDDEN, "passkey_unavailable", "No passkeys here").with_message(
            "Passkeys need one of the relay's own pages, loaded by a name and over HTTPS: browsers \
             make none for an address, or over plain HTTP.",
        )
    }

    /// The passkey that somebody wants to log in with is refused; `why` gives the reason.
    #[must_use]
    pub fn wrong_passkey(why: impl Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "passkey_refused", WRONG_PASSKEY)
            .with_message(format!("The relay refuses the passkey: {why}."))
    }

    /// The passkey cannot be added; `why` gives the reason.
    #[must_use]
    pub fn bad_passkey(why: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_passkey", "Passkey not added")
            .with_message(format!("The relay cannot add the passkey: {why}."))
    }

    /// The token has too many passkeys.
    #[must_use]
    pub fn too_many_passkeys() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many passkeys")
            .with_message(TOO_MANY_PASSKEYS)
    }

    /// The caller has no passkey with this id.
    #[must_use]
    pub fn no_passkey() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Passkey not found")
            .with_message("It is of another token, or is gone already.")
    }
}
