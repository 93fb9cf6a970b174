//! Operations: changes of files that the text of an agent contains.
//!
//! A relay asks the host of a session [`OperationsQuestion`] and passes on its [`OperationsAnswer`].
//! The host finds the operations in the text and executes them; `docs/OPERATIONS.md` describes the
//! forms that it finds.

mod find;
mod wire;

use serde::{Deserialize, Serialize};

pub use find::find;
use wire::FlatOperation;
pub use wire::InvalidOperation;

use crate::failure::HostFailure;

/// One change of a file, or a command. Paths are relative to the session's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    try_from = "FlatOperation"
)]
pub enum Operation {
    /// Creates a file with this content, or replaces what it contains.
    Write {
        /// The file.
        path: String,
        /// All of its new content.
        content: String,
    },
    /// Changes parts of a file.
    Patch {
        /// The file.
        path: String,
        /// The parts, in order.
        edits: Vec<Edit>,
    },
    /// Moves a file to a path at which nothing is.
    Rename {
        /// The file.
        path: String,
        /// Its new path.
        to: String,
    },
    /// Deletes a file.
    Delete {
        /// The file.
        path: String,
    },
    /// A command that the text proposes. It is listed and never run: a person may type it into the
    /// session.
    Run {
        /// The command, of one or more lines.
        command: String,
    },
}

/// A part of a file to replace. Both texts are whole lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Edit {
    /// The lines to replace. They must occur in the file exactly once, or at `line`. If there are
    /// none, `replace` is inserted before `line`; without a `line` it is all of a new file.
    pub search: String,
    /// The lines to put in their place.
    pub replace: String,
    /// The number of the first line to replace, from 1, in the file before all edits. If the lines
    /// are not there, they are searched in the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub line: Option<u32>,
}

/// An operation and the effect that it would have now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", try_from = "FlatOperation")]
pub struct OperationPreview {
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// The BLAKE3 hash of the file's content, in hexadecimal digits, or null if nothing is there.
    /// An execution repeats it.
    pub before: Option<String>,
    /// The change as a unified diff. Empty if there is none to show.
    pub diff: String,
    /// True if the diff was cut off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub diff_cut: bool,
    /// True if the file's content is not text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// True if the file is too large for operations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub too_large: bool,
    /// The code with which the operation would fail, if it would: see [`OperationResult::code`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence that explains the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An operation to execute, with its precondition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", try_from = "FlatOperation")]
pub struct PlannedOperation {
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// The hash from the preview. The file's content must still have it. Null or absent if nothing
    /// may be at the path.
    #[serde(default)]
    pub before: Option<String>,
}

/// The result of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperationResult {
    /// True if it was done.
    pub success: bool,
    /// The type of the operation, such as `write`.
    pub operation: String,
    /// The file; absent for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The file's new path, if it was to be renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A stable code if it was not done: `stale`, `outside_folder`, `is_link`, `not_found`,
    /// `exists`, `is_directory`, `too_large`, `not_text`, `no_match`, `ambiguous_match`, `not_run`,
    /// `skipped`, `io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence that explains the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A relay's question about operations to the host of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum OperationsQuestion {
    /// Finds the operations in a text, and previews them.
    Preview {
        /// The text of an agent.
        text: String,
    },
    /// Executes operations in their order.
    Execute {
        /// The operations.
        operations: Vec<PlannedOperation>,
        /// True if nothing is to be done unless all of them can be.
        #[serde(default)]
        all_or_nothing: bool,
    },
}

/// A host's answer to [`OperationsQuestion`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum OperationsAnswer {
    /// The operations that a text contains, in order.
    Previewed {
        /// The operations.
        operations: Vec<OperationPreview>,
        /// The number of further operations, beyond the most that one request may have.
        #[serde(default)]
        omitted: usize,
    },
    /// The results, in the order of the operations.
    Executed {
        /// The results.
        results: Vec<OperationResult>,
    },
    /// The question could not be answered.
    Failed(HostFailure),
}

