//! Paths in code from which literals and comments were removed.

use super::code::is_of_name;

/// A path, or one branch of a tree of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    /// The name that it has in the module from then on; `None` for `*` and `_`.
    pub(super) name: Option<String>,
    /// Line number, counted from 1.
    pub(super) line: usize,
}

/// All paths that begin with `crate`, `super` or `self`, in `use` and elsewhere.
pub(super) fn leaves(code: &str) -> Vec<Leaf> {
    let begins = |word: &str, after: &str| {
        matches!(word, "crate" | "super" | "self") && after.trim_start().starts_with("::")
    };
    found(code, begins, 0)
}

/// All paths in `use` declarations.
pub(super) fn uses(code: &str) -> Vec<Leaf> {
    found(code, |word, after| word == "use" && after.starts_with(char::is_whitespace), "use".len())
}

/// The trees at words that `begins` accepts; each tree begins `skipped` bytes after the word's
/// start.
fn found(code: &str, begins: impl Fn(&str, &str) -> bool, skipped: usize) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < code.len() {
        let rest = &code[at..];
        let word = rest.split(|c| !is_of_name(c)).next().unwrap_or_default();
        if word.is_empty() {
            let character = rest.chars().next().unwrap_or_default();
            line += usize::from(character == '\n');
            at += character.len_utf8();
            continue;
        }
        // After `::`, these words are part of a path.
        let is_first = !code[..at].trim_end().ends_with("::");
        if is_first && begins(word, &rest[word.len()..]) {
            let mut reader = PathReader { rest: &rest[skipped..], line, leaves: &mut leaves };
            reader.tree(&[]);
        }
        at += word.len();
    }
    leaves
}

struct PathReader<'a> {
    rest: &'a str,
    line: usize,
    leaves: &'a mut Vec<Leaf>,
}

impl PathReader<'_> {
    /// Reads the tree that follows `prefix::`.
    fn tree(&mut self, prefix: &[String]) {
        self.blank();
        if self.takes("{") {
            loop {
                self.blank();
                if self.takes("}") || self.rest.is_empty() {
                    return;
                }
                let before = self.rest.len();
                self.tree(prefix);
                self.blank();
                if !self.takes(",") && self.rest.len() == before {
                    return;
                }
            }
        }
        if self.takes("*") {
            return self.leaf(prefix, None);
        }
        let name = self.word();
        if name.is_empty() {
            return;
        }
        let path = if name == "self" && !prefix.is_empty() {
            prefix.to_vec()
        } else {
            [prefix, &[name]].concat()
        };
        self.blank();
        let is_generic = self.rest.starts_with("::<");
        if !is_generic && self.takes("::") {
            return self.tree(&path);
        }
        let mut name = path.last().cloned();
        if self.rest.starts_with("as ") {
            self.word();
            self.blank();
            name = Some(self.word()).filter(|name| name != "_");
        }
        self.leaf(&path, name);
    }

    fn leaf(&mut self, path: &[String], name: Option<String>) {
        self.leaves.push(Leaf { path: path.to_vec(), name, line: self.line });
    }

    fn word(&mut self) -> String {
        let length = self.rest.find(|c| !is_of_name(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word.to_owned()
    }

    fn takes(&mut self, mark: &str) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn blank(&mut self) {
        let rest = self.rest.trim_start();
        let skipped = &self.rest[..self.rest.len() - rest.len()];
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(leaves: &[Leaf]) -> Vec<String> {
        let show = |leaf: &Leaf| {
            let name = leaf.name.as_deref().unwrap_or("-");
            format!("{} {} {name}", leaf.line, leaf.path.join("::"))
        };
        leaves.iter().map(show).collect()
    }

    #[test]
    fn trees_are_spelled_out() {
        let code = "pub use crate::{\n    a::{self, B as C},\n    d::*,\n};\nuse e::F as _;";
        let ours = ["2 crate::a a", "2 crate::a::B C", "3 crate::d -"];
        assert_eq!(shown(&leaves(code)), ours);
        assert_eq!(shown(&uses(code)), [&ours[..], &["5 e::F -"]].concat());
    }

    #[test]
    fn paths_end_where_something_else_begins() {
        let code =
            "pub(crate) fn f(self) { super::super::a::g::<u8>(self.b, self::c::D { e: 1 }) }";
        let found = shown(&leaves(code));
        assert_eq!(found, ["1 super::super::a::g g", "1 self::c::D D"]);
    }
}
