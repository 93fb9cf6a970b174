//! The comparison of a folder, its workspace, and the last state that both had.

use std::collections::{BTreeMap, BTreeSet};

use super::{Base, BaseEntry, FileEntry, WorkspacePath};

/// What the relay has, by path. Everything that the folder ignores is left out.
pub type RelayState = BTreeMap<WorkspacePath, BaseEntry>;

/// What a folder has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderState {
    /// Files and directories, by path.
    pub entries: BTreeMap<WorkspacePath, FileEntry>,
    /// Places that are not synced, such as symbolic links, files that are too large and what cannot
    /// be read. Neither they nor what is in them is touched, on either side.
    pub left_out: BTreeSet<WorkspacePath>,
}

/// A step that makes both sides equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncAction {
    /// Change the workspace.
    Push {
        /// The path.
        path: WorkspacePath,
        /// The revision of what the workspace has there.
        base: Option<u64>,
        /// What the folder has there.
        to: Option<FileEntry>,
    },
    /// Change the folder.
    Pull {
        /// The path.
        path: WorkspacePath,
        /// What the folder has there.
        local: Option<FileEntry>,
        /// What it is to have there.
        to: Option<FileEntry>,
        /// What both have then had in common.
        base: Option<BaseEntry>,
    },
    /// Both sides have changed the path: give the folder's version another name, so that the relay's
    /// takes its place.
    MoveAside {
        /// The path.
        path: WorkspacePath,
        /// Its new path.
        to: WorkspacePath,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, sorted by path.
    pub actions: Vec<SyncAction>,
    /// Paths at which both sides are equal, though the base does not say so, with what it is to say.
    pub agreed: Vec<(WorkspacePath, Option<BaseEntry>)>,
}

/// The three states at a path.
#[derive(Debug, Clone, Copy)]
struct Sides {
    local: Option<FileEntry>,
    relay: Option<BaseEntry>,
    base: Option<BaseEntry>,
}

/// What is to become of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathOutcome {
    /// Nothing is to be done.
    Equal,
    /// The folder's version counts.
    Push,
    /// The workspace's version counts; the folder gets this.
    Pull(Option<FileEntry>),
    /// Both count.
    Conflict,
}

/// Plans what makes a folder and its workspace equal.
///
/// A side that has not changed since the base gets the other's version. A change wins against a
/// deletion. Two changes of one file are a conflict: see [`SyncAction::MoveAside`]; if there is one, the
/// plan has nothing else, because it changes what the rest depends on. `host` is for the names of
/// files that are moved aside.
#[must_use]
pub fn plan(base: &Base, folder: &FolderState, relay: &RelayState, host: &str) -> Plan {
    let mut plan = Plan::default();
    let mut paths: BTreeSet<&WorkspacePath> = base.entries.keys().collect();
    paths.extend(folder.entries.keys());
    paths.extend(relay.keys());
    let mut kept = KeptDirectories::new(&folder.left_out);
    // What is in a directory decides whether the directory can go, and comes first.
    for path in paths.into_iter().rev() {
        if is_left_out(path, folder) {
            continue;
        }
        let sides = Sides {
            local: folder.entries.get(path).copied(),
            relay: relay.get(path).copied(),
            base: base.entries.get(path).copied(),
        };
        let outcome = sides.outcome(kept.has_something_in(path));
        if sides.is_kept(outcome) {
            kept.add(path);
        }
        plan.note(path, sides, outcome, folder, relay, host);
    }
    plan.actions.reverse();
    if plan.actions.iter().any(|action| matches!(action, SyncAction::MoveAside { .. })) {
        plan.actions.retain(|action| matches!(action, SyncAction::MoveAside { .. }));
    }
    plan
}

/// The directories in which something is kept.
struct KeptDirectories(BTreeSet<WorkspacePath>);

impl KeptDirectories {
    fn new(left_out: &BTreeSet<WorkspacePath>) -> Self {
        let mut kept = Self(BTreeSet::new());
        left_out.iter().for_each(|path| kept.add(path));
        kept
    }

    fn add(&mut self, path: &WorkspacePath) {
        for parent in path.ancestors() {
            if !self.0.insert(parent) {
                break;
            }
        }
    }

    fn has_something_in(&self, path: &WorkspacePath) -> bool {
        self.0.contains(path)
    }
}

fn is_left_out(path: &WorkspacePath, folder: &FolderState) -> bool {
    if folder.left_out.is_empty() {
        return false;
    }
    folder.left_out.contains(path) || path.ancestors().any(|it| folder.left_out.contains(&it))
}

