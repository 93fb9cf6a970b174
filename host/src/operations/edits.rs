//! Applies the edits of a patch to a text.

use std::borrow::Cow;

use memchr::memmem;
use moorline_shared::operation::Edit;

use super::problem::Problem;

/// Returns the text with its edits, each applied to the result of those before.
///
/// The lines to replace must be at the line that the edit names, or else exactly once in the text.
/// In a text whose lines all end with CR LF, that is how the new lines end, too.
///
/// # Errors
/// [`Problem::NoMatch`], [`Problem::AmbiguousMatch`], or [`Problem::Exists`] for an edit that only
/// creates a file.
pub(super) fn apply(text: &str, edits: &[Edit]) -> Result<String, Problem> {
    let has_cr = text.contains("\r\n")
        && memchr::memchr_iter(b'\n', text.as_bytes())
            .all(|at| at > 0 && text.as_bytes()[at - 1] == b'\r');
    let plain = |text: &str| text.replace("\r\n", "\n");
    let text = if has_cr { Cow::Owned(plain(text)) } else { Cow::Borrowed(text) };
    let mut lines = TextLines::new(&text);
    for (number, edit) in edits.iter().enumerate() {
        if has_cr {
            let (search, replace) = (plain(&edit.search), plain(&edit.replace));
            lines.apply(number + 1, &Edit { search, replace, line: edit.line })?;
        } else {
            lines.apply(number + 1, edit)?;
        }
    }
    let text = lines.into_text();
    Ok(if has_cr { text.replace('\n', "\r\n") } else { text })
}

/// A text as whole lines.
struct TextLines {
    /// The lines, each with a line break, after one further line break: so every line is between
    /// two.
    lines: String,
    /// False if the last line of the text has no line break.
    ends_with_break: bool,
    /// The number of lines that the edits so far have added, or removed.
    grown: i64,
}

impl TextLines {
    fn new(text: &str) -> Self {
        let ends_with_break = text.is_empty() || text.ends_with('\n');
        let end = if ends_with_break { "" } else { "\n" };
        Self { lines: format!("\n{text}{end}"), ends_with_break, grown: 0 }
    }

    fn into_text(mut self) -> String {
        if !self.ends_with_break && self.lines.len() > 1 {
            self.lines.pop();
        }
        self.lines.split_off(1)
    }

    fn apply(&mut self, number: usize, edit: &Edit) -> Result<(), Problem> {
        let (search, replace) = (Self::new(&edit.search), Self::new(&edit.replace));
        let start = self.place(number, &search.lines, edit.line)?;
        let end = start + search.lines.len() - 1;
        let is_last = end + 1 == self.lines.len() && self.lines.len() > 1;
        let is_all = self.lines.len() == 1;
        if is_all || (is_last && search.ends_with_break != replace.ends_with_break) {
            self.ends_with_break = replace.ends_with_break;
        }
        let count = |text: &str| {
            i64::try_from(memchr::memchr_iter(b'\n', text.as_bytes()).count()).unwrap_or(i64::MAX)
        };
        self.grown += count(&replace.lines) - count(&search.lines);
        // The line break before the lines stays.
        self.lines.replace_range(start + 1..=end, &replace.lines[1..]);
        Ok(())
    }

    /// Returns the position of the line break before the lines to replace.
    fn place(&self, number: usize, search: &str, line: Option<u32>) -> Result<usize, Problem> {
        let hinted = line.and_then(|line| self.start_of(line));
        if let Some(start) = hinted.filter(|start| self.lines[*start..].starts_with(search)) {
            return Ok(start);
        }
        if search.len() == 1 {
            // Nothing to replace, and no place for it.
            return match (line, self.lines.len()) {
                (None, 1) => Ok(0),
                (None, _) => Err(Problem::Exists),
                (Some(_), _) => Err(Problem::NoMatch { edit: number }),
            };
        }
        let (finder, text) = (memmem::Finder::new(search), self.lines.as_bytes());
        let first = finder.find(text).ok_or(Problem::NoMatch { edit: number })?;
        match finder.find(&text[first + 1..]) {
            None => Ok(first),
            Some(_) => Err(Problem::AmbiguousMatch { edit: number }),
        }
    }

    /// Returns the position of the line break before a line, which has this number in the text
    /// before all edits.
    fn start_of(&self, line: u32) -> Option<usize> {
        let before = usize::try_from(i64::from(line) - 1 + self.grown).ok()?;
        memchr::memchr_iter(b'\n', self.lines.as_bytes()).nth(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edit(search: &str, replace: &str, line: Option<u32>) -> Edit {
        Edit { search: search.to_owned(), replace: replace.to_owned(), line }
    }

    fn applied(text: &str, edits: &[Edit]) -> Result<String, &'static str> {
        apply(text, edits).map_err(|problem| problem.code())
    }

    fn one(text: &str, search: &str, replace: &str) -> Result<String, &'static str> {
        applied(text, &[edit(search, replace, None)])
    }

