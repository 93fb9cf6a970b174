//! Requests that change and delete objects.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::claims;
use super::json::{name, now, text, time_after, uid};
use super::kubelet;
use super::objects;
use super::patch::PatchKind;
use super::pod_status::is_over;
use super::query::QueryParameters;
use super::resource::{ResourcePath, ResourceType};
use super::selector::ObjectSelector;
use super::state::SharedState;
use super::status::{ApiError, ApiResult};
use super::store::ObjectKey;

/// Patches that are read, as the server says it.
const PATCH_TYPES: &str = "application/merge-patch+json, application/strategic-merge-patch+json, \
                           application/apply-patch+yaml";
const POD_RULE: &str = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
                        `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
                        (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` \
                        (allow it to be set to 1 if it was previously negative)";
const VERSION_RULE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// What a delete asks for besides.
#[derive(Debug, Default)]
pub(super) struct DeleteOptions {
    /// Seconds that a pod gets to end; `None` for the pod's own.
    grace_s: Option<u64>,
    /// The uid that the object must have.
    uid: Option<String>,
}

impl DeleteOptions {
    /// Reads the options from the parameters and the body.
    pub(super) fn new(query: &QueryParameters, body: &Value) -> Self {
        let stated = body["gracePeriodSeconds"].as_u64();
        Self {
            grace_s: stated.or_else(|| query.number("gracePeriodSeconds")),
            uid: body["preconditions"]["uid"].as_str().map(str::to_owned),
        }
    }
}

/// Patches an object. Server-side apply adds it if it does not exist.
pub(super) fn patch(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
    content_type: &str,
    patch: Value,
) -> ApiResult<Response> {
    let kind =
        PatchKind::of(content_type).ok_or_else(|| ApiError::unsupported_type(PATCH_TYPES))?;
    let exists = state.store.get(&key(path)).is_some();
    if content_type.starts_with("application/apply-patch") && !exists {
        let mut object = patch;
        object["metadata"]["name"] = path.name.clone().into();
        return objects::create(state, path, query, object);
    }
    change(state, path, query.has("dryRun"), |object| kind.apply(object, &patch))
}

/// Replaces an object.
pub(super) fn update(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
    object: Value,
) -> ApiResult<Response> {
    change(state, path, query.has("dryRun"), |old| {
        let metadata = old["metadata"].clone();
        *old = object;
        for field in ["uid", "creationTimestamp", "namespace"] {
            old["metadata"][field] = metadata[field].clone();
        }
        if old["metadata"]["resourceVersion"].is_null() {
            old["metadata"]["resourceVersion"] = metadata["resourceVersion"].clone();
        }
    })
}

fn change(
    state: &SharedState,
    path: &ResourcePath,
    is_dry: bool,
    change: impl FnOnce(&mut Value),
) -> ApiResult<Response> {
    let resource = path.resource;
    let checked = |object: &mut Value| {
        let old = object.clone();
        change(object);
        check(resource, &old, object)?;
        // The status has its own path, which only the cluster itself uses.
        object["status"] = old["status"].clone();
        if object["status"].is_null()
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        Ok(())
    };
    let changed = if is_dry {
        let mut object = objects::get(state, path)?;
        checked(&mut object)?;
        Some(Arc::new(object))
    } else {
        state.store.update(&key(path), checked)?
    };
    let changed = changed.ok_or_else(|| ApiError::not_found(resource, &path.name))?;
    Ok(Json(&*changed).into_response())
}

fn check(resource: &ResourceType, old: &Value, new: &Value) -> ApiResult<()> {
    let (before, after) = (&old["metadata"], &new["metadata"]);
    let version = &after["resourceVersion"];
    if !version.is_null() && *version != before["resourceVersion"] {
        return Err(ApiError::conflict(resource, name(old), VERSION_RULE));
    }
    if uid(old) != uid(new) {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            uid(new),
            uid(old)
        );
        return Err(ApiError::conflict(resource, name(old), &why));
    }
    if name(old) != name(new) {
        return Err(ApiError::bad_request(
            "the name of the object does not match the name on the URL",
        ));
    }
    if resource.plural == "pods" && old["spec"] != new["spec"] {
        let fault = super::status::FieldFault {
            reason: "FieldValueForbidden",
            field: "spec".to_owned(),
            message: POD_RULE.to_owned(),
        };
        return Err(ApiError::invalid(resource, name(old), &[fault]));
    }
    Ok(())
}

