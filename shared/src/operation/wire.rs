//! The wire form of operations, in which all fields are in one struct: serde reads them directly
//! from the text instead of through a buffer.

use serde::Deserialize;

use super::{Edit, Operation, OperationPreview, PlannedOperation};

/// The reason why a JSON object is not an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operation of the type `{kind}` needs `{field}`")]
pub struct InvalidOperation {
    kind: &'static str,
    field: &'static str,
}

/// The types of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OperationKind {
    Write,
    Patch,
    Rename,
    Delete,
    Run,
}

/// The fields of every type of operation, of its preview and of its execution.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlatOperation {
    r#type: OperationKind,
    path: Option<String>,
    content: Option<String>,
    edits: Option<Vec<Edit>>,
    to: Option<String>,
    command: Option<String>,
    before: Option<String>,
    diff: Option<String>,
    #[serde(default)]
    diff_cut: bool,
    #[serde(default)]
    binary: bool,
    #[serde(default)]
    too_large: bool,
    code: Option<String>,
    message: Option<String>,
}

impl OperationKind {
    fn field<T>(self, field: &'static str, value: Option<T>) -> Result<T, InvalidOperation> {
        let kind = match self {
            Self::Write => "write",
            Self::Patch => "patch",
            Self::Rename => "rename",
            Self::Delete => "delete",
            Self::Run => "run",
        };
        value.ok_or(InvalidOperation { kind, field })
    }
}

impl TryFrom<FlatOperation> for Operation {
    type Error = InvalidOperation;

    fn try_from(flat: FlatOperation) -> Result<Self, InvalidOperation> {
        let kind = flat.r#type;
        if kind == OperationKind::Run {
            return Ok(Self::Run { command: kind.field("command", flat.command)? });
        }
        let path = kind.field("path", flat.path)?;
        Ok(match kind {
            OperationKind::Write => {
                Self::Write { path, content: kind.field("content", flat.content)? }
            }
            OperationKind::Patch => Self::Patch { path, edits: kind.field("edits", flat.edits)? },
            OperationKind::Rename => Self::Rename { path, to: kind.field("to", flat.to)? },
            OperationKind::Delete | OperationKind::Run => Self::Delete { path },
        })
    }
}

impl TryFrom<FlatOperation> for OperationPreview {
    type Error = InvalidOperation;

    fn try_from(mut flat: FlatOperation) -> Result<Self, InvalidOperation> {
        Ok(Self {
            before: flat.before.take(),
            diff: flat.diff.take().unwrap_or_default(),
            diff_cut: flat.diff_cut,
            binary: flat.binary,
            too_large: flat.too_large,
            code: flat.code.take(),
            message: flat.message.take(),
            operation: flat.try_into()?,
        })
    }
}

impl TryFrom<FlatOperation> for PlannedOperation {
    type Error = InvalidOperation;

    fn try_from(mut flat: FlatOperation) -> Result<Self, InvalidOperation> {
        Ok(Self { before: flat.before.take(), operation: flat.try_into()? })
    }
}
