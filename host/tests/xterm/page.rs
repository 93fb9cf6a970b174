//! Runs the page's terminal emulator in a Node process.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use moorline_host::screen::{Screen, columns};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::{FRAME_DATA_BYTES, SNAPSHOT_BYTES};
use moorline_shared::session::Size;
use serde_json::{Value, json};

#[path = "../../../client/widths.rs"]
mod widths;

/// A step in the life of a terminal.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Output(Vec<u8>),
    Resize(Size),
}

/// A Node process, with its input and output.
pub(crate) struct Page {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Page {
    pub(crate) fn open() -> Self {
        let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client");
        let emulator = client.join("node_modules/@xterm/headless/lib-headless/xterm-headless.js");
        assert!(emulator.exists(), "run `npm ci --ignore-scripts` in client/ first");
        let folder = tempfile::tempdir().unwrap();
        let module = as_host(&client, folder.path());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/xterm/page.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(emulator).arg(module);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, stdout: BufReader::new(stdout), _folder: folder }
    }

    /// Returns the look of a terminal after these steps.
    pub(crate) fn look(&mut self, size: Size, steps: &[Step]) -> Vec<String> {
        let steps: Vec<Value> = steps
            .iter()
            .map(|step| match step {
                Step::Output(bytes) => json!(STANDARD.encode(bytes)),
                Step::Resize(size) => json!([size.cols, size.rows]),
            })
            .collect();
        let life = json!({"cols": size.cols, "rows": size.rows, "steps": steps});
        writeln!(self.stdin, "{life}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the page's script with the table of widths, as the client's build does.
fn as_host(client: &Path, folder: &Path) -> PathBuf {
    let script = fs::read_to_string(client.join("src/bindings/as_host.js")).unwrap();
    let path = folder.join("as-host.mjs");
    let table = widths::table(columns);
    fs::write(&path, format!("const WIDTHS={table:?};\n{script}\nexport {{ HostAddon }};\n"))
        .unwrap();
    path
}

/// Returns the host's snapshot after these steps, with the size of its terminal.
pub(crate) fn snapshot(size: Size, steps: &[Step]) -> (Bytes, Size) {
    let screen = Screen::new(size);
    let mut seq = Seq::ZERO;
    for step in steps {
        match step {
            Step::Output(bytes) => {
                for data in bytes.chunks(FRAME_DATA_BYTES) {
                    seq = seq.next();
                    screen.push(&Frame::copy(seq, data).unwrap());
                }
            }
            Step::Resize(size) => screen.resize(*size),
        }
    }
    let snapshot = screen.snapshot();
    assert!(snapshot.data.len() <= SNAPSHOT_BYTES, "{} bytes", snapshot.data.len());
    (snapshot.data, Size { cols: snapshot.cols.unwrap(), rows: snapshot.rows.unwrap() })
}
