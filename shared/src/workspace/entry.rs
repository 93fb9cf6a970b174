//! What is at a path of a workspace.

use serde::{Deserialize, Serialize};

use super::ContentHash;

/// The bits of a mode that are synced: reading, writing and executing for owner, group and others.
pub const MODE_BITS: u32 = 0o777;

/// A file or a directory, without its path and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileEntry {
    /// A directory.
    Directory {
        /// The permission bits.
        mode: u32,
    },
    /// A file.
    File {
        /// The permission bits.
        mode: u32,
        /// The length of the content, in bytes.
        size: u64,
        /// The hash of the content.
        hash: ContentHash,
    },
}

/// The kind of an [`FileEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

impl FileEntry {
    /// Returns the file with this content.
    #[must_use]
    pub fn file(mode: u32, content: &[u8]) -> Self {
        let (size, hash) = (content.len() as u64, ContentHash::of(content));
        Self::File { mode: mode & MODE_BITS, size, hash }
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::Directory { .. } => EntryKind::Directory,
            Self::File { .. } => EntryKind::File,
        }
    }

    /// Returns true for a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }

    /// Returns the permission bits.
    #[must_use]
    pub const fn mode(&self) -> u32 {
        match self {
            Self::Directory { mode } | Self::File { mode, .. } => *mode,
        }
    }

    /// Returns this with other permission bits.
    #[must_use]
    pub const fn with_mode(self, mode: u32) -> Self {
        let mode = mode & MODE_BITS;
        match self {
            Self::Directory { .. } => Self::Directory { mode },
            Self::File { size, hash, .. } => Self::File { mode, size, hash },
        }
    }

    /// Returns the hash of a file's content.
    #[must_use]
    pub const fn hash(&self) -> Option<ContentHash> {
        match self {
            Self::Directory { .. } => None,
            Self::File { hash, .. } => Some(*hash),
        }
    }

    /// Returns the length of a file's content; 0 for a directory.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::Directory { .. } => 0,
            Self::File { size, .. } => *size,
        }
    }

    /// Returns true if both are of one kind and have the same content, whatever their modes.
    #[must_use]
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.hash() == other.hash()
    }
}
