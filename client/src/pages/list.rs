//! The list itself.

use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::rest::SessionSummary;

use super::sessions::Sessions;
use crate::bindings::{clock, page};
use crate::components::dialog::Dialog;
use crate::components::when::effect;
use crate::components::{Icon, IconName, When, words};

/// All sessions, those that run first.
#[component]
pub fn SessionList(
    /// Only sessions that contain this.
    wanted: RwSignal<String>,
    /// Those that the user wants to delete, to be confirmed.
    doomed: RwSignal<Option<Vec<SessionSummary>>>,
    /// Starts a login shell.
    start_shell: Callback<()>,
    /// Whether the dialog that starts a command is shown.
    dialog_open: RwSignal<bool>,
) -> impl IntoView {
    let sessions = Sessions::expect();
    let matching = Memo::new(move |_| {
        let wanted = page::lowercase(&wanted.get());
        sessions.list.with(|list| {
            let list = list.as_deref().unwrap_or_default();
            list.iter().filter(|session| contains(session, &wanted)).cloned().collect::<Vec<_>>()
        })
    });
    let known = Memo::new(move |_| sessions.list.with(|list| list.as_ref().map(Vec::len)));
    let clear = move || {
        let over: Vec<_> =
            matching.get_untracked().into_iter().filter(|s| s.lifecycle.is_over()).collect();
        doomed.set(Some(over));
    };
    move || match known.get() {
        None => view! { <Loading /> }.into_any(),
        Some(0) => view! { <Empty start_shell dialog_open /> }.into_any(),
        Some(_) => view! {
            <Group title="Running" over=false matching doomed />
            <Group title="Ended" over=true matching doomed>
                <button class="button quiet" on:click=move |_| clear()>
                    "Delete all ended"
                </button>
            </Group>
            <When condition=move || matching.with(Vec::is_empty)>
                <p class="hint centred">"No session matches."</p>
            </When>
        }
        .into_any(),
    }
}

#[component]
fn Group(
    title: &'static str,
    over: bool,
    matching: Memo<Vec<SessionSummary>>,
    doomed: RwSignal<Option<Vec<SessionSummary>>>,
    #[prop(optional)] children: Option<ChildrenFn>,
) -> impl IntoView {
    let ids = Memo::new(move |_| {
        matching.with(|list| {
            let mine = list.iter().filter(|session| session.lifecycle.is_over() == over);
            mine.map(|session| session.session_id.clone()).collect::<Vec<_>>()
        })
    });
    let children = StoredValue::new(children);
    view! {
        <When condition=move || ids.with(|ids| !ids.is_empty())>
            <section class="group">
                <div class="group-head">
                    <h2>
                        {title} <span class="count">{move || ids.with(Vec::len)}</span>
                    </h2>
                    {children.with_value(|children| children.as_ref().map(|children| children()))}
                </div>
                <ul class="rows" data-testid="sessions">
                    <For each=move || ids.get() key=|id| id.clone() let:id>
                        <Row id matching doomed />
                    </For>
                </ul>
            </section>
        </When>
    }
}

