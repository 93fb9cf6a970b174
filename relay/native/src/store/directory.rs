//! Writing the directory's changes.

use moorline_core::directory::{Change, Row};

use super::{Store, StoreError};

/// Name of the note that holds the session beside which a terminal was opened.
pub(crate) const BESIDE: &str = "beside";

impl Store {
    /// Stores a change of the directory in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn write_change(&mut self, change: &Change) -> Result<(), StoreError> {
        self.transaction(|store| change.rows.iter().try_for_each(|row| store.write_row(row)))
    }

    fn write_row(&self, row: &Row) -> Result<(), StoreError> {
        match row {
            Row::Session { record, beside } => {
                self.put_session(record)?;
                let note = |parent| self.put_note(&record.id, BESIDE, parent);
                beside.as_ref().map_or(Ok(()), |parent| note(parent.as_str()))
            }
            Row::Name { record } => self.rename_session(record),
            Row::Membership { record } => self.move_session(record),
            // Sessions in memory store their own rows.
            Row::Listed { .. } => Ok(()),
            Row::SessionRemoved { id, .. } => self.delete_session(id),
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
