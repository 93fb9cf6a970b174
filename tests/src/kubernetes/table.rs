//! Tables, which `kubectl get` asks for.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::json::{list, name, text};
use super::resource::ResourceType;

/// A list or an object as a table.
pub(super) fn of(resource: &ResourceType, object: &Value) -> Value {
    let is_list = object["items"].is_array();
    let items = if is_list { list(&object["items"]) } else { std::slice::from_ref(object) };
    let columns: &[&str] = match resource.plural {
        "pods" => &["Name", "Ready", "Status", "Restarts", "Age"],
        "persistentvolumeclaims" => {
            &["Name", "Status", "Volume", "Capacity", "StorageClass", "Age"]
        }
        "events" => &["Last Seen", "Type", "Reason", "Object", "Message"],
        _ => &["Name", "Age"],
    };
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            json!({ "name": column, "type": "string", "format": "", "description": "", "priority": 0 })
        })
        .collect();
    let rows: Vec<_> = items
        .iter()
        .map(|item| {
            let object = json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": item["metadata"],
            });
            json!({ "cells": cells(resource, item), "object": object })
        })
        .collect();
    let version = &object["metadata"]["resourceVersion"];
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": version },
        "columnDefinitions": columns,
        "rows": rows,
    })
}

fn cells(resource: &ResourceType, object: &Value) -> Value {
    let age = age(text(&object["metadata"]["creationTimestamp"]));
    match resource.plural {
        "pods" => {
            let statuses = list(&object["status"]["containerStatuses"]);
            let ready = statuses.iter().filter(|status| status["ready"] == true).count();
            let all = list(&object["spec"]["containers"]).len();
            let restarts: u64 =
                statuses.iter().filter_map(|status| status["restartCount"].as_u64()).sum();
            json!([
                name(object),
                format!("{ready}/{all}"),
                pod_state(object),
                restarts.to_string(),
                age
            ])
        }
        "persistentvolumeclaims" => json!([
            name(object),
            object["status"]["phase"],
            text(&object["spec"]["volumeName"]),
            text(&object["status"]["capacity"]["storage"]),
            text(&object["spec"]["storageClassName"]),
            age,
        ]),
        "events" => {
            let subject = &object["involvedObject"];
            let kind = text(&subject["kind"]).to_lowercase();
            let subject = format!("{kind}/{}", text(&subject["name"]));
            json!([age, object["type"], object["reason"], subject, object["message"]])
        }
        _ => json!([name(object), age]),
    }
}

/// The state of a pod in one word: the most telling of its reasons.
fn pod_state(pod: &Value) -> String {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return "Terminating".to_owned();
    }
    let phase = [&pod["status"]["reason"], &pod["status"]["phase"]];
    let phase = phase.into_iter().map(text).find(|word| !word.is_empty()).unwrap_or_default();
    let states = list(&pod["status"]["containerStatuses"]).iter().map(|status| &status["state"]);
    let reasons =
        states.flat_map(|state| [&state["waiting"]["reason"], &state["terminated"]["reason"]]);
    let reason = reasons.map(text).find(|reason| !reason.is_empty());
    reason.filter(|_| phase != "Evicted").unwrap_or(phase).to_owned()
}

fn age(created: &str) -> String {
    let created = created.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = now.saturating_sub(u64::try_from(created).unwrap_or_default());
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        _ => format!("{}h", seconds / 3600),
    }
}
