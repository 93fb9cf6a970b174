//! Names of types: each names one type of the workspace, so that a name in a message or a stack trace
//! says which.
//!
//! Counted are types at the top level of a module. Code for tests does not count.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{floors, imports};

/// Names that more than one type has. The list only gets shorter.
const SHARED: &[&str] = &[
    "Caller",
    "Client",
    "Config",
    "Output",
    "Relay",
    "ReservedId",
    "Result",
    "Screen",
    "Session",
    "Start",
];

/// Names that more than one type has and that are not in the list, and those of the list that are
/// unique by now.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn breaches(workspace: &Workspace, folders: &[&str]) -> Result<Vec<String>> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for root in floors::roots(workspace, folders) {
        if root.split('/').any(|folder| ["tests", "examples"].contains(&folder)) {
            continue;
        }
        for source in floors::sources(workspace, &root)? {
            let is_test = source.module.split("::").any(|name| name == "tests");
            let names = if is_test { Vec::new() } else { types(&imports::code(&source.content)) };
            for name in names {
                places.entry(name).or_default().push(source.file.clone());
            }
        }
    }
    let shared = |name: &str| places.get(name).is_some_and(|places| places.len() > 1);
    let mut found: Vec<String> = places
        .iter()
        .filter(|(name, _)| shared(name) && !SHARED.contains(&name.as_str()))
        .map(|(name, places)| format!("{}: types of the name {name}", places.join(", ")))
        .collect();
    let unique = SHARED.iter().filter(|name| !shared(name));
    found.extend(unique.map(|name| format!("only one type is {name} now: see SHARED in names.rs")));
    Ok(found)
}

/// The types at the top level of a module.
fn types(code: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.strip_prefix("pub").map_or(line, |rest| match rest.strip_prefix('(') {
            Some(scope) => scope.split_once(')').map_or(scope, |(_, rest)| rest),
            None => rest,
        });
        let (keyword, rest) = line.trim_start().split_once(' ')?;
        let is_type = ["struct", "enum", "trait", "type", "union"].contains(&keyword);
        let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
        is_type.then(|| rest[..end].to_owned())
    };
    code.lines().filter(|line| !line.starts_with(' ')).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_at_the_top_level_are_found() {
        let code = "pub struct A;\nenum B<T> {}\npub(in crate::x) type C = u8;\nfn d() {\n    struct E;\n}\n\
                    pub(crate) trait F: Send {}\nimpl A {\n    type G = u8;\n}\nuse x::structural;\n";
        assert_eq!(types(code), ["A", "B", "C", "F"]);
    }
}
