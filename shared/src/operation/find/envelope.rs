//! The envelope of Codex's `apply_patch`, from `*** Begin Patch` to `*** End Patch`.

use crate::operation::Operation;

use super::label::is_usable;
use super::{EditBuilder, FoundForm, UnclosedForms};

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File: ";
const DELETE: &str = "*** Delete File: ";
const UPDATE: &str = "*** Update File: ";
const MOVE: &str = "*** Move to: ";
const END_OF_FILE: &str = "*** End of File";

/// Returns true if the line begins an envelope.
pub(super) fn is_start(line: &str) -> bool {
    line.trim() == BEGIN
}

/// Reads the envelope that begins at the first line. `None` if it has no end.
pub(super) fn read(lines: &[&str], unclosed: &mut UnclosedForms) -> Option<FoundForm> {
    if unclosed.envelope || !is_start(lines.first()?) {
        return None;
    }
    let Some(end) = lines.iter().position(|line| line.trim() == END) else {
        unclosed.envelope = true;
        return None;
    };
    let (mut operations, mut rest) = (Vec::new(), &lines[1..end]);
    while let Some((header, body)) = rest.split_first() {
        let is_header =
            |line: &&str| [ADD, DELETE, UPDATE].iter().any(|header| line.starts_with(header));
        let next = body.iter().position(is_header).unwrap_or(body.len());
        section(header, &body[..next], &mut operations);
        rest = &body[next..];
    }
    Some(FoundForm { operations, lines: end + 1 })
}

/// Adds what one section does.
fn section(header: &str, body: &[&str], operations: &mut Vec<Operation>) {
    let path = |prefix: &str, line: &str| {
        let path = line.strip_prefix(prefix)?.trim();
        is_usable(path).then(|| path.to_owned())
    };
    if let Some(path) = path(ADD, header) {
        let lines = body.iter().filter(|line| !line.starts_with("*** "));
        let content = lines.map(|line| line.strip_prefix('+').unwrap_or(line));
        let content = content.flat_map(|line| [line, "\n"]).collect();
        operations.push(Operation::Write { path, content });
    } else if let Some(path) = path(DELETE, header) {
        operations.push(Operation::Delete { path });
    } else if let Some(from) = path(UPDATE, header) {
        let to = body.iter().find_map(|line| path(MOVE, line));
        let (edits, path) = (edits(body), to.clone().unwrap_or_else(|| from.clone()));
        operations.extend(to.map(|to| Operation::Rename { path: from, to }));
        if !edits.is_empty() {
            operations.push(Operation::Patch { path, edits });
        }
    }
}

fn edits(body: &[&str]) -> Vec<crate::operation::Edit> {
    let (mut edits, mut builder) = (Vec::new(), EditBuilder::default());
    for line in body {
        if line.starts_with("@@") || line.trim_end() == END_OF_FILE {
            edits.extend(std::mem::take(&mut builder).finish());
        } else {
            // Other lines, such as the new path, belong to no edit.
            builder.push(line);
        }
    }
    edits.extend(builder.finish());
    edits
}
