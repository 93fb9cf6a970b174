//! What the page asks before it does something.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::{ProjectId, SessionId};

use super::create::CreateForm;
use super::desk::{Ask, Desk};
use super::store::Store;
use crate::components::dialog::Dialog;
use crate::components::field::typed;
use crate::components::when::effect;
use crate::components::{Field, Icon, IconName, When, words};

/// The dialog, whatever it asks.
#[component]
pub fn Dialogs() -> impl IntoView {
    let (store, desk) = (Store::expect(), Desk::expect());
    let open = RwSignal::new(false);
    effect(move || open.set(desk.asked.with(Option::is_some)));
    // The browser closes it on Escape.
    Effect::new(move |was: Option<bool>| {
        let is = open.get();
        if was == Some(true) && !is {
            desk.asked.set(None);
        }
        is
    });
    let close = Callback::new(move |()| open.set(false));
    let title = move || desk.asked.with(|asked| asked.as_ref().map(|ask| title(store, ask)));
    let content = move || match desk.asked.get() {
        Some(Ask::Create) => view! { <CreateForm close /> }.into_any(),
        Some(Ask::Delete(ids)) => view! { <DeleteSessions ids close /> }.into_any(),
        Some(Ask::Move(ids)) => view! { <MoveSessions ids close /> }.into_any(),
        Some(Ask::Rename(id)) => view! { <RenameForm id close /> }.into_any(),
        Some(Ask::Project(id)) => view! { <ProjectForm id close /> }.into_any(),
        Some(Ask::DeleteProject(id)) => view! { <DeleteProject id close /> }.into_any(),
        None => ().into_any(),
    };
    view! {
        <Dialog open title=Signal::derive(move || title().unwrap_or_default()) name="dialog">
            {content}
        </Dialog>
    }
}

fn title(store: Store, ask: &Ask) -> String {
    let of = |verb: &str, ids: &[SessionId]| match ids {
        [id] => format!("{verb} {}", session_name(store, id)),
        ids => format!("{verb} {} sessions", ids.len()),
    };
    match ask {
        Ask::Create => "Start a session".to_owned(),
        Ask::Delete(ids) => of("Delete", ids) + "?",
        Ask::Move(ids) => of("Move", ids) + " to",
        Ask::Rename(id) => format!("Rename {}", session_name(store, id)),
        Ask::Project(None) => "New project".to_owned(),
        Ask::Project(Some(_)) => "Project".to_owned(),
        Ask::DeleteProject(id) => format!("Delete project {}?", project_name(store, id)),
    }
}

fn session_name(store: Store, id: &SessionId) -> String {
    store.session(id).map_or_else(|| id.to_string(), |session| words::name(&session))
}

fn project_name(store: Store, id: &ProjectId) -> String {
    store.project(id).map_or_else(|| id.to_string(), |project| project.name)
}

#[component]
fn DeleteSessions(ids: Vec<SessionId>, close: Callback<()>) -> impl IntoView {
    let (store, desk) = (Store::expect(), Desk::expect());
    let runs = untrack(|| {
        let session = |id: &SessionId| store.session(id);
        ids.iter().filter_map(session).any(|session| !session.lifecycle.is_over())
    });
    let text = if runs {
        "What runs is ended and its output is removed. This cannot be undone."
    } else {
        "What is left to read is removed. This cannot be undone."
    };
    let agree = move |()| {
        store.delete(ids.clone());
        desk.deselect();
    };
    view! { <Verdict text verb="Delete" agree=Callback::new(agree) close /> }
}

#[component]
fn DeleteProject(id: ProjectId, close: Callback<()>) -> impl IntoView {
    let store = Store::expect();
    let agree = Callback::new(move |()| store.delete_project(id.clone()));
    view! { <Verdict text="Its sessions stay, without a project." verb="Delete" agree close /> }
}

