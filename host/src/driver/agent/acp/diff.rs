//! Changes of files as version 2 has them: a list of changes, with a patch in git's format.

use moorline_shared::agent::content::{KnownToolContent, ToolContent};
use serde_json::Value;

use super::{list, text};

/// Most pieces that a patch is read into.
const PIECES: usize = 64;

/// Reads the changes of files: one piece for each part of a file that is changed. `None` if there
/// is no patch, or it cannot be read.
pub(super) fn changes(value: &Value) -> Option<Vec<ToolContent>> {
    let changes = list(value, "changes")?;
    let patch = text(value.get("patch")?, "text")?;
    let paths: Vec<_> = changes.iter().map(|change| text(change, "path")).collect();
    let mut pieces = Vec::new();
    // What comes before the first section is not part of the format.
    for (place, section) in sections(&patch).into_iter().enumerate() {
        let path = new_path(section).or_else(|| paths.get(place)?.clone())?;
        let is_new = section.contains("\n--- /dev/null");
        pieces.extend(hunks(section).into_iter().map(|hunk| hunk.piece(&path, is_new)));
    }
    pieces.truncate(PIECES);
    (!pieces.is_empty()).then_some(pieces)
}

/// Splits a patch into the sections of its files.
fn sections(patch: &str) -> Vec<&str> {
    let is_start = |(place, _): &(usize, &str)| *place == 0 || patch[..*place].ends_with('\n');
    let starts: Vec<_> =
        patch.match_indices("diff --git ").filter(is_start).map(|(place, _)| place).collect();
    let ends = starts.iter().skip(1).copied().chain([patch.len()]);
    starts.iter().zip(ends).map(|(start, end)| &patch[*start..end]).collect()
}

/// Returns the path of a section after the change, or that of a file that is deleted; `None` if it
/// has none or it is quoted.
fn new_path(section: &str) -> Option<String> {
    let path = |mark: &str| {
        let line = section.lines().find_map(|line| line.strip_prefix(mark))?;
        // Git ends a path with blanks by a tab.
        Some(line.trim_end_matches('\t')).filter(|path| path.starts_with('/'))
    };
    let new = path("+++ ").filter(|path| *path != "/dev/null");
    new.or_else(|| path("--- ")).map(str::to_owned)
}

/// A part of a file that is changed, with some lines around it.
#[derive(Debug, Default)]
struct PatchHunk {
    before: String,
    after: String,
}

impl PatchHunk {
    fn piece(self, path: &str, is_new: bool) -> ToolContent {
        ToolContent::Known(KnownToolContent::Diff {
            path: path.to_owned(),
            old_text: (!is_new).then_some(self.before),
            new_text: self.after,
        })
    }
}

fn hunks(section: &str) -> Vec<PatchHunk> {
    let mut hunks: Vec<PatchHunk> = Vec::new();
    let mut last = ' ';
    for line in section.split_inclusive('\n') {
        if line.starts_with("@@ ") {
            hunks.push(PatchHunk::default());
            continue;
        }
        let Some(hunk) = hunks.last_mut() else { continue };
        let (mark, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
        let mark = mark.chars().next().unwrap_or(' ');
        if mark == '\\' {
            // The line before has no end.
            let sides = [(&mut hunk.before, '+'), (&mut hunk.after, '-')];
            for (side, other) in sides {
                if last != other && side.ends_with('\n') {
                    side.pop();
                }
            }
            continue;
        }
        if mark != '+' {
            hunk.before.push_str(rest);
        }
        if mark != '-' {
            hunk.after.push_str(rest);
        }
        last = mark;
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_that_is_no_patch_does_not_harm() {
        for patch in ["", "@@ -1 +1 @@\n+x", "diff --git ", "diff --git \n@@ \n\\ x\nö\n", "\n\n@@"]
        {
            let value = json!({ "changes": [{ "path": "/a" }], "patch": { "text": patch } });
            _ = changes(&value);
        }
        assert_eq!(
            changes(&json!({ "changes": [], "patch": { "text": "diff --git a a\n" } })),
            None
        );
    }

    #[test]
    fn a_path_that_is_quoted_comes_from_the_list() {
        let patch = "diff --git \"/a\\\"b\" \"/a\\\"b\"\n--- \"/a\\\"b\"\n+++ \"/a\\\"b\"\n@@ -1 +0,0 @@\n-x\n";
        let value = json!({ "changes": [{ "path": "/a\"b" }], "patch": { "text": patch } });
        let want = KnownToolContent::Diff {
            path: "/a\"b".into(),
            old_text: Some("x\n".into()),
            new_text: String::new(),
        };
        assert_eq!(changes(&value), Some(vec![ToolContent::Known(want)]));
    }
}
