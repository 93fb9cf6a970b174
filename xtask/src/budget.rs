//! Budgets for a browser's first download and for the Worker that Cloudflare loads.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use walkdir::WalkDir;

use crate::progress;
use crate::workspace::Workspace;

/// Maximum size of the files for a page's first screen, compressed as the relay does.
struct Budget {
    page: &'static str,
    bytes: u64,
    /// The parts that the page needs at once, beside the files that every page needs.
    parts: &'static [&'static str],
}

/// The other parts are only loaded on demand. The API's documentation is a page of its own.
const BUDGETS: [Budget; 6] = [
    Budget { page: "sessions", bytes: 350 * 1024, parts: &[] },
    Budget { page: "session", bytes: 350 * 1024, parts: &["session"] },
    Budget { page: "terminal", bytes: 484 * 1024, parts: &["terminal", EMULATOR] },
    // Conversations, Markdown, differences and requests.
    Budget { page: "agent", bytes: 590 * 1024, parts: &["agent"] },
    // The same in a frame on another page, with the talk between the two pages.
    Budget {
        page: "embedded terminal",
        bytes: 516 * 1024,
        parts: &["embed", "terminal", EMULATOR],
    },
    Budget { page: "embedded agent", bytes: 620 * 1024, parts: &["embed", "agent"] },
];

/// The terminal emulator.
const EMULATOR: &str = "xterm";
/// The service worker, which a page loads once its user wants notices.
const NOTICES: &str = "push.js";
/// The script for pages of other sites that show sessions.
const ELEMENT: &str = "moorline-session.js";

/// Maximum size of the Worker, compressed as Cloudflare measures it.
const WORKER_BYTES: u64 = 1024 * 1024;

/// Returns the parts that need a file: `search` of `part-search-0123456789abcdef.js`, `agent` and
/// `session` of `part-agent_session_3-0123456789abcdef.wasm`; `None` for a file that every page needs.
fn part_names(name: &str) -> Option<Vec<&str>> {
    if name.starts_with("xterm-") && Path::new(name).extension().is_some_and(|kind| kind == "js") {
        return Some(vec![EMULATOR]);
    }
    if name == NOTICES {
        return Some(vec!["push"]);
    }
    if name == ELEMENT {
        return Some(vec!["element"]);
    }
    let (parts, _) = name.strip_prefix("part-")?.rsplit_once('-')?;
    Some(parts.split('_').collect())
}

impl Budget {
    fn counts(&self, name: &str) -> bool {
        part_names(name).is_none_or(|parts| parts.iter().any(|part| self.parts.contains(part)))
    }
}

/// Compares the size of `dist/` with its budgets.
///
/// # Errors
/// If it is over budget, or empty.
pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let dist = workspace.dist();
    let mut sizes = Vec::new();
    for entry in WalkDir::new(&dist).sort_by_file_name() {
        let entry = entry.context("can't read dist/")?;
        let path = entry.path().strip_prefix(&dist)?;
        if entry.file_type().is_file() && !path.starts_with("docs") {
            let size = compressed(&std::fs::read(entry.path())?)?;
            sizes.push((size, path.to_string_lossy().into_owned()));
        }
    }
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    verdict(&sizes)
}

/// Compares the size of the Worker's files with their budget.
///
/// # Errors
/// If they are over budget, or missing.
pub(crate) fn check_worker(files: impl Iterator<Item = PathBuf>) -> Result<String> {
    let mut total = 0;
    for file in files {
        let content =
            std::fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&content)?;
        total += encoder.finish()?.len() as u64;
    }
    let (used, of) = (total.div_ceil(1024), WORKER_BYTES / 1024);
    let summary = format!("Worker (gzip): {used} KiB of {of} KiB");
    if total > WORKER_BYTES {
        bail!("{summary}: over budget");
    }
    Ok(summary)
}

fn compressed(content: &[u8]) -> Result<u64> {
    let mut output = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut output, &BrotliEncoderParams::default())?;
    Ok(output.len() as u64)
}

