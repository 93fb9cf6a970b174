//! The path of a file in a workspace.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{BAD_WORKSPACE_PATH, WORKSPACE_PATH_BYTES};

/// The path of a file or directory, relative to the workspace: names with `/` between them.
///
/// Every part is a name: not empty, not `.` or `..`, and without NUL or `\`. So a path cannot lead
/// out of a folder that it is joined to, whatever the system. The order of paths has a directory
/// before everything in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
#[serde(try_from = "String", into = "String")]
pub struct WorkspacePath(Arc<str>);

/// The error for a text that is not the path of a file in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", BAD_WORKSPACE_PATH)]
pub struct InvalidPath;

impl WorkspacePath {
    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names of the path, outermost first.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the last name of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Returns the directory that this is in; `None` at the top of the workspace.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// Returns the directories that this is in, innermost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// Returns the path of a name in this directory.
    ///
    /// # Errors
    /// [`InvalidPath`] if it is not a name, or the path gets too long.
    pub fn join(&self, name: &str) -> Result<Self, InvalidPath> {
        format!("{}/{name}", self.0).parse()
    }

    /// Returns true if this is in a directory, at any depth.
    #[must_use]
    pub fn is_in(&self, directory: &Self) -> bool {
        let rest = self.0.strip_prefix(&*directory.0);
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns true if this is in a directory, and not in one within; `None` is the top of the
    /// workspace.
    #[must_use]
    pub fn is_directly_in(&self, directory: Option<&Self>) -> bool {
        let parent = self.0.rsplit_once('/').map(|(parent, _)| parent);
        parent == directory.map(Self::as_str)
    }

    /// Returns this path with the directory `from`, which it is or is in, replaced by `to`.
    ///
    /// # Errors
    /// [`InvalidPath`] if the path gets too long, or is not in `from`.
    pub fn moved(&self, from: &Self, to: &Self) -> Result<Self, InvalidPath> {
        let rest = self.0.strip_prefix(&*from.0).ok_or(InvalidPath)?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(InvalidPath);
        }
        format!("{}{rest}", to.0).parse()
    }

    /// Returns the name beside this one for the `number`th version that a host could not put here.
    /// The name is shortened if it would be too long.
    #[must_use]
    pub fn conflict(&self, host: &str, number: u32) -> Self {
        let (parent, name) = match self.0.rsplit_once('/') {
            Some((parent, name)) => (Some(parent), name),
            None => (None, &*self.0),
        };
        // A leading dot begins a hidden name, not an extension.
        let (stem, extension) = match name.rfind('.').filter(|at| *at > 0) {
            Some(at) => name.split_at(at),
            None => (name, ""),
        };
        let extension = if extension.len() > 32 { "" } else { extension };
        let host: String = host
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
            .take(32)
            .collect();
        let suffix = format!(".conflict-{host}-{number}{extension}");
        // A directory whose path leaves no room for the name does not get it.
        let fits = |parent: &&str| parent.len() + 1 + suffix.len() < WORKSPACE_PATH_BYTES;
        let parent = parent.filter(fits);
        let taken = parent.map_or(0, |parent| parent.len() + 1) + suffix.len();
        // Names of most file systems have at most 255 bytes.
        let room =
            WORKSPACE_PATH_BYTES.saturating_sub(taken).min(255_usize.saturating_sub(suffix.len()));
        let mut end = stem.len().min(room);
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        let name = format!("{}{suffix}", &stem[..end]);
        Self(parent.map_or_else(|| name.clone(), |parent| format!("{parent}/{name}")).into())
    }
}

/// Paths have the order of their texts.
impl std::borrow::Borrow<str> for WorkspacePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkspacePath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let is_name = |name: &str| !matches!(name, "" | "." | "..");
        let is_plain = !text.contains(['\0', '\\']);
        if text.len() <= WORKSPACE_PATH_BYTES && is_plain && text.split('/').all(is_name) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPath)
        }
    }
}

impl TryFrom<String> for WorkspacePath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        text.parse()
    }
}

impl From<WorkspacePath> for String {
    fn from(path: WorkspacePath) -> Self {
        path.0.as_ref().into()
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> WorkspacePath {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_consists_of_names() {
        for good in ["a", "a/b", ".git/config", "...", "ä b/c:d", "~", "a/..b"] {
            assert_eq!(path(good).as_str(), good);
        }
        let long = "x".repeat(WORKSPACE_PATH_BYTES + 1);
        for bad in ["", "/", "/a", "a/", "a//b", ".", "a/..", "../a", "a/./b", "a\\b", "a\0", &long]
        {
            assert_eq!(bad.parse::<WorkspacePath>(), Err(InvalidPath), "{bad}");
        }
    }

    #[test]
    fn a_path_knows_where_it_is() {
        let deep = path("a/b/c.txt");
        assert_eq!(deep.name(), "c.txt");
        assert_eq!(deep.ancestors().collect::<Vec<_>>(), [path("a/b"), path("a")]);
        assert!(deep.is_in(&path("a")) && !deep.is_in(&deep) && !path("ab").is_in(&path("a")));
        assert_eq!(deep.moved(&path("a/b"), &path("z")).unwrap(), path("z/c.txt"));
        assert_eq!(deep.moved(&deep, &path("z")).unwrap(), path("z"));
        assert_eq!(path("ab").moved(&path("a"), &path("z")), Err(InvalidPath));
    }

    #[test]
    fn a_conflict_has_a_name_beside() {
        let name = |text: &str| path(text).conflict("my host.local", 2).as_str().to_owned();
        assert_eq!(name("a/b.tar.gz"), "a/b.tar.conflict-my-host-local-2.gz");
        assert_eq!(name(".profile"), ".profile.conflict-my-host-local-2");
        assert_eq!(name("Makefile"), "Makefile.conflict-my-host-local-2");
        let deep = format!("{}x.txt", "d/".repeat(508));
        let long = format!("{}.txt", "é".repeat(120));
        for text in [deep, long] {
            assert!(name(&text).parse::<WorkspacePath>().is_ok(), "{text}");
            assert!(path(&name(&text)).name().len() <= 255);
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_stays_within(text in "[a./\\\\\0é]{0,12}") {
            if let Ok(path) = text.parse::<WorkspacePath>() {
                let joined = std::path::Path::new("/top").join(path.as_str());
                prop_assert!(joined.starts_with("/top"));
                prop_assert!(path.names().all(|name| name != ".." && name != "." && !name.is_empty()));
                prop_assert!(!path.conflict("h", 1).as_str().is_empty());
                prop_assert!(path.conflict("h", 1).as_str().parse::<WorkspacePath>().is_ok());
            }
        }
    }
}
