//! Order between modules: no circular imports, and in the client no import upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use walkdir::WalkDir;

use crate::imports::{self, Import, Source, is_within, module_of};
use crate::workspace::Workspace;

/// The client's floors, from the lowest. Each may use those before it. Every module at the client's
/// root must be one of them.
const FLOORS: (&str, &[&str]) = ("client/src", &["bindings", "ui", "session", "pages", "app"]);

/// Modules that use each other, directly or through others.
#[derive(Debug, PartialEq, Eq)]
struct Circle {
    /// The parent module of the members.
    parent: String,
    members: Vec<String>,
    /// Places at which a member uses another.
    places: Vec<String>,
}

/// Reports each circle of modules within a crate, and each import of the client that leads
/// upwards.
///
/// # Errors
/// Fails if a file cannot be read.
pub(crate) fn breaches(workspace: &Workspace, folders: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for root in roots(workspace, folders) {
        let imports = imports::imports(&sources(workspace, &root)?);
        if root == FLOORS.0 {
            found.extend(upwards(FLOORS.1, &imports));
        }
        found.extend(circles(&imports).iter().map(|circle| told(&root, circle)));
    }
    Ok(found)
}

/// The folders of crate roots, relative to the workspace.
pub(crate) fn roots(workspace: &Workspace, folders: &[&str]) -> BTreeSet<String> {
    let files = folders.iter().flat_map(|folder| rust_files(workspace, Path::new(folder)));
    let is_root = |file: &String| file.ends_with("/lib.rs") || file.ends_with("/main.rs");
    let folder = |file: String| file.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    files.filter(is_root).filter_map(folder).collect()
}

pub(crate) fn sources(workspace: &Workspace, root: &str) -> Result<Vec<Source>> {
    let read = |file: String| {
        let content = std::fs::read_to_string(workspace.root.join(&file))?;
        Ok(Source { module: module_of(root, &file), file, content })
    };
    rust_files(workspace, Path::new(root)).map(read).collect()
}

fn rust_files(workspace: &Workspace, folder: &Path) -> impl Iterator<Item = String> {
    let root = workspace.root.clone();
    let files = WalkDir::new(root.join(folder)).sort_by_file_name().into_iter();
    let files = files
        .filter_entry(|entry| entry.file_name() != "node_modules" && entry.file_name() != "target");
    files.flatten().filter_map(move |entry| {
        let name = entry.path().strip_prefix(&root).ok()?.to_str()?;
        name.ends_with(".rs").then(|| name.to_owned())
    })
}

/// Imports that lead to a higher floor, and modules at the root that are on no floor.
fn upwards(floors: &[&str], imports: &[Import]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for import in imports {
        let [from, to] = [&import.from, &import.to].map(|module| {
            let name = module.split("::").next().unwrap_or_default();
            (name, floors.iter().position(|floor| *floor == name))
        });
        match (from, to) {
            // The crate's root belongs to no floor and may use any.
            (("", _), _) | (_, ("", _)) => {}
            ((from, Some(lower)), (to, Some(upper))) if lower < upper => {
                found.insert(format!("{}: `{from}` is below `{to}` and uses it", import.place));
            }
            ((_, Some(_)), (_, Some(_))) => {}
            ((other, None), _) | (_, (other, None)) => {
                found.insert(format!("{}: `{other}` is on no floor", import.place));
            }
        }
    }
    found.into_iter().collect()
}

/// Uses between modules of the same parent, each with the place of the first one.
type Edges<'a> = BTreeMap<(String, String), &'a str>;

