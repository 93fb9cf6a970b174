//! The bar of a tmux session: its name, its windows as tabs, and what can be done.

use leptos::prelude::*;
use moorline_shared::tmux::{TmuxAction, TmuxWindow};

use super::menu::{self, TmuxMenu};
use super::offers::{self, fit_title, toggle_fit};
use super::state::TmuxState;
use crate::bindings::page;
use crate::session::tmux;
use crate::ui::when::each;
use crate::ui::{Icon, IconName, When};

/// The tabs, for the keyboard.
const TABS: &str = "[data-tmux-tab]";

/// Shows the tmux session's name, its windows, and the tools.
#[component]
pub fn TmuxBar() -> impl IntoView {
    let state = TmuxState::expect();
    let name = Memo::new(move |_| {
        state.session.with(|session| session.as_ref().map(|session| session.name.clone()))
    });
    let about = Memo::new(move |_| {
        state.session.with(|session| {
            let attached = session.as_ref()?.attached;
            Some(match attached {
                0 => "tmux session; no terminal shows it".to_owned(),
                1 => "tmux session; one terminal shows it, too".to_owned(),
                more => format!("tmux session; {more} terminals show it, too"),
            })
        })
    });
    let may_act = Memo::new(move |_| state.may_act());
    view! {
        <nav class="tmux-bar" aria-label="tmux" data-testid="tmux-bar">
            <When condition=move || name.with(Option::is_some)>
                <span class="tmux-name" title=about>
                    <Icon name=IconName::Stack />
                    <bdi data-testid="tmux-name">{name}</bdi>
                </span>
                <Tabs />
                <When condition=move || may_act.get()>
                    <button
                        class="icon-button"
                        data-testid="new-window"
                        title="New window (Ctrl+Shift+M)"
                        aria-label="New window"
                        on:click=move |_| state.act(&TmuxAction::NewWindow { name: None })
                    >
                        <Icon name=IconName::Plus />
                    </button>
                </When>
                <span class="bar-fill"></span>
                <Tools may_act />
            </When>
            <Problem />
        </nav>
        <PaneSwitcher />
        <TmuxMenu />
    }
}

/// Shows the windows. Of a session with panes that the page may not show, only the one that is
/// shown.
#[component]
fn Tabs() -> impl IntoView {
    let state = TmuxState::expect();
    let shown = Memo::new(move |_| state.window().map(|window| window.id));
    let ids = move || {
        let alone = state.is_alone();
        state.session.with(|session| {
            let all = session.iter().flat_map(|session| &session.windows);
            all.map(|window| window.id.clone())
                .filter(|id| !alone || shown.with(|shown| shown.as_ref() == Some(id)))
                .collect()
        })
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        match event.key().as_str() {
            "ArrowRight" => page::move_focus(TABS, 1),
            "ArrowLeft" => page::move_focus(TABS, -1),
            "Home" => page::move_focus(TABS, i32::MIN / 2),
            "End" => page::move_focus(TABS, i32::MAX / 2),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <div class="tmux-tabs" role="tablist" aria-label="Windows" data-testid="tmux-tabs" on:keydown=on_key>
            {each(ids, move |id| view! { <Tab id=id.to_owned() shown /> }.into_any())}
        </div>
    }
}

#[component]
fn Tab(id: String, shown: Memo<Option<String>>) -> impl IntoView {
    let state = TmuxState::expect();
    let own = id.clone();
    let window = Memo::new(move |_| {
        state.session.with(|session| {
            session.as_ref()?.windows.iter().find(|window| window.id == own).cloned()
        })
    });
    let is_shown = Memo::new(move |_| shown.with(|shown| shown.as_ref() == Some(&id)));
    Effect::new(move |_| {
        if is_shown.get() {
            page::show("[data-tmux-tab][aria-selected=true]");
        }
    });
    let name = move || window.with(|window| window.as_ref().map(|window| window.name.clone()));
    let choose = move |_| {
        if let Some(window) = window.get_untracked() {
            state.choose_window(&window);
        }
        state.focus_terminal();
    };
    let rename = move |_| {
        if let Some(window) = window.get_untracked().filter(|_| untrack(|| state.may_act())) {
            state.asked.set(Some(super::state::TmuxAsk::RenameWindow(window)));
        }
    };
    let on_menu = move |event: leptos::ev::MouseEvent| {
        if let Some(window) = window.get_untracked().filter(|_| untrack(|| state.may_act())) {
            event.prevent_default();
            menu::open(state, Some(window), &event_target(&event));
        }
    };
    view! {
        <button
            role="tab"
            class="tmux-tab"
            data-tmux-tab=""
            data-testid="tmux-tab"
            aria-selected=move || is_shown.get().to_string()
            aria-controls="tmux-window"
            tabindex=move || if is_shown.get() { "0" } else { "-1" }
            title=move || window.with(|window| window.as_ref().map(about))
            on:click=choose
            on:dblclick=rename
            on:contextmenu=on_menu
        >
            <span class="tmux-index">{move || window.with(|w| w.as_ref().map(|w| w.index))}":"</span>
            <bdi>{name}</bdi>
            <When condition=move || window.with(|w| w.as_ref().is_some_and(|w| w.zoomed))>
                <span class="tmux-mark" title="Zoomed"><Icon name=IconName::Zoom /></span>
            </When>
        </button>
    }
}

/// Describes a window.
fn about(window: &TmuxWindow) -> String {
    let panes = match window.panes.len() {
        1 => "1 pane".to_owned(),
        count => format!("{count} panes"),
    };
    let fitted = if window.fitted { ", the size of a page" } else { "" };
    let current = if window.active { "current in tmux, " } else { "" };
    format!("{current}{panes}, {}{fitted}", tmux::size(window.cols, window.rows))
}

/// The buttons for what is done most.
#[component]
fn Tools(may_act: Memo<bool>) -> impl IntoView {
    let state = TmuxState::expect();
    let run = move |name: &'static str| {
        let found = untrack(|| offers::all(state)).into_iter().find(|it| it.name == name);
        if let Some(action) = found {
            action.run.run(());
        }
        state.focus_terminal();
    };
    let has_offers = Memo::new(move |_| !offers::all(state).is_empty());
    let window = Memo::new(move |_| state.window());
    let is = move |read: fn(&TmuxWindow) -> bool| {
        move || window.with(|window| window.as_ref().is_some_and(read))
    };
    let (is_zoomed, is_fitted) = (is(|window| window.zoomed), is(|window| window.fitted));
    let can_zoom = is(|window| window.panes.len() > 1);
    let button = move |name: &'static str, icon, title: &'static str| {
        view! {
            <button
                class="icon-button tmux-wide"
                data-testid=name
                title=title
                aria-label=title.split(" (").next()
                on:click=move |_| run(name)
            >
                <Icon name=icon />
            </button>
        }
    };
    view! {
        <div class="tmux-tools" role="toolbar" aria-label="tmux">
            <When condition=move || may_act.get()>
                {button("split-right", IconName::SplitRight, "Split right (Ctrl+Shift+D)")}
                {button("split-below", IconName::SplitBelow, "Split below (Ctrl+Shift+S)")}
                <button
                    class="icon-button tmux-wide"
                    data-testid="zoom"
                    title="Zoom this pane (Ctrl+Shift+Z)"
                    aria-label="Zoom this pane"
                    aria-pressed=move || is_zoomed().to_string()
                    disabled=move || !can_zoom()
                    on:click=move |_| run("zoom")
                >
                    <Icon name=IconName::Zoom />
                </button>
                <button
                    class="chip tmux-fit"
                    data-testid="fit"
                    title=move || window.with(|w| w.as_ref().map(fit_title))
                    aria-pressed=move || is_fitted().to_string()
                    on:click=move |_| {
                        toggle_fit(state);
                        state.focus_terminal();
                    }
                >
                    <Icon name=IconName::Fit />
                    <span>
                        {move || window.with(|w| w.as_ref().map(|w| tmux::size(w.cols, w.rows)))}
                    </span>
                </button>
            </When>
            <When condition=move || has_offers.get()>
                <button
                    class="icon-button"
                    data-testid="tmux-menu-button"
                    title="tmux commands"
                    aria-label="tmux commands"
                    aria-haspopup="menu"
                    on:click=move |event| menu::open(state, None, &event_target(&event))
                >
                    <Icon name=IconName::Sliders />
                </button>
            </When>
        </div>
    }
}

