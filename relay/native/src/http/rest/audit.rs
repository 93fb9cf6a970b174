//! `/api/audit`.

use axum::Json;
use moorline_core::api::responses::{BadQuery, Guarded};
use moorline_core::routes::{AuditPage, AuditQuery, Request};
use moorline_shared::rest::AuditList;

use crate::http::App;
use crate::http::error::HttpError;

/// List what was done by whom, newest first
///
/// The last 10,000 events: who connected, resumed, was refused, made, changed or revoked a token, logged
/// in or out, and decided. No event has a secret, or anything that a session prints or is sent.
#[utoipa::path(
    get, path = "/api/audit", tag = "Access", operation_id = "audit", params(AuditQuery),
    responses(Guarded, BadQuery, (status = 200, description = "A page of the events.", body = AuditList)),
)]
pub(in crate::http) async fn list(
    app: &App,
    request: &Request,
) -> Result<Json<AuditList>, HttpError> {
    let page = AuditPage::of(request)?;
    let services = app.registry.services();
    // What a page has just done is in the list that it asks for then.
    services.audit.flush(&services.writer).await;
    let events = services.read(|store| store.audit(&page))?;
    Ok(Json(page.answer(events)))
}
