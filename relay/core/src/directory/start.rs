//! Starting sessions: the session to start, its host, and its id.

use moorline_shared::control::Hosted;
use moorline_shared::event::{Event, TerminalCreated};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::SESSIONS_PER_HOST;
use moorline_shared::rest::{
    CreateSession, CreateTerminal, DuplicateSession, ForkSession, SessionSummary,
};

use super::Directory;
use super::change::{Change, Row};
use crate::api::{ApiError, check_size, name};
use crate::plan;
use crate::record::SessionRecord;

/// A session that a request asks for. Every check that does not depend on hosts has passed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The row that the session will have. Its host is the one that the request names, if any.
    pub record: SessionRecord,
    /// The session that it is opened beside, as a terminal.
    pub beside: Option<SessionId>,
}

/// A session that may be started: its id is reserved.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// The row that the session will have.
    pub record: SessionRecord,
    /// The host that is to start it.
    pub host: HostId,
    /// The session that it is opened beside, as a terminal.
    pub beside: Option<SessionId>,
}

impl Directory {
    /// Drafts a new session. `id` is used if the request names none; `now_ms` is in milliseconds since 1970.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn draft(wanted: CreateSession, id: SessionId, now_ms: u64) -> Result<Draft, ApiError> {
        check_size(wanted.cols, wanted.rows)?;
        let wanted = CreateSession { name: name(wanted.name.as_deref())?, ..wanted };
        Ok(Draft { record: plan::record(wanted, id, now_ms)?, beside: None })
    }

    /// Drafts a session that starts as another one did, in that session's current folder.
    ///
    /// # Errors
    /// `not_found` or `bad_request`.
    pub fn draft_duplicate(
        &self,
        source: &SessionId,
        wanted: DuplicateSession,
        id: SessionId,
        now_ms: u64,
    ) -> Result<Draft, ApiError> {
        let DuplicateSession { name, cols, rows } = wanted;
        check_size(cols, rows)?;
        let again = self.again(source, name.as_deref(), "copy")?;
        Self::draft(plan::sized(again, cols, rows), id, now_ms)
    }

    /// Drafts a session that begins on another one's log. The draft has the other session's size, because its log was
    /// written for that size; `wanted` may name another size for the program.
    ///
    /// # Errors
    /// `not_found` or `bad_request`.
    pub fn draft_fork(
        &self,
        source: &SessionId,
        wanted: &ForkSession,
        id: SessionId,
        now_ms: u64,
    ) -> Result<Draft, ApiError> {
        check_size(wanted.cols, wanted.rows)?;
        Self::draft(self.again(source, wanted.name.as_deref(), "fork")?, id, now_ms)
    }

    /// Drafts a terminal: beside another session if the request names one.
    ///
    /// # Errors
    /// `not_found` or `bad_request`.
    pub fn draft_terminal(
        &self,
        wanted: &CreateTerminal,
        id: SessionId,
        now_ms: u64,
    ) -> Result<Draft, ApiError> {
        let CreateTerminal { working_dir: cwd, cols, rows, session_id: beside, .. } =
            wanted.clone();
        let session = CreateSession { cwd, cols, rows, ..CreateSession::default() };
        let session = match &beside {
            Some(parent) => plan::beside(&self.summary(parent)?, session),
            None => session,
        };
        Ok(Draft { beside, ..Self::draft(session, id, now_ms)? })
    }

    fn again(
        &self,
        source: &SessionId,
        wanted: Option<&str>,
        suffix: &str,
    ) -> Result<CreateSession, ApiError> {
        let listed = self.listed(source)?;
        let name = name(wanted)?;
        Ok(plan::again(&listed.record, &listed.summary(), listed.size(), name, suffix))
    }

    /// Chooses the host of a session and reserves the session's id. `is_here` returns true if a host is connected.
    ///
    /// # Errors
    /// `no_such_host`, `host_offline`, `driver_missing`, `bad_request` if the host does not know the driver,
    /// `overloaded`, `no_such_project`, or `exists`. On an error, nothing is reserved.
    pub fn reserve(
        &mut self,
        draft: Draft,
        is_here: impl Fn(&HostId) -> bool,
    ) -> Result<Reservation, ApiError> {
        let Draft { mut record, beside } = draft;
        let host = self.choose_host(record.host.as_ref(), is_here)?;
        plan::check_driver(&record.driver, self.hosts.get(&host))?;
        if self.running_on(&host).count() + self.reserved.len() >= SESSIONS_PER_HOST {
            let most = format!("{SESSIONS_PER_HOST} sessions run already: end one first");
            return Err(ApiError::overloaded(most));
        }
        self.check_project(record.project.as_ref())?;
        if let Some(workspace) = &record.workspace {
            self.workspace_record(workspace)?;
        }
        if let Some(project) = record.project.as_ref().and_then(|id| self.projects.get(id)) {
            // Files of a workspace are not mixed with those of a folder that nobody has named.
            let folder = project.directory.clone().filter(|_| record.workspace.is_none());
            record.cwd = record.cwd.take().or(folder);
        }
        if self.sessions.contains_key(&record.id) || !self.reserve_id(&record.id) {
            return Err(ApiError::exists(&record.id));
        }
        self.begin_loading(&record.id, record.workspace.as_ref());
        record.host = Some(host.clone());
        Ok(Reservation { record, host, beside })
    }

    /// Reserves an id, to start or to remove its session. Returns false if it is already reserved.
    pub fn reserve_id(&mut self, id: &SessionId) -> bool {
        self.reserved.insert(id.clone())
    }

    /// Releases a reserved id, whatever the outcome.
    pub fn release(&mut self, id: &SessionId) {
        self.reserved.remove(id);
        self.loading.remove(id);
    }

    /// Lists a session that its host has started, with the folder and command that the host reports.
    pub fn started(&self, reservation: Reservation, hosted: &Hosted) -> Change {
        let Reservation { mut record, beside, .. } = reservation;
        record.cwd = Some(hosted.cwd.clone());
        record.command.clone_from(&hosted.facts.command);
        self.listing(record, beside)
    }

    /// Has the host forget a session that it may have started, because no request waits for it any longer.
    pub fn give_up(&self, id: &SessionId, host: &HostId, now_ms: u64) -> Change {
        Row::Deleted { session: id.clone(), host: host.clone(), at_ms: now_ms }.into()
    }

    /// Lists a session. Its project may have been deleted meanwhile, and its id may be that of a deleted session.
    pub(super) fn listing(&self, mut record: SessionRecord, beside: Option<SessionId>) -> Change {
        record.project = record.project.filter(|id| self.projects.contains_key(id));
        let id = record.id.clone();
        let mut rows = Vec::new();
        if self.deleted.contains_key(&id) {
            rows.push(Row::Forgotten(id));
        }
        rows.push(Row::Session { record: Box::new(record), beside });
        Change { rows }
    }
}

/// Returns the event that reports a terminal to the session that it was opened beside. `mode` is the terminal's
/// purpose; the driver if it is absent.
#[must_use]
pub fn created_event(
    parent: &SessionId,
    terminal: &SessionSummary,
    mode: Option<String>,
    now_ms: u64,
) -> Event {
    let created = TerminalCreated {
        terminal_id: terminal.session_id.clone(),
        working_dir: terminal.cwd.clone(),
        mode: mode.unwrap_or_else(|| terminal.driver.clone()),
    };
    Event::new(parent.clone(), now_ms, &created)
}
