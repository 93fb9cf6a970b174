//! The arguments of a step.

use std::str::FromStr;

use serde_json::{Map, Value};

/// Splits off the first word.
pub(crate) fn word(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    (&line[..end], line[end..].trim())
}

/// The rest of a line as text. A JSON string stands for its value, so that a text can have line
/// ends.
pub(crate) fn text(rest: &str) -> String {
    match serde_json::from_str(rest) {
        Ok(Value::String(text)) => text,
        _ => rest.to_owned(),
    }
}

/// A word or JSON string, and what follows it as text.
pub(crate) fn two(rest: &str) -> Result<(String, String), String> {
    if !rest.starts_with('"') {
        let (first, second) = word(rest);
        return Ok((required(first)?, text(second)));
    }
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let first = values.next().and_then(Result::ok).ok_or("the JSON string is not closed")?;
    Ok((required(&first)?, text(rest[values.byte_offset()..].trim())))
}

/// The rest of a line as text that is not empty.
pub(crate) fn required(rest: &str) -> Result<String, String> {
    let text = text(rest);
    if text.is_empty() { Err("an argument is missing".to_owned()) } else { Ok(text) }
}

/// The rest of a line as a number.
pub(crate) fn number<N: FromStr>(rest: &str) -> Result<N, String> {
    rest.parse().map_err(|_| format!("{rest:?} is not a number in range"))
}

/// The rest of a line as a JSON object; an empty one if nothing is there.
pub(crate) fn object(rest: &str) -> Result<Map<String, Value>, String> {
    match json(rest)? {
        Value::Null => Ok(Map::new()),
        Value::Object(object) => Ok(object),
        other => Err(format!("{other} is not a JSON object")),
    }
}

/// The rest of a line as JSON; null if nothing is there.
pub(crate) fn json(rest: &str) -> Result<Value, String> {
    if rest.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(rest).map_err(|error| format!("not JSON: {error}"))
}
