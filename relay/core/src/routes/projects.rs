//! The handlers of `/api/projects`.

use http::StatusCode;
use moorline_shared::rest::{ChangeProject, CreateProject, Project, ProjectChanged, ProjectList};

use super::{Decision, DecisionAnswer, Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{Guarded, OfProject, WithBody};
use crate::directory::Directory;
#[cfg(feature = "openapi")]
use moorline_shared::id::ProjectId;

/// List all projects, by name
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/projects", tag = "Projects", operation_id = "listProjects",
    responses(Guarded, (status = 200, description = "All projects.", body = ProjectList)),
))]
pub(crate) fn list(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&ProjectList { projects: view.directory.projects(&request.grant.access) }))
}

/// Create a project
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/projects", tag = "Projects", operation_id = "createProject",
    request_body = CreateProject,
    responses(Guarded, WithBody,
        (status = 201, description = "The project was created.", body = ProjectChanged),
        (status = 429, description = "The limit of projects is reached: `overloaded`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn create(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let wanted: CreateProject = request.body()?;
    let change = directory.create_project(wanted, request.new_project(), request.now_ms)?;
    let answer = DecisionAnswer::Read(|directory, request| {
        let project = directory.project(&request.new_project())?;
        Ok(Reply::new(StatusCode::CREATED, &ProjectChanged { success: true, project }))
    });
    Ok(Decision { change, answer })
}

/// Get a project
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/projects/{id}", tag = "Projects", operation_id = "getProject",
    params(("id" = ProjectId, Path, description = "The project.")),
    responses(Guarded, OfProject, (status = 200, description = "The project.", body = Project)),
))]
pub(crate) fn get(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    let project: Project = view.directory.project(&request.project()?)?;
    Ok(Reply::ok(&project))
}

/// Change the name or folder of a project
#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/api/projects/{id}", tag = "Projects", operation_id = "changeProject",
    params(("id" = ProjectId, Path, description = "The project.")),
    request_body = Option<ChangeProject>,
    responses(Guarded, OfProject, WithBody,
        (status = 200, description = "The project was changed.", body = ProjectChanged)),
))]
pub(crate) fn change(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let (id, wanted): (_, ChangeProject) = (request.project()?, request.body()?);
    let change = directory.change_project(&id, wanted)?;
    let answer = DecisionAnswer::Read(|directory, request| {
        Ok(changed(directory.project(&request.project()?)?))
    });
    Ok(Decision { change, answer })
}

/// Remove a project
///
/// Its sessions stay, without a project.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/projects/{id}", tag = "Projects", operation_id = "deleteProject",
    params(("id" = ProjectId, Path, description = "The project.")),
    responses(Guarded, OfProject,
        (status = 200, description = "The project was deleted.", body = ProjectChanged)),
))]
pub(crate) fn delete(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let id = request.project()?;
    let was = directory.project(&id)?;
    Ok(Decision {
        change: directory.remove_project(&id)?,
        answer: DecisionAnswer::Known(changed(was)),
    })
}

fn changed(project: Project) -> Reply {
    Reply::ok(&ProjectChanged { success: true, project })
}
