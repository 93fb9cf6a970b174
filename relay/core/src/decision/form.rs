//! The answers to a form, compared with its JSON schema.
//!
//! The schemas of agents are flat objects of texts, numbers, choices and lists of choices. What is
//! compared is what these can say: `type`, `required`, `properties`, `enum`, `const`, `oneOf`,
//! `anyOf`, `items`, and the limits of lengths, values and numbers of items. Everything else, such
//! as `pattern` and `format`, is left to the agent.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Most characters of a name, or of a choice, that a sentence repeats.
const NAME_CHARACTERS: usize = 64;
/// Most choices that a sentence lists.
const CHOICES: usize = 12;

/// Checks the answers to a form; none are an empty object.
///
/// # Errors
/// A sentence that names the field.
pub(super) fn check(schema: &Value, answers: Option<&Value>) -> Result<(), String> {
    let none = Map::new();
    let answers = match answers {
        None => &none,
        Some(answers) => answers.as_object().ok_or_else(no_object)?,
    };
    check_fields("", schema, answers)
}

pub(super) fn no_object() -> String {
    "`answers` must be an object with a value for each field.".to_owned()
}

pub(super) fn no_field(name: &str) -> String {
    format!("{} is not a field that is asked for: leave it out.", quoted(name))
}

/// Checks the fields of an object. `place` is the path to it, with a dot at its end.
fn check_fields(place: &str, schema: &Value, answers: &Map<String, Value>) -> Result<(), String> {
    let required = schema.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.find(|name| !answers.contains_key(*name)) {
        return Err(format!("{} is required.", quoted(&format!("{place}{missing}"))));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    for (name, answer) in answers {
        let path = format!("{place}{name}");
        match properties.and_then(|properties| properties.get(name)).or(others) {
            None | Some(Value::Bool(false)) => return Err(no_field(&path)),
            Some(schema) => check_value(&path, schema, answer)?,
        }
    }
    Ok(())
}

/// Checks the value of one field, whose path is `name`.
fn check_value(name: &str, schema: &Value, value: &Value) -> Result<(), String> {
    let must = |what: &str| Err(format!("{} must {what}.", quoted(name)));
    if let Some(types) = types_of(schema)
        && !types.iter().any(|one| is_of_type(one, value))
    {
        let words: Vec<_> = types.iter().map(|one| type_words(one)).collect();
        return must(&format!("be {}", words.join(" or ")));
    }
    if let Some(choices) = choices_of(schema)
        && !choices.iter().any(|choice| is_equal(choice, value))
    {
        let listed: Vec<_> = choices.iter().take(CHOICES).map(|choice| shown(choice)).collect();
        let more = if choices.len() > CHOICES { ", …" } else { "" };
        return must(&format!("be one of {}{more}", listed.join(", ")));
    }
    for key in ["oneOf", "anyOf"] {
        let cases = schema.get(key).and_then(Value::as_array);
        if cases.is_some_and(|all| all.iter().all(|case| check_value(name, case, value).is_err())) {
            return must("be one of the values that the form offers");
        }
    }
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            check_range(name, length as f64, [limit("minLength"), limit("maxLength")], "character")
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let above = limit("exclusiveMinimum").is_none_or(|least| number > least);
            let below = limit("exclusiveMaximum").is_none_or(|most| number < most);
            if !above || !below {
                return must("be within the form's limits");
            }
            check_range(name, number, [limit("minimum"), limit("maximum")], "")
        }
        Value::Array(items) => check_items(name, schema, items),
        Value::Object(fields) if schema.get("properties").is_some() => {
            check_fields(&format!("{name}."), schema, fields)
        }
        _ => Ok(()),
    }
}

fn check_items(name: &str, schema: &Value, items: &[Value]) -> Result<(), String> {
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let limits = [limit("minItems"), limit("maxItems")];
    check_range(name, items.len() as f64, limits, "value")?;
    let is_set = schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
    let distinct = || items.iter().map(Value::to_string).collect::<BTreeSet<_>>().len();
    if is_set && distinct() < items.len() {
        return Err(format!("{} must not have a value twice.", quoted(name)));
    }
    match schema.get("items") {
        Some(each) => items.iter().try_for_each(|item| check_value(name, each, item)),
        None => Ok(()),
    }
}

/// Checks that a number, of things if `unit` names one, is between the limits that there are.
fn check_range(name: &str, value: f64, limits: [Option<f64>; 2], unit: &str) -> Result<(), String> {
    let [least, most] = limits;
    let (word, limit) = match (least.filter(|least| value < *least), most) {
        (Some(least), _) => ("at least", least),
        (None, Some(most)) if value > most => ("at most", most),
        _ => return Ok(()),
    };
    let units = match unit {
        "" => return Err(format!("{} must be {word} {limit}.", quoted(name))),
        unit if limit == 1.0 => unit.to_owned(),
        unit => format!("{unit}s"),
    };
    Err(format!("{} must have {word} {limit} {units}.", quoted(name)))
}

/// Returns the types that a value may have; `None` if it may have any.
fn types_of(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            let is_whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
            value.is_i64() || value.is_u64() || is_whole
        }
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        // A type of a later version.
        _ => true,
    }
}

