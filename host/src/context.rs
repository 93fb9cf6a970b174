//! The files that a session works with: those that agents read by convention in its folder and
//! above, and those that its prompts named.
//!
//! Every function here accesses the file system and so may block, for long on a network's: call it
//! where blocking is allowed. No file is opened. Files that do not exist or cannot be seen are left
//! out.

#[cfg(test)]
mod tests;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use moorline_shared::rest::{ContextFile, ContextSource};

/// The most files that a list contains.
pub const FILES: usize = 100;

/// Paths of the files that agents read, relative to a folder.
const BY_CONVENTION: [&str; 6] = [
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    ".cursorrules",
    ".github/copilot-instructions.md",
    "README.md",
];

/// The most folders that are searched, from the session's upwards.
const FOLDERS: usize = 64;

/// Returns the files that agents read by convention in the session's folder and those above,
/// nearest folder first. The last folder is `top`, such as a project's. Without `top`, or if the
/// session is not below it, the last one is the root of the repository; outside of a repository
/// only the session's folder is searched.
///
/// Only regular files count; links are followed. Blocks.
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

/// Returns the files at `paths`, which are absolute or relative to the session's folder. Each file
/// is listed once, and at most [`FILES`] are.
///
/// Only regular files count; links are followed. Blocks.
#[must_use]
pub fn by_prompt<'a>(cwd: &Path, paths: impl IntoIterator<Item = &'a str>) -> Vec<ContextFile> {
    let mut found: Vec<ContextFile> = Vec::new();
    for path in paths {
        if found.len() == FILES {
            break;
        }
        // An empty path would become the folder itself.
        let path = std::path::absolute(cwd.join(path));
        let file = path.ok().and_then(|path| file(&path, ContextSource::Prompt));
        found.extend(file.filter(|file| found.iter().all(|other| other.path != file.path)));
    }
    found
}

fn folders(cwd: &Path) -> impl Iterator<Item = &Path> {
    cwd.ancestors().take(FOLDERS)
}

/// Returns both paths in a form in which `cwd` starts with `top`, if it is within `top`.
fn inside(cwd: &Path, top: &Path) -> Option<(PathBuf, PathBuf)> {
    if cwd.starts_with(top) {
        return Some((cwd.to_owned(), top.to_owned()));
    }
    // One of the paths may contain a link.
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
