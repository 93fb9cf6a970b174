//! The page itself: its address, title, focus, visibility and network.

use std::cell::RefCell;

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{VisibilityState, window};

/// The tab's icon while questions wait: Moorline's, with a mark.
const WAITING_ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 \
    32 32'%3E%3Crect width='32' height='32' rx='8' fill='%230f2b2c'/%3E%3Cpath d='M9 8.5l6 5.5-6 5.5' \
    fill='none' stroke='%237fe0d3' stroke-width='3'/%3E%3Ccircle cx='24' cy='8' r='8' \
    fill='%23e0443c'/%3E%3C/svg%3E";

/// An element of the page.
pub use web_sys::HtmlElement;

/// A change of the page's visibility or network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEvent {
    /// The network came back.
    Online,
    /// The network went away.
    Offline,
    /// The page is visible again, has gained the focus, or came back from the back-forward cache.
    Visible,
    /// The page may be discarded. This is the last moment to save state.
    Hidden,
}

/// Listens for page events until dropped.
#[must_use = "dropping it stops listening"]
pub struct PageWatch {
    _listeners: Vec<EventListener>,
}

/// Calls `happened` for each page event.
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

/// Returns true if the page is visible.
#[must_use]
pub fn is_visible() -> bool {
    window()
        .and_then(|window| window.document())
        .is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Returns true if the browser believes that the network is available.
#[must_use]
pub fn is_online() -> bool {
    window().is_none_or(|window| window.navigator().on_line())
}

/// Returns the fragment of the page's address, without `#`.
#[must_use]
pub fn fragment() -> String {
    let hash = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
    hash.trim_start_matches('#').to_owned()
}

/// Listens for changes of the address's fragment until dropped.
#[must_use = "dropping it stops listening"]
pub struct FragmentWatch {
    _listener: Option<EventListener>,
}

/// Calls `changed` when the user or a link changes the fragment of the page's address.
pub fn watch_fragment(changed: impl Fn() + 'static) -> FragmentWatch {
    let listener =
        window().map(|window| EventListener::new(&window, "hashchange", move |_| changed()));
    FragmentWatch { _listener: listener }
}

/// Replaces the fragment in the address without adding a history entry.
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
    // Fails only while the page unloads.
    let state = history.state().unwrap_or_default();
    let _ = history.replace_state_with_url(&state, "", Some(&address));
}

/// Returns the origin of the server that served the page.
#[must_use]
pub fn origin() -> String {
    window().and_then(|window| window.location().origin().ok()).unwrap_or_default()
}

/// Returns the WebSocket URL of `path` on the server that served the page.
#[must_use]
pub fn socket_address(path: &str) -> String {
    let location = window().map(|window| window.location());
    let protocol = location.as_ref().and_then(|l| l.protocol().ok()).unwrap_or_default();
    let host = location.as_ref().and_then(|l| l.host().ok()).unwrap_or_default();
    let scheme = if protocol == "https:" { "wss" } else { "ws" };
    let host = if cfg!(debug_assertions) { beside_trunk(&host) } else { &host };
    format!("{scheme}://{host}{path}")
}

/// `trunk serve` forwards WebSockets without their subprotocols, which browsers treat as a failure.
/// So a page that it serves (its port is set in Trunk.toml) dials the relay directly.
fn beside_trunk(host: &str) -> &str {
    if host.ends_with(":8080") { "127.0.0.1:3010" } else { host }
}

thread_local! {
    /// The page's title, and the number of questions that wait.
    static TITLE: RefCell<(String, usize)> = const { RefCell::new((String::new(), 0)) };
}

/// Sets the tab's title to `shown`, followed by the product's name.
pub fn set_title(shown: &str) {
    TITLE.with_borrow_mut(|title| title.0 = shown.to_owned());
    show_title();
}

