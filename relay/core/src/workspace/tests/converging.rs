//! Invariant 10, by random operations: two folders in sync with one workspace, whose rounds are cut
//! anywhere, while files change under them and bases are lost. In the end all three are equal, and no
//! version is lost that nobody has seen.

use std::collections::{BTreeMap, BTreeSet};

use moorline_shared::failure::HostFailure;
use moorline_shared::workspace::wire::{WorkspaceAnswer, WorkspaceRequest};
use moorline_shared::workspace::{
    Base, BaseEntry, FolderState, FolderStep, FolderStepResult, RelayState, RoundReport, RoundStep,
    SyncRound, WorkspacePath,
};
use proptest::prelude::*;

use super::*;

/// Where files and directories may be.
const PATHS: [&str; 8] = ["a", "b", "d", "d/x", "d/y", "d/e", "d/e/z", "f.txt"];

/// What is at a path of a folder: a directory has no content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    mode: u32,
    content: Option<Bytes>,
}

impl Node {
    fn entry(&self) -> FileEntry {
        match &self.content {
            Some(content) => FileEntry::file(self.mode, content),
            None => FileEntry::Directory { mode: self.mode },
        }
    }
}

fn missing_directory() -> FolderStepResult {
    FolderStepResult::Failed(HostFailure::new("folder_failed", "its directory is not there"))
}

/// A folder on some host.
struct Side {
    name: &'static str,
    nodes: BTreeMap<WorkspacePath, Node>,
    base: Base,
    /// The base as it was stored some time ago.
    old: Base,
}

/// A change that somebody makes in a folder.
#[derive(Debug, Clone)]
enum Edit {
    Write(usize),
    Delete(usize),
    MakeDirectory(usize),
    SetMode(usize, u32),
    Rename(usize, usize),
}

/// What becomes of the base.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Kept,
    Old,
    Lost,
}

#[derive(Debug, Clone)]
enum Event {
    Edit(usize, Edit),
    /// A round of a side. It is cut before this step, or after it was done and before that was
    /// reported. Somebody may change the folder before another step.
    SyncRound {
        side: usize,
        cut: Option<(usize, bool)>,
        meanwhile: Option<(usize, Edit)>,
        fate: Fate,
    },
}

struct World {
    fixture: Fixture,
    sides: [Side; 2],
    /// The number of contents that were written.
    written: usize,
    /// Contents that were replaced or deleted by a side that had them.
    seen: BTreeSet<Bytes>,
    /// All contents.
    contents: Vec<Bytes>,
}

impl World {
    fn new() -> Self {
        let side = |name| Side {
            name,
            nodes: BTreeMap::new(),
            base: Base::default(),
            old: Base::default(),
        };
        Self {
            fixture: Fixture::new(),
            sides: [side("one"), side("two")],
            written: 0,
            seen: BTreeSet::new(),
            contents: Vec::new(),
        }
    }

    fn edit(&mut self, side: usize, edit: &Edit) {
        let at = |number: usize| PATHS[number % PATHS.len()].parse::<WorkspacePath>().unwrap();
        match *edit {
            Edit::Write(number) => {
                let (path, content) = (at(number), self.content());
                self.replace(side, &path, Node { mode: 0o644, content: Some(content) });
            }
            Edit::MakeDirectory(number) => {
                let path = at(number);
                self.replace(side, &path, Node { mode: 0o755, content: None });
            }
            Edit::Delete(number) => self.remove(side, &at(number)),
            Edit::SetMode(number, mode) => {
                if let Some(node) = self.sides[side].nodes.get_mut(&at(number)) {
                    node.mode = mode;
                }
            }
            Edit::Rename(from, to) => {
                let (from, to) = (at(from), at(to));
                if from != to && !to.is_in(&from) && self.sides[side].nodes.contains_key(&from) {
                    self.rename(side, &from, &to);
                }
            }
        }
    }

    fn content(&mut self) -> Bytes {
        self.written += 1;
        // Some are empty or equal in part, but each is another.
        let content = Bytes::from(format!("version {}", self.written));
        self.contents.push(content.clone());
        content
    }

