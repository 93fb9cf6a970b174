//! Tests the driver for coding agents with a scripted agent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use moorline_host::driver::agent::AgentDriver;
use moorline_host::driver::{
    Driver, DriverError, DriverOutput, Drivers, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession,
};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalRequest};
use moorline_shared::agent::prompt::{Prompt, TurnState};
use moorline_shared::control::{Facts, Start};
use moorline_shared::event::Activity;
use moorline_shared::fold::Conversation;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::publish::HostCommand;
use moorline_shared::session::ExitStatus;
use serde_json::Value;

use super::fake_relay::{Copy, FakeRelay, id, say, start};
use super::{soon, wait_until};

/// An agent that asks before it writes a file, and ends when it is told to die.
const SCRIPT: &str = r#"
reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
update() { printf '{"method":"session/update","params":{"sessionId":"s","update":%s}}\n' "$1"; }
sleep 1000 &
echo $! >> children
while read -r line; do
  id=$(printf %s "$line" | sed -n 's/^{"id":\([0-9]*\).*/\1/p')
  case $line in
  *'"method":"initialize"'*)
    reply "$id" '{"protocolVersion":1,"agentCapabilities":{"sessionCapabilities":{"resume":{}}}}' ;;
  *'"method":"session/new"'*) reply "$id" '{"sessionId":"s"}' ;;
  *'"method":"session/resume"'*) echo resumed >> log; reply "$id" null ;;
  *'"method":"session/prompt"'*die*) echo 'out of tokens' >&2; exit 7 ;;
  *'"method":"session/prompt"'*)
    prompt=$id
    update '{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"Let me."}}'
    tool='{"toolCallId":"t","title":"Write a file","kind":"edit"}'
    options='[{"optionId":"go","name":"Allow","kind":"allow_once"}]'
    printf '{"id":100,"method":"session/request_permission","params":{"sessionId":"s","toolCall":%s,"options":%s}}\n' "$tool" "$options" ;;
  *'"optionId":"go"'*)
    printf '{"id":101,"method":"fs/write_text_file","params":{"sessionId":"s","path":"%s/made","content":"by agent"}}\n' "$PWD" ;;
  '{"id":101,'*)
    update '{"sessionUpdate":"tool_call_update","toolCallId":"t","status":"completed"}'
    reply "$prompt" '{"stopReason":"end_turn"}' ;;
  *'"outcome":"cancelled"'*) reply "$prompt" '{"stopReason":"cancelled"}' ;;
  esac
done
echo closed >> log
"#;

fn facts() -> Facts {
    let command = ["sh", "-c", SCRIPT].map(str::to_owned).to_vec();
    Facts { driver: "agent".into(), command, ..Facts::default() }
}

fn spec(folder: &Path) -> SessionSpec {
    SessionSpec {
        session_id: id("session1"),
        facts: facts(),
        cwd: Some(folder.to_owned()),
        fork: None,
        variables: BTreeMap::new(),
        opener: None,
        workspace: None,
    }
}

fn prompt(turn: &str, text: &str) -> SessionAction {
    let (turn_id, prompt) = (turn.parse().unwrap(), Prompt::text(text));
    SessionAction::Prompt { turn_id, prompt, by: "me".into(), steer: false }
}

/// A session, and all that it has put out.
struct Watched {
    output: Box<dyn OutputSource>,
    control: Arc<dyn SessionControl>,
    seen: Vec<DriverOutput>,
}

impl Watched {
    async fn start(folder: &Path) -> Self {
        let started = AgentDriver::default().start(spec(folder)).await.unwrap();
        let StartedSession { output, control, snapshots, .. } = started;
        assert_eq!(snapshots, SnapshotSource::Conversation);
        Self { output, control, seen: Vec::new() }
    }

    /// Reads until an output that is searched for.
    async fn until<T>(&mut self, what: &str, find: impl Fn(&DriverOutput) -> Option<T>) -> T {
        let search = async {
            loop {
                let output = self.output.next().await;
                if matches!(output, DriverOutput::Checkpoint) {
                    self.control.journaled();
                }
                let found = find(&output);
                self.seen.push(output);
                if let Some(found) = found {
                    return found;
                }
            }
        };
        soon(what, search).await
    }

    async fn turn(&mut self, state: TurnState) -> Value {
        let word = serde_json::to_value(state).unwrap();
        self.until("a turn", |output| match output {
            DriverOutput::Event { kind: "agent-turn", fields } if fields["state"] == word => {
                Some(Value::Object(fields.clone()))
            }
            _ => None,
        })
        .await
    }

    async fn asked(&mut self) -> ApprovalRequest {
        self.until("a question", |output| match output {
            DriverOutput::Ask(request) => Some((**request).clone()),
            _ => None,
        })
        .await
    }

    async fn close(mut self) -> ExitStatus {
        self.control.close();
        self.until("the end", |output| match output {
            DriverOutput::End(exit) => Some(exit.clone()),
            _ => None,
        })
        .await
    }

