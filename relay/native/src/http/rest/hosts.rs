//! Questions that a host answers.

use moorline_core::plan::HostError;
use moorline_core::routes::{Call, Reply, Request, rules_answer, rules_question};
use moorline_shared::control::ToHost;

use crate::http::App;
use crate::http::error::ApiError;

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
