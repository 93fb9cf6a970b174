//! The search in the conversation, as the page sees it: its key, and the part of the code that it needs.

use leptos::html;
use leptos::prelude::*;

use super::more_code::MoreCode;
use crate::bindings::keyboard::{self, Keys, Press};
use crate::ui::When;

/// The search bar of the conversation in `view`, shown while it is open. Ctrl+F or ⌘F opens it.
#[component]
pub fn Find(
    /// True while the bar is open.
    is_open: RwSignal<bool>,
    /// The element that scrolls.
    view: NodeRef<html::Div>,
) -> impl IntoView {
    let apple = keyboard::is_apple();
    let keys = keyboard::first_keys(move |press| {
        // While it is open, the key is the browser's own.
        let opens = is_find(press, apple) && !is_open.get_untracked();
        if opens {
            is_open.set(true);
        }
        opens
    });
    let _: StoredValue<Keys, LocalStorage> = StoredValue::new_local(keys);
    let more = MoreCode::expect();
    let bar = move || more.show(move |views| (views.find)(is_open, view));
    view! { <When condition=move || is_open.get()>{bar()}</When> }
}

fn is_find(press: &Press, apple: bool) -> bool {
    let modifier = if apple { press.meta && !press.ctrl } else { press.ctrl && !press.meta };
    modifier && !press.shift && !press.alt && press.latin() == "f"
}

/// Returns the name of the search's button, with its key.
pub(super) fn find_title() -> &'static str {
    if keyboard::is_apple() { "Search (⌘F)" } else { "Search (Ctrl+F)" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_the_platforms_own_key_opens_the_search() {
        let press = |ctrl, meta, shift| Press {
            key: "f".to_owned(),
            ctrl,
            meta,
            shift,
            ..Press::default()
        };
        assert!(is_find(&press(true, false, false), false));
        assert!(!is_find(&press(true, false, false), true));
        assert!(is_find(&press(false, true, false), true));
        assert!(!is_find(&press(true, false, true), false));
        assert!(!is_find(&press(false, false, false), false));
    }
}
