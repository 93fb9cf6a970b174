//! The parts of the composer that are loaded after the page: images, completions, and the prompts without
//! an answer.
//!
//! A prompt can be typed and sent without them.

use leptos::prelude::*;

use super::draft::PromptDraft;
use super::offers::{OfferList, offers};
use super::pictures::{self, add, drop_target, image_picker, pictures};
use super::unsent::{self, unsent};
use crate::bindings::images;
use crate::bindings::part::LoadError;
use crate::bindings::text_field::{self, FieldEvent, FieldWatch};
use crate::ui::when::{effect, live};

/// The functions that render these parts.
#[derive(Clone, Copy)]
pub(super) struct ComposerExtras {
    /// Renders what is above the field.
    pub(super) above: fn(PromptDraft) -> AnyView,
    /// Renders the button that picks images.
    pub(super) picker: fn(PromptDraft) -> AnyView,
}

type LoadedExtras = Result<ComposerExtras, LoadError>;

/// Loads the code of these parts. Later calls return it at once.
pub(super) async fn load() -> LoadedExtras {
    code::extras().await
}

fn above(draft: PromptDraft) -> AnyView {
    pictures::keep(draft);
    unsent::send_kept(draft);
    let list = OfferList::new(draft.state, draft);
    let watch = StoredValue::new_local(None::<FieldWatch>);
    effect(move || {
        let Some(field) = draft.field.get() else { return };
        let happened = move |event: FieldEvent<'_>| match event {
            FieldEvent::Key(key) => list.press(key),
            FieldEvent::Paste(paste) => {
                let files = images::pasted(paste);
                let takes = untrack(|| draft.takes_images() == Some(true));
                let is_ours = takes && files.iter().any(images::is_image);
                if is_ours {
                    add(draft, files);
                }
                is_ours
            }
            FieldEvent::Changed => {
                list.look();
                false
            }
            FieldEvent::Left => {
                list.close();
                false
            }
        };
        watch.set_value(Some(text_field::watch(&field, happened)));
    });
    view! {
        {drop_target(draft)}
        {unsent(draft)}
        {offers(list)}
        {live(move || pictures(draft))}
    }
    .into_any()
}

#[cfg(feature = "split")]
mod code {
    use wasm_split_helpers::wasm_split;

    use super::*;

    #[wasm_split(more, fallible)]
    pub(super) fn extras() -> LoadedExtras {
        Ok(ComposerExtras { above, picker: image_picker })
    }
}

#[cfg(not(feature = "split"))]
mod code {
    use super::*;

    pub(super) async fn extras() -> LoadedExtras {
        Ok(ComposerExtras { above, picker: image_picker })
    }
}
