//! The page's address and the links that change it.

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, HtmlAnchorElement, MouseEvent, window};

/// Returns the path and query of the page's address, such as `/sessions?project=…`.
#[must_use]
pub fn address() -> String {
    let location = window().map(|window| window.location());
    let path = location.as_ref().and_then(|location| location.pathname().ok());
    let query = location.as_ref().and_then(|location| location.search().ok());
    path.unwrap_or_default() + &query.unwrap_or_default()
}

/// Returns the value of a field in the query of the page's address, without its escapes.
#[must_use]
pub fn query_value(name: &str) -> Option<String> {
    let query = window()?.location().search().ok()?;
    let mut fields = query.trim_start_matches('?').split('&');
    let value = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
    js_sys::decode_uri_component(value).ok().map(String::from)
}

/// Sets the page's address to another one on the same server and adds a history entry. Loads
/// nothing, and does not notify an [`AddressWatch`].
pub fn push(address: &str) {
    let history = window().and_then(|window| window.history().ok());
    if let Some(history) = history {
        // Fails only for an address on another origin or while the page unloads.
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(address));
    }
}

/// Sets the page's address to another one on the same server, in place of the one that it has. Loads
/// nothing, and does not notify an [`AddressWatch`].
pub fn replace(address: &str) {
    let history = window().and_then(|window| window.history().ok());
    if let Some(history) = history {
        // Fails only for an address on another origin or while the page unloads.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(address));
    }
}

/// Returns the text that the current history entry keeps.
#[must_use]
pub fn state() -> Option<String> {
    window()?.history().ok()?.state().ok()?.as_string()
}

/// Removes what the current history entry keeps.
pub fn clear_state() {
    set_state(&JsValue::NULL);
}

fn set_state(state: &JsValue) {
    if let Some(history) = window().and_then(|window| window.history().ok()) {
        // Fails only while the page unloads.
        let _ = history.replace_state(state, "");
    }
}

/// Listens for the page's end until dropped.
#[must_use = "dropping it stops listening"]
pub struct UnloadWatch {
    _listener: Option<EventListener>,
}

/// Has the current history entry keep the text that `kept` returns when the page is left or loaded again.
/// Only this server's pages can read it, and only at that entry. It survives where the browser blocks
/// storage.
pub fn watch_unload(kept: impl Fn() -> Option<String> + 'static) -> UnloadWatch {
    let listener = window().map(|window| {
        EventListener::new(&window, "beforeunload", move |_| {
            set_state(&kept().map_or(JsValue::NULL, |text| JsValue::from_str(&text)));
        })
    });
    UnloadWatch { _listener: listener }
}

/// Listens for back and forward navigation until dropped.
#[must_use = "dropping it stops listening"]
pub struct AddressWatch {
    _listener: Option<EventListener>,
}

/// Calls `changed` after each back or forward navigation.
pub fn watch(changed: impl Fn() + 'static) -> AddressWatch {
    let listener =
        window().map(|window| EventListener::new(&window, "popstate", move |_| changed()));
    AddressWatch { _listener: listener }
}

/// Listens for link clicks until dropped.
#[must_use = "dropping it stops listening"]
pub struct LinkWatch {
    _listener: Option<EventListener>,
}

/// Calls `follow` with the path and query of each plainly clicked link to this server. If it
/// returns true, the browser does not follow the link itself.
pub fn watch_links(follow: impl Fn(&str) -> bool + 'static) -> LinkWatch {
    let listener = window().map(|window| {
        let options = EventListenerOptions::enable_prevent_default();
        EventListener::new_with_options(&window, "click", options, move |event| {
            if target(event).is_some_and(|address| follow(&address)) {
                event.prevent_default();
            }
        })
    });
    LinkWatch { _listener: listener }
}

/// Has each clicked link open in a new tab that has no access to this page.
pub fn open_links_in_tabs() -> LinkWatch {
    let listener = window().map(|window| {
        let options = EventListenerOptions::run_in_capture_phase();
        EventListener::new_with_options(&window, "click", options, |event| {
            if let Some(link) = link_of(event) {
                link.set_target("_blank");
                link.set_rel("noopener noreferrer");
            }
        })
    });
    LinkWatch { _listener: listener }
}

fn link_of(event: &Event) -> Option<HtmlAnchorElement> {
    let clicked = event.target()?.dyn_into::<Element>().ok()?;
    clicked.closest("a[href]").ok()??.dyn_into().ok()
}

/// Returns the address within this app that a click leads to, or `None` if the browser should
/// handle the click.
fn target(event: &Event) -> Option<String> {
    let click = event.dyn_ref::<MouseEvent>()?;
    let modified = click.ctrl_key() || click.meta_key() || click.shift_key() || click.alt_key();
    if modified || click.button() != 0 || click.default_prevented() {
        return None;
    }
    let link = link_of(event)?;
    let here = window()?.location();
    let elsewhere = !matches!(link.target().as_str(), "" | "_self")
        || link.has_attribute("download")
        || Some(link.origin()) != here.origin().ok();
    let to = link.pathname() + &link.search();
    let within = !link.hash().is_empty() && to == address();
    (!elsewhere && !within).then_some(to)
}
