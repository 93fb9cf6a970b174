//! Projects.

use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use moorline_core::api::{ApiError, project_name};
use moorline_core::plan::check_folder;
use moorline_core::record::ProjectRecord;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{ChangeProject, CreateProject, Project, ProjectChanged, ProjectList};
use worker::console_warn;
use worker::wasm_bindgen_futures::spawn_local;

use super::{Directory, now_ms, random};
use crate::asking;
use crate::internal::{MOVE, Move};
use crate::reply::{Answer, json};

/// As many projects as may be.
const PROJECTS: usize = 10_000;
/// As many objects are asked at once.
pub(super) const AT_ONCE: usize = 32;

impl Directory {
    pub(super) fn projects(&self) -> Answer {
        let projects = self.with(|known| Ok(known.project_list()))?;
        json(StatusCode::OK, &ProjectList { projects })
    }

    pub(super) fn project(&self, id: &str) -> Answer {
        let id = named(id)?;
        let project = self.with(|known| {
            let record = known.projects.get(&id).ok_or_else(|| ApiError::no_project(&id))?;
            Ok(known.project(record))
        })?;
        json(StatusCode::OK, &project)
    }

    pub(super) fn create_project(&self, wanted: CreateProject) -> Answer {
        let name = project_name(&wanted.name)?;
        check_folder(wanted.directory.as_deref().unwrap_or_default())?;
        let record = ProjectRecord {
            id: ProjectId::from_random(random()?),
            name,
            directory: wanted.directory.filter(|directory| !directory.is_empty()),
            created_at_ms: now_ms(),
        };
        let project = self.with(|known| {
            if known.projects.len() >= PROJECTS {
                let most = format!("there are {PROJECTS} projects already: delete one first");
                return Err(ApiError::too_many_projects(most).into());
            }
            known.database.put_project(&record)?;
            let project = known.project(&record);
            known.projects.insert(record.id.clone(), record);
            Ok(project)
        })?;
        self.list_changed();
        changed(StatusCode::CREATED, project)
    }

    pub(super) fn change_project(&self, id: &str, change: ChangeProject) -> Answer {
        let id = named(id)?;
        let name = change.name.as_deref().map(project_name).transpose()?;
        check_folder(change.directory.as_deref().unwrap_or_default())?;
        let project = self.with(|known| {
            let record = known.projects.get(&id).ok_or_else(|| ApiError::no_project(&id))?;
            let mut record = record.clone();
            if let Some(name) = name {
                record.name = name;
            }
            if let Some(directory) = change.directory {
                record.directory = Some(directory).filter(|directory| !directory.is_empty());
            }
            known.database.put_project(&record)?;
            let project = known.project(&record);
            known.projects.insert(id, record);
            Ok(project)
        })?;
        self.list_changed();
        changed(StatusCode::OK, project)
    }

    /// Forgets a project; its sessions belong to none from now on.
    pub(super) fn delete_project(self: &Rc<Self>, id: &str) -> Answer {
        let id = named(id)?;
        let (project, left) = self.with(|known| {
            let record = known.projects.get(&id).ok_or_else(|| ApiError::no_project(&id))?;
            let project = known.project(record);
            known.database.delete_project(&id)?;
            known.projects.remove(&id);
            let mut left = Vec::new();
            for listed in known.sessions.values_mut() {
                if listed.record.project.as_ref() == Some(&id) {
                    listed.record.project = None;
                    left.push(listed.record.id.clone());
                }
            }
            Ok((project, left))
        })?;
        self.list_changed();
        let directory = Rc::clone(self);
        spawn_local(async move { directory.leave_project(left).await });
        changed(StatusCode::OK, project)
    }

    /// Has sessions know that they belong to no project any more. The lists know already.
    async fn leave_project(&self, sessions: Vec<SessionId>) {
        let leave = async |id: SessionId| {
            let left = async {
                let object = asking::session(&self.env, &id)?;
                asking::post(&object, MOVE, &Move { project: None }).await
            };
            if let Err(failure) = left.await {
                console_warn!("the session {id} was not moved: {failure}");
            }
        };
        stream::iter(sessions).for_each_concurrent(AT_ONCE, leave).await;
    }
}

fn changed(status: StatusCode, project: Project) -> Answer {
    json(status, &ProjectChanged { success: true, project })
}

fn named(id: &str) -> Result<ProjectId, ApiError> {
    id.parse().map_err(|_| ApiError::invalid_project_id())
}
