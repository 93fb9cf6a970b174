//! Sessions whose screen is several times larger than a snapshot may be, followed by much output.
//! Memory and disk stay within their bounds, and a newcomer gets the screen.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{CreateSession, DebugMetrics};

use super::screen::arrive;
use super::stage::{Stage, itself};
use super::table::{Table, Target};

/// Bytes of output of each session, including the drawing.
const OUTPUT_BYTES: u64 = 464_000_000;
/// Time allowed for all of the output, far more than it takes.
const PATIENCE: Duration = Duration::from_secs(300);
const INTERVAL: Duration = Duration::from_millis(50);

/// Bound on the memory of the relay, and on that of the host.
const MEMORY_MIB: f64 = 128.0;
/// Bound on the size of the database. 64 MiB are retained, and 8 MiB more before anything is
/// trimmed. 16 MiB are in the write-ahead log when it is copied back, and it may grow meanwhile.
const DISK_MIB: f64 = 112.0;

/// A kind of drawing that `program::heavy` knows, and the size of the terminal that it is for.
struct Drawing {
    kind: &'static str,
    cols: u16,
    rows: u16,
}

const DRAWINGS: [Drawing; 2] = [
    Drawing { kind: "links", cols: 80, rows: 24 },
    Drawing { kind: "colours", cols: 640, rows: 180 },
];

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    for drawing in &DRAWINGS {
        // The peak of an earlier session would hide that of this one.
        stage.renew()?;
        let session = start(stage, drawing)?;
        let during = flood(stage, &session)?;
        let (relay, host) = (stage.settle()?, stage.settle_host()?);
        let disk = during.max(database_bytes(stage)?);
        let shown = arrive(stage, &session, 0).context("the screen cannot be had")?;
        let kind = drawing.kind;
        let mut add = |what: &str, bytes: u64, target: Target| {
            let mebibytes = bytes as f64 / 1024.0 / 1024.0;
            table.add(&format!("{kind}, then 464 MB: {what}"), mebibytes, "MiB", target);
        };
        add("relay, at most", relay.peak_rss_bytes, Target::Bound(MEMORY_MIB));
        add("relay, after", relay.rss_bytes, Target::None);
        add("host, at most", host.peak_rss_bytes, Target::Bound(MEMORY_MIB));
        add("host, after", host.rss_bytes, Target::None);
        add("database, at most", disk, Target::Bound(DISK_MIB));
        let milliseconds = shown.as_secs_f64() * 1e3;
        table.add(&format!("{kind}, shown to a newcomer"), milliseconds, "ms", Target::None);
        stage.remove(&session)?;
    }
    Ok(())
}

fn start(stage: &Stage, drawing: &Drawing) -> Result<SessionId> {
    let program = itself()?.to_string_lossy().into_owned();
    let bytes = OUTPUT_BYTES.to_string();
    stage.create(&CreateSession {
        command: Some(vec![program, "heavy".to_owned(), drawing.kind.to_owned(), bytes]),
        cols: Some(drawing.cols),
        rows: Some(drawing.rows),
        ..CreateSession::default()
    })
}

/// Lets the session put out everything without a reader. Returns the peak size of the database on
/// disk.
fn flood(stage: &Stage, session: &SessionId) -> Result<u64> {
    let api = stage.relay.api();
    stage.block_on(api.prompt(session, "go"))?;
    let (deadline, mut most) = (Instant::now() + PATIENCE, 0);
    loop {
        let metrics: DebugMetrics = stage.block_on(api.get("/api/debug/metrics"))?;
        most = most.max(database_bytes(stage)?);
        if metrics.output_bytes >= OUTPUT_BYTES {
            return Ok(most);
        }
        if Instant::now() >= deadline {
            bail!("only {} bytes came within {PATIENCE:?}", metrics.output_bytes);
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Bytes of the database and of SQLite's files beside it.
fn database_bytes(stage: &Stage) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(stage.relay.data_dir())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("moorline.sqlite3") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
