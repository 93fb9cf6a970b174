//! The row of one session in the list.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::rest::SessionSummary;

use super::desk::{Ask, Desk};
use super::row_menu;
use super::store::SessionsStore;
use crate::bindings::{clock, page};
use crate::session::route::{PageRoute, Shelf};
use crate::session::words;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

type Summary = Memo<Option<Arc<SessionSummary>>>;

/// Returns what `read` returns for the session, or an empty text while it is not known.
fn field(session: Summary, read: fn(&SessionSummary) -> String) -> impl Fn() -> String + Copy {
    move || session.with(|session| session.as_deref().map(read).unwrap_or_default())
}

/// Shows one session and its actions.
#[component]
pub fn Row(
    /// The session to show.
    id: SessionId,
    /// True if it stands below the head of its tmux session.
    is_below: bool,
) -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let shown = id.to_string();
    let own = StoredValue::new(id);
    let known = Memo::new(move |_| own.with_value(|id| store.session(id)));
    // While the list is held, the row of a deleted session stays as it was.
    let session = Memo::new(move |last: Option<&Option<Arc<SessionSummary>>>| {
        known.get().or_else(|| last.cloned().flatten())
    });
    let gone = Memo::new(move |_| known.with(Option::is_none));
    let route = session.with_untracked(|session| session.as_deref().map(PageRoute::of_session));
    let path = route.unwrap_or_default().address();
    let state = field(session, words::state);
    let name = field(session, words::name);
    let selected = Memo::new(move |_| own.with_value(|id| desk.is_selected(id)));
    view! {
        <li
            class="row"
            class:selected=selected
            class:below=is_below
            class:gone=gone
            inert=gone
            data-testid="session-row"
            data-session=shown
            on:keydown=move |event| on_key(&event, store, desk, own.get_value())
        >
            <input
                type="checkbox"
                class="row-check"
                data-testid="select"
                aria-label=move || format!("Select {}", name())
                title="Select (x)"
                prop:checked=selected
                on:click=move |event| {
                    own.with_value(|id| desk.toggle(id, event.shift_key()));
                }
            />
            <span
                class="state"
                data-tone=field(session, |s| words::tone(s).to_owned())
                data-testid="session-state"
            >
                {move || if gone.get() { "deleted".to_owned() } else { state() }}
            </span>
            <Name session path />
            <Facts session />
            <Buttons session own />
        </li>
    }
}

/// Shows the session's name, what runs in it, and its tags.
#[component]
fn Name(session: Summary, path: String) -> impl IntoView {
    let failed = move || session.with(|s| s.as_deref().and_then(failure));
    view! {
        <div class="row-main">
            <a href=path class="row-link">
                <bdi class="row-name">{field(session, words::name)}</bdi>
                <span class="row-command">{field(session, words::detail)}</span>
            </a>
            <When condition=move || failed().is_some()>
                <span class="row-failed" title="Last command's result">{move || failed()}</span>
            </When>
            <Tags session />
        </div>
    }
}

/// Shows the session's folder, the number of its clients, and the time of its last activity.
#[component]
fn Facts(session: Summary) -> impl IntoView {
    let store = SessionsStore::expect();
    let folder = field(session, |session| session.cwd.clone().unwrap_or_default());
    let activity = move || {
        store.beat.track();
        let at = session.with(|s| clock::parse_rfc3339(&s.as_ref()?.last_activity));
        at.map(|at| words::ago(clock::wall_ms() - at))
    };
    view! {
        <span class="row-cwd" title=folder><bdi>{folder}</bdi></span>
        <span class="row-viewers" title="Watching now">
            <When condition=move || session.with(|s| s.as_ref().is_some_and(|s| s.clients > 0))>
                <Icon name=IconName::Eye />
                {field(session, |s| s.clients.to_string())}
            </When>
        </span>
        <time class="row-time" title="Last activity">{move || activity()}</time>
    }
}

/// The buttons for the session's actions.
#[component]
fn Buttons(session: Summary, own: StoredValue<SessionId>) -> impl IntoView {
    let desk = Desk::expect();
    let name = field(session, words::name);
    view! {
        <button
            class="icon-button row-delete"
            data-testid="delete"
            title="Delete (Del)"
            aria-label=move || format!("Delete {}", name())
            on:click=move |_| desk.ask(Ask::Delete(vec![own.get_value()]))
        >
            <Icon name=IconName::Bin />
        </button>
        <button
            class="icon-button"
            data-testid="row-menu-button"
            title="More (.)"
            aria-label=move || format!("More for {}", name())
            aria-haspopup="menu"
            on:click=move |event| row_menu::open(desk, own.get_value(), &event_target(&event))
        >
            <Icon name=IconName::More />
        </button>
    }
}

/// Shows the session's project if the list has all sessions, and its host if there are several
/// hosts.
#[component]
fn Tags(session: Summary) -> impl IntoView {
    let store = SessionsStore::expect();
    let project = Memo::new(move |_| {
        let id = session.with(|session| session.as_ref()?.project.clone())?;
        store.project(&id).filter(|_| store.router.shelf() == Shelf::All)
    });
    let host = move || session.with(|session| store.host_name(session.as_ref()?));
    let tag = live(move || match project.get() {
        Some(project) => {
            let shelf = Shelf::Project(project.id);
            view! { <a href=PageRoute::Sessions { shelf }.address() class="tag"><bdi>{project.name}</bdi></a> }
                .into_any()
        }
        None => ().into_any(),
    });
    view! {
        {tag}
        <span class="row-host" title="Host"><bdi>{host}</bdi></span>
    }
}

/// Returns the exit code of the last command, if it failed and the shell waits.
fn failure(session: &SessionSummary) -> Option<String> {
    let code = session.last_exit_code.filter(|code| *code != 0)?;
    (words::tone(session) == "idle").then(|| format!("exit {code}"))
}

fn on_key(event: &leptos::ev::KeyboardEvent, store: SessionsStore, desk: Desk, id: SessionId) {
    if event.ctrl_key() || event.alt_key() || event.meta_key() {
        return;
    }
    match event.key().as_str() {
        "Delete" => desk.ask(Ask::Delete(desk.with_selection(&id))),
        "x" => desk.toggle(&id, false),
        "X" => desk.toggle(&id, true),
        "d" => store.router.go(&PageRoute::Session(id)),
        "m" => desk.ask(Ask::Move(desk.with_selection(&id))),
        "r" | "F2" => desk.ask(Ask::Rename(id)),
        "." | "ContextMenu" => {
            if let Some(button) = page::within(&event_target(event), "li", "[aria-haspopup]") {
                row_menu::open(desk, id, &button);
            }
        }
        _ => return,
    }
    event.prevent_default();
}
