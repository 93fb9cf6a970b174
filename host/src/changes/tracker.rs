//! Tracks the changes of one session: those of each turn, and those that were kept or reverted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use moorline_shared::change::{
    ChangeAction, ChangeGap, ChangeResult, ChangedFile, ChangesAnswer, ChangesQuestion, FileFate,
    ListedChanges, PlannedChange,
};
use moorline_shared::event::AgentChanges;
use moorline_shared::id::TurnId;
use moorline_shared::limits::{CHANGED_FILES, OPERATION_DIFF_BYTES, OPERATIONS_DIFF_BYTES};
use rusqlite::Connection;

use super::comparison::Comparison;
use super::error::ChangesError;
use super::listing::WatchedFolders;
use super::sight::look;
use super::tables::{self, ChangeTables, Fact};

/// Time after which further files are listed without their hunks.
const DIFF_LIMIT: Duration = Duration::from_secs(5);

/// The changes of one session. Its methods block.
#[derive(Debug)]
pub(super) struct ChangeTracker {
    /// The file of the tables; empty for one that ends with this process.
    file: PathBuf,
    /// The session's folder, and the further ones.
    paths: Vec<PathBuf>,
    /// The host's own folder.
    excluded: Option<PathBuf>,
    /// The open tables, once there are some.
    connection: Option<Connection>,
    is_over: bool,
}

impl ChangeTracker {
    pub(super) const fn new(file: PathBuf, paths: Vec<PathBuf>, excluded: Option<PathBuf>) -> Self {
        Self { file, paths, excluded, connection: None, is_over: false }
    }

    /// Ends the turn that runs, if it is another one, and begins this one. Returns what has changed
    /// if a turn was ended. A turn that has begun already is left as it is, so that this may be
    /// repeated.
    pub(super) fn reach(
        &mut self,
        turn: Option<&TurnId>,
    ) -> Result<Option<AgentChanges>, ChangesError> {
        let folders = self.folders()?;
        let Some(connection) = self.open(turn.is_some())? else { return Ok(None) };
        let transaction = connection.transaction()?;
        let tables = ChangeTables(&transaction);
        let running = tables.fact(Fact::Turn)?;
        if running.as_deref() == turn.map(TurnId::as_str) {
            return Ok(None);
        }
        if let Some(running) = &running {
            look(tables, &folders, Some(running))?;
        }
        if turn.is_some() {
            look(tables, &folders, None)?;
        }
        tables.set(Fact::Turn, turn.map(TurnId::as_str))?;
        let report = match running {
            Some(ended) => {
                let report = report(tables, &folders)?;
                Some(AgentChanges { turn_id: ended.parse().ok(), ..report })
            }
            None => None,
        };
        transaction.commit()?;
        Ok(report)
    }

    /// Records that an agent could begin before its files were known.
    pub(super) fn be_late(&mut self) -> Result<(), ChangesError> {
        match self.open(true)? {
            Some(connection) => ChangeTables(connection).set(Fact::Late, Some("")),
            None => Ok(()),
        }
    }

    /// Answers a question, and returns what has changed, if anything was kept or reverted.
    pub(super) fn answer(
        &mut self,
        question: ChangesQuestion,
    ) -> Result<(ChangesAnswer, Option<AgentChanges>), ChangesError> {
        if self.is_over {
            return Err(ChangesError::Over);
        }
        match question {
            ChangesQuestion::List => Ok((ChangesAnswer::Listed(self.list()?), None)),
            ChangesQuestion::Settle { keep, revert } => {
                let (results, report) = self.settle(&keep, &revert)?;
                Ok((ChangesAnswer::Settled { results }, report))
            }
        }
    }

    fn list(&mut self) -> Result<ListedChanges, ChangesError> {
        let folders = self.folders()?;
        let Some(connection) = self.open(false)? else {
            return Ok(ListedChanges { complete: true, ..ListedChanges::default() });
        };
        let transaction = connection.transaction()?;
        look_within_turn(ChangeTables(&transaction), &folders)?;
        listed(ChangeTables(&transaction), &folders)
    }

