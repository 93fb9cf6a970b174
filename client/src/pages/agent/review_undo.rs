//! Undoing the revert of a file or a hunk, as an operation on exactly what the revert has left.

use leptos::prelude::*;
use moorline_shared::change::{ChangedFile, ChangedHunk, FileFate};
use serde_json::{Value, json};

use super::state::ConversationState;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::ui::When;

/// A revert that can be undone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RevertUndo {
    /// The path of the file.
    pub(super) path: String,
    /// The operation to execute, with its precondition; `None` if the revert cannot be undone.
    pub(super) operation: Option<Value>,
}

/// The diff that brings back a file or a hunk after its revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RevertedText {
    path: String,
    /// The change as a unified diff of the file as the revert leaves it.
    diff: String,
}

impl RevertedText {
    /// Returns what brings back these hunks of a file. `None` if they are not all of it that is
    /// reverted, or the revert creates the file.
    pub(super) fn of(file: &ChangedFile, hunk: Option<&ChangedHunk>) -> Option<Self> {
        let is_whole = hunk.is_some() || !file.truncated && !file.binary && !file.hunks.is_empty();
        if !is_whole || file.state == FileFate::Deleted || file.path.contains(['\n', '\r']) {
            return None;
        }
        let path = &file.path;
        let old = match file.state {
            FileFate::Added => "/dev/null".to_owned(),
            _ => format!("a/{path}"),
        };
        let mut diff = format!("--- {old}\n+++ b/{path}\n");
        let hunks = hunk.map_or(file.hunks.as_slice(), std::slice::from_ref);
        for it in hunks {
            // The others stay when one is reverted, so its lines are where they are now.
            let start = if hunk.is_some() { it.new_start } else { it.old_start };
            let (old, new) = (it.old_lines, it.new_lines);
            diff += &format!("@@ -{start},{old} +{},{new} @@\n{}", it.new_start, it.text);
            if !diff.ends_with('\n') {
                diff.push('\n');
            }
        }
        Some(Self { path: path.clone(), diff })
    }
}

/// Asks for the operation that undoes a revert that was just done, and shows it in `undo`.
pub(super) fn prepare(
    access: PageAccess,
    session: &str,
    reverted: RevertedText,
    undo: RwSignal<Option<RevertUndo>>,
) {
    let RevertedText { path, diff } = reverted;
    undo.set(Some(RevertUndo { path: path.clone(), operation: None }));
    let address = format!("{session}/operations/preview");
    api::ask(access, ApiRequest::post(address, &json!({ "response": diff })), move |answer| {
        let found = answer.and_then(|text| api::parse::<Value>(&text)).unwrap_or_default();
        let mut operations =
            found.get("operations").and_then(Value::as_array).into_iter().flatten();
        let operation = operations.next().cloned();
        let is_good = |it: &Value| {
            it.get("code").is_none() && it.get("path").and_then(Value::as_str) == Some(&path)
        };
        let operation = operation.filter(|it| is_good(it) && operations.next().is_none());
        let is_same = undo.try_with_untracked(|undo| {
            undo.as_ref().is_some_and(|undo| undo.path == path && undo.operation.is_none())
        });
        if is_same == Some(true) {
            undo.set(Some(RevertUndo { path, operation }));
        }
    });
}

/// Says what was reverted, and offers to undo it.
pub(super) fn undo_row(state: ConversationState, undo: RwSignal<Option<RevertUndo>>) -> AnyView {
    let access = PageAccess::expect();
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let press = move |_| {
        let operation = undo.get_untracked().and_then(|undo| undo.operation);
        let Some(operation) = operation.filter(|_| !busy.get_untracked()) else { return };
        busy.set(true);
        let session = format!("/api/session/{}", state.id());
        execute(access, &session, &operation, move |done| {
            let _ = busy.try_set(false);
            match done {
                Ok(()) => _ = undo.try_set(None),
                Err(reason) => _ = problem.try_set(Some(reason)),
            }
        });
    };
    let path = move || {
        let path = undo.with(|undo| undo.as_ref().map(|undo| undo.path.clone()));
        state.folder.shorten(&path.unwrap_or_default())
    };
    let can_undo = Memo::new(move |_| {
        undo.with(|undo| undo.as_ref().is_some_and(|undo| undo.operation.is_some()))
    });
    view! {
        <p class="row-note review-row" data-testid="reverted">
            <span role="status">"Reverted " <bdi>{path}</bdi> "."</span>
            <When condition=move || can_undo.get()>
                <button
                    class="button quiet"
                    data-testid="undo-revert"
                    disabled=move || busy.get()
                    on:click=press
                >
                    "Undo"
                </button>
            </When>
            <span class="problem" role="alert">{move || problem.get()}</span>
        </p>
    }
    .into_any()
}

/// Undoes a revert, and calls `then` with the reason if that was refused.
fn execute(
    access: PageAccess,
    session: &str,
    operation: &Value,
    then: impl FnOnce(Result<(), String>) + 'static,
) {
    let wish = json!({ "operations": [operation], "allOrNothing": true });
    let request = ApiRequest::post(format!("{session}/operations/execute"), &wish);
    api::ask(access, request, move |answer| {
        let done = match answer.and_then(|text| api::parse::<Value>(&text)) {
            Ok(done) => done,
            Err(error) => return then(Err(error.to_string())),
        };
        let result = done.pointer("/results/0").cloned().unwrap_or_default();
        let text = |name: &str| result.get(name).and_then(Value::as_str).map(str::to_owned);
        then(match result.get("success").and_then(Value::as_bool) {
            Some(true) => Ok(()),
            _ => Err(text("message").or_else(|| text("code")).unwrap_or_default()),
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_revert_is_undone_by_a_diff_of_what_it_leaves() {
        let hunk = ChangedHunk {
            id: "1".into(),
            old_start: 5,
            old_lines: 1,
            new_start: 9,
            new_lines: 1,
            text: "-a\n+b\n".into(),
        };
        let file = ChangedFile {
            path: "src/x.rs".into(),
            state: FileFate::Modified,
            turn_ids: Vec::new(),
            before: None,
            binary: false,
            code: None,
            message: None,
            hunks: vec![hunk.clone()],
            truncated: false,
        };
        let diff = |file: &ChangedFile, hunk| RevertedText::of(file, hunk).map(|it| it.diff);
        let (sides, lines) = ("--- a/src/x.rs\n+++ b/src/x.rs\n", "-a\n+b\n");
        assert_eq!(diff(&file, Some(&hunk)), Some(format!("{sides}@@ -9,1 +9,1 @@\n{lines}")));
        assert_eq!(diff(&file, None), Some(format!("{sides}@@ -5,1 +9,1 @@\n{lines}")));
        let cut = ChangedFile { truncated: true, ..file.clone() };
        assert_eq!(diff(&cut, None), None);
        let gone = ChangedFile { state: FileFate::Deleted, ..file };
        assert_eq!(diff(&gone, None), None);
    }
}
