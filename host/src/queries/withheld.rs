//! Keeps from a terminal what it is not to answer.

use memchr::memchr3;

use super::parse::{Parsed, parse};
use super::{EIGHT_BIT, ESCAPE, QUERY_BYTES};

/// ENQ: terminals answer with a text that their user has chosen, and xterm with none.
const ENQUIRY: u8 = 0x05;

/// Takes out of output, which comes in pieces, what the host answers whoever is there
/// ([`super::Query::is_for_host`]) and what nobody is to answer. All else passes as it is, but for a
/// sequence that may be one of them and is unfinished: it is held back until the rest comes, at most
/// 4 KiB of it.
#[derive(Debug, Default)]
pub struct Withheld {
    /// The unfinished sequence, from its escape character.
    begun: Vec<u8>,
}

impl Withheld {
    /// At the beginning of a session's output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a terminal may see of this piece.
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
                // A control character within a sequence is obeyed.
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
