//! The files of a workspace: a tree beside the open file.

pub mod dialogs;
pub mod editor;
pub mod head;
mod icons;
mod open;
pub mod pair;
mod state;
pub mod tree;
pub mod uploads;
pub mod viewer;

use leptos::prelude::*;
use moorline_shared::id::WorkspaceId;

use crate::bindings::files::FilesCode;
use crate::pages::frame::stream_status::StreamPill;
use crate::session::StreamStatus;
use crate::ui::When;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::{effect, live};
use dialogs::FilesDialogs;
use head::{Attention, Capacity, FilesTools};
use open::OpenFile;
use state::{FilesState, ListingState};
use tree::FileRows;
use uploads::{DropHint, UploadList, UploadState};
use viewer::FileViewer;

/// Why a browser whose token may only read cannot change anything.
const READ_ONLY: &str =
    "This browser's token may only read this workspace. Ask for one that may write.";

/// Shows the files of a workspace, once what they need of the browser is loaded. `is_page` is true if
/// nothing else is on the page: its address then names the open file.
pub fn files_view(id: WorkspaceId, is_page: bool) -> AnyView {
    with_style(move |code| loaded(id.clone(), code, is_page))
}

/// Shows a view with the style of these pages, once that is loaded. An error is shown instead.
pub fn with_style(view: impl Fn(FilesCode) -> AnyView + Send + Sync + 'static) -> AnyView {
    let code: OnDemand<FilesCode> = OnDemand::new();
    let load = move || code.load(FilesCode::load());
    load();
    live(move || {
        match code.state() {
        LoadState::Ready => code.get().map(&view).into_any(),
        LoadState::Failed(error) => view! {
            <p class="problem" role="alert">{error.to_string()}</p>
            <button class="button" data-testid="load-again" on:click=move |_| load()>"Try again"</button>
        }
        .into_any(),
        _ => ().into_any(),
    }
    })
}

fn loaded(id: WorkspaceId, code: FilesCode, is_page: bool) -> AnyView {
    let files = FilesState::provide(id, code);
    let open = OpenFile::provide(files, is_page);
    UploadState::provide(files);
    // The files are listed anew after each gap; what is drawn, focused and scrolled stays.
    let listing = Memo::new(move |_| files.listing.get());
    effect(move || {
        if listing.get() == ListingState::Listed {
            untrack(|| open.open_addressed());
        }
    });
    let is_open = move || open.path.with(Option::is_some);
    view! {
        <div class="files-view" class:has-file=is_open data-testid="files" data-folder="">
            {live(move || match listing.get() {
                ListingState::Waiting => view! { <p class="files-about" role="status">"Loading the files…"</p> }.into_any(),
                ListingState::Failed(sentence) => failed(files, sentence),
                ListingState::Listed => listed().into_any(),
            })}
            <DropHint />
            <FilesDialogs />
        </div>
    }
    .into_any()
}

fn failed(files: FilesState, sentence: String) -> AnyView {
    view! {
        <div class="files-about">
            <p class="problem" role="alert" data-testid="files-failed">{sentence}</p>
            <div class="actions centred">
                <button class="button" on:click=move |_| files.load()>"Try again"</button>
                <a class="button" href="/workspaces">"All workspaces"</a>
            </div>
        </div>
    }
    .into_any()
}

fn listed() -> impl IntoView {
    let files = FilesState::expect();
    view! {
        <section class="files-side" aria-label="All files">
            <When condition=move || files.stream.get() != StreamStatus::Live>
                <StreamPill status=files.stream retry=Callback::new(move |()| files.retry()) />
            </When>
            <Capacity />
            <FilesTools />
            <When condition=move || files.is_read_only()>
                <p class="files-hint" data-testid="files-read-only">{READ_ONLY}</p>
            </When>
            <p class="problem files-problem" role="alert" data-testid="files-problem">{move || files.problem.get()}</p>
            <p class="files-note" role="status" data-testid="files-note">{move || files.note.get()}</p>
            <Attention />
            <FileRows />
            <UploadList />
        </section>
        <FileViewer />
    }
}
