//! The images that go with a prompt: dropped, picked or pasted.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::agent::prompt::PromptImage;

use super::draft::PromptDraft;
use crate::bindings::drops::{self, DropWatch, FileDrag};
use crate::bindings::images::{self, ImageText, PickedFile};
use crate::session::drafts;
use crate::ui::when::effect;
use crate::ui::{Icon, IconName, When};

/// The most bytes of a prompt's images as text. The relay takes 200 KiB with the text.
const IMAGES_BYTES: usize = 180 * 1024;
/// The most names of files that a sentence has.
const NAMES: usize = 3;

/// Adds the images among `files` to the draft, and says which files are not added.
pub(super) fn add(draft: PromptDraft, files: Vec<PickedFile>) {
    let takes_images = untrack(|| draft.takes_images() != Some(false));
    let (taken, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| takes_images && images::is_image(file));
    let names: Vec<String> = others.iter().map(images::name).collect();
    draft.problem.set((!names.is_empty()).then(|| refusal(&names, takes_images)));
    for file in taken {
        let used: usize =
            draft.images.with_untracked(|all| all.iter().map(|it| it.data.len()).sum());
        let room = IMAGES_BYTES.saturating_sub(used);
        let name = images::name(&file);
        spawn_local(async move {
            match images::read(file, room).await {
                Some(ImageText { mime_type, data }) => {
                    let image = PromptImage { mime_type, data };
                    _ = draft.images.try_update(|images| images.push(image));
                }
                None => {
                    let sentence = format!("{name} could not be read, or is too large.");
                    _ = draft.problem.try_update(|problem| {
                        let before = problem.take().map(|before| before + " ");
                        *problem = Some(before.unwrap_or_default() + &sentence);
                    });
                }
            }
        });
    }
}

/// Says why files with these names are not added.
fn refusal(names: &[String], takes_images: bool) -> String {
    if !takes_images {
        return "This agent takes no images or other files.".to_owned();
    }
    let shown = names[..names.len().min(NAMES)].join(", ");
    match names.len() {
        1 => format!("{shown} is not an image. Only images can be added."),
        count if count > NAMES => {
            format!("{shown} and {} more are not images. Only images can be added.", count - NAMES)
        }
        _ => format!("{shown} are not images. Only images can be added."),
    }
}

/// Takes files that are dropped anywhere on the page. Renders where to, while they are dragged.
pub(super) fn drop_target(draft: PromptDraft) -> AnyView {
    let is_over = RwSignal::new(false);
    let watch = drops::take(move |drag| {
        let over = matches!(drag, FileDrag::Over(_));
        // The browser tells many times a second.
        if is_over.try_get_untracked().is_some_and(|known| known != over) {
            is_over.set(over);
        }
        if let FileDrag::Dropped(dragged) = drag {
            add(draft, dragged.files());
        }
    });
    let _: StoredValue<DropWatch, LocalStorage> = StoredValue::new_local(watch);
    let told = move || match draft.takes_images() {
        Some(false) => "This agent takes no images",
        _ => "Drop images here",
    };
    view! {
        <When condition=move || is_over.get()>
            <div class="drop-target" data-testid="drop-target">
                <p>
                    <Icon name=IconName::Image />
                    <span>{told}</span>
                </p>
            </div>
        </When>
    }
    .into_any()
}

/// Renders the button that picks images.
pub(super) fn image_picker(draft: PromptDraft) -> AnyView {
    let field = NodeRef::<html::Input>::new();
    let pick = move |_| {
        if let Some(field) = field.get_untracked() {
            add(draft, images::picked(&field));
        }
    };
    view! {
        <When condition=move || draft.takes_images() == Some(true)>
            <label class="icon-button" title="Add an image">
                <Icon name=IconName::Image />
                <input
                    class="unseen"
                    type="file"
                    accept="image/*"
                    multiple
                    node_ref=field
                    aria-label="Add an image"
                    data-testid="pick-image"
                    on:change=pick
                />
            </label>
        </When>
    }
    .into_any()
}

/// Shows the images that were kept with the draft, and keeps those that are added.
pub(super) fn keep(draft: PromptDraft) {
    let id = draft.state.id();
    draft.images.update(|images| images.extend(drafts::kept_images(&id)));
    effect(move || draft.images.with(|images| drafts::keep_images(&id, images)));
}

/// Renders the images of a draft; tracked.
pub(super) fn pictures(draft: PromptDraft) -> AnyView {
    let picture = |(place, image): (usize, PromptImage)| {
        let is_lost = image.data.is_empty();
        let address = format!("data:{};base64,{}", image.mime_type, image.data);
        view! {
            <li class="picture">
                {if is_lost {
                    view! { <span class="row-note">"An image of the earlier prompt could not be loaded: add it again."</span> }.into_any()
                } else {
                    view! { <img src=address alt="Image to send" /> }.into_any()
                }}
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Remove this image"
                    on:click=move |_| draft.images.update(|images| {
                        if place < images.len() {
                            images.remove(place);
                        }
                    })
                >
                    <Icon name=IconName::Cross />
                </button>
            </li>
        }
    };
    let all = draft.images.get();
    if all.is_empty() {
        return ().into_any();
    }
    view! { <ul class="pictures">{all.into_iter().enumerate().map(picture).collect_view()}</ul> }
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn files_that_are_not_added_are_named() {
        let names = |count: usize| (1..=count).map(|it| format!("{it}.txt")).collect::<Vec<_>>();
        let told = |count| refusal(&names(count), true);
        assert!(told(1).starts_with("1.txt is not an image."), "{}", told(1));
        assert!(told(3).starts_with("1.txt, 2.txt, 3.txt are not images."), "{}", told(3));
        assert!(told(5).starts_with("1.txt, 2.txt, 3.txt and 2 more are not"), "{}", told(5));
        assert_eq!(refusal(&names(1), false), "This agent takes no images or other files.");
    }
}
