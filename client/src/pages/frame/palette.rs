//! The command palette: every action of the current page and of the whole application.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::dialog;
use crate::bindings::keyboard::{self, Keys, Press};
use crate::session::actions::Actions;
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router};
use crate::ui::When;
use crate::ui::picker::Picker;
use crate::ui::when::effect;

/// Returns the keys that open the palette on this page, for display.
#[must_use]
pub fn palette_keys() -> &'static str {
    let router = Router::expect();
    let terminal = untrack(|| matches!(router.page(), PageRoute::Terminal(_)));
    match (keyboard::is_apple(), terminal) {
        (true, _) => "⌘K",
        (false, true) => terminal_keys(),
        (false, false) => "Ctrl+K",
    }
}

/// Returns the keys that open the palette in a terminal, for display.
#[must_use]
pub fn terminal_keys() -> &'static str {
    match (keyboard::is_apple(), keyboard::is_firefox()) {
        (true, _) => "⌘K",
        (false, true) => "Ctrl+Shift+E",
        (false, false) => "Ctrl+Shift+P",
    }
}

/// Returns true if a key press opens the palette. Programs in a terminal keep Ctrl+K. Firefox opens
/// a private window on Ctrl+Shift+P, so no page gets those keys.
fn opens(press: &Press, apple: bool, terminal: bool, firefox: bool) -> bool {
    if press.alt {
        return false;
    }
    match press.latin().as_str() {
        "k" if press.meta => apple && !press.ctrl && !press.shift,
        "k" if press.ctrl => !terminal && !press.shift,
        "P" | "p" => press.ctrl && press.shift && !press.meta,
        "E" | "e" => firefox && terminal && press.ctrl && press.shift && !press.meta,
        _ => false,
    }
}

/// The palette, above everything else. Also listens for `?`, which shows the keyboard shortcuts.
#[component]
pub fn Palette() -> impl IntoView {
    let actions = Actions::expect();
    let router = Router::expect();
    let node = NodeRef::<html::Dialog>::new();
    let open = actions.palette;
    effect(move || {
        let wanted = open.get();
        if let Some(element) = node.get() {
            if wanted {
                dialog::show(&element);
            } else {
                dialog::close(&element);
            }
        }
    });
    let (apple, firefox) = (keyboard::is_apple(), keyboard::is_firefox());
    let opener = keyboard::first_keys(move |press| {
        let terminal = untrack(|| matches!(router.page(), PageRoute::Terminal(_)));
        let ours = opens(press, apple, terminal, firefox);
        if ours {
            open.update(|open| *open = !*open);
        }
        ours
    });
    let helper = keyboard::page_keys(move |press| {
        let ours = press.plain() && press.latin() == "?";
        if ours {
            actions.tell_keys();
        }
        ours
    });
    let _: StoredValue<(Keys, Keys), LocalStorage> = StoredValue::new_local((opener, helper));
    view! {
        <dialog
            node_ref=node
            class="palette"
            aria-label="Commands"
            data-testid="palette"
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // A click on the dialog itself is a click beside its content.
                if dialog::is_itself(&event) {
                    open.set(false);
                }
            }
        >
            <When condition=move || open.get()>
                <Content />
            </When>
        </dialog>
    }
}

#[component]
fn Content() -> impl IntoView {
    let actions = Actions::expect();
    OverviewState::expect().follow();
    let items = Callback::new(move |()| actions.all());
    let done = Callback::new(move |()| actions.close_palette());
    view! {
        <Picker
            name="palette"
            label="Find a command or a session"
            placeholder="What do you want to do?"
            items
            done
        />
        <p class="picker-foot" aria-hidden="true">
            <span><kbd>"↑"</kbd> <kbd>"↓"</kbd> " choose"</span>
            <span><kbd>"Enter"</kbd> " do"</span>
            <span><kbd>"Esc"</kbd> " close"</span>
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn press(key: &str, ctrl: bool, shift: bool, meta: bool) -> Press {
        Press { key: key.to_owned(), ctrl, shift, meta, ..Press::default() }
    }

    #[test]
    fn programs_keep_control_and_k() {
        let (control_k, command_k) =
            (press("k", true, false, false), press("k", false, false, true));
        assert!(opens(&control_k, false, false, false) && !opens(&control_k, false, true, false));
        assert!(!opens(&control_k, true, true, false));
        assert!(opens(&command_k, true, true, false) && !opens(&command_k, false, false, false));
        assert!(opens(&press("P", true, true, false), false, true, false));
        assert!(!opens(&press("p", true, false, false), false, true, false));
        assert!(!opens(&press("k", false, false, false), false, false, false));
        let control_e = press("E", true, true, false);
        assert!(opens(&control_e, false, true, true) && !opens(&control_e, false, true, false));
    }
}
