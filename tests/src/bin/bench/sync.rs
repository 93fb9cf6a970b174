//! Folders in sync with a workspace: the first load of many files, changes, and the cost of doing
//! nothing.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use moorline_shared::rest::CreateSession;
use moorline_tests::wait::wait_until;
use moorline_tests::workspaces::Workspace;
use tempfile::TempDir;

use super::stage::Stage;
use super::table::{Table, Target};

/// The files of the workspace, in folders of a hundred.
const FILES: usize = 10_000;
/// The files that are changed.
const CHANGES: usize = 1000;
/// The time over which the cost of doing nothing is measured.
const IDLE: Duration = Duration::from_secs(20);

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    stage.renew()?;
    let (from, to) =
        (TempDir::with_prefix("moorline-bench-")?, TempDir::with_prefix("moorline-bench-")?);
    for number in 0..FILES {
        let path = file(from.path(), number);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, format!("file {number}\n").repeat(40))?;
    }
    let files = stage.block_on(Workspace::create(&stage.relay.api()))?;
    let begin = Instant::now();
    session(stage, &files, from.path())?;
    let first = begin.elapsed();
    table.add("10,000 files into a workspace", first.as_secs_f64(), "s", Target::None);
    let begin = Instant::now();
    session(stage, &files, to.path())?;
    let load = begin.elapsed();
    ensure!(file(to.path(), FILES - 1).exists(), "a session began without its files");
    table.add("10,000 files into a new folder", load.as_secs_f64(), "s", Target::None);

    let begin = Instant::now();
    for number in 0..CHANGES {
        fs::write(file(from.path(), number * 7), format!("changed {number}"))?;
    }
    let all = async || {
        (0..CHANGES).all(|number| {
            fs::read(file(to.path(), number * 7)).is_ok_and(|it| it.starts_with(b"changed"))
        })
    };
    stage.block_on(wait_until("all changes", all))?;
    let changes = begin.elapsed();
    table.add("1,000 changes from folder to folder", changes.as_secs_f64(), "s", Target::None);

    let mut single = Vec::new();
    for number in 0..20 {
        let (from, to) = (file(from.path(), number), file(to.path(), number));
        let begin = Instant::now();
        let content = format!("once more {number}");
        fs::write(from, &content)?;
        let there = async || fs::read(&to).is_ok_and(|it| it == content.as_bytes());
        stage.block_on(wait_until("a change", there))?;
        single.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let single = super::table::median(single);
    table.add("one change from folder to folder", single, "ms", Target::AtMost(1000.0));

    stage.settle_host()?;
    let before = stage.relay.host_usage()?.cpu;
    std::thread::sleep(IDLE);
    let spent = stage.relay.host_usage()?.cpu.saturating_sub(before);
    let share = spent.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    table.add("processor of two idle folders", share, "%", Target::AtMost(1.0));
    Ok(())
}

fn file(folder: &Path, number: usize) -> std::path::PathBuf {
    folder.join(format!("d{}", number % 100)).join(format!("{number}.txt"))
}

fn session(stage: &Stage, files: &Workspace, folder: &Path) -> Result<()> {
    let wish = CreateSession {
        command: Some(vec!["cat".to_owned()]),
        cwd: Some(folder.to_string_lossy().into_owned()),
        workspace: Some(files.id.parse()?),
        ..CreateSession::default()
    };
    stage.create(&wish).map(drop)
}
