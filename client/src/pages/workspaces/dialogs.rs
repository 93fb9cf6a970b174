//! The dialogs about workspaces.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::ProjectId;
use moorline_shared::rest::{Project, WorkspaceSummary};

use super::state::{WorkspaceDialog, WorkspacesState};
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::Field;
use crate::ui::dialog::{Dialog, FormButtons, shown_while};
use crate::ui::field::{Choice, choice, typed};
use crate::ui::when::live;

/// Shows the dialog that the page asks for.
#[component]
pub fn WorkspaceDialogs() -> impl IntoView {
    let state = WorkspacesState::expect();
    let open =
        shown_while(move || state.dialog.with(Option::is_some), move || state.dialog.set(None));
    let close = Callback::new(move |()| open.set(false));
    let heading = move || {
        state.dialog.with(|dialog| match dialog {
            Some(WorkspaceDialog::Create) => "New workspace".to_owned(),
            Some(WorkspaceDialog::Rename(it)) => format!("Rename {}", words::plain(&it.name)),
            Some(WorkspaceDialog::Delete(it)) => format!("Delete {}?", words::plain(&it.name)),
            None => String::new(),
        })
    };
    view! {
        <Dialog open title=Signal::derive(heading) name="workspace-dialog">
            {live(move || match state.dialog.get() {
                Some(WorkspaceDialog::Create) => view! { <CreateForm close /> }.into_any(),
                Some(WorkspaceDialog::Rename(workspace)) => view! { <RenameForm workspace close /> }.into_any(),
                Some(WorkspaceDialog::Delete(workspace)) => view! { <DeleteQuestion workspace close /> }.into_any(),
                None => ().into_any(),
            })}
        </Dialog>
    }
}

#[component]
fn CreateForm(close: Callback<()>) -> impl IntoView {
    let (state, overview) = (WorkspacesState::expect(), OverviewState::expect());
    let node = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let project = RwSignal::new(None::<ProjectId>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        state.create(typed(node), project.get_untracked(), move |error| {
            let _ = problem.try_set(Some(error.to_string()));
        });
    };
    let options = move || {
        let none = Choice { text: "None".to_owned(), ..Choice::default() };
        let one =
            |one: Project| Choice { value: one.id.to_string(), text: one.name, chosen: false };
        std::iter::once(none).chain(overview.projects.get().into_iter().map(one)).collect()
    };
    view! {
        <form on:submit=submit>
            <Field label="Name" name="workspace-name-field" node problem first=true placeholder="optional" />
            {choice("Project", "workspace-project", options, move |value| project.set(value.parse().ok()))}
            <FormButtons close verb="Create" name="workspace-dialog-submit" />
        </form>
    }
}

#[component]
fn RenameForm(workspace: WorkspaceSummary, close: Callback<()>) -> impl IntoView {
    let state = WorkspacesState::expect();
    let node = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let WorkspaceSummary { id, name: value, .. } = workspace;
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        state.rename(&id, typed(node).unwrap_or_default(), move |error| {
            let _ = problem.try_set(Some(error.to_string()));
        });
    };
    view! {
        <form on:submit=submit>
            <Field label="Name" name="workspace-name-field" node value problem first=true placeholder="its id" />
            <FormButtons close verb="Rename" name="workspace-dialog-submit" />
        </form>
    }
}

#[component]
fn DeleteQuestion(workspace: WorkspaceSummary, close: Callback<()>) -> impl IntoView {
    let state = WorkspacesState::expect();
    let problem = RwSignal::new(None::<String>);
    let WorkspaceSummary { id, sessions, .. } = workspace;
    let is_used = sessions > 0;
    let text = match sessions {
        0 => "Its files are deleted here. What was in the folders of sessions stays there. This cannot be undone."
            .to_owned(),
        1 => "A session uses it. End or delete that session first.".to_owned(),
        count => format!("{count} sessions use it. End or delete them first."),
    };
    let agreed = move |_| {
        state.delete(&id, move |error| _ = problem.try_set(Some(error.to_string())));
    };
    view! {
        <p>{text}</p>
        <p class="problem" role="alert" data-testid="delete-problem">{move || problem.get()}</p>
        <div class="actions">
            <button class="button" on:click=move |_| close.run(())>"Keep"</button>
            <button class="button danger" data-testid="confirm-delete-workspace" disabled=is_used on:click=agreed>
                "Delete"
            </button>
        </div>
    }
}
