//! Reduces a change of a file to the lines that differ.

use std::borrow::Cow;

use moorline_shared::agent::content::KnownToolContent;
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use super::cuts::{cut_middle, json_bytes};

/// The number of unchanged lines around a change.
const CONTEXT: usize = 3;
/// Most lines that are compared. Of more, all old ones count as removed and all new ones as added.
const COMPARED_LINES: usize = 2000;
/// Bytes that are kept of both ends of a long line, if not everything fits.
const LONG_LINE: (usize, usize) = (700, 300);
/// Bytes of JSON for the sentence about missing lines, on both sides.
const MISSING_BYTES: usize = 160;

/// A change of a file, reduced.
#[derive(Debug)]
pub(super) struct ReducedChange {
    /// A diff whose texts have the lines that differ, with some around them. A line stands for the
    /// unchanged ones between two parts, and the last one for those that did not fit.
    pub(super) content: KnownToolContent,
    /// The number of added and removed lines that did not fit.
    pub(super) missing: usize,
    /// True if a part of a change did not fit.
    pub(super) is_cut: bool,
}

/// Reduces a change to the lines that differ, in about `room` bytes of JSON at most.
pub(super) fn reduced(
    path: String,
    old_text: Option<&str>,
    new_text: &str,
    room: usize,
) -> ReducedChange {
    let mut lines = excerpt(old_text.unwrap_or_default(), new_text);
    let mut is_cut = false;
    let mut missing = 0;
    if lines.iter().map(ExcerptLine::bytes).sum::<usize>() > room {
        for line in &mut lines {
            is_cut |= line.shorten();
        }
        let mut left = room.saturating_sub(MISSING_BYTES);
        let mut fits = |line: &ExcerptLine<'_>| match left.checked_sub(line.bytes()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let count = lines.iter().take_while(|line| fits(line)).count();
        missing = lines[count..].iter().filter(|line| line.side != ExcerptSide::Both).count();
        is_cut |= missing > 0;
        lines.truncate(count);
    }
    let mut old = text_of(&lines, ExcerptSide::Old);
    let mut new = text_of(&lines, ExcerptSide::New);
    if missing > 0 {
        let sentence = format!("⋯ {} not shown ⋯\n", counted(missing, "changed line"));
        for side in [&mut old, &mut new] {
            if !side.is_empty() && !side.ends_with('\n') {
                side.push('\n');
            }
            side.push_str(&sentence);
        }
    }
    let old_text = old_text.map(|_| old);
    let content = KnownToolContent::Diff { path, old_text, new_text: new };
    ReducedChange { content, missing, is_cut }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExcerptSide {
    Both,
    Old,
    New,
}

/// A line of an excerpt, with its end.
#[derive(Debug)]
struct ExcerptLine<'a> {
    side: ExcerptSide,
    text: Cow<'a, str>,
}

impl ExcerptLine<'_> {
    /// Returns about the bytes that it takes as JSON.
    fn bytes(&self) -> usize {
        let sides = if self.side == ExcerptSide::Both { 2 } else { 1 };
        json_bytes(&self.text).saturating_mul(sides)
    }

    /// Cuts a long line in its middle. Returns true if anything is missing.
    fn shorten(&mut self) -> bool {
        let (head, tail) = LONG_LINE;
        // Most lines are not copied.
        self.text.len() > head + tail && cut_middle(self.text.to_mut(), head, tail)
    }
}

/// Returns the lines that differ, with some around them.
fn excerpt<'a>(old: &'a str, new: &'a str) -> Vec<ExcerptLine<'a>> {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let mut lines = Vec::new();
    let mut end = None;
    for steps in group_diff_ops(steps(&old, &new), CONTEXT) {
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { continue };
        if let Some(end) = end {
            let between = first.old_range().start - end;
            let text = format!("⋯ {} ⋯\n", counted(between, "unchanged line")).into();
            lines.push(ExcerptLine { side: ExcerptSide::Both, text });
        }
        end = Some(last.old_range().end);
        for step in &steps {
            push_step(&mut lines, &old[step.old_range()], &new[step.new_range()], step.tag());
        }
    }
    lines
}