#[component]
fn Row(
    id: SessionId,
    matching: Memo<Vec<SessionSummary>>,
    doomed: RwSignal<Option<Vec<SessionSummary>>>,
) -> impl IntoView {
    let sessions = Sessions::expect();
    let path = format!("/terminal/{id}");
    let shown = id.to_string();
    let session = Memo::new(move |_| {
        matching.with(|list| list.iter().find(|session| session.session_id == id).cloned())
    });
    let field = move |read: fn(&SessionSummary) -> String| {
        move || session.with(|session| session.as_ref().map(read).unwrap_or_default())
    };
    let activity = move || {
        sessions.beat.track();
        let at = session.with(|s| clock::parse_rfc3339(&s.as_ref()?.last_activity));
        at.map(|at| words::ago(clock::wall_ms() - at))
    };
    let remove = move |_| {
        if let Some(session) = session.get_untracked() {
            doomed.set(Some(vec![session]));
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Delete" {
            event.prevent_default();
            remove(());
        }
    };
    view! {
        <li class="row" data-testid="session-row" data-session=shown on:keydown=on_key>
            <span
                class="state"
                data-tone=field(|s| words::tone(s).to_owned())
                data-testid="session-state"
            >
                {field(words::state)}
            </span>
            <a href=path class="row-link">
                <span class="row-name">{field(words::name)}</span>
                <span class="row-command">{field(words::detail)}</span>
            </a>
            <span class="row-cwd">{field(|s| s.cwd.clone().unwrap_or_default())}</span>
            <span class="row-viewers" title="Following it now">
                <When condition=move || session.with(|s| s.as_ref().is_some_and(|s| s.clients > 0))>
                    <Icon name=IconName::Eye />
                    {field(|s| s.clients.to_string())}
                </When>
            </span>
            <time class="row-time" title="Last activity">{activity}</time>
            <button
                class="icon-button"
                data-testid="delete"
                title="Delete (Del)"
                aria-label=move || format!("Delete {}", field(words::name)())
                on:click=move |_| remove(())
            >
                <Icon name=IconName::Bin />
            </button>
        </li>
    }
}

#[component]
fn Empty(start_shell: Callback<()>, dialog_open: RwSignal<bool>) -> impl IntoView {
    view! {
        <div class="empty" data-testid="empty">
            <span class="empty-prompt"><Icon name=IconName::Prompt /></span>
            <h1>"No sessions yet"</h1>
            <p>
                "A session keeps running when you close this page, lose the network or restart \
                 the relay. Come back from anywhere and go on."
            </p>
            <div class="actions centred">
                <button class="button primary" on:click=move |_| start_shell.run(())>
                    "Start a shell" <kbd>"n"</kbd>
                </button>
                <button class="button" on:click=move |_| dialog_open.set(true)>
                    "Run a command…" <kbd>"c"</kbd>
                </button>
            </div>
        </div>
    }
}

#[component]
fn Loading() -> impl IntoView {
    let sessions = Sessions::expect();
    view! {
        <ul class="rows ghost" aria-busy="true" aria-label="Loading sessions"
            hidden=move || sessions.problem.with(Option::is_some)>
            <li class="row"></li>
            <li class="row"></li>
            <li class="row"></li>
        </ul>
    }
}

/// Asks before anything is deleted.
#[component]
pub fn Confirm(
    /// What is to be deleted.
    doomed: RwSignal<Option<Vec<SessionSummary>>>,
) -> impl IntoView {
    let sessions = Sessions::expect();
    let open = RwSignal::new(false);
    effect(move || {
        if doomed.with(Option::is_some) {
            open.set(true);
        }
    });
    let title = move || {
        doomed.with(|doomed| match doomed.as_deref() {
            Some([one]) => format!("Delete {}?", words::name(one)),
            Some(all) => format!("Delete {} sessions?", all.len()),
            None => String::new(),
        })
    };
    let text = move || {
        let runs = doomed
            .with(|doomed| doomed.iter().flatten().any(|session| !session.lifecycle.is_over()));
        if runs {
            "Its processes are ended and its output is removed. This cannot be undone."
        } else {
            "What it has left to read is removed. This cannot be undone."
        }
    };
    let agree = move |_| {
        if let Some(all) = doomed.get_untracked() {
            sessions.delete(all);
        }
        open.set(false);
        doomed.set(None);
    };
    let refuse = move |_| {
        open.set(false);
        doomed.set(None);
    };
    view! {
        <Dialog open title=Signal::derive(title) name="confirm-delete">
            <p>{text}</p>
            <div class="actions">
                <button class="button" on:click=refuse>"Keep"</button>
                <button class="button danger" data-testid="confirm" on:click=agree>"Delete"</button>
            </div>
        </Dialog>
    }
}

fn contains(session: &SessionSummary, wanted: &str) -> bool {
    let text = [
        session.name.as_str(),
        session.session_id.as_str(),
        session.cwd.as_deref().unwrap_or_default(),
        &words::command(&session.command),
    ];
    wanted.is_empty() || page::lowercase(&text.join("\n")).contains(wanted)
}
