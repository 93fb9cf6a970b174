//! The page around this one, if this page is in a frame.

use gloo_events::EventListener;
use js_sys::{Array, JSON, Object, Reflect, Uint8Array};
use moorline_shared::limits::EMBED_SNAPSHOT_BYTES;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Window, window};

use super::chunk::Chunk;

/// The beginning of the types of messages that this page knows. Browser extensions and tools post
/// messages as well.
const PREFIX: &str = "moorline.";
/// The field of a message that holds bytes. All other fields are JSON.
const SNAPSHOT: &str = "snapshot";

/// A message that another window posted to this page.
#[derive(Debug)]
pub struct WindowMessage {
    /// True if the window is the one around this page.
    pub is_parent: bool,
    /// The origin of the page that posted it.
    pub origin: String,
    /// The message as JSON; empty if it is not an object, or if another window has posted it.
    pub text: String,
    /// The bytes that came with it.
    pub snapshot: Option<Chunk>,
}

/// Returns the window around this page, if there is one.
fn parent() -> Option<Window> {
    let window = window()?;
    let parent = window.parent().ok().flatten()?;
    (!Object::is(&parent, &window)).then_some(parent)
}

/// Returns true if this page is in a frame.
#[must_use]
pub fn is_there() -> bool {
    parent().is_some()
}

/// Returns the origin of the page around this one, if the browser tells it: Firefox does not.
#[must_use]
pub fn origin() -> Option<String> {
    let location = window()?.location();
    let origins = Reflect::get(&location, &"ancestorOrigins".into()).ok()?;
    Reflect::get(&origins, &0.into()).ok()?.as_string()
}

/// Posts a message to the page around this one, if that is of the origin `target`; `*` allows any.
/// The bytes are copied.
pub fn post(target: &str, json: &str, snapshot: Option<&Chunk>) {
    let (Some(parent), Ok(message)) = (parent(), JSON::parse(json)) else { return };
    let moved = Array::new();
    if let Some(snapshot) = snapshot {
        let copy = Uint8Array::new(snapshot.array());
        moved.push(&copy.buffer());
        // Setting a field of a plain object cannot fail.
        let _ = Reflect::set(&message, &SNAPSHOT.into(), &copy);
    }
    // Fails only for an origin that is malformed. Browsers name it themselves.
    let _ = parent.post_message_with_transfer(&message, target, &moved);
}

/// Listens for messages until dropped.
#[must_use = "dropping it stops listening"]
pub struct MessageWatch {
    _listener: Option<EventListener>,
}

/// Calls `happened` for each message of this protocol, from any window.
pub fn watch(happened: impl Fn(WindowMessage) + 'static) -> MessageWatch {
    let listener = window().map(|window| {
        EventListener::new(&window, "message", move |event| {
            if let Some(message) = event.dyn_ref::<MessageEvent>().and_then(read) {
                happened(message);
            }
        })
    });
    MessageWatch { _listener: listener }
}

fn read(event: &MessageEvent) -> Option<WindowMessage> {
    let data = event.data();
    // Fails for a message that is not an object.
    let kind = Reflect::get(&data, &"type".into()).ok()?.as_string()?;
    if !kind.starts_with(PREFIX) {
        return None;
    }
    let is_parent =
        event.source().zip(parent()).is_some_and(|(source, parent)| Object::is(&source, &parent));
    let mut message =
        WindowMessage { is_parent, origin: event.origin(), text: String::new(), snapshot: None };
    if is_parent && let Some(object) = data.dyn_ref::<Object>() {
        message.text = json(object).unwrap_or_default();
        message.snapshot = bytes(object);
    }
    Some(message)
}

/// Encodes everything but the bytes. `None` if that is not possible, as for an object that contains
/// itself.
fn json(message: &Object) -> Option<String> {
    let copy = Object::assign(&Object::new(), message);
    Reflect::delete_property(&copy, &SNAPSHOT.into()).ok()?;
    JSON::stringify(&copy).ok()?.as_string()
}

fn bytes(message: &Object) -> Option<Chunk> {
    let bytes: JsValue = Reflect::get(message, &SNAPSHOT.into()).ok()?;
    let bytes = bytes.dyn_into::<Uint8Array>().ok()?;
    (bytes.length() as usize <= EMBED_SNAPSHOT_BYTES).then(|| Chunk::of_array(bytes))
}

/// Listens for the window's focus until dropped.
#[must_use = "dropping it stops listening"]
pub struct FocusWatch {
    _listeners: Vec<EventListener>,
}

/// Calls `moved` with true when the keyboard focus comes into this page, and with false when it
/// leaves.
pub fn watch_focus(moved: impl Fn(bool) + Clone + 'static) -> FocusWatch {
    let listen = |kind: &'static str, is_inside: bool| {
        let moved = moved.clone();
        window().map(|window| EventListener::new(&window, kind, move |_| moved(is_inside)))
    };
    let listeners = [listen("focus", true), listen("blur", false)];
    FocusWatch { _listeners: listeners.into_iter().flatten().collect() }
}
