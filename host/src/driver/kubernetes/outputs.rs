//! What a session in a pod reports, as outputs of its driver.

use moorline_shared::event::EventKind;
use moorline_shared::failure::HostFailure;
use moorline_shared::pod::PodStatus;
use serde_json::{Map, Value, json};

use crate::driver::DriverOutput;

pub(super) fn status(status: &PodStatus) -> DriverOutput {
    event(EventKind::PodStatus.as_str(), json!(status))
}

/// Reports an error with a stable code.
pub(super) fn error(HostFailure { code, message }: &HostFailure) -> DriverOutput {
    event(EventKind::SessionError.as_str(), json!({ "error": message, "code": code }))
}

fn event(kind: &'static str, fields: Value) -> DriverOutput {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    DriverOutput::Event { kind, fields }
}