/// Shows the number of questions that wait, in the tab's title and icon.
pub fn set_count(count: usize) {
    TITLE.with_borrow_mut(|title| title.1 = count);
    show_title();
    let Some(document) = window().and_then(|window| window.document()) else { return };
    let Some(icon) = document.query_selector("link[rel~=icon]").ok().flatten() else { return };
    // The page's own icon is kept, to return to it.
    let plain = icon.get_attribute("data-plain").or_else(|| icon.get_attribute("href"));
    let plain = plain.unwrap_or_default();
    // Cannot fail: the names are well-formed constants.
    let _ = icon.set_attribute("data-plain", &plain);
    let _ = icon.set_attribute("href", if count == 0 { &plain } else { WAITING_ICON });
}

fn show_title() {
    let title = TITLE.with_borrow(|(shown, count)| match count {
        0 => format!("{shown} · Moorline"),
        count => format!("({count}) {shown} · Moorline"),
    });
    if let Some(document) = window().and_then(|window| window.document()) {
        document.set_title(&title);
    }
}

/// Sets an attribute of the page's root element, or removes it if `value` is `None`.
pub fn set_root_attribute(name: &str, value: Option<&str>) {
    let root = window().and_then(|window| window.document()?.document_element());
    if let Some(root) = root {
        // Cannot fail: the names are well-formed constants.
        let _ = match value {
            Some(value) => root.set_attribute(name, value),
            None => root.remove_attribute(name),
        };
    }
}

/// Sets properties of the root element's style, or removes those whose value is `None`.
pub fn set_root_styles<'a>(styles: impl IntoIterator<Item = (&'a str, Option<String>)>) {
    let root = window().and_then(|window| window.document()?.document_element());
    let Some(root) = root.and_then(|root| root.dyn_into::<HtmlElement>().ok()) else { return };
    for (name, value) in styles {
        // Cannot fail: the names are well-formed, and a value that is not is ignored.
        let _ = match value {
            Some(value) => root.style().set_property(name, &value),
            None => root.style().remove_property(name).map(|_| ()),
        };
    }
}

/// Sets attributes on `element`.
pub fn set_attributes(element: &HtmlElement, attributes: &[(&str, String)]) {
    for (name, value) in attributes {
        // Cannot fail: the names are well-formed constants.
        let _ = element.set_attribute(name, value);
    }
}

/// Navigates to `address`, which the browser loads.
pub fn load(address: &str) {
    if let Some(window) = window() {
        // Fails only for a malformed address.
        let _ = window.location().assign(address);
    }
}

/// Reloads the current page.
pub fn reload() {
    if let Some(window) = window() {
        let _ = window.location().reload();
    }
}

/// Opens `address` in a new tab that has no access to this page.
pub fn open_tab(address: &str) {
    if let Some(window) = window() {
        let _ =
            window.open_with_url_and_target_and_features(address, "_blank", "noopener,noreferrer");
    }
}

/// Moves the focus to `element` at the next animation frame, once it is in the page.
pub fn focus_soon(element: HtmlElement) {
    leptos::prelude::request_animation_frame(move || focus(&element));
}

/// Moves the focus to `element`.
pub fn focus(element: &HtmlElement) {
    // Fails only for an element that is not in the page.
    let _ = element.focus();
}

/// Returns true if `element` has the focus.
#[must_use]
pub fn has_focus(element: &HtmlElement) -> bool {
    let document = window().and_then(|window| window.document());
    document.and_then(|document| document.active_element()).is_some_and(|it| it == **element)
}

/// Returns true if `element`, or one within it, has the focus.
#[must_use]
pub fn holds_focus(element: &HtmlElement) -> bool {
    let document = window().and_then(|window| window.document());
    let focused = document.and_then(|document| document.active_element());
    focused.is_some_and(|focused| element.contains(Some(&focused)))
}

/// Returns the index, among the elements that match `selector`, of the one that holds the focus.
#[must_use]
pub fn place_of_focus(selector: &str) -> Option<u32> {
    let all = window()?.document()?.query_selector_all(selector).ok()?;
    (0..all.length()).find(|index| {
        let element = all.get(*index).and_then(|node| node.dyn_into::<HtmlElement>().ok());
        element.is_some_and(|element| holds_focus(&element))
    })
}

