//! Links from a checkout into the user's cache folder.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Creates a symbolic link at `link` to `original`, and replaces whatever is there.
///
/// # Errors
/// If the link can't be made.
pub(crate) fn replace(original: &Path, link: &Path) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|target| target == original) {
        return Ok(());
    }
    let describe = || format!("can't link {} to {}", link.display(), original.display());
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder).with_context(describe)?;
    }
    if let Ok(old) = link.symlink_metadata() {
        let removed =
            if old.is_dir() { std::fs::remove_dir_all(link) } else { std::fs::remove_file(link) };
        removed.with_context(describe)?;
    }
    std::os::unix::fs::symlink(original, link).with_context(describe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_link_follows_its_original() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("folder/link");
        for name in ["one", "two", "two"] {
            let original = root.path().join(name);
            fs::write(&original, name).unwrap();
            replace(&original, &link).unwrap();
            assert_eq!(fs::read_to_string(&link).unwrap(), name);
        }
    }

    #[test]
    fn a_folder_of_an_earlier_version_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (original, link) = (root.path().join("original"), root.path().join("link"));
        fs::write(&original, "new").unwrap();
        fs::create_dir_all(link.join("old")).unwrap();
        replace(&original, &link).unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "new");
    }

    #[test]
    fn a_dangling_link_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (gone, there) = (root.path().join("gone"), root.path().join("there"));
        let link = root.path().join("link");
        replace(&gone, &link).unwrap();
        fs::write(&there, "").unwrap();
        replace(&there, &link).unwrap();
        assert!(link.exists());
    }
}
