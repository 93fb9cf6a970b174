//! What is above the tree: how full the workspace is, and what can be done.

use leptos::prelude::*;
use moorline_shared::workspace::WorkspacePath;

use super::icons::{self, icon};
use super::open::OpenFile;
use super::state::{FilesDialog, FilesState};
use super::uploads::picker;
use crate::session::words;
use crate::ui::visible::visible_name;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// Shows how full the workspace is.
#[component]
pub fn Capacity() -> impl IntoView {
    let files = FilesState::expect();
    let numbers = Memo::new(move |_| {
        let known = files.details.with(|it| it.as_ref().map(|it| (it.limit_bytes, it.is_full)));
        let (bytes, count) = files.tree.with(|tree| (tree.bytes(), tree.count()));
        known.map(|(limit, is_full)| (bytes, count, limit, is_full))
    });
    let size = |bytes: u64| words::bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
    let text = move || {
        numbers.get().map(|(bytes, count, limit, _)| {
            let files =
                if count == 1 { "1 file".to_owned() } else { format!("{count} files and folders") };
            format!("{files}, {} of {}", size(bytes), size(limit))
        })
    };
    let percent =
        move || numbers.get().map(|(bytes, _, limit, _)| bytes.saturating_mul(100) / limit.max(1));
    let is_full = Memo::new(move |_| numbers.get().is_some_and(|(.., is_full)| is_full));
    view! {
        <div class="files-capacity" class:full=move || is_full.get() data-testid="capacity">
            <progress max="100" value=percent aria-label="Used space"></progress>
            <span>{text}</span>
            <button class="files-link" data-testid="download-all" title="Download all files as one archive (tar)"
                on:click=move |_| files.download(None)>
                "Download all"
            </button>
        </div>
        <When condition=move || is_full.get()>
            <p class="files-warning" role="alert" data-testid="workspace-full">
                "The workspace is full: something was not put into it. Files that do not fit stay in the \
                 folders of their sessions, and are put as soon as there is room. Delete what is not needed."
            </p>
        </When>
    }
}

/// The buttons for new files and for the chosen one.
#[component]
pub fn FilesTools() -> impl IntoView {
    let files = FilesState::expect();
    let cursor = Memo::new(move |_| {
        let path = files.cursor.get()?;
        files.tree.with(|tree| tree.file(path.as_str()).map(|file| file.path.clone()))
    });
    let folder = move || untrack(|| target_folder(files));
    let has_cursor = move || cursor.with(Option::is_some);
    let is_file = move || {
        cursor.with(|path| {
            path.as_ref().is_some_and(|it| !files.tree.with(|tree| tree.is_folder(it.as_str())))
        })
    };
    let ask = move |dialog: fn(WorkspacePath) -> FilesDialog| {
        if let Some(path) = cursor.get_untracked() {
            files.dialog.set(Some(dialog(path)));
        }
    };
    view! {
        <div class="files-tools" role="group" aria-label="Actions">
            <When condition=move || files.may_write()>
                <button class="icon-button" title="New file" aria-label="New file" data-testid="new-file"
                    on:click=move |_| files.dialog.set(Some(FilesDialog::NewFile(folder())))>
                    {icon(icons::NEW_FILE)}
                </button>
                <button class="icon-button" title="New folder" aria-label="New folder" data-testid="new-folder"
                    on:click=move |_| files.dialog.set(Some(FilesDialog::NewFolder(folder())))>
                    {icon(icons::NEW_FOLDER)}
                </button>
                {picker(false, folder)}
                {picker(true, folder)}
            </When>
            <span class="bar-fill"></span>
            <button class="icon-button" title="Download" aria-label="Download the chosen file"
                data-testid="download-chosen" disabled=move || !is_file()
                on:click=move |_| files.download(cursor.get_untracked().as_ref())>
                {icon(icons::DOWNLOAD)}
            </button>
            <When condition=move || files.may_write()>
                <button class="icon-button" title="Rename (F2)" aria-label="Rename" data-testid="rename-file"
                    disabled=move || !has_cursor() on:click=move |_| ask(FilesDialog::Rename)>
                    <Icon name=IconName::Pencil />
                </button>
                <button class="icon-button" title="Delete (Del)" aria-label="Delete" data-testid="delete-file"
                    disabled=move || !has_cursor() on:click=move |_| ask(FilesDialog::Delete)>
                    <Icon name=IconName::Bin />
                </button>
            </When>
        </div>
    }
}

/// Returns the directory that new files go into: the chosen one, or that of the chosen file.
fn target_folder(files: FilesState) -> String {
    let Some(path) = files.cursor.get() else { return String::new() };
    files.tree.with(|tree| match tree.file(path.as_str()) {
        Some(_) if tree.is_folder(path.as_str()) => path.to_string(),
        Some(_) => path.parent().map(String::from).unwrap_or_default(),
        None => String::new(),
    })
}

/// Leads to files of which there are two versions, and to drafts whose files are gone.
#[component]
pub fn Attention() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let conflicts = Memo::new(move |_| files.tree.with(|tree| tree.conflicts()));
    let lost = Memo::new(move |_| {
        let drafts = files.drafts.get();
        let is_gone = |path: &String| files.tree.with(|tree| tree.file(path).is_none());
        let gone = drafts.into_iter().filter(is_gone);
        gone.filter_map(|path| path.parse().ok()).collect::<Vec<WorkspacePath>>()
    });
    let entry = move |path: WorkspacePath, name: &'static str| {
        let shown = visible_name(path.as_str()).into_owned();
        view! {
            <li>
                <button class="files-link" data-testid=name on:click=move |_| open.open(&path)>
                    <bdi>{shown}</bdi>
                </button>
            </li>
        }
    };
    view! {
        <When condition=move || conflicts.with(|all| !all.is_empty())>
            <div class="files-warning" data-testid="conflicts">
                <p>"There are two versions of:"</p>
                <ul>
                    {live(move || {
                        let all = conflicts.get().into_iter().take(20);
                        all.map(|(copy, _)| entry(copy, "conflict")).collect_view().into_any()
                    })}
                </ul>
            </div>
        </When>
        <When condition=move || lost.with(|all| !all.is_empty())>
            <div class="files-warning" data-testid="lost-drafts">
                <p>"Drafts of files that were deleted:"</p>
                <ul>
                    {live(move || {
                        let all = lost.get().into_iter().take(20);
                        all.map(|path| entry(path, "lost-draft")).collect_view().into_any()
                    })}
                </ul>
            </div>
        </When>
    }
}
