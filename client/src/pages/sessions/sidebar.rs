//! The sidebar with the projects. Each is a shelf of the list.

use leptos::prelude::*;
use moorline_shared::id::ProjectId;

use super::desk::{Ask, Desk};
use super::store::SessionsStore;
use crate::bindings::dialog as popover;
use crate::session::catalogue::Sessions;
use crate::session::route::{PageRoute, Shelf};
use crate::ui::{Icon, IconName};

const SIDEBAR: &str = "projects";

/// Lists all shelves. On a narrow page this is a drawer that [`ShelfButton`] opens.
#[component]
pub fn Sidebar() -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let count = move |shelf: &Shelf| {
        let mine = |sessions: &Sessions| {
            sessions.iter().filter(|session| shelf.holds(session.project.as_ref())).count()
        };
        store.sessions.with(|sessions| sessions.as_ref().map(mine))
    };
    let entry = move |shelf: Shelf, icon, name: String| {
        let own = shelf.clone();
        let count = Signal::derive(move || count(&own));
        view! { <Entry shelf icon name count /> }
    };
    let projects = move || {
        let all = store.projects.get().into_iter();
        all.map(|project| entry(Shelf::Project(project.id), IconName::Folder, project.name))
            .collect_view()
    };
    view! {
        <nav id=SIDEBAR class="side" popover="auto" aria-label="Projects" data-testid="sidebar">
            <ul class="shelves">
                {entry(Shelf::All, IconName::Stack, "All sessions".to_owned())}
                {entry(Shelf::Loose, IconName::Prompt, "No project".to_owned())}
            </ul>
            <h2 class="side-title" id="projects-title">"Projects"</h2>
            <ul class="shelves" aria-labelledby="projects-title">
                {projects}
            </ul>
            <button
                class="shelf-new"
                data-testid="new-project"
                on:click=move |_| ask(desk, None)
            >
                <Icon name=IconName::Plus />
                <span>"New project"</span>
            </button>
        </nav>
    }
}

fn ask(desk: Desk, project: Option<ProjectId>) {
    popover::hide(SIDEBAR);
    desk.ask(Ask::Project(project));
}

#[component]
fn Entry(
    shelf: Shelf,
    icon: IconName,
    name: String,
    count: Signal<Option<usize>>,
) -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let href = PageRoute::Sessions { shelf: shelf.clone() }.address();
    let edit = shelf.project().cloned().map(|id| {
        let label = format!("Edit project {name}");
        view! {
            <button
                class="icon-button"
                title="Edit"
                aria-label=label
                data-testid="edit-project"
                on:click=move |_| ask(desk, Some(id.clone()))
            >
                <Icon name=IconName::Pencil />
            </button>
        }
    });
    let current = Memo::new(move |_| store.router.shelf() == shelf);
    let title = name.clone();
    view! {
        <li class="shelf" class:current=current>
            <a
                href=href
                aria-current=move || current.get().then_some("page")
                title=title
                data-testid="shelf"
                on:click=|_| popover::hide(SIDEBAR)
            >
                <Icon name=icon />
                <bdi class="shelf-name">{name}</bdi>
                <span class="count">{count}</span>
            </a>
            {edit}
        </li>
    }
}

/// Shows the current shelf's name. On a narrow page it opens the sidebar.
#[component]
pub fn ShelfButton() -> impl IntoView {
    let store = SessionsStore::expect();
    view! {
        <button
            class="button quiet shelf-button"
            popovertarget=SIDEBAR
            aria-label=move || format!("Projects, {} is shown", shelf_name(store))
            data-testid="shelf-button"
        >
            <bdi>{move || shelf_name(store)}</bdi>
            <Icon name=IconName::Down />
        </button>
    }
}

/// Returns the name of the current shelf; tracked.
pub(super) fn shelf_name(store: SessionsStore) -> String {
    match store.router.shelf() {
        Shelf::All => "All sessions".to_owned(),
        Shelf::Loose => "No project".to_owned(),
        Shelf::Project(id) => {
            store.project(&id).map_or_else(|| "Project".to_owned(), |project| project.name)
        }
    }
}
