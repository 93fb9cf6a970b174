//! A supervisor, as a host meets it: at the end of a program that it executes.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use moorline_host::keeper::{Kept, KeptEvent, RefusalCode};
use moorline_shared::session::{ExitStatus, Size};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_moorline-supervisor");
/// Time allowed for anything that a supervisor does.
const PATIENCE: Duration = Duration::from_secs(30);

/// A supervisor in a folder of its own. Dropping it ends it.
struct Pod {
    folder: TempDir,
    supervisor: Child,
}

/// A connection to it: the program that a host executes.
struct Exec {
    kept: Kept,
    program: Child,
}

impl Pod {
    async fn start(command: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let supervisor = Command::new(PROGRAM)
            .args(["run", "--session", "session_1", "--size", "100x30", "--folder"])
            .arg(path)
            .arg("--socket")
            .arg(socket(path))
            .arg("--integration")
            .arg(path.join("shell"))
            .arg("--")
            .args(command)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = async {
            while !socket(path).exists() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, listens).await.unwrap();
        Self { folder, supervisor }
    }

    async fn exec(&self, read_from: Option<u64>) -> Exec {
        let mut program = Command::new(PROGRAM)
            .args(["connect", "--socket"])
            .arg(socket(self.folder.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (output, input) = (program.stdout.take().unwrap(), program.stdin.take().unwrap());
        let kept = match read_from {
            Some(read_from) => Kept::over(output, input, read_from).await,
            None => Kept::over_snapshot(output, input).await,
        };
        Exec { kept: kept.unwrap(), program }
    }

    /// Waits for the supervisor's end.
    async fn ended(mut self) {
        let status = timeout(PATIENCE, self.supervisor.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
        assert!(!socket(self.folder.path()).exists());
    }
}

impl Exec {
    async fn next(&mut self) -> KeptEvent {
        timeout(PATIENCE, self.kept.next()).await.unwrap()
    }

    /// Reads output until it contains this.
    async fn until(&mut self, text: &str) -> String {
        let mut output = String::new();
        while !output.contains(text) {
            if let KeptEvent::Output { data, .. } = self.next().await {
                output.push_str(&String::from_utf8_lossy(&data));
            }
        }
        output
    }

    async fn cut(mut self) {
        self.program.kill().await.unwrap();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("run/socket")
}

#[tokio::test]
async fn a_terminal_goes_on_at_the_exact_byte_after_each_cut() {
    const LAST: &[u8] = b"300000\r\n";
    let pod = Pod::start(&["sh", "-c", "stty -echo; seq 1 300000; cat"]).await;
    let (mut read, mut output) = (0, Vec::new());
    let mut cuts = 0;
    while !output.ends_with(LAST) {
        let mut exec = pod.exec(Some(read)).await;
        // Each connection lives a little longer than the one before.
        for _ in 0..cuts % 7 + 1 {
            if output.ends_with(LAST) {
                break;
            }
            if let KeptEvent::Output { offset, data } = exec.next().await {
                assert_eq!(offset, read);
                read += data.len() as u64;
                output.extend_from_slice(&data);
                exec.kept.control().read(read);
            }
        }
        cuts += 1;
        exec.cut().await;
    }
    let expected: String = (1..=300_000).map(|number| format!("{number}\r\n")).collect();
    assert!(output == expected.as_bytes(), "{} of {} bytes", output.len(), expected.len());
    assert!(cuts > 5, "{cuts}");

    // Input that was cut is written again, and taken once.
    let mut exec = pod.exec(Some(read)).await;
    let taken = exec.kept.status().taken;
    exec.kept.control().write(taken, b"first\n").unwrap();
    exec.until("first\r\n").await;
    exec.cut().await;
    let mut exec = pod.exec(Some(read)).await;
    assert_eq!(exec.kept.status().taken, taken + 6);
    exec.kept.control().write(taken, b"first\nsecond\n").unwrap();
    let output = exec.until("second\r\n").await;
    assert_eq!(output, "first\r\nsecond\r\n");
}

#[tokio::test]
async fn a_host_that_has_nothing_gets_a_snapshot_and_then_the_output() {
    let script = "printf 'one\\033[31mred\\033[m\\n'; stty -echo; cat";
    let pod = Pod::start(&["sh", "-c", script]).await;
    let mut first = pod.exec(Some(0)).await;
    first.until("\n").await;
    let mut second = pod.exec(None).await;
    let lost = loop {
        if let KeptEvent::Lost(reason) = first.next().await {
            break reason;
        }
    };
    assert_eq!(lost, Some(RefusalCode::Replaced));
    let snapshot = loop {
        match second.next().await {
            KeptEvent::Snapshot(data) => break String::from_utf8_lossy(&data).into_owned(),
            KeptEvent::Output { .. } => panic!("output before the snapshot"),
            _ => {}
        }
    };
    assert!(snapshot.contains("one") && snapshot.contains("red"), "{snapshot:?}");
    second.kept.control().write(0, b"two\n").unwrap();
    assert_eq!(second.until("\n").await, "two\r\n");
}

#[tokio::test]
async fn sizes_states_and_the_end_are_told() {
    let pod = Pod::start(&["sh"]).await;
    let mut exec = pod.exec(Some(0)).await;
    let control = exec.kept.control();
    control.resize(Size { cols: 77, rows: 22 });
    control.write(0, b"stty size\n").unwrap();
    exec.until("22 77").await;
    control.ping();
    let vitals = loop {
        if let KeptEvent::Pong(vitals) = exec.next().await {
            break vitals;
        }
    };
    assert!(!vitals.busy);
    control.write(10, b"exit 7\n").unwrap();
    let status = loop {
        if let KeptEvent::Exited(status) = exec.next().await {
            break status;
        }
    };
    assert_eq!(status, ExitStatus { code: Some(7), ..ExitStatus::default() });
    control.forget();
    pod.ended().await;
}

#[tokio::test]
async fn an_init_container_installs_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("supervisor");
    let installed = Command::new(PROGRAM).arg("install").arg(&path).status().await.unwrap();
    assert!(installed.success());
    let told = Command::new(path).arg("version").output().await.unwrap();
    assert_eq!(told.stdout, format!("{}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

#[tokio::test]
async fn a_program_that_does_not_start_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["run", "--session", "session_1", "--folder", "/", "--socket"])
        .arg(socket(folder.path()))
        .arg("--integration")
        .arg(folder.path())
        .args(["--", "/does/not/exist"])
        .output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("/does/not/exist"), "{text}");
}
