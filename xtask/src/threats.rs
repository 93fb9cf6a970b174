//! The tests that `docs/SECURITY.md` names.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;

const PAGE: &str = "docs/SECURITY.md";
/// The section whose entries must name tests.
const SECTION: &str = "## Threats";
/// The beginning of an entry, and that of a test below it.
const ENTRY: &str = "* **";
const TEST: &str = "  * `";
/// The largest number of lines between a test's attribute and its function.
const ATTRIBUTE_LINES: usize = 3;

/// Reports each threat without a test, and each test that does not exist.
///
/// # Errors
/// Fails if the page cannot be read.
pub(crate) fn breaches(workspace: &Workspace) -> Result<Vec<String>> {
    let path = workspace.root.join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("can't read {PAGE}"))?;
    Ok(faults(&workspace.root, &page))
}

fn faults(root: &Path, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_within = false;
    let mut untested = None;
    for (number, line) in (1..).zip(page.lines()) {
        if line.starts_with("## ") {
            is_within = line == SECTION;
        }
        if line.starts_with("## ") || line.starts_with(ENTRY) {
            found.extend(untested.take());
        }
        if is_within && line.starts_with(ENTRY) {
            untested = Some(format!("{PAGE}:{number}: this threat has no test"));
        }
        if let Some(test) = line.strip_prefix(TEST) {
            untested = None;
            let name = test.trim_end_matches('`');
            if !exists(root, name) {
                found.push(format!("{PAGE}:{number}: the test {name} does not exist"));
            }
        }
    }
    found.extend(untested);
    found
}

/// Returns true if a test exists, as `file::test`.
fn exists(root: &Path, name: &str) -> bool {
    let Some((file, test)) = name.split_once("::") else { return false };
    let code = std::fs::read_to_string(root.join(file)).unwrap_or_default();
    let lines: Vec<&str> = code.lines().map(str::trim_start).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{test}(")))
    };
    lines.iter().enumerate().any(|(at, line)| {
        let before = &lines[at.saturating_sub(ATTRIBUTE_LINES)..at];
        is_it(line) && before.iter().any(|line| is_attribute(line))
    })
}

/// Returns true for `#[test]`, and for those of an async runtime or a browser.
fn is_attribute(line: &str) -> bool {
    let name = line.strip_prefix("#[").unwrap_or_default();
    let name = name.split(['(', ']']).next().unwrap_or_default();
    name == "wasm_bindgen_test" || name.rsplit("::").next() == Some("test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn a_threat_without_a_test_is_named() {
        let own = "xtask/src/threats.rs::a_threat_without_a_test_is_named";
        let page = |test: &str| {
            format!(
                "# Page\n\n* **Not yet.** x\n\n{SECTION}\n\n* **One.** x\n  y\n{test}\n## Next\n\n* **No.** x\n"
            )
        };
        assert_eq!(faults(root(), &page(&format!("  * `{own}`"))), [""; 0]);
        assert_eq!(faults(root(), &page("")), ["docs/SECURITY.md:7: this threat has no test"]);
        let missing = format!("  * `{own}_and_more`");
        assert_eq!(
            faults(root(), &page(&missing)),
            [format!("docs/SECURITY.md:9: the test {own}_and_more does not exist")]
        );
    }

    #[test]
    fn only_a_function_that_is_run_as_a_test_counts() {
        let is_there = |name| exists(root(), name);
        assert!(is_there("xtask/src/threats.rs::only_a_function_that_is_run_as_a_test_counts"));
        assert!(is_there("tests/tests/scenarios/access.rs::what_was_done_is_in_the_audit"));
        for none in [
            "xtask/src/threats.rs::exists",
            "xtask/src/threats.rs::only_a_function_that_is_run",
            "xtask/src/nowhere.rs::only_a_function_that_is_run_as_a_test_counts",
            "only_a_function_that_is_run_as_a_test_counts",
        ] {
            assert!(!is_there(none), "{none}");
        }
    }
}