impl Sides {
    /// Decides what is to become of a path. `is_needed` says that something in it is kept, so that it
    /// must be a directory.
    fn outcome(self, is_needed: bool) -> PathOutcome {
        let relay = self.relay.map(|relay| relay.entry);
        let outcome = self.by_itself();
        if !is_needed {
            return outcome;
        }
        let is_directory =
            |entry: Option<FileEntry>| entry.is_some_and(|entry| entry.is_directory());
        match outcome {
            // Deleted on one side: what is in it keeps it.
            PathOutcome::Push if self.local.is_none() && is_directory(relay) => {
                PathOutcome::Pull(relay)
            }
            PathOutcome::Pull(None) if is_directory(self.local) => PathOutcome::Push,
            // Replaced by a file on one side.
            PathOutcome::Push if is_directory(relay) && !is_directory(self.local) => {
                PathOutcome::Conflict
            }
            PathOutcome::Pull(to) if is_directory(self.local) && !is_directory(to) => {
                PathOutcome::Conflict
            }
            outcome => outcome,
        }
    }

    fn by_itself(self) -> PathOutcome {
        let (local, relay) = (self.local, self.relay.map(|relay| relay.entry));
        let base = self.base.map(|base| base.entry);
        if local == relay {
            return PathOutcome::Equal;
        }
        if local == base {
            return PathOutcome::Pull(relay);
        }
        if relay == base {
            return PathOutcome::Push;
        }
        match (local, relay) {
            // A change wins against a deletion.
            (None, _) => PathOutcome::Pull(relay),
            (_, None) => PathOutcome::Push,
            (Some(local), Some(relay)) => merged(local, relay, base),
        }
    }

    /// Returns true if something is at the path afterwards.
    fn is_kept(self, outcome: PathOutcome) -> bool {
        match outcome {
            PathOutcome::Equal | PathOutcome::Push => self.local.is_some(),
            PathOutcome::Pull(to) => to.is_some(),
            PathOutcome::Conflict => true,
        }
    }
}

/// Merges two changes, as far as they are of different things.
fn merged(local: FileEntry, relay: FileEntry, base: Option<FileEntry>) -> PathOutcome {
    if local.has_content_of(&relay) {
        // Only the modes differ: the one that has changed counts, or else the relay's.
        let mode = base.map(|base| base.mode()).filter(|base| *base == relay.mode());
        let mode = mode.map_or(relay.mode(), |_| local.mode());
        return PathOutcome::Pull(Some(relay.with_mode(mode)));
    }
    let Some(base) = base else { return PathOutcome::Conflict };
    if local.has_content_of(&base) {
        // The folder has changed the mode, and the relay the content.
        return PathOutcome::Pull(Some(relay.with_mode(local.mode())));
    }
    if relay.has_content_of(&base) {
        return PathOutcome::Pull(Some(local.with_mode(relay.mode())));
    }
    PathOutcome::Conflict
}

