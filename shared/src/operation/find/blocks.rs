//! Search-and-replace blocks, with the marks of aider (`<<<<<<< SEARCH`) or Cline (`------- SEARCH`).

use crate::operation::Edit;

use super::joined;

/// Valid numbers of characters in a row at the begin of a mark.
const MARK_CHARS: std::ops::RangeInclusive<usize> = 5..=9;

/// A block that was read.
pub(super) struct Block {
    pub(super) edit: Edit,
    /// The number of its lines, with the marks.
    pub(super) lines: usize,
}

/// Returns true if the line begins a block.
pub(super) fn is_start(line: &str) -> bool {
    let line = line.strip_suffix('>').unwrap_or(line);
    is_mark(line, '<', "SEARCH") || is_mark(line, '-', "SEARCH")
}

/// Reads the block that begins at the first line. `None` if it is not complete.
pub(super) fn read(lines: &[&str]) -> Option<Block> {
    let first = lines.first().filter(|line| is_start(line))?;
    let end_char = if first.trim_start().starts_with('<') { '>' } else { '+' };
    let is_divider = |line: &str| is_mark(line, '=', "");
    let is_end = |line: &str| is_mark(line, end_char, "REPLACE");
    let ends_early = |line: &&str| is_start(line) || is_mark(line, end_char, "REPLACE");
    let body = &lines[1..];
    let divider = body.iter().position(|line| is_divider(line) || ends_early(line))?;
    if !is_divider(body[divider]) {
        return None;
    }
    let rest = &body[divider + 1..];
    let end = rest.iter().position(|line| is_end(line) || is_start(line))?;
    if !is_end(rest[end]) {
        return None;
    }
    let (line, search) = hinted(&body[..divider]);
    let edit = Edit { search: joined(search), replace: joined(&rest[..end]), line };
    Some(Block { edit, lines: divider + end + 3 })
}

/// Splits off the line number with which Roo begins the text to search.
fn hinted<'a, 'b>(search: &'a [&'b str]) -> (Option<u32>, &'a [&'b str]) {
    let mut rest = search;
    let mut line = None;
    while let Some((first, others)) = rest.split_first() {
        let number = first.trim().strip_prefix(":start_line:").map(|number| number.trim().parse());
        match number {
            Some(number) => line = number.ok().filter(|line| *line > 0),
            None if first.trim().starts_with(":end_line:") => {}
            None if line.is_some() && is_mark(first, '-', "") => return (line, others),
            None => break,
        }
        rest = others;
    }
    if line.is_some() { (line, rest) } else { (None, search) }
}

/// Returns true if the line is a row of `char`, followed by this word.
fn is_mark(line: &str, char: char, word: &str) -> bool {
    let line = line.trim();
    let rest = line.trim_start_matches(char);
    let row = line.len() - rest.len();
    MARK_CHARS.contains(&row)
        && rest.trim_start() == word
        && (word.is_empty() || rest.starts_with(' '))
}
