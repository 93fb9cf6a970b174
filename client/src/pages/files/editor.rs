//! The editor of the open text, and the view in which somebody decides between two versions.

use leptos::html;
use leptos::prelude::*;

use super::open::OpenFile;
use super::state::FilesState;
use crate::bindings::editor::{EditorCode, EditorText, OtherText};
use crate::bindings::files::ImageAddress;
use crate::bindings::measure;
use crate::session::workspace::{EditView, FileContent};
use crate::ui::When;
use crate::ui::on_demand::LoadState;
use crate::ui::visible::{visible, visible_name};
use crate::ui::when::{effect, live};

/// The width in CSS pixels from which two versions are shown side by side.
pub(super) const BESIDE_PX: i32 = 720;

/// Shows the open text.
#[component]
pub fn TextPane() -> impl IntoView {
    let open = OpenFile::expect();
    open.code.load(EditorCode::load());
    view! {
        {move || decision(open)}
        {live(move || match open.code.state() {
            LoadState::Ready => view! { <Editor /> }.into_any(),
            LoadState::Failed(error) => view! {
                <div class="files-about">
                    <p class="problem" role="alert" data-testid="editor-failed">{error.to_string()}</p>
                    <button class="button" data-testid="load-editor-again" on:click=move |_| open.code.load(EditorCode::load())>
                        "Try again"
                    </button>
                    <pre class="files-plain" tabindex="0">{visible(&open.texts().0).into_owned()}</pre>
                </div>
            }
            .into_any(),
            _ => view! { <p class="files-about" role="status">"Loading the editor…"</p> }.into_any(),
        })}
    }
}

/// Asks which version counts, if somebody has to decide.
fn decision(open: OpenFile) -> AnyView {
    match open.view.get() {
        EditView::Conflict => view! { <Conflict /> }.into_any(),
        EditView::Deleted => view! {
            <div class="files-decision" role="alert" data-testid="file-deleted">
                <p>"This file was deleted while you were changing it. Your text is still here."</p>
                <div class="actions">
                    <button class="button" data-testid="discard-mine" on:click=move |_| open.discard()>
                        "Give my text up"
                    </button>
                    <button class="button primary" data-testid="save-anyway" on:click=move |_| open.save_over()>
                        "Make the file again with my text"
                    </button>
                </div>
            </div>
        }
        .into_any(),
        EditView::Gone => view! {
            <p class="files-decision" role="status" data-testid="file-gone">
                "This file was deleted. This is what it was."
            </p>
        }
        .into_any(),
        _ => ().into_any(),
    }
}

/// Explains a conflict, and offers both versions and a merge of them.
#[component]
fn Conflict() -> impl IntoView {
    let open = OpenFile::expect();
    let is_text = {
        open.version.track();
        open.texts().1.is_some()
    };
    let text = if is_text {
        "Somebody has changed this file while you were changing it. Both versions are below: the \
         workspace's, and yours, which you can still edit. Nothing is lost before you decide."
    } else {
        "Somebody has replaced this file by something that is no text while you were changing it."
    };
    view! {
        <div class="files-decision" role="alert" data-testid="file-conflict">
            <p>{text}</p>
            <div class="actions">
                <button class="button" data-testid="take-theirs" disabled=!is_text on:click=move |_| open.discard()>
                    "Take the workspace's, give mine up"
                </button>
                <button class="button primary" data-testid="save-merge" on:click=move |_| open.save_over()>
                    "Save my text as it is below"
                </button>
            </div>
        </div>
    }
}

/// The editor itself. It is made anew for another file and for another version to compare with.
#[component]
fn Editor() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let place = NodeRef::<html::Div>::new();
    let mode = Memo::new(move |_| (open.version.get(), open.view.get() == EditView::Conflict));
    effect(move || {
        let (_, is_conflict) = mode.get();
        let (Some(place), Some(code)) = (place.get(), open.code.get()) else { return };
        let Some(path) = open.path.get_untracked() else { return };
        let (text, other) = open.texts();
        let label =
            format!("Text of {}. Press Escape, then Tab to leave it.", visible_name(path.name()));
        let text = EditorText {
            path: path.as_str(),
            text: &text,
            label: &label,
            read_only: !untrack(|| files.may_write()),
        };
        let (typed, save) = (move || open.typed(), move || open.save());
        open.set_editor(None);
        let editor = match other.filter(|_| is_conflict) {
            Some(other) => {
                let beside = measure::width(&place) >= BESIDE_PX;
                let other = OtherText { text: &other, label: "The workspace's version", beside };
                code.merge(&place, text, other, typed, save)
            }
            None => code.open(&place, text, typed, save),
        };
        open.set_editor(Some(editor));
    });
    // What this browser may do is known a moment later.
    effect(move || {
        let may_write = files.may_write();
        open.set_read_only(!may_write);
    });
    on_cleanup(move || open.set_editor(None));
    view! {
        <div class="files-versions" hidden=move || !mode.get().1 aria-hidden="true">
            <span>"The workspace's"</span>
            <span>"Yours"</span>
        </div>
        <div class="files-editor" data-testid="editor" node_ref=place></div>
        <Drawing />
    }
}

/// Shows a drawing (SVG) as an image, beside its text. An `img` element runs none of its scripts.
#[component]
fn Drawing() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let address = Memo::new(move |_| {
        open.version.track();
        open.view.track();
        let path = open.path.get()?;
        let (text, _) = open.texts();
        let is_drawing = FileContent::is_drawing(path.as_str(), &text);
        let content = is_drawing.then(|| crate::bindings::chunk::Chunk::copy(text.as_bytes()))?;
        let image: Option<ImageAddress> =
            files.with_code(|code| code.image_address(&content, "image/svg+xml"));
        image.map(|image| image.as_str().to_owned())
    });
    view! {
        <When condition=move || address.with(Option::is_some)>
            <div class="files-drawing">
                <img src=move || address.get() alt="How it looks" data-testid="drawing" />
            </div>
        </When>
    }
}
