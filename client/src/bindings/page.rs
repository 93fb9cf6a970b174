//! The page itself: its address, title, visibility and network.

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{VisibilityState, window};

/// An element of the page.
pub use web_sys::HtmlElement;

/// What happens to the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEvent {
    /// The network came back.
    Online,
    /// The network went away.
    Offline,
    /// The page is seen again, or came back from the back-forward cache.
    Visible,
    /// The page may go away; the last moment to keep something.
    Hidden,
}

/// Hears the page's events while it lives.
#[must_use = "dropping it stops listening"]
pub struct PageWatch {
    _listeners: Vec<EventListener>,
}

/// Calls `happened` for each event of the page.
pub fn watch(happened: impl Fn(PageEvent) + Clone + 'static) -> PageWatch {
    let Some(window) = window() else { return PageWatch { _listeners: Vec::new() } };
    let plain = |kind: &'static str, event: PageEvent| {
        let happened = happened.clone();
        EventListener::new(&window, kind, move |_| happened(event))
    };
    let mut listeners = vec![
        plain("online", PageEvent::Online),
        plain("offline", PageEvent::Offline),
        plain("pageshow", PageEvent::Visible),
        plain("focus", PageEvent::Visible),
        plain("pagehide", PageEvent::Hidden),
    ];
    if let Some(document) = window.document() {
        listeners.push(EventListener::new(&document.clone(), "visibilitychange", move |_| {
            let visible = document.visibility_state() == VisibilityState::Visible;
            happened(if visible { PageEvent::Visible } else { PageEvent::Hidden });
        }));
    }
    PageWatch { _listeners: listeners }
}