/// Adds the lines of a step. Removed and added lines take turns, so that both are seen if not all
/// of them fit.
fn push_step<'a>(lines: &mut Vec<ExcerptLine<'a>>, old: &[&'a str], new: &[&'a str], tag: DiffTag) {
    let line = |side| move |text: &&'a str| ExcerptLine { side, text: Cow::Borrowed(*text) };
    if tag == DiffTag::Equal {
        return lines.extend(old.iter().map(line(ExcerptSide::Both)));
    }
    let (mut removed, mut added) =
        (old.iter().map(line(ExcerptSide::Old)), new.iter().map(line(ExcerptSide::New)));
    loop {
        let pair = [removed.next(), added.next()];
        if pair.iter().all(Option::is_none) {
            return;
        }
        lines.extend(pair.into_iter().flatten());
    }
}

/// Compares two texts. It takes no clock, so its work has a bound in lines.
fn steps(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let is_same = |(old, new): &(&&str, &&str)| old == new;
    let head = old.iter().zip(new).take_while(is_same).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(is_same).count();
    let (old_len, new_len) = (old_rest.len() - tail, new_rest.len() - tail);
    if old_len + new_len <= COMPARED_LINES {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let equal = |old_index, new_index, len| DiffOp::Equal { old_index, new_index, len };
    let steps = [
        equal(0, 0, head),
        DiffOp::Replace { old_index: head, old_len, new_index: head, new_len },
        equal(head + old_len, head + new_len, tail),
    ];
    let is_some = |step: &DiffOp| !step.old_range().is_empty() || !step.new_range().is_empty();
    steps.into_iter().filter(is_some).collect()
}

fn text_of(lines: &[ExcerptLine<'_>], side: ExcerptSide) -> String {
    let is_in = |line: &&ExcerptLine<'_>| line.side == ExcerptSide::Both || line.side == side;
    lines.iter().filter(is_in).map(|line| &*line.text).collect()
}

/// Returns a number of things, in words.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(lines: usize) -> String {
        (1..=lines).map(|line| format!("{line}\n")).collect()
    }

    fn texts(change: ReducedChange) -> (Option<String>, String) {
        match change.content {
            KnownToolContent::Diff { old_text, new_text, .. } => (old_text, new_text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_is_reduced_to_the_lines_that_differ() {
        let old = numbered(100);
        let new = old.replace("\n10\n", "\nten\n").replace("\n90\n", "\n");
        let change = reduced("/a".into(), Some(&old), &new, usize::MAX);
        assert!(!change.is_cut && change.missing == 0);
        let (old, new) = texts(change);
        let gap = "⋯ 73 unchanged lines ⋯\n";
        let want = |ten: &str, ninety: &str| {
            format!("7\n8\n9\n{ten}\n11\n12\n13\n{gap}87\n88\n89\n{ninety}91\n92\n93\n")
        };
        assert_eq!((old.unwrap(), new), (want("10", "90\n"), want("ten", "")));
    }

    #[test]
    fn the_first_lines_of_both_sides_are_kept_if_not_all_fit() {
        let (old, new) = (numbered(5000), numbered(5000).replace('\n', "!\n"));
        let change = reduced("/a".into(), Some(&old), &new, 2000);
        assert!(change.is_cut && json_bytes(&change.content) <= 2000);
        let missing = change.missing;
        let (old, new) = texts(change);
        let old = old.unwrap();
        assert!(old.starts_with("1\n2\n3\n") && new.starts_with("1!\n2!\n3!\n"));
        let end = format!("\n⋯ {missing} changed lines not shown ⋯\n");
        assert!(old.ends_with(&end) && new.ends_with(&end));
        assert_eq!(missing, 10_000 - (old.lines().count() - 1) - (new.lines().count() - 1));
    }

    #[test]
    fn a_new_file_stays_one_and_a_long_line_is_cut_in_its_middle() {
        let change = reduced("/a".into(), None, &format!("first\n{}last", "x".repeat(9000)), 4000);
        assert!(change.is_cut && change.missing == 0);
        let (old, new) = texts(change);
        assert!(old.is_none() && new.starts_with("first\nxxx") && new.ends_with("xlast"));
        assert!(new.len() < 1200 && new.contains("(8004 bytes are not shown)"), "{new}");
        let same = reduced("/a".into(), Some("a"), "a", usize::MAX);
        assert_eq!(texts(same), (Some(String::new()), String::new()));
    }
}
