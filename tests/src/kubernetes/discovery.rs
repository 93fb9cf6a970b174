//! What the fake API server says about itself.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::resource::{RESOURCES, ResourceType};
use super::state::ClusterState;

/// Parts of objects that have paths of their own, and the kinds that they take.
const PARTS: [(&str, &str, &str, &[&str]); 3] = [
    ("pods", "exec", "PodExecOptions", &["create", "get"]),
    ("pods", "log", "Pod", &["get"]),
    ("pods", "status", "Pod", &["get"]),
];

/// Answers a path that is about the server. `None` for all others.
pub(super) fn answer(state: &ClusterState, path: &str) -> Option<Response> {
    let answer = match path.trim_end_matches('/') {
        "/version" => version(state.legacy),
        "/healthz" | "/livez" | "/readyz" => return Some("ok".into_response()),
        "/api" => {
            json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
        }
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups() }),
        "/openapi/v3" => schemas(),
        path => match path.strip_prefix("/openapi/v3/") {
            Some(version) => schema(version)?,
            None => about_version(path)?,
        },
    };
    Some(Json(answer).into_response())
}

fn version(legacy: bool) -> Value {
    let (minor, patch) = if legacy { ("20", "2") } else { ("36", "0") };
    json!({
        "major": "1",
        "minor": minor,
        "gitVersion": format!("v1.{minor}.{patch}"),
        "gitCommit": "fake",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.25",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn groups() -> Vec<Value> {
    let named: BTreeMap<_, _> = RESOURCES
        .iter()
        .filter(|resource| !resource.group.is_empty())
        .map(|resource| (resource.group, resource.version))
        .collect();
    let group = |(group, version): (&str, &str)| {
        let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
        json!({ "name": group, "versions": [version], "preferredVersion": version })
    };
    named.into_iter().map(group).collect()
}

/// The resources of a version, at a path such as `/apis/apps/v1`.
fn about_version(path: &str) -> Option<Value> {
    let version = path.strip_prefix("/api/").or_else(|| path.strip_prefix("/apis/"))?;
    let is_core = path.starts_with("/api/");
    let resources: Vec<_> = RESOURCES
        .iter()
        .filter(|resource| resource.group.is_empty() == is_core)
        .filter(|resource| resource.api_version() == version)
        .collect();
    if resources.is_empty() {
        return None;
    }
    let mut described: Vec<_> = resources.iter().map(|resource| describe(resource)).collect();
    for (plural, part, kind, verbs) in PARTS.iter().filter(|_| is_core) {
        described.push(json!({
            "name": format!("{plural}/{part}"),
            "singularName": "",
            "namespaced": true,
            "kind": kind,
            "verbs": verbs,
        }));
    }
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": described,
    }))
}

fn describe(resource: &ResourceType) -> Value {
    let verbs: &[&str] = if resource.virtual_only {
        &["create"]
    } else {
        &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    };
    json!({
        "name": resource.plural,
        "singularName": resource.kind.to_lowercase(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs,
        "shortNames": resource.short,
    })
}

/// The list of schemas: enough for `kubectl` to see that the server checks fields itself.
fn schemas() -> Value {
    let paths: Map<_, _> = RESOURCES
        .iter()
        .map(|resource| {
            let path = schema_path(resource);
            let url = json!({ "serverRelativeURL": format!("/openapi/v3/{path}") });
            (path, url)
        })
        .collect();
    json!({ "paths": paths })
}

fn schema(version: &str) -> Option<Value> {
    let mut paths = Map::new();
    for resource in RESOURCES.iter().filter(|resource| schema_path(resource) == version) {
        let place = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("/{version}{place}/{}/{{name}}", resource.plural);
        let parameter =
            |name| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
        let patch = json!({
            "parameters": [parameter("dryRun"), parameter("fieldValidation")],
            "responses": {},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {
                "group": resource.group,
                "version": resource.version,
                "kind": resource.kind,
            },
        });
        paths.insert(path, json!({ "patch": patch }));
    }
    let info = json!({ "title": "Kubernetes", "version": "unversioned" });
    (!paths.is_empty()).then(|| json!({ "openapi": "3.0.0", "info": info, "paths": paths }))
}

fn schema_path(resource: &ResourceType) -> String {
    match resource.group {
        "" => format!("api/{}", resource.version),
        group => format!("apis/{group}/{}", resource.version),
    }
}