    fn transcript(&self) -> String {
        let mut transcript = Vec::new();
        for output in &self.seen {
            if let DriverOutput::Bytes(buffer) = output {
                transcript.extend_from_slice(&buffer[Frame::DATA_START..]);
            }
        }
        String::from_utf8(transcript).unwrap()
    }
}

/// Returns true if a process runs; a zombie does not.
fn is_running(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[tokio::test]
async fn an_agent_works_asks_dies_and_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Watched::start(folder.path()).await;
    session.control.act(ActionNumber(1), prompt("turn_one", "write it"));
    let asked = session.asked().await;
    assert_eq!(asked.command, "Write a file");
    let decision = ApprovalDecision { approved: true, ..ApprovalDecision::default() };
    assert!(session.control.decide(&asked.approval_id, Some(&decision)));
    assert!(!session.control.decide(&asked.approval_id, Some(&decision)), "only once");
    session
        .until("the deed", |output| match output {
            DriverOutput::Done(id) if *id == asked.approval_id => Some(()),
            _ => None,
        })
        .await;
    session.turn(TurnState::Done).await;
    let made = std::fs::read_to_string(folder.path().join("made")).unwrap();
    assert_eq!(made, "by agent");

    session.control.act(ActionNumber(2), prompt("turn_two", "die"));
    let failed = session.turn(TurnState::Failed).await;
    assert_eq!(failed["error"]["message"], "The agent exited with code 7: out of tokens");
    session.control.act(ActionNumber(3), prompt("turn_three", "write it"));
    let asked = session.asked().await;
    assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "resumed\n");
    session.control.act(ActionNumber(4), SessionAction::Stop { turn_id: None, force: false });
    session.turn(TurnState::Cancelled).await;
    assert!(!session.control.decide(&asked.approval_id, Some(&decision)), "it is withdrawn");
    let transcript = session.transcript();
    assert!(
        transcript.contains("> write it") && transcript.contains("Let me.\r\n"),
        "{transcript}"
    );

    assert_eq!(session.close().await, ExitStatus { code: Some(0), signal: None, reason: None });
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log, "resumed\nclosed\n", "it was given time to end");
    let children = std::fs::read_to_string(folder.path().join("children")).unwrap();
    assert_eq!(children.lines().count(), 2);
    for child in children.lines() {
        wait_until("its children are gone", || !is_running(child)).await;
    }
}

#[tokio::test]
async fn an_agent_can_be_stopped_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Watched::start(folder.path()).await;
    session.control.act(ActionNumber(5), prompt("turn_one", "write it"));
    session.asked().await;
    session.control.act(ActionNumber(6), SessionAction::Stop { turn_id: None, force: true });
    session.turn(TurnState::Cancelled).await;
    // What is typed starts it again.
    assert_eq!(session.control.write(b"write it\r").unwrap(), 9);
    session.asked().await;
    session.close().await;
}

#[tokio::test]
async fn a_program_that_is_missing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing = spec(folder.path());
    missing.facts.command = vec!["no-such-agent".into()];
    let refused = AgentDriver::default().start(missing).await.unwrap_err();
    assert!(matches!(refused, DriverError::Refused(_)), "{refused}");
    let mut nothing = spec(folder.path());
    nothing.facts.command = Vec::new();
    assert!(AgentDriver::default().start(nothing).await.is_err());
}

#[tokio::test]
async fn the_snapshot_of_an_agent_session_is_its_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let (_host, mut relay) =
        FakeRelay::with_drivers(Drivers::new(vec![Box::new(AgentDriver::default())]));
    let (mut control, _) = relay.control().await;
    let session_id = id("session1");
    let cwd = Some(folder.path().to_string_lossy().into_owned());
    start(&mut control, Start { session_id: session_id.clone(), facts: facts(), cwd, fork: None })
        .await;
    let mut link = relay.publish(&session_id).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    let client_id = "client_1".parse().unwrap();
    let piece = Frame::copy(Seq(1), b"write it\r").unwrap();
    say(&link, HostCommand::Input { client_id, piece }).await;
    copy.read_until(&mut link, "? Write a file").await;
    while copy.events.last().is_none_or(|event| event.kind != "agent-state") {
        soon("the state", copy.hear(&mut link)).await;
    }

    let snapshot = copy.snapshot(&mut link).await;
    let conversation = Conversation::from_snapshot(&snapshot.data).unwrap();
    assert_eq!((snapshot.seq, conversation.summary.seq), (copy.head, copy.head));
    assert_eq!(conversation.summary.turns.active().unwrap().state, TurnState::RequiresAction);
    assert_eq!(conversation.summary.approvals.entries().len(), 1);
    let mut folded = Conversation::default();
    for (seq, event) in copy.event_seqs.iter().zip(&copy.events) {
        folded.apply(*seq, event);
    }
    assert_eq!(folded.items, conversation.items);
    let status = copy.events.iter().rev().find_map(moorline_shared::event::Event::read);
    let status: moorline_shared::event::Status = status.unwrap();
    assert_eq!(status.status, Activity::Idle, "it waits");
    say(&link, HostCommand::Close).await;
    copy.read_to_end(&mut link).await;
}