fn type_words(name: &str) -> &str {
    match name {
        "string" => "a text",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

/// Returns the only values that are valid, if the schema lists them.
fn choices_of(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return Some(choices.iter().collect());
    }
    if let Some(only) = schema.get("const") {
        return Some(vec![only]);
    }
    let cases = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    cases.iter().map(|case| case.get("const")).collect()
}

/// Compares numbers by their value, so that `1` is `1.0`.
fn is_equal(one: &Value, other: &Value) -> bool {
    let same_number = one.as_f64().is_some() && one.as_f64() == other.as_f64();
    one == other || same_number
}

fn shown(choice: &Value) -> String {
    choice.as_str().map_or_else(|| quoted(&choice.to_string()), quoted)
}

/// Returns a name or value as a sentence repeats it.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|it| !it.is_control()).take(NAME_CHARACTERS).collect();
    format!("`{plain}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(schema: &Value, answers: &Value) -> String {
        check(schema, Some(answers)).expect_err(&format!("{answers} was accepted"))
    }

    fn form() -> Value {
        json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "minLength": 2, "maxLength": 4 },
                "age": { "type": "integer", "minimum": 0, "maximum": 150 },
                "share": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
                "sure": { "type": "boolean" },
                "colour": { "type": "string", "enum": ["red", "green"] },
                "size": { "oneOf": [{ "const": "s", "title": "S" }, { "const": 2 }] },
                "tags": {
                    "type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true,
                    "items": { "type": "string", "enum": ["a", "b", "c"] },
                },
                "note": { "type": ["string", "null"] },
                "place": {
                    "type": "object", "required": ["street"],
                    "properties": { "street": { "type": "string" } },
                },
            },
            "required": ["name"],
        })
    }

    #[test]
    fn answers_that_fit_are_accepted() {
        for more in [
            json!({}),
            json!({ "age": 0, "share": 0.5, "sure": false, "colour": "red", "size": 2.0 }),
            json!({ "age": 150.0, "tags": ["a", "c"], "note": null, "size": "s" }),
            json!({ "place": { "street": "" } }),
        ] {
            let mut answers = json!({ "name": "ädel" });
            answers.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(check(&form(), Some(&answers)), Ok(()), "{answers}");
        }
        assert_eq!(check(&json!({}), None), Ok(()));
        let open = json!({ "additionalProperties": { "type": "string" } });
        assert_eq!(check(&open, Some(&json!({ "any": "thing" }))), Ok(()));
        // A schema of a later version, or a broken one, does not keep anybody from answering.
        let odd = json!({ "properties": { "a": { "type": "date" }, "b": 7 }, "required": 3 });
        assert_eq!(check(&odd, Some(&json!({ "a": 1, "b": [] }))), Ok(()));
    }

    #[test]
    fn the_field_that_does_not_fit_is_named() {
        for (more, sentence) in [
            (json!({ "name": 7 }), "`name` must be a text."),
            (json!({ "name": "x" }), "`name` must have at least 2 characters."),
            (json!({ "name": "äöüßx" }), "`name` must have at most 4 characters."),
            (json!({ "age": "7" }), "`age` must be a whole number."),
            (json!({ "age": 7.5 }), "`age` must be a whole number."),
            (json!({ "age": -1 }), "`age` must be at least 0."),
            (json!({ "age": 151 }), "`age` must be at most 150."),
            (json!({ "share": 1 }), "`share` must be within the form's limits."),
            (json!({ "sure": "yes" }), "`sure` must be true or false."),
            (json!({ "colour": "blue" }), "`colour` must be one of `red`, `green`."),
            (json!({ "size": "m" }), "`size` must be one of `s`, `2`."),
            (json!({ "tags": [] }), "`tags` must have at least 1 value."),
            (json!({ "tags": ["a", "b", "c"] }), "`tags` must have at most 2 values."),
            (json!({ "tags": ["a", "a"] }), "`tags` must not have a value twice."),
            (json!({ "tags": ["d"] }), "`tags` must be one of `a`, `b`, `c`."),
            (json!({ "note": 1 }), "`note` must be a text or null."),
            (json!({ "place": {} }), "`place.street` is required."),
            (
                json!({ "place": { "street": "", "town": "" } }),
                "`place.town` is not a field that is asked for: leave it out.",
            ),
            (json!({ "x": 1 }), "`x` is not a field that is asked for: leave it out."),
        ] {
            let mut answers = json!({ "name": "abc" });
            answers.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(refused(&form(), &answers), sentence);
        }
        assert_eq!(check(&form(), None), Err("`name` is required.".to_owned()));
        assert!(refused(&form(), &json!(["name"])).contains("`answers` must be an object"));
        let closed = json!({ "additionalProperties": false });
        assert!(refused(&closed, &json!({ "a": 1 })).starts_with("`a` is not a field"));
        let either = json!({ "properties": { "n": { "anyOf": [{ "type": "null" }, { "minimum": 3, "type": "number" }] } } });
        assert!(refused(&either, &json!({ "n": 2 })).starts_with("`n` must be one of the values"));
        assert_eq!(check(&either, Some(&json!({ "n": 3 }))), Ok(()));
    }

    #[test]
    fn a_form_that_is_nested_and_long_is_compared() {
        let (mut schema, mut answer) = (json!({ "type": "null" }), json!(1));
        for _ in 0..100 {
            schema = json!({ "type": "array", "items": schema });
            answer = json!([answer]);
        }
        let form = json!({ "properties": { "deep": schema } });
        assert_eq!(refused(&form, &json!({ "deep": answer })), "`deep` must be null.");
    }
}
