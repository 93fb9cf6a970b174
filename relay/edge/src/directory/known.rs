//! What the directory knows, in memory.

use std::collections::BTreeMap;

use moorline_core::api::{ApiError, sort};
use moorline_core::record::{HostRecord, ProjectRecord, SessionRecord, name, summary};
use moorline_core::rfc3339;
use moorline_shared::id::{HostId, ProjectId, SessionId};
use moorline_shared::rest::{Overview, Project, SessionSummary};
use moorline_shared::session::Lifecycle;
use worker::SqlStorage;

use crate::internal::Told;
use crate::sql::{Database, Result};

/// Activity alone is stored this often, in milliseconds: rows that are written cost most.
const ACTIVITY_EVERY_MS: u64 = 60_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) database: Database,
    pub(super) sessions: BTreeMap<SessionId, Listed>,
    pub(super) projects: BTreeMap<ProjectId, ProjectRecord>,
    pub(super) hosts: Vec<HostRecord>,
    /// Deleted sessions that their hosts may still have.
    pub(super) deleted: Vec<(SessionId, HostId)>,
}

/// A session, as it is listed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) record: SessionRecord,
    /// What it told last.
    pub(super) told: Option<Told>,
    /// The session that it was started beside.
    pub(super) beside: Option<SessionId>,
    /// When what it told was stored.
    stored_at: u64,
}

impl Known {
    /// Reads all of it.
    pub(super) fn load(sql: SqlStorage) -> Result<Self> {
        let database = Database::open(sql)?;
        database.prepare_directory()?;
        // Maps that are collected bring a sort of their own each; and the rows come sorted.
        let (mut sessions, mut projects) = (BTreeMap::new(), BTreeMap::new());
        for record in database.sessions()? {
            sessions.insert(record.id.clone(), Listed::new(record));
        }
        for project in database.projects()? {
            projects.insert(project.id.clone(), project);
        }
        for row in database.listed()? {
            if let Some(listed) = sessions.get_mut(&row.session) {
                (listed.told, listed.beside) = (row.told, row.beside);
            }
        }
        Ok(Self {
            sessions,
            projects,
            hosts: database.hosts()?,
            deleted: database.deleted()?,
            database,
        })
    }

    pub(super) fn session(&mut self, id: &SessionId) -> std::result::Result<&mut Listed, ApiError> {
        self.sessions.get_mut(id).ok_or_else(|| ApiError::no_session(id.as_str()))
    }

    pub(super) fn check_project(
        &self,
        id: Option<&ProjectId>,
    ) -> std::result::Result<Option<&ProjectRecord>, ApiError> {
        let found = |id| self.projects.get(id).ok_or_else(|| ApiError::no_project(id));
        id.map(found).transpose()
    }

    /// Lists a session from now on.
    pub(super) fn add(&mut self, record: SessionRecord, beside: Option<SessionId>) -> Result<()> {
        // A session of another time, which had the id.
        if self.deleted.iter().any(|(id, _)| *id == record.id) {
            self.deleted.retain(|(id, _)| *id != record.id);
            self.database.remove_deleted(&record.id)?;
        }
        self.database.put_session(&record)?;
        if beside.is_some() {
            self.database.put_listed(&record.id, None, beside.as_ref())?;
        }
        let listed = Listed { beside, ..Listed::new(record) };
        self.sessions.insert(listed.record.id.clone(), listed);
        Ok(())
    }

    /// Lists it no more. Its host, if it has one, is to forget it.
    pub(super) fn remove(&mut self, id: &SessionId, now: u64) -> Result<Option<Listed>> {
        let Some(listed) = self.sessions.remove(id) else { return Ok(None) };
        self.database.delete_session(id)?;
        self.database.delete_listed(id)?;
        if let Some(host) = &listed.record.host {
            self.have_forgotten(id, host, now)?;
        }
        Ok(Some(listed))
    }

