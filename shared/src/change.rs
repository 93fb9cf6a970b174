//! Changes: what an agent has done to the files of its session, since the host looked at them first.
//!
//! A relay asks the host of a session [`ChangesQuestion`] and passes on its [`ChangesAnswer`].
//! `docs/OPERATIONS.md` describes what is listed, and what keeping and reverting do.

use serde::{Deserialize, Serialize};

use crate::failure::HostFailure;
use crate::id::TurnId;

/// A file that differs from what it was before the agent's turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangedFile {
    /// Its path: relative to the session's folder, or absolute in a further folder of the agent.
    pub path: String,
    /// What has become of it.
    pub state: FileFate,
    /// The turns in which it changed, oldest first; at most the last 16.
    pub turn_ids: Vec<TurnId>,
    /// The BLAKE3 hash of its content, in hexadecimal digits, or null if nothing is there. Keeping
    /// and reverting repeat it.
    pub before: Option<String>,
    /// True if the old or the new content is not text. Such a file has no hunks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// The code with which reverting would fail, if it would: `too_large`, `not_kept`, `io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence that explains the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The parts that differ, from the beginning to the end of the file.
    #[serde(default)]
    pub hunks: Vec<ChangedHunk>,
    /// True if hunks are left out, because the answer would be too large.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What has become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FileFate {
    /// It was not there before.
    Added,
    /// It has other content.
    Modified,
    /// It is not there any more.
    Deleted,
}

/// A part of a file that differs, with three lines around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangedHunk {
    /// Names the hunk in a request. It follows from what the hunk shows.
    pub id: String,
    /// The number of its first line in the old file, from 1; as in a unified diff, that of the line
    /// before if it has no lines there.
    pub old_start: usize,
    /// The number of its lines in the old file.
    pub old_lines: usize,
    /// The number of its first line in the file now.
    pub new_start: usize,
    /// The number of its lines in the file now.
    pub new_lines: usize,
    /// Its lines as in a unified diff: each after a space, `-` or `+`, and with a line break.
    pub text: String,
}

/// All files that an agent has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ListedChanges {
    /// The files, by their paths.
    pub files: Vec<ChangedFile>,
    /// The number of all files that have changed.
    pub count: usize,
    /// True if files are left out of `files`.
    pub truncated: bool,
    /// False if changes may be missing; `gaps` has the reasons.
    pub complete: bool,
    /// The reasons why changes may be missing, or cannot be reverted.
    pub gaps: Vec<ChangeGap>,
}

/// A reason why changes may be missing, or cannot be reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeGap {
    /// A stable code: `broad_folder`, `too_many_files`, `late`, `not_kept`, `unreadable`.
    pub code: String,
    /// A sentence that explains it.
    pub message: String,
}

/// A file to keep or to revert, or some of its hunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedChange {
    /// The path, as it was listed.
    pub path: String,
    /// The hash that was listed. The file's content must still have it. Null or absent if nothing
    /// may be at the path.
    #[serde(default)]
    pub before: Option<String>,
    /// The ids of hunks; all of the file without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub hunks: Option<Vec<String>>,
}

/// The result for one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeResult {
    /// True if it was done.
    pub success: bool,
    /// What was to be done.
    pub action: ChangeAction,
    /// The path.
    pub path: String,
    /// A stable code if it was not done: `stale`, `not_changed`, `no_such_hunk`, `not_kept`,
    /// `outside_folder`, `is_link`, `is_directory`, `exists`, `too_large`, `not_text`, `io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence that explains the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What becomes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChangeAction {
    /// It stays, and is not listed any more.
    Keep,
    /// The old content is put back.
    Revert,
}

/// A relay's question about changes to the host of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangesQuestion {
    /// Lists them.
    List,
    /// Keeps some, then reverts some, each in order.
    Settle {
        /// The files or hunks to keep.
        keep: Vec<PlannedChange>,
        /// The files or hunks to revert.
        revert: Vec<PlannedChange>,
    },
}

/// A host's answer to [`ChangesQuestion`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangesAnswer {
    /// The changes.
    Listed(ListedChanges),
    /// The results: those of `keep`, then those of `revert`.
    Settled {
        /// The results.
        results: Vec<ChangeResult>,
    },
    /// The question could not be answered.
    Failed(HostFailure),
}

impl From<HostFailure> for ChangesAnswer {
    fn from(failure: HostFailure) -> Self {
        Self::Failed(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::survives;

    #[test]
    fn questions_have_these_wire_forms() {
        survives(&ChangesQuestion::List, r#""list""#);
        let hunk = PlannedChange {
            path: "a".into(),
            before: Some("00".into()),
            hunks: Some(vec!["1".into()]),
        };
        let file = PlannedChange { path: "b".into(), before: None, hunks: None };
        survives(
            &ChangesQuestion::Settle { keep: vec![file], revert: vec![hunk] },
            r#"{"settle":{"keep":[{"path":"b","before":null}],"revert":[{"path":"a","before":"00","hunks":["1"]}]}}"#,
        );
        let least: PlannedChange = serde_json::from_str(r#"{"path":"b"}"#).unwrap();
        assert_eq!((least.before, least.hunks), (None, None));
    }

    #[test]
    fn answers_have_these_wire_forms() {
        let hunk = ChangedHunk {
            id: "1".into(),
            old_start: 1,
            old_lines: 1,
            new_start: 1,
            new_lines: 0,
            text: "-x\n".into(),
        };
        let file = ChangedFile {
            path: "a".into(),
            state: FileFate::Modified,
            turn_ids: vec!["turn_one".parse().unwrap()],
            before: Some("00".into()),
            binary: false,
            code: None,
            message: None,
            hunks: vec![hunk],
            truncated: false,
        };
        let gap = ChangeGap { code: "late".into(), message: "m".into() };
        let listed = ListedChanges {
            files: vec![file],
            count: 2,
            truncated: true,
            complete: false,
            gaps: vec![gap],
        };
        survives(
            &ChangesAnswer::Listed(listed),
            r#"{"listed":{"files":[{"path":"a","state":"modified","turnIds":["turn_one"],"before":"00","hunks":[{"id":"1","oldStart":1,"oldLines":1,"newStart":1,"newLines":0,"text":"-x\n"}]}],"count":2,"truncated":true,"complete":false,"gaps":[{"code":"late","message":"m"}]}}"#,
        );
        let result = ChangeResult {
            success: false,
            action: ChangeAction::Revert,
            path: "a".into(),
            code: Some("stale".into()),
            message: None,
        };
        survives(
            &ChangesAnswer::Settled { results: vec![result] },
            r#"{"settled":{"results":[{"success":false,"action":"revert","path":"a","code":"stale"}]}}"#,
        );
        survives(
            &ChangesAnswer::from(HostFailure::silent("m")),
            r#"{"failed":{"code":"host_offline","message":"m"}}"#,
        );
    }
}
