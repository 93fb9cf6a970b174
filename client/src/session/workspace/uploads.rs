//! Files on their way to the relay.

use super::request::known_refusal;
use super::{FileRefusal, FileTree};

/// The number of files that are sent at a time.
const AT_ONCE: usize = 3;
/// The most files that a queue takes.
pub const MOST_UPLOADS: usize = 10_000;

/// A file that somebody has dropped or picked.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedUpload {
    /// The path that it is to have.
    pub path: String,
    /// The length in bytes.
    pub bytes: f64,
    /// True for a directory, which has no content.
    pub is_folder: bool,
    /// True if the browser cannot read it.
    pub is_unreadable: bool,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq)]
pub enum UploadPhase {
    /// It has not been sent.
    Waiting,
    /// It is being sent, and so many bytes of it were.
    Sending(f64),
    /// It is in the workspace.
    Done,
    /// Another file is there, with this hash. Somebody has to decide.
    Taken(String),
    /// It was not put.
    Refused(FileRefusal),
    /// Somebody has given it up.
    Cancelled,
}

/// A file of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadItem {
    /// The path that it is to have.
    pub path: String,
    /// The length in bytes.
    pub bytes: f64,
    /// True for a directory.
    pub is_folder: bool,
    /// How far it is.
    pub phase: UploadPhase,
    /// The hash of the file that it may replace.
    replaces: Option<String>,
}

/// A file to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadOrder {
    /// Its place in the queue.
    pub at: usize,
    /// The path.
    pub path: String,
    /// True for a directory.
    pub is_folder: bool,
    /// The hash that the file there must have; `None` if there must be none.
    pub replaces: Option<String>,
}

/// The state of the whole queue.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct UploadCounts {
    /// All files.
    pub all: usize,
    /// Those in the workspace.
    pub done: usize,
    /// Those that wait or are being sent.
    pub left: usize,
    /// Those of which somebody has to decide whether they replace others.
    pub taken: usize,
    /// Those that were refused.
    pub refused: usize,
    /// The bytes of all that were not given up or refused.
    pub bytes: f64,
    /// The bytes of them that were sent.
    pub sent: f64,
}

/// The files that somebody puts into a workspace.
///
/// After [`UploadQueue::add`], [`UploadQueue::ended`] and every decision, call [`UploadQueue::send_next`] until
/// it returns `None`, and send what it returns. No file replaces another one before somebody says so.
#[derive(Debug, Clone, Default)]
pub struct UploadQueue {
    items: Vec<UploadItem>,
    /// All before this place have been sent at least once, or never will be.
    begun: usize,
}

impl UploadQueue {
    /// Adds files. Returns the number of those for which there is no room in the queue.
    pub fn add(&mut self, wanted: Vec<WantedUpload>) -> usize {
        let room = MOST_UPLOADS.saturating_sub(self.items.len());
        let left_out = wanted.len().saturating_sub(room);
        for WantedUpload { path, bytes, is_folder, is_unreadable } in wanted.into_iter().take(room)
        {
            let refusal = if is_unreadable {
                Some(FileRefusal {
                    code: "unreadable".to_owned(),
                    sentence: "The browser cannot read it. Choose it again.".to_owned(),
                    file: None,
                })
            } else {
                known_refusal(&path, bytes)
            };
            let phase = refusal.map_or(UploadPhase::Waiting, UploadPhase::Refused);
            self.items.push(UploadItem { path, bytes, is_folder, phase, replaces: None });
        }
        left_out
    }

    /// Returns the files, in their order.
    #[must_use]
    pub fn items(&self) -> &[UploadItem] {
        &self.items
    }

