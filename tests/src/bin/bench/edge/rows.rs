//! Rows that objects write, which are the largest cost at the edge.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::{Relay, Rows};

use crate::echo::Typist;
use crate::lean::Lean;
use crate::program;
use crate::stage::{Stage, itself, settle};
use crate::table::{Table, Target};

/// Time allowed for a program to finish.
const PATIENCE: Duration = Duration::from_secs(60);
/// Output before a flood is measured: more than is retained, so that old rows are deleted as new
/// ones come.
const BEFORE_BYTES: u64 = 16 << 20;
const ROUNDS_PER_SECOND: u64 = 10;
/// Lines per round of a build that puts out a megabyte a second, at 80 bytes each.
const BUILD_LINES: u64 = 1250;
const SECONDS: u64 = 15;
const KEYS: u64 = 60;
const KEYS_PER_SECOND: u64 = 4;

pub(crate) fn measure(stage: &Stage, edge: &Relay, table: &mut Table) -> Result<()> {
    let bytes = stage.scale.flood_bytes / 2;
    let flood = rows_of(stage, edge, &format!("emit {bytes}"))?;
    let megabytes = emitted(bytes) as f64 / 1e6;
    tell(table, "rows a MB of a flood", flood, megabytes, Target::AtMost(9.0));
    let seconds = SECONDS as f64;
    let build = rows_of(stage, edge, &pace(BUILD_LINES))?;
    tell(table, "rows a second of a build, 1 MB/s", build, seconds, Target::AtMost(50.0));
    let busy = rows_of(stage, edge, &pace(1))?;
    tell(table, "rows a second of a line every 100 ms", busy, seconds, Target::AtMost(15.0));
    let typing = typing(stage, edge)?;
    tell(table, "rows a keystroke", typing, KEYS as f64, Target::AtMost(1.5));
    Ok(())
}

fn tell(table: &mut Table, name: &str, rows: Rows, per: f64, target: Target) {
    table.add(name, (rows.session + rows.directory) as f64 / per, "", target);
    table.add("  of them the directory's", rows.directory as f64 / per, "", Target::None);
}

/// Arguments of a program that puts out this many lines ten times a second.
fn pace(lines: u64) -> String {
    let (rounds, pause_ms) = (SECONDS * ROUNDS_PER_SECOND, 1000 / ROUNDS_PER_SECOND);
    format!("pace {rounds} {pause_ms} {lines}")
}

/// Rows written for a program of this bench, after output that exceeds what is retained.
fn rows_of(stage: &Stage, edge: &Relay, program: &str) -> Result<Rows> {
    let (folder, itself) = (tempfile::tempdir()?, itself()?.display().to_string());
    let done = [folder.path().join("before"), folder.path().join("after")];
    let script = format!(
        "stty -echo; {itself} emit {BEFORE_BYTES}; : > {}; {itself} {program}; : > {}; exec cat",
        done[0].display(),
        done[1].display(),
    );
    let session = stage.run_on(edge, ["sh", "-c", &script].map(str::to_owned).to_vec())?;
    let mut viewer = Lean::connect(edge.address(), &session)?;
    viewer.resume("bench-viewer", "replay")?;
    // It reads until the session is removed.
    let watching = thread::spawn(move || viewer.until_exit());
    go(edge, &session, &done[0])?;
    let before = rows(stage, edge)?;
    go(edge, &session, &done[1])?;
    let rows = since(before, rows(stage, edge)?);
    stage.remove_from(edge, &session)?;
    ensure!(watching.join().is_ok(), "the viewer panicked");
    Ok(rows)
}

/// Starts a program, and waits until it is done.
fn go(edge: &Relay, session: &SessionId, done: &Path) -> Result<()> {
    let mut starter = Lean::connect(edge.address(), session)?;
    starter.resume("bench-starter", "snapshot")?;
    let number = if done.ends_with("before") { 1 } else { 2 };
    starter.send_input(number, b"\n")?;
    let deadline = Instant::now() + PATIENCE;
    while !done.exists() {
        ensure!(Instant::now() < deadline, "the program is not done in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
    // Not earlier: closing a socket with unread data would discard what is still on the way.
    drop(starter);
    Ok(())
}

/// Rows written so far, once nothing more is being written.
fn rows(stage: &Stage, edge: &Relay) -> Result<Rows> {
    settle(|| edge.usage())?;
    stage.block_on(edge.rows())
}

const fn since(before: Rows, now: Rows) -> Rows {
    Rows { session: now.session - before.session, directory: now.directory - before.directory }
}

const fn emitted(bytes: u64) -> u64 {
    program::emitted(bytes / program::emitted(1))
}

/// Rows written while someone types steadily.
fn typing(stage: &Stage, edge: &Relay) -> Result<Rows> {
    let mut typist = Typist::ours(stage, edge)?;
    let before = rows(stage, edge)?;
    for _ in 0..KEYS {
        typist.type_key()?;
        thread::sleep(Duration::from_millis(1000 / KEYS_PER_SECOND));
    }
    Ok(since(before, rows(stage, edge)?))
}
