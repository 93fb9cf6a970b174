//! The page of all sessions.

use gloo_timers::callback::Interval;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::{CreateSession, SessionSummary};

use super::create::CreateDialog;
use super::list::{Confirm, SessionList};
use crate::access::Access;
use crate::api::{self, ApiError};
use crate::bindings::keyboard::{self, Keys, Press};
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::components::menu::{AppMenu, MenuButton};
use crate::components::{Icon, IconName, Mark};
use crate::route::{Route, Router};

/// While the page is seen, the list is asked for this often.
const REFRESH_MS: u32 = 5_000;

/// What the page knows of the sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sessions {
    access: Access,
    router: Router,
    /// `None` until the first answer.
    pub(super) list: RwSignal<Option<Vec<SessionSummary>>>,
    /// Why the last request failed.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// A session is being created.
    pub(super) creating: RwSignal<bool>,
    /// Counts up whenever times are to be shown anew.
    pub(super) beat: RwSignal<u32>,
}

impl Sessions {
    fn provide() -> Self {
        let sessions = Self {
            access: Access::expect(),
            router: Router::expect(),
            list: RwSignal::new(None),
            problem: RwSignal::new(None),
            creating: RwSignal::new(false),
            beat: RwSignal::new(0),
        };
        provide_context(sessions);
        sessions
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Asks the relay for the list.
    pub(super) fn refresh(self) {
        spawn_local(async move {
            let token = self.access.token();
            let answer = api::noting_refusal(self.access, api::list(token.as_deref()).await);
            self.beat.update(|beat| *beat += 1);
            match answer {
                Ok(answer) => {
                    let fresh = Some(answer.sessions);
                    if self.list.with_untracked(|list| *list != fresh) {
                        self.list.set(fresh);
                    }
                    self.set_problem(None);
                }
                Err(error) => self.set_problem(Some(error)),
            }
        });
    }

    /// Creates a session and opens it.
    pub(super) fn create(self, wish: CreateSession) {
        if self.creating.get_untracked() {
            return;
        }
        self.creating.set(true);
        spawn_local(async move {
            let token = self.access.token();
            let answer = api::create(token.as_deref(), &wish).await;
            self.creating.set(false);
            match api::noting_refusal(self.access, answer) {
                Ok(created) => self.router.go(&Route::Terminal(created.session_id)),
                Err(error) => self.set_problem(Some(error)),
            }
        });
    }

    /// Deletes sessions, one after the other.
    pub(super) fn delete(self, doomed: Vec<SessionSummary>) {
        spawn_local(async move {
            let token = self.access.token();
            for session in doomed {
                let id = &session.session_id;
                let answer = api::delete(token.as_deref(), id).await;
                match api::noting_refusal(self.access, answer) {
                    Ok(()) => self.list.update(|list| {
                        list.iter_mut().for_each(|list| list.retain(|s| s.session_id != *id));
                    }),
                    Err(error) => return self.set_problem(Some(error)),
                }
            }
            self.refresh();
        });
    }

    fn set_problem(self, problem: Option<ApiError>) {
        if self.problem.with_untracked(|known| *known != problem) {
            self.problem.set(problem);
        }
    }
}

/// Lists the sessions, and creates and deletes them.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let sessions = Sessions::provide();
    let dialog_open = RwSignal::new(false);
    let doomed = RwSignal::new(None::<Vec<SessionSummary>>);
    let filter = NodeRef::<html::Input>::new();
    let wanted = RwSignal::new(String::new());
    page::set_title("Sessions · Moorline");
    keep_fresh(sessions);
    let start_shell = Callback::new(move |()| sessions.create(CreateSession::default()));
    let keys = keyboard::page_keys(move |press| shortcut(press, start_shell, dialog_open, filter));
    let _: StoredValue<Keys, LocalStorage> = StoredValue::new_local(keys);
    view! {
        <div class="page">
            <header class="bar">
                <a href="/sessions" class="brand" aria-label="Moorline">
                    <Mark />
                    <span>"Moorline"</span>
                </a>
                <div class="bar-fill">
                    <input
                        id="filter"
                        node_ref=filter
                        class="filter"
                        type="search"
                        placeholder="Filter"
                        aria-label="Filter sessions"
                        title="Filter (/)"
                        hidden=move || sessions.list.with(|list| list.as_ref().is_none_or(|l| l.len() < 2))
                        on:input=move |event| wanted.set(event_target_value(&event))
                        on:keydown=move |event| leave_filter(&event, wanted, filter)
                    />
                </div>
                <NewButtons start_shell dialog_open />
                <MenuButton />
            </header>
            <AppMenu />
            <main class="sessions">
                <Problem />
                <SessionList wanted doomed start_shell dialog_open />
                <p class="keys" aria-hidden="true">
                    <kbd>"n"</kbd> " shell" <kbd>"c"</kbd> " command" <kbd>"j"</kbd> <kbd class="near">"k"</kbd>
                    " move" <kbd>"Enter"</kbd> " open" <kbd>"Del"</kbd> " delete" <kbd>"/"</kbd>
                    " filter"
                </p>
            </main>
            <CreateDialog open=dialog_open />
            <Confirm doomed />
        </div>
    }
}

