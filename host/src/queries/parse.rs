//! Reads one sequence from its escape character on.

use super::{ESCAPE, Query};

const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;

/// No query by control sequence is longer.
const CONTROL_SEQUENCE_BYTES: usize = 64;

/// What a sequence is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A query of so many bytes.
    Query { length: usize, query: Query },
    /// No query: look on after so many bytes.
    Other { length: usize },
    /// It may become a query.
    Unfinished,
}

/// Reads what begins with the escape character at the beginning.
pub(super) fn parse(output: &[u8]) -> Parsed {
    match output.get(1) {
        None => Parsed::Unfinished,
        Some(b'[') => control(output),
        Some(b']') => string(output, &[b"4;", b"10;", b"11;", b"12;"], true),
        Some(b'P') => string(output, &[b"$q", b"+q"], false),
        Some(_) => Parsed::Other { length: 1 },
    }
}

fn control(output: &[u8]) -> Parsed {
    for (at, byte) in output.iter().enumerate().skip(2) {
        match *byte {
            CANCEL | SUBSTITUTE | ESCAPE => return Parsed::Other { length: at },
            0x40..=0x7e => {
                let length = at + 1;
                // Most sequences set attributes or move the cursor.
                let may_ask = matches!(byte, b'c' | b'n' | b'p' | b'q' | b't' | b'u')
                    || (*byte == b'm' && output[2] == b'?');
                let query = may_ask.then(|| control_query(&output[2..at], *byte)).flatten();
                return match query {
                    Some(query) => Parsed::Query { length, query },
                    None => Parsed::Other { length },
                };
            }
            // Control characters within are obeyed and do not end it.
            _ if at > CONTROL_SEQUENCE_BYTES => return Parsed::Other { length: at },
            _ => {}
        }
    }
    Parsed::Unfinished
}

fn control_query(parameters: &[u8], end: u8) -> Option<Query> {
    let parameters: Vec<u8> = parameters.iter().copied().filter(|byte| *byte >= 0x20).collect();
    let (prefix, rest) = match parameters.split_first() {
        Some((prefix @ b'<'..=b'?', rest)) => (Some(*prefix), rest),
        _ => (None, &parameters[..]),
    };
    let digits = rest.iter().take_while(|byte| matches!(byte, b'0'..=b';')).count();
    let (numbers, intermediates) = rest.split_at(digits);
    let first = number(numbers.split(|byte| matches!(byte, b';' | b':')).next()?)?;
    Some(match (prefix, intermediates, end) {
        (None, b"", b'c') if first == 0 => Query::PrimaryAttributes,
        (Some(b'>'), b"", b'c') if first == 0 => Query::SecondaryAttributes,
        (Some(b'='), b"", b'c') if first == 0 => Query::TertiaryAttributes,
        (Some(b'>'), b"", b'q') if first == 0 => Query::Version,
        (None, b"", b'n') if first == 5 => Query::Status,
        (None, b"", b'n') if first == 6 => Query::Cursor { private: false },
        (Some(b'?'), b"", b'n') if first == 6 => Query::Cursor { private: true },
        (None, b"$", b'p') => Query::Mode { private: false, mode: first },
        (Some(b'?'), b"$", b'p') => Query::Mode { private: true, mode: first },
        (None, b"", b't') if matches!(first, 14 | 16 | 18) => Query::Window(first),
        (Some(b'?'), b"", b'u') => Query::Keyboard,
        (Some(b'?'), b"", b'm') if first == 4 => Query::OtherKeys,
        _ => return None,
    })
}

/// A number, 0 where there is none.
fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() { Some(0) } else { std::str::from_utf8(digits).ok()?.parse().ok() }
}

/// A string that begins with one of `beginnings`.
fn string(output: &[u8], beginnings: &[&[u8]], ends_with_bell: bool) -> Parsed {
    let body = &output[2..];
    let begins = |beginning: &&&[u8]| body.starts_with(beginning) || beginning.starts_with(body);
    if !beginnings.iter().any(|beginning| begins(&beginning)) {
        return Parsed::Other { length: 2 };
    }
    let ends = |byte: &u8| {
        matches!(*byte, CANCEL | SUBSTITUTE | ESCAPE) || (*byte == BELL && ends_with_bell)
    };
    let Some(end) = body.iter().position(ends) else { return Parsed::Unfinished };
    let (length, bell) = match (body[end], body.get(end + 1)) {
        (BELL, _) => (2 + end + 1, true),
        (ESCAPE, Some(b'\\')) => (2 + end + 2, false),
        (ESCAPE, None) => return Parsed::Unfinished,
        _ => return Parsed::Other { length: 2 + end },
    };
    match std::str::from_utf8(&body[..end]).ok().and_then(|body| string_query(body, bell)) {
        Some(query) => Parsed::Query { length, query },
        None => Parsed::Other { length },
    }
}

fn string_query(body: &str, bell: bool) -> Option<Query> {
    if let Some(setting) = body.strip_prefix("$q") {
        return Some(Query::Setting(setting.to_owned()));
    }
    if let Some(names) = body.strip_prefix("+q") {
        return Some(Query::Capabilities(names.to_owned()));
    }
    let (command, fields) = body.split_once(';')?;
    let fields: Vec<&str> = fields.split(';').collect();
    if command == "4" {
        let asked = fields.chunks(2).filter(|pair| pair.get(1) == Some(&"?"));
        let indexes: Vec<u8> = asked.filter_map(|pair| pair[0].parse().ok()).collect();
        return (!indexes.is_empty()).then_some(Query::Palette { indexes, bell });
    }
    // Further fields are for the numbers that follow.
    let first: u8 = command.parse().ok()?;
    let asked = (first..=12).zip(&fields).filter(|(_, field)| **field == "?");
    let numbers: Vec<u8> = asked.map(|(number, _)| number).collect();
    (!numbers.is_empty()).then_some(Query::Colors { numbers, bell })
}
