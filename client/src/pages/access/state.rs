//! The state of the page of tokens, and its requests.

use leptos::prelude::*;
use moorline_shared::rest::{
    ChangeToken, CreateToken, Done, LoginStatus, TokenChanged, TokenCreated, TokenList,
    TokenSummary,
};
use serde::de::DeserializeOwned;

use super::events::AuditEvents;
use super::scope::TokenScope;
use crate::bindings::{clock, page};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::overview::OverviewState;
use crate::session::words;

/// Milliseconds that are added to a time in the future, because its words round down to whole units.
const ROUNDING_MS: f64 = 60_000.0;

/// A dialog about tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenDialog {
    /// Asks what token to make.
    Create,
    /// Shows the secret of a token that was made.
    Secret(TokenCreated),
    /// Asks how to change a token.
    Change(TokenSummary),
    /// Asks whether to revoke a token.
    Revoke(TokenSummary),
}

/// The tokens that are loaded, and the dialog that is open.
#[derive(Clone, Copy)]
pub(super) struct AccessState {
    access: PageAccess,
    overview: OverviewState,
    /// The rights of this browser; `None` until the relay has answered.
    pub(super) status: RwSignal<Option<LoginStatus>>,
    /// All tokens, newest first; `None` until the relay has answered.
    pub(super) tokens: RwSignal<Option<Vec<TokenSummary>>>,
    /// The audit events.
    pub(super) audit: AuditEvents,
    /// The reason why the last request failed.
    pub(super) problem: RwSignal<Option<String>>,
    /// A sentence about the last change.
    pub(super) note: RwSignal<Option<String>>,
    /// The dialog that is shown.
    pub(super) dialog: RwSignal<Option<TokenDialog>>,
    /// The wall-clock time of the last answer, in milliseconds since 1970.
    now: RwSignal<f64>,
}