/// The circles between modules of the same parent, including everything inside those modules. A
/// module and its own children may use each other.
fn circles(imports: &[Import]) -> Vec<Circle> {
    let mut levels: BTreeMap<String, Edges<'_>> = BTreeMap::new();
    for import in imports {
        if let Some((parent, from, to)) = siblings(&import.from, &import.to) {
            levels.entry(parent).or_default().entry((from, to)).or_insert(&import.place);
        }
    }
    let mut found = Vec::new();
    for (parent, edges) in levels {
        let names: BTreeSet<&String> = edges.keys().flat_map(|(from, to)| [from, to]).collect();
        let reach: BTreeMap<&String, BTreeSet<&String>> =
            names.iter().map(|name| (*name, reached(name, &edges))).collect();
        let mut seen = BTreeSet::new();
        for name in names {
            let circle = |other: &&&String| reach[**other].contains(name);
            let members: Vec<String> =
                reach[name].iter().filter(circle).map(|member| (**member).clone()).collect();
            if members.is_empty() || !seen.insert(members.clone()) {
                continue;
            }
            let inside = edges
                .iter()
                .filter(|((from, to), _)| members.contains(from) && members.contains(to));
            let places =
                inside.map(|((from, to), place)| format!("{from} uses {to} at {place}")).collect();
            found.push(Circle { parent: parent.clone(), members, places });
        }
    }
    found
}

/// All names that can be reached from a name; itself only through another.
fn reached<'a>(name: &str, edges: &'a Edges<'_>) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut open = vec![name];
    while let Some(at) = open.pop() {
        for (_, to) in edges.keys().filter(|(from, _)| from == at) {
            if found.insert(to) {
                open.push(to);
            }
        }
    }
    found
}

/// The innermost module that contains both, and the child of it that each is in. `None` if one
/// contains the other.
fn siblings(from: &str, to: &str) -> Option<(String, String, String)> {
    if is_within(from, to) || is_within(to, from) {
        return None;
    }
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split("::").collect(), to.split("::").collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    Some((from[..common].join("::"), from[common].to_owned(), to[common].to_owned()))
}

fn told(root: &str, circle: &Circle) -> String {
    let Circle { parent, members, places } = circle;
    let at = if parent.is_empty() { String::new() } else { format!("{parent}::") };
    format!("{root}: {at}{{{}}} use each other:\n    {}", members.join(", "), places.join("\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(from: &str, to: &str) -> Import {
        Import { from: from.to_owned(), to: to.to_owned(), place: format!("{from}.rs:1") }
    }

    fn found(imports: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        let imports: Vec<Import> = imports.iter().map(|(from, to)| import(from, to)).collect();
        circles(&imports).into_iter().map(|circle| (circle.parent, circle.members)).collect()
    }

    #[test]
    fn circles_between_siblings_are_found() {
        assert_eq!(found(&[("a", "b"), ("b", "c"), ("a", "c")]), []);
        let circle = |parent: &str, members: &[&str]| {
            (parent.to_owned(), members.iter().map(|&name| name.to_owned()).collect())
        };
        // A use inside a folder counts for the folder.
        assert_eq!(found(&[("a::x", "b"), ("b::y::z", "a")]), [circle("", &["a", "b"])]);
        let deep = [("p::a", "p::b"), ("p::b", "p::c"), ("p::c", "p::a"), ("p::c", "p::d")];
        assert_eq!(found(&deep), [circle("p", &["a", "b", "c"])]);
        let two = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")];
        assert_eq!(found(&two), [circle("", &["a", "b"]), circle("", &["c", "d"])]);
    }

    #[test]
    fn parents_and_children_may_use_each_other() {
        let parents = [("a", "a::b"), ("a::b", "a"), ("a::b::c", ""), ("", "a")];
        assert_eq!(found(&parents), []);
        assert_eq!(siblings("a::b", "a::bc"), Some(("a".into(), "b".into(), "bc".into())));
    }

    #[test]
    fn a_circle_is_told_with_its_places() {
        let circle = &circles(&[import("p::a", "p::b"), import("p::b", "p::a")])[0];
        assert_eq!(
            told("host/src", circle),
            "host/src: p::{a, b} use each other:\n    a uses b at p::a.rs:1\n    b uses a at p::b.rs:1"
        );
    }

    #[test]
    fn floors_are_used_from_above() {
        let floors = ["low", "high"];
        assert_eq!(upwards(&floors, &[import("high::a", "low"), import("", "high")]), [""; 0]);
        assert_eq!(
            upwards(&floors, &[import("low::a", "high::b")]),
            ["low::a.rs:1: `low` is below `high` and uses it"]
        );
        assert_eq!(
            upwards(&floors, &[import("loose", "low")]),
            ["loose.rs:1: `loose` is on no floor"]
        );
    }
}
