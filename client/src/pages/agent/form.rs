//! The form of an agent's question: the fields of a flat JSON schema.

use leptos::html;
use leptos::prelude::*;
use serde_json::{Map, Value};

/// A field of a form.
#[derive(Debug, Clone)]
struct FormField {
    name: String,
    label: String,
    is_required: bool,
    kind: FieldKind,
    input: NodeRef<html::Input>,
    choice: NodeRef<html::Select>,
}

#[derive(Debug, Clone, PartialEq)]
enum FieldKind {
    Text,
    Number,
    Integer,
    Flag,
    /// Texts, separated by commas.
    List,
    /// One of these values, with their labels.
    Choice(Vec<(String, String)>),
}

/// The fields of a form; none if the question is not a form.
#[derive(Debug, Clone, Default)]
pub(super) struct FormFields {
    fields: Vec<FormField>,
    is_form: bool,
}

impl FormFields {
    /// Reads the fields of a schema.
    pub(super) fn of(schema: Option<&Value>) -> Self {
        let Some(schema) = schema else { return Self::default() };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|all| all.iter().any(|field| field.as_str() == Some(name)))
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields = properties.into_iter().flatten().map(|(name, of)| FormField {
            name: name.clone(),
            label: label(name, of),
            is_required: is_required(name),
            kind: FieldKind::of(of),
            input: NodeRef::new(),
            choice: NodeRef::new(),
        });
        Self { fields: fields.collect(), is_form: true }
    }

    /// Returns what was entered, by field; `None` if the question is not a form.
    ///
    /// # Errors
    /// A sentence about the field that cannot be accepted. They are returned within the `Some`.
    pub(super) fn answers(&self) -> Option<Result<Value, String>> {
        self.is_form.then(|| {
            let mut answers = Map::new();
            for field in &self.fields {
                if let Some(value) = field.value()? {
                    answers.insert(field.name.clone(), value);
                } else if field.is_required {
                    return Err(format!("{} is required.", field.label));
                }
            }
            Ok(Value::Object(answers))
        })
    }
}

impl FormField {
    fn value(&self) -> Result<Option<Value>, String> {
        let text = match &self.kind {
            FieldKind::Flag => {
                let checked = self.input.get_untracked().map(|input| input.checked());
                return Ok(checked.map(Value::Bool));
            }
            FieldKind::Choice(_) => self.choice.get_untracked().map(|select| select.value()),
            _ => self.input.get_untracked().map(|input| input.value()),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = |what: &str| format!("{} must be {what}.", self.label);
        match self.kind {
            FieldKind::Integer => text
                .trim()
                .parse::<i64>()
                .map(|it| Some(it.into()))
                .map_err(|_| wrong("a whole number")),
            FieldKind::Number => {
                text.trim().parse::<f64>().map(|it| Some(it.into())).map_err(|_| wrong("a number"))
            }
            FieldKind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Some(items.map(Value::from).collect()))
            }
            _ => Ok(Some(Value::String(text))),
        }
    }
}

impl FieldKind {
    fn of(schema: &Value) -> Self {
        let texts = |value: &Value| {
            let all = value.as_array()?.iter();
            Some(all.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
        };
        if let Some(values) = schema.get("enum").and_then(texts) {
            let names = schema.get("enumNames").and_then(texts).unwrap_or_else(|| values.clone());
            return Self::Choice(values.into_iter().zip(names).collect());
        }
        if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
            let option = |option: &Value| {
                let value = option.get("const")?.as_str()?.to_owned();
                let title =
                    option.get("title").and_then(Value::as_str).unwrap_or(&value).to_owned();
                Some((value, title))
            };
            return Self::Choice(options.iter().filter_map(option).collect());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Self::Flag,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("array") => Self::List,
            _ => Self::Text,
        }
    }
}

fn label(name: &str, schema: &Value) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    text("title").or_else(|| text("description")).unwrap_or(name).to_owned()
}

/// Renders the fields.
pub(super) fn fields(form: StoredValue<FormFields, LocalStorage>) -> AnyView {
    form.with_value(|form| form.fields.iter().map(field).collect_view()).into_any()
}

fn field(field: &FormField) -> AnyView {
    let FormField { label, kind, input, choice, is_required, .. } = field.clone();
    let label = if kind == FieldKind::List { format!("{label}, by commas") } else { label };
    let label = if is_required { label } else { format!("{label} (optional)") };
    match kind {
        FieldKind::Flag => view! {
            <label class="form-flag">
                <input type="checkbox" node_ref=input />
                <span>{label}</span>
            </label>
        }
        .into_any(),
        FieldKind::Choice(options) => {
            let option =
                |(value, name): (String, String)| view! { <option value=value>{name}</option> };
            let none = (!is_required).then(|| view! { <option value=""></option> });
            view! {
                <label class="field">
                    <span>{label}</span>
                    <select node_ref=choice>{none}{options.into_iter().map(option).collect_view()}</select>
                </label>
            }
            .into_any()
        }
        kind => {
            let is_text = matches!(kind, FieldKind::Text | FieldKind::List);
            let mode = if is_text { "text" } else { "decimal" };
            view! {
                <label class="field">
                    <span>{label}</span>
                    <input node_ref=input inputmode=mode autocomplete="off" />
                </label>
            }
            .into_any()
        }
    }
}
