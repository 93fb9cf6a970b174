//! Keeps queries that a terminal must not answer from it.

use memchr::memchr3;

use super::parse::{Parsed, parse};
use super::{EIGHT_BIT, ESCAPE, QUERY_BYTES};

/// ENQ. Some terminals answer it with a text that their user chose; xterm's is empty.
const ENQUIRY: u8 = 0x05;

/// Removes queries from output that arrives in pieces: those that the host alone answers
/// ([`super::Query::is_for_host`]), and those that nobody must answer. All other output passes
/// unchanged. An unfinished sequence that may be such a query is held back until the rest arrives,
/// up to 4 KiB of it.
#[derive(Debug, Default)]
pub struct Withheld {
    /// The unfinished sequence, from its escape character.
    begun: Vec<u8>,
}

impl Withheld {
    /// Creates a filter for the beginning of a session's output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the part of this piece that a terminal may see.
    #[must_use]
    pub fn pass(&mut self, output: &[u8]) -> Vec<u8> {
        let joined = [&std::mem::take(&mut self.begun), output].concat();
        let mut passed = Vec::with_capacity(joined.len());
        let mut rest = &joined[..];
        while let Some(at) = memchr3(ESCAPE, EIGHT_BIT, ENQUIRY, rest) {
            passed.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let (length, is_seen) = match parse_or_enquiry(rest) {
                Parsed::Query { length, query } => (length, !query.is_for_host()),
                Parsed::Silent { length } => (length, false),
                Parsed::Other { length } => (length, true),
                Parsed::Unfinished if rest.len() <= QUERY_BYTES => {
                    self.begun = rest.to_vec();
                    return passed;
                }
                Parsed::Unfinished => (1, true),
            };
            if is_seen {
                // A control character within a sequence would be executed.
                passed.extend(rest[..length].iter().filter(|byte| **byte != ENQUIRY));
            }
            rest = &rest[length..];
        }
        passed.extend_from_slice(rest);
        passed
    }
}

fn parse_or_enquiry(rest: &[u8]) -> Parsed {
    if rest[0] == ENQUIRY { Parsed::Silent { length: 1 } } else { parse(rest) }
}
