//! The page of one terminal.

pub mod broken;
pub mod card;
mod earlier;
pub mod embedded;
pub mod files;
pub mod host_note;
pub mod key_bar;
pub mod later;
mod later_code;
mod marks;
pub mod overlay;
pub mod pod;
mod search_bar;
pub mod search_place;
pub mod selection_bar;
pub mod shortcut;
pub mod stage;
pub mod state;
pub mod status;
pub mod switcher;

use std::sync::Arc;

use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;

use crate::bindings::keyboard;
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::pages::frame::menu::AppMenu;
use crate::pages::terminal::broken::Broken;
use crate::pages::terminal::files::{FilesButton, FilesPanel, FilesSide};
use crate::pages::terminal::host_note::HostNote;
use crate::pages::terminal::key_bar::KeyBar;
use crate::pages::terminal::later_code::LaterCode;
use crate::pages::terminal::search_place::SearchPlace;
use crate::pages::terminal::selection_bar::SelectionBar;
use crate::pages::terminal::stage::Stage;
use crate::pages::terminal::state::TerminalState;
use crate::pages::terminal::status::{PasteChip, PendingChip, SizeChip, StatusPill};
use crate::pages::terminal::switcher::{SWITCHER_KEYS, Switcher, open_switcher};
use crate::session::actions::Actions;
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router};
use crate::session::{LinkView, access::PageAccess, login, words};
use crate::ui::dialog::Dialog;
use crate::ui::menu::{MenuButton, MenuItem, MenuLink};
use crate::ui::preferences::Preferences;
use crate::ui::when::{effect, live};
use crate::ui::{Action, Icon, IconName, When};

const NOTICE_MS: u32 = 8_000;
const FLASH_MS: u32 = 160;

/// Says whether the terminal of a page is a pane of tmux. The terminal's page notes it.
#[derive(Debug, Clone, Copy)]
pub struct PaneKnown(pub RwSignal<bool>);

/// The page of a session's terminal.
#[component]
pub fn TerminalPage(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let state = TerminalState::provide();
    later::provide();
    let reading = RwSignal::new(false);
    let router = Router::expect();
    let to_list = Callback::new(move |()| router.navigate("/sessions"));
    ask_for_another_token(state);
    name_tab(state, id.clone());
    note_pane(state);
    let side = FilesSide::provide(&id);
    Actions::expect().offer(move || {
        let all = offers(state, reading).into_iter();
        all.chain(side.action()).collect()
    });
    view! {
        <div class="page terminal-page" data-link=move || state.view.with(|v| v.link.name())>
            <Bar id=id.clone() />
            <TerminalMenu reading details=PageRoute::Session(id.clone()).address() />
            <div class="terminal-row">
                <main class="stage">
                    <Stage id=id.clone() to_list />
                    <StageParts id=id.clone() />
                </main>
                <FilesPanel />
            </div>
            <When condition=move || state.emulator.error().is_some()>
                <Broken />
            </When>
            <Verdict id />
            <footer class="foot">
                <When condition=move || !state.view.with(|view| view.link.is_final())>
                    <KeyBar />
                </When>
            </footer>
            <ReadDialog reading />
        </div>
    }
}

/// What lies over the stage, on a page of its own and in a frame.
#[component]
pub(super) fn StageParts(id: SessionId) -> impl IntoView {
    let (state, later) = (TerminalState::expect(), LaterCode::expect());
    let id = StoredValue::new(id);
    view! {
        <When condition=move || state.searching.get()>
            <SearchPlace />
        </When>
        <HostNote />
        <SelectionBar />
        <When condition=move || state.earlier.is_open()>
            {later.show(move |views| (views.earlier)(id.get_value()))}
        </When>
        <ToBottom />
        <NoticeToast />
        <Flash />
    }
}

/// Has the page of the tmux session shown instead, if the terminal is a pane of one.
fn note_pane(state: TerminalState) {
    let PaneKnown(is_pane) = expect_context();
    effect(move || {
        if state.view.with(|view| view.is_pane) {
            is_pane.set(true);
        }
    });
}

