//! Requests about hosts that the host itself answers.

use std::sync::Arc;

use moorline_core::api::responses::{Asking, Guarded};
use moorline_core::plan::HostError;
use moorline_core::routes::{
    Call, Reply, Request, host_agents, host_tmux, pods_answer, pods_question, rules_answer,
    rules_question,
};
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::HostId;
use moorline_shared::rest::{ErrorBody, HostAgents, HostTmux};

use crate::http::App;
use crate::http::error::ApiError;

/// List the coding agents of a host
///
/// These are the agents that the host can start by their id. Those that are not installed have no `command`.
#[utoipa::path(
    get, path = "/api/hosts/{id}/agents", tag = "Hosts", operation_id = "hostAgents",
    params(("id" = HostId, Path, description = "The host.")),
    responses(Guarded, Asking,
        (status = 200, description = "The agents that the host knows.", body = HostAgents),
        (status = 400, description = "The id is not valid: `invalid_id`.", body = ErrorBody),
        (status = 404, description = "The host does not exist: `no_such_host`.", body = ErrorBody)),
)]
pub(in crate::http) async fn agents(app: &Arc<App>, id: &str) -> Result<Reply, ApiError> {
    let host: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
    let host = app.registry.view(|view| view.directory.choose_host(Some(&host), view.is_here))?;
    match app.registry.hosts().ask(&host, |request| ToHost::Agents { request }).await? {
        ToRelay::Agents { agents, .. } => Ok(host_agents(host, agents)),
        ToRelay::Failed { message, .. } => Err(ApiError::internal(&message)),
        _ => Err(HostError::Silent(host).into()),
    }
}

/// List the tmux servers of a host
///
/// These are the servers of the host's user, with their sessions, windows and panes. A pane that is open as a session
/// has its `sessionId`.
#[utoipa::path(
    get, path = "/api/hosts/{id}/tmux", tag = "Hosts", operation_id = "hostTmux",
    params(("id" = HostId, Path, description = "The host.")),
    responses(Guarded, Asking,
        (status = 200, description = "The servers.", body = HostTmux),
        (status = 400, description = "The id is not valid: `invalid_id`.", body = ErrorBody),
        (status = 404, description = "The host does not exist: `no_such_host`.", body = ErrorBody)),
)]
pub(in crate::http) async fn tmux(app: &Arc<App>, id: &str) -> Result<Reply, ApiError> {
    let host: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
    let host = app.registry.view(|view| view.directory.choose_host(Some(&host), view.is_here))?;
    let answer = app.registry.hosts().ask(&host, |request| ToHost::TmuxServers { request }).await?;
    host_tmux(host, Some(answer))
}

/// Asks a host for its templates and pods, or to change them.
pub(in crate::http) async fn pods(
    app: &App,
    call: Call,
    request: &Request,
) -> Result<Reply, ApiError> {
    let (host, question) = pods_question(call, request)?;
    let host = app.registry.view(|view| view.directory.choose_host(Some(&host), view.is_here))?;
    let ask = |request| ToHost::Pods { request, question: Box::new(question) };
    let answer = app.registry.hosts().ask(&host, ask).await?;
    pods_answer(host, Some(answer))
}

/// Asks a host for its rules about approvals, or to revoke one.
pub(in crate::http) async fn rules(
    app: &App,
    call: Call,
    request: &Request,
) -> Result<Reply, ApiError> {
    let (host, question) = rules_question(call, request)?;
    if !app.registry.view(|view| view.directory.knows_host(&host)) {
        return Err(HostError::Unknown(host).into());
    }
    let ask = |request| ToHost::Rules { request, question };
    rules_answer(host.clone(), app.registry.hosts().ask(&host, ask).await?)
}
