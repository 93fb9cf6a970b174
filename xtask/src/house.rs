//! Rules of this code base that no linter knows.

use std::path::Path;

use anyhow::{Result, bail};
use walkdir::{DirEntry, WalkDir};

use crate::workspace::Workspace;
use crate::{floors, links, names, threats};

const FOLDERS: &[&str] = &["shared", "host", "relay", "client", "tests", "xtask", "fuzz"];

const MAX_LINES: usize = 500;

/// Banned text in code, the folders in which it is allowed, and the reason. The text is
/// concatenated here, so that this file keeps its own rules.
const BANNED: &[(&str, &[&str], &str)] = &[
    (
        concat!("web", "_sys"),
        // The client's tests act as a user does, through the browser's own events.
        // The edge crate uses a browser's types too, within its own crate.
        &["client/src/bindings", "client/tests", "relay/edge"],
        "only client/src/bindings talks to the browser",
    ),
    (concat!("mem::", "forget"), &[], "what is forgotten is never freed"),
];

/// Checks every file.
///
/// # Errors
/// If a place breaks a rule; names all of them.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let files = WalkDir::new(workspace.root.join(folder)).sort_by_file_name();
        for entry in files.into_iter().filter_entry(is_source).flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let name = entry.path().strip_prefix(&workspace.root).unwrap_or(entry.path());
                found.extend(breaches(name, &std::fs::read_to_string(entry.path())?));
            }
        }
    }
    found.extend(links::broken(workspace)?);
    found.extend(threats::breaches(workspace)?);
    found.extend(floors::breaches(workspace, FOLDERS)?);
    found.extend(names::breaches(workspace, FOLDERS)?);
    if !found.is_empty() {
        bail!("{} places break the house rules:\n{}", found.len(), found.join("\n"));
    }
    Ok(())
}

fn is_source(entry: &DirEntry) -> bool {
    entry.file_name() != "node_modules" && entry.file_name() != "target"
}

fn breaches(name: &Path, content: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = content.lines().count();
    if lines > MAX_LINES {
        found.push(format!("{}: {lines} lines, more than {MAX_LINES}", name.display()));
    }
    for (number, line) in content.lines().enumerate() {
        for (banned, homes, why) in BANNED {
            let at_home = homes.iter().any(|home| name.starts_with(home));
            if line.contains(banned) && !at_home && !line.trim_start().starts_with("//") {
                found.push(format!("{}:{}: `{banned}`: {why}", name.display(), number + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_many_lines_is_named() {
        let name = Path::new("shared/src/long.rs");
        assert!(breaches(name, &"\n".repeat(MAX_LINES)).is_empty());
        assert_eq!(
            breaches(name, &"\n".repeat(MAX_LINES + 1)),
            ["shared/src/long.rs: 501 lines, more than 500"]
        );
    }

    #[test]
    fn the_browser_is_touched_in_one_folder() {
        let code = format!("use {}::Window;\n", BANNED[0].0);
        assert!(breaches(Path::new("client/src/bindings/page.rs"), &code).is_empty());
        let found = breaches(Path::new("client/src/pages/list.rs"), &code);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("client/src/pages/list.rs:1: "), "{}", found[0]);
    }

    #[test]
    fn a_comment_may_name_what_is_banned() {
        let comment = format!("    // never call {}(closure)\n", BANNED[1].0);
        assert!(breaches(Path::new("client/src/a.rs"), &comment).is_empty());
        let call = format!("std::{}(closure);\n", BANNED[1].0);
        assert_eq!(breaches(Path::new("client/src/a.rs"), &call).len(), 1);
    }
}
