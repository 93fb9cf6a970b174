//! Projects: their list, and changes of one.

use std::collections::BTreeMap;

use moorline_shared::id::ProjectId;
use moorline_shared::limits::PROJECTS;
use moorline_shared::rest::{ChangeProject, CreateProject, Project};

use super::Directory;
use super::change::{Change, Row};
use crate::api::{ApiError, project_name};
use crate::auth::Access;
use crate::plan::check_folder;
use crate::record::ProjectRecord;
use crate::rfc3339;

impl Directory {
    /// Returns the projects that a token with this access reaches, sorted by name.
    #[must_use]
    pub fn projects(&self, access: &Access) -> Vec<Project> {
        let mut counts: BTreeMap<&ProjectId, usize> = BTreeMap::new();
        for id in self.sessions.values().filter_map(|listed| listed.record.project.as_ref()) {
            *counts.entry(id).or_default() += 1;
        }
        let count = |id| counts.get(id).copied().unwrap_or_default();
        let reached = |record: &&ProjectRecord| access.scope_in(Some(&record.id)).is_some();
        let records = self.projects.values().filter(reached);
        let mut projects: Vec<_> =
            records.map(|record| project(record, count(&record.id))).collect();
        projects.sort_by_cached_key(|project| (project.name.to_lowercase(), project.id.clone()));
        projects
    }

    /// Returns one project.
    ///
    /// # Errors
    /// `no_such_project`.
    pub fn project(&self, id: &ProjectId) -> Result<Project, ApiError> {
        let record = self.projects.get(id).ok_or_else(|| ApiError::no_project(id))?;
        let belongs = |project: &Option<ProjectId>| project.as_ref() == Some(id);
        let sessions = self.sessions.values().filter(|listed| belongs(&listed.record.project));
        Ok(project(record, sessions.count()))
    }

    /// Creates a project under the new id `id`. `now_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// `bad_request`, or `overloaded` if the limit of projects is reached.
    pub fn create_project(
        &self,
        wanted: CreateProject,
        id: ProjectId,
        now_ms: u64,
    ) -> Result<Change, ApiError> {
        let name = project_name(&wanted.name)?;
        check_folder(wanted.directory.as_deref().unwrap_or_default())?;
        if self.projects.len() >= PROJECTS {
            let most = format!("there are {PROJECTS} projects already: delete one first");
            return Err(ApiError::too_many_projects(most));
        }
        let directory = wanted.directory.filter(|directory| !directory.is_empty());
        Ok(Row::Project(ProjectRecord { id, name, directory, created_at_ms: now_ms }).into())
    }

    /// Changes the name or folder of a project. An empty folder removes it.
    ///
    /// # Errors
    /// `no_such_project` or `bad_request`.
    pub fn change_project(
        &self,
        id: &ProjectId,
        wanted: ChangeProject,
    ) -> Result<Change, ApiError> {
        let name = wanted.name.as_deref().map(project_name).transpose()?;
        check_folder(wanted.directory.as_deref().unwrap_or_default())?;
        let record = self.projects.get(id).ok_or_else(|| ApiError::no_project(id))?.clone();
        let directory = match wanted.directory {
            Some(directory) => Some(directory).filter(|directory| !directory.is_empty()),
            None => record.directory,
        };
        let name = name.unwrap_or(record.name);
        Ok(Row::Project(ProjectRecord { name, directory, ..record }).into())
    }

    /// Removes a project. Its sessions stay, without a project.
    ///
    /// # Errors
    /// `no_such_project`.
    pub fn remove_project(&self, id: &ProjectId) -> Result<Change, ApiError> {
        self.project(id).map(|_| Row::ProjectRemoved(id.clone()).into())
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
