//! Requests that read and add objects.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::admission::admit;
use super::claims;
use super::json::{name, new_suffix, text};
use super::kubelet;
use super::query::QueryParameters;
use super::resource::{NAMESPACES, PODS, ResourcePath};
use super::script::PodScript;
use super::selector::ObjectSelector;
use super::state::{SharedState, stamp};
use super::status::{ApiError, ApiResult};
use super::store::ObjectKey;

/// Lists the objects of a type.
pub(super) fn list(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
) -> ApiResult<Value> {
    let resource = path.resource;
    let selector =
        ObjectSelector::parse(resource, query.get("labelSelector"), query.get("fieldSelector"))?;
    let (objects, revision) = state.store.list(resource, &path.namespace);
    let items: Vec<_> = objects.iter().filter(|object| selector.matches(object)).collect();
    Ok(json!({
        "kind": format!("{}List", resource.kind),
        "apiVersion": resource.api_version(),
        "metadata": { "resourceVersion": revision.to_string() },
        "items": items,
    }))
}

/// Returns one object.
pub(super) fn get(state: &SharedState, path: &ResourcePath) -> ApiResult<Value> {
    let object = state.store.get(&key(path));
    let object = object.ok_or_else(|| ApiError::not_found(path.resource, &path.name))?;
    Ok(Value::clone(&object))
}

/// Adds an object.
pub(super) fn create(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
    mut object: Value,
) -> ApiResult<Response> {
    let resource = path.resource;
    prepare(state, path, &mut object)?;
    admit(state, resource, &mut object)?;
    let named = name(&object).to_owned();
    let object_key = ObjectKey::new(resource, &path.namespace, &named);
    let exists = state.store.get(&object_key).is_some();
    if exists {
        return Err(ApiError::already_exists(resource, &named));
    }
    if query.has("dryRun") {
        return Ok((StatusCode::CREATED, Json(object)).into_response());
    }
    let script = match resource.plural {
        "pods" => script_of(state, &object)?,
        _ => PodScript::Run,
    };
    let stored = state.store.insert(object_key, object);
    let stored = stored.ok_or_else(|| ApiError::already_exists(resource, &named))?;
    match resource.plural {
        "pods" => kubelet::run(state, &stored, script),
        "persistentvolumeclaims" => claims::bind(state, &stored),
        "storageclasses" => claims::bind_all(state),
        "namespaces" => state.add_namespace(&named),
        _ => {}
    }
    Ok((StatusCode::CREATED, Json(&*stored)).into_response())
}

/// Checks that an object fits its path, and gives it what the server gives all objects.
fn prepare(state: &SharedState, path: &ResourcePath, object: &mut Value) -> ApiResult<()> {
    let resource = path.resource;
    if object["kind"] != resource.kind || object["apiVersion"] != resource.api_version() {
        let said = format!("{}, Kind={}", text(&object["apiVersion"]), text(&object["kind"]));
        let message = format!(
            "the object provided is unrecognized (must be of type {}): {said}",
            resource.kind
        );
        return Err(ApiError::bad_request(message));
    }
    let stated = text(&object["metadata"]["namespace"]);
    if resource.namespaced && !stated.is_empty() && stated != path.namespace {
        let message =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(ApiError::bad_request(message));
    }
    let place = ObjectKey::new(&NAMESPACES, "", &path.namespace);
    if resource.namespaced && state.store.get(&place).is_none() {
        return Err(ApiError::not_found(&NAMESPACES, &path.namespace));
    }
    let prefix = text(&object["metadata"]["generateName"]).to_owned();
    if name(object).is_empty() && !prefix.is_empty() {
        object["metadata"]["name"] = format!("{prefix}{}", new_suffix()).into();
    }
    stamp(resource, &path.namespace, object);
    if resource.kind == "Namespace" {
        object["status"] = json!({ "phase": "Active" });
    }
    Ok(())
}

/// The script of a new pod.
///
/// # Errors
/// 403 if it says that the pod is refused.
fn script_of(state: &SharedState, pod: &Value) -> ApiResult<PodScript> {
    let script = state.scripts.take();
    match &script {
        PodScript::QuotaExceeded(quota) => {
            let why = format!(
                "exceeded quota: {quota}, requested: pods=1, used: pods=4, limited: pods=4"
            );
            Err(ApiError::refused(&PODS, name(pod), &why))
        }
        PodScript::Refused(why) => Err(ApiError::refused(&PODS, name(pod), why)),
        _ => Ok(script),
    }
}

fn key(path: &ResourcePath) -> ObjectKey {
    ObjectKey::new(path.resource, &path.namespace, &path.name)
}
