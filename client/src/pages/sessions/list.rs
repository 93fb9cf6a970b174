//! The list of the sessions page.

use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;

use super::desk::{Ask, Desk};
use super::hold::Aim;
use super::order::{BELOW, HEAD};
use super::row::Row;
use super::store::SessionsStore;
use crate::bindings::page;
use crate::pages::frame::hosts::NoHost;
use crate::session::StreamStatus;
use crate::session::api::RequestError;
use crate::session::route::{PageRoute, Shelf};
use crate::session::words;
use crate::ui::when::{each, live};
use crate::ui::{Icon, IconName, When};

/// The content of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Unknown,
    NoSuchProject,
    NoSessions,
    EmptyShelf,
    Rows,
}

/// Lists the sessions of the shelf, running sessions first.
#[component]
pub fn SessionList(
    /// Called to start a login shell.
    start_shell: Callback<()>,
) -> impl IntoView {
    let store = SessionsStore::expect();
    let content = Memo::new(move |_| {
        let shelf = store.router.shelf();
        store.sessions.with(|sessions| {
            let Some(sessions) = sessions else { return Content::Unknown };
            let of_shelf = |project| shelf.holds(project);
            match &shelf {
                Shelf::Project(id) if store.project(id).is_none() => Content::NoSuchProject,
                Shelf::All if sessions.is_empty() => Content::NoSessions,
                _ if !sessions.iter().any(|s| of_shelf(s.project.as_ref())) => Content::EmptyShelf,
                _ => Content::Rows,
            }
        })
    });
    live(move || match content.get() {
        Content::Unknown => view! { <Unknown /> }.into_any(),
        Content::NoSuchProject => view! { <NoSuchProject /> }.into_any(),
        Content::NoSessions => view! { <NoSessions start_shell /> }.into_any(),
        Content::EmptyShelf => view! { <EmptyShelf start_shell /> }.into_any(),
        Content::Rows => view! { <Rows /> }.into_any(),
    })
}

/// Shows the rows. While the user aims at one, all stay in their places.
#[component]
fn Rows() -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let hold = desk.hold;
    on_cleanup(move || hold.end());
    let clear = move || desk.ask(Ask::Delete(untrack(|| ended(store, desk))));
    view! {
        <div
            on:pointerenter=move |_| hold.aim(Aim::Pointer, true)
            on:pointerleave=move |_| hold.aim(Aim::Pointer, false)
            on:focusin=move |event| {
                hold.aim(Aim::Focus, page::shows_focus(&event_target(&event)));
            }
            on:focusout=move |_| hold.aim(Aim::Focus, false)
        >
            <Group title="Running" over=false />
            <Group title="Ended" over=true>
                <button class="button quiet" data-testid="clear" on:click=move |_| clear()>
                    "Delete all ended…"
                </button>
            </Group>
        </div>
        <When condition=move || desk.is_empty()>
            <p class="hint centred" role="status" data-testid="no-match">"No session matches."</p>
        </When>
    }
}

/// Returns the shown sessions that are over; tracked.
fn ended(store: SessionsStore, desk: Desk) -> Vec<SessionId> {
    let is_over = |id: &SessionId| store.session(id).is_some_and(|s| s.lifecycle.is_over());
    desk.shown(|place| place.is_over && is_over(&place.id))
}

#[component]
fn Group(
    title: &'static str,
    over: bool,
    #[prop(optional)] children: Option<ChildrenFn>,
) -> impl IntoView {
    let desk = Desk::expect();
    let ids = Memo::new(move |_| desk.shown(|place| place.is_over == over));
    let children = StoredValue::new(children);
    view! {
        <When condition=move || ids.with(|ids| !ids.is_empty())>
            <section class="group">
                <div class="group-head">
                    <h2>
                        {title} " " <span class="count">{move || ids.with(Vec::len)}</span>
                    </h2>
                    {children.with_value(|children| children.as_ref().map(|children| children()))}
                </div>
                <ul class="rows" data-testid="sessions">
                    {each(move || desk.rows(over), row)}
                </ul>
            </section>
        </When>
    }
}

/// Renders a row of [`Desk::rows`].
fn row(key: &str) -> AnyView {
    let (mark, id) = match key.chars().next() {
        Some(mark @ (HEAD | BELOW)) => (Some(mark), &key[1..]),
        _ => (None, key),
    };
    match (mark, id.parse()) {
        (Some(HEAD), Ok(id)) => view! { <PanesHead id /> }.into_any(),
        (mark, Ok(id)) => view! { <Row id is_below=mark.is_some() /> }.into_any(),
        (_, Err(_)) => ().into_any(),
    }
}

