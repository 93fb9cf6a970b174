//! The toolbar above the list: search and order, or the actions on the selection.

use leptos::html;
use leptos::prelude::*;

use super::desk::{Ask, Desk};
use super::order::Sort;
use super::sidebar::shelf_name;
use super::store::SessionsStore;
use crate::bindings::page;
use crate::session::catalogue::Sessions;
use crate::session::route::Shelf;
use crate::ui::{Icon, IconName, When};

/// Shows the shelf's name, the search and the order. The selection bar replaces the last two while
/// something is selected.
#[component]
pub fn Toolbar(
    /// Reference to the search field.
    field: NodeRef<html::Input>,
) -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let selects = Memo::new(move |_| !desk.selection().is_empty());
    let many = Memo::new(move |_| {
        let shelf = store.router.shelf();
        let searching = desk.wanted.with(|wanted| !wanted.is_empty());
        searching
            || store.sessions.with(|sessions| {
                let all = sessions.iter().flat_map(Sessions::iter);
                all.filter(|s| shelf.holds(s.project.as_ref())).nth(1).is_some()
            })
    });
    view! {
        <div class="toolbar">
            <Heading />
            <When condition=move || many.get() && !selects.get()>
                <Search field />
                <SortChoice />
            </When>
            <When condition=move || selects.get()>
                <SelectionBar />
            </When>
        </div>
    }
}

#[component]
fn Heading() -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let project = Memo::new(move |_| match store.router.shelf() {
        Shelf::Project(id) => store.project(&id),
        Shelf::All | Shelf::Loose => None,
    });
    let folder = move || project.with(|project| project.as_ref()?.directory.clone());
    let edit = move |_| {
        let id =
            project.with_untracked(|project| project.as_ref().map(|project| project.id.clone()));
        desk.ask(Ask::Project(id));
    };
    view! {
        <div class="heading">
            <h1 data-testid="shelf-title"><bdi>{move || shelf_name(store)}</bdi></h1>
            <When condition=move || project.with(Option::is_some)>
                <button
                    class="icon-button"
                    title="Edit this project"
                    aria-label="Edit this project"
                    on:click=edit
                >
                    <Icon name=IconName::Pencil />
                </button>
            </When>
            <span class="waiting" role="status" data-testid="waiting" title="Shown when you leave the list">
                {move || Some(desk.waiting()).filter(|new| *new > 0).map(|new| format!("{new} new"))}
            </span>
            <span class="heading-folder" title=folder><bdi>{move || folder()}</bdi></span>
        </div>
    }
}

#[component]
fn Search(field: NodeRef<html::Input>) -> impl IntoView {
    let desk = Desk::expect();
    view! {
        <input
            id="filter"
            node_ref=field
            class="filter"
            type="search"
            placeholder="Search"
            aria-label="Search sessions"
            title="Search (/)"
            autocapitalize="off"
            autocomplete="off"
            spellcheck="false"
            prop:value=desk.wanted
            on:input=move |event| desk.wanted.set(event_target_value(&event))
            on:keydown=move |event| leave(&event, desk)
        />
    }
}

fn leave(event: &leptos::ev::KeyboardEvent, desk: Desk) {
    match event.key().as_str() {
        "Escape" => desk.wanted.set(String::new()),
        "ArrowDown" | "Enter" => {}
        _ => return,
    }
    event.prevent_default();
    page::move_focus(".row-link", 1);
}

#[component]
fn SortChoice() -> impl IntoView {
    let desk = Desk::expect();
    let options = Sort::ALL.map(|sort| {
        view! {
            <option value=sort.name() selected=move || desk.sort.get() == sort>{sort.label()}</option>
        }
    });
    view! {
        <select
            class="select"
            aria-label="Sort by"
            title="Sort by"
            data-testid="sort"
            on:change=move |event| desk.sort_by(Sort::from_name(&event_target_value(&event)))
        >
            {options}
        </select>
    }
}

/// The actions on all selected sessions.
#[component]
fn SelectionBar() -> impl IntoView {
    let desk = Desk::expect();
    let count = Memo::new(move |_| desk.selection().len());
    let chosen = move || untrack(|| desk.selection());
    view! {
        <div class="selection" role="group" aria-label="Selection" data-testid="selection">
            <span role="status">{count} " selected"</span>
            <button class="button quiet" title="Select all (a)" on:click=move |_| desk.select_all()>
                "All"
            </button>
            <button class="button" data-testid="bulk-move" title="Move (m)" on:click=move |_| desk.ask(Ask::Move(chosen()))>
                <Icon name=IconName::Folder />
                <span>"Move…"</span>
            </button>
            <button class="button danger" data-testid="bulk-delete" title="Delete (Del)" on:click=move |_| desk.ask(Ask::Delete(chosen()))>
                <Icon name=IconName::Bin />
                <span>"Delete…"</span>
            </button>
            <button
                class="icon-button"
                title="Deselect (Esc)"
                aria-label="Deselect"
                on:click=move |_| {
                    desk.deselect();
                }
            >
                <Icon name=IconName::Cross />
            </button>
        </div>
    }
}