/// Whether the page is seen.
#[must_use]
pub fn is_visible() -> bool {
    window()
        .and_then(|window| window.document())
        .is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Whether the browser believes that there is a network.
#[must_use]
pub fn is_online() -> bool {
    window().is_none_or(|window| window.navigator().on_line())
}

/// The fragment of the page's address, without `#`.
#[must_use]
pub fn fragment() -> String {
    let hash = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
    hash.trim_start_matches('#').to_owned()
}

/// Hears of another fragment in the address while it lives.
#[must_use = "dropping it stops listening"]
pub struct FragmentWatch {
    _listener: Option<EventListener>,
}

/// Calls `changed` when somebody gives the page's address another fragment.
pub fn watch_fragment(changed: impl Fn() + 'static) -> FragmentWatch {
    let listener =
        window().map(|window| EventListener::new(&window, "hashchange", move |_| changed()));
    FragmentWatch { _listener: listener }
}

/// Replaces the fragment in the address without a step in the history.
pub fn replace_fragment(fragment: &str) {
    let Some(window) = window() else { return };
    let location = window.location();
    let (Ok(path), Ok(query), Ok(history)) =
        (location.pathname(), location.search(), window.history())
    else {
        return;
    };
    let mark = if fragment.is_empty() { "" } else { "#" };
    let address = format!("{path}{query}{mark}{fragment}");
    // Fails only where the page is being left.
    let state = history.state().unwrap_or_default();
    let _ = history.replace_state_with_url(&state, "", Some(&address));
}

/// The address of the server that the page came from.
#[must_use]
pub fn origin() -> String {
    window().and_then(|window| window.location().origin().ok()).unwrap_or_default()
}

/// The address of a WebSocket at `path` of the server that the page came from.
#[must_use]
pub fn socket_address(path: &str) -> String {
    let location = window().map(|window| window.location());
    let protocol = location.as_ref().and_then(|l| l.protocol().ok()).unwrap_or_default();
    let host = location.as_ref().and_then(|l| l.host().ok()).unwrap_or_default();
    let scheme = if protocol == "https:" { "wss" } else { "ws" };
    let host = if cfg!(debug_assertions) { beside_trunk(&host) } else { &host };
    format!("{scheme}://{host}{path}")
}

/// `trunk serve` passes WebSockets on without their subprotocols, which browsers take for a
/// failure. So a page that comes from it (its port stands in Trunk.toml) dials the relay itself.
fn beside_trunk(host: &str) -> &str {
    if host.ends_with(":8080") { "127.0.0.1:3010" } else { host }
}

/// Sets the title of the tab to what its page shows.
pub fn set_title(shown: &str) {
    if let Some(document) = window().and_then(|window| window.document()) {
        document.set_title(&format!("{shown} · Moorline"));
    }
}

/// Sets an attribute of the page's root element, or removes it.
pub fn set_root_attribute(name: &str, value: Option<&str>) {
    let root = window().and_then(|window| window.document()?.document_element());
    if let Some(root) = root {
        // The names are constants of ours and well-formed.
        let _ = match value {
            Some(value) => root.set_attribute(name, value),
            None => root.remove_attribute(name),
        };
    }
}

/// Sets attributes on `element`.
pub fn set_attributes(element: &HtmlElement, attributes: &[(&str, String)]) {
    for (name, value) in attributes {
        // The names are constants of ours and well-formed.
        let _ = element.set_attribute(name, value);
    }
}

/// Leaves for `address`, which the browser loads.
pub fn load(address: &str) {
    if let Some(window) = window() {
        // Fails only for what is no address.
        let _ = window.location().assign(address);
    }
}

/// Loads the page anew.
pub fn reload() {
    if let Some(window) = window() {
        let _ = window.location().reload();
    }
}

/// Opens `address` in a tab that cannot reach back to this page.
pub fn open_tab(address: &str) {
    if let Some(window) = window() {
        let _ =
            window.open_with_url_and_target_and_features(address, "_blank", "noopener,noreferrer");
    }
}

/// Moves the focus to `element` once it is in the page and drawn.
pub fn focus_soon(element: HtmlElement) {
    leptos::prelude::request_animation_frame(move || focus(&element));
}

/// Moves the focus to `element`.
pub fn focus(element: &HtmlElement) {
    // Fails only for an element that is not in the page.
    let _ = element.focus();
}

/// Moves the focus to the page's content once it is drawn, unless something has taken it.
pub fn focus_main_soon() {
    leptos::prelude::request_animation_frame(|| {
        let Some(document) = window().and_then(|window| window.document()) else { return };
        let free = document.active_element().is_none_or(|active| active.tag_name() == "BODY");
        let main = document.query_selector("main").ok().flatten();
        if let Some(main) =
            main.and_then(|main| main.dyn_into::<HtmlElement>().ok()).filter(|_| free)
        {
            main.set_tab_index(-1);
            focus(&main);
        }
    });
}

/// Removes the element with this id.
pub fn remove_id(id: &str) {
    if let Some(element) = window().and_then(|window| window.document()?.get_element_by_id(id)) {
        element.remove();
    }
}

/// Moves the focus by `step` among the elements that match `selector`; from elsewhere to the first
/// or the last.
pub fn move_focus(selector: &str, step: i32) {
    let Some(document) = window().and_then(|window| window.document()) else { return };
    let Ok(all) = document.query_selector_all(selector) else { return };
    let count = i32::try_from(all.length()).unwrap_or(i32::MAX);
    let focused = document.active_element();
    let current = (0..count).find(|index| {
        let node = all.get(*index as u32);
        node.is_some_and(|node| focused.as_deref().is_some_and(|focused| *focused == node))
    });
    let next = match current {
        Some(index) => index.saturating_add(step).clamp(0, (count - 1).max(0)),
        None if step > 0 => 0,
        None => (count - 1).max(0),
    };
    let node = all.get(next as u32);
    if let Some(element) = node.and_then(|node| node.dyn_into::<HtmlElement>().ok()) {
        focus(&element);
    }
}

/// The first element that matches `inner` within the nearest `outer` around `element`.
#[must_use]
pub fn within(element: &HtmlElement, outer: &str, inner: &str) -> Option<HtmlElement> {
    let around = element.closest(outer).ok().flatten()?;
    around.query_selector(inner).ok().flatten()?.dyn_into().ok()
}

/// Whether the address has `name` among its query's fields.
#[must_use]
pub fn query_has(name: &str) -> bool {
    let query = window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    query.trim_start_matches('?').split('&').any(|field| field.split('=').next() == Some(name))
}

/// A text in small letters, as the browser's tables have it: ours would be downloaded again.
#[must_use]
pub fn lowercase(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// Scrolls the first element that matches into sight, within what scrolls around it.
pub fn show(selector: &str) {
    let document = window().and_then(|window| window.document());
    if let Some(element) = document.and_then(|document| document.query_selector(selector).ok()?) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Moves the focus to the element with this id.
pub fn focus_id(id: &str) {
    let element = window().and_then(|window| window.document()?.get_element_by_id(id));
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        focus(&element);
    }
}
