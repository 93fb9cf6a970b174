//! The projects: each a shelf of the list.

use std::collections::HashMap;

use leptos::prelude::*;
use moorline_shared::id::ProjectId;

use super::desk::{Ask, Desk};
use super::store::Store;
use crate::bindings::dialog as popover;
use crate::components::{Icon, IconName};
use crate::route::{Route, Shelf};

const SIDEBAR: &str = "projects";

/// How many sessions are on each shelf.
type Counts = HashMap<Option<ProjectId>, usize>;

/// All shelves. Where the page is narrow it is a drawer that [`ShelfButton`] opens.
#[component]
pub fn Sidebar() -> impl IntoView {
    let (store, desk) = (Store::expect(), Desk::expect());
    let counts = Memo::new(move |_| {
        let mut counts = Counts::new();
        store.sessions.with(|sessions| {
            for session in sessions.iter().flat_map(|sessions| sessions.values()) {
                *counts.entry(session.project.clone()).or_default() += 1;
            }
        });
        counts
    });
    let projects = Memo::new(move |_| store.projects.get());
    let all = move || counts.with(|counts| counts.values().sum());
    let loose = move || counts.with(|counts| counts.get(&None).copied().unwrap_or_default());
    view! {
        <nav id=SIDEBAR class="side" popover="auto" aria-label="Projects" data-testid="sidebar">
            <ul class="shelves">
                <Entry shelf=Shelf::All icon=IconName::Stack name="All sessions" count=Signal::derive(all) />
                <Entry shelf=Shelf::Loose icon=IconName::Prompt name="No project" count=Signal::derive(loose) />
            </ul>
            <h2 class="side-title" id="projects-title">"Projects"</h2>
            <ul class="shelves" aria-labelledby="projects-title">
                <For each=move || projects.get() key=|project| (project.id.clone(), project.name.clone()) let:project>
                    {
                        let id = project.id.clone();
                        let of = Some(project.id.clone());
                        let count = move || counts.with(|counts| counts.get(&of).copied().unwrap_or_default());
                        let edit = format!("Edit project {}", project.name);
                        view! {
                            <Entry
                                shelf=Shelf::Project(project.id)
                                icon=IconName::Folder
                                name=project.name
                                count=Signal::derive(count)
                            >
                                <button
                                    class="icon-button"
                                    title="Edit"
                                    aria-label=edit.clone()
                                    data-testid="edit-project"
                                    on:click={
                                        let id = id.clone();
                                        move |_| ask(desk, Some(id.clone()))
                                    }
                                >
                                    <Icon name=IconName::Pencil />
                                </button>
                            </Entry>
                        }
                    }
                </For>
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
    #[prop(into)] name: String,
    count: Signal<usize>,
    #[prop(optional)] children: Option<ChildrenFn>,
) -> impl IntoView {
    let store = Store::expect();
    let href = Route::Sessions { shelf: shelf.clone() }.address();
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
                <span class="shelf-name">{name}</span>
                <span class="count">{count}</span>
            </a>
            {children.map(|children| children())}
        </li>
    }
}

/// Opens the sidebar where it is a drawer, and says which shelf is shown.
#[component]
pub fn ShelfButton() -> impl IntoView {
    let store = Store::expect();
    view! {
        <button
            class="button quiet shelf-button"
            popovertarget=SIDEBAR
            aria-label=move || format!("Projects, {} is shown", shelf_name(store))
            data-testid="shelf-button"
        >
            <span>{move || shelf_name(store)}</span>
            <Icon name=IconName::Down />
        </button>
    }
}

/// What the shelf of now is called; tracked.
pub(super) fn shelf_name(store: Store) -> String {
    match store.router.shelf() {
        Shelf::All => "All sessions".to_owned(),
        Shelf::Loose => "No project".to_owned(),
        Shelf::Project(id) => {
            store.project(&id).map_or_else(|| "Project".to_owned(), |project| project.name)
        }
    }
}
