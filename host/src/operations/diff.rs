//! Unified diffs of changes, for people.

use std::fmt::{self, Write as _};
use std::time::Duration;

use moorline_shared::limits::OPERATION_DIFF_BYTES;
use similar::TextDiff;

use super::changes::FileChange;

/// Time after which the diff of large files need not be the shortest.
const PATIENCE: Duration = Duration::from_millis(500);
/// The number of unchanged lines around a change.
const CONTEXT: usize = 3;

/// A text that stops at a limit.
#[derive(Debug, Default)]
pub(super) struct BoundedText {
    pub(super) text: String,
    /// True if the text was longer. It then ends with a whole line.
    pub(super) is_cut: bool,
    most_bytes: usize,
}

/// Returns the diff of a change, of at most `room` bytes. It is empty if a side is not text.
pub(super) fn of(change: &FileChange, room: usize) -> BoundedText {
    let most_bytes = room.min(OPERATION_DIFF_BYTES);
    let mut diff = BoundedText { most_bytes, ..BoundedText::default() };
    // Fails only at the limit, which `is_cut` tells.
    let _ = write(change, &mut diff);
    diff
}

fn write(change: &FileChange, diff: &mut BoundedText) -> fmt::Result {
    let (path, before, after) = match change {
        FileChange::Rename { path, to, .. } => {
            return write!(diff, "rename from {path}\nrename to {to}\n");
        }
        FileChange::Write { path, before, after } => (path, before.as_ref(), Some(after)),
        FileChange::Delete { path, before } => (path, Some(before), None),
    };
    let old = before.map_or(Ok(""), |before| before.text());
    let new = after.map_or(Ok(""), |after| std::str::from_utf8(after));
    let (Ok(old), Ok(new)) = (old, new) else { return Ok(()) };
    let name = |prefix: &str, exists: bool| {
        if exists { format!("{prefix}/{path}") } else { "/dev/null".to_owned() }
    };
    let names = (name("a", before.is_some()), name("b", after.is_some()));
    let lines = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let mut unified = lines.unified_diff();
    write!(diff, "{}", unified.context_radius(CONTEXT).header(&names.0, &names.1))
}

impl fmt::Write for BoundedText {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if self.is_cut || piece.len() > self.most_bytes - self.text.len() {
            if !self.is_cut {
                let end = self.text.rfind('\n').map_or(0, |end| end + 1);
                self.text.truncate(end);
                self.is_cut = true;
            }
            return Err(fmt::Error);
        }
        self.text.push_str(piece);
        Ok(())
    }
}
