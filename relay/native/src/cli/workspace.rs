//! `moorline workspace`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use moorline_host::workspace::{Direction, FolderSync, SyncState, SyncedFolder, WorkspaceRemote};
use moorline_shared::id::WorkspaceId;
use moorline_shared::rest::{CreateWorkspace, WorkspaceSummary};
use moorline_shared::workspace::RoundReport;
use tokio::runtime::Runtime;

use super::relay::{Relay, RelayOptions};
use super::sessions::table;
use crate::console;
use crate::signals::Signals;

/// The exit status of a command that has left something undone.
const INCOMPLETE: u8 = 2;

/// Keep files on the relay, in sync with folders.
///
/// `moorline new --workspace ID` starts a session that works with the files of one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline workspace create notes
  moorline workspace push notes ~/notes    put the folder's files into it
  moorline workspace watch notes ~/notes   keep both in sync, until Ctrl-C
  moorline new --workspace notes           a shell in a folder with its files

Files that .moorlineignore lists, in git's syntax, are not synced, nor is .git. The exit status is 2 if some
files could not be synced.")]
pub(super) struct WorkspaceOptions {
    #[command(subcommand)]
    command: WorkspaceCommand,
}

#[derive(Debug, Subcommand)]
enum WorkspaceCommand {
    /// List the workspaces.
    #[command(visible_alias = "ls")]
    List {
        /// Print JSON, one workspace a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        relay: RelayOptions,
    },
    /// Create a workspace, and print its id.
    Create {
        /// The name of the workspace.
        name: Option<String>,
        #[command(flatten)]
        relay: RelayOptions,
    },
    /// Delete a workspace with its files.
    Delete {
        /// The workspace, by id or name.
        workspace: String,
        #[command(flatten)]
        relay: RelayOptions,
    },
    /// Get the files of a workspace into a folder, once. Files that are only there stay; one that
    /// differs gets another name.
    Pull(TransferOptions),
    /// Put the files of a folder into a workspace, once. They replace those that differ; files that
    /// are only in the workspace stay.
    Push(TransferOptions),
    /// Keep a folder and a workspace in sync, both ways, until Ctrl-C.
    Watch(TransferOptions),
}

#[derive(Debug, clap::Args)]
struct TransferOptions {
    /// The workspace, by id or name.
    workspace: String,
    /// The folder.
    #[arg(default_value = ".", value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
    #[command(flatten)]
    relay: RelayOptions,
}

pub(super) fn run(options: WorkspaceOptions) -> anyhow::Result<ExitCode> {
    match options.command {
        WorkspaceCommand::List { json, relay } => list(&relay.connect()?, json),
        WorkspaceCommand::Create { name, relay } => {
            let wanted = CreateWorkspace { name, ..CreateWorkspace::default() };
            let made = relay.connect()?.create_workspace(&wanted)?;
            console::print(&format!("{}\n", made.id))?;
            Ok(ExitCode::SUCCESS)
        }
        WorkspaceCommand::Delete { workspace, relay } => {
            let relay = relay.connect()?;
            let id = relay.find_workspace(&workspace)?;
            relay.delete_workspace(&id)?;
            console::print(&format!("{id}\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        WorkspaceCommand::Pull(options) => transfer(&options, Direction::Pull),
        WorkspaceCommand::Push(options) => transfer(&options, Direction::Push),
        WorkspaceCommand::Watch(options) => watch(&options),
    }
}

fn list(relay: &Relay, json: bool) -> anyhow::Result<ExitCode> {
    let workspaces = relay.workspaces()?;
    let mut text = String::new();
    if json {
        for workspace in &workspaces {
            text += &serde_json::to_string(workspace)?;
            text.push('\n');
        }
    } else {
        let row = |it: &WorkspaceSummary| {
            let project = it.project.as_ref().map_or("-", |project| project.as_str());
            [it.id.to_string(), it.name.clone(), it.sessions.to_string(), project.to_owned()]
        };
        let rows: Vec<[String; 4]> = workspaces.iter().map(row).collect();
        for line in table(&["ID", "NAME", "SESSIONS", "PROJECT"].map(str::to_owned), &rows) {
            text += &line;
            text.push('\n');
        }
    }
    console::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn transfer(options: &TransferOptions, direction: Direction) -> anyhow::Result<ExitCode> {
    let relay = options.relay.connect()?;
    let remote = remote(&relay, &relay.find_workspace(&options.workspace)?)?;
    if direction == Direction::Pull {
        std::fs::create_dir_all(&options.folder)
            .with_context(|| format!("cannot make {}", options.folder.display()))?;
    }
    let folder = open(&options.folder)?;
    let report = Runtime::new()?.block_on(FolderSync::once(folder, direction, host(), remote))?;
    Ok(shown(&report))
}

fn watch(options: &TransferOptions) -> anyhow::Result<ExitCode> {
    let relay = options.relay.connect()?;
    let remote = remote(&relay, &relay.find_workspace(&options.workspace)?)?;
    drop(open(&options.folder)?);
    let folder = options.folder.clone();
    Runtime::new()?.block_on(async {
        let mut signals = Signals::new(false)?;
        let sync = FolderSync::begin(folder, None, host(), remote).await?;
        let mut state = sync.state();
        let report = tokio::select! {
            settled = sync.settle() => settled?,
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        };
        shown(&report);
        console::note("in sync; Ctrl-C ends this\n");
        state.mark_unchanged();
        let mut before = state.borrow().clone();
        loop {
            tokio::select! {
                changed = state.changed() => if changed.is_err() { break },
                _ = signals.next() => break,
            }
            let now = state.borrow_and_update().clone();
            tell(&before, &now);
            before = now;
        }
        // What was changed last.
        sync.settle().await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Tells on standard error what has happened.
fn tell(before: &SyncState, now: &SyncState) {
    if now.failure != before.failure {
        match &now.failure {
            Some(failure) => console::note(&format!("not in sync: {}\n", failure.message)),
            None => console::note("in sync again\n"),
        }
    }
    let (pushed, pulled) = (now.pushed - before.pushed, now.pulled - before.pulled);
    if pushed + pulled > 0 {
        console::note(&format!("{pushed} changes sent, {pulled} received\n"));
    }
    for (path, why) in now.problems.iter().filter(|it| !before.problems.contains(it)) {
        console::note(&format!("{path}: {}\n", why.message));
    }
}

fn shown(report: &RoundReport) -> ExitCode {
    console::note(&format!("{} changes sent, {} received\n", report.pushed, report.pulled));
    for (path, to) in &report.conflicts {
        console::note(&format!("{path}: differs on both sides; the folder's is {to} now\n"));
    }
    for refused in &report.refused {
        console::note(&format!("{}: {}\n", refused.path, refused.message));
    }
    for (path, why) in &report.failed {
        console::note(&format!("{path}: {}\n", why.message));
    }
    match report.refused.is_empty() && report.failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(INCOMPLETE),
    }
}

fn open(folder: &Path) -> anyhow::Result<SyncedFolder> {
    SyncedFolder::open(folder).with_context(|| format!("cannot use {}", folder.display()))
}

fn remote(relay: &Relay, id: &WorkspaceId) -> anyhow::Result<Arc<dyn WorkspaceRemote>> {
    relay.workspace_remote(id)
}

/// The name of this machine, for the names of files that differ.
fn host() -> String {
    moorline_host::workspace::machine_name()
}
