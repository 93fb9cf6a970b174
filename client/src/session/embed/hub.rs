//! Talks with the page around a frame: takes the token and the look from it, tells it the session's
//! state, and hands on the session's view to a later frame. Nothing of it is stored in the browser.

use std::rc::Rc;

use leptos::prelude::*;
use moorline_shared::embed::{
    CursorPace, EmbedChannel, EmbedCursor, EmbedDraft, EmbedHello, EmbedKind, EmbedTheme,
    FrameMessage, ParentMessage, PostTarget,
};
use moorline_shared::id::SessionId;
use serde_json::Value;

use super::{EmbedFrame, FramedView, HandedView, PageAround, look};
use crate::bindings::chunk::Chunk;
use crate::bindings::clock;
use crate::bindings::parent::{self, FocusWatch, MessageWatch, WindowMessage};
use crate::session::access::PageAccess;
use crate::session::alarm::Alarm;
use crate::session::drafts::{self, DraftPart};
use crate::session::pasted::is_token;
use crate::session::words;
use crate::ui::preferences::Preferences;

/// The page in a frame.
#[derive(Debug, Clone, Copy)]
pub struct EmbedHub {
    access: PageAccess,
    preferences: Preferences,
    session: StoredValue<SessionId>,
    channel: StoredValue<EmbedChannel, LocalStorage>,
    /// Counts the views that were built: one for each token. 0 until there is a token.
    run: RwSignal<u32>,
    /// The WebSocket close code with which the relay refused the session.
    refusal: RwSignal<Option<u16>>,
    /// The number of messages that did not come from the page around.
    ignored: RwSignal<u64>,
    /// True if this page may only watch, whatever its token allows.
    only_watches: StoredValue<bool>,
    /// True if the view takes the focus as soon as it can.
    wants_focus: StoredValue<bool>,
    /// The snapshot that an earlier page left, until the view takes it.
    handed: StoredValue<Option<HandedView>, LocalStorage>,
    /// The view, while it is shown.
    view: StoredValue<Option<Rc<FramedView>>, LocalStorage>,
    pace: StoredValue<CursorPace>,
    alarm: StoredValue<Alarm, LocalStorage>,
    /// The last position that was reported.
    reported: StoredValue<Option<EmbedCursor>>,
}

impl EmbedHub {
    /// Tells the page around that this one is ready, and provides the frame to all components
    /// below. If the address has a token, the session is shown at once.
    #[must_use]
    pub fn provide(session: SessionId) -> Self {
        let access = PageAccess::expect();
        let has_token = access.token().is_some();
        let hub = Self {
            access,
            preferences: Preferences::expect(),
            session: StoredValue::new(session),
            channel: StoredValue::new_local(EmbedChannel::new(parent::origin())),
            run: RwSignal::new(u32::from(has_token)),
            refusal: RwSignal::default(),
            ignored: RwSignal::default(),
            only_watches: StoredValue::default(),
            wants_focus: StoredValue::default(),
            handed: StoredValue::new_local(None),
            view: StoredValue::new_local(None),
            pace: StoredValue::default(),
            alarm: StoredValue::new_local(Alarm::default()),
            reported: StoredValue::default(),
        };
        let watches = (
            parent::watch(move |message| hub.receive(&message)),
            parent::watch_focus(move |inside| {
                hub.send(FrameMessage::Focus { inside, leave: false });
            }),
        );
        let _: StoredValue<(MessageWatch, FocusWatch), LocalStorage> =
            StoredValue::new_local(watches);
        hub.post(None);
        let page: Rc<dyn PageAround> = Rc::new(hub);
        provide_context(EmbedFrame(StoredValue::new_local(page)));
        hub
    }

    /// Returns the number of the view to show; 0 until there is a token. Tracked.
    #[must_use]
    pub fn run(self) -> u32 {
        self.run.get()
    }

    /// Returns the WebSocket close code with which the relay refused the session; tracked.
    #[must_use]
    pub fn refusal(self) -> Option<u16> {
        self.refusal.get()
    }

    /// Returns the number of messages that did not come from the page around; tracked.
    #[must_use]
    pub fn ignored(self) -> u64 {
        self.ignored.get()
    }

    /// Returns the kind of view that was handed on, if there was one.
    #[must_use]
    pub fn handed_kind(self) -> Option<EmbedKind> {
        self.handed.with_value(|handed| handed.as_ref().map(|handed| handed.cursor.kind))
    }

    /// Shows nothing of the session any more: see [`EmbedFrame::close`].
    pub fn close(self, code: u16) {
        let _ = self.handed.try_set_value(None);
        if self.refusal.get_untracked().is_none() {
            self.refusal.set(Some(code));
            let (title, text) =
                self.session.with_value(|session| words::refusal(code, session.as_str()));
            self.refuse("refused", format!("{title}: {text}"));
        }
    }

    fn refuse(self, code: &'static str, message: String) {
        self.send(FrameMessage::Error { code, message });
    }

    fn receive(self, message: &WindowMessage) {
        let WindowMessage { is_parent, origin, text, snapshot } = message;
        let received = self.channel.try_update_value(|channel| {
            (channel.receive(*is_parent, origin, text), channel.ignored())
        });
        let Some((received, ignored)) = received else { return };
        if self.ignored.get_untracked() != ignored {
            self.ignored.set(ignored);
        }
        match received {
            Some(ParentMessage::Hello(hello)) => self.greet(hello, snapshot.clone()),
            Some(ParentMessage::Theme { theme }) => self.dress(&theme),
            Some(ParentMessage::Token { token }) => self.admit(token),
            Some(ParentMessage::Focus) => match self.view() {
                Some(view) => (view.focus)(),
                None => self.wants_focus.set_value(true),
            },
            Some(ParentMessage::Prompt { text, files }) => {
                self.act(|view| (view.prompt)(text, files));
            }
            Some(ParentMessage::Insert { text }) => self.act(|view| (view.insert)(&text)),
            Some(ParentMessage::Unknown) | None => {}
        }
        self.post(None);
    }

