//! Changes of the directory: the rows that store them, and what follows from them.

use moorline_shared::event::{Event, TerminalClosed};
use moorline_shared::id::{HostId, ProjectId, SessionId};

use super::report::SessionReport;
use super::{Directory, ListedSession};
use crate::record::{HostRecord, ProjectRecord, SessionRecord};

/// A change that was decided and has not happened yet: see the module `directory`.
#[derive(Debug, Clone, Default)]
#[must_use = "a change happens when it is stored and applied"]
pub struct Change {
    /// The rows to store, all or none, in this order.
    pub rows: Vec<Row>,
}

/// One row to write or to remove. Times are in milliseconds since 1970.
#[derive(Debug, Clone)]
pub enum Row {
    /// A session, whole: one that is new, or whose row is replaced.
    Session {
        /// The session's row.
        record: Box<SessionRecord>,
        /// The session that it was opened beside, as a terminal.
        beside: Option<SessionId>,
    },
    /// A session's name alone. `record` has the new one.
    Name {
        /// The session's row.
        record: Box<SessionRecord>,
    },
    /// A session's project alone. `record` has the new one.
    Membership {
        /// The session's row.
        record: Box<SessionRecord>,
    },
    /// What is listed of a session besides its row.
    Listed {
        /// The session.
        session: SessionId,
        /// What it reported last, if anything.
        report: Option<Box<SessionReport>>,
        /// The session that it was opened beside, as a terminal.
        beside: Option<SessionId>,
    },
    /// A session that is removed, with all that is stored of it.
    SessionRemoved {
        /// The session.
        id: SessionId,
        /// When.
        at_ms: u64,
    },
    /// A project, new or changed.
    Project(ProjectRecord),
    /// A project that is removed. Its sessions belong to none from then on.
    ProjectRemoved(ProjectId),
    /// A host, new or changed.
    Host(HostRecord),
    /// A session that its host is to forget.
    Deleted {
        /// The session.
        session: SessionId,
        /// Its host.
        host: HostId,
        /// When it was deleted.
        at_ms: u64,
    },
    /// A deleted session that its host has forgotten, or whose id is used again.
    Forgotten(SessionId),
}

/// What a relay has to do after a change. Effects are carried out in their order, and a failure of one is logged: the
/// change has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The lists of sessions and projects read differently.
    ListsChanged,
    /// The session has this name now; `None` for one that is made of its command and folder.
    Rename {
        /// The session.
        session: SessionId,
        /// Its new name.
        name: Option<String>,
    },
    /// The session belongs to this project now.
    Move {
        /// The session.
        session: SessionId,
        /// Its new project.
        project: Option<ProjectId>,
    },
    /// The session is deleted: its clients are told, and its log is dropped.
    End {
        /// The session.
        session: SessionId,
    },
    /// The host is told to end and forget the session, if it is connected. If not, it is told when it comes back.
    Forget {
        /// The session.
        session: SessionId,
        /// Its host.
        host: HostId,
    },
    /// An event is appended to the session's log, if its host is connected.
    Append {
        /// The session.
        session: SessionId,
        /// The event.
        event: Event,
    },
}

impl From<Row> for Change {
    fn from(row: Row) -> Self {
        Self { rows: vec![row] }
    }
}

impl Directory {
    /// Makes a change that was stored, and returns what is to be done next. Rows that were read from the store are
    /// applied in the same way; their effects are of no interest.
    pub fn apply(&mut self, change: Change) -> Vec<Effect> {
        let mut effects = Vec::new();
        for row in change.rows {
            self.apply_row(row, &mut effects);
        }
        effects
    }

    fn apply_row(&mut self, row: Row, effects: &mut Vec<Effect>) {
        match row {
            Row::Session { record, beside } => {
                self.put_session(*record, beside);
                effects.push(Effect::ListsChanged);
            }
            Row::Name { record } => self.rename_session(*record, effects),
            Row::Membership { record } => self.move_session(*record, effects),
            Row::Listed { session, report, beside } => {
                if let Some(listed) = self.sessions.get_mut(&session) {
                    (listed.report, listed.beside) = (report.map(|report| *report), beside);
                }
            }
            Row::SessionRemoved { id, at_ms } => self.remove_session(&id, at_ms, effects),
            Row::Project(record) => {
                self.projects.insert(record.id.clone(), record);
                effects.push(Effect::ListsChanged);
            }
            Row::ProjectRemoved(id) => self.remove_project_row(&id, effects),
            Row::Host(record) => drop(self.hosts.insert(record.id.clone(), record)),
            Row::Deleted { session, host, .. } => {
                effects.push(Effect::Forget { session: session.clone(), host: host.clone() });
                self.deleted.insert(session, host);
            }
            Row::Forgotten(session) => drop(self.deleted.remove(&session)),
        }
    }

    /// Lists a session. One that is listed already keeps its report and what it was opened beside.
    fn put_session(&mut self, record: SessionRecord, beside: Option<SessionId>) {
        let id = record.id.clone();
        match self.sessions.get_mut(&id) {
            Some(listed) => {
                listed.record = record;
                listed.beside = beside.or_else(|| listed.beside.take());
            }
            None => {
                let listed = ListedSession { record, report: None, beside, stored_at_ms: 0 };
                self.sessions.insert(id, listed);
            }
        }
    }

    fn rename_session(&mut self, record: SessionRecord, effects: &mut Vec<Effect>) {
        let Some(listed) = self.sessions.get_mut(&record.id) else { return };
        listed.record.name.clone_from(&record.name);
        effects.push(Effect::Rename { session: record.id, name: record.name });
        effects.push(Effect::ListsChanged);
    }

    fn move_session(&mut self, record: SessionRecord, effects: &mut Vec<Effect>) {
        let Some(listed) = self.sessions.get_mut(&record.id) else { return };
        listed.record.project.clone_from(&record.project);
        effects.push(Effect::Move { session: record.id, project: record.project });
        effects.push(Effect::ListsChanged);
    }

    fn remove_session(&mut self, id: &SessionId, at_ms: u64, effects: &mut Vec<Effect>) {
        let Some(listed) = self.sessions.remove(id) else { return };
        effects.push(Effect::End { session: id.clone() });
        if let Some(parent) = listed.beside.filter(|parent| self.sessions.contains_key(parent)) {
            let closed = TerminalClosed { terminal_id: id.clone() };
            let event = Event::new(parent.clone(), at_ms, &closed);
            effects.push(Effect::Append { session: parent, event });
        }
        effects.push(Effect::ListsChanged);
    }

    fn remove_project_row(&mut self, id: &ProjectId, effects: &mut Vec<Effect>) {
        self.projects.remove(id);
        let belongs = |listed: &&mut ListedSession| listed.record.project.as_ref() == Some(id);
        for listed in self.sessions.values_mut().filter(belongs) {
            listed.record.project = None;
            effects.push(Effect::Move { session: listed.record.id.clone(), project: None });
        }
        effects.push(Effect::ListsChanged);
    }
}