/// A last question, and two answers.
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
            <button class="button" on:click=move |_| close.run(())>"Keep"</button>
            <button class="button danger" data-testid="confirm" on:click=agreed>{verb}</button>
        </div>
    }
}

#[component]
fn MoveSessions(ids: Vec<SessionId>, close: Callback<()>) -> impl IntoView {
    let (store, desk) = (Store::expect(), Desk::expect());
    // Where all of them are already.
    let from = untrack(|| {
        let projects = ids.iter().map(|id| store.session(id).map(|s| s.project.clone()));
        let mut projects: Vec<_> = projects.collect();
        projects.dedup();
        if projects.len() == 1 { projects.pop().flatten() } else { None }
    });
    let ids = StoredValue::new(ids);
    let place = move |icon, name: String, to: Option<ProjectId>| {
        let here = from == Some(to.clone());
        let go = move |_| {
            store.move_to(ids.get_value(), to.clone());
            desk.deselect();
            close.run(());
        };
        view! {
            <button class="menu-item" data-testid="move-to" disabled=here on:click=go>
                <Icon name=icon />
                <span>{name}</span>
                {here.then_some("now")}
            </button>
        }
    };
    let projects = untrack(|| store.projects.get());
    let none = projects.is_empty();
    let loose = place(IconName::Prompt, "No project".to_owned(), None);
    let projects = projects
        .into_iter()
        .map(|project| place(IconName::Folder, project.name, Some(project.id)))
        .collect_view();
    view! {
        <div class="places">{projects} {loose}</div>
        <When condition=move || none>
            <p>"There is no project yet."</p>
        </When>
        <div class="actions">
            <button class="button quiet" on:click=move |_| desk.ask(Ask::Project(None))>
                "New project…"
            </button>
            <button class="button" on:click=move |_| close.run(())>"Cancel"</button>
        </div>
    }
}

#[component]
fn RenameForm(id: SessionId, close: Callback<()>) -> impl IntoView {
    let store = Store::expect();
    let node = NodeRef::<html::Input>::new();
    // A session without a name is called by its id.
    let named = untrack(|| store.session(&id)).map(|session| session.name.clone());
    let value = named.filter(|name| name != id.as_str()).unwrap_or_default();
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        store.rename(id.clone(), typed(node).unwrap_or_default());
        close.run(());
    };
    view! {
        <form on:submit=save>
            <Field label="Name" name="name" node value placeholder="what it runs" first=true />
            <FormActions close verb="Rename" />
        </form>
    }
}

#[component]
fn ProjectForm(id: Option<ProjectId>, close: Callback<()>) -> impl IntoView {
    let (store, desk) = (Store::expect(), Desk::expect());
    let (name, directory) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let problem = RwSignal::new(None::<String>);
    let known = id.as_ref().and_then(|id| untrack(|| store.project(id)));
    let (known_name, known_directory) = known
        .map(|project| (project.name, project.directory.unwrap_or_default()))
        .unwrap_or_default();
    let own = StoredValue::new(id.clone());
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(name) = typed(name) else {
            problem.set(Some("A project needs a name.".to_owned()));
            return;
        };
        store.save_project(own.get_value(), name, typed(directory).unwrap_or_default());
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
                {id
                    .clone()
                    .map(|id| {
                        view! {
                            <button
                                type="button"
                                class="button quiet bad"
                                data-testid="delete-project"
                                on:click=move |_| desk.ask(Ask::DeleteProject(id.clone()))
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
                    {if id.is_some() { "Save" } else { "Create" }}
                </button>
            </div>
        </form>
    }
}

#[component]
pub fn FormActions(
    /// Closes the dialog.
    close: Callback<()>,
    /// What the form does.
    verb: &'static str,
) -> impl IntoView {
    view! {
        <div class="actions">
            <button type="button" class="button" on:click=move |_| close.run(())>"Cancel"</button>
            <button class="button primary" data-testid="start">{verb}</button>
        </div>
    }
}
