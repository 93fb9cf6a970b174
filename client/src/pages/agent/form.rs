//! The form of an agent's question: the fields of a flat JSON schema.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::{ApprovalId, SessionId};
use serde_json::{Map, Value, json};

use crate::session::drafts::{self, DraftPart};

/// A field of a form.
#[derive(Debug, Clone)]
struct FormField {
    name: String,
    label: String,
    is_required: bool,
    kind: FieldKind,
    /// The smallest and the largest number that it takes.
    bounds: (Option<f64>, Option<f64>),
    input: NodeRef<html::Input>,
    choice: NodeRef<html::Select>,
    /// The values that are chosen, of several.
    chosen: RwSignal<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
enum FieldKind {
    Text,
    Number,
    Integer,
    Flag,
    /// Texts, separated by commas.
    List,
    /// Any of these values, with their labels.
    Several(Vec<(String, String)>),
    /// One of these values, with their labels.
    Choice(Vec<(String, String)>),
}

/// The fields of a form; none if the question is not a form.
#[derive(Debug, Clone, Default)]
pub(super) struct FormFields {
    fields: Vec<FormField>,
    is_form: bool,
}

/// What is entered into the form of a question, kept until the question is answered. A session keeps that
/// of one question.
#[derive(Debug, Clone)]
pub(super) struct FormDraft {
    session: SessionId,
    approval: ApprovalId,
}

impl FormDraft {
    pub(super) const fn new(session: SessionId, approval: ApprovalId) -> Self {
        Self { session, approval }
    }

    /// Returns what is kept, by field.
    fn kept(&self) -> Map<String, Value> {
        let text = drafts::kept(&self.session, DraftPart::Form);
        let kept: Value = serde_json::from_str(&text).unwrap_or_default();
        let is_ours = kept.get("approval").and_then(Value::as_str) == Some(self.approval.as_str());
        let fields = kept.get("fields").filter(|_| is_ours).and_then(Value::as_object);
        fields.cloned().unwrap_or_default()
    }

    fn keep(&self, entered: &Map<String, Value>) {
        let kept = json!({ "approval": self.approval, "fields": entered });
        drafts::keep(&self.session, DraftPart::Form, &kept.to_string());
    }

    /// Forgets what is kept, unless it is another question's.
    pub(super) fn forget(&self) {
        if !self.kept().is_empty() {
            drafts::keep(&self.session, DraftPart::Form, "");
        }
    }
}

impl FormFields {
    /// Reads the fields of a schema: first those that `order` names, in that order.
    pub(super) fn of(schema: Option<&Value>, order: &[String]) -> Self {
        let Some(schema) = schema else { return Self::default() };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|all| all.iter().any(|field| field.as_str() == Some(name)))
        };
        let mut properties =
            schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let named = order.iter().filter_map(|name| properties.remove_entry(name));
        let named: Vec<_> = named.collect();
        let fields = named.into_iter().chain(properties).map(|(name, of)| FormField {
            label: label(&name, &of),
            is_required: is_required(&name),
            kind: FieldKind::of(&of),
            bounds: (
                of.get("minimum").and_then(Value::as_f64),
                of.get("maximum").and_then(Value::as_f64),
            ),
            input: NodeRef::new(),
            choice: NodeRef::new(),
            chosen: RwSignal::default(),
            name,
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
    /// Returns what is entered, as it is.
    fn entered(&self) -> Value {
        match &self.kind {
            FieldKind::Flag => {
                self.input.get_untracked().is_some_and(|input| input.checked()).into()
            }
            FieldKind::Several(_) => self.chosen.get_untracked().into(),
            FieldKind::Choice(_) => self.choice.get_untracked().map(|it| it.value()).into(),
            _ => self.input.get_untracked().map(|input| input.value()).into(),
        }
    }

    fn value(&self) -> Result<Option<Value>, String> {
        let text = match &self.kind {
            FieldKind::Flag => {
                let checked = self.input.get_untracked().map(|input| input.checked());
                return Ok(checked.map(Value::Bool));
            }
            FieldKind::Several(_) => {
                let chosen = self.chosen.get_untracked();
                return Ok((!chosen.is_empty()).then(|| chosen.into()));
            }
            FieldKind::Choice(_) => self.choice.get_untracked().map(|select| select.value()),
            _ => self.input.get_untracked().map(|input| input.value()),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = |what: &str| format!("{} must be {what}.", self.label);
        match self.kind {
            FieldKind::Integer => {
                let number: i64 = text.trim().parse().map_err(|_| wrong("a whole number"))?;
                self.check(number as f64).map(|()| Some(number.into()))
            }
            FieldKind::Number => {
                let number: f64 = text.trim().parse().map_err(|_| wrong("a number"))?;
                self.check(number).map(|()| Some(number.into()))
            }
            FieldKind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Some(items.map(Value::from).collect()))
            }
            _ => Ok(Some(Value::String(text))),
        }
    }
}

impl FormField {
    /// Refuses a number that is out of bounds.
    fn check(&self, number: f64) -> Result<(), String> {
        let (least, most) = self.bounds;
        let fits =
            least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
        if fits { Ok(()) } else { Err(format!("{} must be {}.", self.label, self.bounds_text())) }
    }

