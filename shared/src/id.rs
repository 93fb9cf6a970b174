//! The names of sessions, projects, hosts, clients, turns and approvals, and positions in a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{ID_CHARACTERS, NOT_AN_ID};

/// The error for a text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", NOT_AN_ID)]
pub struct InvalidId;

fn check(text: &str) -> Result<(), InvalidId> {
    let fits = ID_CHARACTERS.contains(&text.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if fits && text.bytes().all(plain) { Ok(()) } else { Err(InvalidId) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[a-zA-Z0-9_-]{8,32}$"))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Creates an id of 16 letters and digits from 80 of the given random bits.
            #[must_use]
            pub fn from_random(bits: u128) -> Self {
                const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
                let letter = |place: u32| ALPHABET[(bits >> (place * 5)) as usize & 31] as char;
                Self((0..16).map(letter).collect::<String>().into())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text).map(|()| Self(text.into()))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// Names a session: `^[a-zA-Z0-9_-]{8,32}$`.
    SessionId
}
id! {
    /// Names a project of a relay.
    ProjectId
}
id! {
    /// Names a host: a machine that runs sessions.
    HostId
}
id! {
    /// Names a workspace: files that a relay keeps in sync with the folders of sessions.
    WorkspaceId
}
id! {
    /// Names one page or program that follows a session, across all its connections. Input is
    /// numbered per client id.
    ClientId
}
id! {
    /// Names a turn of an agent: one prompt, and all that follows until the agent stops.
    TurnId
}
id! {
    /// Names a question that waits for a person's decision.
    ApprovalId
}

/// A position in a log. Entries are numbered from 1 without gaps; 0 is the position before the
/// first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position before the first entry.
    pub const ZERO: Self = Self(0);

    /// Returns the number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one life of a log by the time at which it began, in milliseconds since 1970. A later life
/// has a larger epoch, and a cursor of another epoch is void.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The last entry that was applied, and the epoch that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The last applied entry.
    pub seq: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_8_to_32_plain_characters() {
        for good in ["abcdefgh", "user_1_ws_abc123_1234567890_uuid", "A-_45678"] {
            assert_eq!(good.parse::<SessionId>().unwrap().as_str(), good);
        }
        for bad in ["", "short", "has space!", "dots.are.not", "äöüäöüäö", &"a".repeat(33)]
        {
            assert_eq!(bad.parse::<SessionId>(), Err(InvalidId));
        }
    }

    #[test]
    fn a_random_id_is_an_id() {
        for bits in [0, 1, u128::MAX, 0x1234_5678_9abc_def0_1357_9bdf_0246_8ace] {
            let id = SessionId::from_random(bits);
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }
}
