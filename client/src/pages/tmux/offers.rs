//! What a user can do with a tmux session, for the toolbar, the menu, the palette and the keyboard.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::tmux::{SplitDirection, TmuxAction, TmuxPane, TmuxWindow};

use super::state::{TmuxAsk, TmuxState};
use crate::bindings::keyboard::{self, Keys, Press};
use crate::session::actions::Actions;
use crate::ui::{Action, IconName};

/// The keyboard shortcuts: the letter that goes with Control and Shift, and the action's name.
/// Programs cannot distinguish them from Control and the letter, which they keep.
const SHORTCUTS: [(&str, &str, &str); 7] = [
    ("D", "split-right", "Ctrl+Shift+D"),
    ("S", "split-below", "Ctrl+Shift+S"),
    ("Z", "zoom", "Ctrl+Shift+Z"),
    ("X", "close-pane", "Ctrl+Shift+X"),
    ("O", "next-pane", "Ctrl+Shift+O"),
    ("Y", "next-window", "Ctrl+Shift+Y"),
    ("M", "new-window", "Ctrl+Shift+M"),
];

/// Offers the actions in the palette, and by keys, for as long as the calling component lives.
pub(super) fn provide(state: TmuxState) {
    let actions = Actions::expect();
    actions.offer(move || all(state));
    let keys = keyboard::first_keys(move |press| {
        let is_open = actions.palette.get_untracked()
            || actions.asked.with_untracked(Option::is_some)
            || state.asked.with_untracked(Option::is_some);
        let Some(name) = shortcut(press).filter(|_| !is_open) else { return false };
        let found = untrack(|| all(state)).into_iter().find(|action| action.name == name);
        if let Some(action) = found {
            action.run.run(());
        }
        true
    });
    let _: StoredValue<Keys, LocalStorage> = StoredValue::new_local(keys);
}

/// Returns the name of the action of a key, if it is one.
fn shortcut(press: &Press) -> Option<&'static str> {
    if !press.ctrl || !press.shift || press.alt || press.meta {
        return None;
    }
    let key = press.latin();
    let found = SHORTCUTS.iter().find(|(letter, ..)| key.eq_ignore_ascii_case(letter));
    found.map(|(_, name, _)| *name)
}

/// Returns everything that is possible now; tracked.
pub(super) fn all(state: TmuxState) -> Vec<Action> {
    let (Some(window), Some(pane)) = (state.window(), state.pane()) else { return Vec::new() };
    let may_act = state.may_act();
    let mut all = of_pane(state, &window, &pane, may_act);
    all.extend(of_window(state, &window, may_act));
    all.extend(of_session(state, &window, may_act));
    let keyed = |action: Action| {
        let keys = SHORTCUTS.iter().find(|(_, name, _)| *name == action.name);
        Action { keys: keys.map_or("", |(.., keys)| *keys), ..action }
    };
    all.into_iter().map(keyed).collect()
}

fn of_pane(state: TmuxState, window: &TmuxWindow, pane: &TmuxPane, may_act: bool) -> Vec<Action> {
    let group: Arc<str> = "This pane".into();
    let act = |name, icon, title: &str, action: TmuxAction| {
        Action::new(&group, name, icon, title, move || state.act(&action))
    };
    let split = |name, icon, title: &str, direction| {
        act(name, icon, title, TmuxAction::Split { pane: pane.id.clone(), direction })
    };
    let mut all = Vec::new();
    if may_act {
        all.extend([
            split("split-right", IconName::SplitRight, "Split right", SplitDirection::Right),
            split("split-below", IconName::SplitBelow, "Split below", SplitDirection::Below),
        ]);
        let title = if window.zoomed { "Show all panes" } else { "Zoom this pane" };
        if window.panes.len() > 1 {
            let zoom = TmuxAction::Zoom { pane: pane.id.clone() };
            all.push(act("zoom", IconName::Zoom, title, zoom));
        }
    }
    if state.panes().len() > 1 {
        let next = move || state.step_pane(1);
        all.push(Action::new(&group, "next-pane", IconName::Again, "Next pane", next));
    }
    if may_act {
        let ask = TmuxAsk::ClosePane(pane.clone());
        let close = move || state.asked.set(Some(ask.clone()));
        all.push(Action::new(&group, "close-pane", IconName::Cross, "Close pane…", close));
    }
    all
}

