//! Paths with which agents label code.

use crate::limits::OPERATION_PATH_BYTES;

/// Names of attributes that have a path.
const ATTRIBUTES: [&str; 5] = ["path", "file", "filename", "filepath", "title"];
/// Words before a path in a line of its own.
const PREFIXES: [&str; 5] = ["file path:", "filename:", "filepath:", "file:", "path:"];
/// Files without an extension that are labels even so.
const NAMES: [&str; 8] = [
    "Makefile",
    "Dockerfile",
    "LICENSE",
    "README",
    "Justfile",
    "Procfile",
    "Gemfile",
    "Containerfile",
];

/// Returns the path in the text after a fence: `lang path`, `lang:path`, `path="…"`, or the path
/// alone.
pub(super) fn of_info(info: &str) -> Option<String> {
    if is_citation(info) {
        return None;
    }
    if let Some(path) = attribute(info) {
        return Some(path);
    }
    let mut words = info.split_whitespace();
    let first = words.next()?;
    if let Some((language, path)) = first.split_once(':') {
        let is_language = !language.contains(['/', '.']);
        return (is_language && is_path(path)).then(|| path.to_owned());
    }
    let second = words.next().filter(|word| is_path(word));
    second.or_else(|| Some(first).filter(|word| is_path(word))).map(str::to_owned)
}

/// Returns true for the text after a fence that quotes lines of a file, such as `12:15:src/main.rs`.
pub(super) fn is_citation(info: &str) -> bool {
    let first = info.split(':').next().unwrap_or_default();
    info.contains(':') && !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the path in the line before a fence or a block. One empty line may be between.
pub(super) fn before(lines: &[&str]) -> Option<String> {
    let mut near = lines.iter().rev().map(|line| line.trim());
    match near.next()? {
        "" => of_line(near.next()?),
        line => of_line(line),
    }
}

/// Returns the path that a line consists of, apart from the marks of a heading or of bold text.
fn of_line(line: &str) -> Option<String> {
    let plain = line.trim_start_matches('#').trim();
    let is_bold = plain.starts_with("**") || plain.starts_with("__");
    let is_heading = plain.len() < line.len() || is_bold;
    let is_numbered = plain.trim_start_matches(|char: char| char.is_ascii_digit());
    let plain = is_numbered.strip_prefix(". ").unwrap_or(plain);
    let plain = plain.trim_matches(|char: char| "*_:`\"'()- ".contains(char) || char == '\u{a0}');
    let plain = without_prefix(plain).trim_matches(|char: char| "*_`\"' ".contains(char));
    // A name such as `__init__.py` loses its marks above.
    let exact = line.trim_matches(|char: char| "*#:`\"' ".contains(char));
    if is_path(exact) {
        return Some(exact.to_owned());
    }
    if is_path(plain) {
        return Some(plain.to_owned());
    }
    // A heading may say more: "### Update `src/main.rs`".
    let mut code = line.split('`').skip(1).step_by(2).filter(|word| is_path(word));
    match (code.next(), code.next()) {
        (Some(path), None) if is_heading => Some(path.to_owned()),
        _ => None,
    }
}

fn without_prefix(text: &str) -> &str {
    let strip = |prefix: &&str| {
        let head = text.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| text[prefix.len()..].trim_start())
    };
    PREFIXES.iter().find_map(strip).unwrap_or(text)
}

/// Returns the value of an attribute that names a path, such as `path="src/main.rs"`.
fn attribute(info: &str) -> Option<String> {
    for name in ATTRIBUTES {
        let value = value_of(info, name)
            .filter(|value| is_usable(value) && (name != "title" || is_path(value)));
        if value.is_some() {
            return value.map(str::to_owned);
        }
    }
    None
}

/// Returns the value of `name=value` within a text. The value may be in quotes.
pub(super) fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once(name)?;
        let starts = before.chars().next_back().is_none_or(|char| " \t{,<\"'".contains(char));
        if let Some(value) = after.trim_start().strip_prefix('=').filter(|_| starts) {
            let value = value.trim_start();
            return match value.chars().next()? {
                quote @ ('"' | '\'') => value[1..].split_once(quote).map(|(value, _)| value),
                _ => value.split([' ', '\t', '}', ',', '>']).next(),
            };
        }
        rest = after;
    }
}

/// Returns true if a text that is meant as a path can be one.
pub(super) fn is_usable(path: &str) -> bool {
    !path.trim().is_empty()
        && path.len() <= OPERATION_PATH_BYTES
        && !path.chars().any(char::is_control)
}

/// Returns true if a word looks like the path of a file.
pub(super) fn is_path(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    let is_plain = |char: char| char.is_alphanumeric() || "/._-+@~[]()$=,#".contains(char);
    let has_extension = name.rsplit_once('.').is_some_and(|(_, extension)| {
        (1..=12).contains(&extension.len())
            && extension.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && extension.bytes().any(|byte| byte.is_ascii_alphabetic())
    });
    let is_hidden = name.len() > 1 && name.starts_with('.') && !name.starts_with("..");
    is_usable(word)
        && word.chars().all(is_plain)
        && name.chars().any(char::is_alphanumeric)
        && (word.contains('/') || has_extension || is_hidden || NAMES.contains(&name))
}
