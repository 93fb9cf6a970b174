//! `/api/hosts`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use moorline_shared::rest::HostList;

use crate::http::App;
use crate::http::answers::Guarded;
use crate::http::extract::Admin;

/// All hosts that the relay knows
#[utoipa::path(
    get, path = "/api/hosts", tag = "Hosts", operation_id = "listHosts",
    responses(Guarded,
        (status = 200, description = "Those that are away, too.", body = HostList)),
)]
pub(in crate::http) async fn list(_: Admin, State(app): State<Arc<App>>) -> Json<HostList> {
    Json(app.registry.host_list())
}
