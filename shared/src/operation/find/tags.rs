//! Tags such as `<write path="…">…</write>`, and those with which Cline and Roo call their tools.

use crate::operation::Operation;

use super::label::{is_usable, value_of};
use super::{FoundForm, UnclosedForms, edits_of, fence, joined};

/// The names of tags, with the type of their operation. The long names are those of Cline and Roo.
const TAGS: [(&str, TagType); 13] = [
    ("write", TagType::Write),
    ("write_to_file", TagType::Write),
    ("create_file", TagType::Write),
    ("patch", TagType::Patch),
    ("edit", TagType::Patch),
    ("replace_in_file", TagType::Patch),
    ("apply_diff", TagType::Patch),
    ("rename", TagType::Rename),
    ("move", TagType::Rename),
    ("delete", TagType::Delete),
    ("delete_file", TagType::Delete),
    ("run", TagType::Run),
    ("execute_command", TagType::Run),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum TagType {
    Write,
    Patch,
    Rename,
    Delete,
    Run,
}

/// A tag that was read.
struct TagText<'a> {
    attributes: &'a str,
    /// The text within.
    body: String,
}

/// Returns true if the line begins with one of the tags.
pub(super) fn is_start(line: &str) -> bool {
    opening(line).is_some()
}

/// Reads the tag that begins at the first line. `None` if it has no end, or names no file.
pub(super) fn read(lines: &[&str], unclosed: &mut UnclosedForms) -> Option<FoundForm> {
    let (name, tag_type, rest) = opening(lines.first()?)?;
    let end = end_of(rest)?;
    let (attributes, after) = (&rest[..end], &rest[end + 1..]);
    if let Some(attributes) = attributes.strip_suffix('/') {
        let tag = TagText { attributes, body: String::new() };
        return Some(FoundForm { operations: operations(tag_type, &tag)?, lines: 1 });
    }
    if unclosed.tags.contains(name) {
        return None;
    }
    let close = format!("</{name}>");
    let mut body = String::new();
    let within = std::iter::once(after).chain(lines[1..].iter().copied());
    for (number, line) in within.enumerate() {
        if let Some(end) = line.find(&close) {
            body.push_str(&line[..end]);
            let operations = operations(tag_type, &TagText { attributes, body })?;
            return Some(FoundForm { operations, lines: number + 1 });
        }
        body.push_str(line);
        body.push('\n');
    }
    unclosed.tags.insert(name);
    None
}

/// Returns the name of the tag that a line begins with, and what follows the name.
fn opening(line: &str) -> Option<(&'static str, TagType, &str)> {
    let text = line.trim_start().strip_prefix('<')?;
    let end = text.find(|char: char| !char.is_ascii_lowercase() && char != '_')?;
    let (name, rest) = text.split_at(end);
    let (name, tag_type) = TAGS.into_iter().find(|(known, _)| *known == name)?;
    rest.starts_with([' ', '\t', '>', '/']).then_some((name, tag_type, rest))
}

/// Returns the position of the `>` that ends a tag, outside of quotes.
fn end_of(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, char) in text.char_indices() {
        match (quote, char) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            _ => {}
        }
    }
    None
}

fn operations(tag_type: TagType, tag: &TagText<'_>) -> Option<Vec<Operation>> {
    Some(match tag_type {
        TagType::Write => {
            let content = content(tag.text("content")?);
            vec![Operation::Write { path: tag.path(&["path"])?, content }]
        }
        TagType::Patch => {
            let lines: Vec<&str> = tag.text("diff")?.split('\n').collect();
            edits_of(&tag.path(&["path"])?, &lines)
        }
        TagType::Rename => {
            let (path, to) = (tag.path(&["path", "from"])?, tag.path(&["to"])?);
            vec![Operation::Rename { path, to }]
        }
        TagType::Delete => vec![Operation::Delete { path: tag.path(&["path"])? }],
        TagType::Run => {
            let command =
                value_of(tag.attributes, "command").or_else(|| child(&tag.body, "command"));
            let command = command.unwrap_or(&tag.body).trim().to_owned();
            if command.is_empty() { Vec::new() } else { vec![Operation::Run { command }] }
        }
    })
}

impl TagText<'_> {
    /// Returns the path in an attribute or in a tag within.
    fn path(&self, names: &[&str]) -> Option<String> {
        let value = |name: &&str| {
            let value = value_of(self.attributes, name).or_else(|| child(&self.body, name))?.trim();
            is_usable(value).then(|| value.to_owned())
        };
        names.iter().find_map(value)
    }

    /// Returns the text within: all of it if an attribute names the file, or else that of the tag
    /// with this name.
    fn text(&self, name: &str) -> Option<&str> {
        let text = match value_of(self.attributes, "path") {
            Some(_) => &self.body,
            None => child(&self.body, name)?,
        };
        // The first and the last line break belong to the tags.
        let text = text.strip_prefix('\n').unwrap_or(text);
        Some(text.rfind('\n').map_or(text, |end| match text[end + 1..].trim() {
            "" => &text[..=end],
            _ => text,
        }))
    }
}

/// Returns the text of a file. If all of it is one fence, the fence is not part of it.
fn content(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().split('\n').collect();
    let fence = fence::read(&lines).and_then(|fence| fence.content);
    match fence.filter(|content| content.len() + 2 == lines.len()) {
        Some(content) => joined(content),
        None => text.to_owned(),
    }
}

/// Returns the text of the tag `<name>`, up to its last end: the text may contain such tags.
fn child<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let end = format!("</{name}>");
    let end = if name == "path" { rest.find(&end) } else { rest.rfind(&end) };
    Some(&rest[..end?])
}
