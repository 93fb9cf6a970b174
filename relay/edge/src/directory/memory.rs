//! The directory in memory, beside the database that it is read from.

use moorline_core::api::ApiError;
use moorline_core::directory::{Change, Directory, Effect, Row};
use worker::SqlStorage;

use super::DirectoryState;
use super::store::ListedRow;
use crate::reply::RequestFailure;
use crate::sql::{ObjectDatabase, Result};

/// The directory as loaded into memory, and the database that it is stored in.
#[derive(Debug)]
pub(super) struct DirectoryMemory {
    pub(super) database: ObjectDatabase,
    pub(super) directory: Directory,
}

impl DirectoryMemory {
    /// Loads everything from the database.
    pub(super) fn load(sql: SqlStorage) -> Result<Self> {
        let database = ObjectDatabase::open(sql)?;
        database.prepare_directory()?;
        let mut directory = Directory::new(false);
        // The rows are already stored: nothing follows from applying them.
        drop(directory.apply(database.directory()?));
        Ok(Self { database, directory })
    }

    /// Stores a change, then applies it.
    pub(super) fn make(&mut self, change: Change) -> Result<Vec<Effect>> {
        change.rows.iter().try_for_each(|row| self.database.write_row(row))?;
        Ok(self.directory.apply(change))
    }
}

impl DirectoryState {
    /// Runs `work` on the memory, which is loaded first if necessary. A fault discards it, so that
    /// the next call reads it again.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut DirectoryMemory) -> std::result::Result<T, RequestFailure>,
    ) -> std::result::Result<T, RequestFailure> {
        let mut memory = match self.memory.take() {
            Some(memory) => memory,
            None => Box::new(DirectoryMemory::load(self.state.storage().sql())?),
        };
        let result = work(&mut memory);
        if !matches!(result, Err(RequestFailure::Fault(_))) {
            self.memory.set(Some(memory));
        }
        result
    }

    /// Reads from the directory.
    pub(super) fn ask<T>(
        &self,
        read: impl FnOnce(&Directory) -> std::result::Result<T, ApiError>,
    ) -> std::result::Result<T, RequestFailure> {
        self.with(|memory| Ok(read(&memory.directory)?))
    }

    /// Decides on a change, stores and applies it. Returns the effects that are still to be carried
    /// out.
    pub(super) fn decide(
        &self,
        decide: impl FnOnce(&Directory) -> std::result::Result<Change, ApiError>,
    ) -> std::result::Result<Vec<Effect>, RequestFailure> {
        self.with(|memory| {
            let change = decide(&memory.directory)?;
            Ok(memory.make(change)?)
        })
    }
}

impl ObjectDatabase {
    /// Everything that the directory knows, as the change that would store it.
    fn directory(&self) -> Result<Change> {
        let mut rows = Vec::new();
        let sessions = self.sessions()?.into_iter();
        rows.extend(sessions.map(|record| Row::Session { record: Box::new(record), beside: None }));
        rows.extend(self.projects()?.into_iter().map(Row::Project));
        rows.extend(self.workspaces()?.into_iter().map(Row::Workspace));
        for ListedRow { session, report, beside } in self.listed()? {
            rows.push(Row::Listed { session, report, beside });
        }
        rows.extend(self.hosts()?.into_iter().map(Row::Host));
        let deleted = self.deleted()?.into_iter();
        rows.extend(deleted.map(|(session, host)| Row::Deleted { session, host, at_ms: 0 }));
        Ok(Change { rows })
    }

    fn write_row(&self, row: &Row) -> Result<()> {
        match row {
            Row::Session { record, beside } => {
                self.put_session(record)?;
                match beside {
                    Some(_) => self.put_listed(&record.id, None, beside.as_ref()),
                    None => Ok(()),
                }
            }
            Row::Name { record } | Row::Membership { record } => self.put_session(record),
            Row::Listed { session, report, beside } => {
                self.put_listed(session, report.as_deref(), beside.as_ref())
            }
            Row::SessionRemoved { id, .. } => {
                self.delete_session(id)?;
                self.delete_listed(id)
            }
            Row::Project(record) => self.put_project(record),
            Row::ProjectRemoved(id) => self.delete_project(id),
            Row::Workspace(record) => self.put_workspace(record),
            Row::WorkspaceRemoved(id) => self.delete_workspace(id),
            Row::Host(record) => self.put_host(record),
            Row::Deleted { session, host, at_ms } => self.put_deleted(session, host, *at_ms),
            Row::Forgotten(session) => self.remove_deleted(session),
        }
    }
}
