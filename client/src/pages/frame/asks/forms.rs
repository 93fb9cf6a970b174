//! The forms and confirmations for sessions and projects.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::session::TMUX_DRIVER;

use crate::session::actions::{Actions, Ask};
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::field::typed;
use crate::ui::when::live;
use crate::ui::{Field, Icon, IconName, When};

/// Asks for confirmation before sessions are deleted.
#[component]
pub fn DeleteSessions(
    /// The sessions to delete.
    ids: Vec<SessionId>,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let (actions, overview) = (Actions::expect(), OverviewState::expect());
    let is_over = |id: &SessionId| overview.session(id).is_some_and(|s| s.lifecycle.is_over());
    let is_pane = |id: &SessionId| {
        overview.session(id).is_some_and(|s| s.driver == TMUX_DRIVER && !s.lifecycle.is_over())
    };
    let panes = untrack(|| ids.iter().filter(|id| is_pane(id)).count());
    let text = match (untrack(|| ids.iter().all(is_over)), ids.len() == 1) {
        (false, true) => "This stops the program and deletes its output. This cannot be undone.",
        (false, false) => {
            "This stops the programs and deletes their output. This cannot be undone."
        }
        (true, true) => "This deletes its output. This cannot be undone.",
        (true, false) => "This deletes their output. This cannot be undone.",
    };
    let text = match panes {
        0 => text,
        all if all == ids.len() => {
            "tmux keeps the pane and its program. Only the session here and its output are deleted."
        }
        _ => {
            "This deletes their output and stops their programs, except in panes of tmux, which stay."
        }
    };
    let agree = Callback::new(move |()| actions.delete(ids.clone()));
    view! { <Verdict text verb="Delete" agree close /> }
}

/// Asks for confirmation before a project is deleted.
#[component]
pub fn DeleteProject(
    /// The project to delete.
    id: ProjectId,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let actions = Actions::expect();
    let agree = Callback::new(move |()| actions.delete_project(id.clone()));
    view! { <Verdict text="Its sessions are kept, without a project." verb="Delete" agree close /> }
}

/// Asks for confirmation before all browsers with the same token are logged out.
#[component]
pub fn LogOutEverywhere(
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let actions = Actions::expect();
    let text = if actions.keeps_token() {
        "This ends the access of this browser, and of every other one that has logged in by \
         `moorline open` or has exchanged the same token for a cookie. Whoever has a token that was \
         pasted can come back with it until it is revoked."
    } else {
        "This ends the access of every browser that has logged in with the same token or with a code \
         for it, this one included. The token itself stays valid until it is revoked."
    };
    let agree = Callback::new(move |()| actions.log_out(true));
    view! { <Verdict text verb="Log out everywhere" agree close /> }
}

/// A question with two answers.
#[component]
fn Verdict(
    text: &'static str,
    verb: &'static str,
    agree: Callback<()>,
    close: Callback<()>,
) -> impl IntoView {
    let agreed = move |_| {
        agree.run(());
        close.run(());
    };
    view! {
        <p>{text}</p>
        <div class="actions">
            <button class="button" on:click=move |_| close.run(())>"Cancel"</button>
            <button class="button danger" data-testid="confirm" on:click=agreed>{verb}</button>
        </div>
    }
}