    fn settle(
        &mut self,
        keep: &[PlannedChange],
        revert: &[PlannedChange],
    ) -> Result<(Vec<ChangeResult>, Option<AgentChanges>), ChangesError> {
        let folders = self.folders()?;
        let keep = keep.iter().map(|planned| (ChangeAction::Keep, planned));
        let all = keep.chain(revert.iter().map(|planned| (ChangeAction::Revert, planned)));
        let Some(connection) = self.open(false)? else {
            let none = |(action, planned)| result(action, planned, Err(ChangesError::NotChanged));
            return Ok((all.map(none).collect(), None));
        };
        let listed = touched(connection, &folders)?;
        let mut results = Vec::new();
        for (action, planned) in all {
            // Each is stored with the file that it changes.
            let transaction = connection.transaction()?;
            let done = match listed.contains(&planned.path) {
                true => settle_one(ChangeTables(&transaction), &folders, action, planned),
                false => Err(ChangesError::NotChanged),
            };
            if done.is_ok() {
                transaction.commit()?;
            }
            results.push(result(action, planned, done));
        }
        let report = report(ChangeTables(connection), &folders)?;
        Ok((results, Some(report)))
    }

    /// Forgets everything.
    pub(super) fn remove(&mut self) {
        self.is_over = true;
        self.connection = None;
        tables::remove(&self.file);
    }

    fn folders(&self) -> Result<WatchedFolders, ChangesError> {
        let opened = WatchedFolders::open(&self.paths, self.excluded.as_deref());
        opened.map_err(ChangesError::Folder)
    }

    /// Opens the tables, if there are some or `creates` is true.
    fn open(&mut self, creates: bool) -> Result<Option<&mut Connection>, ChangesError> {
        if self.is_over {
            return Err(ChangesError::Over);
        }
        if self.connection.is_none() && (creates || self.file.exists()) {
            if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty())
            {
                crate::folder::keep_private(folder).map_err(ChangesError::Io)?;
            }
            self.connection = Some(tables::open(&self.file)?);
        }
        Ok(self.connection.as_mut())
    }
}

/// Adds what the turn that runs has changed so far. That is only recorded at its end, so the
/// transaction must not be committed.
fn look_within_turn(
    tables: ChangeTables<'_>,
    folders: &WatchedFolders,
) -> Result<(), ChangesError> {
    match tables.fact(Fact::Turn)? {
        Some(running) => look(tables, folders, Some(&running)),
        None => Ok(()),
    }
}

/// Returns the files that have changed.
fn touched(
    connection: &mut Connection,
    folders: &WatchedFolders,
) -> Result<BTreeSet<String>, ChangesError> {
    let transaction = connection.transaction()?;
    look_within_turn(ChangeTables(&transaction), folders)?;
    Ok(ChangeTables(&transaction).touched()?.into_iter().collect())
}

fn result(
    action: ChangeAction,
    planned: &PlannedChange,
    done: Result<(), ChangesError>,
) -> ChangeResult {
    let error = done.err();
    ChangeResult {
        success: error.is_none(),
        action,
        path: planned.path.clone(),
        code: error.as_ref().map(|error| error.code().to_owned()),
        message: error.map(|error| error.to_string()),
    }
}

fn settle_one(
    tables: ChangeTables<'_>,
    folders: &WatchedFolders,
    action: ChangeAction,
    planned: &PlannedChange,
) -> Result<(), ChangesError> {
    let path = &planned.path;
    let found = Comparison::of(tables, folders, path)?;
    if found.fate().is_none() {
        return Err(ChangesError::NotChanged);
    }
    if found.before() != planned.before.as_deref() {
        return Err(ChangesError::Stale);
    }
    let hunks = planned.hunks.as_deref();
    let is_settled = match action {
        ChangeAction::Keep => found.keep(tables, path, hunks)?,
        ChangeAction::Revert => found.revert(folders, path, hunks)?,
    };
    if is_settled { tables.untouch(path) } else { Ok(()) }
}