    /// Puts something at a path, with directories that lead there, in place of whatever is there.
    fn replace(&mut self, side: usize, path: &WorkspacePath, node: Node) {
        for parent in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let is_directory =
                self.sides[side].nodes.get(&parent).is_some_and(|node| node.content.is_none());
            if !is_directory {
                self.remove(side, &parent);
                self.sides[side].nodes.insert(parent, Node { mode: 0o755, content: None });
            }
        }
        if node.content.is_some()
            || self.sides[side].nodes.get(path).is_none_or(|it| it.content.is_some())
        {
            self.remove(side, path);
            self.sides[side].nodes.insert(path.clone(), node);
        }
    }

    fn remove(&mut self, side: usize, path: &WorkspacePath) {
        let nodes = &mut self.sides[side].nodes;
        let gone: Vec<_> =
            nodes.keys().filter(|other| *other == path || other.is_in(path)).cloned().collect();
        for path in gone {
            let node = nodes.remove(&path);
            self.seen.extend(node.and_then(|node| node.content));
        }
    }

    fn rename(&mut self, side: usize, from: &WorkspacePath, to: &WorkspacePath) {
        let nodes = &self.sides[side].nodes;
        let moved: Vec<_> = nodes
            .iter()
            .filter(|(path, _)| *path == from || path.is_in(from))
            .map(|(path, node)| (path.clone(), node.clone()))
            .collect();
        self.sides[side].nodes.retain(|path, _| path != from && !path.is_in(from));
        for (path, node) in moved {
            self.replace(side, &path.moved(from, to).unwrap(), node);
        }
    }

    /// Runs a round of a side. Returns what it has done.
    fn round(
        &mut self,
        number: usize,
        cut: Option<(usize, bool)>,
        meanwhile: Option<(usize, &Edit)>,
    ) -> RoundReport {
        let relay = self.relay();
        let side = &self.sides[number];
        let entries = side.nodes.iter().map(|(path, node)| (path.clone(), node.entry()));
        let folder = FolderState { entries: entries.collect(), ..FolderState::default() };
        let mut round =
            SyncRound::begin(side.base.clone(), &folder, relay, side.name, |_, _| false);
        for step in 0.. {
            assert!(step < 10_000, "a round without an end");
            if let Some((_, edit)) = meanwhile.filter(|(at, _)| *at == step) {
                self.edit(number, edit);
            }
            let wanted = round.poll_step();
            assert_eq!(round.poll_step(), wanted, "a spurious call is harmless");
            let cut = cut.filter(|(at, _)| *at == step);
            if wanted == RoundStep::Done || cut.is_some_and(|(_, is_done)| !is_done) {
                break;
            }
            match wanted {
                RoundStep::Ask(request) => {
                    let answer = self.ask(&request);
                    if cut.is_some() {
                        break;
                    }
                    round.answered(answer);
                }
                RoundStep::Folder(wanted) => {
                    let result = self.sides[number].step(wanted);
                    if cut.is_some() {
                        break;
                    }
                    round.did(result);
                }
                RoundStep::Done => {}
            }
        }
        let (base, _, report) = round.finish();
        self.sides[number].base = base;
        report
    }

    fn ask(&self, request: &WorkspaceRequest) -> WorkspaceAnswer {
        // As it would travel.
        match WorkspaceRequest::decode(request.encode()).unwrap() {
            WorkspaceRequest::Apply { changes } => {
                WorkspaceAnswer::Applied { results: self.fixture.apply(&changes) }
            }
            WorkspaceRequest::Contents { hashes } => {
                let contents = self.fixture.workspace().contents(&hashes).unwrap();
                WorkspaceAnswer::decode(WorkspaceAnswer::Contents { contents }.encode()).unwrap()
            }
            WorkspaceRequest::Tree { since, .. } => {
                WorkspaceAnswer::Tree { tree: self.fixture.tree(since) }
            }
        }
    }

    fn relay(&self) -> RelayState {
        let files = self.fixture.tree(None).files.into_iter();
        let entry = |file: &WorkspaceFile| file.entry().unwrap();
        files
            .map(|file| {
                (file.path.clone(), BaseEntry { entry: entry(&file), revision: file.revision })
            })
            .collect()
    }

    fn run(&mut self, event: &Event) {
        match event {
            Event::Edit(side, edit) => self.edit(*side, edit),
            Event::SyncRound { side, cut, meanwhile, fate } => {
                let before = self.sides[*side].base.clone();
                let meanwhile = meanwhile.as_ref().map(|(step, edit)| (*step, edit));
                self.round(*side, *cut, meanwhile);
                let side = &mut self.sides[*side];
                match fate {
                    Fate::Kept => {}
                    Fate::Old => side.base = std::mem::replace(&mut side.old, before),
                    Fate::Lost => side.base = Base::default(),
                }
            }
        }
    }

    /// Runs rounds of both sides until they have nothing to do.
    fn settle(&mut self) {
        for _ in 0..40 {
            let done = [self.round(0, None, None), self.round(1, None, None)];
            if done.iter().all(|report| *report == RoundReport::default()) {
                return;
            }
        }
        panic!(
            "the sides do not become equal: {:?}",
            self.sides.each_ref().map(|side| &side.nodes)
        );
    }

    fn check(&self) {
        self.fixture.check();
        let relay: BTreeMap<_, _> =
            self.relay().into_iter().map(|(path, it)| (path, it.entry)).collect();
        for side in &self.sides {
            let nodes = side.nodes.iter().map(|(path, node)| (path.clone(), node.entry()));
            assert_eq!(nodes.collect::<BTreeMap<_, _>>(), relay, "{}", side.name);
        }
        let there: BTreeSet<_> =
            self.sides[0].nodes.values().filter_map(|node| node.content.clone()).collect();
        for content in &self.contents {
            assert!(
                there.contains(content) || self.seen.contains(content),
                "{content:?} is lost, and nobody who has seen it replaced it"
            );
        }
    }
}

