//! The dialogs that make, rename and delete files.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::workspace::WorkspacePath;

use super::open::OpenFile;
use super::state::{FilesDialog, FilesState};
use super::tree;
use crate::session::workspace::FileRefusal;
use crate::ui::Field;
use crate::ui::dialog::{Dialog, FormButtons, shown_while};
use crate::ui::field::typed;
use crate::ui::visible::visible_name;
use crate::ui::when::live;

/// Shows the dialog that the page asks for.
#[component]
pub fn FilesDialogs() -> impl IntoView {
    let files = FilesState::expect();
    let closed = move || {
        files.dialog.set(None);
        request_animation_frame(tree::focus);
    };
    let open = shown_while(move || files.dialog.with(Option::is_some), closed);
    let close = Callback::new(move |()| open.set(false));
    let heading = move || {
        files.dialog.with(|dialog| match dialog {
            Some(FilesDialog::NewFile(folder)) => format!("New file{}", place(folder)),
            Some(FilesDialog::NewFolder(folder)) => format!("New folder{}", place(folder)),
            Some(FilesDialog::Rename(path)) => format!("Rename {}", visible_name(path.name())),
            Some(FilesDialog::Delete(path)) => format!("Delete {}?", visible_name(path.name())),
            None => String::new(),
        })
    };
    view! {
        <Dialog open title=Signal::derive(heading) name="files-dialog">
            {live(move || match files.dialog.get() {
                Some(FilesDialog::NewFile(folder)) => {
                    view! { <NewForm folder is_folder=false close /> }.into_any()
                }
                Some(FilesDialog::NewFolder(folder)) => {
                    view! { <NewForm folder is_folder=true close /> }.into_any()
                }
                Some(FilesDialog::Rename(path)) => view! { <RenameForm path close /> }.into_any(),
                Some(FilesDialog::Delete(path)) => view! { <DeleteQuestion path close /> }.into_any(),
                None => ().into_any(),
            })}
        </Dialog>
    }
}

fn place(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!(" in {}", visible_name(folder)) }
}

/// What a refused name says.
fn told(refusal: &FileRefusal) -> String {
    if refusal.is_stale() {
        "Something of that name is there already. Choose another name.".to_owned()
    } else {
        refusal.sentence.clone()
    }
}

#[component]
fn NewForm(folder: String, is_folder: bool, close: Callback<()>) -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let node = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(name) = typed(node) else {
            return problem.set(Some("It needs a name.".to_owned()));
        };
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        match path.parse::<WorkspacePath>() {
            Ok(path) => files.create(&path.to_string(), is_folder, move |outcome| match outcome {
                Ok(()) => {
                    if problem.is_disposed() {
                        return;
                    }
                    close.run(());
                    files.tree.update(|tree| tree.reveal(&path));
                    files.cursor.set(Some(path.clone()));
                    if !is_folder {
                        open.open(&path);
                    }
                }
                Err(refusal) => _ = problem.try_set(Some(told(&refusal))),
            }),
            Err(error) => problem.set(Some(error.to_string())),
        }
    };
    view! {
        <form on:submit=submit>
            <Field label="Name" name="file-name" node problem mono=true first=true placeholder="name, or folder/name" />
            <FormButtons close verb="Create" name="files-dialog-submit" />
        </form>
    }
}

#[component]
fn RenameForm(path: WorkspacePath, close: Callback<()>) -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let node = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let value = path.to_string();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let to = match typed(node).unwrap_or_default().parse::<WorkspacePath>() {
            Ok(to) => to,
            Err(error) => return problem.set(Some(error.to_string())),
        };
        if to == path {
            return close.run(());
        }
        let from = path.clone();
        files.rename(path.clone(), to.clone(), move |outcome| match outcome {
            Ok(()) => {
                if problem.is_disposed() {
                    return;
                }
                close.run(());
                files.tree.update(|tree| tree.reveal(&to));
                files.cursor.set(Some(to.clone()));
                open.moved(&from, &to);
            }
            Err(refusal) => _ = problem.try_set(Some(told(&refusal))),
        });
    };
    view! {
        <form on:submit=submit>
            <Field label="Path" name="file-path" node value problem mono=true first=true />
            <FormButtons close verb="Rename" name="files-dialog-submit" />
        </form>
    }
}

#[component]
fn DeleteQuestion(path: WorkspacePath, close: Callback<()>) -> impl IntoView {
    let files = FilesState::expect();
    let (is_folder, within) =
        files.tree.with_untracked(|tree| (tree.is_folder(path.as_str()), tree.count_within(&path)));
    let text = match (is_folder, within) {
        (false, _) => {
            "The file is deleted here, and in the folder of every session that uses the workspace. \
                       This cannot be undone."
                .to_owned()
        }
        (true, 0) => "The folder is empty.".to_owned(),
        (true, within) => format!(
            "The folder and the {within} files and folders in it are deleted here, and in the folder of every \
             session that uses the workspace. This cannot be undone."
        ),
    };
    let agreed = move |_| {
        files.delete(&path);
        close.run(());
    };
    view! {
        <p>{text}</p>
        <div class="actions">
            <button class="button" on:click=move |_| close.run(())>"Keep"</button>
            <button class="button danger" data-testid="confirm-delete-file" on:click=agreed>"Delete"</button>
        </div>
    }
}