/// Checks the current token if the relay refuses it, and asks for another one if it is not valid.
pub(super) fn ask_for_another_token(state: TerminalState) {
    let access = PageAccess::expect();
    effect(move || {
        let refused = state.view.with(|view| match view.link {
            LinkView::Refused { code } => matches!(code, close::UNAUTHORIZED | close::POLICY),
            _ => false,
        });
        if refused {
            login::check(access);
        }
    });
}

/// Shows the session's name, its state, and ways to other pages.
#[component]
pub(super) fn Bar(id: SessionId) -> impl IntoView {
    let state = TerminalState::expect();
    let name = Signal::derive(heading(state, id.clone()));
    view! {
        <header class="bar">
            <a
                href="/sessions"
                class="icon-button"
                title="All sessions (Ctrl+Shift+L)"
                aria-label="All sessions"
            >
                <Icon name=IconName::Back />
            </a>
            <Switcher id name on_close=Callback::new(move |()| state.focus()) />
            <bdi class="bar-program" title="The program's title" data-testid="program-title">
                {move || state.title.get()}
            </bdi>
            <StatusPill />
            <pod::PodChip />
            <PendingChip />
            <PasteChip />
            <SizeChip />
            <span class="bar-fill"></span>
            <button
                class="icon-button"
                title=search_title()
                aria-label="Search"
                data-testid="search-button"
                on:click=move |_| state.searching.set(true)
            >
                <Icon name=IconName::Search />
            </button>
            <FilesButton />
            <MenuButton />
            <CatchUpBar />
        </header>
    }
}

/// Returns the actions that only a terminal's page has.
pub(super) fn offers(state: TerminalState, reading: RwSignal<bool>) -> Vec<Action> {
    let preferences = Preferences::expect();
    let group: Arc<str> = "This terminal".into();
    let font = |title, keys, step| {
        let act = Action::new(&group, "font", IconName::Text, title, move || {
            preferences.step_font(step);
        });
        act.keys(keys)
    };
    let key_bar = if untrack(|| preferences.key_bar()) { "Hide" } else { "Show" };
    vec![
        Action::new(&group, "switch", IconName::Stack, "Switch to another session…", open_switcher)
            .keys(SWITCHER_KEYS),
        Action::new(&group, "search", IconName::Search, "Search…", move || {
            state.searching.set(true)
        })
        .keys("Ctrl+Shift+F"),
        Action::new(&group, "earlier", IconName::Up, "Show all output that is kept", move || {
            state.earlier.open();
        }),
        Action::new(&group, "read-text", IconName::Text, "Show as text…", move || {
            reading.set(true)
        }),
        Action::new(
            &group,
            "key-bar",
            IconName::Keyboard,
            format!("{key_bar} the key bar"),
            move || {
                preferences.toggle_key_bar();
            },
        ),
        font("Larger text", "Ctrl+Shift+>", 1),
        font("Smaller text", "Ctrl+Shift+<", -1),
        Action::new(&group, "font", IconName::Text, "Reset text size", move || {
            preferences.reset_font()
        })
        .keys("Ctrl+Shift+0"),
    ]
}

fn search_title() -> &'static str {
    if keyboard::is_apple() { "Search (⌘F)" } else { "Search (Ctrl+Shift+F)" }
}

/// Returns the session's name as in all lists, or its id until the name is known.
fn heading(state: TerminalState, id: SessionId) -> impl Fn() -> String + Send + Sync + 'static {
    let overview = OverviewState::expect();
    move || {
        let named = state.view.with(|view| view.name.clone());
        let listed = || overview.session(&id).map(|session| words::name(&session));
        named.or_else(listed).unwrap_or_else(|| id.to_string())
    }
}

