//! Fingerprints of files, which show if something must be redone.

use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

/// Hashes the names and contents of files, and of everything in folders. A missing path counts as
/// empty; installed packages don't count.
///
/// # Errors
/// If a file can't be read.
pub(crate) fn of_paths(root: &Path, paths: &[&str]) -> Result<String> {
    let mut hash = Sha256::new();
    for path in paths {
        let entries = WalkDir::new(root.join(path))
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.file_name() != "node_modules");
        for entry in entries.flatten().filter(|entry| entry.file_type().is_file()) {
            let name = entry.path().strip_prefix(root).unwrap_or(entry.path());
            let content = std::fs::read(entry.path())
                .with_context(|| format!("can't read {}", name.display()))?;
            update(&mut hash, name.as_os_str().as_encoded_bytes());
            update(&mut hash, &content);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Hashes the length first, so that no two lists of pieces look alike.
fn update(hash: &mut Sha256, piece: &[u8]) {
    hash.update((piece.len() as u64).to_be_bytes());
    hash.update(piece);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_of_name_or_content_changes_the_hash() {
        let root = tempfile::tempdir().unwrap();
        let hash = || of_paths(root.path(), &["folder", "file"]).unwrap();
        let mut seen = vec![hash()];
        let mut changes = |change: &dyn Fn()| {
            change();
            assert!(!seen.contains(&hash()));
            seen.push(hash());
        };
        let folder = root.path().join("folder");
        changes(&|| {
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("a"), "one").unwrap();
        });
        changes(&|| fs::write(folder.join("a"), "two").unwrap());
        changes(&|| fs::rename(folder.join("a"), folder.join("b")).unwrap());
        changes(&|| fs::write(root.path().join("file"), "two").unwrap());
    }

    #[test]
    fn installed_packages_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let before = of_paths(root.path(), &["."]).unwrap();
        fs::create_dir(root.path().join("node_modules")).unwrap();
        fs::write(root.path().join("node_modules/a"), "one").unwrap();
        assert_eq!(of_paths(root.path(), &["."]).unwrap(), before);
    }
}
