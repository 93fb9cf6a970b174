//! Parses the content of a complete sequence.

use percent_encoding::percent_decode;

use super::{COMMAND_LINE_CHARS, KEPT_BYTES, Mark};

/// The longest path in bytes; no system accepts a longer one.
const PATH_BYTES: usize = 4096;

/// Parses the mark between `\x1b]` and the terminator; `None` if it is malformed or not a mark.
pub(super) fn mark(payload: &[u8]) -> Option<Mark> {
    let (number, rest) = split(payload, b';');
    match number {
        // A path that was cut off is a different path.
        b"7" if payload.len() < KEPT_BYTES => folder(rest?),
        b"133" => prompt(rest?),
        b"633" => prompt(rest?).or_else(|| visual_studio(rest?)),
        _ => None,
    }
}

/// Returns the process that a mark of OSC 133 names as its origin.
pub(super) fn origin(payload: &[u8]) -> Option<u32> {
    let rest = payload.strip_prefix(b"133;")?;
    // A quoted command line extends to the end and may contain anything.
    if rest.starts_with(b"C;cmdline=") {
        return None;
    }
    let mut parameters = rest.split(|byte| *byte == b';');
    let id = parameters.find_map(|parameter| parameter.strip_prefix(b"aid="))?;
    std::str::from_utf8(id).ok()?.parse().ok()
}

/// Parses OSC 7: a `file:` URL, or one of kitty's own scheme, which is not percent-encoded.
fn folder(url: &[u8]) -> Option<Mark> {
    let encoded = url.strip_prefix(b"file://");
    let rest = encoded.or_else(|| url.strip_prefix(b"kitty-shell-cwd://"))?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let (host, path) = rest.split_at(slash);
    let path = if encoded.is_some() { percent_decode(path).collect() } else { path.to_vec() };
    absolute(&path, String::from_utf8_lossy(host).into_owned())
}

fn absolute(path: &[u8], host: String) -> Option<Mark> {
    let sound = path.starts_with(b"/") && path.len() <= PATH_BYTES && !path.contains(&0);
    sound.then(|| Mark::Folder { host, path: String::from_utf8_lossy(path).into_owned() })
}

/// Parses the marks that OSC 133 and 633 share.
fn prompt(rest: &[u8]) -> Option<Mark> {
    let (kind, parameters) = split(rest, b';');
    let parameters = parameters.unwrap_or_default();
    match kind {
        // Only the first prompt of a command counts; the others continue it or stand at the right.
        b"A" | b"N" if is_first(parameters) => Some(Mark::PromptStart),
        b"P" if parameters == b"k=i" => Some(Mark::PromptStart),
        b"B" | b"I" => Some(Mark::InputStart),
        b"C" => Some(Mark::CommandStart { command_line: command_line(parameters) }),
        b"D" => {
            let code = std::str::from_utf8(split(parameters, b';').0).ok();
            Some(Mark::CommandEnd { exit_code: code.and_then(|code| code.parse().ok()) })
        }
        _ => None,
    }
}

fn is_first(parameters: &[u8]) -> bool {
    let mut kinds = parameters.split(|byte| *byte == b';');
    !kinds.any(|kind| matches!(kind, b"k=s" | b"k=c" | b"k=r"))
}

/// Parses the command line of `C`, in one of kitty's two forms.
fn command_line(parameters: &[u8]) -> Option<String> {
    if let Some(quoted) = parameters.strip_prefix(b"cmdline=") {
        return shown(&unquoted(quoted));
    }
    let mut parameters = parameters.split(|byte| *byte == b';');
    let url = parameters.find_map(|parameter| parameter.strip_prefix(b"cmdline_url="))?;
    shown(&percent_decode(url).collect::<Vec<u8>>())
}

/// Parses the marks that only OSC 633 has.
fn visual_studio(rest: &[u8]) -> Option<Mark> {
    let (kind, parameters) = split(rest, b';');
    match kind {
        b"E" => shown(&unescaped(split(parameters?, b';').0)).map(Mark::CommandLine),
        b"P" => absolute(&unescaped(parameters?.strip_prefix(b"Cwd=")?), String::new()),
        _ => None,
    }
}

/// Makes a command line displayable: bounds it, and replaces characters that move a cursor.
fn shown(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let harmless = |character: char| match character {
        '\n' | '\t' => character,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    let shown: String = line.trim().chars().take(COMMAND_LINE_CHARS).map(harmless).collect();
    (!shown.is_empty()).then_some(shown)
}

/// Unquotes text that a POSIX shell, or `printf %q`, quoted.
fn unquoted(quoted: &[u8]) -> Vec<u8> {
    let (mut line, mut rest) = (Vec::with_capacity(quoted.len()), quoted);
    while let Some((first, after)) = rest.split_first() {
        (line, rest) = match first {
            b'$' if after.first() == Some(&b'\'') => ansi_quoted(line, &after[1..]),
            b'\'' => {
                let (literal, after) = split(after, b'\'');
                line.extend_from_slice(literal);
                (line, after.unwrap_or_default())
            }
            b'\\' if !after.is_empty() => {
                line.push(after[0]);
                (line, &after[1..])
            }
            other => {
                line.push(*other);
                (line, after)
            }
        };
    }
    line
}

/// Unquotes the inside of `$'…'`, after its beginning, and returns what follows its end.
fn ansi_quoted(mut line: Vec<u8>, mut rest: &[u8]) -> (Vec<u8>, &[u8]) {
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after.first()) {
            (b'\'', _) => break,
            (b'\\', Some(b'0'..=b'7')) => {
                let is_octal = |byte: &&u8| matches!(**byte, b'0'..=b'7');
                let digits = after.iter().take(3).take_while(is_octal);
                let octal = |byte: u8, digit: &u8| byte.wrapping_mul(8).wrapping_add(digit - b'0');
                line.push(digits.clone().fold(0, octal));
                rest = &after[digits.count()..];
            }
            (b'\\', Some(name)) => {
                line.push(match name {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'e' | b'E' => super::ESCAPE,
                    itself => *itself,
                });
                rest = &after[1..];
            }
            (b'\\', None) => {}
            (other, _) => line.push(*other),
        }
    }
    (line, rest)
}

/// Unescapes `\\` and `\xAB`, the form that Visual Studio Code's scripts write.
fn unescaped(escaped: &[u8]) -> Vec<u8> {
    let (mut line, mut rest) = (Vec::with_capacity(escaped.len()), escaped);
    while let Some((first, after)) = rest.split_first() {
        let hex = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        let (byte, length) = match (first, after) {
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', high, low, ..]) => match hex(&[*high, *low]) {
                Some(byte) => (byte, 4),
                None => (b'\\', 1),
            },
            _ => (*first, 1),
        };
        line.push(byte);
        rest = &rest[length..];
    }
    line
}

/// Splits the text at the first `separator`.
fn split(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}