    /// Says which numbers it takes, such as "1 to 5"; nothing if it takes all.
    fn bounds_text(&self) -> String {
        match self.bounds {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("{least} or more"),
            (None, Some(most)) => format!("{most} or less"),
            (None, None) => String::new(),
        }
    }
}

impl FieldKind {
    fn of(schema: &Value) -> Self {
        let is_list = schema.get("type").and_then(Value::as_str) == Some("array");
        if let (true, Some(items)) = (is_list, schema.get("items")) {
            return match Self::choice(items) {
                Some(options) => Self::Several(options),
                None => Self::List,
            };
        }
        if let Some(options) = Self::choice(schema) {
            return Self::Choice(options);
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Self::Flag,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("array") => Self::List,
            _ => Self::Text,
        }
    }

    /// Returns the values that a schema allows, with their labels; `None` if it does not name them.
    fn choice(schema: &Value) -> Option<Vec<(String, String)>> {
        let texts = |value: &Value| {
            let all = value.as_array()?.iter();
            Some(all.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
        };
        if let Some(values) = schema.get("enum").and_then(texts) {
            let names = schema.get("enumNames").and_then(texts).unwrap_or_else(|| values.clone());
            return Some(values.into_iter().zip(names).collect());
        }
        let options = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
        let option = |option: &Value| {
            let value = option.get("const")?.as_str()?.to_owned();
            let title = option.get("title").and_then(Value::as_str).unwrap_or(&value).to_owned();
            Some((value, title))
        };
        Some(options.iter().filter_map(option).collect())
    }
}

fn label(name: &str, schema: &Value) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    text("title").or_else(|| text("description")).unwrap_or(name).to_owned()
}

/// Renders the fields, with what is kept in `draft`.
pub(super) fn fields(
    form: StoredValue<FormFields, LocalStorage>,
    draft: StoredValue<FormDraft>,
) -> AnyView {
    let kept = draft.with_value(FormDraft::kept);
    let keep = move || {
        let entered = form.with_value(|form| {
            form.fields.iter().map(|field| (field.name.clone(), field.entered())).collect()
        });
        draft.with_value(|draft| draft.keep(&entered));
    };
    let fields = form.with_value(|form| {
        let all =
            form.fields.iter().map(|it| field(it, kept.get(&it.name).unwrap_or(&Value::Null)));
        all.collect_view()
    });
    view! { <div class="form-fields" on:input=move |_| keep() on:change=move |_| keep()>{fields}</div> }
        .into_any()
}

/// Renders a field, in which something may have been entered before.
fn field(field: &FormField, before: &Value) -> AnyView {
    let text = before.as_str().unwrap_or_default().to_owned();
    let FormField { label, kind, input, choice, is_required, chosen, .. } = field.clone();
    let label = match (&kind, field.bounds_text()) {
        (FieldKind::List, _) => format!("{label}, separated by commas"),
        (_, bounds) if bounds.is_empty() => label,
        (_, bounds) => format!("{label}, {bounds}"),
    };
    let label = if is_required { label } else { format!("{label} (optional)") };
    match kind {
        FieldKind::Flag => view! {
            <label class="form-flag">
                <input type="checkbox" node_ref=input checked=before.as_bool().unwrap_or_default() />
                <span>{label}</span>
            </label>
        }
        .into_any(),
        FieldKind::Several(options) => {
            let before = before.as_array().into_iter().flatten().filter_map(Value::as_str);
            chosen.set(before.map(str::to_owned).collect());
            several(label, options, chosen)
        }
        FieldKind::Choice(options) => {
            let option = |(value, name): (String, String)| {
                let is_chosen = value == text;
                view! { <option value=value selected=is_chosen>{name}</option> }
            };
            // Nothing is chosen for whoever has not looked.
            let none = if is_required { "Choose…" } else { "" };
            let none = view! { <option value="">{none}</option> };
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
                    <input node_ref=input inputmode=mode autocomplete="off" value=text />
                </label>
            }
            .into_any()
        }
    }
}

