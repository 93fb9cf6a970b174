//! What the parts of a connection share.

use moorline_shared::time::Time;
use serde_json::Value;

use super::call::CallBook;
use super::outbox::AcpOutbox;

/// What a client can do, as far as it matters here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ClientAbilities {
    /// True if it shows forms.
    pub(super) forms: bool,
    /// True if it opens web pages for the agent.
    pub(super) pages: bool,
}

impl ClientAbilities {
    /// Reads the parameters of `initialize`.
    pub(super) fn read(params: &Value) -> Self {
        let has = |mode: &str| {
            let found = params.pointer(&format!("/clientCapabilities/elicitation/{mode}"));
            found.is_some_and(Value::is_object)
        };
        Self { forms: has("form"), pages: has("url") }
    }
}

/// A source of ids that are unique as long as its seed is.
#[derive(Debug)]
pub(super) struct IdSource {
    seed: u128,
    count: u128,
}

impl IdSource {
    pub(super) const fn new(seed: u128) -> Self {
        Self { seed, count: 0 }
    }

    /// Returns bits for the next id.
    pub(super) const fn next(&mut self) -> u128 {
        // An odd factor maps different counts to different numbers.
        const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        self.count += 1;
        self.seed ^ self.count.wrapping_mul(SPREAD)
    }

    /// Returns a number that is unique on the connection.
    pub(super) const fn next_life(&mut self) -> u64 {
        self.count += 1;
        self.count as u64 & 0xffff_ffff
    }
}

/// What the parts of a connection work with: the time, and where their effects go.
#[derive(Debug)]
pub(super) struct AcpContext<'a> {
    pub(super) now: Time,
    pub(super) abilities: ClientAbilities,
    pub(super) out: &'a mut AcpOutbox,
    pub(super) calls: &'a mut CallBook,
    pub(super) ids: &'a mut IdSource,
}