fn verdict(sizes: &[(u64, String)]) -> Result<String> {
    let (mut parts, mut over) = (Vec::new(), false);
    for budget in BUDGETS {
        let counted = sizes.iter().filter(|(_, name)| budget.counts(name));
        let total: u64 = counted.map(|(size, _)| size).sum();
        if total == 0 {
            bail!("dist/ is empty");
        }
        over |= total > budget.bytes;
        let (used, of) = (total.div_ceil(1024), budget.bytes / 1024);
        parts.push(format!("{} {used} KiB of {of} KiB", budget.page));
    }
    let mut summary = format!("first load (brotli): {}", parts.join(", "));
    let is_counted = |name: &str| BUDGETS.iter().any(|budget| budget.counts(name));
    for (size, name) in sizes.iter().filter(|(_, name)| !is_counted(name)) {
        let name = part_names(name).unwrap_or_default().join(" and ");
        summary += &format!(", {name} on demand {} KiB", size.div_ceil(1024));
    }
    if !over {
        return Ok(summary);
    }
    for (size, name) in sizes {
        progress::line(&format!("  {:>5} KiB  {name}", size.div_ceil(1024)));
    }
    bail!("{summary}: over budget");
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn file(size: u64, name: &str) -> (u64, String) {
        (size, name.to_owned())
    }

    #[test]
    fn the_budget_is_for_all_files_together() {
        let most = BUDGETS[0].bytes;
        assert!(verdict(&[file(most - 1, "a"), file(1, "b")]).is_ok());
        assert!(verdict(&[file(most, "a"), file(1, "b")]).is_err());
        assert!(verdict(&[]).is_err());
    }

    #[test]
    fn the_emulator_counts_for_the_terminal_only() {
        let [sessions, terminal] = [BUDGETS[0].bytes, BUDGETS[2].bytes];
        let rest = terminal - sessions;
        assert!(verdict(&[file(sessions, "a"), file(rest, "xterm-0123.js")]).is_ok());
        assert!(verdict(&[file(sessions, "a"), file(rest + 1, "xterm-0123.js")]).is_err());
        assert!(verdict(&[file(sessions, "a"), file(rest, "xterm-0123.css")]).is_err());
    }

    #[test]
    fn a_part_on_demand_counts_for_no_first_load() {
        let sessions = BUDGETS[0].bytes;
        let part = || file(BUDGETS[2].bytes, "part-search-0123456789abcdef.js");
        let told = verdict(&[file(sessions, "a"), part()]).unwrap();
        let expected = format!(", search on demand {} KiB", BUDGETS[2].bytes / 1024);
        assert!(told.ends_with(&expected), "{told}");
        assert!(verdict(&[part()]).is_err(), "there is no page");
    }

    #[test]
    fn a_part_counts_for_the_pages_that_need_it_at_once() {
        let [sessions, session, terminal, ..] = BUDGETS.map(|budget| budget.bytes);
        let shared = file(session - sessions / 2, "part-agent_session_3-0123456789abcdef.wasm");
        let own = |size| file(size, "part-session-0123456789abcdef.wasm");
        let page = file(sessions / 2, "a");
        assert!(verdict(&[page.clone(), shared.clone(), own(0)]).is_ok());
        assert!(verdict(&[page.clone(), shared, own(1)]).is_err());
        assert!(verdict(&[page, own(0), file(terminal - session, "xterm-0123.js")]).is_ok());
    }

    #[test]
    fn the_worker_has_a_budget_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("index.js");
        let check = || check_worker(std::iter::once(file.clone()));
        assert!(check().is_err(), "it is not there");
        std::fs::write(&file, vec![7; 1024 * 1024]).unwrap();
        assert!(check().is_ok());
        // Does not compress: each byte is a part of a hash.
        let noise = |index: u32| Sha256::digest(index.to_be_bytes());
        let noise: Vec<u8> = (0..WORKER_BYTES as u32 / 32).flat_map(noise).collect();
        std::fs::write(&file, noise).unwrap();
        assert!(check().is_err());
    }

    #[test]
    fn what_repeats_is_compressed() {
        assert!(compressed(&[7; 10_000]).unwrap() < 100);
    }
}