    /// Returns true if nothing waits, is being sent, or needs a decision.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let UploadCounts { left, taken, .. } = self.counts();
        left == 0 && taken == 0
    }

    /// Returns the next file to send, unless enough are being sent.
    pub fn send_next(&mut self) -> Option<UploadOrder> {
        let is_sending = |item: &&UploadItem| matches!(item.phase, UploadPhase::Sending(_));
        if self.items.iter().filter(is_sending).count() >= AT_ONCE {
            return None;
        }
        let waits = |item: &UploadItem| item.phase == UploadPhase::Waiting;
        let at = self.begun + self.items.get(self.begun..)?.iter().position(waits)?;
        self.begun = at;
        let item = &mut self.items[at];
        item.phase = UploadPhase::Sending(0.0);
        let UploadItem { path, is_folder, replaces, .. } = item;
        Some(UploadOrder {
            at,
            path: path.clone(),
            is_folder: *is_folder,
            replaces: replaces.clone(),
        })
    }

    /// Notes how much of a file was sent.
    pub fn progress(&mut self, at: usize, bytes: f64) {
        if let Some(UploadItem { phase: UploadPhase::Sending(sent), bytes: all, .. }) =
            self.items.get_mut(at)
        {
            *sent = bytes.min(*all);
        }
    }

    /// Notes the answer of the relay for a file.
    pub fn ended(&mut self, at: usize, outcome: Result<(), FileRefusal>) {
        let Some(item) = self.items.get_mut(at) else { return };
        if !matches!(item.phase, UploadPhase::Sending(_)) {
            return;
        }
        item.phase = match outcome {
            Ok(()) => UploadPhase::Done,
            Err(refusal) => match refusal.file.as_ref().filter(|_| refusal.is_stale()) {
                Some(file) => match (file.hash, item.is_folder) {
                    (None, true) => UploadPhase::Done,
                    (Some(hash), false) => UploadPhase::Taken(hash.to_string()),
                    _ => UploadPhase::Refused(FileRefusal {
                        sentence:
                            "A file and a folder cannot have the same name. Rename one of them."
                                .to_owned(),
                        ..refusal
                    }),
                },
                // What was there is gone.
                None if refusal.is_stale() => {
                    item.replaces = None;
                    UploadPhase::Waiting
                }
                None => UploadPhase::Refused(refusal),
            },
        };
        if item.phase == UploadPhase::Waiting {
            self.begun = self.begun.min(at);
        }
    }

    /// Lets the files whose places are taken replace what is there, as it was told.
    pub fn replace_taken(&mut self) {
        self.decide(|item| {
            if let UploadPhase::Taken(hash) = &item.phase {
                item.replaces = Some(hash.clone());
                item.phase = UploadPhase::Waiting;
            }
        });
    }

    /// Gives the files whose places are taken other names.
    pub fn rename_taken(&mut self, tree: &FileTree) {
        self.decide(|item| {
            if matches!(item.phase, UploadPhase::Taken(_)) {
                item.path = tree.free_path(&item.path);
                item.phase = UploadPhase::Waiting;
            }
        });
    }

    /// Gives up the files whose places are taken.
    pub fn skip_taken(&mut self) {
        self.decide(|item| {
            if matches!(item.phase, UploadPhase::Taken(_)) {
                item.phase = UploadPhase::Cancelled;
            }
        });
    }

    /// Sends again what the relay has refused, or did not answer for.
    pub fn retry(&mut self) {
        self.decide(|item| {
            let may_fit = known_refusal(&item.path, item.bytes).is_none();
            if matches!(&item.phase, UploadPhase::Refused(refusal) if refusal.code != "unreadable")
                && may_fit
            {
                item.phase = UploadPhase::Waiting;
            }
        });
    }

    /// Gives up everything that is not in the workspace. Returns the places of what is being sent.
    pub fn cancel(&mut self) -> Vec<usize> {
        let is_sending = |item: &UploadItem| matches!(item.phase, UploadPhase::Sending(_));
        let sending = (0..self.items.len()).filter(|at| is_sending(&self.items[*at])).collect();
        self.decide(|item| {
            if matches!(
                item.phase,
                UploadPhase::Waiting | UploadPhase::Sending(_) | UploadPhase::Taken(_)
            ) {
                item.phase = UploadPhase::Cancelled;
            }
        });
        sending
    }

    fn decide(&mut self, decision: impl FnMut(&mut UploadItem)) {
        self.items.iter_mut().for_each(decision);
        self.begun = 0;
    }

    /// Counts the files by how far they are.
    #[must_use]
    pub fn counts(&self) -> UploadCounts {
        let mut counts = UploadCounts { all: self.items.len(), ..UploadCounts::default() };
        for item in &self.items {
            let (counter, sent) = match &item.phase {
                UploadPhase::Waiting => (&mut counts.left, Some(0.0)),
                UploadPhase::Sending(sent) => (&mut counts.left, Some(*sent)),
                UploadPhase::Done => (&mut counts.done, Some(item.bytes)),
                UploadPhase::Taken(_) => (&mut counts.taken, None),
                UploadPhase::Refused(_) => (&mut counts.refused, None),
                UploadPhase::Cancelled => continue,
            };
            *counter += 1;
            if let Some(sent) = sent {
                counts.bytes += item.bytes;
                counts.sent += sent;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::tree;
    use super::*;
    use moorline_shared::workspace::{ContentHash, EntryKind, WorkspaceFile};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn wanted(path: &str, bytes: f64) -> WantedUpload {
        WantedUpload {
            path: path.into(),
            bytes,
            is_folder: path.ends_with('/'),
            is_unreadable: false,
        }
    }

    fn queue(paths: &[&str]) -> UploadQueue {
        let mut queue = UploadQueue::default();
        assert_eq!(queue.add(paths.iter().map(|path| wanted(path, 10.0)).collect()), 0);
        queue
    }

    fn refused(code: &str) -> FileRefusal {
        FileRefusal { code: code.into(), ..FileRefusal::default() }
    }

    fn taken(kind: EntryKind) -> FileRefusal {
        let file = WorkspaceFile {
            path: "a".parse().unwrap(),
            kind,
            mode: 0o644,
            size: 1,
            hash: (kind == EntryKind::File).then(|| ContentHash::of(b"x")),
            revision: 2,
            changed_at: 0,
            conflict_of: None,
            deleted: false,
        };
        FileRefusal { file: Some(Box::new(file)), ..refused("stale") }
    }

    #[test]
    fn a_few_files_are_sent_at_a_time() {
        let mut queue = queue(&["a", "b", "c", "d"]);
        let first: Vec<_> =
            std::iter::from_fn(|| queue.send_next()).map(|order| order.at).collect();
        assert_eq!(first, [0, 1, 2]);
        queue.progress(1, 4.0);
        queue.progress(2, 400.0);
        queue.ended(0, Ok(()));
        assert_eq!(queue.send_next().unwrap().path, "d");
        let counts = queue.counts();
        assert_eq!((counts.done, counts.left, counts.sent, counts.bytes), (1, 3, 24.0, 40.0));
        for at in 1..4 {
            queue.ended(at, Ok(()));
        }
        assert!(queue.is_over() && queue.send_next().is_none());
    }

    #[test]
    fn nothing_is_replaced_without_a_decision() {
        let mut queue = queue(&["a", "b", "c"]);
        while queue.send_next().is_some() {}
        for at in 0..3 {
            queue.ended(at, Err(taken(EntryKind::File)));
        }
        assert!(queue.send_next().is_none() && !queue.is_over());
        let mut replaced = queue.clone();
        replaced.replace_taken();
        let order = replaced.send_next().unwrap();
        assert_eq!(order.replaces, Some(ContentHash::of(b"x").to_string()));
        let mut renamed = queue.clone();
        renamed.rename_taken(&tree(&["a", "b"]));
        assert_eq!(renamed.send_next().unwrap().path, "a (2)");
        queue.skip_taken();
        assert!(queue.is_over() && queue.send_next().is_none());
    }

    #[test]
    fn a_refusal_stops_only_its_file() {
        let mut queue = queue(&["a", "b", "c"]);
        queue.add(vec![
            wanted("large", 17e6),
            wanted("x\\y", 1.0),
            WantedUpload { is_unreadable: true, ..wanted("locked", 1.0) },
        ]);
        while queue.send_next().is_some() {}
        queue.ended(0, Err(refused("workspace_full")));
        queue.ended(1, Err(FileRefusal::unreachable()));
        queue.ended(2, Err(taken(EntryKind::Directory)));
        assert_eq!((queue.counts().refused, queue.send_next()), (6, None));
        queue.retry();
        let again: Vec<_> =
            std::iter::from_fn(|| queue.send_next()).map(|order| order.at).collect();
        assert_eq!(again, [0, 1, 2], "what can never be put is not sent");
    }

    #[test]
    fn what_is_given_up_is_aborted() {
        let mut queue = queue(&["a", "b", "c", "d"]);
        queue.send_next();
        queue.send_next();
        assert_eq!(queue.cancel(), [0, 1]);
        // An answer on its way changes nothing.
        queue.ended(0, Ok(()));
        assert_eq!((queue.counts().done, queue.is_over(), queue.send_next()), (0, true, None));
    }

    #[test]
    fn a_folder_that_is_there_is_no_obstacle() {
        let mut queue = UploadQueue::default();
        queue.add(vec![WantedUpload { is_folder: true, ..wanted("d", 0.0) }]);
        queue.send_next();
        queue.ended(0, Err(taken(EntryKind::Directory)));
        assert_eq!(queue.items()[0].phase, UploadPhase::Done);
        let many = (0..MOST_UPLOADS + 5).map(|number| wanted(&number.to_string(), 1.0));
        assert_eq!(queue.add(many.collect()), 6);
    }
}
