//! The keys of a tree, as the ARIA Authoring Practices describe them.

use super::TreeRow;

/// The time in milliseconds within which letters belong to one name.
const TYPED_WITHIN_MS: f64 = 800.0;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeKey {
    /// Moves to the row at this place.
    Go(usize),
    /// Unfolds the directory, or folds it.
    Unfold(bool),
    /// Opens the file, or unfolds or folds the directory.
    Open,
    /// Asks for another name.
    Rename,
    /// Asks whether to delete it.
    Delete,
}

impl TreeKey {
    /// Returns what a key does if the row at `at` has the cursor; `None` if the tree does not use it.
    /// `page` is the number of rows in view.
    #[must_use]
    pub fn of(key: &str, rows: &[TreeRow], at: usize, page: usize) -> Option<Self> {
        let row = rows.get(at)?;
        let last = rows.len() - 1;
        Some(match key {
            "ArrowDown" => Self::Go((at + 1).min(last)),
            "ArrowUp" => Self::Go(at.saturating_sub(1)),
            "Home" => Self::Go(0),
            "End" => Self::Go(last),
            "PageDown" => Self::Go((at + page.max(1)).min(last)),
            "PageUp" => Self::Go(at.saturating_sub(page.max(1))),
            "ArrowRight" if !row.is_folder => return None,
            "ArrowRight" if !row.is_unfolded => Self::Unfold(true),
            "ArrowRight" => {
                let is_within = rows.get(at + 1).is_some_and(|next| next.level > row.level);
                Self::Go(if is_within { at + 1 } else { at })
            }
            "ArrowLeft" if row.is_unfolded => Self::Unfold(false),
            "ArrowLeft" => {
                let above = rows[..at].iter().rposition(|above| above.level < row.level);
                Self::Go(above?)
            }
            "Enter" | " " => Self::Open,
            "F2" => Self::Rename,
            "Delete" => Self::Delete,
            _ => return None,
        })
    }
}

/// The letters that somebody types to get to a name.
#[derive(Debug, Clone, Default)]
pub struct TypeAhead {
    typed: String,
    at_ms: f64,
}

impl TypeAhead {
    /// Takes a key, and returns the place of the next row whose name begins with what was typed. One
    /// letter again and again goes through the names that begin with it.
    pub fn press(&mut self, key: &str, now_ms: f64, rows: &[TreeRow], at: usize) -> Option<usize> {
        let mut letters = key.chars();
        let letter =
            letters.next().filter(|letter| letters.next().is_none() && !letter.is_control())?;
        if now_ms - self.at_ms > TYPED_WITHIN_MS {
            self.typed.clear();
        }
        if letter == ' ' && self.typed.is_empty() {
            return None;
        }
        self.at_ms = now_ms;
        let letter = letter.to_ascii_lowercase();
        let is_again = self.typed.chars().all(|known| known == letter) && !self.typed.is_empty();
        if !is_again {
            self.typed.push(letter);
        }
        // More of a name may still fit the row itself.
        let from = at + usize::from(is_again || self.typed.chars().count() == 1);
        let fits = |row: &TreeRow| row.path.name().to_ascii_lowercase().starts_with(&self.typed);
        (0..rows.len()).map(|step| (from + step) % rows.len()).find(|place| fits(&rows[*place]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::tree;
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn rows() -> Vec<TreeRow> {
        let mut tree = tree(&["docs/", "docs/a.md", "src/", "src/main.rs", "makefile", "main.rs"]);
        tree.unfold("src", true);
        tree.rows()
    }

    #[test]
    fn keys_move_through_the_tree() {
        // docs, src, src/main.rs, main.rs, makefile
        let rows = rows();
        let of = |key, at| TreeKey::of(key, &rows, at, 3);
        assert_eq!(of("ArrowDown", 4), Some(TreeKey::Go(4)));
        assert_eq!(of("ArrowUp", 0), Some(TreeKey::Go(0)));
        assert_eq!(of("End", 0), Some(TreeKey::Go(4)));
        assert_eq!(of("PageDown", 0), Some(TreeKey::Go(3)));
        assert_eq!(of("ArrowRight", 0), Some(TreeKey::Unfold(true)));
        assert_eq!(of("ArrowRight", 1), Some(TreeKey::Go(2)));
        assert_eq!(of("ArrowRight", 2), None);
        assert_eq!(of("ArrowLeft", 2), Some(TreeKey::Go(1)));
        assert_eq!(of("ArrowLeft", 1), Some(TreeKey::Unfold(false)));
        assert_eq!(of("ArrowLeft", 0), None);
        assert_eq!((of("Enter", 3), of("F2", 3)), (Some(TreeKey::Open), Some(TreeKey::Rename)));
        assert_eq!(TreeKey::of("End", &[], 0, 3), None);
    }

    #[test]
    fn typing_goes_to_a_name() {
        let rows = rows();
        let mut ahead = TypeAhead::default();
        assert_eq!(ahead.press("m", 1000.0, &rows, 0), Some(2));
        assert_eq!(ahead.press("M", 1100.0, &rows, 2), Some(3), "the next one");
        assert_eq!(ahead.press("a", 1200.0, &rows, 3), Some(3));
        assert_eq!(ahead.press("k", 1300.0, &rows, 3), Some(4));
        assert_eq!(ahead.press("d", 5000.0, &rows, 4), Some(0), "anew, and from the top");
        assert_eq!(ahead.press("Shift", 5100.0, &rows, 0), None);
        assert_eq!(ahead.press(" ", 9000.0, &rows, 0), None);
        assert_eq!(TypeAhead::default().press("a", 0.0, &[], 0), None);
    }
}
