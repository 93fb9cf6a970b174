//! State that the parts of a tmux session's page share.

use leptos::prelude::*;
use moorline_shared::event::{Event, TmuxLayout};
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_shared::rest::SessionTmux;
use moorline_shared::tmux::{TmuxAction, TmuxPane, TmuxSession, TmuxWindow};

use crate::pages::terminal::state::TerminalState;
use crate::session::LinkView;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::route::Router;
use crate::session::tmux;

/// A dialog that asks something before tmux is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TmuxAsk {
    /// Asks for another name of this window.
    RenameWindow(TmuxWindow),
    /// Asks for another name of the session.
    RenameSession,
    /// Asks whether to close this pane.
    ClosePane(TmuxPane),
    /// Asks whether to close this window.
    CloseWindow(TmuxWindow),
}

/// The tmux session of a page, and the terminals of its panes that are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct TmuxState {
    access: PageAccess,
    router: Router,
    /// The session that the page was opened for.
    page: StoredValue<SessionId>,
    /// The tmux session as it is; `None` until the host has described it.
    pub(super) session: RwSignal<Option<TmuxSession>>,
    /// The pane that has the page's focus; empty until it is known.
    pub(super) focus: RwSignal<String>,
    /// The reason why tmux could not be asked, or did not do it.
    pub(super) problem: RwSignal<Option<String>>,
    /// The dialog that is shown.
    pub(super) asked: RwSignal<Option<TmuxAsk>>,
    /// The window that the menu is for; `None` for that of everything shown.
    pub(super) menu_of: RwSignal<Option<TmuxWindow>>,
    /// True if the page has place for one pane at a time.
    pub(super) is_narrow: RwSignal<bool>,
    /// True if the text is smaller where that shows the whole window.
    pub(super) shrinks: RwSignal<bool>,
    /// True while the text is smaller than the user prefers.
    pub(super) is_shrunk: RwSignal<bool>,
    /// True while this page decides the size of the window that it shows.
    pub(super) fits: RwSignal<bool>,
    /// The terminals that are on the page, by their sessions.
    terminals: RwSignal<Vec<(SessionId, TerminalState)>>,
    /// True if the page's access is only to the session that it was opened for.
    is_alone: RwSignal<bool>,
    /// The time of the last event that was taken, in milliseconds since 1970. All panes report the
    /// same changes, each in its own log.
    told_ms: StoredValue<u64>,
    /// The number of events that were taken.
    told: StoredValue<u32>,
    /// True while the host is asked how the tmux session is.
    is_asking: StoredValue<bool>,
}