/// Deletes an object. A pod stays until its processes have ended, a claim until no pod uses it.
pub(super) fn delete(
    state: &SharedState,
    path: &ResourcePath,
    options: &DeleteOptions,
) -> ApiResult<Response> {
    let object = Arc::new(objects::get(state, path)?);
    if let Some(uid_wanted) = &options.uid
        && uid_wanted != uid(&object)
    {
        let why = format!(
            "Precondition failed: UID in precondition: {uid_wanted}, UID in object meta: {}",
            uid(&object)
        );
        return Err(ApiError::conflict(path.resource, &path.name, &why));
    }
    let deleted = match path.resource.plural {
        "pods" => delete_pod(state, &key(path), &object, options.grace_s),
        "persistentvolumeclaims" => {
            let marked = mark_deleted(state, &key(path), 0);
            claims::release(state);
            marked
        }
        _ => {
            state.store.remove_if(&key(path), |_| true);
            return Ok(Json(success(path, &object)).into_response());
        }
    };
    let deleted = deleted.ok_or_else(|| ApiError::not_found(path.resource, &path.name))?;
    Ok((StatusCode::OK, Json(&*deleted)).into_response())
}

/// Deletes all objects that the request selects, and returns them.
pub(super) fn delete_all(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
    options: &DeleteOptions,
) -> ApiResult<Value> {
    let (labels, fields) = (query.get("labelSelector"), query.get("fieldSelector"));
    ObjectSelector::parse(path.resource, labels, fields)?;
    let listed = objects::list(state, path, query)?;
    for object in super::json::list(&listed["items"]) {
        let one = ResourcePath {
            resource: path.resource,
            namespace: super::json::namespace(object).to_owned(),
            name: name(object).to_owned(),
            part: String::new(),
        };
        // One that is gone by now is deleted as well.
        _ = delete(state, &one, options);
    }
    Ok(listed)
}

fn delete_pod(
    state: &SharedState,
    key: &ObjectKey,
    pod: &Value,
    grace_s: Option<u64>,
) -> Option<Arc<Value>> {
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    // A pod on no node, and one that has ended, has nothing that would need time.
    let is_idle = text(&pod["spec"]["nodeName"]).is_empty() || is_over(pod);
    let grace_s = if is_idle { 0 } else { grace_s.unwrap_or(own) };
    let deleted = mark_deleted(state, key, grace_s);
    if let Some(runtime) = state.runtimes.get(uid(pod)) {
        runtime.order(|orders| {
            let grace = Duration::from_secs(grace_s);
            orders.deleted = Some(orders.deleted.map_or(grace, |earlier| earlier.min(grace)));
        });
    }
    if grace_s == 0 {
        kubelet::remove(state, key, uid(pod));
    }
    deleted
}

fn mark_deleted(state: &SharedState, key: &ObjectKey, grace_s: u64) -> Option<Arc<Value>> {
    let marked = state.store.update(key, |object| {
        let metadata = &mut object["metadata"];
        let earlier = metadata["deletionGracePeriodSeconds"].as_u64();
        if earlier.is_none_or(|earlier| grace_s < earlier) {
            let time = if grace_s == 0 { now() } else { time_after(Duration::from_secs(grace_s)) };
            metadata["deletionTimestamp"] = time.into();
            metadata["deletionGracePeriodSeconds"] = grace_s.into();
        }
        Ok::<_, std::convert::Infallible>(())
    });
    match marked {
        Ok(marked) => marked,
        Err(never) => match never {},
    }
}

fn success(path: &ResourcePath, object: &Value) -> Value {
    let mut details =
        json!({ "name": path.name, "kind": path.resource.plural, "uid": uid(object) });
    if !path.resource.group.is_empty() {
        details["group"] = path.resource.group.into();
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

fn key(path: &ResourcePath) -> ObjectKey {
    ObjectKey::new(path.resource, &path.namespace, &path.name)
}
