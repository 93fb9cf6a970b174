//! Finds the operations in the text of an agent.
//!
//! The forms are those in which agents write files: fenced code with a path, search-and-replace
//! blocks (aider, Cline, Roo), unified diffs, the envelope of Codex's `apply_patch`, and tags.
//! `docs/OPERATIONS.md` has an example of each, which the tests of this module read.
//!
//! Finding is lenient, because a preview follows. A form that is not complete is ignored: the text
//! was cut off within it. Every function here takes time that grows linearly with the text.

mod blocks;
mod envelope;
mod fence;
mod label;
mod tags;
#[cfg(test)]
mod tests;
mod unified;

use std::collections::BTreeSet;

use crate::operation::{Edit, Operation};

/// The most fences within each other that are searched.
const MOST_DEPTH: usize = 4;

/// Returns the operations in a text, in order. Edits of the same file that follow each other are
/// one operation.
#[must_use]
pub fn find(text: &str) -> Vec<Operation> {
    let lines: Vec<&str> = text.lines().collect();
    let mut finder = Finder::default();
    finder.scan(&lines, None);
    finder.found
}

/// A form that was read: its operations, and the number of its lines.
struct FoundForm {
    operations: Vec<Operation>,
    lines: usize,
}

#[derive(Default)]
struct Finder {
    found: Vec<Operation>,
    /// The file of the last search-and-replace block: the next one may leave it out.
    last_path: Option<String>,
    /// Forms whose end is missing from here on, so that it is searched only once.
    unclosed: UnclosedForms,
    /// The number of fences around.
    depth: usize,
}

/// Forms whose end is missing from here to the end of the text.
#[derive(Default)]
struct UnclosedForms {
    tags: BTreeSet<&'static str>,
    envelope: bool,
}

impl Finder {
    /// Adds the operations in these lines, which are the whole text, or within a fence that is
    /// labelled with a path or not.
    fn scan(&mut self, lines: &[&str], label: Option<&str>) {
        let mut at = 0;
        while at < lines.len() {
            at += self.form(&lines[at..], &lines[..at], label).max(1);
        }
    }

    /// Adds the operations of the form that begins at the first line, if one does. Returns the
    /// number of its lines.
    fn form(&mut self, lines: &[&str], before: &[&str], label: Option<&str>) -> usize {
        if let Some(block) = blocks::read(lines) {
            let path = label::before(before).or_else(|| label.map(str::to_owned));
            return self.edit(path, block);
        }
        let form = unified::read(lines, label)
            .or_else(|| envelope::read(lines, &mut self.unclosed))
            .or_else(|| tags::read(lines, &mut self.unclosed));
        if let Some(FoundForm { operations, lines }) = form {
            operations.into_iter().for_each(|operation| self.add(operation));
            return lines;
        }
        let Some(fence::Fence { info, content }) = fence::read(lines) else { return 1 };
        // Without an end, the text ends within the fence.
        let Some(content) = content else { return lines.len() };
        let path = label::of_info(info).or_else(|| label::before(before));
        if has_forms(info, content) && self.depth < MOST_DEPTH {
            self.depth += 1;
            self.scan(content, path.as_deref());
            self.depth -= 1;
        } else if !label::is_citation(info) {
            self.fence(info, content, path);
        }
        content.len() + 2
    }

    /// Adds the file or the commands that a fence contains.
    fn fence(&mut self, info: &str, content: &[&str], path: Option<String>) {
        match path {
            Some(path) => self.add(Operation::Write { path, content: joined(content) }),
            None if fence::is_shell(info) => {
                let command = fence::command(content);
                if !command.is_empty() {
                    self.add(Operation::Run { command });
                }
            }
            None => {}
        }
    }

    /// Adds a search-and-replace block, and returns the number of its lines.
    fn edit(&mut self, path: Option<String>, block: blocks::Block) -> usize {
        if let Some(path) = path.or_else(|| self.last_path.clone()) {
            self.last_path = Some(path.clone());
            self.add(Operation::Patch { path, edits: vec![block.edit] });
        }
        block.lines
    }

    fn add(&mut self, operation: Operation) {
        match (operation, self.found.last_mut()) {
            (
                Operation::Patch { path, edits },
                Some(Operation::Patch { path: last, edits: earlier }),
            ) if *last == path => earlier.extend(edits),
            (operation, _) => self.found.push(operation),
        }
    }
}

/// Returns true if what a fence contains is not that of a file, but has forms of its own.
fn has_forms(info: &str, content: &[&str]) -> bool {
    let first = content.iter().find(|line| !line.trim().is_empty());
    let begins = |is_start: fn(&str) -> bool| first.is_some_and(|line| is_start(line));
    matches!(fence::language(info), "diff" | "patch" | "udiff")
        || content.iter().any(|line| blocks::is_start(line))
        || unified::is_start(content)
        || begins(envelope::is_start)
        || begins(tags::is_start)
}

/// Returns the operations on one file that search-and-replace blocks or a diff describe.
fn edits_of(path: &str, lines: &[&str]) -> Vec<Operation> {
    let mut finder = Finder::default();
    let mut at = 0;
    while at < lines.len() {
        let rest = &lines[at..];
        at += if let Some(block) = blocks::read(rest) {
            finder.edit(Some(path.to_owned()), block)
        } else if let Some(form) = unified::read(rest, Some(path)) {
            form.operations.into_iter().for_each(|operation| finder.add(operation));
            form.lines.max(1)
        } else {
            1
        };
    }
    finder.found
}

/// Joins lines to a text in which each ends with a line break.
fn joined(lines: &[&str]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Gathers the two sides of an edit, line by line.
#[derive(Default)]
struct EditBuilder {
    edit: Edit,
    /// True once a line was added or removed.
    has_change: bool,
    last: Option<EditSide>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EditSide {
    Both,
    Old,
    New,
}

impl EditBuilder {
    /// Adds a line of a hunk. Returns false if it is not one.
    fn push(&mut self, line: &str) -> bool {
        let (side, text) = match line.as_bytes().first() {
            // The space of an empty line is often lost.
            None => (EditSide::Both, ""),
            Some(b' ') => (EditSide::Both, &line[1..]),
            Some(b'-') => (EditSide::Old, &line[1..]),
            Some(b'+') => (EditSide::New, &line[1..]),
            _ => return false,
        };
        self.has_change |= side != EditSide::Both;
        self.last = Some(side);
        if side != EditSide::New {
            self.edit.search.push_str(text);
            self.edit.search.push('\n');
        }
        if side != EditSide::Old {
            self.edit.replace.push_str(text);
            self.edit.replace.push('\n');
        }
        true
    }

    /// Takes the line break from the last line, which is the last one of a file that ends without
    /// one.
    fn ends_without_break(&mut self) {
        if matches!(self.last, Some(EditSide::Both | EditSide::Old)) {
            self.edit.search.pop();
        }
        if matches!(self.last, Some(EditSide::Both | EditSide::New)) {
            self.edit.replace.pop();
        }
    }

    /// Returns the edit, if it changes something.
    fn finish(self) -> Option<Edit> {
        self.has_change.then_some(self.edit)
    }
}