/// Sets the tab's title: the session and its program, and whether the bell rang while the page was
/// hidden or the connection is lost.
pub(super) fn name_tab(state: TerminalState, id: SessionId) {
    let rang = RwSignal::new(false);
    Effect::new(move |rung: Option<u32>| {
        let bell = state.bell.get();
        if rung.is_some_and(|rung| rung != bell) && !page::is_visible() {
            rang.set(true);
        }
        bell
    });
    let watch = page::watch(move |event| {
        if event == PageEvent::Visible {
            rang.set(false);
        }
    });
    let _: StoredValue<PageWatch, LocalStorage> = StoredValue::new_local(watch);
    let name = heading(state, id);
    effect(move || {
        let bell = if rang.get() { "● " } else { "" };
        let away = state.view.with(|view| match view.link {
            LinkView::Waiting { .. } | LinkView::Silent => "(offline) ",
            _ if view.is_host_away() => "(host offline) ",
            _ => "",
        });
        let program = state.title.get().map(|title| format!(": {title}")).unwrap_or_default();
        page::set_title(&format!("{bell}{away}{}{program}", name()));
    });
}

#[component]
pub(super) fn TerminalMenu(reading: RwSignal<bool>, details: String) -> impl IntoView {
    let state = TerminalState::expect();
    let preferences = Preferences::expect();
    let size = move || {
        let size = state.view.with(|view| view.foreign_size.or(view.fitting));
        size.map(|size| format!("{} × {}", size.cols, size.rows))
    };
    view! {
        <AppMenu on_close=Callback::new(move |()| state.focus())>
            <MenuLink icon=IconName::Info address=details name="details">"Details"</MenuLink>
            <MenuItem
                icon=IconName::Text
                name="read-text"
                on_pick=Callback::new(move |()| reading.set(true))
            >
                "Show as text…"
            </MenuItem>
            <MenuItem
                icon=IconName::Keyboard
                on_pick=Callback::new(move |()| preferences.toggle_key_bar())
            >
                {move || if preferences.key_bar() { "Hide the key bar" } else { "Show the key bar" }}
            </MenuItem>
            <label class="menu-item">
                <input
                    type="checkbox"
                    data-testid="hold-input"
                    prop:checked=move || preferences.hold()
                    on:change=move |_| preferences.toggle_hold()
                />
                <span>"Send what I type when the host is back"</span>
            </label>
            <hr />
            <div class="menu-row">
                <span>"Size"</span>
                <span class="menu-value" data-testid="terminal-size">{move || size()}</span>
            </div>
            <div class="menu-row">
                <span>"Text"</span>
                <div class="choices" role="group" aria-label="Text size">
                    <button title="Smaller (Ctrl+Shift+<)" aria-label="Smaller text"
                        on:click=move |_| preferences.step_font(-1)>"−"</button>
                    <button title="Reset (Ctrl+Shift+0)" aria-label="Reset text size"
                        on:click=move |_| preferences.reset_font()>
                        {move || preferences.font().pixels()}
                    </button>
                    <button title="Larger (Ctrl+Shift+>)" aria-label="Larger text"
                        on:click=move |_| preferences.step_font(1)>"+"</button>
                </div>
            </div>
        </AppMenu>
    }
}

#[component]
fn CatchUpBar() -> impl IntoView {
    let state = TerminalState::expect();
    let percent = Memo::new(move |_| {
        state.view.with(|view| match view.link {
            LinkView::CatchingUp { percent } => Some(percent),
            _ => None,
        })
    });
    view! {
        <When condition=move || percent.get().is_some()>
            <progress class="catch-up" max="100" value=percent aria-label="Catching up"></progress>
        </When>
    }
}

#[component]
fn ToBottom() -> impl IntoView {
    let state = TerminalState::expect();
    view! {
        <When condition=move || !state.at_bottom.get() && !state.earlier.is_open()>
            <button
                class="to-bottom"
                data-testid="to-bottom"
                title="To the end"
                aria-label="Scroll to the end"
                on:click=move |_| state.scroll_to_bottom()
            >
                <Icon name=IconName::Down />
            </button>
        </When>
    }
}