    /// A host is to forget a session, whenever it says that it has it.
    pub(super) fn have_forgotten(&mut self, id: &SessionId, host: &HostId, now: u64) -> Result<()> {
        self.deleted.push((id.clone(), host.clone()));
        self.database.put_deleted(id, host, now)
    }

    pub(super) fn is_deleted(&self, id: &SessionId, host: &HostId) -> bool {
        self.deleted.iter().any(|(deleted, of)| deleted == id && of == host)
    }

    /// A session has told of itself. Returns whether lists read otherwise.
    pub(super) fn told(&mut self, told: Told, now: u64) -> Result<bool> {
        let Some(listed) = self.sessions.get_mut(&told.summary.session_id) else {
            return Ok(false);
        };
        let same = listed.told.as_ref().is_some_and(|before| is_same(before, &told));
        let is_changed = listed.told.as_ref() != Some(&told);
        if (is_changed && !same) || now >= listed.stored_at + ACTIVITY_EVERY_MS {
            let id = &listed.record.id;
            self.database.put_listed(id, Some(&told), listed.beside.as_ref())?;
            listed.stored_at = now;
        }
        listed.told = Some(told);
        Ok(is_changed)
    }

    /// All sessions, newest first.
    pub(super) fn summaries(&self) -> Vec<SessionSummary> {
        let mut list: Vec<_> = self.sessions.values().map(Listed::summary).collect();
        sort(&mut list);
        list
    }

    /// Everything that lists show.
    pub(super) fn overview(&self) -> Overview {
        Overview { sessions: self.summaries(), projects: self.project_list() }
    }

    /// All projects, by name.
    pub(super) fn project_list(&self) -> Vec<Project> {
        let mut counts: BTreeMap<&ProjectId, usize> = BTreeMap::new();
        for id in self.sessions.values().filter_map(|listed| listed.record.project.as_ref()) {
            *counts.entry(id).or_default() += 1;
        }
        let count = |id| counts.get(id).copied().unwrap_or_default();
        let mut projects: Vec<_> =
            self.projects.values().map(|record| project(record, count(&record.id))).collect();
        projects.sort_by_cached_key(|project| (project.name.to_lowercase(), project.id.clone()));
        projects
    }

    /// A project, with how many sessions belong to it.
    pub(super) fn project(&self, record: &ProjectRecord) -> Project {
        let of = |listed: &&Listed| listed.record.project.as_ref() == Some(&record.id);
        project(record, self.sessions.values().filter(of).count())
    }

    /// The sessions of a host that are not over.
    pub(super) fn running_on<'a>(
        &'a self,
        host: &'a HostId,
    ) -> impl Iterator<Item = &'a SessionId> {
        let of_host = move |listed: &&Listed| {
            listed.record.host.as_ref() == Some(host) && !listed.lifecycle().is_over()
        };
        self.sessions.values().filter(of_host).map(|listed| &listed.record.id)
    }
}

impl Listed {
    fn new(record: SessionRecord) -> Self {
        Self { record, told: None, beside: None, stored_at: 0 }
    }

    pub(super) fn lifecycle(&self) -> Lifecycle {
        self.told.as_ref().map_or(self.record.lifecycle, |told| told.summary.lifecycle)
    }

    pub(super) fn summary(&self) -> SessionSummary {
        let Some(told) = &self.told else { return summary(&self.record, 0) };
        SessionSummary {
            // What the directory decides it knows better.
            name: name(&self.record),
            named: self.record.name.is_some(),
            project: self.record.project.clone(),
            host: self.record.host.clone(),
            ..told.summary.clone()
        }
    }
}

fn project(record: &ProjectRecord, sessions: usize) -> Project {
    Project {
        id: record.id.clone(),
        name: record.name.clone(),
        directory: record.directory.clone(),
        created_at: rfc3339(record.created_at_ms),
        sessions,
    }
}

/// But for times.
fn is_same(one: &Told, other: &Told) -> bool {
    let last_activity = one.summary.last_activity.clone();
    *one == Told {
        summary: SessionSummary { last_activity, ..other.summary.clone() },
        ..other.clone()
    }
}