/// Returns the numbers of what has changed.
fn report(
    tables: ChangeTables<'_>,
    folders: &WatchedFolders,
) -> Result<AgentChanges, ChangesError> {
    let until = Instant::now() + DIFF_LIMIT;
    let mut report = AgentChanges::default();
    for path in tables.touched()? {
        let found = match Comparison::of(tables, folders, &path) {
            Ok(found) if found.fate().is_none() => continue,
            found => found.ok(),
        };
        report.files += 1;
        if let Some(hunks) = found.as_ref().and_then(|found| found.hunks(until)) {
            let (added, removed) = hunks.lines();
            report.added += added;
            report.removed += removed;
        }
    }
    report.incomplete = !gaps(tables, folders)?.is_empty();
    Ok(report)
}

fn listed(
    tables: ChangeTables<'_>,
    folders: &WatchedFolders,
) -> Result<ListedChanges, ChangesError> {
    let (mut room, until) = (OPERATIONS_DIFF_BYTES, Instant::now() + DIFF_LIMIT);
    let mut list = ListedChanges::default();
    for path in tables.touched()? {
        let found = Comparison::of(tables, folders, &path);
        let fate = match &found {
            Ok(found) => found.fate(),
            Err(_) => Some(FileFate::Modified),
        };
        let Some(state) = fate else { continue };
        list.count += 1;
        if list.files.len() >= CHANGED_FILES {
            list.truncated = true;
            continue;
        }
        let mut file = ChangedFile {
            state,
            turn_ids: tables.turns(&path)?,
            path,
            before: None,
            binary: false,
            code: None,
            message: None,
            hunks: Vec::new(),
            truncated: false,
        };
        let problem = match found {
            Ok(found) => {
                describe(&mut file, &found, &mut room, until);
                found.problem()
            }
            Err(error) => Some(error),
        };
        file.code = problem.as_ref().map(|problem| problem.code().to_owned());
        file.message = problem.map(|problem| problem.to_string());
        list.files.push(file);
    }
    list.gaps = gaps(tables, folders)?;
    list.complete = list.gaps.is_empty();
    Ok(list)
}

/// Adds the hunks of a file, within the room of all files.
fn describe(file: &mut ChangedFile, found: &Comparison, room: &mut usize, until: Instant) {
    file.before = found.before().map(str::to_owned);
    file.binary = found.is_binary();
    if let Some(hunks) = found.hunks(until) {
        let mut own = OPERATION_DIFF_BYTES.min(*room);
        let before = own;
        file.hunks = hunks.shown(&mut own);
        *room -= before - own;
        file.truncated = file.hunks.len() < hunks.len();
    } else {
        file.truncated = !file.binary && found.problem().is_none();
    }
}

fn gaps(
    tables: ChangeTables<'_>,
    folders: &WatchedFolders,
) -> Result<Vec<ChangeGap>, ChangesError> {
    let gaps = [
        (
            folders.is_broad,
            "broad_folder",
            "The session works in your home folder, or one above it: \
            start it in the folder of a project.",
        ),
        (
            tables.is_set(Fact::Cut)?,
            "too_many_files",
            "The folder has too many files: only the \
            first 20,000 are watched.",
        ),
        (tables.is_set(Fact::Late)?, "late", "The agent began to work before all files were read."),
        (
            tables.lacks_content()?,
            "not_kept",
            "Some files are too large, or too many, to keep what \
            they contained: they cannot be reverted.",
        ),
        (tables.is_set(Fact::Partial)?, "unreadable", "Some files or folders cannot be read."),
    ];
    let gap = |(is_there, code, message): (bool, &str, &str)| {
        is_there.then(|| ChangeGap { code: code.to_owned(), message: message.to_owned() })
    };
    Ok(gaps.into_iter().filter_map(gap).collect())
}
