//! What is asked before an action is done, and what is said of one that failed.

use std::sync::Arc;

use gloo_timers::callback::Timeout;
use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::ProjectId;
use moorline_shared::rest::SessionSummary;

use crate::actions::{Actions, Ask};
use crate::bindings::keyboard;
use crate::components::dialog::Dialog;
use crate::components::field::{Field, typed};
use crate::components::when::effect;
use crate::components::{Icon, IconName, When, words};
use crate::overview::Overview;

const PROBLEM_MS: u32 = 10_000;

/// Asks whatever [`Actions`] wants to be asked.
#[component]
pub fn Asks() -> impl IntoView {
    let actions = Actions::expect();
    let open = RwSignal::new(false);
    effect(move || {
        let asked = actions.ask.with(Option::is_some);
        if asked != open.get_untracked() {
            open.set(asked);
        }
    });
    effect(move || {
        if !open.get() && actions.ask.with_untracked(Option::is_some) {
            actions.ask.set(None);
        }
    });
    let title = move || match actions.ask.get() {
        Some(Ask::Rename(session)) => format!("Rename {}", words::name(&session)),
        Some(Ask::Move(session)) => format!("Move {}", words::name(&session)),
        Some(Ask::Delete(session)) => format!("Delete {}?", words::name(&session)),
        Some(Ask::Keys) => "Keyboard shortcuts".to_owned(),
        None => String::new(),
    };
    let content = move || match actions.ask.get() {
        Some(Ask::Rename(session)) => view! { <RenameForm session /> }.into_any(),
        Some(Ask::Move(session)) => view! { <MoveForm session /> }.into_any(),
        Some(Ask::Delete(session)) => view! { <DeleteForm session /> }.into_any(),
        Some(Ask::Keys) => view! { <KeyHelp /> }.into_any(),
        None => ().into_any(),
    };
    view! {
        <Dialog open title=Signal::derive(title) name="ask">{content}</Dialog>
        <Problem />
    }
}

#[component]
fn RenameForm(session: Arc<SessionSummary>) -> impl IntoView {
    let actions = Actions::expect();
    let node = NodeRef::<html::Input>::new();
    let id = session.session_id.clone();
    // The id stands for a missing name.
    let known = Some(session.name.clone()).filter(|name| *name != id.as_str());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        actions.rename(id.clone(), typed(node).unwrap_or_default());
        actions.ask.set(None);
    };
    view! {
        <form on:submit=submit>
            <Field
                label="Name"
                name="new-name"
                node
                value=known.unwrap_or_default()
                placeholder="Without a name"
                first=true
            />
            <Answers yes="Rename" />
        </form>
    }
}

#[component]
fn MoveForm(session: Arc<SessionSummary>) -> impl IntoView {
    let actions = Actions::expect();
    let overview = Overview::expect();
    overview.follow();
    let now = session.project.clone();
    let id = session.session_id.clone();
    let button = move |project: Option<ProjectId>, name: String| {
        let (id, here) = (id.clone(), project == now);
        let icon = if project.is_some() { IconName::Folder } else { IconName::Stack };
        let go = move |_| {
            actions.move_to(id.clone(), project.clone());
            actions.ask.set(None);
        };
        view! {
            <li>
                <button class="menu-item" disabled=here on:click=go>
                    <Icon name=icon />
                    <span>{name}</span>
                    {here.then_some("here")}
                </button>
            </li>
        }
    };
    let projects = move || {
        let projects = overview.projects.get();
        let none = button(None, "No project".to_owned());
        let all = projects.into_iter().map(|project| button(Some(project.id), project.name));
        (all.collect_view(), none)
    };
    view! {
        <p>"A session of a project is listed with the project's others."</p>
        <ul class="choice-list" aria-label="Projects">{projects}</ul>
        <div class="actions">
            <button class="button" on:click=move |_| actions.ask.set(None)>"Cancel"</button>
        </div>
    }
}

