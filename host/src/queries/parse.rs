//! Parses one sequence, from its escape character on.

use super::{EIGHT_BIT, ESCAPE, Query};

const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;

/// No query that is a control sequence is longer.
const CONTROL_SEQUENCE_BYTES: usize = 64;

/// The result of parsing a sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A query of `length` bytes.
    Query { length: usize, query: Query },
    /// A query of `length` bytes that nobody must answer.
    Silent { length: usize },
    /// Not a query: continue after `length` bytes.
    Other { length: usize },
    /// A sequence that may become a query.
    Unfinished,
}

/// A recognised query.
enum ParsedQuery {
    Query(Query),
    Silent,
}

/// The beginnings of strings that may be queries.
const OSC: [&[u8]; 15] = [
    b"4;", b"5;", b"10;", b"11;", b"12;", b"13;", b"14;", b"15;", b"16;", b"17;", b"18;", b"19;",
    b"21;", b"52;", b"99;",
];
const DCS: [&[u8]; 2] = [b"$q", b"+q"];

/// Parses the sequence at the beginning, which starts with an escape character or with U+009B.
pub(super) fn parse(output: &[u8]) -> Parsed {
    match (output[0], output.get(1)) {
        (_, None) => Parsed::Unfinished,
        (EIGHT_BIT, Some(0x9b)) => match control(output) {
            Parsed::Query { length, query } => {
                Parsed::Query { length, query: Query::EightBit(Box::new(query)) }
            }
            other => other,
        },
        (EIGHT_BIT, _) => Parsed::Other { length: 1 },
        (_, Some(b'[')) => control(output),
        (_, Some(b']')) => string(output, &OSC, true),
        (_, Some(b'P')) => string(output, &DCS, false),
        (_, Some(b'_')) => graphics(output),
        (_, Some(b'Z')) => Parsed::Query { length: 2, query: Query::Identify },
        (_, Some(_)) => Parsed::Other { length: 1 },
    }
}

fn control(output: &[u8]) -> Parsed {
    for (at, byte) in output.iter().enumerate().skip(2) {
        match *byte {
            CANCEL | SUBSTITUTE | ESCAPE => return Parsed::Other { length: at },
            0x40..=0x7e => {
                let length = at + 1;
                // Most sequences set attributes or move the cursor.
                let may_ask =
                    matches!(byte, b'c' | b'n' | b'p' | b'q' | b't' | b'u' | b'w' | b'x' | b'y')
                        || (matches!(byte, b'm' | b'S') && output[2] == b'?');
                let asked = may_ask.then(|| control_query(&output[2..at], *byte)).flatten();
                return parsed(asked, length);
            }
            // Control characters within a sequence are executed and do not end it.
            _ if at > CONTROL_SEQUENCE_BYTES => return Parsed::Other { length: at },
            _ => {}
        }
    }
    Parsed::Unfinished
}

fn parsed(asked: Option<ParsedQuery>, length: usize) -> Parsed {
    match asked {
        Some(ParsedQuery::Query(query)) => Parsed::Query { length, query },
        Some(ParsedQuery::Silent) => Parsed::Silent { length },
        None => Parsed::Other { length },
    }
}

fn control_query(parameters: &[u8], end: u8) -> Option<ParsedQuery> {
    let parameters: Vec<u8> = parameters.iter().copied().filter(|byte| *byte >= 0x20).collect();
    let (prefix, rest) = match parameters.split_first() {
        Some((prefix @ b'<'..=b'?', rest)) => (Some(*prefix), rest),
        _ => (None, &parameters[..]),
    };
    let digits = rest.iter().take_while(|byte| matches!(byte, b'0'..=b';')).count();
    let (numbers, intermediates) = rest.split_at(digits);
    let mut fields = numbers.split(|byte| matches!(byte, b';' | b':'));
    let first = number(fields.next()?)?;
    let second = fields.next().and_then(number).unwrap_or_default();
    Some(ParsedQuery::Query(match (prefix, intermediates, end) {
        (None, b"", b'c') if first == 0 => Query::PrimaryAttributes,
        (Some(b'>'), b"", b'c') if first == 0 => Query::SecondaryAttributes,
        (Some(b'='), b"", b'c') if first == 0 => Query::TertiaryAttributes,
        (Some(b'>'), b"", b'q') if first == 0 => Query::Version,
        (None, b"", b'n') if first == 5 => Query::Status,
        (None, b"", b'n') if first == 6 => Query::Cursor { private: false },
        (Some(b'?'), b"", b'n') if first == 6 => Query::Cursor { private: true },
        (None, b"$", b'p') => Query::Mode { private: false, mode: first },
        (Some(b'?'), b"$", b'p') => Query::Mode { private: true, mode: first },
        (None, b"", b't') if matches!(first, 11 | 13..=16 | 18 | 19) => Query::Window(first),
        (Some(b'?'), b"", b'n') if first == 996 => Query::ColorScheme,
        (Some(b'?'), b"", b'n') if matches!(first, 15 | 25 | 26 | 55 | 56 | 62 | 63 | 75 | 85) => {
            Query::Device { device: first, label: second }
        }
        (Some(b'?'), b"", b'u') => Query::Keyboard,
        (Some(b'?'), b"", b'm') if first == 4 => Query::OtherKeys,
        _ => return is_silent(prefix, intermediates, end, first).then_some(ParsedQuery::Silent),
    }))
}

