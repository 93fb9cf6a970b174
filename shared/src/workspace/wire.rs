//! What the two ends of a sync say to each other: requests of whoever has a folder, and the relay's
//! answers.
//!
//! A message is a length of four bytes, as many bytes of JSON, and then the contents that the JSON
//! announces, one after the other.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ContentHash, FileEntry, WorkspaceFile, WorkspacePath, WorkspaceTree};
use crate::limits::{WORKSPACE_CHANGES, WORKSPACE_FILE_BYTES};

/// A request to a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum WorkspaceRequest {
    /// Asks what was changed. The answer is [`WorkspaceAnswer::Tree`].
    Tree {
        /// The revision up to which the asker knows everything; `None` to get everything.
        since: Option<u64>,
        /// The longest time to wait for a change if there was none, in milliseconds.
        #[serde(default)]
        wait_ms: u64,
    },
    /// Asks for contents. The answer is [`WorkspaceAnswer::Contents`] with as many of them as fit,
    /// at least one; a content that no file has any more is left out.
    Contents {
        /// The hashes of the contents.
        hashes: Vec<ContentHash>,
    },
    /// Puts and deletes files, in this order. The answer is [`WorkspaceAnswer::Applied`].
    Apply {
        /// The changes.
        changes: Vec<PathChange>,
    },
}

/// A change of what is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathChange {
    /// The path.
    pub path: WorkspacePath,
    /// The revision of what must be there now; `None` if nothing may be there.
    pub base: Option<u64>,
    /// What is to be there; `None` to delete.
    pub to: Option<FileEntry>,
    /// The path that the file was to have, if it is put here because of a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_of: Option<WorkspacePath>,
    /// The content of a file, unless the workspace is thought to have it.
    #[serde(with = "announced", default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Bytes>,
}

/// An answer of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum WorkspaceAnswer {
    /// The answer to [`WorkspaceRequest::Tree`].
    Tree {
        /// What there is, or what was changed.
        tree: WorkspaceTree,
    },
    /// The answer to [`WorkspaceRequest::Contents`].
    Contents {
        /// The contents.
        contents: Vec<SizedContent>,
    },
    /// The answer to [`WorkspaceRequest::Apply`].
    Applied {
        /// One result for each change, in their order.
        results: Vec<PathChangeResult>,
    },
}

/// A content, whose length precedes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SizedContent {
    /// Its hash.
    pub hash: ContentHash,
    /// Its length, in bytes.
    pub size: u64,
    /// The content.
    #[serde(skip)]
    pub content: Bytes,
}

/// The result of one [`PathChange`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum PathChangeResult {
    /// It is done, or was done before.
    Done {
        /// The revision that has done it.
        revision: u64,
    },
    /// It was refused.
    Refused {
        /// A stable code: see the constants of [`codes`].
        code: String,
        /// A sentence that says why.
        message: String,
        /// What is at the path.
        present: Option<Box<WorkspaceFile>>,
    },
}

/// The codes of refused changes, which are those of the REST API.
pub mod codes {
    /// Something else is there than the change expects.
    pub const STALE: &str = "stale";
    /// The path has a name that another one has in other letters, or is in a file.
    pub const PATH_COLLISION: &str = "path_collision";
    /// A directory that is to be deleted or replaced has something in it.
    pub const NOT_EMPTY: &str = "not_empty";
    /// The workspace has no content with this hash: send it.
    pub const CONTENT_MISSING: &str = "content_missing";
    /// The file is too large.
    pub const FILE_TOO_LARGE: &str = "file_too_large";
    /// The workspace has no room for it.
    pub const WORKSPACE_FULL: &str = "workspace_full";
    /// The relay's disk has no room for it.
    pub const DISK_FULL: &str = "disk_full";
    /// The path is not valid.
    pub const PATH_INVALID: &str = "path_invalid";
}

/// The error for bytes that are not a message of a sync.
#[derive(Debug, thiserror::Error)]
pub enum BadSyncMessage {
    /// The message is shorter than it says.
    #[error("a message of a sync is cut")]
    Cut,
    /// The JSON is not valid.
    #[error("a message of a sync is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A content is not the one that is announced.
    #[error("a content does not have the hash {0}")]
    Content(ContentHash),
    /// There are more changes, or larger ones, than a message may have.
    #[error("a message of a sync has at most {WORKSPACE_CHANGES} changes and hashes")]
    TooMany,
}

impl WorkspaceRequest {
    /// Encodes the request.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let contents: Vec<&Bytes> = match self {
            Self::Apply { changes } => {
                changes.iter().filter_map(|change| change.content.as_ref()).collect()
            }
            Self::Tree { .. } | Self::Contents { .. } => Vec::new(),
        };
        encode(self, &contents)
    }

    /// Decodes a request and checks its contents.
    ///
    /// # Errors
    /// [`BadSyncMessage`].
    pub fn decode(message: Bytes) -> Result<Self, BadSyncMessage> {
        let (mut request, mut rest): (Self, _) = decode(message)?;
        match &mut request {
            Self::Apply { changes } if changes.len() > WORKSPACE_CHANGES => {
                return Err(BadSyncMessage::TooMany);
            }
            Self::Apply { changes } => {
                for change in changes {
                    change.take_content(&mut rest)?;
                }
            }
            Self::Contents { hashes } if hashes.len() > WORKSPACE_CHANGES => {
                return Err(BadSyncMessage::TooMany);
            }
            Self::Contents { .. } | Self::Tree { .. } => {}
        }
        Ok(request)
    }
}

