//! The bodies of `/api/session/:id/operations` (seed 000 §5).

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::SessionId;
use crate::operation::{OperationPreview, OperationResult, PlannedOperation};

/// The body of `POST /api/session/:id/operations/preview`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewOperations {
    /// The text of an agent. It must not be empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, required = true, nullable = false))]
    pub response: Option<String>,
}

/// The answer to `POST /api/session/:id/operations/preview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperationsPreviewed {
    /// Always true.
    pub success: bool,
    /// The session in whose folder the operations are previewed.
    pub session_id: SessionId,
    /// The operations that the text contains, in order.
    pub operations: Vec<OperationPreview>,
    /// The number of `operations`.
    pub count: usize,
    /// The number of further operations in the text that are left out.
    #[serde(default)]
    pub omitted: usize,
    /// When they were previewed, in milliseconds since 1970.
    pub timestamp: u64,
}

/// The body of `POST /api/session/:id/operations/execute`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecuteOperations {
    /// The operations, as the preview has them: each needs its `before`.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(max_items = 100, required = true, nullable = false))]
    pub operations: Option<Vec<PlannedOperation>>,
    /// True if nothing is to be done unless all of them can be.
    #[serde(default)]
    pub all_or_nothing: bool,
}

/// The answer to `POST /api/session/:id/operations/execute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperationsDone {
    /// Always true: the results say what was done.
    pub success: bool,
    /// The session in whose folder the operations were executed.
    pub session_id: SessionId,
    /// The results, in the order of the operations.
    pub results: Vec<OperationResult>,
    /// The number of `results`.
    pub count: usize,
    /// The number of operations that were done.
    pub executed: usize,
    /// When they were executed, in milliseconds since 1970.
    pub timestamp: u64,
}

/// Reads a list. Any other value is `None`, so that it has the same error as a missing list.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    deserializer.deserialize_any(ListVisitor(PhantomData))
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Some(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_is_a_list_of_operations() {
        let read = |text: &str| {
            serde_json::from_str::<ExecuteOperations>(text).map(|body| body.operations)
        };
        for none in ["null", "1", "-1", "1.5", "true", r#""x""#, r#"{"a":[{}]}"#] {
            assert_eq!(read(&format!(r#"{{"operations":{none}}}"#)).unwrap(), None, "{none}");
        }
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"operations":[]}"#).unwrap(), Some(vec![]));
        let one = r#"{"operations":[{"type":"delete","path":"a"}],"allOrNothing":true}"#;
        assert_eq!(read(one).unwrap().map(|list| list.len()), Some(1));
        assert!(read(r#"{"operations":[{"type":"delete"}]}"#).is_err());
    }
}
