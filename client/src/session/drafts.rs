//! The drafts of prompts and of answers, which are kept until they are sent.

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
    let key = key(session, part);
    let own = || {
        DRAFTS.with_borrow(|drafts| {
            let mut all = drafts.iter();
            all.find(|(known, _)| *known == key).map(|(_, text)| text.clone())
        })
    };
    storage::get(Area::Browser, &key).or_else(own).unwrap_or_default()
}

/// Keeps a part of the draft for a session. An empty one is forgotten.
pub fn keep(session: &SessionId, part: DraftPart, text: &str) {
    let key = key(session, part);
    let is_stored = if text.is_empty() {
        storage::remove(Area::Browser, &key);
        true
    } else {
        storage::set(Area::Browser, &key, text)
    };
    DRAFTS.with_borrow_mut(|drafts| {
        drafts.retain(|(known, _)| *known != key);
        if !is_stored {
            drafts.push((key, text.to_owned()));
        }
    });
}
