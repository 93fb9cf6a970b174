//! Hunks: the parts in which two texts differ. Each can be taken from either text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use moorline_shared::change::ChangedHunk;
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline, group_diff_ops};

/// Time after which the diff of large texts need not be the shortest.
const PATIENCE: Duration = Duration::from_millis(500);
/// The number of unchanged lines around a hunk.
const CONTEXT: usize = 3;
/// The number of digits of a hunk's id.
const ID_DIGITS: usize = 16;

/// Two texts, and the parts in which they differ.
///
/// Outside its hunks both texts are the same, so the choice of a side for each hunk is a text.
#[derive(Debug)]
pub(super) struct TextHunks<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    hunks: Vec<TextHunk>,
}

#[derive(Debug)]
struct TextHunk {
    old: Range<usize>,
    new: Range<usize>,
    steps: Vec<DiffOp>,
}

impl<'a> TextHunks<'a> {
    pub(super) fn of(old: &'a str, new: &'a str) -> Self {
        let old: Vec<&str> = old.split_inclusive('\n').collect();
        let new: Vec<&str> = new.split_inclusive('\n').collect();
        let deadline = Some(Instant::now() + PATIENCE);
        let steps = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
        let groups = group_diff_ops(steps, CONTEXT).into_iter().filter_map(|steps| {
            let (first, last) = (steps.first()?, steps.last()?);
            let old = first.old_range().start..last.old_range().end;
            let new = first.new_range().start..last.new_range().end;
            Some(TextHunk { old, new, steps })
        });
        Self { hunks: groups.collect(), old, new }
    }

    pub(super) fn len(&self) -> usize {
        self.hunks.len()
    }

    /// Returns the numbers of lines that are only in the new text, and only in the old.
    pub(super) fn lines(&self) -> (usize, usize) {
        let changed = self.hunks.iter().flat_map(|hunk| &hunk.steps);
        let changed = changed.filter(|step| step.tag() != DiffTag::Equal);
        changed.fold((0, 0), |(added, removed), step| {
            (added + step.new_range().len(), removed + step.old_range().len())
        })
    }

    /// Returns the places of the hunks with these ids, unless one of them is unknown.
    pub(super) fn find(&self, ids: &[String]) -> Option<BTreeSet<usize>> {
        let known: Vec<String> = self.hunks.iter().map(|hunk| self.id(hunk)).collect();
        ids.iter().map(|id| known.iter().position(|known| known == id)).collect()
    }

    /// Returns the text that has the new side of the hunks that `is_new` chooses by their places,
    /// and the old side of the others.
    pub(super) fn mixed(&self, is_new: impl Fn(usize) -> bool) -> String {
        let mut mixed = String::new();
        let mut at = 0;
        for (place, hunk) in self.hunks.iter().enumerate() {
            mixed.extend(self.old[at..hunk.old.start].iter().copied());
            let side = if is_new(place) {
                &self.new[hunk.new.clone()]
            } else {
                &self.old[hunk.old.clone()]
            };
            mixed.extend(side.iter().copied());
            at = hunk.old.end;
        }
        mixed.extend(self.old[at..].iter().copied());
        mixed
    }

    /// Returns the hunks whose texts fit into `room` bytes, from the first one, and takes these
    /// bytes from it.
    pub(super) fn shown(&self, room: &mut usize) -> Vec<ChangedHunk> {
        let mut shown = Vec::new();
        for hunk in &self.hunks {
            let text = self.text(hunk);
            let Some(left) = room.checked_sub(text.len()) else { break };
            *room = left;
            let start = |range: &Range<usize>| range.start + usize::from(!range.is_empty());
            shown.push(ChangedHunk {
                id: self.id(hunk),
                old_start: start(&hunk.old),
                old_lines: hunk.old.len(),
                new_start: start(&hunk.new),
                new_lines: hunk.new.len(),
                text,
            });
        }
        shown
    }

