//! Paths as people read them: relative to the folder of their session.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::session::overview::OverviewState;

/// The folder of a session, once it is known.
#[derive(Clone, Copy)]
pub(super) struct RelativePaths(Memo<Option<String>>);

impl RelativePaths {
    /// Follows the folder of a session.
    pub(super) fn of(id: SessionId) -> Self {
        let overview = OverviewState::expect();
        Self(Memo::new(move |_| overview.session(&id)?.cwd.clone()))
    }

    /// Returns a text in which paths are relative to the folder; tracked.
    pub(super) fn shorten(self, text: &str) -> String {
        self.0.with(|folder| {
            folder.as_deref().map_or_else(|| text.to_owned(), |it| shorten(text, it))
        })
    }
}

/// Returns a text without `folder` before the paths that are in it.
fn shorten(text: &str, folder: &str) -> String {
    let folder = folder.trim_end_matches(['/', '\\']);
    if folder.is_empty() {
        return text.to_owned();
    }
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(folder) {
        let (before, path) = rest.split_at(at);
        let inside = path[folder.len()..].strip_prefix(['/', '\\']);
        let is_part = |letter: char| letter.is_alphanumeric() || "/\\._-~".contains(letter);
        let begins = !before.chars().next_back().is_some_and(is_part);
        short.push_str(before);
        match inside.filter(|inside| begins && inside.starts_with(is_part)) {
            Some(inside) => rest = inside,
            None => {
                short.push_str(folder);
                rest = &path[folder.len()..];
            }
        }
    }
    short + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn paths_in_the_folder_are_relative_to_it() {
        for (text, short) in [
            ("/work/app/src/lib.rs", "src/lib.rs"),
            ("Read /work/app/a b.rs and `/work/app/.env`", "Read a b.rs and `.env`"),
            ("/work/app", "/work/app"),
            ("/work/app/", "/work/app/"),
            ("/work/app2/a", "/work/app2/a"),
            ("/old/work/app/a", "/old/work/app/a"),
            ("/work/app/work/app/a", "work/app/a"),
            ("ä/work/app/ü", "ä/work/app/ü"),
            ("", ""),
        ] {
            assert_eq!(shorten(text, "/work/app"), short, "{text}");
            assert_eq!(shorten(text, "/work/app/"), short, "{text}");
        }
        assert_eq!(shorten("C:\\app\\lib.rs", "C:\\app"), "lib.rs");
        assert_eq!((shorten("/a", "/"), shorten("/a", "")), ("/a".into(), "/a".into()));
    }
}
