//! Observes size changes of an element and of the visible part of the page.

use std::cell::Cell;
use std::rc::Rc;

use gloo_events::EventListener;
use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::{
    HtmlElement, IntersectionObserver, IntersectionObserverEntry, ResizeObserver, window,
};

/// Coalesces requests into one call at the next animation frame.
#[must_use = "dropping it cancels what is asked for"]
pub struct FrameRequest {
    callback: Rc<Closure<dyn FnMut()>>,
    asked: Rc<Cell<Option<i32>>>,
}

impl FrameRequest {
    /// Calls `f` once at the next frame after each [`FrameRequest::ask`].
    pub fn new(mut f: impl FnMut() + 'static) -> Self {
        let asked = Rc::new(Cell::new(None));
        let done = Rc::clone(&asked);
        let callback = Closure::new(move || {
            done.set(None);
            f();
        });
        Self { callback: Rc::new(callback), asked }
    }

    /// Requests one call at the next frame. Does nothing if one is already pending.
    pub fn ask(&self) {
        if self.asked.get().is_some() {
            return;
        }
        let function = self.callback.as_ref().as_ref().unchecked_ref();
        let handle = window().and_then(|window| window.request_animation_frame(function).ok());
        self.asked.set(handle);
    }
}

impl Drop for FrameRequest {
    fn drop(&mut self) {
        if let (Some(window), Some(handle)) = (window(), self.asked.take()) {
            // Fails only if the request no longer exists.
            let _ = window.cancel_animation_frame(handle);
        }
    }
}

/// Watches an element's size until dropped.
#[must_use = "dropping it stops watching"]
pub struct SizeWatch {
    observer: Option<ResizeObserver>,
    _callback: Closure<dyn FnMut()>,
}

/// Calls `changed` at most once per frame while `element` changes its size, and once initially.
pub fn size(element: &HtmlElement, changed: impl FnMut() + 'static) -> SizeWatch {
    let frame = FrameRequest::new(changed);
    watch(element, Closure::new(move || frame.ask()))
}

/// Calls `changed` whenever `element` has changed its size, before the browser draws it, and once
/// initially.
pub fn size_before_drawing(element: &HtmlElement, changed: impl FnMut() + 'static) -> SizeWatch {
    watch(element, Closure::new(changed))
}

fn watch(element: &HtmlElement, callback: Closure<dyn FnMut()>) -> SizeWatch {
    let observer = ResizeObserver::new(callback.as_ref().unchecked_ref()).ok();
    if let Some(observer) = &observer {
        observer.observe(element);
    }
    SizeWatch { observer, _callback: callback }
}

impl Drop for SizeWatch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
    }
}

/// Watches whether an element is in view until dropped.
#[must_use = "dropping it stops watching"]
pub struct ViewWatch {
    observer: Option<IntersectionObserver>,
    _callback: Closure<dyn FnMut(Array)>,
}

/// Calls `changed` with true when `element` comes into view, with false when it leaves it, and once
/// initially.
pub fn in_view(element: &HtmlElement, mut changed: impl FnMut(bool) + 'static) -> ViewWatch {
    let callback = Closure::new(move |entries: Array| {
        // The last one is how it is now.
        let entry = entries.iter().last().and_then(|entry| entry.dyn_into().ok());
        if let Some(entry) = entry {
            let entry: IntersectionObserverEntry = entry;
            changed(entry.is_intersecting());
        }
    });
    let observer = IntersectionObserver::new(callback.as_ref().unchecked_ref()).ok();
    if let Some(observer) = &observer {
        observer.observe(element);
    }
    ViewWatch { observer, _callback: callback }
}

impl Drop for ViewWatch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
    }
}

/// Keeps `--visible-height` on the page's root at the height that a soft keyboard leaves, until
/// dropped.
#[must_use = "dropping it stops watching"]
pub struct VisibleHeight {
    _listeners: Vec<EventListener>,
}

/// Starts updating `--visible-height`. Browsers without a visual viewport use the whole height.
pub fn visible_height() -> VisibleHeight {
    let Some(viewport) = window().and_then(|window| window.visual_viewport()) else {
        return VisibleHeight { _listeners: Vec::new() };
    };
    let target = viewport.clone();
    let apply = move || {
        let root = window().and_then(|window| window.document()?.document_element());
        if let Some(root) = root.and_then(|root| root.dyn_into::<HtmlElement>().ok()) {
            let style = root.style();
            // A page that is zoomed by pinching keeps its layout.
            let zoomed = (viewport.scale() - 1.0).abs() > 0.01;
            let _ = if zoomed {
                style.remove_property("--visible-height").map(drop)
            } else {
                style.set_property("--visible-height", &format!("{}px", viewport.height() as u32))
            };
        }
    };
    apply();
    let apply = Rc::new(apply);
    let listen = |kind: &'static str| {
        let apply = Rc::clone(&apply);
        EventListener::new(&target, kind, move |_| apply())
    };
    VisibleHeight { _listeners: vec![listen("resize"), listen("scroll")] }
}
