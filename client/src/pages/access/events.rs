//! Audit events: the newest ones, and older ones on demand.

use leptos::prelude::*;
use moorline_shared::rest::{AuditEvent, AuditList};

use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};

/// The number of events of a page.
const PAGE: u32 = 50;

/// The events, as far as they are loaded.
#[derive(Clone, Copy)]
pub(super) struct AuditEvents {
    access: PageAccess,
    /// The events that are shown, newest first; `None` until the relay has answered.
    pub(super) events: RwSignal<Option<Vec<AuditEvent>>>,
    /// The `before` of the next page, if there are older events.
    pub(super) next: RwSignal<Option<u64>>,
    /// The kinds that are shown, as the relay takes them; empty for all.
    pub(super) kinds: RwSignal<String>,
    /// The reason why the last request failed.
    pub(super) problem: RwSignal<Option<String>>,
    /// True while a page is being loaded.
    pub(super) busy: RwSignal<bool>,
    /// Counts the requests, so that the answer to an earlier one is ignored.
    request: RwSignal<u32>,
}

impl AuditEvents {
    pub(super) fn new(access: PageAccess) -> Self {
        Self {
            access,
            events: RwSignal::default(),
            next: RwSignal::default(),
            kinds: RwSignal::default(),
            problem: RwSignal::default(),
            busy: RwSignal::default(),
            request: RwSignal::default(),
        }
    }

    /// Loads the newest events.
    pub(super) fn load(self) {
        self.read(None);
    }

    /// Loads the newest events of these kinds.
    pub(super) fn choose(self, kinds: String) {
        self.kinds.set(kinds);
        self.read(None);
    }

    /// Loads the events before those that are shown.
    pub(super) fn load_older(self) {
        self.read(self.next.get_untracked());
    }

    /// Loads the events before this one, or the newest.
    fn read(self, before: Option<u64>) {
        let mut path = format!("/api/audit?limit={PAGE}");
        if let Some(before) = before {
            path += &format!("&before={before}");
        }
        self.kinds.with_untracked(|kinds| {
            if !kinds.is_empty() {
                path += &format!("&kinds={kinds}");
            }
        });
        let Some(number) = self.request.try_update(|request| {
            *request += 1;
            *request
        }) else {
            return;
        };
        self.busy.set(true);
        api::ask(self.access, ApiRequest::get(path), move |answer| {
            if self.request.try_get_untracked() != Some(number) {
                return;
            }
            self.busy.set(false);
            match answer.and_then(|text| api::parse::<AuditList>(&text)) {
                Ok(page) => {
                    self.problem.set(None);
                    self.next.set(page.next);
                    self.events.update(|events| match (events, before) {
                        (Some(events), Some(_)) => events.extend(page.events),
                        (events, _) => *events = Some(page.events),
                    });
                }
                Err(error) => self.problem.set(Some(error.to_string())),
            }
        });
    }

    /// Returns an event that is loaded.
    pub(super) fn event(self, id: &str) -> Option<AuditEvent> {
        let id: u64 = id.parse().ok()?;
        self.events
            .with_untracked(|events| events.iter().flatten().find(|event| event.id == id).cloned())
    }
}
