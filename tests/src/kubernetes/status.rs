//! Errors of the fake API server: the `Status` objects of a real one, with its sentences.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::resource::ResourceType;

/// The result of a request.
pub(super) type ApiResult<T> = Result<T, ApiError>;

/// An answer that says why a request failed.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

/// A field that a request has wrong.
#[derive(Debug, Clone)]
pub(super) struct FieldFault {
    /// The code of the cause, such as `FieldValueInvalid`.
    pub(super) reason: &'static str,
    /// The path of the field, such as `metadata.name`.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) message: String,
}

impl ApiError {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Value) -> Self {
        Self { code, reason, message: message.into(), details }
    }

    /// 404: the object does not exist.
    pub(super) fn not_found(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message, details(resource, name))
    }

    /// 409: another object has the name.
    pub(super) fn already_exists(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message, details(resource, name))
    }

    /// 409: the request was for another version of the object, or for another object of the name.
    pub(super) fn conflict(resource: &ResourceType, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(409, "Conflict", message, details(resource, name))
    }

    /// 403: an admission check refuses the object.
    pub(super) fn refused(resource: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        Self::new(403, "Forbidden", message, details(resource, name))
    }

    /// 403: the account may not do this.
    pub(super) fn forbidden(resource: &ResourceType, name: &str, why: &str) -> Self {
        let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let message = format!("{}{named} is forbidden: {why}", resource.qualified());
        Self::new(403, "Forbidden", message, details(resource, name))
    }

    /// 401: the token is not accepted.
    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized", Value::Null)
    }

    /// 422: fields of the object are wrong.
    pub(super) fn invalid(resource: &ResourceType, name: &str, faults: &[FieldFault]) -> Self {
        let said: Vec<_> =
            faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
        let said = match &said[..] {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<_> = faults
            .iter()
            .map(|fault| {
                json!({ "reason": fault.reason, "message": fault.message, "field": fault.field })
            })
            .collect();
        let mut details = json!({ "name": name, "kind": resource.kind, "causes": causes });
        if !resource.group.is_empty() {
            details["group"] = resource.group.into();
        }
        let qualified = match resource.group {
            "" => resource.kind.to_owned(),
            group => format!("{}.{group}", resource.kind),
        };
        let message = format!("{qualified} \"{name}\" is invalid: {said}");
        Self::new(422, "Invalid", message, details)
    }

    /// 410: changes since this version are no longer known.
    pub(super) fn expired(asked: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self::new(410, "Expired", message, Value::Null)
    }

    /// 400: the request makes no sense.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    /// 405: the resource does not have the verb.
    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message, json!({}))
    }

    /// 415: the body has a type that the server does not read.
    pub(super) fn unsupported_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message, json!({}))
    }

    /// 500: something behind the API server failed.
    pub(super) fn internal(why: &str) -> Self {
        let details = json!({ "causes": [{ "message": why }] });
        let message = format!("Internal error occurred: {why}");
        Self::new(500, "InternalError", message, details)
    }

    /// 500: the node says no, in its own words.
    pub(super) fn of_node(why: &str) -> Self {
        Self::new(500, "InternalError", why, Value::Null)
    }

    /// The answer of a node, which is no `Status` object.
    pub(super) fn into_text(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.message).into_response()
    }

    /// The `Status` object.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, Json(self.status())).into_response()
    }
}

fn details(resource: &ResourceType, name: &str) -> Value {
    let mut details = json!({ "kind": resource.plural });
    if !name.is_empty() {
        details["name"] = name.into();
    }
    if !resource.group.is_empty() {
        details["group"] = resource.group.into();
    }
    details
}

/// A path that no API has: a real server answers in plain text.
pub(super) fn no_page() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
