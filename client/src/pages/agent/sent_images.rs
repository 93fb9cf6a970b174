//! The images of a prompt that was sent. The page loads this part when there are some, and reads them
//! from the log.

use leptos::prelude::*;
use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::id::TurnId;

use super::blocks::image_address;
use super::state::ConversationState;
use crate::session::conversation::{ImageList, ImagesFault};
use crate::ui::dialog::Dialog;
use crate::ui::when::{When, effect, live};
use crate::ui::{Icon, IconName};

/// What is known of the images of a prompt.
#[derive(Debug, Clone, PartialEq)]
enum ShownImages {
    /// They are being read.
    Reading,
    /// They are known.
    Known(ImageList),
    /// They cannot be shown.
    Lost(ImagesFault),
}

/// Renders the `count` images of the prompt of a turn as thumbnails, each of which opens at its full
/// size. If they are not to be had, it says so.
pub(super) fn sent_images(state: ConversationState, turn: TurnId, count: usize) -> AnyView {
    let shown = RwSignal::new(ShownImages::Reading);
    let place = {
        let turn = turn.clone();
        Memo::new(move |_| state.images_place(&turn))
    };
    let read = move || {
        shown.set(ShownImages::Reading);
        find(state, &turn, move |found| {
            let _ = shown.try_set(match found {
                Ok(images) => ShownImages::Known(images),
                Err(fault) => ShownImages::Lost(fault),
            });
        });
    };
    let again = StoredValue::new_local(read.clone());
    effect(move || {
        place.track();
        read();
    });
    live(move || {
        match shown.get() {
        ShownImages::Known(images) => thumbnails(&images),
        ShownImages::Reading => {
            view! { <p class="row-note" data-testid="images-note">{format!("{}…", counted(count))}</p> }.into_any()
        }
        ShownImages::Lost(fault) => {
            let sentence = lost(count, fault);
            let again = (fault == ImagesFault::Failed).then(|| {
                let again = move |_| again.with_value(|again| again());
                view! { <button type="button" class="button quiet" on:click=again>"Try again"</button> }
            });
            view! { <p class="row-note" data-testid="images-note">{sentence} {again}</p> }.into_any()
        }
    }
    })
}

/// Finds the images of the prompt of a turn: those that the page knows, or else those of the log.
pub(super) fn find(
    state: ConversationState,
    turn: &TurnId,
    then: impl FnOnce(Result<ImageList, ImagesFault>) + 'static,
) {
    let Some(images) = state.images.try_get_value() else { return };
    let place = untrack(|| state.images_place(turn));
    let known = images.known(turn, place.as_ref().map(|place| place.first.seq));
    match (known, place) {
        (Some(images), _) => then(Ok(images)),
        (None, Some(place)) => images.read(state.id(), state.token(), place, then),
        (None, None) => then(Err(ImagesFault::Gone)),
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 image".to_owned() } else { format!("{count} images") }
}

fn lost(count: usize, fault: ImagesFault) -> String {
    let (it, them) = if count == 1 { ("it", "it") } else { ("they", "them") };
    let counted = counted(count);
    match fault {
        ImagesFault::Gone => format!("{counted}: the session's log no longer has {them}."),
        ImagesFault::Failed => format!("{counted}: {it} could not be loaded."),
    }
}

fn thumbnails(images: &ImageList) -> AnyView {
    let count = images.len();
    let opened = RwSignal::new(None::<String>);
    let is_open = RwSignal::new(false);
    let thumbnail = |(place, image): (usize, &PromptImage)| {
        let name = if count == 1 { "Image".to_owned() } else { format!("Image {}", place + 1) };
        let Some(address) = image_address(&image.mime_type, &image.data) else {
            return unshown(&name).into_any();
        };
        let is_broken = RwSignal::new(false);
        let (full, label) = (address.clone(), format!("{name}, open at full size"));
        let open = move |_| {
            opened.set(Some(full.clone()));
            is_open.set(true);
        };
        let (alt, told) = (name.clone(), name);
        view! {
            {live(move || {
                if is_broken.get() {
                    return unshown(&told);
                }
                view! {
                    <li>
                        <button type="button" class="sent-image" aria-label=label.clone() on:click=open.clone()>
                            <img src=address.clone() alt=alt.clone() decoding="async" on:error=move |_| is_broken.set(true) />
                        </button>
                    </li>
                }
                .into_any()
            })}
        }
        .into_any()
    };
    let close = move |_| is_open.set(false);
    view! {
        <ul class="sent-images" aria-label="Images" data-testid="sent-images">
            {images.iter().enumerate().map(thumbnail).collect_view()}
        </ul>
        <Dialog open=is_open title="Image" name="full-image">
            <When condition=move || opened.with(Option::is_some)>
                <img class="full-image" src=move || opened.get() alt="The image at full size" />
            </When>
            <button type="button" class="button" on:click=close>
                <Icon name=IconName::Cross />
                <span>"Close"</span>
            </button>
        </Dialog>
    }
    .into_any()
}

/// Renders an image that the browser cannot show.
fn unshown(name: &str) -> AnyView {
    view! { <li class="row-note">{format!("{name} cannot be shown.")}</li> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn lost_images_are_told_of() {
        let gone = lost(1, ImagesFault::Gone);
        assert_eq!(gone, "1 image: the session's log no longer has it.");
        assert_eq!(lost(2, ImagesFault::Failed), "2 images: they could not be loaded.");
    }
}