impl Side {
    /// Does a step as a host does.
    fn step(&mut self, step: FolderStep) -> FolderStepResult {
        let is_as = |nodes: &BTreeMap<WorkspacePath, Node>, path, expect: Option<FileEntry>| {
            nodes.get(path).map(Node::entry) == expect
        };
        let has_any_in = |nodes: &BTreeMap<WorkspacePath, Node>, path: &WorkspacePath| {
            nodes.keys().any(|other| other.is_in(path))
        };
        let nodes = &mut self.nodes;
        match step {
            FolderStep::Read { path, expect } => match nodes.get(&path) {
                Some(node) if node.entry() == expect => {
                    FolderStepResult::Content(node.content.clone().unwrap())
                }
                _ => FolderStepResult::Changed,
            },
            FolderStep::Write { path, expect, to, content } => {
                if !is_as(nodes, &path, expect) || has_any_in(nodes, &path) {
                    return FolderStepResult::Changed;
                }
                let parent = path.parent().map(|parent| nodes.get(&parent).cloned());
                if parent.is_some_and(|parent| parent.is_none_or(|it| it.content.is_some())) {
                    return missing_directory();
                }
                assert_eq!(FileEntry::file(to.mode(), &content), to);
                nodes.insert(path, Node { mode: to.mode(), content: Some(content) });
                FolderStepResult::Done
            }
            FolderStep::SetMode { path, expect, mode } => {
                if !is_as(nodes, &path, Some(expect)) {
                    return FolderStepResult::Changed;
                }
                nodes.get_mut(&path).unwrap().mode = mode;
                FolderStepResult::Done
            }
            FolderStep::MakeDirectory { path, expect, mode } => {
                if !is_as(nodes, &path, expect) {
                    return FolderStepResult::Changed;
                }
                let parent = path.parent().map(|parent| nodes.get(&parent).cloned());
                if parent.is_some_and(|parent| parent.is_none_or(|it| it.content.is_some())) {
                    return missing_directory();
                }
                nodes.insert(path, Node { mode, content: None });
                FolderStepResult::Done
            }
            FolderStep::Remove { path, expect } => {
                if !is_as(nodes, &path, Some(expect)) || has_any_in(nodes, &path) {
                    return FolderStepResult::Changed;
                }
                nodes.remove(&path);
                FolderStepResult::Done
            }
            FolderStep::MoveAside { path, to } => {
                if nodes.contains_key(&to) || !nodes.contains_key(&path) {
                    return FolderStepResult::Changed;
                }
                let moved: Vec<_> =
                    nodes.keys().filter(|it| **it == path || it.is_in(&path)).cloned().collect();
                for each in moved {
                    let node = nodes.remove(&each).unwrap();
                    nodes.insert(each.moved(&path, &to).unwrap(), node);
                }
                FolderStepResult::Done
            }
        }
    }
}

fn edits() -> impl Strategy<Value = Edit> {
    let path = || 0..PATHS.len();
    prop_oneof![
        4 => path().prop_map(Edit::Write),
        2 => path().prop_map(Edit::Delete),
        1 => path().prop_map(Edit::MakeDirectory),
        1 => (path(), prop::sample::select(vec![0o600, 0o644, 0o755])).prop_map(|(at, mode)| Edit::SetMode(at, mode)),
        2 => (path(), path()).prop_map(|(from, to)| Edit::Rename(from, to)),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let fates = prop_oneof![6 => Just(Fate::Kept), 1 => Just(Fate::Old), 1 => Just(Fate::Lost)];
    let cut = prop::option::of((0..12_usize, any::<bool>()));
    let meanwhile = prop::option::of((0..12_usize, edits()));
    prop_oneof![
        3 => (0..2_usize, edits()).prop_map(|(side, edit)| Event::Edit(side, edit)),
        2 => (0..2_usize, cut, meanwhile, fates)
            .prop_map(|(side, cut, meanwhile, fate)| Event::SyncRound { side, cut, meanwhile, fate }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn folders_become_equal_and_no_version_is_lost(events in prop::collection::vec(events(), 1..40)) {
        let mut world = World::new();
        events.iter().for_each(|event| world.run(event));
        world.settle();
        world.check();
    }
}
