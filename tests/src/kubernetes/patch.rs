//! Patches of objects: JSON merge patches, the strategic ones of `kubectl apply`, and server-side
//! apply, which here is a merge without owners of fields.

use serde_json::{Map, Value};

/// How a patch treats lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchKind {
    /// A list replaces a list (RFC 7396).
    Merge,
    /// Entries of lists are merged by their key, as most lists of Kubernetes have it.
    Strategic,
}

/// The fields that identify an entry of a list, by priority.
const ENTRY_KEYS: [&str; 3] = ["name", "mountPath", "type"];

impl PatchKind {
    /// The kind of a patch by the type of its body. `None` for one that the fake does not know.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Some(Self::Merge),
            "application/strategic-merge-patch+json"
            | "application/apply-patch+yaml"
            | "application/apply-patch+json" => Some(Self::Strategic),
            _ => None,
        }
    }

    /// Applies a patch.
    pub(super) fn apply(self, target: &mut Value, patch: &Value) {
        match patch {
            Value::Object(patch) => self.merge(target, patch),
            Value::Array(entries) if self == Self::Strategic => merge_entries(target, entries),
            other => *target = other.clone(),
        }
    }

    fn merge(self, target: &mut Value, patch: &Map<String, Value>) {
        if self == Self::Strategic && patch.get("$patch").is_some_and(|word| word == "replace") {
            let kept = patch.iter().filter(|(key, _)| *key != "$patch");
            *target = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
            return;
        }
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        let Value::Object(fields) = target else { return };
        for (key, value) in patch {
            match value {
                _ if self == Self::Strategic && key.starts_with('$') => {}
                Value::Null => _ = fields.remove(key),
                value => self.apply(fields.entry(key.clone()).or_insert(Value::Null), value),
            }
        }
    }
}

fn merge_entries(target: &mut Value, entries: &[Value]) {
    let key = ENTRY_KEYS
        .into_iter()
        .find(|key| !entries.is_empty() && entries.iter().all(|entry| entry.get(key).is_some()));
    let (Some(key), Value::Array(list)) = (key, &mut *target) else {
        // The patch of a new list: its entries may have nulls, which mean nothing there.
        *target = entries.to_vec().into();
        return;
    };
    for entry in entries {
        let place = list.iter().position(|other| other.get(key) == entry.get(key));
        let removes = entry.get("$patch").is_some_and(|word| word == "delete");
        match place {
            Some(place) if removes => _ = list.remove(place),
            Some(place) => PatchKind::Strategic.apply(&mut list[place], entry),
            None if removes => {}
            None => list.push(entry.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(kind: PatchKind, patch: &Value) -> Value {
        let mut target = json!({ "a": 1, "list": [{ "name": "x", "v": 1 }, { "name": "y" }] });
        kind.apply(&mut target, patch);
        target
    }

    #[test]
    fn merge_patch_replaces_lists_and_removes_nulls() {
        let patch = json!({ "a": null, "b": { "c": 2 }, "list": [] });
        assert_eq!(patched(PatchKind::Merge, &patch), json!({ "b": { "c": 2 }, "list": [] }));
    }

    #[test]
    fn strategic_patch_merges_lists_by_name() {
        let patch = json!({
            "$setElementOrder/list": [],
            "list": [{ "name": "x", "v": 2 }, { "name": "y", "$patch": "delete" }, { "name": "z" }],
        });
        let expected = json!({ "a": 1, "list": [{ "name": "x", "v": 2 }, { "name": "z" }] });
        assert_eq!(patched(PatchKind::Strategic, &patch), expected);
    }
}
