//! A page in a frame: what its view knows of the page around.
//!
//! [`EmbedHub`](hub::EmbedHub) talks with the page around. A view gets an [`EmbedFrame`] as context,
//! which has none of the hub's code: views in tabs of their own must not load it.

pub mod hub;
mod look;

use std::rc::Rc;

use leptos::prelude::*;
use moorline_shared::embed::{EmbedCursor, EmbedDraft, EmbedKind, FrameMessage, FrameState};
use moorline_shared::id::Cursor;
use moorline_shared::session::Size;

use super::HandedScreen;
use crate::bindings::chunk::Chunk;

/// The screen or conversation that one embedded page leaves to the next, which shows it at once.
#[derive(Debug, Clone)]
pub struct HandedView {
    /// The position in the log.
    pub cursor: EmbedCursor,
    /// The snapshot of the session at that position.
    pub bytes: Chunk,
}

impl From<HandedView> for HandedScreen {
    fn from(HandedView { cursor, bytes }: HandedView) -> Self {
        let EmbedCursor { epoch, seq, cols, rows, .. } = cursor;
        let size = cols.zip(rows).map(|(cols, rows)| Size { cols, rows });
        Self { cursor: Cursor { epoch, seq }, size, bytes }
    }
}

/// The calls to the view of a session in the frame.
pub struct FramedView {
    /// Takes the keyboard focus.
    pub focus: Box<dyn Fn()>,
    /// Adds text without sending it.
    pub insert: Box<dyn Fn(&str)>,
    /// Sends a prompt that refers to these files.
    pub prompt: Box<dyn Fn(String, Vec<String>)>,
    /// Returns what a later frame needs, if it is known now.
    pub hand_on: Box<dyn Fn() -> Option<HandedView>>,
}

/// The page around a view, as its frame reaches it.
pub(super) trait PageAround {
    /// Sends it a message.
    fn send(&self, message: FrameMessage);
    /// Notes that the view has changed. The page around gets its position soon.
    fn changed(&self);
    /// Returns true if this page may only watch, whatever its token allows.
    fn only_watches(&self) -> bool;
    /// Returns true once if the view is to take the keyboard focus.
    fn take_focus(&self) -> bool;
    /// Takes what an earlier view handed on.
    fn take_handed(&self) -> Option<HandedView>;
    /// Sets or removes the view that the page around can act on.
    fn set_view(&self, view: Option<FramedView>);
    /// Shows nothing of the session any more: the relay refused it with this close code.
    fn close(&self, code: u16);
}

/// The frame that a view is in, until the page ends.
#[derive(Clone, Copy)]
pub struct EmbedFrame(StoredValue<Rc<dyn PageAround>, LocalStorage>);

impl EmbedFrame {
    /// Returns the frame that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    fn page(self) -> Option<Rc<dyn PageAround>> {
        self.0.try_get_value()
    }

    /// Returns true if this page may only watch, whatever its token allows.
    #[must_use]
    pub fn only_watches(self) -> bool {
        self.page().is_some_and(|page| page.only_watches())
    }

    /// Returns true once if the view is to take the keyboard focus.
    #[must_use]
    pub fn take_focus(self) -> bool {
        self.page().is_some_and(|page| page.take_focus())
    }

    /// Takes what an earlier view of this kind handed on.
    #[must_use]
    pub fn take_handed(self, kind: EmbedKind) -> Option<HandedView> {
        let handed = self.page().and_then(|page| page.take_handed());
        handed.filter(|handed| handed.cursor.kind == kind)
    }

    /// Sets the view that the page around can act on, for as long as the calling component lives.
    pub fn attach(self, view: FramedView) {
        if let Some(page) = self.page() {
            page.set_view(Some(view));
            let page = StoredValue::new_local(page);
            on_cleanup(move || {
                page.try_with_value(|page| page.set_view(None));
            });
        }
    }

    /// Notes that the view has changed. The page around gets its position soon.
    pub fn changed(self) {
        if let Some(page) = self.page() {
            page.changed();
        }
    }

    /// Shows nothing of the session any more, because the relay refused it with this close code. A
    /// new token shows it again.
    pub fn close(self, code: u16) {
        if let Some(page) = self.page() {
            page.close(code);
        }
    }

    /// Tells the page around the session's names.
    pub fn tell_title(self, name: String, title: Option<String>) {
        self.send(FrameMessage::Title { name, title });
    }

    /// Tells the page around the session's state.
    pub fn tell_state(self, state: FrameState) {
        self.send(FrameMessage::State(state));
    }

    /// Tells the page around the draft of a prompt, which a later frame gets back.
    pub fn tell_draft(self, draft: EmbedDraft) {
        self.send(FrameMessage::Draft { draft });
    }

    /// Tells the page around how high a frame shows everything.
    pub fn tell_size(self, height: u32, rows: Option<u16>) {
        self.send(FrameMessage::Size { height, rows });
    }

    /// Tells the page around that a message could not be carried out.
    pub fn refuse(self, code: &'static str, message: String) {
        self.send(FrameMessage::Error { code, message });
    }

    /// Asks the page around to take the keyboard focus.
    pub fn leave(self) {
        self.send(FrameMessage::Focus { inside: true, leave: true });
    }

    fn send(self, message: FrameMessage) {
        if let Some(page) = self.page() {
            page.send(message);
        }
    }
}
