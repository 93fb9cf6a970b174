//! Changes of the directory: the rows that store them, and their effects.

use moorline_shared::event::{Event, TerminalClosed};
use moorline_shared::id::{HostId, ProjectId, SessionId, WorkspaceId};

use super::{Directory, ListedSession, SessionReport};
use crate::record::{HostRecord, ProjectRecord, SessionRecord, WorkspaceRecord};

/// A change that was decided and has not happened yet. The module `directory` describes its life.
#[derive(Debug, Clone, Default)]
#[must_use = "a change happens when it is stored and applied"]
pub struct Change {
    /// The rows to store, all or none, in this order.
    pub rows: Vec<Row>,
}

/// One row to write or to remove. Times are in milliseconds since 1970.
#[derive(Debug, Clone)]
pub enum Row {
    /// A session: a new one, or one whose whole row is replaced.
    Session {
        /// The row of the session.
        record: Box<SessionRecord>,
        /// The session that it was opened beside, as a terminal.
        beside: Option<SessionId>,
    },
    /// The name of a session, and nothing else. `record` has the new one.
    Name {
        /// The session's row, with its new name.
        record: Box<SessionRecord>,
    },
    /// The project of a session, and nothing else. `record` has the new one.
    Membership {
        /// The session's row, with its new project.
        record: Box<SessionRecord>,
    },
    /// The listed facts of a session that its row does not have.
    Listed {
        /// The session that this describes.
        session: SessionId,
        /// The session's last report, if any.
        report: Option<Box<SessionReport>>,
        /// The session that it was opened beside, as a terminal.
        beside: Option<SessionId>,
    },
    /// The removal of a session and everything stored for it.
    SessionRemoved {
        /// The session to remove.
        id: SessionId,
        /// The time of the removal.
        at_ms: u64,
    },
    /// A new or changed project.
    Project(ProjectRecord),
    /// The removal of a project. Its sessions no longer belong to any.
    ProjectRemoved(ProjectId),
    /// A new or changed workspace.
    Workspace(WorkspaceRecord),
    /// The removal of a workspace with its files.
    WorkspaceRemoved(WorkspaceId),
    /// A new or changed host.
    Host(HostRecord),
    /// A deleted session that its host must forget.
    Deleted {
        /// The session to forget.
        session: SessionId,
        /// The host that must forget it.
        host: HostId,
        /// The time of the deletion.
        at_ms: u64,
    },
    /// A deleted session that its host has forgotten, or whose id is in use again.
    Forgotten(SessionId),
}

/// A task for the relay after a change. The relay carries effects out in order. It only logs a failure: the change has
/// happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The lists of sessions and projects have changed.
    ListsChanged,
    /// The session has a new name. `None` if its name is made from its command and folder.
    Rename {
        /// The session to rename.
        session: SessionId,
        /// The new name of the session.
        name: Option<String>,
    },
    /// The session belongs to another project, or to none.
    Move {
        /// The session to move.
        session: SessionId,
        /// The new project of the session.
        project: Option<ProjectId>,
    },
    /// The workspace is deleted, and its files too: tell who waits for changes of it.
    WorkspaceRemoved {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// The session is deleted: notify its clients, and drop its log.
    End {
        /// The session to end.
        session: SessionId,
    },
    /// Tell the host to end and forget the session if it is connected. Otherwise it learns that when it comes back.
    Forget {
        /// The session to forget.
        session: SessionId,
        /// The host that has the session.
        host: HostId,
    },
    /// Append an event to the session's log if its host is connected.
    Append {
        /// The session whose log gets the event.
        session: SessionId,
        /// The event to append.
        event: Event,
    },
}

impl From<Row> for Change {
    fn from(row: Row) -> Self {
        Self { rows: vec![row] }
    }
}

impl Directory {
    /// Applies a change that was stored, and returns its effects in order. Rows read from the store at start-up are
    /// applied in the same way; ignore their effects.
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
            Row::Workspace(record) => {
                self.workspaces.insert(record.id.clone(), record);
                effects.push(Effect::ListsChanged);
            }
            Row::WorkspaceRemoved(id) => {
                self.workspaces.remove(&id);
                effects.push(Effect::WorkspaceRemoved { workspace: id });
                effects.push(Effect::ListsChanged);
            }
            Row::Host(record) => drop(self.hosts.insert(record.id.clone(), record)),
            Row::Deleted { session, host, .. } => {
                effects.push(Effect::Forget { session: session.clone(), host: host.clone() });
                self.deleted.insert(session, host);
            }
            Row::Forgotten(session) => drop(self.deleted.remove(&session)),
        }
    }

    /// Lists a session. A session that is already listed keeps its report, and its parent unless `beside` names
    /// another.
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
        self.begin_leaving(&listed, at_ms);
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
        for record in self.workspaces.values_mut() {
            record.project = record.project.take().filter(|project| project != id);
        }
        effects.push(Effect::ListsChanged);
    }
}
