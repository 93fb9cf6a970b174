//! The open file: what it is, and what can be done with it.

use leptos::prelude::*;
use moorline_shared::workspace::WorkspacePath;

use super::editor::TextPane;
use super::icons::{self, icon};
use super::open::{OpenFile, ShownFile};
use super::pair::PairNote;
use super::state::FilesState;
use super::tree;
use crate::session::StreamStatus;
use crate::session::words;
use crate::session::workspace::EditView;
use crate::ui::visible::visible_name;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// Shows the open file.
#[component]
pub fn FileViewer() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let kind = Memo::new(move |_| open.shown.get());
    view! {
        <section class="files-main" aria-label="File" data-testid="file-view" data-view=move || view_name(open)>
            <When condition=move || open.path.with(Option::is_some)>
                <FileHead />
                <PairNote />
            </When>
            {live(move || match kind.get() {
                ShownFile::Nothing => nothing(files),
                ShownFile::Loading => view! { <p class="files-about" role="status">"Loading…"</p> }.into_any(),
                ShownFile::Failed(sentence) => failed(open, sentence),
                ShownFile::Text => view! { <TextPane /> }.into_any(),
                ShownFile::Image(address) => image(open, address),
                ShownFile::Other(size) => unshown(files, open, size, "This file is no image that browsers show, and no text of at most 1 MiB."),
                ShownFile::Large(size) => unshown(files, open, size, "This file is too large to be shown here."),
                ShownFile::Gone => view! {
                    <p class="files-about" role="status" data-testid="file-gone">
                        "This file was deleted."
                    </p>
                }
                .into_any(),
            })}
        </section>
    }
}

/// The name of what is shown, for tests and the style sheet.
fn view_name(open: OpenFile) -> &'static str {
    match open.shown.get() {
        ShownFile::Nothing => "nothing",
        ShownFile::Loading => "loading",
        ShownFile::Failed(_) => "failed",
        ShownFile::Image(_) => "image",
        ShownFile::Other(_) => "other",
        ShownFile::Large(_) => "large",
        ShownFile::Gone => "gone",
        ShownFile::Text => match open.view.get() {
            EditView::Saved => "saved",
            EditView::Edited => "edited",
            EditView::Saving => "saving",
            EditView::Waiting => "waiting",
            EditView::Conflict => "conflict",
            EditView::Deleted => "deleted",
            EditView::Gone => "text-gone",
        },
    }
}

/// Shows the path and the state of the file, and what can be done with it.
#[component]
fn FileHead() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let path =
        move || open.path.with(|path| path.as_ref().map(|it| it.to_string()).unwrap_or_default());
    let is_text = Memo::new(move |_| open.shown.get() == ShownFile::Text);
    let may_save = move || {
        is_text.get()
            && files.may_write()
            && matches!(open.view.get(), EditView::Edited | EditView::Waiting)
    };
    let close = move |_| {
        open.close();
        request_animation_frame(tree::focus);
    };
    let download = move |_| files.download(open.path.get_untracked().as_ref());
    view! {
        <div class="files-head">
            <button
                class="icon-button files-back"
                aria-label="All files"
                title="All files"
                data-testid="close-file"
                on:click=close
            >
                <Icon name=IconName::Back />
            </button>
            <h2 class="files-path" title=move || visible_name(&path()).into_owned()>
                <bdi data-testid="open-path">{move || visible_name(&path()).into_owned()}</bdi>
            </h2>
            <span class="files-state" role="status" data-testid="file-state">
                {move || if is_text.get() { state_words(files, open) } else { "" }}
            </span>
            <button class="icon-button" aria-label="Download" title="Download" data-testid="download-file" on:click=download>
                {icon(icons::DOWNLOAD)}
            </button>
            <When condition=move || is_text.get() && files.may_write()>
                <button
                    class="button primary"
                    data-testid="save-file"
                    title="Save (Ctrl+S)"
                    disabled=move || !may_save()
                    on:click=move |_| open.save()
                >
                    "Save"
                </button>
            </When>
        </div>
        <p class="problem files-problem" role="alert" data-testid="save-problem">{move || open.problem.get()}</p>
        <When condition=move || open.is_draft_lost.get()>
            <p class="problem files-problem" role="alert" data-testid="draft-lost">
                "This browser has no room for your draft. Save it before you leave the page."
            </p>
        </When>
    }
}

fn state_words(files: FilesState, open: OpenFile) -> &'static str {
    let is_away =
        !matches!(files.stream.get(), StreamStatus::Live | StreamStatus::Connecting { attempt: 0 });
    match open.view.get() {
        EditView::Saved if files.is_read_only() => "Read only",
        EditView::Saved if is_away => "Saved, as of the last connection",
        EditView::Saved => "Saved",
        EditView::Edited => "Not saved; kept as a draft",
        EditView::Saving => "Saving…",
        EditView::Waiting => "Not saved: the relay is away. It is saved once it is back",
        EditView::Conflict => "Changed by somebody else as well",
        EditView::Deleted | EditView::Gone => "Deleted",
    }
}

fn nothing(files: FilesState) -> AnyView {
    view! {
        <div class="files-about" data-testid="no-file">
            <p>"Choose a file to see it here."</p>
            <When condition=move || files.may_write()>
                <p>"Drop files or folders anywhere on this page to put them into the workspace."</p>
            </When>
        </div>
    }
    .into_any()
}

fn failed(open: OpenFile, sentence: String) -> AnyView {
    view! {
        <div class="files-about">
            <p class="problem" role="alert" data-testid="file-failed">{sentence}</p>
            <button class="button" on:click=move |_| open.load()>"Try again"</button>
        </div>
    }
    .into_any()
}

/// Shows an image. A browser that cannot read it shows its name.
fn image(open: OpenFile, address: String) -> AnyView {
    let name = open
        .path
        .with_untracked(|path| path.as_ref().map(|it| visible_name(it.name()).into_owned()));
    view! {
        <div class="files-image" tabindex="0" role="group" aria-label="Image">
            <img src=address alt=name.unwrap_or_default() data-testid="file-image" />
        </div>
    }
    .into_any()
}

fn unshown(files: FilesState, open: OpenFile, size: u64, text: &'static str) -> AnyView {
    let size = words::bytes(usize::try_from(size).unwrap_or(usize::MAX));
    let path: Option<WorkspacePath> = open.path.get_untracked();
    view! {
        <div class="files-about" data-testid="file-unshown">
            <p>{text} " It has " {size} "."</p>
            <button class="button" on:click=move |_| files.download(path.as_ref())>"Download it"</button>
        </div>
    }
    .into_any()
}