/// Renders a box to tick for each value.
fn several(
    label: String,
    options: Vec<(String, String)>,
    chosen: RwSignal<Vec<String>>,
) -> AnyView {
    let option = move |(value, name): (String, String)| {
        let is_ticked = chosen.with_untracked(|chosen| chosen.contains(&value));
        let tick = move |event: leptos::ev::Event| {
            let is_ticked = event_target_checked(&event);
            chosen.update(|chosen| {
                chosen.retain(|known| *known != value);
                if is_ticked {
                    chosen.push(value.clone());
                }
            });
        };
        view! {
            <label class="form-flag">
                <input type="checkbox" checked=is_ticked on:change=tick />
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <fieldset class="form-several">
            <legend>{label}</legend>
            {options.into_iter().map(option).collect_view()}
        </fieldset>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_field_offers_what_its_schema_allows() {
        let pair = |text: &str| (text.to_owned(), text.to_owned());
        let list = json!({ "type": "array", "items": { "enum": ["a", "b"] } });
        assert_eq!(FieldKind::of(&list), FieldKind::Several(vec![pair("a"), pair("b")]));
        let titled =
            json!({ "type": "array", "items": { "anyOf": [{ "const": "a", "title": "A" }] } });
        assert_eq!(FieldKind::of(&titled), FieldKind::Several(vec![("a".into(), "A".into())]));
        assert_eq!(FieldKind::of(&json!({ "enum": ["a"] })), FieldKind::Choice(vec![pair("a")]));
        let free = json!({ "type": "array", "items": { "type": "string" } });
        assert_eq!(FieldKind::of(&free), FieldKind::List);
        assert_eq!(FieldKind::of(&json!({ "type": "integer" })), FieldKind::Integer);
    }

    #[test]
    fn what_is_entered_is_kept_for_its_question_only() {
        let session: SessionId = "form_session".parse().unwrap();
        let draft = |id: &str| FormDraft::new(session.clone(), id.parse().unwrap());
        let entered = json!({ "name": "half" }).as_object().cloned().unwrap();
        draft("approval_1").keep(&entered);
        assert_eq!(draft("approval_1").kept(), entered);
        assert_eq!(draft("approval_2").kept(), Map::new());
        draft("approval_2").forget();
        assert_eq!(draft("approval_1").kept(), entered);
        draft("approval_1").forget();
        assert_eq!(draft("approval_1").kept(), Map::new());
    }

    #[test]
    fn a_number_out_of_bounds_is_refused() {
        let form = FormFields::of(
            Some(&json!({
                "properties": { "n": { "type": "integer", "minimum": 1, "maximum": 5 } },
            })),
            &[],
        );
        let field = &form.fields[0];
        assert!(field.check(1.0).is_ok() && field.check(5.0).is_ok());
        assert_eq!(field.check(6.0).unwrap_err(), "n must be 1 to 5.");
    }
    #[test]
    fn fields_are_shown_in_the_agents_order() {
        let schema = json!({ "properties": { "a": {}, "b": {}, "c": {}, "d": {} } });
        let order = ["c", "x", "a", "c"].map(str::to_owned);
        let form = FormFields::of(Some(&schema), &order);
        let names: Vec<&str> = form.fields.iter().map(|field| &*field.name).collect();
        assert_eq!(names, ["c", "a", "b", "d"]);
    }
}
