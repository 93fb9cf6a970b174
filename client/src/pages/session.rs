//! The page of one session: its past and present.

pub mod head;
pub mod history;
pub mod log;
pub mod output;
pub mod preview;
mod record;
pub mod side;
pub mod timeline;
pub mod titles;

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::bindings::keyboard::{self, Keys, Press};
use crate::bindings::page;
use crate::pages::frame::back::BackLink;
use crate::pages::frame::menu::AppMenu;
use crate::pages::frame::stream_status::StreamPill;
use crate::session::actions::Actions;
use crate::session::route::{PageRoute, Shelf};
use crate::session::words;
use crate::ui::menu::MenuButton;
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName, When};
use head::Head;
use log::Log;
use output::{Output, PROMPT};
use record::{Presence, Record};
use side::{About, Activity, Connections, Files};

/// Shows everything of a session except its terminal.
#[component]
pub fn SessionPage(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let record = Record::provide(id.clone());
    let retry = Callback::new(move |()| record.reconnect());
    let here = move || record.presence.get() == Presence::Here;
    let terminal = PageRoute::Terminal(id.clone()).address();
    effect(move || {
        let name = record.summary().map(|session| words::name(&session));
        page::set_title(name.as_deref().unwrap_or("Session"));
    });
    let keys = keyboard::page_keys(move |press| shortcut(record, press));
    let _: StoredValue<Keys, LocalStorage> = StoredValue::new_local(keys);
    view! {
        <div class="page">
            <header class="bar">
                <BackLink />
                <Crumbs />
                <span class="bar-fill"></span>
                <When condition=here>
                    <StreamPill status=record.stream retry />
                </When>
                <When condition=here>
                    <a href=terminal.clone() class="button primary" data-testid="open-terminal">
                        <Icon name=IconName::Prompt />
                        <span>"Terminal"</span>
                    </a>
                </When>
                <MenuButton />
            </header>
            <AppMenu />
            <main class="session" data-testid="session-page">{content(record, id)}</main>
        </div>
    }
}

/// Handles the keys of the session's actions, and two of the page. Returns true for a key that it
/// handles.
fn shortcut(record: Record, press: &Press) -> bool {
    if !press.plain() {
        return false;
    }
    match press.latin().as_str() {
        "l" => record.to_list(),
        "p" => page::focus_id(PROMPT),
        key => {
            let actions = untrack(|| record.actions());
            let Some(action) = actions.into_iter().find(|action| action.keys == key) else {
                return false;
            };
            action.run.run(());
        }
    }
    true
}

fn content(record: Record, id: SessionId) -> AnyView {
    // The record is loaded anew after each gap; what is drawn, focused and scrolled stays.
    let presence = Memo::new(move |_| record.presence.get());
    live(move || match presence.get() {
        Presence::Unknown => view! { <Waiting /> }.into_any(),
        Presence::Here => view! {
            <Head />
            <div class="session-grid">
                <Output />
                <div class="session-side">
                    <Activity />
                    <About />
                    <Connections />
                    <Files />
                </div>
                <Log />
            </div>
        }
        .into_any(),
        Presence::Missing => view! {
            <Nothing
                title="Session not found"
                text=format!("The session {id} does not exist. It may have been deleted.")
            />
        }
        .into_any(),
        Presence::Deleted => view! {
            <Nothing
                title="This session was deleted"
                text="Its process was ended and its output was removed.".to_owned()
            />
        }
        .into_any(),
    })
}

/// Links to the list of all sessions, and to that of the session's project.
#[component]
fn Crumbs() -> impl IntoView {
    let record = Record::expect();
    let overview = crate::session::overview::OverviewState::expect();
    let project = live(move || {
        let id = record.summary().and_then(|session| session.project.clone());
        let link = id.and_then(|id| {
            let name = overview.project_name(&id)?;
            let address = PageRoute::Sessions { shelf: Shelf::Project(id) }.address();
            Some(view! { <a href=address><bdi>{name}</bdi></a> }.into_any())
        });
        link.unwrap_or_else(|| ().into_any())
    });
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/sessions">"Sessions"</a>
            {project}
        </nav>
    }
}

/// Shown until the session is known.
#[component]
fn Waiting() -> impl IntoView {
    let record = Record::expect();
    view! {
        <div role="alert">
            <When condition=move || record.problem.with(Option::is_some)>
                <div class="notice bad" data-testid="problem">
                    <span>{move || record.problem.get()}</span>
                    <button class="button quiet" on:click=move |_| record.load()>
                        <Icon name=IconName::Again />
                        <span>"Try again"</span>
                    </button>
                </div>
            </When>
        </div>
        <div class="session-ghost" aria-busy="true" role="status">
            <span class="unseen">"Loading the session"</span>
            <div></div>
            <div></div>
            <div></div>
        </div>
    }
}

/// Says that there is no session to show.
#[component]
fn Nothing(title: &'static str, text: String) -> impl IntoView {
    let actions = Actions::expect();
    view! {
        <div class="empty" data-testid="gone">
            <span class="empty-mark"><Icon name=IconName::Bin /></span>
            <h1>{title}</h1>
            <p>{text}</p>
            <div class="actions centred">
                <a href="/sessions" class="button primary">"All sessions"</a>
                <button class="button" on:click=move |_| actions.new_shell()>"New shell"</button>
            </div>
        </div>
    }
}
