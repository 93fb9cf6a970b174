//! Imports between modules of a crate, read from the paths in its source.
//!
//! This reads tokens, not Rust: it knows comments, string literals, `use` trees and paths that
//! begin with `crate`, `super` or `self`. A name that a module has imported is followed to its
//! source. Code for tests does not count.

use std::collections::{BTreeMap, BTreeSet};

mod code;
mod paths;

use paths::{Leaf, leaves, uses};

/// A use of one module by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// The module that uses the other, such as `pages::sessions`; empty for the crate's root.
    pub(crate) from: String,
    /// The module that is used.
    pub(crate) to: String,
    /// File and line of the use, such as `client/src/app.rs:12`.
    pub(crate) place: String,
}

/// A source file of a crate.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Name of the file, for messages.
    pub(crate) file: String,
    /// The module that the file holds.
    pub(crate) module: String,
    /// Text of the file.
    pub(crate) content: String,
}

/// The module in a file of the crate whose root is in the folder `root`. With `client/src`,
/// `client/src/pages/mod.rs` is `pages`.
pub(crate) fn module_of(root: &str, file: &str) -> String {
    let path = file.strip_prefix(root).unwrap_or(file).trim_matches('/');
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") { String::new() } else { path.replace('/', "::") }
}

/// The code of a file, without comments, the content of texts, and what is for tests alone.
pub(crate) fn code(content: &str) -> String {
    code::without_tests(&code::without_texts(content)).0
}

/// All imports between the modules of a crate.
pub(crate) fn imports(sources: &[Source]) -> Vec<Import> {
    let mut tree = Tree::default();
    let mut cleaned = Vec::new();
    let mut of_tests = BTreeSet::new();
    for source in sources {
        let (code, modules) = code::without_tests(&code::without_texts(&source.content));
        of_tests.extend(modules.into_iter().map(|name| join(&source.module, &name)));
        tree.modules.insert(source.module.clone());
        cleaned.push((source, code));
    }
    cleaned.retain(|(source, _)| !of_tests.iter().any(|test| is_within(&source.module, test)));
    for (source, code) in &cleaned {
        for leaf in uses(code) {
            tree.note(&source.module, leaf);
        }
    }
    let mut found = Vec::new();
    for (source, code) in &cleaned {
        for leaf in leaves(code) {
            if let Some(to) = tree.resolve(&source.module, &leaf.path, 0)
                && to != source.module
            {
                let place = format!("{}:{}", source.file, leaf.line);
                found.push(Import { from: source.module.clone(), to, place });
            }
        }
    }
    found
}

/// Returns true if a module is `outer` or inside it.
pub(crate) fn is_within(module: &str, outer: &str) -> bool {
    outer.is_empty()
        || module.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// The modules of a crate, and the names that each has imported.
#[derive(Default)]
struct Tree {
    modules: BTreeSet<String>,
    /// Path of each imported name, by module and name.
    names: BTreeMap<(String, String), Vec<String>>,
}

impl Tree {
    fn note(&mut self, module: &str, leaf: Leaf) {
        if let Some(name) = leaf.name {
            self.names.entry((module.to_owned(), name)).or_insert(leaf.path);
        }
    }

    /// The last module on a path. `None` for a path of another crate.
    fn resolve(&self, from: &str, path: &[String], depth: usize) -> Option<String> {
        // Two modules may import a name from each other, if only by mistake.
        const MOST_STEPS: usize = 8;
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => String::new(),
            "self" => from.to_owned(),
            "super" => parent(from).to_owned(),
            name => {
                let child = join(from, name);
                if !self.modules.contains(&child) {
                    return None;
                }
                child
            }
        };
        while let Some((name, further)) = rest.split_first() {
            rest = further;
            let child = join(&at, name);
            match name.as_str() {
                "super" => at = parent(&at).to_owned(),
                "self" => {}
                _ if self.modules.contains(&child) => at = child,
                _ => {
                    let known = self.names.get(&(at.clone(), name.clone()));
                    let Some(known) = known.filter(|_| depth < MOST_STEPS) else { break };
                    let path: Vec<String> = known.iter().chain(further).cloned().collect();
                    return self.resolve(&at, &path, depth + 1).or(Some(at));
                }
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, String, String)> {
        let source = |(file, content): &(&str, &str)| Source {
            file: (*file).to_owned(),
            module: module_of("src", file),
            content: (*content).to_owned(),
        };
        let sources: Vec<Source> = files.iter().map(source).collect();
        imports(&sources).into_iter().map(|i| (i.from, i.to, i.place)).collect()
    }

    fn one(from: &str, to: &str, place: &str) -> (String, String, String) {
        (from.to_owned(), to.to_owned(), place.to_owned())
    }

    #[test]
    fn files_hold_modules() {
        let of = |file| module_of("client/src", file);
        assert_eq!(of("client/src/lib.rs"), "");
        assert_eq!(of("client/src/pages/mod.rs"), "pages");
        assert_eq!(of("client/src/pages/session/log.rs"), "pages::session::log");
    }

    #[test]
    fn paths_lead_to_the_last_module_on_them() {
        let files = [
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "mod deep;\nuse crate::{b::Thing, c};\nfn f() { crate::b::g() }"),
            ("src/a/deep.rs", "use super::super::b;"),
            ("src/b.rs", "use std::fmt;"),
        ];
        let all = found(&files);
        assert_eq!(
            all,
            [
                one("a", "b", "src/a.rs:2"),
                one("a", "", "src/a.rs:2"),
                one("a", "b", "src/a.rs:3"),
                one("a::deep", "b", "src/a/deep.rs:1"),
            ]
        );
    }

    #[test]
    fn names_are_followed_to_where_they_come_from() {
        let files = [
            ("src/ui/mod.rs", "mod icon; mod menu;\npub use icon::{Icon as Snapshot, Mark};"),
            ("src/ui/icon.rs", ""),
            ("src/ui/menu.rs", "use crate::ui::Snapshot;\nuse super::Mark;\nuse super::Other;"),
        ];
        assert_eq!(
            found(&files),
            [
                one("ui::menu", "ui::icon", "src/ui/menu.rs:1"),
                one("ui::menu", "ui::icon", "src/ui/menu.rs:2"),
                one("ui::menu", "ui", "src/ui/menu.rs:3"),
            ]
        );
    }

    #[test]
    fn tests_comments_and_texts_import_nothing() {
        let files = [
            ("src/a.rs", "// crate::b\nconst T: &str = \"crate::b\";\n#[cfg(test)]\nmod tests;"),
            ("src/a/tests.rs", "use crate::b;"),
            ("src/b.rs", "#[cfg(test)]\nuse crate::a;\n#[cfg(test)]\nmod tests { use crate::a; }"),
            ("src/c.rs", "const OPEN: char = '\"'; fn f<'a>(_: &'a str) { crate::b::g() }"),
        ];
        assert_eq!(found(&files), [one("c", "b", "src/c.rs:1")]);
    }
}
