//! The files that a session works with: what agents read by convention in its folder and above,
//! and what its prompts named.
//!
//! Everything here asks the file system and so may block, on a network's for long: call it where
//! that is allowed. No file is opened. What is not there, or cannot be seen, is left out.

#[cfg(test)]
mod tests;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use moorline_shared::rest::{ContextFile, ContextSource};

/// The most files that are told of.
pub const FILES: usize = 100;

/// What agents read, as a path from a folder.
const BY_CONVENTION: [&str; 6] = [
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    ".cursorrules",
    ".github/copilot-instructions.md",
    "README.md",
];

/// The most folders that are looked into, from the session's on upwards.
const FOLDERS: usize = 64;

/// The files that agents read by convention in the session's folder and those above, the nearest
/// folder first. The last is `top`, such as a project's; where there is none, or the session is
/// elsewhere, the root of the repository; where there is none either, the session's folder alone.
///
/// Regular files only; links are followed. Blocks.
#[must_use]
pub fn by_convention(cwd: &Path, top: Option<&Path>) -> Vec<ContextFile> {
    let Ok(cwd) = std::path::absolute(cwd) else {
        return Vec::new();
    };
    let inside = top.and_then(|top| inside(&cwd, top));
    let (cwd, top) = inside.unwrap_or_else(|| {
        let root = folders(&cwd).find(|folder| folder.join(".git").exists());
        let root = root.unwrap_or(&cwd).to_owned();
        (cwd, root)
    });
    let below_top = folders(&cwd).take_while(|folder| folder.starts_with(&top));
    let paths = below_top.flat_map(|folder| BY_CONVENTION.map(|name| folder.join(name)));
    paths.filter_map(|path| file(&path, ContextSource::Folder)).take(FILES).collect()
}

/// The files at `paths`, which are relative to the session's folder or absolute, each once, the
/// first [`FILES`].
///
/// Regular files only; links are followed. Blocks.
#[must_use]
pub fn by_prompt<'a>(cwd: &Path, paths: impl IntoIterator<Item = &'a str>) -> Vec<ContextFile> {
    let mut found: Vec<ContextFile> = Vec::new();
    for path in paths {
        if found.len() == FILES {
            break;
        }
        // An empty path would be the folder.
        let path = std::path::absolute(cwd.join(path));
        let file = path.ok().and_then(|path| file(&path, ContextSource::Prompt));
        found.extend(file.filter(|file| found.iter().all(|other| other.path != file.path)));
    }
    found
}

fn folders(cwd: &Path) -> impl Iterator<Item = &Path> {
    cwd.ancestors().take(FOLDERS)
}

/// Both as paths of which the one begins with the other, if the one is within the other.
fn inside(cwd: &Path, top: &Path) -> Option<(PathBuf, PathBuf)> {
    if cwd.starts_with(top) {
        return Some((cwd.to_owned(), top.to_owned()));
    }
    // One of them may go by a link.
    let (cwd, top) = (cwd.canonicalize().ok()?, top.canonicalize().ok()?);
    cwd.starts_with(&top).then_some((cwd, top))
}

fn file(path: &Path, source: ContextSource) -> Option<ContextFile> {
    let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Some(ContextFile {
        path: path.to_str()?.to_owned(),
        size: metadata.len(),
        modified: since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        source,
    })
}