    #[test]
    fn whole_lines_are_replaced() {
        assert_eq!(one("a\nb\nc\n", "b\n", "x\ny\n").as_deref(), Ok("a\nx\ny\nc\n"));
        assert_eq!(one("a\nb\n", "b\n", "").as_deref(), Ok("a\n"));
        assert_eq!(one("ab\nb\n", "b\n", "x\n").as_deref(), Ok("ab\nx\n"));
        assert_eq!(one("a\n", "a\n", "").as_deref(), Ok(""));
        assert_eq!(one("ab\n", "b\n", "x\n"), Err("no_match"));
        assert_eq!(one("", "b\n", "x\n"), Err("no_match"));
        assert_eq!(one("a\n\nb\n", "\n", "x\n").as_deref(), Ok("a\nx\nb\n"));
    }

    #[test]
    fn lines_that_occur_twice_need_their_number() {
        let text = "a\nb\na\n";
        assert_eq!(one(text, "a\n", "x\n"), Err("ambiguous_match"));
        assert_eq!(one("a\na\na\n", "a\na\n", "x\n"), Err("ambiguous_match"), "they overlap");
        assert_eq!(applied(text, &[edit("a\n", "x\n", Some(3))]).as_deref(), Ok("a\nb\nx\n"));
        // A number that is wrong is no obstacle if the lines occur once.
        assert_eq!(applied(text, &[edit("b\n", "x\n", Some(1))]).as_deref(), Ok("a\nx\na\n"));
        assert_eq!(applied(text, &[edit("a\n", "x\n", Some(2))]), Err("ambiguous_match"));
        // Numbers count lines before all edits.
        let edits = [edit("a\n", "1\n2\n3\n", Some(1)), edit("a\n", "x\n", Some(3))];
        assert_eq!(applied(text, &edits).as_deref(), Ok("1\n2\n3\nb\nx\n"));
        let edits = [edit("a\nb\n", "", Some(1)), edit("a\n", "x\n", Some(3))];
        assert_eq!(applied(text, &edits).as_deref(), Ok("x\n"));
    }

    #[test]
    fn lines_are_inserted_before_a_line() {
        assert_eq!(applied("a\nb\n", &[edit("", "x\n", Some(2))]).as_deref(), Ok("a\nx\nb\n"));
        assert_eq!(applied("a\nb\n", &[edit("", "x\n", Some(3))]).as_deref(), Ok("a\nb\nx\n"));
        assert_eq!(applied("a\nb\n", &[edit("", "x\n", Some(5))]), Err("no_match"));
        assert_eq!(one("", "", "x\n").as_deref(), Ok("x\n"));
        assert_eq!(one("a\n", "", "x\n"), Err("exists"));
    }

    #[test]
    fn the_end_of_the_file_stays_as_it_is() {
        assert_eq!(one("a\nb", "b\n", "x\n").as_deref(), Ok("a\nx"));
        assert_eq!(one("a\nb", "a\n", "x\n").as_deref(), Ok("x\nb"));
        assert_eq!(one("a\nb", "b", "x\n").as_deref(), Ok("a\nx\n"), "the patch adds it");
        assert_eq!(one("a\nb\n", "b\n", "x").as_deref(), Ok("a\nx"), "the patch removes it");
        assert_eq!(one("a", "a", "").as_deref(), Ok(""));
    }

    #[test]
    fn lines_keep_ending_as_those_around_them() {
        assert_eq!(one("a\r\nb\r\n", "b\n", "x\ny\n").as_deref(), Ok("a\r\nx\r\ny\r\n"));
        assert_eq!(one("a\r\nb\n", "b\n", "x\n").as_deref(), Ok("a\r\nx\n"));
        assert_eq!(one("a\r\nb\n", "a\n", "x\n"), Err("no_match"));
    }

    proptest! {
        #[test]
        fn edits_never_panic(
            text in "[ab\n\r]{0,12}",
            edits in proptest::collection::vec(
                ("[ab\n]{0,4}", "[ab\n]{0,4}", proptest::option::of(0..6_u32)), 0..4),
        ) {
            let edits: Vec<Edit> = edits
                .into_iter()
                .map(|(search, replace, line)| Edit { search, replace, line })
                .collect();
            let _ = apply(&text, &edits);
        }

        #[test]
        fn an_edit_of_unique_lines_replaces_just_them(
            before in proptest::collection::vec("[ab]{0,2}", 0..5),
            after in proptest::collection::vec("[ab]{0,2}", 0..5),
            new in proptest::collection::vec("[abx]{0,2}", 0..5),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let old = [before.clone(), vec!["x".to_owned()], after.clone()].concat();
            let expected = [before, new.clone(), after].concat();
            prop_assert_eq!(one(&text(&old), "x\n", &text(&new)), Ok(text(&expected)));
        }
    }
}