#[component]
fn DeleteForm(session: Arc<SessionSummary>) -> impl IntoView {
    let actions = Actions::expect();
    let id = session.session_id.clone();
    let text = if session.lifecycle.is_over() {
        "What it has left to read is removed. This cannot be undone."
    } else {
        "Its processes are ended and its output is removed. This cannot be undone."
    };
    let agree = move |_| {
        actions.delete(id.clone());
        actions.ask.set(None);
    };
    view! {
        <p>{text}</p>
        <div class="actions">
            <button class="button" on:click=move |_| actions.ask.set(None)>"Keep"</button>
            <button class="button danger" data-testid="confirm" on:click=agree>"Delete"</button>
        </div>
    }
}

#[component]
fn Answers(yes: &'static str) -> impl IntoView {
    let actions = Actions::expect();
    view! {
        <div class="actions">
            <button type="button" class="button" on:click=move |_| actions.ask.set(None)>
                "Cancel"
            </button>
            <button class="button primary" data-testid="confirm">{yes}</button>
        </div>
    }
}

type KeyRow = (&'static str, &'static str);

const EVERYWHERE: [KeyRow; 2] = [("Ctrl+K", "All commands"), ("?", "These keys")];
const EVERYWHERE_APPLE: [KeyRow; 2] = [("⌘K", "All commands"), ("?", "These keys")];
const LIST: [KeyRow; 11] = [
    ("n", "New shell"),
    ("c", "Run a command"),
    ("/", "Search"),
    ("j  k", "Down and up"),
    ("Enter", "Open the terminal"),
    ("d", "Show the details"),
    ("x  a", "Select one, all"),
    ("r", "Rename"),
    ("m", "Move to a project"),
    ("Del", "Delete"),
    (".", "More"),
];
const SESSION: [KeyRow; 8] = [
    ("t", "Open the terminal"),
    ("p", "Type a line to send"),
    ("r", "Rename"),
    ("d", "Duplicate"),
    ("f", "Fork"),
    ("m", "Move to a project"),
    ("Del", "Delete"),
    ("l", "All sessions"),
];
const TERMINAL: [KeyRow; 7] = [
    ("Ctrl+Shift+P", "All commands"),
    ("Ctrl+Shift+K", "Switch to another session"),
    ("Ctrl+Shift+L", "All sessions"),
    ("Ctrl+Shift+F", "Search"),
    ("Ctrl+Shift+C", "Copy"),
    ("Ctrl+Shift+V", "Paste"),
    ("Ctrl+Shift + − 0", "Larger, smaller, usual letters"),
];

/// The keys of every page.
#[component]
fn KeyHelp() -> impl IntoView {
    let actions = Actions::expect();
    let everywhere: &[KeyRow] = if keyboard::is_apple() { &EVERYWHERE_APPLE } else { &EVERYWHERE };
    let sections: [(&str, &[KeyRow]); 4] = [
        ("Everywhere but in a terminal", everywhere),
        ("All sessions", &LIST),
        ("A session", &SESSION),
        ("A terminal", &TERMINAL),
    ];
    let sections = sections.map(|(title, rows)| {
        let rows = rows.iter().map(|(keys, what)| {
            view! { <div class="key-row"><dt><kbd>{*keys}</kbd></dt><dd>{*what}</dd></div> }
        });
        view! {
            <section>
                <h3>{title}</h3>
                <dl>{rows.collect_view()}</dl>
            </section>
        }
    });
    view! {
        <div class="key-help">{sections.collect_view()}</div>
        <div class="actions">
            <button class="button" on:click=move |_| actions.ask.set(None)>"Close"</button>
        </div>
    }
}

/// Why an action failed, for a while.
#[component]
fn Problem() -> impl IntoView {
    let actions = Actions::expect();
    let timer = StoredValue::new_local(None::<Timeout>);
    effect(move || {
        let shown = actions.problem.with(Option::is_some);
        let hide = move || actions.problem.set(None);
        timer.set_value(shown.then(|| Timeout::new(PROBLEM_MS, hide)));
    });
    view! {
        <div class="toast-place over" role="alert">
            <When condition=move || actions.problem.with(Option::is_some)>
                <div class="toast" data-testid="action-problem">
                    <span>{move || actions.problem.get().map(|problem| problem.to_string())}</span>
                    <button
                        class="icon-button"
                        aria-label="Close"
                        on:click=move |_| actions.problem.set(None)
                    >
                        <Icon name=IconName::Cross />
                    </button>
                </div>
            </When>
        </div>
    }
}