/// Chooses among the panes while one is shown at a time.
#[component]
fn PaneSwitcher() -> impl IntoView {
    let state = TmuxState::expect();
    let panes = Memo::new(move |_| state.panes());
    let is_needed = move || {
        let zoomed = state.window().is_some_and(|window| window.zoomed);
        (state.is_single() || zoomed) && panes.with(|panes| panes.len() > 1)
    };
    let ids = move || panes.with(|panes| panes.iter().map(|(_, pane)| pane.id.clone()).collect());
    let pane = move |id: &str| {
        let id = id.to_owned();
        let (own, chosen) = (id.clone(), id.clone());
        let text = Memo::new(move |_| {
            panes.with(|panes| {
                let (at, pane) = panes.iter().find(|(_, pane)| pane.id == own)?;
                Some(format!("{} {}", at + 1, tmux::pane_name(pane)))
            })
        });
        let has_focus = Memo::new(move |_| state.focus.with(|focus| *focus == id));
        view! {
            <button
                class="tmux-choice"
                data-testid="pane-choice"
                aria-pressed=move || has_focus.get().to_string()
                on:click=move |_| {
                    state.choose(&chosen);
                    state.focus_terminal();
                }
            >
                <bdi>{text}</bdi>
            </button>
        }
        .into_any()
    };
    view! {
        <When condition=is_needed>
            <nav class="tmux-choices" aria-label="Panes" data-testid="pane-switcher">
                {each(ids, pane)}
            </nav>
        </When>
    }
}

/// Says why tmux could not be asked, or did not do something.
#[component]
fn Problem() -> impl IntoView {
    let state = TmuxState::expect();
    view! {
        <div class="tmux-problem" role="alert">
            <When condition=move || state.problem.with(Option::is_some)>
                <span data-testid="tmux-problem">{move || state.problem.get()}</span>
                <button class="button quiet" data-testid="tmux-again" on:click=move |_| state.ask()>
                    "Try again"
                </button>
                <button
                    class="icon-button"
                    aria-label="Close"
                    on:click=move |_| state.problem.set(None)
                >
                    <Icon name=IconName::Cross />
                </button>
            </When>
        </div>
    }
}