impl AccessState {
    pub(super) fn provide() -> Self {
        let access = PageAccess::expect();
        let state = Self {
            access,
            overview: OverviewState::expect(),
            status: RwSignal::default(),
            tokens: RwSignal::default(),
            audit: AuditEvents::new(access),
            problem: RwSignal::default(),
            note: RwSignal::default(),
            dialog: RwSignal::default(),
            now: RwSignal::new(clock::wall_ms()),
        };
        provide_context(state);
        state
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Returns the page's access.
    pub(super) const fn page_access(self) -> PageAccess {
        self.access
    }

    /// Reloads the rights of this browser, the tokens and the audit events.
    pub(super) fn load(self) {
        let _ = self.note.try_set(None);
        self.ask(ApiRequest::get("/api/login".to_owned()), move |status: LoginStatus| {
            let is_admin = status.scope == TokenScope::Admin.text();
            let _ = self.status.try_set(Some(status));
            if is_admin {
                self.load_lists();
            }
        });
    }

    /// Reloads the tokens and the audit events, if this browser may see them.
    pub(super) fn reload_lists(self) {
        if self.is_admin_untracked() {
            self.load_lists();
        }
    }

    /// Reads the tokens again: others may have changed them.
    pub(super) fn refresh(self) {
        if self.is_admin_untracked() {
            self.load_tokens();
        }
    }

    fn is_admin_untracked(self) -> bool {
        let admin = TokenScope::Admin.text();
        self.status.with_untracked(|status| status.as_ref().is_some_and(|it| it.scope == admin))
    }

    fn load_lists(self) {
        self.load_tokens();
        self.audit.load();
    }

    fn load_tokens(self) {
        self.ask(ApiRequest::get("/api/tokens".to_owned()), move |list: TokenList| {
            let _ = self.tokens.try_set(Some(list.tokens.into_iter().rev().collect()));
        });
    }

    /// Sends a request. A failure is shown at the top of the page.
    pub(super) fn ask<T: DeserializeOwned>(
        self,
        request: ApiRequest,
        then: impl FnOnce(T) + 'static,
    ) {
        api::ask(self.access, request, move |answer| {
            match answer.and_then(|text| api::parse(&text)) {
                Ok(answer) => {
                    let _ = self.now.try_set(clock::wall_ms());
                    let _ = self.problem.try_set(None);
                    then(answer);
                }
                Err(error) => {
                    let _ = self.problem.try_set(Some(error.to_string()));
                }
            }
        });
    }

    /// Makes a token and shows its secret, or calls `failed`.
    pub(super) fn create(self, wanted: &CreateToken, failed: impl FnOnce(RequestError) + 'static) {
        let request = ApiRequest::post("/api/tokens".to_owned(), wanted);
        api::ask(self.access, request, move |answer| {
            match answer.and_then(|text| api::parse::<TokenCreated>(&text)) {
                Ok(made) => {
                    let _ = self.dialog.try_set(Some(TokenDialog::Secret(made)));
                    self.load_lists();
                }
                Err(error) => failed(error),
            }
        });
    }

    /// Changes a token, or calls `failed`.
    pub(super) fn change(
        self,
        id: &str,
        wanted: &ChangeToken,
        failed: impl FnOnce(RequestError) + 'static,
    ) {
        let request = ApiRequest::patch(format!("/api/tokens/{id}"), wanted);
        api::ask(self.access, request, move |answer| {
            match answer.and_then(|text| api::parse::<TokenChanged>(&text)) {
                Ok(changed) => {
                    let text = format!("{} is changed.", title(&changed.summary));
                    let _ = self.dialog.try_set(None);
                    self.done(text);
                }
                Err(error) => failed(error),
            }
        });
    }

    /// Revokes a token.
    pub(super) fn revoke(self, token: &TokenSummary) {
        let text = format!("{} is revoked, and what it had opened is closed.", title(token));
        let request = ApiRequest::delete(format!("/api/tokens/{}", token.id));
        self.ask(request, move |_: Done| {
            self.done(text);
            // The button that was pressed goes with its row.
            page::focus_main_soon();
        });
    }

    /// Returns the tokens that have expired; tracked.
    pub(super) fn expired(self) -> Vec<String> {
        let is_over = |token: &&TokenSummary| {
            let at = token.expires_at.as_deref().and_then(|at| self.distance(at));
            at.is_some_and(|(_, is_over)| is_over)
        };
        let id = |token: &TokenSummary| token.id.clone();
        self.tokens.with(|tokens| tokens.iter().flatten().filter(is_over).map(id).collect())
    }

    /// Removes the tokens that have expired, one after the other.
    pub(super) fn remove_expired(self) {
        let mut expired = untrack(|| self.expired());
        let Some(id) = expired.pop() else { return };
        self.ask(ApiRequest::delete(format!("/api/tokens/{id}")), move |_: Done| {
            let left = |tokens: &mut Option<Vec<TokenSummary>>| {
                tokens.iter_mut().for_each(|tokens| tokens.retain(|token| token.id != id));
            };
            if self.tokens.try_update(left).is_none() {
                return;
            }
            if expired.is_empty() {
                self.done("The expired tokens are removed.".to_owned());
                page::focus_main_soon();
            } else {
                self.remove_expired();
            }
        });
    }

    fn done(self, text: String) {
        let _ = self.note.try_set(Some(text));
        // This browser may have another scope now.
        self.ask(ApiRequest::get("/api/login".to_owned()), move |status: LoginStatus| {
            let is_admin = status.scope == TokenScope::Admin.text();
            let _ = self.status.try_set(Some(status));
            if is_admin {
                self.load_lists();
            }
        });
    }

    /// Returns true if this browser's token is an administrator's; `None` until that is known.
    /// Tracked.
    pub(super) fn is_admin(self) -> Option<bool> {
        let admin = TokenScope::Admin.text();
        self.status.with(|status| status.as_ref().map(|status| status.scope == admin))
    }

    /// Returns true if this browser uses the token with this id; tracked.
    pub(super) fn is_own(self, id: &str) -> bool {
        self.status
            .with(|status| status.as_ref().is_some_and(|it| it.token_id.as_deref() == Some(id)))
    }

    /// Returns a token, if it is known; tracked.
    pub(super) fn token(self, id: &str) -> Option<TokenSummary> {
        self.tokens.with(|tokens| tokens.iter().flatten().find(|token| token.id == id).cloned())
    }

    /// Returns a scope in words; tracked.
    pub(super) fn words(self, scope: &str) -> String {
        let project = |id: &_| self.overview.project_name(id);
        let session = |id: &_| self.overview.session(id).map(|session| words::name(&session));
        TokenScope::read(scope).map_or_else(|| scope.to_owned(), |it| it.words(project, session))
    }

    /// Returns how long ago or in how long a time is, and whether it is over; tracked.
    pub(super) fn distance(self, at: &str) -> Option<(String, bool)> {
        let elapsed = self.now.get() - clock::parse_rfc3339(at)?;
        let is_over = elapsed >= 0.0;
        // A token that expires in 30 days does so a moment later as well.
        let distance = if is_over { elapsed } else { ROUNDING_MS - elapsed };
        Some((words::ago(distance), is_over))
    }
}

/// Returns the name under which a token is shown.
pub(super) fn title(token: &TokenSummary) -> String {
    match &token.label {
        Some(label) => words::plain(label),
        None => format!("Token {}", token.id),
    }
}
