//! Requests about the files of a workspace, and what is said if one is refused.

use moorline_shared::id::WorkspaceId;
use moorline_shared::limits::{WORKSPACE_FILE_BYTES, WORKSPACE_PATH_BYTES};
use moorline_shared::rest::{ErrorBody, WorkspaceFile};

use crate::bindings::page;

/// The reason why a request about a file failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileRefusal {
    /// The stable code of the error; empty if the relay did not answer.
    pub code: String,
    /// A sentence that says what happened, and what to do.
    pub sentence: String,
    /// The file as it is, if the request has not seen it so.
    pub file: Option<Box<WorkspaceFile>>,
}

impl FileRefusal {
    /// The relay did not answer.
    #[must_use]
    pub fn unreachable() -> Self {
        let sentence = "The relay does not answer. Try again once it does.".to_owned();
        Self { sentence, ..Self::default() }
    }

    /// Returns true if the relay did not answer, so that the request may have been carried out.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        self.code.is_empty()
    }

    /// Returns true if the file is not as the request has expected.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.code == "stale"
    }

    /// Returns true if the file does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.code == "no_such_file"
    }
}

/// Reads the answer to a request that was refused.
#[must_use]
pub fn refusal(status: u16, body: &[u8]) -> FileRefusal {
    // A gateway answers on behalf of a relay that is down.
    if matches!(status, 0 | 502 | 504) {
        return FileRefusal::unreachable();
    }
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error, code, message, file, .. }) => {
            let told = message.map_or(error.clone(), |message| format!("{error}: {message}"));
            let sentence = match advice(&code) {
                Some(advice) => format!("{} {advice}", sentence(&told)),
                None => sentence(&told),
            };
            FileRefusal { code, sentence, file }
        }
        Err(_) if status == 503 => FileRefusal::unreachable(),
        Err(_) => FileRefusal {
            code: "unknown".to_owned(),
            sentence: format!("The relay answered with status {status}."),
            file: None,
        },
    }
}

/// Ends a text with a full stop.
fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// Says what to do about an error that the relay's own message leaves open.
fn advice(code: &str) -> Option<&'static str> {
    match code {
        "workspace_full" => Some("Delete something, then try again."),
        "file_too_large" => Some("Leave it out, or split it."),
        "path_collision" => Some("Give it another name."),
        "disk_full" => Some("Make room on the relay's disk, then try again."),
        "read_only" => Some("Ask for a token that may write."),
        _ => None,
    }
}

/// Returns the address of a file.
#[must_use]
pub fn file_address(workspace: &WorkspaceId, path: &str) -> String {
    let names: Vec<String> = path.split('/').map(page::in_query).collect();
    format!("/api/workspaces/{workspace}/files/{}", names.join("/"))
}

/// Says why a file cannot be put at a path, if that is known without asking the relay.
#[must_use]
pub(super) fn known_refusal(path: &str, bytes: f64) -> Option<FileRefusal> {
    let is_name = |name: &str| !matches!(name, "" | "." | "..");
    let is_path = path.len() <= WORKSPACE_PATH_BYTES
        && !path.contains(['\0', '\\'])
        && path.split('/').all(is_name);
    if !is_path {
        let sentence =
            "Its path is too long, or has a character that no path can have. Rename it first.";
        return Some(FileRefusal {
            code: "path_invalid".to_owned(),
            sentence: sentence.to_owned(),
            file: None,
        });
    }
    (bytes > WORKSPACE_FILE_BYTES as f64).then(|| FileRefusal {
        code: "file_too_large".to_owned(),
        sentence: format!(
            "It has more than {} MiB, the most that a file of a workspace can have. Leave it out, or \
             split it.",
            WORKSPACE_FILE_BYTES >> 20
        ),
        file: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_refusal_says_what_to_do() {
        let body = br#"{"error":"No room","code":"workspace_full","message":"`a` has no room."}"#;
        let refused = refusal(507, body);
        assert_eq!(refused.code, "workspace_full");
        assert_eq!(refused.sentence, "No room: `a` has no room. Delete something, then try again.");
        assert!(refusal(0, b"").is_unreachable() && refusal(502, b"<html>").is_unreachable());
        assert_eq!(refusal(418, b"tea").sentence, "The relay answered with status 418.");
    }

    #[test]
    fn an_address_keeps_every_name_apart() {
        let id: WorkspaceId = "notes_1234".parse().unwrap();
        assert_eq!(
            file_address(&id, "a b/c#d?.txt"),
            "/api/workspaces/notes_1234/files/a%20b/c%23d%3F.txt"
        );
    }

    #[test]
    fn what_cannot_be_put_is_known_before() {
        assert_eq!(known_refusal("a/b", 10.0), None);
        assert_eq!(known_refusal("a\\b", 10.0).unwrap().code, "path_invalid");
        assert_eq!(known_refusal("a/../b", 10.0).unwrap().code, "path_invalid");
        assert_eq!(known_refusal("a", 17e6).unwrap().code, "file_too_large");
    }
}
