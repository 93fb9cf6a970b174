//! Files that the user drags onto the page. `boot.js` refuses them on all pages; this takes them on one
//! that has use for them.

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, DragEvent, Event, window};

use super::images::{self, PickedFile};
use super::page;

/// An event of files that are dragged over the page.
#[derive(Debug, Clone)]
pub enum FileDrag {
    /// They are over the page.
    Over(DraggedFiles),
    /// They have left it, or the user has given up.
    Left,
    /// They were dropped on it.
    Dropped(DraggedFiles),
}

/// Files that are dragged, and where they are.
#[derive(Debug, Clone)]
pub struct DraggedFiles {
    event: DragEvent,
    transfer: DataTransfer,
}

impl DraggedFiles {
    /// Returns the files; none before they are dropped.
    #[must_use]
    pub fn files(&self) -> Vec<PickedFile> {
        images::files(self.transfer.files().as_ref())
    }

    /// Returns what the browser has of them.
    #[must_use]
    pub const fn transfer(&self) -> &DataTransfer {
        &self.transfer
    }

    /// Returns the value of an attribute of the nearest element that has it, from where they are
    /// outwards.
    #[must_use]
    pub fn attribute_around(&self, name: &str) -> Option<String> {
        page::attribute_around(&self.event, name)
    }
}

/// Listens for dragged files until dropped.
#[must_use = "dropping it stops listening"]
pub struct DropWatch {
    _listeners: Vec<EventListener>,
}

/// Takes files that are dropped anywhere on the page, and calls `happened` for each step.
pub fn take(happened: impl Fn(FileDrag) + Clone + 'static) -> DropWatch {
    let (left, dropped) = (happened.clone(), happened.clone());
    let over = move |kind| {
        let happened = happened.clone();
        listen(kind, move |event, transfer| {
            transfer.set_drop_effect("copy");
            happened(FileDrag::Over(dragged(event, transfer)));
        })
    };
    DropWatch {
        _listeners: [
            // Over an element that has just appeared beneath the pointer, this is the only event before
            // the drop, and the browser drops nothing unless it is taken.
            over("dragenter"),
            over("dragover"),
            listen("dragleave", move |event, _| {
                // Without another element to enter, the window was left.
                if event.related_target().is_none() {
                    left(FileDrag::Left);
                }
            }),
            listen("drop", move |event, transfer| {
                dropped(FileDrag::Dropped(dragged(event, transfer)));
            }),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn dragged(event: &DragEvent, transfer: &DataTransfer) -> DraggedFiles {
    DraggedFiles { event: event.clone(), transfer: transfer.clone() }
}

/// Listens for an event of dragged files, which the browser then leaves alone.
fn listen(
    kind: &'static str,
    happened: impl Fn(&DragEvent, &DataTransfer) + 'static,
) -> Option<EventListener> {
    let happened = move |event: &Event| {
        let Some(event) = event.dyn_ref::<DragEvent>() else { return };
        if let Some(transfer) = event.data_transfer().filter(has_files) {
            event.prevent_default();
            happened(event, &transfer);
        }
    };
    let options = EventListenerOptions::enable_prevent_default();
    Some(EventListener::new_with_options(&window()?.into(), kind, options, happened))
}

fn has_files(transfer: &DataTransfer) -> bool {
    transfer.types().includes(&"Files".into(), 0)
}
