//! The order of a form's fields, which values of JSON do not keep.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A request to fill in a form, as far as the order of the fields needs it.
#[derive(Debug, Default, Deserialize)]
struct FormLine {
    #[serde(default)]
    params: FormParams,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FormParams {
    #[serde(default)]
    requested_schema: FormSchema,
}

#[derive(Debug, Default, Deserialize)]
struct FormSchema {
    #[serde(default)]
    properties: FieldNames,
}

/// The names of an object's fields, as they are written.
#[derive(Debug, Default)]
struct FieldNames(Vec<String>);

impl<'de> Deserialize<'de> for FieldNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = FieldNames;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(FieldNames(names))
    }
}

/// Returns the names of the fields of the form that a line of the agent asks to fill in, in their
/// order; none if it is no such line.
pub(in super::super) fn form_order(line: &[u8]) -> Vec<String> {
    let read: FormLine = serde_json::from_slice(line).unwrap_or_default();
    read.params.requested_schema.properties.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_the_order_of_the_line() {
        let line = br#"{"id":1,"method":"elicitation/create","params":{"mode":"form",
            "requestedSchema":{"required":["b"],"properties":{"z":{"b":1,"a":2},"b":{},"y":3}}}}"#;
        assert_eq!(form_order(line), ["z", "b", "y"]);
        for other in ["", "[]", "{}", r#"{"params":{"requestedSchema":{"properties":[1]}}}"#] {
            assert!(form_order(other.as_bytes()).is_empty(), "{other}");
        }
    }
}
