//! What of a folder is not synced.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use moorline_shared::workspace::WorkspacePath;

/// The file at the top of a folder that lists what is not synced, in the syntax of git.
pub(super) const IGNORE_FILE: &str = ".moorlineignore";
/// The beginning of the names of files that are being written.
pub(super) const TEMPORARY: &str = ".moorline-";
/// What is not synced unless the file says otherwise. A repository that changes on two machines at a
/// time would be damaged.
const DEFAULTS: [&str; 1] = [".git"];

/// The rules of one folder.
#[derive(Debug)]
pub(super) struct IgnoreRules(Gitignore);

impl IgnoreRules {
    /// Parses the text of an ignore file. Lines that are not valid count for nothing.
    pub(super) fn parse(text: &str) -> Self {
        let mut builder = GitignoreBuilder::new("");
        for line in DEFAULTS.into_iter().chain(text.lines()) {
            // Logged by nobody: the file is the user's, and may be half written.
            let _ = builder.add_line(None, line);
        }
        Self(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    /// Returns true if a path in a directory that is not ignored is ignored.
    pub(super) fn ignores_here(&self, path: &WorkspacePath, is_directory: bool) -> bool {
        is_temporary(path) || self.0.matched(path.as_str(), is_directory).is_ignore()
    }

    /// Returns true if a path, or a directory that it is in, is ignored.
    pub(super) fn ignores(&self, path: &WorkspacePath, is_directory: bool) -> bool {
        self.ignores_here(path, is_directory)
            || path.ancestors().any(|parent| self.ignores_here(&parent, true))
    }
}

fn is_temporary(path: &WorkspacePath) -> bool {
    path.name().starts_with(TEMPORARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignore_file_has_the_syntax_of_git() {
        let rules = IgnoreRules::parse("# build\ntarget/\n*.log\n!keep.log\n/top\n");
        let ignores =
            |path: &str, is_directory| rules.ignores(&path.parse().unwrap(), is_directory);
        for path in ["a/target/x", "a/b.log", "top", ".git/config", "a/.git", "a/.moorline-0123"] {
            assert!(ignores(path, path == "a/.git"), "{path}");
        }
        for path in ["target", "keep.log", "a/top", ".gitignore", "src/main.rs", IGNORE_FILE] {
            assert!(!ignores(path, false), "{path}");
        }
        assert!(!IgnoreRules::parse("!.git").ignores(&".git/config".parse().unwrap(), false));
    }
}