/// Says how the session ended or why it cannot be shown, and offers what to do.
#[component]
pub(super) fn Verdict(id: SessionId) -> impl IntoView {
    let state = TerminalState::expect();
    let link = Memo::new(move |_| state.view.with(|view| view.link.clone()));
    live(move || match link.get() {
        LinkView::Ended(exit) => view! {
            <div class="verdict" data-testid="ended">
                <p>{words::exit_sentence(&exit)}</p>
                <div class="actions">
                    <a href="/sessions" class="button">"All sessions"</a>
                    <Again id=id.clone() />
                </div>
            </div>
        }
        .into_any(),
        LinkView::Refused { code } => {
            let (title, text) = words::refusal(code, id.as_str());
            let retry = code == close::REPLACED;
            view! {
                <div class="verdict bad" data-testid="refused" role="alert">
                    <h2>{title}</h2>
                    <p>{text}</p>
                    <div class="actions">
                        <a href="/sessions" class="button">"All sessions"</a>
                        <When condition=move || retry>
                            <button class="button primary" on:click=move |_| state.retry()>
                                "Take it back"
                            </button>
                        </When>
                    </div>
                </div>
            }
            .into_any()
        }
        _ => ().into_any(),
    })
}

/// Starts the same command in the same folder again, as a new session of the same name.
#[component]
fn Again(id: SessionId) -> impl IntoView {
    let (state, overview) = (TerminalState::expect(), OverviewState::expect());
    let actions = Actions::expect();
    let start = move |_| {
        let shown = || state.view.with_untracked(|view| view.name.clone());
        // A session without a given name stays without one.
        let name = match untrack(|| overview.session(&id)) {
            Some(session) => Some(words::given_name(&session).unwrap_or_default()),
            None => shown(),
        };
        actions.duplicate(&id, name);
    };
    view! {
        <button class="button primary" data-testid="again" on:click=start>
            <Icon name=IconName::Again />
            <span>"Start again"</span>
        </button>
    }
}

#[component]
fn NoticeToast() -> impl IntoView {
    let state = TerminalState::expect();
    let timer = StoredValue::new_local(None::<Timeout>);
    // The reason for a refusal is shown below.
    let refused = move || state.view.with(|v| matches!(v.link, LinkView::Refused { .. }));
    effect(move || {
        let shown = state.notice.with(Option::is_some);
        let hide = move || state.notice.set(None);
        timer.set_value(shown.then(|| Timeout::new(NOTICE_MS, hide)));
    });
    view! {
        <div class="toast-place" role="alert">
            <When condition=move || state.notice.with(Option::is_some) && !refused()>
                <div class="toast" data-testid="notice">
                    <span>{move || state.notice.get()}</span>
                    <button
                        class="icon-button"
                        aria-label="Close"
                        on:click=move |_| state.notice.set(None)
                    >
                        <Icon name=IconName::Cross />
                    </button>
                </div>
            </When>
        </div>
    }
}

/// Shows the bell as a flash.
#[component]
fn Flash() -> impl IntoView {
    let state = TerminalState::expect();
    let lit = RwSignal::new(false);
    let timer = StoredValue::new_local(None::<Timeout>);
    Effect::new(move |rung: Option<u32>| {
        let bell = state.bell.get();
        if rung.is_some_and(|rung| rung != bell) {
            lit.set(true);
            timer.set_value(Some(Timeout::new(FLASH_MS, move || lit.set(false))));
        }
        bell
    });
    view! { <div class="flash" class:lit=lit aria-hidden="true"></div> }
}

/// Shows the terminal's text to read, select and copy, for devices on which selecting in the
/// terminal is hard.
#[component]
pub(super) fn ReadDialog(reading: RwSignal<bool>) -> impl IntoView {
    let state = TerminalState::expect();
    view! {
        <Dialog open=reading title="Text" name="read-dialog">
            <pre class="read" tabindex="0" data-testid="text">{move || state.text()}</pre>
            <div class="actions">
                <button class="button" on:click=move |_| reading.set(false)>"Close"</button>
            </div>
        </Dialog>
    }
}
