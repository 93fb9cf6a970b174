//! Links between the project's own pages, code and tests.

use std::path::Path;

use anyhow::Result;
use walkdir::{DirEntry, WalkDir};

use crate::workspace::Workspace;

/// Reports each relative link in a Markdown page that leads nowhere. If a link to a Rust file has a
/// name in backticks as its text, the file must have a function of that name.
///
/// # Errors
/// Fails if a page cannot be read.
pub(crate) fn broken(workspace: &Workspace) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let files = WalkDir::new(&workspace.root).sort_by_file_name();
    for entry in files.into_iter().filter_entry(is_own).flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(&workspace.root).unwrap_or(path).display();
            let folder = path.parent().unwrap_or(path);
            for (number, line) in std::fs::read_to_string(path)?.lines().enumerate() {
                let broken = links(line).filter_map(|(text, target)| fault(folder, text, target));
                found.extend(broken.map(|fault| format!("{name}:{}: {fault}", number + 1)));
            }
        }
    }
    Ok(found)
}

fn is_own(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_hidden = name.starts_with('.') && name.len() > 1 && name != ".github";
    !is_hidden && !matches!(&*name, "node_modules" | "target" | "dist" | "corpus")
}

/// Text and target of each link in a line that stays within the project.
fn links(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.match_indices("](").filter_map(|(middle, mark)| {
        let text = line[..middle].rsplit_once('[')?.1;
        let (target, _) = line[middle + mark.len()..].split_once(')')?;
        let is_elsewhere = target.contains(':') || target.starts_with('#');
        (!is_elsewhere).then_some((text, target))
    })
}

/// Describes the fault of a link on a page in `folder`; `None` if it has none.
fn fault(folder: &Path, text: &str, target: &str) -> Option<String> {
    let path = folder.join(target.split_once('#').map_or(target, |(path, _)| path));
    if !path.exists() {
        return Some(format!("{target} does not exist"));
    }
    let name = text.strip_prefix('`').and_then(|text| text.strip_suffix('`'))?;
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_test = target.ends_with(".rs") && name.chars().all(is_name);
    let has_function = |code: String| code.contains(&format!("fn {name}("));
    (is_test && !std::fs::read_to_string(path).is_ok_and(has_function))
        .then(|| format!("{target} has no function {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_within_the_project_are_found() {
        let line = "See [a](a.md), [`b`](../b.rs#x), [c](https://example.org) and [d](#d).";
        assert_eq!(links(line).collect::<Vec<_>>(), [("a", "a.md"), ("`b`", "../b.rs#x")]);
    }

    #[test]
    fn a_link_must_lead_to_a_file_and_to_a_test_of_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let fault = |text, target| fault(&folder, text, target);
        assert_eq!(fault("this file", "links.rs#tests"), None);
        assert_eq!(fault("`links.rs`", "links.rs"), None);
        assert_eq!(fault("`broken`", "links.rs"), None);
        assert!(fault("`other_name`", "links.rs").is_some());
        assert!(fault("a page", "nowhere.md").is_some());
    }
}