    fn greet(self, hello: EmbedHello, snapshot: Option<Chunk>) {
        if let Some(theme) = &hello.theme {
            self.dress(theme);
        }
        self.only_watches.update_value(|only| *only |= hello.read_only);
        self.wants_focus.update_value(|wants| *wants |= hello.focus);
        if self.run.get_untracked() == 0 {
            let cursor = self.session.with_value(|session| hello.cursor_of(session));
            let handed = cursor.zip(snapshot);
            self.handed.set_value(handed.map(|(cursor, bytes)| HandedView { cursor, bytes }));
            if let Some(EmbedDraft { text, files }) = &hello.draft {
                self.session.with_value(|session| {
                    drafts::keep(session, DraftPart::Text, text);
                    drafts::keep(session, DraftPart::Files, &files.join("\n"));
                });
            }
        }
        match hello.token {
            Some(token) => self.admit(token),
            None if self.access.token().is_none() => {
                self.refuse("no_token", "Send an access token.".to_owned());
            }
            None => {}
        }
    }

    /// Shows the session with another token, from where it was.
    fn admit(self, token: String) {
        if !is_token(&token) {
            return self.refuse("invalid_token", "This cannot be a token.".to_owned());
        }
        if self.access.token().as_ref() == Some(&token) && self.refusal.get_untracked().is_none() {
            return;
        }
        if let Some(handed) = self.view().and_then(|view| (view.hand_on)()) {
            self.handed.set_value(Some(handed));
        }
        self.access.accept(token);
        self.refusal.set(None);
        self.run.update(|run| *run += 1);
    }

    fn dress(self, theme: &Value) {
        match EmbedTheme::read(theme) {
            Ok(theme) => look::apply(self.preferences, &theme),
            Err(error) => self.refuse("invalid_theme", format!("{error}.")),
        }
    }

    /// Has the view do something that a page that only watches must not do.
    fn act(self, what: impl FnOnce(&FramedView)) {
        match self.view() {
            _ if self.only_watches.get_value() => {
                self.refuse(
                    "read_only",
                    "The frame was asked to only show the session.".to_owned(),
                );
            }
            Some(view) => what(&view),
            None => self.refuse("not_ready", "The session is not shown yet.".to_owned()),
        }
    }

    /// Returns the view. A copy, because its use may come back here.
    fn view(self) -> Option<Rc<FramedView>> {
        self.view.try_get_value().flatten()
    }

    fn report(self) {
        let now = clock::now();
        let is_due = self.pace.try_update_value(|pace| pace.poll_report(now)).unwrap_or_default();
        let is_open = self.channel.try_with_value(EmbedChannel::is_open).unwrap_or_default();
        if is_due && is_open && self.refusal.get_untracked().is_none() {
            let handed = self.view().and_then(|view| (view.hand_on)());
            let is_new = |handed: &HandedView| {
                self.reported.with_value(|known| known.as_ref() != Some(&handed.cursor))
            };
            if let Some(HandedView { cursor, bytes }) = handed.filter(is_new) {
                self.reported.set_value(Some(cursor.clone()));
                self.channel.update_value(|channel| channel.send(FrameMessage::Cursor { cursor }));
                self.post(Some(&bytes));
            }
        }
        self.set_alarm();
    }

    fn set_alarm(self) {
        let at = self.pace.try_with_value(CursorPace::poll_timeout).flatten();
        let _ = self.alarm.try_update_value(|alarm| alarm.set(at, move || self.report()));
    }

    fn send(self, message: FrameMessage) {
        let _ = self.channel.try_update_value(|channel| channel.send(message));
        self.post(None);
    }

    /// Posts what the channel has for the page around; `bytes` go with a position.
    fn post(self, bytes: Option<&Chunk>) {
        while let Some(post) = self.channel.try_update_value(EmbedChannel::poll_post).flatten() {
            let target = match &post.target {
                PostTarget::Any => "*",
                PostTarget::Origin(origin) => origin,
            };
            let has_bytes = matches!(post.message, FrameMessage::Cursor { .. });
            parent::post(target, &post.message.to_json(), bytes.filter(|_| has_bytes));
        }
    }
}

impl PageAround for EmbedHub {
    fn send(&self, message: FrameMessage) {
        Self::send(*self, message);
    }

    fn changed(&self) {
        let now = clock::now();
        let _ = self.pace.try_update_value(|pace| pace.changed(now));
        self.set_alarm();
    }

    fn only_watches(&self) -> bool {
        self.only_watches.get_value()
    }

    fn take_focus(&self) -> bool {
        let wants = self.wants_focus.get_value();
        self.wants_focus.set_value(false);
        wants
    }

    fn take_handed(&self) -> Option<HandedView> {
        self.handed.try_update_value(Option::take).flatten()
    }

    fn set_view(&self, view: Option<FramedView>) {
        let _ = self.view.try_set_value(view.map(Rc::new));
    }

    fn close(&self, code: u16) {
        Self::close(*self, code);
    }
}
