//! The draft of a prompt.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::embed::EmbedDraft;
use moorline_shared::rest::SendPrompt;

use super::super::state::ConversationState;
use crate::bindings::{page, scrolling, text_field};
use crate::session::drafts::{self, DraftPart};
use crate::session::embed::EmbedFrame;
use crate::ui::when::effect;

/// The draft of a prompt: its text, its images, and the files that it refers to.
#[derive(Clone, Copy)]
pub(super) struct PromptDraft {
    pub(super) state: ConversationState,
    pub(super) text: RwSignal<String>,
    /// The images. One without data stands for one that is not to be had.
    pub(super) images: RwSignal<Vec<PromptImage>>,
    /// The paths of files that were chosen, of which the text has some.
    files: RwSignal<Vec<String>>,
    pub(super) problem: RwSignal<Option<String>>,
    pub(super) field: NodeRef<html::Textarea>,
}

impl PromptDraft {
    pub(super) fn new(state: ConversationState) -> Self {
        let draft = Self {
            state,
            text: RwSignal::new(drafts::kept(&state.id(), DraftPart::Text)),
            images: RwSignal::default(),
            files: RwSignal::new(
                drafts::kept(&state.id(), DraftPart::Files).lines().map(str::to_owned).collect(),
            ),
            problem: RwSignal::default(),
            field: NodeRef::new(),
        };
        effect(move || {
            if let Some(text) = state.inserted.get() {
                state.inserted.set(None);
                draft.set(draft.text.get_untracked() + &text);
            }
        });
        effect(move || draft.text.with(|text| drafts::keep(&state.id(), DraftPart::Text, text)));
        effect(move || {
            drafts::keep(&state.id(), DraftPart::Files, &draft.named_files().join("\n"));
        });
        if let Some(frame) = use_context::<EmbedFrame>() {
            let told = Memo::new(move |_| EmbedDraft {
                text: draft.text.get(),
                files: draft.named_files(),
            });
            effect(move || frame.tell_draft(told.get()));
        }
        draft
    }

    /// Replaces the text, and puts the focus into the field.
    pub(super) fn set(self, text: String) {
        if let Some(field) = self.field.get_untracked() {
            field.set_value(&text);
            scrolling::fit_height(&field);
            page::focus(&field);
        }
        self.text.set(text);
    }

    /// Takes the text from the field.
    pub(super) fn take(self) {
        if let Some(field) = self.field.get_untracked() {
            scrolling::fit_height(&field);
            self.text.set(field.value());
        }
    }

    /// Replaces `begun`, the end of the text before the caret, by `whole`.
    pub(super) fn complete(self, begun: &str, whole: &str) {
        if let Some(field) = self.field.get_untracked() {
            text_field::complete(&field, begun, whole);
            page::focus(&field);
            self.take();
        }
    }

    /// Notes a file that the text refers to as `@path`.
    pub(super) fn refer_to(self, path: String) {
        self.files.update(|files| {
            if !files.contains(&path) {
                files.push(path);
            }
        });
    }

    /// Returns the files that the text refers to; tracked.
    fn named_files(self) -> Vec<String> {
        let text = self.text.get();
        self.files.with(|files| files.iter().filter(|path| names(&text, path)).cloned().collect())
    }

    pub(super) fn send(self) {
        let text = self.text.get_untracked();
        let mut images = self.images.get_untracked();
        images.retain(|image| !image.data.is_empty());
        let files = untrack(|| self.named_files());
        if text.trim().is_empty() && images.is_empty() {
            return;
        }
        let prompt = SendPrompt {
            command: Some(if text.is_empty() { " ".to_owned() } else { text }),
            images,
            context: Some(files).filter(|files| !files.is_empty()),
            ..SendPrompt::default()
        };
        // It is sent until it is answered; a refusal brings it back.
        self.set(String::new());
        self.images.set(Vec::new());
        self.files.set(Vec::new());
        self.problem.set(None);
        let sent = prompt.clone();
        self.state.prompt(prompt, move |answer| {
            if answer.is_err() {
                self.restore(&sent);
            }
        });
    }

    /// Puts back a prompt that was not sent or was refused, before what was typed since.
    pub(super) fn restore(self, prompt: &SendPrompt) {
        let Some(now) = self.text.try_get_untracked() else { return };
        let text = prompt.command.as_deref().unwrap_or_default().trim();
        let texts = [text, now.as_str()].into_iter().filter(|text| !text.is_empty());
        self.set(texts.collect::<Vec<_>>().join("\n\n"));
        self.images
            .update(|images| images.splice(..0, prompt.images.iter().cloned()).for_each(drop));
        prompt.context.iter().flatten().for_each(|path| self.refer_to(path.clone()));
    }

    /// Returns true if the agent takes images, once that is known; tracked.
    pub(super) fn takes_images(self) -> Option<bool> {
        self.state.head.with(|head| head.info.takes_images)
    }
}

/// Returns true if a text refers to the file with this path, and not to a longer one.
fn names(text: &str, path: &str) -> bool {
    let sign = format!("@{path}");
    let ends = |at: usize| {
        let after = text[at + sign.len()..].chars().next();
        after.is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '/' | '-' | '_'))
    };
    text.match_indices(&sign).any(|(at, _)| ends(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_text_refers_to_whole_paths() {
        assert!(names("see @src/lib.rs, please", "src/lib.rs"));
        assert!(names("@a", "a") && names("@ab or @a", "a"));
        assert!(!names("see @src/lib.rs", "src/lib") || !names("@ab", "a"));
        assert!(!names("src/lib.rs", "src/lib.rs") && !names("", "a"));
    }
}