impl Operation {
    /// Returns the name of its type on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Patch { .. } => "patch",
            Self::Rename { .. } => "rename",
            Self::Delete { .. } => "delete",
            Self::Run { .. } => "run",
        }
    }

    /// Returns the file that it changes; `None` for a command.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Write { path, .. }
            | Self::Patch { path, .. }
            | Self::Rename { path, .. }
            | Self::Delete { path } => Some(path),
            Self::Run { .. } => None,
        }
    }

    /// Returns the path that it moves the file to, if it does.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        match self {
            Self::Rename { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Returns the same operation without the content of files, to name it in a list.
    #[must_use]
    pub fn without_content(&self) -> Self {
        match self {
            Self::Write { path, .. } => Self::Write { path: path.clone(), content: String::new() },
            Self::Patch { path, .. } => Self::Patch { path: path.clone(), edits: Vec::new() },
            Self::Run { .. } => Self::Run { command: String::new() },
            other => other.clone(),
        }
    }
}

impl From<HostFailure> for OperationsAnswer {
    fn from(failure: HostFailure) -> Self {
        Self::Failed(failure)
    }
}

impl OperationResult {
    /// Returns the result of an operation that was done.
    #[must_use]
    pub fn done(operation: &Operation) -> Self {
        Self {
            success: true,
            operation: operation.kind().to_owned(),
            path: operation.path().map(str::to_owned),
            to: operation.to().map(str::to_owned),
            code: None,
            message: None,
        }
    }

    /// Returns the result of an operation that was not done.
    #[must_use]
    pub fn failed(operation: &Operation, code: &str, message: String) -> Self {
        let (code, message) = (Some(code.to_owned()), Some(message));
        Self { success: false, code, message, ..Self::done(operation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::survives;

    fn write() -> Operation {
        Operation::Write { path: "a".into(), content: "b\n".into() }
    }

    #[test]
    fn operations_have_these_wire_forms() {
        survives(&write(), r#"{"type":"write","path":"a","content":"b\n"}"#);
        let edit = Edit { search: "x\n".into(), replace: String::new(), line: Some(3) };
        survives(
            &Operation::Patch { path: "a".into(), edits: vec![edit] },
            r#"{"type":"patch","path":"a","edits":[{"search":"x\n","replace":"","line":3}]}"#,
        );
        survives(
            &Operation::Rename { path: "a".into(), to: "b".into() },
            r#"{"type":"rename","path":"a","to":"b"}"#,
        );
        survives(&Operation::Delete { path: "a".into() }, r#"{"type":"delete","path":"a"}"#);
        survives(&Operation::Run { command: "ls".into() }, r#"{"type":"run","command":"ls"}"#);
    }

    #[test]
    fn previews_plans_and_results_have_these_wire_forms() {
        let preview = OperationPreview {
            operation: write(),
            before: None,
            diff: "+b\n".into(),
            diff_cut: false,
            binary: true,
            too_large: false,
            code: Some("stale".into()),
            message: None,
        };
        survives(
            &preview,
            r#"{"type":"write","path":"a","content":"b\n","before":null,"diff":"+b\n","binary":true,"code":"stale"}"#,
        );
        let planned = PlannedOperation { operation: write(), before: Some("00".into()) };
        survives(&planned, r#"{"type":"write","path":"a","content":"b\n","before":"00"}"#);
        survives(
            &OperationResult::done(&write()),
            r#"{"success":true,"operation":"write","path":"a"}"#,
        );
        survives(
            &OperationResult::failed(&write(), "stale", "It changed.".into()),
            r#"{"success":false,"operation":"write","path":"a","code":"stale","message":"It changed."}"#,
        );
    }

    #[test]
    fn a_preview_can_be_sent_back_to_be_executed() {
        let preview = r#"{"type":"delete","path":"a","before":"00","diff":"-b\n","binary":false}"#;
        let planned: PlannedOperation = serde_json::from_str(preview).unwrap();
        assert_eq!(planned.before.as_deref(), Some("00"));
        let least: PlannedOperation =
            serde_json::from_str(r#"{"type":"delete","path":"a"}"#).unwrap();
        assert_eq!(least.before, None);
    }

    #[test]
    fn an_operation_has_all_fields_of_its_type() {
        let error = |text: &str| serde_json::from_str::<Operation>(text).unwrap_err().to_string();
        assert_eq!(
            error(r#"{"type":"write","path":"a"}"#),
            "an operation of the type `write` needs `content`"
        );
        assert!(error(r#"{"type":"dance","path":"a"}"#).starts_with("unknown variant `dance`"));
        for bad in [r#"{"path":"a"}"#, r#"{"type":"rename","path":"a"}"#, r#"{"type":"run"}"#] {
            error(bad);
        }
    }
}
