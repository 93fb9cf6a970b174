//! Projects.

use std::sync::Arc;

use moorline_shared::id::ProjectId;
use moorline_shared::rest::{ChangeProject, CreateProject, Project, SessionSummary};

use super::creating::random;
use super::{Known, Registry, Slot};
use crate::clock::wall_ms;
use crate::store::{ProjectRecord, SessionRecord, StoreError};
use moorline_core::rfc3339;

/// As many projects as may be.
const PROJECTS: usize = 10_000;

/// Why a project was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is none with this id.
    #[error("there is no project {0}")]
    NotFound(ProjectId),
    /// There are as many as may be.
    #[error("there are {PROJECTS} projects already: delete one first")]
    TooMany,
    /// It is not stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no random number.
    #[error("no random number for an id: {0}")]
    Random(#[from] getrandom::Error),
}

impl Registry {
    /// All projects, by name.
    #[must_use]
    pub fn projects(&self) -> Vec<Project> {
        self.overview().projects
    }

    /// One of them.
    #[must_use]
    pub fn project(&self, id: &ProjectId) -> Option<Project> {
        let known = self.known();
        known.projects.get(id).map(|record| known.count(record))
    }

    /// Makes a project.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub async fn create_project(
        self: &Arc<Self>,
        wanted: CreateProject,
    ) -> Result<Project, ProjectError> {
        let record = ProjectRecord {
            id: ProjectId::from_random(random()?),
            name: wanted.name,
            directory: wanted.directory.filter(|directory| !directory.is_empty()),
            created_at_ms: wall_ms(),
        };
        self.store_first(move |registry, store| {
            if registry.known().projects.len() >= PROJECTS {
                return Err(ProjectError::TooMany);
            }
            store.put_project(&record)?;
            let mut known = registry.known();
            let project = known.count(&record);
            known.projects.insert(record.id.clone(), record);
            Ok(project)
        })
        .await
    }

    /// Gives a project another name or folder.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub async fn change_project(
        self: &Arc<Self>,
        id: &ProjectId,
        change: ChangeProject,
    ) -> Result<Project, ProjectError> {
        let id = id.clone();
        self.store_first(move |registry, store| {
            let mut record = registry.known().project(&id)?;
            if let Some(name) = change.name {
                record.name = name;
            }
            if let Some(directory) = change.directory {
                record.directory = Some(directory).filter(|directory| !directory.is_empty());
            }
            store.put_project(&record)?;
            let mut known = registry.known();
            let project = known.count(&record);
            known.projects.insert(id, record);
            Ok(project)
        })
        .await
    }

    /// Forgets a project; its sessions belong to none from now on.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub async fn delete_project(self: &Arc<Self>, id: &ProjectId) -> Result<Project, ProjectError> {
        let id = id.clone();
        self.store_first(move |registry, store| {
            let record = registry.known().project(&id)?;
            store.transaction(|store| store.delete_project(&id))?;
            let mut known = registry.known();
            let project = known.count(&record);
            known.projects.remove(&id);
            for slot in known.slots.values_mut().filter(|slot| slot.belongs_to(&id)) {
                slot.move_to(None);
            }
            Ok(project)
        })
        .await
    }
}

impl Known {
    fn project(&self, id: &ProjectId) -> Result<ProjectRecord, ProjectError> {
        self.projects.get(id).cloned().ok_or_else(|| ProjectError::NotFound(id.clone()))
    }

    pub(super) fn projects_with(&self, sessions: &[SessionSummary]) -> Vec<Project> {
        let count = |id: &ProjectId| {
            sessions.iter().filter(|session| session.project.as_ref() == Some(id)).count()
        };
        let mut projects: Vec<_> =
            self.projects.values().map(|record| project(record, count(&record.id))).collect();
        projects.sort_by_cached_key(|project| (project.name.to_lowercase(), project.id.clone()));
        projects
    }

    fn count(&self, record: &ProjectRecord) -> Project {
        let of = self.slots.values().filter(|slot| slot.belongs_to(&record.id));
        project(record, of.count())
    }
}

impl Slot {
    fn belongs_to(&self, project: &ProjectId) -> bool {
        let of = |record: &SessionRecord| record.project.as_ref() == Some(project);
        match self {
            Self::Running(handle) => of(&handle.record()),
            Self::Stored { record, .. } => of(record),
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
