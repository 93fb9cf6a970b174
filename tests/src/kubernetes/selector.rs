//! Selectors of lists and watches, by labels and by fields.

use serde_json::Value;

use super::resource::ResourceType;
use super::status::{ApiError, ApiResult};

/// What objects a list or a watch is about.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectSelector {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Debug, Clone)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
}

impl ObjectSelector {
    /// Reads the parameters `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// 400 if they cannot be read, or a field is one that cannot be selected by.
    pub(super) fn parse(resource: &ResourceType, labels: &str, fields: &str) -> ApiResult<Self> {
        let labels = split(labels).into_iter().map(label).collect::<ApiResult<_>>()?;
        let fields: Vec<_> = split(fields).into_iter().map(equality).collect::<ApiResult<_>>()?;
        let unknown = fields.iter().find(|field| !is_selectable(resource, &field.key));
        if let Some(unknown) = unknown {
            let key = &unknown.key;
            return Err(ApiError::bad_request(format!("field label not supported: {key}")));
        }
        Ok(Self { labels, fields })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let label =
            |requirement: &Requirement| requirement.rule.holds(labels[&requirement.key].as_str());
        let field = |requirement: &Requirement| {
            let pointer = format!("/{}", requirement.key.replace('.', "/"));
            let value = object.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            requirement.rule.holds(Some(value))
        };
        self.labels.iter().all(label) && self.fields.iter().all(field)
    }
}

impl Rule {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_of = |values: &[String]| {
            value.is_some_and(|value| values.iter().any(|other| other == value))
        };
        match self {
            Self::In(values) => is_of(values),
            Self::NotIn(values) => !is_of(values),
            Self::Exists => value.is_some(),
            Self::Missing => value.is_none(),
        }
    }
}

/// Splits at commas that are in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let parts = text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn label(text: &str) -> ApiResult<Requirement> {
    for (word, negated) in [(" notin ", true), (" in ", false)] {
        if let Some((key, values)) = text.split_once(word) {
            let values = values.trim().trim_start_matches('(').trim_end_matches(')').split(',');
            let values = values.map(|value| value.trim().to_owned()).collect();
            let rule = if negated { Rule::NotIn(values) } else { Rule::In(values) };
            return requirement(key, rule);
        }
    }
    if text.contains('=') {
        return equality(text);
    }
    match text.strip_prefix('!') {
        Some(key) => requirement(key, Rule::Missing),
        None => requirement(text, Rule::Exists),
    }
}

fn equality(text: &str) -> ApiResult<Requirement> {
    let value = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, text)) = text.split_once("!=") {
        return requirement(key, Rule::NotIn(value(text)));
    }
    let parts = text.split_once("==").or_else(|| text.split_once('='));
    let Some((key, text)) = parts else {
        return Err(ApiError::bad_request(format!(
            "invalid selector: '{text}'; can't understand '{text}'"
        )));
    };
    requirement(key, Rule::In(value(text)))
}

fn requirement(key: &str, rule: Rule) -> ApiResult<Requirement> {
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        let message = format!("unable to parse requirement: invalid label key \"{key}\"");
        return Err(ApiError::bad_request(message));
    }
    Ok(Requirement { key: key.to_owned(), rule })
}

/// The fields that a real server can select by.
fn is_selectable(resource: &ResourceType, field: &str) -> bool {
    let own: &[&str] = match resource.plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "namespaces" => &["status.phase"],
        "secrets" => &["type"],
        _ => &[],
    };
    ["metadata.name", "metadata.namespace"].contains(&field) || own.contains(&field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::resource::PODS;
    use super::*;

    fn matches(labels: &str, fields: &str) -> bool {
        let object = json!({
            "metadata": { "name": "a", "labels": { "app": "shell", "tier": "x" } },
            "status": { "phase": "Running" },
        });
        ObjectSelector::parse(&PODS, labels, fields).unwrap().matches(&object)
    }

    #[test]
    fn selector_matches_as_a_real_one() {
        assert!(matches("", ""));
        assert!(matches("app=shell,tier in (x, y)", ""));
        assert!(matches("app,!other,other!=1,tier notin (z)", "status.phase==Running"));
        assert!(!matches("app=web", ""));
        assert!(!matches("!app", ""));
        assert!(!matches("", "metadata.name!=a"));
        assert!(!matches("tier in (y,z)", ""));
    }

    #[test]
    fn selector_refuses_fields_that_a_real_one_does_not_know() {
        assert!(ObjectSelector::parse(&PODS, "", "spec.image=x").is_err());
        assert!(ObjectSelector::parse(&PODS, "", "metadata.name").is_err());
    }
}