impl TmuxState {
    /// Creates the state of a page, and provides it to all components below.
    pub(super) fn provide(id: SessionId) -> Self {
        let state = Self {
            access: PageAccess::expect(),
            router: Router::expect(),
            page: StoredValue::new(id),
            session: RwSignal::default(),
            focus: RwSignal::default(),
            problem: RwSignal::default(),
            asked: RwSignal::default(),
            menu_of: RwSignal::default(),
            is_narrow: RwSignal::default(),
            shrinks: RwSignal::new(true),
            is_shrunk: RwSignal::default(),
            fits: RwSignal::default(),
            terminals: RwSignal::default(),
            is_alone: RwSignal::default(),
            told_ms: StoredValue::default(),
            told: StoredValue::default(),
            is_asking: StoredValue::default(),
        };
        provide_context(state);
        state
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Notes the terminal of a session for as long as the calling component lives.
    pub(super) fn add(self, id: SessionId, terminal: TerminalState) {
        let own = id.clone();
        self.terminals.update(|all| all.push((id, terminal)));
        on_cleanup(move || {
            let _ = self.terminals.try_update(|all| all.retain(|(id, _)| *id != own));
        });
    }

    /// Returns the terminal of a session, if it is on the page; tracked.
    pub(super) fn terminal(self, id: &SessionId) -> Option<TerminalState> {
        self.terminals.with(|all| all.iter().find(|(known, _)| known == id).map(|(_, it)| *it))
    }

    /// Returns the session whose terminal has the page's focus, once it is on the page. Until then,
    /// returns the one before; tracked.
    pub(super) fn shown(self, before: Option<&SessionId>) -> Option<SessionId> {
        let wanted = self.session_of_focus();
        self.terminals.with(|all| {
            let there = |id: &SessionId| all.iter().any(|(known, _)| known == id);
            let before = before.filter(|id| there(id)).cloned();
            let first = || all.first().map(|(id, _)| id.clone());
            wanted.filter(there).or(before).or_else(first)
        })
    }

    /// Returns the session of the pane that has the focus; tracked.
    pub(super) fn session_of_focus(self) -> Option<SessionId> {
        let focus = self.focus.get();
        self.session.with(|session| match session {
            Some(session) => session.find(&focus)?.1.session_id.clone(),
            None => Some(self.page.get_value()),
        })
    }

    /// Returns the window that is shown: that of the focus; tracked.
    pub(super) fn window(self) -> Option<TmuxWindow> {
        let focus = self.focus.get();
        self.session.with(|session| {
            let session = session.as_ref()?;
            let found = session.find(&focus).map(|(window, _)| window);
            found.or_else(|| tmux::current(session)).cloned()
        })
    }

    /// Returns the pane that has the focus; tracked.
    pub(super) fn pane(self) -> Option<TmuxPane> {
        let focus = self.focus.get();
        self.session.with(|session| session.as_ref()?.find(&focus).map(|(_, pane)| pane.clone()))
    }

    /// Returns the panes of the shown window that the page may show, with their numbers; tracked.
    pub(super) fn panes(self) -> Vec<(usize, TmuxPane)> {
        let panes = self.window().map(|window| window.panes).unwrap_or_default();
        let is_alone = self.is_alone();
        let own =
            |pane: &TmuxPane| self.page.with_value(|page| pane.session_id.as_ref() == Some(page));
        panes.into_iter().enumerate().filter(|(_, pane)| !is_alone || own(pane)).collect()
    }

    /// Returns true if the page shows one pane at a time: for want of place, or of access to the
    /// others; tracked.
    pub(super) fn is_single(self) -> bool {
        self.is_narrow.get() || self.is_alone() || self.session.with(Option::is_none)
    }

    /// Returns true if the page's access is only to the session that it was opened for; tracked.
    pub(super) fn is_alone(self) -> bool {
        self.is_alone.get()
    }

    /// Returns true if the user may do something in tmux now; tracked. An access to one pane is for
    /// that pane, not for those beside it.
    pub(super) fn may_act(self) -> bool {
        let terminal = self.shown(None).and_then(|id| self.terminal(&id));
        let may = terminal.is_some_and(|terminal| {
            terminal
                .view
                .with(|view| view.lifecycle.is_some_and(|it| !it.is_over()) && !view.read_only)
        });
        may && !self.is_alone() && self.session.with(Option::is_some)
    }

    /// Takes note of a session that the page may not show: then its access is to its own only.
    pub(super) fn linked(self, id: &SessionId, link: &LinkView) {
        let is_own = self.page.with_value(|page| page == id);
        if is_own || *link != (LinkView::Refused { code: close::FORBIDDEN }) {
            return;
        }
        self.is_alone.set(true);
        if let Some(session) = self.session.get_untracked() {
            self.take(session, false);
        }
    }

    /// Puts the session that has the focus into the page's address.
    pub(super) fn name(self, shown: &SessionId) {
        self.page.with_value(|page| self.router.name_terminal(shown, page));
    }

    /// Takes what the log of a pane reports.
    pub(super) fn told(self, event: Event) {
        let at = event.timestamp;
        let Some(TmuxLayout { session, .. }) = event.into_fields() else { return };
        if self.session.with_untracked(|known| known.as_ref() == Some(&session)) {
            return;
        }
        if self.told_ms.get_value() > at {
            // It is old, or the host's clock was set back.
            return self.ask();
        }
        self.told_ms.set_value(at);
        self.told.update_value(|told| *told += 1);
        self.take(session, false);
    }

    /// Asks the host how the tmux session is, unless it is being asked.
    pub(super) fn ask(self) {
        if !self.is_asking.get_value() {
            self.ask_for(false);
        }
    }

    fn ask_for(self, follows: bool) {
        let id = untrack(|| self.shown(None)).unwrap_or_else(|| self.page.get_value());
        self.is_asking.set_value(true);
        self.send(ApiRequest::get(format!("/api/session/{id}/tmux")), follows);
    }

    /// Asks tmux to do something. If the user wants what becomes active by it, the focus follows.
    pub(super) fn act(self, action: &TmuxAction) {
        let follows = matches!(
            action,
            TmuxAction::Split { .. }
                | TmuxAction::NewWindow { .. }
                | TmuxAction::SelectWindow { .. }
                | TmuxAction::Zoom { .. }
        );
        let id = untrack(|| self.session_of_focus().or_else(|| self.shown(None)));
        let id = id.unwrap_or_else(|| self.page.get_value());
        self.send(ApiRequest::post(format!("/api/session/{id}/tmux"), action), follows);
    }

    fn send(self, request: ApiRequest, follows: bool) {
        let told = self.told.get_value();
        api::ask(self.access, request, move |answer| self.answered(answer, follows, told));
    }

    /// Takes an answer to a request that was sent after `told` events.
    fn answered(self, answer: Result<String, RequestError>, follows: bool, told: u32) {
        let answer = answer.and_then(|text| api::parse::<SessionTmux>(&text));
        // The page may be gone by now.
        let problem = answer.as_ref().err().map(ToString::to_string);
        if self.problem.try_set(problem).is_some() {
            return;
        }
        self.is_asking.set_value(false);
        let Ok(SessionTmux { pane, session, .. }) = answer else { return };
        if self.focus.with_untracked(String::is_empty) {
            self.focus.set(pane);
        }
        // An event that has come meanwhile may be newer than the answer.
        let is_known = self.session.with_untracked(|known| known.as_ref() == Some(&session));
        if is_known || self.told.get_value() == told {
            self.take(session, follows);
        } else {
            self.ask_for(follows);
        }
    }

    fn take(self, session: TmuxSession, follows: bool) {
        let focus = self.focus.get_untracked();
        let next = if self.is_alone.get_untracked() {
            self.page.with_value(|page| tmux::pane_of(&session, page))
        } else {
            let refocus =
                |before: &Option<_>| tmux::refocus(before.as_ref(), &session, &focus, follows);
            self.session.with_untracked(refocus)
        };
        if self.session.with_untracked(|before| before.as_ref() != Some(&session)) {
            self.session.set(Some(session));
        }
        if let Some(next) = next.filter(|next| *next != focus) {
            self.focus.set(next);
        }
    }

    /// Gives a pane the focus because the user chooses it, and makes it tmux's active one.
    pub(super) fn choose(self, pane: &str) {
        if self.focus.with_untracked(|focus| focus == pane) {
            return;
        }
        self.focus.set(pane.to_owned());
        let is_active = self.session.with_untracked(|session| {
            let found = session.as_ref().and_then(|session| session.find(pane));
            found.is_some_and(|(window, pane)| window.active && pane.active)
        });
        if !is_active && untrack(|| self.may_act()) {
            self.act(&TmuxAction::Select { pane: pane.to_owned() });
        }
    }

    /// Shows a window because the user chooses it, and makes it tmux's current one.
    pub(super) fn choose_window(self, window: &TmuxWindow) {
        if let Some(pane) = tmux::active(window) {
            self.focus.set(pane.id.clone());
        }
        if !window.active && untrack(|| self.may_act()) {
            self.act(&TmuxAction::SelectWindow { window: window.id.clone() });
        }
    }

    /// Gives the focus to the pane that is `step` places further.
    pub(super) fn step_pane(self, step: isize) {
        let focus = self.focus.get_untracked();
        let next =
            self.session.with_untracked(|session| tmux::neighbour(session.as_ref()?, &focus, step));
        if let Some(next) = next {
            self.choose(&next);
        }
    }

    /// Shows the window that is `step` places further.
    pub(super) fn step_window(self, step: isize) {
        let focus = self.focus.get_untracked();
        let next = self
            .session
            .with_untracked(|session| tmux::next_window(session.as_ref()?, &focus, step).cloned());
        if let Some(next) = next {
            self.choose_window(&next);
        }
    }

    /// Moves the keyboard to the terminal that has the page's focus.
    pub(super) fn focus_terminal(self) {
        let terminal = untrack(|| self.session_of_focus().and_then(|id| self.terminal(&id)));
        if let Some(terminal) = terminal {
            terminal.focus();
        }
    }
}
