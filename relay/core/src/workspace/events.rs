//! The event stream of a workspace.

use http::HeaderMap;
use moorline_shared::id::WorkspaceId;
use moorline_shared::rest::{FilesChangedEvent, FilesConflictEvent, WorkspaceTree};
use moorline_shared::sse;

use super::{SqlFailure, WorkspaceFiles};

/// The most files that one event names.
const FILES_PER_EVENT: usize = 500;

/// An event stream of a workspace: `files-changed` and `files-conflict`, each with a revision as its
/// id, from which the stream is resumed.
#[derive(Debug, Default)]
pub struct WorkspaceEvents {
    /// The revision up to which the reader knows everything; `None` before the first look.
    at: Option<u64>,
}

impl WorkspaceEvents {
    /// Opens a stream for a reader that knows everything up to a revision. Without one, the stream
    /// begins with what changes next.
    #[must_use]
    pub const fn after(revision: Option<u64>) -> Self {
        Self { at: revision }
    }

    /// Opens a stream for a request with these headers: after the revision that the header
    /// `Last-Event-ID`, or else the query, names.
    #[must_use]
    pub fn open(since: Option<u64>, headers: &HeaderMap) -> Self {
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        Self::after(last.and_then(|id| id.trim().parse().ok()).or(since))
    }

    /// Returns the events of everything that has changed since the last call, encoded; empty if
    /// nothing has.
    ///
    /// # Errors
    /// [`SqlFailure`]. The next call returns what this one would have.
    pub fn look(&mut self, workspace: WorkspaceFiles<'_>) -> Result<String, SqlFailure> {
        let Some(at) = self.at else {
            self.at = Some(workspace.revision()?);
            return Ok(String::new());
        };
        if workspace.revision()? == at {
            return Ok(String::new());
        }
        let tree = workspace.tree(Some(at))?;
        self.at = Some(tree.revision);
        Ok(encode(workspace.id, tree))
    }
}

fn encode(id: &WorkspaceId, tree: WorkspaceTree) -> String {
    let WorkspaceTree { revision, full, files } = tree;
    if full {
        // The reader gets the tree itself by a request.
        let tree = WorkspaceTree { revision, full, files: Vec::new() };
        return event(revision, "files-changed", &changed(id, tree));
    }
    let mut text = String::new();
    for files in files.chunks(FILES_PER_EVENT) {
        let revision = files.last().map_or(revision, |file| file.revision);
        for file in files.iter().filter(|file| !file.deleted) {
            if let Some(path) = &file.conflict_of {
                let conflict = FilesConflictEvent {
                    workspace_id: id.clone(),
                    revision: file.revision,
                    path: path.clone(),
                    other: file.path.clone(),
                };
                // Without an id of its own: the change that it belongs to follows.
                text += &sse_event(None, "files-conflict", &conflict);
            }
        }
        let tree = WorkspaceTree { revision, full, files: files.to_vec() };
        text += &event(revision, "files-changed", &changed(id, tree));
    }
    text
}

fn changed(id: &WorkspaceId, tree: WorkspaceTree) -> FilesChangedEvent {
    FilesChangedEvent { workspace_id: id.clone(), tree }
}

fn event(revision: u64, name: &str, data: &impl serde::Serialize) -> String {
    sse_event(Some(revision), name, data)
}

fn sse_event(id: Option<u64>, name: &str, data: &impl serde::Serialize) -> String {
    let data = serde_json::to_string(data).expect("texts, numbers and lists always encode");
    sse::encode_numbered(name, id, &data)
}