impl Plan {
    fn note(
        &mut self,
        path: &WorkspacePath,
        sides: Sides,
        outcome: PathOutcome,
        folder: &FolderState,
        relay: &RelayState,
        host: &str,
    ) {
        let path = path.clone();
        match outcome {
            PathOutcome::Equal if sides.base != sides.relay => {
                self.agreed.push((path, sides.relay))
            }
            PathOutcome::Equal => {}
            PathOutcome::Push => {
                let base = sides.relay.map(|relay| relay.revision);
                self.actions.push(SyncAction::Push { path, base, to: sides.local });
            }
            PathOutcome::Pull(to) => {
                let (local, base) = (sides.local, sides.relay);
                self.actions.push(SyncAction::Pull { path, local, to, base });
            }
            PathOutcome::Conflict => {
                let is_taken = |to: &WorkspacePath| {
                    folder.entries.contains_key(to)
                        || relay.contains_key(to)
                        || folder.left_out.contains(to)
                };
                let names = (1..=u32::MAX).map(|number| path.conflict(host, number));
                let to = names.into_iter().find(|to| !is_taken(to));
                self.actions.extend(to.map(|to| SyncAction::MoveAside { path, to }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<&str> = Some("a");
    const B: Option<&str> = Some("b");
    const C: Option<&str> = Some("c");

    fn entry(content: &str) -> FileEntry {
        match content {
            "/" => FileEntry::Directory { mode: 0o755 },
            content => FileEntry::file(0o644, content.as_bytes()),
        }
    }

    fn path(text: &str) -> WorkspacePath {
        text.parse().unwrap()
    }

    type Triple<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);

    /// Plans for paths with the contents of base, folder and relay; `/` is a directory.
    fn planned(triples: &[Triple<'_>], left_out: &[&str]) -> Plan {
        let (mut base, mut folder, mut relay) =
            (Base::default(), FolderState::default(), RelayState::new());
        for (name, before, local, there) in triples {
            let at = |content: &str, revision| BaseEntry { entry: entry(content), revision };
            base.entries.extend(before.map(|content| (path(name), at(content, 1))));
            folder.entries.extend(local.map(|content| (path(name), entry(content))));
            let revision = if there == before { 1 } else { 2 };
            relay.extend(there.map(|content| (path(name), at(content, revision))));
        }
        folder.left_out.extend(left_out.iter().map(|name| path(name)));
        plan(&base, &folder, &relay, "h")
    }

    /// Returns the actions in short: `path>` for a push, `path<` for a pull, `path!` for a conflict.
    fn short(triples: &[Triple<'_>]) -> String {
        shortly(&planned(triples, &[]))
    }

    fn shortly(plan: &Plan) -> String {
        let shown = plan.actions.iter().map(|action| match action {
            SyncAction::Push { path, to, .. } => {
                format!("{path}>{}", if to.is_none() { "-" } else { "" })
            }
            SyncAction::Pull { path, to, .. } => {
                format!("{path}<{}", if to.is_none() { "-" } else { "" })
            }
            SyncAction::MoveAside { path, to } => format!("{path}!{to}"),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_side_that_has_not_changed_follows() {
        for (base, local, relay, done) in [
            (None, A, None, "f>"),
            (None, None, A, "f<"),
            (A, B, A, "f>"),
            (A, A, B, "f<"),
            (A, None, A, "f>-"),
            (A, A, None, "f<-"),
            // A change wins against a deletion.
            (A, B, None, "f>"),
            (A, None, B, "f<"),
            // Equal, however it came about.
            (A, B, B, ""),
            (None, A, A, ""),
            (A, None, None, ""),
            // Both versions are kept.
            (A, B, C, "f!f.conflict-h-1"),
            (None, A, B, "f!f.conflict-h-1"),
        ] {
            assert_eq!(short(&[("f", base, local, relay)]), done, "{base:?} {local:?} {relay:?}");
        }
    }

    #[test]
    fn what_became_equal_is_remembered() {
        let plan = planned(&[("new", None, A, A), ("gone", A, None, None), ("same", A, A, A)], &[]);
        let agreed: Vec<_> =
            plan.agreed.iter().map(|(path, it)| (path.as_str(), it.is_some())).collect();
        assert_eq!(agreed, [("new", true), ("gone", false)]);
    }

    #[test]
    fn what_is_in_a_directory_keeps_it() {
        let directory = Some("/");
        // Deleted at the relay, with a new file in the folder; and the other way round.
        let here = [("d", directory, directory, None), ("d/f", None, A, None)];
        assert_eq!(short(&here), "d> d/f>");
        let there = [("d", directory, None, directory), ("d/f", None, None, A)];
        assert_eq!(short(&there), "d< d/f<");
        // Deleted with everything that was in it.
        let gone = [("d", directory, directory, None), ("d/f", A, A, None)];
        assert_eq!(short(&gone), "d<- d/f<-");
    }

    #[test]
    fn a_file_takes_the_place_of_a_directory_in_which_nothing_is_kept() {
        let directory = Some("/");
        assert_eq!(short(&[("d", directory, directory, A), ("d/f", A, A, None)]), "d< d/f<-");
        assert_eq!(short(&[("d", directory, A, directory), ("d/f", A, None, A)]), "d> d/f>-");
        // Something new in it is kept under another name.
        let new_here = [("d", directory, directory, A), ("d/f", A, B, None)];
        assert_eq!(short(&new_here), "d!d.conflict-h-1");
        let new_there = [("d", directory, A, directory), ("d/f", A, None, B)];
        assert_eq!(short(&new_there), "d!d.conflict-h-1");
    }

    #[test]
    fn modes_and_contents_are_merged() {
        let (mut base, mut folder, mut relay) =
            (Base::default(), FolderState::default(), RelayState::new());
        let at = |entry, revision| BaseEntry { entry, revision };
        let executable = entry("a").with_mode(0o755);
        base.entries.insert(path("f"), at(entry("a"), 1));
        let mut pulled = |local: FileEntry, there: FileEntry| {
            folder.entries.insert(path("f"), local);
            relay.insert(path("f"), at(there, 2));
            match &plan(&base, &folder, &relay, "h").actions[..] {
                [SyncAction::Pull { to: Some(to), .. }] => *to,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(pulled(executable, entry("b")), entry("b").with_mode(0o755));
        assert_eq!(pulled(entry("b"), executable), entry("b").with_mode(0o755));
        assert_eq!(pulled(entry("a").with_mode(0o600), executable), executable);
    }

    #[test]
    fn what_is_left_out_is_touched_on_neither_side() {
        let triples = [("l", A, None, B), ("l/f", A, None, A), ("d", Some("/"), Some("/"), None)];
        assert_eq!(shortly(&planned(&triples, &["l", "d/x"])), "d>");
        let taken = [("f", A, B, C)];
        let plan = planned(&taken, &["f.conflict-h-1"]);
        assert_eq!(shortly(&plan), "f!f.conflict-h-2");
    }
}
