//! Tests `moorline ask` and `moorline state` as programs, against a host that says what a test
//! wants.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use moorline_host::ask::socket_path;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A host that serves one connection.
struct OneHost {
    folder: TempDir,
    serving: JoinHandle<Vec<Value>>,
}

impl OneHost {
    /// Serves one connection: takes a line, says what is planned, and then takes the rest. With
    /// `goes`, it goes instead of taking the rest.
    fn saying(replies: &[Value], goes: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_path(folder.path())).unwrap();
        let said: String = replies.iter().map(|reply| format!("{reply}\n")).collect();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let read =
                |line: std::io::Result<String>| serde_json::from_str(&line.unwrap()).unwrap();
            let mut heard: Vec<Value> = lines.next().map(read).into_iter().collect();
            stream.write_all(said.as_bytes()).unwrap();
            if !goes {
                heard.extend(lines.map(read));
            }
            heard
        });
        Self { folder, serving }
    }

    /// Returns what the program said.
    fn heard(self) -> Vec<Value> {
        self.serving.join().unwrap()
    }

    fn run(&self, words: &[&str], input: &str) -> Output {
        run(words, input, Some(self.folder.path()))
    }
}

/// Runs the program in a session of the host with this folder, or in none.
fn run(words: &[&str], input: &str, folder: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MOORLINE_") {
            command.env_remove(name);
        }
    }
    if let Some(folder) = folder {
        command.env("MOORLINE_SESSION", "session1").env("MOORLINE_KEY", "key");
        command.env("MOORLINE_SOCKET", socket_path(folder));
    }
    command.args(words).current_dir("/tmp");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn asked() -> Value {
    json!({ "type": "asked", "approvalId": "approval1" })
}

fn decided(approved: bool, command: &str) -> Value {
    let decision = json!({ "approved": approved, "by": "phone", "at": 5, "reason": "because" });
    json!({ "type": "decided", "approved": approved, "command": command, "decision": decision })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn each_outcome_has_an_exit_code_and_a_sentence() {
    let refused = json!({ "type": "refused", "code": "overloaded", "message": "too many" });
    let withdrawn = json!({ "type": "withdrawn", "reason": "the session has ended" });
    for (replies, goes, code, out, err) in [
        (vec![asked(), decided(true, "make -n")], false, 0, "make -n\n", ""),
        (vec![asked(), decided(false, "make")], false, 1, "", "denied by phone: because"),
        (vec![refused], false, 2, "", "too many"),
        (vec![], true, 2, "", "ended or restarted"),
        (vec![asked()], true, 2, "", "ended or restarted"),
        (vec![asked(), json!({ "type": "expired" })], false, 3, "", "nobody decided in time"),
        (vec![asked(), withdrawn], false, 4, "", "the session has ended"),
    ] {
        let host = OneHost::saying(&replies, goes);
        let ended = host.run(&["ask", "--command", "make", "--expires", "never"], "");
        assert_eq!(ended.status.code(), Some(code), "{replies:?}: {ended:?}");
        assert_eq!(text(&ended.stdout), out);
        assert!(text(&ended.stderr).contains(err), "{ended:?}");
        let heard = host.heard();
        let want = json!({
            "type": "ask", "session": "session1", "key": "key", "kind": "command",
            "command": "make", "explanation": "", "cwd": "/tmp", "expiresMs": 0
        });
        assert_eq!(heard[0], want);
        let is_decided = replies.last().is_some_and(|last| last["type"] == "decided");
        assert_eq!(heard.get(1), is_decided.then(|| json!({ "type": "received" })).as_ref());
    }
}

#[test]
fn outside_of_a_session_nothing_is_approved() {
    let ended = run(&["ask", "--command", "make"], "", None);
    assert_eq!((ended.status.code(), text(&ended.stdout).as_str()), (Some(2), ""));
    assert!(text(&ended.stderr).contains("MOORLINE_SOCKET"), "{ended:?}");
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&["ask", "--command", "make", "--json"], "", Some(folder.path()));
    assert_eq!(ended.status.code(), Some(2));
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(said["outcome"], "not-asked");
    for words in [&["ask"][..], &["ask", "--command", "a", "--expires", "soon"], &["state"]] {
        assert_eq!(run(words, "", None).status.code(), Some(2), "{words:?}");
    }
    // A hook leaves the decision to the agent, and cannot be misread.
    let event = json!({ "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": { "command": "make" } });
    let ended = run(&["ask", "--hook", "claude"], &event.to_string(), None);
    assert_eq!((ended.status.code(), text(&ended.stdout).as_str()), (Some(0), ""));
    assert_eq!(run(&["ask", "--hook", "claude"], "what?", None).status.code(), Some(2));
    let ended = run(&["ask", "--hook", "claude"], &event.to_string(), Some(folder.path()));
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "ask");
    let ended = run(&["state", "--hook", "claude"], &event.to_string(), None);
    assert_eq!((ended.status.code(), text(&ended.stdout).as_str()), (Some(0), ""));
}

#[test]
fn a_hook_asks_and_answers() {
    let host = OneHost::saying(&[asked(), decided(true, "make -j")], false);
    let event = json!({ "hook_event_name": "PreToolUse", "tool_name": "Bash", "cwd": "/a",
        "tool_input": { "command": "make", "description": "Build" } });
    let ended = host.run(&["ask", "--hook", "claude", "--expires", "1m"], &event.to_string());
    assert_eq!(ended.status.code(), Some(0));
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let said = &said["hookSpecificOutput"];
    assert_eq!(said["permissionDecision"], "allow");
    assert_eq!(said["updatedInput"]["command"], "make -j");
    let heard = host.heard();
    assert_eq!((&heard[0]["command"], &heard[0]["cwd"]), (&json!("make"), &json!("/a")));
    assert_eq!(heard[0]["expiresMs"], 60_000);
}

#[test]
fn a_state_is_reported() {
    let host = OneHost::saying(&[json!({ "type": "done" })], false);
    let ended = host.run(&["state", "working", "--tool", "Bash"], "");
    assert_eq!((ended.status.code(), text(&ended.stdout).as_str()), (Some(0), ""));
    let heard = host.heard();
    assert_eq!((&heard[0]["value"], &heard[0]["tool"]), (&json!("working"), &json!("Bash")));
    let host = OneHost::saying(&[json!({ "type": "done" })], false);
    let event = json!({ "hook_event_name": "Stop" }).to_string();
    assert_eq!(host.run(&["state", "--hook", "codex"], &event).status.code(), Some(0));
    assert_eq!(host.heard()[0]["value"], "idle");
}

#[test]
fn an_interrupt_withdraws_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(socket_path(folder.path())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    command.env("MOORLINE_SESSION", "session1").env("MOORLINE_KEY", "key");
    command.env("MOORLINE_SOCKET", socket_path(folder.path()));
    let mut child = command.args(["ask", "--command", "make"]).spawn().unwrap();
    let (stream, _): (UnixStream, _) = listener.accept().unwrap();
    (&stream).write_all(format!("{}\n", asked()).as_bytes()).unwrap();
    let mut lines = BufReader::new(&stream).lines();
    assert!(lines.next().unwrap().unwrap().contains("make"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // Closed, or reset if it had not read everything.
    assert!(!matches!(lines.next(), Some(Ok(_))), "the connection is open");
    assert!(!child.wait().unwrap().success());
}
