//! The drafts of files: what somebody has typed and not saved yet. They survive a reload, and the file's
//! deletion.

use moorline_shared::id::WorkspaceId;
use serde::{Deserialize, Serialize};

use crate::session::drafts::{keep_text, kept_text};

/// An unsaved text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDraft {
    /// The hash of the content that the text was made from; `None` if there was no file.
    pub base: Option<String>,
    /// The text.
    pub text: String,
}

fn list_key(workspace: &WorkspaceId) -> String {
    format!("moorline.file-drafts.{workspace}")
}

fn key(workspace: &WorkspaceId, path: &str) -> String {
    format!("moorline.file-draft.{workspace}.{path}")
}

/// Returns the paths of the files that have drafts.
#[must_use]
pub fn list(workspace: &WorkspaceId) -> Vec<String> {
    serde_json::from_str(&kept_text(&list_key(workspace))).unwrap_or_default()
}

/// Returns the draft of a file, if it has one.
#[must_use]
pub fn kept(workspace: &WorkspaceId, path: &str) -> Option<FileDraft> {
    serde_json::from_str(&kept_text(&key(workspace, path))).ok()
}

/// Keeps the draft of a file, or forgets it. Returns true if a draft would survive a reload.
pub fn keep(workspace: &WorkspaceId, path: &str, draft: Option<&FileDraft>) -> bool {
    // Texts always encode.
    let text = draft.and_then(|draft| serde_json::to_string(draft).ok()).unwrap_or_default();
    let is_stored = keep_text(&key(workspace, path), &text);
    let mut all = list(workspace);
    let was_listed = all.iter().any(|known| known == path);
    if was_listed != draft.is_some() {
        if was_listed {
            all.retain(|known| known != path);
        } else {
            all.push(path.to_owned());
        }
        let text = if all.is_empty() { None } else { serde_json::to_string(&all).ok() };
        return keep_text(&list_key(workspace), &text.unwrap_or_default()) && is_stored;
    }
    is_stored
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_draft_is_kept_until_it_is_forgotten() {
        let id: WorkspaceId = "drafts_1234".parse().unwrap();
        let draft = FileDraft { base: Some("af".into()), text: "a\r\n\u{202e}".into() };
        // Also where nothing can be stored, as in this test.
        keep(&id, "a b.txt", Some(&draft));
        keep(&id, "c", Some(&draft));
        assert_eq!(kept(&id, "a b.txt"), Some(draft));
        assert_eq!(list(&id), ["a b.txt", "c"]);
        keep(&id, "a b.txt", None);
        keep(&id, "c", None);
        assert_eq!((kept(&id, "a b.txt"), list(&id).len()), (None, 0));
    }
}
