//! The difference of two texts, by lines.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

/// The number of unchanged lines around a change.
const CONTEXT: u32 = 3;
/// Size in bytes up to which two texts together are compared. Of larger ones, all of the old is
/// shown as removed, and all of the new as added.
const COMPARED_BYTES: usize = 512 * 1024;

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// The side that it is on.
    pub side: DiffSide,
    /// The line, without its end.
    pub text: String,
}

/// The side of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffSide {
    /// Both texts have it.
    Both,
    /// Only the old text has it.
    Removed,
    /// Only the new text has it.
    Added,
    /// Lines that both have are left out here.
    Omitted,
}

/// Counts the lines of both sides of a difference.
#[derive(Debug, Clone, Copy)]
pub struct LineNumbers {
    old: usize,
    new: usize,
    /// The number of digits of each number.
    digits: usize,
}

impl LineNumbers {
    /// Begins with these lines, from 1, of a difference of at most so many lines.
    #[must_use]
    pub fn new(old: usize, new: usize, lines: usize) -> Self {
        let last = old.max(new) + lines;
        Self { old, new, digits: last.to_string().len() }
    }

    /// Returns the attributes that show the numbers of the next line: aligned, and empty on a side
    /// that does not have it.
    pub fn attributes(&mut self, side: DiffSide) -> String {
        let digits = self.digits;
        let mut take = |number: fn(&mut Self) -> &mut usize, has: bool| {
            let number = number(self);
            let text = if has { number.to_string() } else { String::new() };
            *number += usize::from(has);
            text
        };
        let old = take(|it| &mut it.old, matches!(side, DiffSide::Both | DiffSide::Removed));
        let new = take(|it| &mut it.new, matches!(side, DiffSide::Both | DiffSide::Added));
        format!(" data-old=\"{old:>digits$}\" data-new=\"{new:>digits$}\"")
    }
}

/// A difference, with the number of lines of each side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineDiff {
    /// The lines that differ, with some around them.
    pub lines: Vec<DiffLine>,
    /// The number of added lines.
    pub added: usize,
    /// The number of removed lines.
    pub removed: usize,
}

impl LineDiff {
    /// Compares two texts.
    #[must_use]
    pub fn of(old: &str, new: &str) -> Self {
        let mut diff = Self::default();
        if old.len() + new.len() > COMPARED_BYTES {
            old.lines().for_each(|line| diff.push(DiffSide::Removed, line));
            new.lines().for_each(|line| diff.push(DiffSide::Added, line));
            return diff;
        }
        let input = InternedInput::new(old, new);
        let mut changes = Diff::compute(Algorithm::Histogram, &input);
        changes.postprocess_lines(&input);
        let lines = |side: &[imara_diff::Token], range: Range<u32>| -> Vec<&str> {
            let range = range.start as usize..range.end as usize;
            side[range].iter().map(|token| input.interner[*token]).collect()
        };
        let all = input.before.len() as u32;
        // The first old line that was not handled.
        let mut next = 0;
        let mut hunks = changes.hunks().peekable();
        while let Some(hunk) = hunks.next() {
            let from = hunk.before.start.saturating_sub(CONTEXT).max(next);
            if next > 0 && from > next {
                diff.push(DiffSide::Omitted, "");
            }
            let end = hunk.before.end;
            next = (end + CONTEXT).min(hunks.peek().map_or(all, |later| later.before.start));
            diff.push_all(DiffSide::Both, &lines(&input.before, from..hunk.before.start));
            diff.push_all(DiffSide::Removed, &lines(&input.before, hunk.before));
            diff.push_all(DiffSide::Added, &lines(&input.after, hunk.after));
            diff.push_all(DiffSide::Both, &lines(&input.before, end..next));
        }
        diff
    }

    fn push_all(&mut self, side: DiffSide, lines: &[&str]) {
        for line in lines {
            self.push(side, line.trim_end_matches(['\n', '\r']));
        }
    }

    fn push(&mut self, side: DiffSide, line: &str) {
        self.added += usize::from(side == DiffSide::Added);
        self.removed += usize::from(side == DiffSide::Removed);
        self.lines.push(DiffLine { side, text: line.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn lines_that_differ_are_shown_with_some_around_them() {
        let old: String = (0..40).map(|line| format!("{line}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n30\n", "\n");
        let diff = LineDiff::of(&old, &new);
        assert_eq!((diff.added, diff.removed), (1, 2));
        let omitted = diff.lines.iter().filter(|line| line.side == DiffSide::Omitted).count();
        assert_eq!((omitted, diff.lines.len()), (1, 7 + 1 + 1 + 7));
    }

    #[test]
    fn a_new_file_is_all_added_and_a_large_one_is_not_compared() {
        let diff = LineDiff::of("", "a\nb\n");
        assert_eq!((diff.added, diff.removed), (2, 0));
        let large = "x\n".repeat(COMPARED_BYTES / 2);
        let diff = LineDiff::of("y\n", &large);
        assert_eq!((diff.added, diff.removed), (COMPARED_BYTES / 2, 1));
        assert_eq!(LineDiff::of("a\n", "a\n"), LineDiff::default());
    }
    #[test]
    fn lines_are_numbered_on_their_sides() {
        let mut numbers = LineNumbers::new(9, 10, 5);
        let sides = [DiffSide::Both, DiffSide::Removed, DiffSide::Added, DiffSide::Omitted];
        let all: Vec<String> = sides.iter().map(|side| numbers.attributes(*side)).collect();
        let of = |old: &str, new: &str| format!(" data-old=\"{old}\" data-new=\"{new}\"");
        assert_eq!(all, [of(" 9", "10"), of("10", "  "), of("  ", "11"), of("  ", "  ")]);
    }
}