#[component]
fn NewButtons(start_shell: Callback<()>, dialog_open: RwSignal<bool>) -> impl IntoView {
    let sessions = Sessions::expect();
    view! {
        <div class="button-pair">
            <button
                class="button primary"
                data-testid="create"
                title="Start your login shell (n)"
                disabled=sessions.creating
                on:click=move |_| start_shell.run(())
            >
                <Icon name=IconName::Plus />
                <span>"New shell"</span>
            </button>
            <button
                class="button primary"
                data-testid="create-custom"
                title="Start a command (c)"
                aria-label="Start a command"
                on:click=move |_| dialog_open.set(true)
            >
                <Icon name=IconName::Sliders />
            </button>
        </div>
    }
}

#[component]
fn Problem() -> impl IntoView {
    let sessions = Sessions::expect();
    view! {
        <div role="alert">
            {move || {
                sessions.problem.get().map(|problem| {
                    view! {
                        <div class="notice bad" data-testid="problem">
                            <span>{problem.to_string()}</span>
                            <button class="button quiet" on:click=move |_| sessions.refresh()>
                                <Icon name=IconName::Again />
                                <span>"Try again"</span>
                            </button>
                        </div>
                    }
                })
            }}
        </div>
    }
}

/// Until the relay tells of changes by itself, the page asks: at first, when it is seen again, and
/// now and then while it is seen.
fn keep_fresh(sessions: Sessions) {
    sessions.refresh();
    let watch = page::watch(move |event| {
        if matches!(event, PageEvent::Visible | PageEvent::Online) {
            sessions.refresh();
        }
    });
    let interval = Interval::new(REFRESH_MS, move || {
        if page::is_visible() {
            sessions.refresh();
        }
    });
    let _: StoredValue<(PageWatch, Interval), LocalStorage> =
        StoredValue::new_local((watch, interval));
}

fn shortcut(
    press: &Press,
    start_shell: Callback<()>,
    dialog_open: RwSignal<bool>,
    filter: NodeRef<html::Input>,
) -> bool {
    if !press.plain() {
        return false;
    }
    match press.key.as_str() {
        "n" => start_shell.run(()),
        "c" => dialog_open.set(true),
        "/" => {
            if let Some(field) = filter.get_untracked() {
                page::focus(&field);
            }
        }
        "j" | "ArrowDown" => page::move_focus(".row-link", 1),
        "k" | "ArrowUp" => page::move_focus(".row-link", -1),
        _ => return false,
    }
    true
}

fn leave_filter(
    event: &leptos::ev::KeyboardEvent,
    wanted: RwSignal<String>,
    filter: NodeRef<html::Input>,
) {
    match event.key().as_str() {
        "Escape" => {
            wanted.set(String::new());
            if let Some(field) = filter.get_untracked() {
                field.set_value("");
            }
        }
        "ArrowDown" | "Enter" => {}
        _ => return,
    }
    event.prevent_default();
    page::move_focus(".row-link", 1);
}