/// Heads the panes of one tmux session. `id` is the session of the first one.
#[component]
fn PanesHead(id: SessionId) -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let own = id.clone();
    let name = Memo::new(move |_| {
        let session = store.session(&own)?;
        session.tmux.as_ref()?.session.as_deref().map(words::plain)
    });
    let count = move || match desk.panes_beside(&id) {
        1 => "1 pane".to_owned(),
        count => format!("{count} panes"),
    };
    view! {
        <li class="row-head" data-testid="tmux-group">
            <Icon name=IconName::SplitRight />
            <span>"tmux"</span>
            <bdi>{name}</bdi>
            <span class="count">{count}</span>
        </li>
    }
}

#[component]
fn NoSessions(start_shell: Callback<()>) -> impl IntoView {
    view! {
        <div class="empty" data-testid="empty">
            <span class="empty-mark"><Icon name=IconName::Prompt /></span>
            <h2>"No sessions yet"</h2>
            <p>
                "A session keeps running when you close this page, lose the network or restart \
                 the relay. Come back from anywhere and continue."
            </p>
            <Beginnings start_shell />
        </div>
    }
}

#[component]
fn EmptyShelf(start_shell: Callback<()>) -> impl IntoView {
    let store = SessionsStore::expect();
    let loose = move || store.router.shelf() == Shelf::Loose;
    let text = move || {
        if loose() {
            "Every session belongs to a project. Sessions without a project appear here."
        } else {
            "Sessions that you start here belong to this project and start in its folder. You can \
             also move running sessions here."
        }
    };
    view! {
        <div class="empty" data-testid="empty-shelf">
            <span class="empty-mark"><Icon name=IconName::Folder /></span>
            <h2>"No sessions here"</h2>
            <p>{move || text()}</p>
            <Beginnings start_shell />
        </div>
    }
}

#[component]
fn Beginnings(start_shell: Callback<()>) -> impl IntoView {
    let desk = Desk::expect();
    view! {
        <NoHost />
        <div class="actions centred">
            <button
                class="button primary"
                disabled=desk.actions().busy
                on:click=move |_| start_shell.run(())
            >
                "New shell" <kbd aria-hidden="true">"n"</kbd>
            </button>
            <button class="button" on:click=move |_| desk.ask(Ask::Create)>
                "Run a command…" <kbd aria-hidden="true">"c"</kbd>
            </button>
            <button class="button" data-testid="from-tmux" on:click=move |_| desk.ask(Ask::Tmux)>
                "Open from tmux…" <kbd aria-hidden="true">"t"</kbd>
            </button>
        </div>
    }
}

#[component]
fn NoSuchProject() -> impl IntoView {
    view! {
        <div class="empty" data-testid="no-project">
            <span class="empty-mark"><Icon name=IconName::Folder /></span>
            <h2>"Project not found"</h2>
            <p>"It may have been deleted. Any sessions it had are kept."</p>
            <a href=PageRoute::Sessions { shelf: Shelf::All }.address() class="button primary">
                "All sessions"
            </a>
        </div>
    }
}

/// Shown until the relay has sent the sessions: a placeholder, or the reason why there are none.
#[component]
fn Unknown() -> impl IntoView {
    let store = SessionsStore::expect();
    let trouble = move || {
        let text = match store.status.get() {
            _ if store.unreadable.get() => return Some(RequestError::Malformed.to_string()),
            StreamStatus::Refused { code: close::FORBIDDEN } => {
                "This token opens single sessions only. Open one by its own address."
            }
            StreamStatus::Refused { .. } => {
                "The relay has no list of sessions. It may be older than this page."
            }
            StreamStatus::Waiting { .. } | StreamStatus::Connecting { attempt: 1.. } => {
                "The relay does not answer. Is `moorline serve` running?"
            }
            _ => return None,
        };
        Some(text.to_owned())
    };
    let passes = move || !store.status.get().is_final() && !store.unreadable.get();
    live(move || match trouble() {
        Some(text) => view! {
            <div class="empty" data-testid="problem" role="alert">
                <span class="empty-mark bad"><Icon name=IconName::Info /></span>
                <h2>"Nothing to show"</h2>
                <p>{text}</p>
                <When condition=passes>
                    <button class="button primary" on:click=move |_| store.reconnect()>
                        "Try again"
                    </button>
                </When>
                <When condition=move || store.unreadable.get()>
                    <button class="button primary" on:click=move |_| page::reload()>
                        "Reload the page"
                    </button>
                </When>
            </div>
        }
        .into_any(),
        None => view! {
            <ul class="rows ghost" aria-busy="true" aria-label="Loading sessions">
                <li class="row"></li>
                <li class="row"></li>
                <li class="row"></li>
            </ul>
        }
        .into_any(),
    })
}
