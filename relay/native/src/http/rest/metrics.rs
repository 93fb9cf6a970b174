//! `/metrics` and `/api/debug/metrics`.

use axum::Json;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use moorline_shared::rest::{DebugMetrics, StoreMetrics};

use crate::http::App;
use crate::http::error::{ApiError, HttpError};
use crate::metrics::memory_bytes;
use moorline_core::api::responses::Guarded;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type OpenMetrics = ([(HeaderName, &'static str); 1], String);

/// Read the relay's metrics, for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "Relay", operation_id = "metrics",
    responses(Guarded,
        (status = 200, description = "OpenMetrics text.", body = String,
            content_type = "application/openmetrics-text")),
)]
pub(in crate::http) fn prometheus(app: &App) -> Result<OpenMetrics, HttpError> {
    let metrics = &app.registry.services().metrics;
    let text = metrics.encode(&app.registry.counts());
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text.map_err(|error| ApiError::internal(&error))?))
}

/// Read the relay's metrics, as JSON
#[utoipa::path(
    get, path = "/api/debug/metrics", tag = "Relay", operation_id = "debugMetrics",
    responses(Guarded,
        (status = 200, description = "Totals since the relay started, and current values.",
            body = DebugMetrics)),
)]
pub(in crate::http) fn debug(app: &App) -> Json<DebugMetrics> {
    let services = app.registry.services();
    let (metrics, counts) = (&services.metrics, app.registry.counts());
    let events = metrics.events_by_type().map(|(name, count)| (name.to_owned(), count));
    Json(DebugMetrics {
        list_streams: services.listing.receiver_count(),
        output_bytes: metrics.output_bytes(),
        store: StoreMetrics {
            bytes: metrics.store.bytes.get(),
            batches: metrics.store.batches.get(),
            failures: metrics.store.failures.get(),
            storing: services.writer.failure().is_none(),
        },
        uptime: metrics.uptime_ms(),
        memory_bytes: memory_bytes(),
        ..counts.debug(events.collect())
    })
}