/// Asks for the project to move sessions to.
#[component]
pub fn MoveSessions(
    /// The sessions to move.
    ids: Vec<SessionId>,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let (actions, overview) = (Actions::expect(), OverviewState::expect());
    // The project of all of them, if they share one.
    let ids = StoredValue::new(ids);
    let from = move || {
        let project = |id: &SessionId| overview.session(id).map(|session| session.project.clone());
        let mut projects: Vec<_> = ids.with_value(|ids| ids.iter().map(project).collect());
        projects.dedup();
        if projects.len() == 1 { projects.pop().flatten() } else { None }
    };
    let place = move |icon, name: String, to: Option<ProjectId>| {
        let here = from() == Some(to.clone());
        let go = move |_| {
            ids.with_value(|ids| actions.move_to(ids, to.clone()));
            close.run(());
        };
        view! {
            <button class="menu-item" data-testid="move-to" disabled=here on:click=go>
                <Icon name=icon />
                <bdi>{name}</bdi>
                {here.then_some("(current)")}
            </button>
        }
    };
    let places = live(move || {
        let all = overview.projects.get().into_iter();
        let all = all.map(|project| place(IconName::Folder, project.name, Some(project.id)));
        let none = place(IconName::Prompt, "No project".to_owned(), None);
        (all.collect_view(), none).into_any()
    });
    view! {
        <div class="places">{places}</div>
        <When condition=move || overview.projects.with(Vec::is_empty)>
            <p>"There are no projects yet."</p>
        </When>
        <div class="actions">
            <button class="button quiet" on:click=move |_| actions.ask(Ask::Project(None))>
                "New project…"
            </button>
            <button class="button" on:click=move |_| close.run(())>"Cancel"</button>
        </div>
    }
}

/// Asks for a session's name.
#[component]
pub fn RenameForm(
    /// The session to rename.
    id: SessionId,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let (actions, overview) = (Actions::expect(), OverviewState::expect());
    let node = NodeRef::<html::Input>::new();
    let session = untrack(|| overview.session(&id));
    let value = session.and_then(|session| words::given_name(&session)).unwrap_or_default();
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        actions.rename(&id, typed(node).unwrap_or_default());
        close.run(());
    };
    view! {
        <form on:submit=save>
            <Field label="Name" name="name" node value placeholder="Leave empty to use the command's name" first=true />
            <FormActions close verb="Rename" />
        </form>
    }
}

/// Asks for a project's name and folder.
#[component]
pub fn ProjectForm(
    /// The project to change; `None` to create one.
    id: Option<ProjectId>,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let (actions, overview) = (Actions::expect(), OverviewState::expect());
    let (name, directory) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let problem = RwSignal::new(None::<String>);
    let known = id.as_ref().and_then(|id| untrack(|| overview.project(id)));
    let (known_name, known_directory) = known
        .map(|project| (project.name, project.directory.unwrap_or_default()))
        .unwrap_or_default();
    let own = StoredValue::new(id.clone());
    let verb = if id.is_some() { "Save" } else { "Create" };
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(name) = typed(name) else {
            problem.set(Some("A project needs a name.".to_owned()));
            return;
        };
        actions.save_project(own.get_value(), name, typed(directory).unwrap_or_default());
        close.run(());
    };
    view! {
        <form on:submit=save>
            <Field label="Name" name="project-name" node=name value=known_name problem first=true />
            <Field
                label="Folder"
                name="project-directory"
                node=directory
                value=known_directory
                placeholder="home"
                mono=true
            />
            <div class="actions">
                {id.map(|id| {
                        view! {
                            <button
                                type="button"
                                class="button quiet bad"
                                data-testid="delete-project"
                                on:click=move |_| actions.ask(Ask::DeleteProject(id.clone()))
                            >
                                "Delete…"
                            </button>
                            <span class="bar-fill"></span>
                        }
                    })}
                <button type="button" class="button" on:click=move |_| close.run(())>
                    "Cancel"
                </button>
                <button class="button primary" data-testid="save">
                    {verb}
                </button>
            </div>
        </form>
    }
}

/// The buttons that cancel or submit a form.
#[component]
pub fn FormActions(
    /// Called to close the dialog.
    close: Callback<()>,
    /// Label of the submit button.
    verb: &'static str,
) -> impl IntoView {
    view! {
        <div class="actions">
            <button type="button" class="button" on:click=move |_| close.run(())>"Cancel"</button>
            <button class="button primary" data-testid="start">{verb}</button>
        </div>
    }
}
