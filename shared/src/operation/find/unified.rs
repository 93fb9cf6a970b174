//! Unified diffs, with the headers of git or without.

use crate::operation::{Edit, Operation};

use super::label::is_usable;
use super::{EditBuilder, FoundForm};

/// Beginnings of the lines between `diff --git` and the first hunk.
const EXTENDED: [&str; 13] = [
    "old mode ",
    "new mode ",
    "new file mode ",
    "deleted file mode ",
    "similarity index ",
    "dissimilarity index ",
    "rename from ",
    "rename to ",
    "copy from ",
    "copy to ",
    "index ",
    "Binary files ",
    "GIT binary patch",
];

/// The header of one file.
#[derive(Default)]
struct DiffHeader {
    /// The path before; `None` for a new file.
    old: Option<String>,
    /// The path after; `None` for a deleted file.
    new: Option<String>,
    is_new: bool,
    is_deleted: bool,
    is_binary: bool,
    lines: usize,
}

/// Returns true if the lines begin with the header of a file.
pub(super) fn is_start(lines: &[&str]) -> bool {
    let begins = |at: usize, text: &str| lines.get(at).is_some_and(|line| line.starts_with(text));
    begins(0, "diff --git ") || (begins(0, "--- ") && begins(1, "+++ "))
}

/// Reads the part of a diff that is about one file. Without a header, the file is that of `label`.
pub(super) fn read(lines: &[&str], label: Option<&str>) -> Option<FoundForm> {
    let header = if is_start(lines) {
        DiffHeader::read(lines)
    } else {
        let path = label.filter(|_| lines.first().is_some_and(|line| line.starts_with("@@")))?;
        let path = Some(path.to_owned());
        DiffHeader { old: path.clone(), new: path, ..DiffHeader::default() }
    };
    let (mut edits, mut at) = (Vec::new(), header.lines);
    while lines.get(at).is_some_and(|line| line.starts_with("@@")) {
        let (edit, taken) = hunk(&lines[at..]);
        edits.extend(edit);
        at += taken;
    }
    let operations = header.operations(edits);
    (at > 0 && !operations.is_empty()).then_some(FoundForm { operations, lines: at })
}

impl DiffHeader {
    fn read(lines: &[&str]) -> Self {
        let mut header = Self::default();
        if let Some(paths) = lines[0].strip_prefix("diff --git ") {
            (header.old, header.new) = git_paths(paths);
            header.lines = 1;
        }
        while let Some(line) = lines.get(header.lines) {
            if !EXTENDED.iter().any(|begin| line.starts_with(begin)) {
                break;
            }
            header.is_new |= line.starts_with("new file mode ");
            header.is_deleted |= line.starts_with("deleted file mode ");
            header.is_binary |= line.starts_with("Binary files ") || line.starts_with("GIT binary");
            header.lines += 1;
        }
        let sides = &lines[header.lines..];
        if is_start(sides) && sides[0].starts_with("--- ") {
            let (old, new) = (side(&sides[0][4..]), side(&sides[1][4..]));
            // Without git's prefixes, such as `a/`, a path is meant as it is.
            let is_prefixed =
                |path: Option<&str>, prefix: &str| path.is_none_or(|path| path.starts_with(prefix));
            let strip = is_prefixed(old, "a/") && is_prefixed(new, "b/");
            let clean = |path: Option<&str>| {
                path.map(|path| if strip { &path[2..] } else { path }.to_owned())
            };
            header.is_new |= old.is_none();
            header.is_deleted |= new.is_none();
            (header.old, header.new) = (clean(old), clean(new));
            header.lines += 2;
        }
        header
    }

