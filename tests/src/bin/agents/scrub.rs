//! Removes from a recording what differs between two of them: folders, ids and times.

use serde_json::Value;

/// The time that takes the place of all times, in milliseconds since 1970.
const TIME_MS: u64 = 1_767_225_600_000;
/// The same as text.
const TIME: &str = "2026-01-01T00:00:00.000Z";
/// Most elements of a list that are kept, beyond which lists are all alike.
const ELEMENTS: usize = 12;
/// Most bytes of a text that are kept.
const TEXT_BYTES: usize = 2000;

/// Replaces what differs between recordings.
#[derive(Debug, Default)]
pub(crate) struct Scrubber {
    /// Texts, and what takes their place.
    replaced: Vec<(String, String)>,
    /// The number of ids that have a name.
    ids: usize,
}

impl Scrubber {
    /// Replaces a text wherever it is.
    pub(crate) fn replace(&mut self, text: &str, by: &str) {
        self.replaced.push((text.to_owned(), by.to_owned()));
    }

    /// Returns the lines of a recording without what differs.
    pub(crate) fn lines(&mut self, lines: &str) -> String {
        lines.lines().map(|line| self.line(line) + "\n").collect()
    }

    fn line(&mut self, line: &str) -> String {
        let (mark, json) = line.split_at(line.floor_char_boundary(2));
        let Ok(mut value) = serde_json::from_str::<Value>(json) else {
            return format!("{mark}{}", self.text(json));
        };
        self.learn(&value);
        self.scrub(&mut value);
        format!("{mark}{value}")
    }

    /// Gives a name to each id of a session.
    fn learn(&mut self, value: &Value) {
        if let Value::Object(fields) = value {
            for (field, kind) in [("sessionId", "session"), ("messageId", "message")] {
                if let Some(id) = fields.get(field).and_then(Value::as_str) {
                    self.id(id, kind);
                }
            }
            fields.values().for_each(|field| self.learn(field));
        }
    }

    fn id(&mut self, id: &str, kind: &str) {
        if id.len() > 8 && !self.replaced.iter().any(|(text, _)| text == id) {
            self.ids += 1;
            let name = format!("{kind}-{}", self.ids);
            self.replaced.push((id.to_owned(), name));
        }
    }

    fn scrub(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Number(number) if number.as_f64().is_some_and(is_time) => {
                *value = TIME_MS.into();
            }
            Value::Array(values) => {
                values.truncate(ELEMENTS);
                values.iter_mut().for_each(|value| self.scrub(value));
            }
            Value::Object(fields) => fields.values_mut().for_each(|field| self.scrub(field)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        for id in uuids(text) {
            self.id(id, "id");
        }
        let mut text = text[..text.floor_char_boundary(TEXT_BYTES)].to_owned();
        for (from, by) in &self.replaced {
            text = text.replace(from, by);
        }
        if is_time_text(&text) { TIME.to_owned() } else { text }
    }
}

/// Returns true for milliseconds since 1970 of these decades.
fn is_time(number: f64) -> bool {
    (1.6e12..2.2e12).contains(&number)
}

/// Returns true for a time such as `2026-01-01T00:00:00.000Z`.
fn is_time_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 20
        && bytes.len() <= 30
        && bytes[4] == b'-'
        && bytes[10] == b'T'
        && bytes[13] == b':'
}

/// Returns the UUIDs in a text.
fn uuids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-');
    words.filter(|word| {
        let groups: Vec<usize> = word.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12]
    })
}
