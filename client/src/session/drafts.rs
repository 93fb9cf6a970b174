//! Drafts of prompts, answers and files, which are kept until they are sent or saved.

use std::cell::RefCell;

use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::id::SessionId;

use crate::bindings::storage::{self, Area};

thread_local! {
    /// Drafts of this page by their keys, for browsers that do not let it store any.
    static DRAFTS: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// A part of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DraftPart {
    /// The text.
    Text,
    /// The paths of the files that it refers to, one a line.
    Files,
    /// The images, as a JSON list.
    Images,
    /// What was entered into the form of the agent's last question, as JSON.
    Form,
}

/// Returns the images of the draft for a session.
#[must_use]
pub fn kept_images(session: &SessionId) -> Vec<PromptImage> {
    serde_json::from_str(&kept(session, DraftPart::Images)).unwrap_or_default()
}

/// Keeps the images of the draft for a session.
pub fn keep_images(session: &SessionId, images: &[PromptImage]) {
    // Texts always encode.
    let json = serde_json::to_string(images).unwrap_or_default();
    keep(session, DraftPart::Images, if images.is_empty() { "" } else { &json });
}

fn key(session: &SessionId, part: DraftPart) -> String {
    let part = match part {
        DraftPart::Text => "draft",
        DraftPart::Files => "draft-files",
        DraftPart::Images => "draft-images",
        DraftPart::Form => "draft-form",
    };
    format!("moorline.{part}.{session}")
}

/// Returns a part of the draft for a session; empty if there is none.
#[must_use]
pub fn kept(session: &SessionId, part: DraftPart) -> String {
    kept_text(&key(session, part))
}

/// Keeps a part of the draft for a session. An empty one is forgotten.
pub fn keep(session: &SessionId, part: DraftPart, text: &str) {
    keep_text(&key(session, part), text);
}

/// Returns the text that is kept by this key; empty if there is none.
pub(super) fn kept_text(key: &str) -> String {
    let own = || {
        DRAFTS.with_borrow(|drafts| {
            let mut all = drafts.iter();
            all.find(|(known, _)| known == key).map(|(_, text)| text.clone())
        })
    };
    // What could not be stored is newer than what was.
    own().or_else(|| storage::get(Area::Browser, key)).unwrap_or_default()
}

/// Keeps a text by this key. An empty one is forgotten. Returns true if the text would survive a reload.
pub(super) fn keep_text(key: &str, text: &str) -> bool {
    let is_stored = if text.is_empty() {
        storage::remove(Area::Browser, key);
        true
    } else {
        storage::set(Area::Browser, key, text)
    };
    DRAFTS.with_borrow_mut(|drafts| {
        drafts.retain(|(known, _)| known != key);
        if !is_stored {
            drafts.push((key.to_owned(), text.to_owned()));
        }
    });
    is_stored
}