    fn operations(self, edits: Vec<Edit>) -> Vec<Operation> {
        let is_valid = |path: &Option<String>| path.as_deref().is_none_or(is_usable);
        if self.is_binary || !is_valid(&self.old) || !is_valid(&self.new) {
            return Vec::new();
        }
        match (self.old, self.new) {
            (_, Some(path)) if self.is_new => {
                let content = edits.into_iter().map(|edit| edit.replace).collect();
                vec![Operation::Write { path, content }]
            }
            (Some(path), _) if self.is_deleted => vec![Operation::Delete { path }],
            (Some(path), Some(to)) => {
                let patch =
                    (!edits.is_empty()).then(|| Operation::Patch { path: to.clone(), edits });
                let rename = (path != to).then_some(Operation::Rename { path, to });
                rename.into_iter().chain(patch).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Reads one side of a header. `None` for `/dev/null`.
fn side(text: &str) -> Option<&str> {
    let path = text.split('\t').next().unwrap_or_default().trim();
    let path = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')).unwrap_or(path);
    (path != "/dev/null").then_some(path)
}

/// Reads the paths after `diff --git`. Those of a file that is not renamed are the same.
fn git_paths(text: &str) -> (Option<String>, Option<String>) {
    let text = text.trim();
    let Some(paths) = text.strip_prefix("a/") else { return (None, None) };
    let mut splits = paths.match_indices(" b/").map(|(at, _)| (&paths[..at], &paths[at + 3..]));
    let same = splits.clone().find(|(old, new)| old == new);
    match same.or_else(|| splits.next()) {
        Some((old, new)) => (Some(old.to_owned()), Some(new.to_owned())),
        None => (None, None),
    }
}

/// The numbers in the header of a hunk.
struct HunkNumbers {
    /// The first line in the old file; `None` if it has none.
    line: Option<u32>,
    old: usize,
    new: usize,
}

/// Reads `@@ -line,count +line,count @@`. Some agents leave out the numbers.
fn numbers(header: &str) -> Option<HunkNumbers> {
    let mut words = header.trim_start_matches('@').split_whitespace();
    let mut range = |sign: char| {
        let text = words.next()?.strip_prefix(sign)?;
        let (line, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((line.parse::<u32>().ok()?, count.parse::<usize>().ok()?))
    };
    let ((line, old), (_, new)) = (range('-')?, range('+')?);
    // Without old lines, the new ones follow that line.
    let line = if old == 0 && line > 0 { line.checked_add(1) } else { Some(line) };
    Some(HunkNumbers { line: line.filter(|line| *line > 0), old, new })
}

/// Gathers the lines of a hunk.
struct HunkReader {
    builder: EditBuilder,
    /// The old and the new lines that are still missing, by the header.
    missing: Option<(usize, usize)>,
    /// Empty lines that are either context without its space, or follow the hunk.
    empty: usize,
}

impl HunkReader {
    fn add(&mut self, line: &str) {
        if let Some((old, new)) = &mut self.missing {
            *old = old.saturating_sub(usize::from(!line.starts_with('+')));
            *new = new.saturating_sub(usize::from(!line.starts_with('-')));
        }
        self.builder.push(line);
    }

    /// Adds this many of the empty lines as context, and drops the others.
    fn take_empty(&mut self, count: usize) {
        (0..count.min(std::mem::take(&mut self.empty))).for_each(|_| self.add(""));
    }
}

/// Reads the hunk that begins at the first line. Returns its edit, if it changes something, and the
/// number of its lines. The numbers in the header only decide where they must: they are often wrong.
fn hunk(lines: &[&str]) -> (Option<Edit>, usize) {
    let numbers = numbers(lines[0]);
    let missing = numbers.as_ref().map(|numbers| (numbers.old, numbers.new));
    let mut reader = HunkReader { builder: EditBuilder::default(), missing, empty: 0 };
    let mut taken = 1;
    for (at, line) in lines.iter().enumerate().skip(1) {
        if line.is_empty() && reader.missing != Some((0, 0)) {
            reader.empty += 1;
            continue;
        }
        if line.starts_with('\\') {
            reader.builder.ends_without_break();
        } else if line.starts_with([' ', '+', '-']) && !is_start(&lines[at..]) {
            reader.take_empty(usize::MAX);
            reader.add(line);
        } else {
            break;
        }
        taken = at + 1;
    }
    // At the end they are context only if the numbers then fit.
    let fits = reader.missing.filter(|(old, new)| old == new && *old <= reader.empty);
    let at_end = fits.map_or(0, |(old, _)| old);
    reader.take_empty(at_end);
    let edit = reader.builder.finish();
    let line = numbers.and_then(|numbers| numbers.line);
    (edit.map(|edit| Edit { line, ..edit }), taken + at_end)
}
