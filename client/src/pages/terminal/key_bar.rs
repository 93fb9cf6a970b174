//! A bar of keys that a soft keyboard lacks.

use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::{Interval, Timeout};
use leptos::prelude::*;

use crate::pages::terminal::state::TerminalState;
use crate::session::keys::{Key, Modifiers};
use crate::ui::preferences::Preferences;
use crate::ui::{Icon, IconName, When};

const REPEAT_AFTER_MS: u32 = 400;
const REPEAT_EVERY_MS: u32 = 60;

const KEYS: [(Key, &str, &str); 14] = [
    (Key::Left, "←", "Left"),
    (Key::Down, "↓", "Down"),
    (Key::Up, "↑", "Up"),
    (Key::Right, "→", "Right"),
    (Key::Character('|'), "|", "Pipe"),
    (Key::Character('/'), "/", "Slash"),
    (Key::Character('~'), "~", "Tilde"),
    (Key::Character('-'), "-", "Minus"),
    (Key::Home, "Home", "Home"),
    (Key::End, "End", "End"),
    (Key::PageUp, "PgUp", "PgUp: page up"),
    (Key::PageDown, "PgDn", "PgDn: page down"),
    (Key::Character('`'), "`", "Backtick"),
    (Key::Character('&'), "&", "Ampersand"),
];

/// The key bar, if the user wants it.
#[component]
pub fn KeyBar() -> impl IntoView {
    let preferences = Preferences::expect();
    let state = TerminalState::expect();
    let toggle =
        move |name: &'static str, read: fn(Modifiers) -> bool, flip: fn(&mut Modifiers)| {
            view! {
                <button
                    class="key"
                    aria-pressed=move || read(state.modifiers.get()).to_string()
                    on:click=move |_| state.modifiers.update(flip)
                >
                    {name}
                </button>
            }
        };
    view! {
        <When condition=move || preferences.key_bar()>
            // Pressing a key here must not take away the focus, and with it the keyboard.
            <div
                class="key-bar"
                role="toolbar"
                aria-label="Keys"
                data-testid="key-bar"
                on:pointerdown=|event| event.prevent_default()
                on:mousedown=|event| event.prevent_default()
            >
                <BarKey key=Key::Escape label="Esc" name="Esc: escape" />
                <BarKey key=Key::Tab label="Tab" name="Tab" />
                {toggle("Ctrl", |m| m.ctrl, |m| m.ctrl = !m.ctrl)}
                {toggle("Alt", |m| m.alt, |m| m.alt = !m.alt)}
                {KEYS
                    .into_iter()
                    .map(|(key, label, name)| view! { <BarKey key label name /> })
                    .collect_view()}
                <button class="key" aria-label="Paste" on:click=move |_| state.paste()>
                    <Icon name=IconName::Text />
                    "Paste"
                </button>
            </div>
        </When>
    }
}

/// The timer that makes a held key repeat.
enum HeldKey {
    Waiting(#[expect(dead_code, reason = "dropping it cancels the timer")] Timeout),
    Repeating(#[expect(dead_code, reason = "dropping it ends the timer")] Interval),
}

/// A key, which repeats while it is held down.
#[component]
fn BarKey(key: Key, label: &'static str, name: &'static str) -> impl IntoView {
    let state = TerminalState::expect();
    let held = StoredValue::new_local(None::<HeldKey>);
    // True after a repetition: the click that ends it is not another press.
    let repeated = StoredValue::new_local(Rc::new(Cell::new(false)));
    let hold = move |_| {
        let repeated = repeated.get_value();
        repeated.set(false);
        held.set_value(Some(HeldKey::Waiting(Timeout::new(REPEAT_AFTER_MS, move || {
            repeated.set(true);
            let repeat = Interval::new(REPEAT_EVERY_MS, move || state.press(key));
            held.set_value(Some(HeldKey::Repeating(repeat)));
        }))));
    };
    let release = move || held.set_value(None);
    let click = move |_| {
        if !repeated.get_value().replace(false) {
            state.press(key);
        }
    };
    view! {
        <button
            class="key"
            aria-label=name
            on:pointerdown=hold
            on:pointerup=move |_| release()
            on:pointerleave=move |_| release()
            on:pointercancel=move |_| release()
            on:contextmenu=|event| event.prevent_default()
            on:click=click
        >
            {label}
        </button>
    }
}