/// Returns true if no element has the focus, as after the one that had it has left the page.
#[must_use]
pub fn focus_is_free() -> bool {
    let document = window().and_then(|window| window.document());
    let focused = document.and_then(|document| document.active_element());
    focused.is_none_or(|focused| focused.tag_name() == "BODY")
}

/// Moves the focus to the element at `index` among those that match `selector`, or to the last of them if
/// there are fewer. Does nothing if none matches, or if another element has the focus.
pub fn focus_place(selector: &str, index: u32) {
    let Some(document) = window().and_then(|window| window.document()) else { return };
    let free = focus_is_free();
    let Ok(all) = document.query_selector_all(selector) else { return };
    let node = all.get(index.min(all.length().saturating_sub(1)));
    if let Some(element) =
        node.and_then(|node| node.dyn_into::<HtmlElement>().ok()).filter(|_| free)
    {
        focus(&element);
    }
}

/// Moves the focus to the page's `main` element at the next animation frame, unless another element
/// has it.
pub fn focus_main_soon() {
    leptos::prelude::request_animation_frame(|| {
        let Some(document) = window().and_then(|window| window.document()) else { return };
        let free = focus_is_free();
        let main = document.query_selector("main").ok().flatten();
        if let Some(main) =
            main.and_then(|main| main.dyn_into::<HtmlElement>().ok()).filter(|_| free)
        {
            main.set_tab_index(-1);
            focus(&main);
        }
    });
}

/// Returns true if `element` has the focus and the browser shows it, as after a key.
#[must_use]
pub fn shows_focus(element: &HtmlElement) -> bool {
    // The selector is well-formed.
    element.matches(":focus-visible").unwrap_or_default()
}

/// Removes the element with this id, if any.
pub fn remove_id(id: &str) {
    if let Some(element) = window().and_then(|window| window.document()?.get_element_by_id(id)) {
        element.remove();
    }
}

/// Moves the focus by `step` among the elements that match `selector`. If none of them has it,
/// focuses the first for a positive `step`, otherwise the last.
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

/// Returns the first element that matches `inner` within the nearest `outer` around `element`.
#[must_use]
pub fn within(element: &HtmlElement, outer: &str, inner: &str) -> Option<HtmlElement> {
    let around = element.closest(outer).ok().flatten()?;
    around.query_selector(inner).ok().flatten()?.dyn_into().ok()
}

/// Moves the focus to the footnote of the same message whose mark was pressed, if one was.
pub fn follow_footnote(event: &web_sys::MouseEvent) {
    let Some(name) = attribute_around(event, "data-note") else { return };
    let mark = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let message = mark.and_then(|mark| mark.closest("[data-find]").ok().flatten());
    let notes = message.and_then(|it| it.query_selector_all("[data-note-text]").ok());
    let Some(notes) = notes else { return };
    let note = (0..notes.length())
        .filter_map(|at| notes.item(at)?.dyn_into::<HtmlElement>().ok())
        .find(|note| note.get_attribute("data-note-text").as_deref() == Some(&name));
    note.iter().for_each(focus);
}

/// Returns the value of an attribute of the nearest element that has it, from where a mouse event
/// happened outwards.
#[must_use]
pub fn attribute_around(event: &web_sys::MouseEvent, name: &str) -> Option<String> {
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    element.closest(&format!("[{name}]")).ok()??.get_attribute(name)
}

/// Returns true if the address's query has a field `name`.
#[must_use]
pub fn query_has(name: &str) -> bool {
    let query = window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    query.trim_start_matches('?').split('&').any(|field| field.split('=').next() == Some(name))
}

/// Escapes `text` for a value in an address's query.
#[must_use]
pub fn in_query(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// Returns `text` in lower case. Uses the browser's Unicode tables, because ours would add to the
/// download.
#[must_use]
pub fn lowercase(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// Scrolls the first element that matches `selector` into view, by as little as possible.
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