impl PathChange {
    /// Fills in the content that the JSON announces.
    fn take_content(&mut self, rest: &mut Bytes) -> Result<(), BadSyncMessage> {
        if self.content.is_none() {
            return Ok(());
        }
        let Some(FileEntry::File { size, hash, .. }) = self.to else {
            return Err(BadSyncMessage::Cut);
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= WORKSPACE_FILE_BYTES);
        let content = take(rest, size.ok_or(BadSyncMessage::Cut)?)?;
        if ContentHash::of(&content) != hash {
            return Err(BadSyncMessage::Content(hash));
        }
        self.content = Some(content);
        Ok(())
    }
}

impl WorkspaceAnswer {
    /// Encodes the answer.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Contents { contents } => {
                let contents: Vec<_> = contents.iter().map(|sized| &sized.content).collect();
                encode(self, &contents)
            }
            Self::Tree { .. } | Self::Applied { .. } => encode(self, &[]),
        }
    }

    /// Decodes an answer.
    ///
    /// # Errors
    /// [`BadSyncMessage`].
    pub fn decode(message: Bytes) -> Result<Self, BadSyncMessage> {
        let (mut answer, mut rest): (Self, _) = decode(message)?;
        if let Self::Contents { contents } = &mut answer {
            for sized in contents {
                let size = usize::try_from(sized.size).map_err(|_| BadSyncMessage::Cut)?;
                sized.content = take(&mut rest, size)?;
                if ContentHash::of(&sized.content) != sized.hash {
                    return Err(BadSyncMessage::Content(sized.hash));
                }
            }
        }
        Ok(answer)
    }
}

fn take(rest: &mut Bytes, size: usize) -> Result<Bytes, BadSyncMessage> {
    if rest.len() < size { Err(BadSyncMessage::Cut) } else { Ok(rest.split_to(size)) }
}

fn encode(message: &impl Serialize, contents: &[&Bytes]) -> Bytes {
    let json = serde_json::to_vec(message).expect("texts, numbers and lists always encode");
    let size: usize = contents.iter().map(|content| content.len()).sum();
    let mut encoded = BytesMut::with_capacity(4 + json.len() + size);
    // Far below 4 GiB: the changes of a message are bounded, and so are their paths.
    encoded.put_u32(json.len() as u32);
    encoded.put_slice(&json);
    contents.iter().for_each(|content| encoded.put_slice(content));
    encoded.freeze()
}

fn decode<T: DeserializeOwned>(mut message: Bytes) -> Result<(T, Bytes), BadSyncMessage> {
    let length = take(&mut message, 4)?;
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    let json = take(&mut message, length as usize)?;
    Ok((serde_json::from_slice(&json)?, message))
}

/// Serde for a content that follows the JSON, which only says that there is one.
mod announced {
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        content: &Option<Bytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(content.is_some())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Bytes>, D::Error> {
        Ok(bool::deserialize(deserializer)?.then(Bytes::new))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(path: &str, content: Option<&'static [u8]>) -> PathChange {
        PathChange {
            path: path.parse().unwrap(),
            base: Some(3),
            to: content.map(|content| FileEntry::file(0o644, content)),
            conflict_of: None,
            content: content.map(Bytes::from_static),
        }
    }

    #[test]
    fn messages_have_their_contents_behind_them() {
        let changes = vec![change("a", Some(b"one")), change("b", None), change("c", Some(b"\0"))];
        let request = WorkspaceRequest::Apply { changes };
        let encoded = request.encode();
        assert!(encoded.ends_with(b"one\0"));
        assert_eq!(WorkspaceRequest::decode(encoded.clone()).unwrap(), request);
        let cut = encoded.slice(..encoded.len() - 1);
        assert!(matches!(WorkspaceRequest::decode(cut), Err(BadSyncMessage::Cut)));
        let mut other = encoded.to_vec();
        *other.last_mut().unwrap() = 1;
        assert!(matches!(WorkspaceRequest::decode(other.into()), Err(BadSyncMessage::Content(_))));

        let contents = [&b"x"[..], b"", b"yz"].map(|content| SizedContent {
            hash: ContentHash::of(content),
            size: content.len() as u64,
            content: Bytes::copy_from_slice(content),
        });
        let answer = WorkspaceAnswer::Contents { contents: contents.to_vec() };
        assert_eq!(WorkspaceAnswer::decode(answer.encode()).unwrap(), answer);
    }

    #[test]
    fn the_form_of_a_request_is_fixed() {
        let encoded = WorkspaceRequest::Tree { since: Some(7), wait_ms: 20 }.encode();
        assert_eq!(&encoded[..], b"\0\0\0\x20{\"tree\":{\"since\":7,\"waitMs\":20}}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = WorkspaceRequest::decode(bytes.clone().into());
            let _ = WorkspaceAnswer::decode(bytes.into());
        }
    }
}