/// Returns true for queries that nobody must answer: titles, DECREQTPARM, DECRQPSR, DECRQUPSS,
/// DECRQCRA and XTSMGRAPHICS.
fn is_silent(prefix: Option<u8>, intermediates: &[u8], end: u8, first: u16) -> bool {
    match (prefix, intermediates, end) {
        (None, b"", b't') => matches!(first, 20 | 21),
        (None, b"", b'x') => first <= 1,
        (None, b"$", b'w') | (None, b"&", b'u') | (None, b"*", b'y') | (Some(b'?'), b"", b'S') => {
            true
        }
        _ => false,
    }
}

/// Parses a number; 0 if there are no digits.
fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() { Some(0) } else { std::str::from_utf8(digits).ok()?.parse().ok() }
}

/// Parses a string that begins with one of `beginnings`.
fn string(output: &[u8], beginnings: &[&[u8]], ends_with_bell: bool) -> Parsed {
    let body = &output[2..];
    let begins = |beginning: &&&[u8]| body.starts_with(beginning) || beginning.starts_with(body);
    if !beginnings.iter().any(|beginning| begins(&beginning)) {
        return Parsed::Other { length: 2 };
    }
    let ends = |byte: &u8| {
        matches!(*byte, CANCEL | SUBSTITUTE | ESCAPE) || (*byte == BELL && ends_with_bell)
    };
    // Data that is written to the clipboard may be long.
    if body.starts_with(b"52;") && is_written(&body[3..]) {
        return Parsed::Other { length: 2 };
    }
    let Some(end) = body.iter().position(ends) else { return Parsed::Unfinished };
    let (length, bell) = match (body[end], body.get(end + 1)) {
        (BELL, _) => (2 + end + 1, true),
        (ESCAPE, Some(b'\\')) => (2 + end + 2, false),
        (ESCAPE, None) => return Parsed::Unfinished,
        _ => return Parsed::Other { length: 2 + end },
    };
    let asked = std::str::from_utf8(&body[..end]).ok().and_then(|body| string_query(body, bell));
    parsed(asked, length)
}

/// Returns true if the fields of OSC 52 contain data rather than a query.
fn is_written(fields: &[u8]) -> bool {
    let data = fields.iter().position(|byte| *byte == b';').and_then(|at| fields.get(at + 1));
    data.is_some_and(|first| *first != b'?')
}

/// Parses kitty's graphics (APC G). A query has `a=q` among its keys; images are skipped, because
/// they are long.
fn graphics(output: &[u8]) -> Parsed {
    let body = &output[2..];
    if body.first().is_some_and(|first| *first != b'G') {
        return Parsed::Other { length: 2 };
    }
    let ends = |byte: &u8| matches!(*byte, b';' | CANCEL | SUBSTITUTE | ESCAPE);
    let keys = body.iter().position(ends).map(|end| &body[1..end]);
    match keys {
        Some(keys) if !keys.split(|byte| *byte == b',').any(|key| key == b"a=q") => {
            Parsed::Other { length: 2 }
        }
        Some(_) => string(output, &[b"G"], false),
        None => Parsed::Unfinished,
    }
}

fn string_query(body: &str, bell: bool) -> Option<ParsedQuery> {
    if let Some(setting) = body.strip_prefix("$q") {
        return Some(ParsedQuery::Query(Query::Setting(setting.to_owned())));
    }
    if let Some(names) = body.strip_prefix("+q") {
        return Some(ParsedQuery::Query(Query::Capabilities(names.to_owned())));
    }
    if body.starts_with('G') {
        return Some(ParsedQuery::Silent);
    }
    let (command, fields) = body.split_once(';')?;
    let fields: Vec<&str> = fields.split(';').collect();
    match command {
        "4" => {
            let asked = fields.chunks(2).filter(|pair| pair.get(1) == Some(&"?"));
            let indexes: Vec<u8> = asked.filter_map(|pair| pair[0].parse().ok()).collect();
            (!indexes.is_empty()).then_some(ParsedQuery::Query(Query::Palette { indexes, bell }))
        }
        // These are special colours, kitty's colours, the clipboard, and the features of
        // notifications.
        "5" | "52" => fields.contains(&"?").then_some(ParsedQuery::Silent),
        "21" => fields.iter().any(|field| field.ends_with("=?")).then_some(ParsedQuery::Silent),
        "99" => fields[0].split(':').any(|key| key == "p=?").then_some(ParsedQuery::Silent),
        _ => {
            // Further fields belong to the following numbers.
            let first: u8 = command.parse().ok()?;
            let asked = (first..=19).zip(&fields).filter(|(_, field)| **field == "?");
            let numbers: Vec<u8> = asked.map(|(number, _)| number).collect();
            (!numbers.is_empty()).then_some(ParsedQuery::Query(Query::Colors { numbers, bell }))
        }
    }
}