/// Returns what is possible with a window.
pub(super) fn of_window(state: TmuxState, window: &TmuxWindow, may_act: bool) -> Vec<Action> {
    if !may_act {
        return Vec::new();
    }
    let group: Arc<str> = format!("Window {}: {}", window.index, window.name).into();
    let ask = |name, icon, title: &str, ask: TmuxAsk| {
        Action::new(&group, name, icon, title, move || state.asked.set(Some(ask.clone())))
    };
    let rename = TmuxAsk::RenameWindow(window.clone());
    let close = TmuxAsk::CloseWindow(window.clone());
    vec![
        ask("rename-window", IconName::Pencil, "Rename window…", rename),
        ask("close-window", IconName::Bin, "Close window…", close),
    ]
}

fn of_session(state: TmuxState, window: &TmuxWindow, may_act: bool) -> Vec<Action> {
    let name = state.session.with(|session| session.as_ref().map(|it| it.name.clone()));
    let group: Arc<str> = format!("tmux session {}", name.unwrap_or_default()).into();
    let action = |name, icon, title: &str, run: fn(TmuxState)| {
        Action::new(&group, name, icon, title, move || run(state))
    };
    let mut all = Vec::new();
    if may_act {
        all.push(action("new-window", IconName::Plus, "New window", |state| {
            state.act(&TmuxAction::NewWindow { name: None });
        }));
    }
    let has_more = state.session.with(|it| it.as_ref().is_some_and(|it| it.windows.len() > 1));
    if has_more && !state.is_alone() {
        all.push(action("next-window", IconName::Stack, "Next window", |state| {
            state.step_window(1);
        }));
    }
    if may_act {
        all.push(action("rename-tmux", IconName::Pencil, "Rename tmux session…", |state| {
            state.asked.set(Some(TmuxAsk::RenameSession));
        }));
        let title = fit_title(window);
        all.push(action("fit", IconName::Fit, title, toggle_fit));
    }
    let shrinks = state.shrinks.get();
    if state.is_shrunk.get() || (!shrinks && !state.is_single()) {
        let title = if shrinks { "Full text size" } else { "Shrink text to fit" };
        all.push(action("shrink", IconName::Text, title, |state| {
            state.shrinks.update(|shrinks| *shrinks = !*shrinks);
        }));
    }
    all
}

/// Returns what the button for the window's size does.
pub(super) const fn fit_title(window: &TmuxWindow) -> &'static str {
    if window.fitted { "Let the terminals decide the size" } else { "Fit to this page" }
}

/// Gives the shown window the size of the page, or ends that.
pub(super) fn toggle_fit(state: TmuxState) {
    let is_fitted = untrack(|| state.window()).is_some_and(|window| window.fitted);
    state.fits.set(!is_fitted);
    if is_fitted {
        state.act(&TmuxAction::Unfit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::keyboard::KeyKind;
    use crate::pages::terminal::shortcut::shortcut as of_terminal;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn press(key: &str, shift: bool) -> Press {
        Press { key: key.to_owned(), ctrl: true, shift, ..Press::default() }
    }

    #[test]
    fn no_key_has_two_meanings_and_programs_keep_theirs() {
        for (letter, name, keys) in SHORTCUTS {
            assert_eq!(shortcut(&press(letter, true)), Some(name));
            assert_eq!(shortcut(&press(&letter.to_lowercase(), false)), None, "a program's");
            assert_eq!(of_terminal(&press(letter, true), false), None, "{letter}");
            assert!(keys.ends_with(letter) && !["K", "P", "E"].contains(&letter), "{keys}");
        }
        let released = Press { kind: KeyKind::Release, ..press("Q", true) };
        assert_eq!(shortcut(&released), None);
    }
}
