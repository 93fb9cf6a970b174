//! The head of a session's page: the session's state at a glance, and its actions.

use leptos::html;
use leptos::prelude::*;

use moorline_shared::event::Activity;

use super::record::Record;
use crate::bindings::page;
use crate::session::actions::{Actions, FORK_HINT};
use crate::session::words;
use crate::ui::{Action, Icon, IconName, When};

/// Shows the name, the state and the actions.
#[component]
pub fn Head() -> impl IntoView {
    let record = Record::expect();
    let field = move |read: fn(&moorline_shared::rest::SessionSummary) -> String| {
        move || record.summary().map(|session| read(&session)).unwrap_or_default()
    };
    let running = move || {
        let told = record.status().and_then(|status| status.command.clone());
        let session = record.summary()?;
        let running = told.or_else(|| session.running.clone());
        running.filter(|_| !session.lifecycle.is_over())
    };
    let failed = move || {
        let session = record.summary()?;
        let waits = session.status == Activity::Idle && !session.lifecycle.is_over();
        session.last_exit_code.filter(|code| waits && *code != 0)
    };
    view! {
        <header class="session-head">
            <Name />
            <p class="session-state">
                <span
                    class="state"
                    data-tone=field(|session| words::tone(session).to_owned())
                    data-testid="session-state"
                >
                    {move || record.summary().map(|session| words::state(&session))}
                </span>
                <When condition=move || failed().is_some()>
                    <span class="event-code" title="Last command's result">
                        "exit " {move || failed()}
                    </span>
                </When>
                <When condition=move || running().is_some()>
                    <code class="session-running" title="Running now">{move || running()}</code>
                </When>
                <code class="session-folder" title="Folder">{move || record.folder()}</code>
            </p>
            <ActionBar />
        </header>
    }
}

/// The name, which can be changed in place.
#[component]
fn Name() -> impl IntoView {
    let record = Record::expect();
    let editing = RwSignal::new(false);
    let name = Memo::new(move |_| record.summary().map(|s| words::name(&s)).unwrap_or_default());
    view! {
        <div class="session-name">
            <h1 data-testid="title" hidden=move || editing.get()><bdi>{move || name.get()}</bdi></h1>
            {move || if editing.get() {
                view! { <Rename editing /> }.into_any()
            } else {
                view! {
                    <button
                        class="icon-button"
                        title="Rename"
                        aria-label="Rename"
                        data-testid="rename"
                        on:click=move |_| editing.set(true)
                    >
                        <Icon name=IconName::Pencil />
                    </button>
                }
                .into_any()
            }}
        </div>
    }
}

#[component]
fn Rename(editing: RwSignal<bool>) -> impl IntoView {
    let record = Record::expect();
    let actions = Actions::expect();
    let node = NodeRef::<html::Input>::new();
    let session = untrack(|| record.summary());
    let known = session.and_then(|session| words::given_name(&session));
    let before = known.clone().unwrap_or_default();
    node.on_load(|field| {
        field.select();
        page::focus_soon(field.into());
    });
    let keep = move || {
        // Removing the field takes its focus, which calls this again.
        if !editing.get_untracked() {
            return;
        }
        let name = node.get_untracked().map(|field| field.value()).unwrap_or_default();
        let name = name.trim().to_owned();
        editing.set(false);
        if name != before {
            actions.rename(&record.id(), name);
        }
    };
    let submit = keep.clone();
    view! {
        <form
            class="session-rename"
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
        >
            <input
                node_ref=node
                value=known.unwrap_or_default()
                aria-label="Name of the session"
                placeholder="No name"
                autocomplete="off"
                spellcheck="false"
                data-testid="rename-field"
                on:blur=move |_| keep()
                on:keydown=move |event| {
                    if event.key() == "Escape" {
                        event.stop_propagation();
                        editing.set(false);
                    }
                }
            />
        </form>
    }
}

/// The session's actions, except those that have a place of their own.
#[component]
fn ActionBar() -> impl IntoView {
    let record = Record::expect();
    let bar = move || {
        // The name is changed in place, and the bar opens the terminal.
        let all = record.actions().into_iter();
        all.filter(|action| !["rename", "open"].contains(&action.name)).map(button).collect_view()
    };
    view! { <div class="session-actions" role="group" aria-label="Actions">{bar}</div> }
}

fn button(action: Action) -> AnyView {
    let Action { name, title, icon, run, keys, .. } = action;
    let does = if name == "fork" { FORK_HINT } else { &title };
    let hint = format!("{does} ({keys})");
    view! {
        <button class=if name == "delete" { "button dire" } else { "button" } title=hint data-testid=name on:click=move |_| run.run(())>
            <Icon name=icon />
            <span>{title}</span>
        </button>
    }
    .into_any()
}
