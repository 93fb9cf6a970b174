//! Checks of new objects, and the values that the server fills in.

use serde_json::{Value, json};

use super::claims;
use super::json::{list, name, namespace, text};
use super::resource::{ACCOUNTS, PODS, ResourceType};
use super::state::ClusterState;
use super::status::{ApiError, ApiResult, FieldFault};
use super::store::ObjectKey;

/// Longest name of an object.
const NAME_LIMIT: usize = 253;
const NAME_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
                         or '.', and must start and end with an alphanumeric character (e.g. 'example.com', \
                         regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                          '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
                          'my_value',  or '12345', regex used for validation is \
                          '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
/// Longest value of a label.
const LABEL_LIMIT: usize = 63;

/// Fills in what a new object leaves open, and checks it.
///
/// # Errors
/// 403 if something it needs is not there, 422 if fields are wrong.
pub(super) fn admit(
    state: &ClusterState,
    resource: &ResourceType,
    object: &mut Value,
) -> ApiResult<()> {
    match resource.plural {
        "pods" => complete_pod(state, object)?,
        "persistentvolumeclaims" => complete_claim(state, object),
        _ => {}
    }
    let mut faults = check_metadata(object);
    match resource.plural {
        "pods" => faults.extend(check_pod(object)),
        "persistentvolumeclaims" => faults.extend(check_claim(object)),
        _ => {}
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(resource, name(object), &faults)) }
}

fn complete_pod(state: &ClusterState, pod: &mut Value) -> ApiResult<()> {
    let spec = &mut pod["spec"];
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("serviceAccountName", json!("default")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("enableServiceLinks", json!(true)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("priority", json!(0)),
    ] {
        fill(spec, field, value);
    }
    for containers in ["containers", "initContainers"] {
        for container in spec[containers].as_array_mut().into_iter().flatten() {
            let policy =
                if text(&container["image"]).contains(':') { "IfNotPresent" } else { "Always" };
            fill(container, "imagePullPolicy", policy.into());
            fill(container, "terminationMessagePath", "/dev/termination-log".into());
            fill(container, "terminationMessagePolicy", "File".into());
            complete_resources(container);
        }
        if spec[containers].is_null()
            && let Some(spec) = spec.as_object_mut()
        {
            spec.remove(containers);
        }
    }
    pod["status"] = json!({ "phase": "Pending", "qosClass": "Burstable" });
    let account = text(&pod["spec"]["serviceAccountName"]).to_owned();
    let key = ObjectKey::new(&ACCOUNTS, namespace(pod), &account);
    if state.store.get(&key).is_none() {
        let place = namespace(pod);
        let why = format!(
            "error looking up service account {place}/{account}: serviceaccount \"{account}\" not found"
        );
        return Err(ApiError::refused(&PODS, name(pod), &why));
    }
    Ok(())
}

/// What is not requested is requested as it is limited.
fn complete_resources(container: &mut Value) {
    fill(container, "resources", json!({}));
    if let Some(limits) = container["resources"]["limits"].as_object().cloned() {
        fill(&mut container["resources"], "requests", json!({}));
        for (resource, limit) in limits {
            fill(&mut container["resources"]["requests"], &resource, limit);
        }
    }
}

fn complete_claim(state: &ClusterState, claim: &mut Value) {
    claim["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    fill(&mut claim["spec"], "volumeMode", "Filesystem".into());
    if claim["spec"]["storageClassName"].is_null()
        && let Some(class) = claims::default_class(state)
    {
        claim["spec"]["storageClassName"] = class.into();
    }
    claim["status"] = json!({ "phase": "Pending" });
}

fn check_metadata(object: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    if !is_subdomain(name(object)) {
        faults.push(wrong("metadata.name", name(object), NAME_RULE));
    }
    for (_, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        let value = text(value);
        if value.len() > LABEL_LIMIT {
            faults.push(wrong("metadata.labels", value, "must be no more than 63 characters"));
        }
        if !is_label(value) {
            faults.push(wrong("metadata.labels", value, LABEL_RULE));
        }
    }
    faults
}

fn check_pod(pod: &Value) -> Vec<FieldFault> {
    let spec = &pod["spec"];
    let mut faults = Vec::new();
    if list(&spec["containers"]).is_empty() {
        faults.push(required("spec.containers"));
    }
    for containers in ["initContainers", "containers"] {
        for (index, container) in list(&spec[containers]).iter().enumerate() {
            let path = format!("spec.{containers}[{index}]");
            faults.extend(check_container(spec, &path, container));
        }
    }
    let policy = text(&spec["restartPolicy"]);
    if !["Always", "OnFailure", "Never"].contains(&policy) {
        let rule = "supported values: \"Always\", \"OnFailure\", \"Never\"";
        let message = format!("Unsupported value: \"{policy}\": {rule}");
        let field = "spec.restartPolicy".to_owned();
        faults.push(FieldFault { reason: "FieldValueNotSupported", field, message });
    }
    faults
}

fn check_container(spec: &Value, path: &str, container: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    for field in ["name", "image"] {
        if text(&container[field]).is_empty() {
            faults.push(required(&format!("{path}.{field}")));
        }
    }
    for (index, mount) in list(&container["volumeMounts"]).iter().enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        let name = text(&mount["name"]);
        if !list(&spec["volumes"]).iter().any(|volume| volume["name"] == name) {
            let message = format!("Not found: \"{name}\"");
            let field = format!("{path}.name");
            faults.push(FieldFault { reason: "FieldValueNotFound", field, message });
        }
        if text(&mount["mountPath"]).is_empty() {
            faults.push(required(&format!("{path}.mountPath")));
        }
    }
    faults
}

fn check_claim(claim: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    if list(&claim["spec"]["accessModes"]).is_empty() {
        let mut fault = required("spec.accessModes");
        fault.message = "Required value: at least 1 access mode is required".to_owned();
        faults.push(fault);
    }
    if claim["spec"]["resources"]["requests"]["storage"].is_null() {
        faults.push(required("spec.resources[storage]"));
    }
    faults
}

fn required(field: &str) -> FieldFault {
    let message = "Required value".to_owned();
    FieldFault { reason: "FieldValueRequired", field: field.to_owned(), message }
}

fn wrong(field: &str, value: &str, rule: &str) -> FieldFault {
    let message = format!("Invalid value: \"{value}\": {rule}");
    FieldFault { reason: "FieldValueInvalid", field: field.to_owned(), message }
}

fn fill(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}

fn is_subdomain(name: &str) -> bool {
    name.len() <= NAME_LIMIT && name.split('.').all(is_part)
}

fn is_part(part: &str) -> bool {
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    part.starts_with(plain)
        && part.ends_with(plain)
        && part.chars().all(|character| plain(character) || character == '-')
}

fn is_label(value: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric();
    value.is_empty()
        || (value.starts_with(plain)
            && value.ends_with(plain)
            && value.chars().all(|character| plain(character) || "-_.".contains(character)))
}