    /// Returns the id of a hunk. It depends on the place in the new text and on both sides: a hunk
    /// that was kept changes the places of others in the old text, but not their ids.
    fn id(&self, hunk: &TextHunk) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(hunk.new.start as u64).to_le_bytes());
        for side in [&self.old[hunk.old.clone()], &self.new[hunk.new.clone()]] {
            hasher.update(&(side.len() as u64).to_le_bytes());
            for line in side {
                hasher.update(&(line.len() as u64).to_le_bytes()).update(line.as_bytes());
            }
        }
        hasher.finalize().to_hex()[..ID_DIGITS].to_owned()
    }

    fn text(&self, hunk: &TextHunk) -> String {
        let mut text = String::new();
        let mut add = |mark: char, lines: &[&str]| {
            for line in lines {
                let end =
                    if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
                // A string takes everything.
                let _ = write!(text, "{mark}{line}{end}");
            }
        };
        for step in &hunk.steps {
            if step.tag() == DiffTag::Equal {
                add(' ', &self.old[step.old_range()]);
            } else {
                add('-', &self.old[step.old_range()]);
                add('+', &self.new[step.new_range()]);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(old: &str, new: &str) -> Vec<ChangedHunk> {
        TextHunks::of(old, new).shown(&mut usize::MAX.clone())
    }

    #[test]
    fn a_hunk_shows_lines_around_it() {
        let old: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n5a\n").replace("20\n", "20");
        let hunks = shown(&old, &new);
        let places =
            |hunk: &ChangedHunk| (hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines);
        assert_eq!(hunks.iter().map(places).collect::<Vec<_>>(), [(2, 7, 2, 8), (17, 4, 18, 4)]);
        assert_eq!(hunks[0].text, " 2\n 3\n 4\n-5\n+five\n+5a\n 6\n 7\n 8\n");
        assert_eq!(hunks[1].text, " 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n");
        let added = &shown("", "a\n")[0];
        assert_eq!(places(added), (0, 0, 1, 1));
        let small = TextHunks::of(&old, &new).shown(&mut 40);
        assert_eq!(small, hunks[..1]);
        assert_eq!(TextHunks::of(&old, &new).lines(), (3, 2));
    }

    #[test]
    fn equal_hunks_differ_by_their_place() {
        let old = "a\n".repeat(40);
        let mut lines: Vec<&str> = old.split_inclusive('\n').collect();
        lines.insert(30, "b\n");
        lines.insert(10, "b\n");
        let hunks = shown(&old, &lines.concat());
        assert_eq!(hunks.len(), 2);
        assert_eq!(hunks[0].text, hunks[1].text);
        assert_ne!(hunks[0].id, hunks[1].id);
    }

    /// Replaces lines of `text` as a reference would: each hunk's `from` by its `to`, from the last
    /// hunk to the first, so that earlier places stay.
    fn reference(text: &str, hunks: &[ChangedHunk], puts_back: bool) -> String {
        let side = |hunk: &ChangedHunk, without: char| -> Vec<String> {
            let mut lines: Vec<String> = Vec::new();
            for line in hunk.text.split_inclusive('\n') {
                match line.chars().next() {
                    Some('\\') => {
                        let last = lines.last_mut().unwrap();
                        if last.ends_with('\n') {
                            last.pop();
                        }
                    }
                    Some(mark) if mark == without => lines.push(String::new()),
                    _ => lines.push(line[1..].to_owned()),
                }
            }
            lines
        };
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        for hunk in hunks.iter().rev() {
            let (start, count, to) = match puts_back {
                true => (hunk.new_start, hunk.new_lines, side(hunk, '+')),
                false => (hunk.old_start, hunk.old_lines, side(hunk, '-')),
            };
            let start = start - usize::from(count > 0);
            lines.splice(start..start + count, to);
        }
        lines.concat()
    }

    fn texts() -> impl Strategy<Value = (String, String)> {
        let line = prop_oneof![Just("a\n"), Just("b\n"), Just("c\r\n"), Just("é\n"), Just("\n")];
        let edit = (0..60_usize, 0..3_usize, proptest::collection::vec("[xyz]{0,2}\n", 0..3));
        let lines = proptest::collection::vec(line, 0..60);
        (lines, proptest::collection::vec(edit, 0..5), any::<bool>(), any::<bool>()).prop_map(
            |(old, edits, cuts_old, cuts_new)| {
                let mut new: Vec<String> = old.iter().map(|&line| line.to_owned()).collect();
                for (at, removed, added) in edits {
                    let at = at.min(new.len());
                    let end = (at + removed).min(new.len());
                    new.splice(at..end, added);
                }
                let cut = |mut text: String, cuts: bool| {
                    if cuts {
                        text.pop();
                    }
                    text
                };
                (cut(old.concat(), cuts_old), cut(new.concat(), cuts_new))
            },
        )
    }

    proptest! {
        #[test]
        fn each_choice_of_hunks_is_what_a_reference_does(
            (old, new) in texts(),
            choice in any::<u64>(),
        ) {
            let hunks = TextHunks::of(&old, &new);
            prop_assert_eq!(hunks.mixed(|_| false), old.as_str());
            prop_assert_eq!(hunks.mixed(|_| true), new.as_str());
            let chosen = |place: usize| choice >> (place % 64) & 1 == 1;
            let all = hunks.shown(&mut usize::MAX.clone());
            let picked = |keeps: bool| -> Vec<ChangedHunk> {
                let picked = all.iter().enumerate().filter(|(place, _)| chosen(*place) == keeps);
                picked.map(|(_, hunk)| hunk.clone()).collect()
            };
            let mixed = hunks.mixed(chosen);
            prop_assert_eq!(&reference(&old, &picked(true), false), &mixed);
            prop_assert_eq!(&reference(&new, &picked(false), true), &mixed);
            let ids: Vec<String> = picked(true).into_iter().map(|hunk| hunk.id).collect();
            let places = hunks.find(&ids).unwrap();
            prop_assert_eq!(places.len(), ids.len());
            prop_assert!(places.into_iter().all(chosen));
        }
    }
}
