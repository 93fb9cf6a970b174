//! `/api/projects`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use moorline_shared::id::ProjectId;
use moorline_shared::rest::{ChangeProject, CreateProject, Project, ProjectChanged, ProjectList};

use crate::http::App;
use crate::http::answers::{Guarded, OfProject, WithBody};
use crate::http::error::{ApiError, HttpError};
use crate::http::extract::{Admin, Body};

type Named = Result<Path<String>, PathRejection>;

/// All projects, by name
#[utoipa::path(
    get, path = "/api/projects", tag = "Projects", operation_id = "listProjects",
    responses(Guarded, (status = 200, description = "All of them.", body = ProjectList)),
)]
pub(in crate::http) async fn list(_: Admin, State(app): State<Arc<App>>) -> Json<ProjectList> {
    Json(ProjectList { projects: app.registry.projects() })
}

/// Make a project
#[utoipa::path(
    post, path = "/api/projects", tag = "Projects", operation_id = "createProject",
    request_body = CreateProject,
    responses(Guarded, WithBody,
        (status = 201, description = "It is there.", body = ProjectChanged),
        (status = 429, description = "There are as many as may be: `overloaded`.",
            body = moorline_shared::rest::ErrorBody)),
)]
pub(in crate::http) async fn create(
    _: Admin,
    State(app): State<Arc<App>>,
    Body(wanted): Body<CreateProject>,
) -> Result<(StatusCode, Json<ProjectChanged>), HttpError> {
    let project = app.registry.create_project(wanted).await?;
    Ok((StatusCode::CREATED, Json(ProjectChanged { success: true, project })))
}

/// One project
#[utoipa::path(
    get, path = "/api/projects/{id}", tag = "Projects", operation_id = "getProject",
    params(("id" = ProjectId, Path, description = "The project.")),
    responses(Guarded, OfProject, (status = 200, description = "As it is now.", body = Project)),
)]
pub(in crate::http) async fn get(
    _: Admin,
    State(app): State<Arc<App>>,
    id: Named,
) -> Result<Json<Project>, HttpError> {
    Ok(Json(app.registry.project(&named(id)?)?))
}

/// Give a project another name or folder
#[utoipa::path(
    patch, path = "/api/projects/{id}", tag = "Projects", operation_id = "changeProject",
    params(("id" = ProjectId, Path, description = "The project.")),
    request_body = Option<ChangeProject>,
    responses(Guarded, OfProject, WithBody,
        (status = 200, description = "It is changed.", body = ProjectChanged)),
)]
pub(in crate::http) async fn change(
    _: Admin,
    State(app): State<Arc<App>>,
    id: Named,
    Body(change): Body<ChangeProject>,
) -> Result<Json<ProjectChanged>, HttpError> {
    let project = app.registry.change_project(&named(id)?, change).await?;
    Ok(Json(ProjectChanged { success: true, project }))
}

/// Remove a project
///
/// Its sessions stay, and belong to none from then on.
#[utoipa::path(
    delete, path = "/api/projects/{id}", tag = "Projects", operation_id = "deleteProject",
    params(("id" = ProjectId, Path, description = "The project.")),
    responses(Guarded, OfProject,
        (status = 200, description = "It is gone.", body = ProjectChanged)),
)]
pub(in crate::http) async fn delete(
    _: Admin,
    State(app): State<Arc<App>>,
    id: Named,
) -> Result<Json<ProjectChanged>, HttpError> {
    let project = app.registry.delete_project(&named(id)?).await?;
    Ok(Json(ProjectChanged { success: true, project }))
}

fn named(path: Named) -> Result<ProjectId, ApiError> {
    path.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(ApiError::invalid_project_id)
}
