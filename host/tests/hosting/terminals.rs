//! Tests that the commands of an agent are sessions.

use moorline_host::driver::Drivers;
use moorline_host::driver::kubernetes::KubernetesConfig;
use moorline_shared::control::{Facts, Start, ToRelay};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::publish::HostCommand;
use serde_json::{Value, json};

use super::fake_relay::{Copy, FakeRelay, hear, id, say, start};
use super::soon;

/// An agent that runs a command when it is prompted, and writes what it hears of it to a log.
const SCRIPT: &str = r#"
reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
ask() { printf '{"id":%s,"method":"terminal/%s","params":{"sessionId":"s",%s}}\n' "$1" "$2" "$3"; }
while read -r line; do
  id=$(printf %s "$line" | sed -n 's/^{"id":\([0-9]*\).*/\1/p')
  case $line in
  *'"method":"initialize"'*) reply "$id" '{"protocolVersion":1,"agentCapabilities":{}}' ;;
  *'"method":"session/new"'*) reply "$id" '{"sessionId":"s"}' ;;
  *'"method":"session/prompt"'*)
    prompt=$id
    ask 100 create '"command":"sh","args":["-c","echo hello; read line; echo got $line $NAME $PAGER; exit 3"],"env":[{"name":"NAME","value":"value"}]' ;;
  *'"id":100,'*)
    terminal=$(printf %s "$line" | sed -n 's/.*\("terminalId":"[^"]*"\).*/\1/p')
    ask 101 wait_for_exit "$terminal" ;;
  *'"id":101,'*) printf '%s\n' "$line" >> log; ask 102 output "$terminal" ;;
  *'"id":102,'*) printf '%s\n' "$line" >> log; ask 103 release "$terminal" ;;
  *'"id":103,'*) printf '%s\n' "$line" >> log; ask 104 output "$terminal" ;;
  *'"id":104,'*) printf '%s\n' "$line" >> log; reply "$prompt" '{"stopReason":"end_turn"}' ;;
  esac
done
"#;

#[tokio::test]
async fn a_command_of_an_agent_is_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let (_host, mut relay) = FakeRelay::with_drivers(Drivers::built_in(
        None,
        None,
        None,
        Vec::new(),
        KubernetesConfig::default(),
    ));
    let (mut control, _) = relay.control().await;
    let command = ["sh", "-c", SCRIPT].map(str::to_owned).to_vec();
    let facts = Facts { driver: "agent".into(), command, ..Facts::default() };
    let cwd = Some(folder.path().to_string_lossy().into_owned());
    start(&mut control, Start { session_id: id("session1"), facts, cwd, fork: None }).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    let client_id = || "client_1".parse().unwrap();
    let piece = Frame::copy(Seq(1), b"go\r").unwrap();
    say(&link, HostCommand::Input { client_id: client_id(), piece }).await;

    // The relay hears of the session, and a client sees it and types into it.
    let ToRelay::Opened { session } = hear(&mut control).await else { panic!("nothing opened") };
    assert_eq!(session.facts.beside, Some(id("session1")));
    assert_eq!((session.facts.driver.as_str(), &*session.facts.command[0]), ("pty", "sh"));
    let mut terminal = relay.publish(&session.session_id).await;
    let mut screen = Copy::default();
    screen.resume(&mut terminal, u64::MAX).await;
    screen.read_until(&mut terminal, "hello").await;
    let piece = Frame::copy(Seq(1), b"it\r").unwrap();
    say(&terminal, HostCommand::Input { client_id: client_id(), piece }).await;
    screen.read_to_end(&mut terminal).await;

    let is_done = |copy: &Copy| {
        copy.events
            .iter()
            .any(|event| event.kind == "agent-turn" && event.fields["state"] == "done")
    };
    while !is_done(&copy) {
        soon("the end of the turn", copy.hear(&mut link)).await;
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["result"], json!({ "exitCode": 3, "signal": null }));
    let output = lines[1]["result"]["output"].as_str().unwrap();
    assert!(output.starts_with("hello\n") && output.ends_with("got it value cat\n"), "{output:?}");
    assert_eq!(lines[1]["result"]["exitStatus"]["exitCode"], 3);
    assert_eq!(lines[3]["error"]["code"], -32002, "it was released: {}", lines[3]);
}
