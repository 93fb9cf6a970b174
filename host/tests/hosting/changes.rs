//! Tests that what an agent changes is known, kept and reverted.

use std::path::Path;

use moorline_host::driver::Drivers;
use moorline_host::driver::kubernetes::KubernetesConfig;
use moorline_shared::change::{
    ChangedFile, ChangesAnswer, ChangesQuestion, FileFate, ListedChanges, PlannedChange,
};
use moorline_shared::control::{Facts, Start, ToHost, ToRelay};
use moorline_shared::event::{AgentChanges, Event};
use moorline_shared::failure::HostFailure;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::publish::{HostCommand, RequestId};

use super::fake_relay::{Copy, FakeRelay, FarControl, FarPublish, hear, id, say, script, start};
use super::{soon, wait_until};

/// An agent that runs its prompt as a command, in its own process.
const SCRIPT: &str = r#"
reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
while read -r line; do
  id=$(printf %s "$line" | sed -n 's/^{"id":\([0-9]*\).*/\1/p')
  case $line in
  *'"method":"initialize"'*) reply "$id" '{"protocolVersion":1,"agentCapabilities":{}}' ;;
  *'"method":"session/new"'*) reply "$id" '{"sessionId":"s"}' ;;
  *'"method":"session/prompt"'*)
    sh "$(printf %s "$line" | sed -n 's/.*"text":"run \([a-z]*\)".*/\1/p').sh"
    reply "$id" '{"stopReason":"end_turn"}' ;;
  esac
done
"#;

async fn ask(control: &mut FarControl, session: &str, question: ChangesQuestion) -> ChangesAnswer {
    let (request, session_id) = (RequestId(7), id(session));
    say(control, ToHost::Changes { request, session_id, question: Box::new(question) }).await;
    let ToRelay::Changes { request: RequestId(7), answer } = hear(control).await else {
        panic!("no answer about changes");
    };
    *answer
}

async fn listed(control: &mut FarControl) -> ListedChanges {
    match ask(control, "session1", ChangesQuestion::List).await {
        ChangesAnswer::Listed(listed) => listed,
        other => panic!("{other:?}"),
    }
}

/// Prompts the agent, and returns the changes that are reported next.
async fn prompt(link: &mut FarPublish, copy: &mut Copy, seq: u64, name: &str) -> AgentChanges {
    let client_id = "client_1".parse().unwrap();
    let piece = Frame::copy(Seq(seq), format!("run {name}\r").as_bytes()).unwrap();
    say(link, HostCommand::Input { client_id, piece }).await;
    reported(link, copy).await
}

async fn reported(link: &mut FarPublish, copy: &mut Copy) -> AgentChanges {
    let seen = copy.events.len();
    loop {
        let found = copy.events[seen..].iter().find_map(Event::read);
        match found {
            Some(found) => return found,
            None => soon("the changes", copy.hear(link)).await,
        };
    }
}

async fn start_agent(folder: &Path, relay: &mut FakeRelay) -> (FarControl, FarPublish, Copy) {
    let (mut control, _) = relay.control().await;
    let command = ["sh", "-c", SCRIPT].map(str::to_owned).to_vec();
    let facts = Facts { driver: "agent".into(), command, ..Facts::default() };
    let cwd = Some(folder.to_string_lossy().into_owned());
    start(&mut control, Start { session_id: id("session1"), facts, cwd, fork: None }).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    (control, link, copy)
}

fn planned(file: &ChangedFile) -> PlannedChange {
    PlannedChange { path: file.path.clone(), before: file.before.clone(), hunks: None }
}

#[tokio::test]
async fn what_an_agent_changes_is_kept_or_reverted() {
    let (home, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("a"), "one\n").unwrap();
    std::fs::write(at("first.sh"), "echo two > a; echo new > b\n").unwrap();
    std::fs::write(at("second.sh"), "echo one > a\n").unwrap();
    let drivers =
        Drivers::built_in(None, None, Some(state.path()), Vec::new(), KubernetesConfig::default());
    let (_host, mut relay) = FakeRelay::with_drivers(drivers);
    let (mut control, mut link, mut copy) = start_agent(home.path(), &mut relay).await;
    assert_eq!(listed(&mut control).await, ListedChanges { complete: true, ..Default::default() });

    let report = prompt(&mut link, &mut copy, 1, "first").await;
    assert_eq!((report.files, report.added, report.removed), (2, 2, 1));
    let list = listed(&mut control).await;
    let fates: Vec<_> = list.files.iter().map(|file| (file.path.as_str(), file.state)).collect();
    assert_eq!(fates, [("a", FileFate::Modified), ("b", FileFate::Added)]);
    assert_eq!(list.files[0].turn_ids, [report.turn_id.unwrap()]);
    assert_eq!(list.files[0].hunks[0].text, "-one\n+two\n");

    let (keep, revert) = (vec![planned(&list.files[1])], vec![planned(&list.files[0])]);
    let settled = ask(&mut control, "session1", ChangesQuestion::Settle { keep, revert }).await;
    let ChangesAnswer::Settled { results } = settled else { panic!("{settled:?}") };
    assert!(results.iter().all(|result| result.success), "{results:?}");
    let report = reported(&mut link, &mut copy).await;
    assert_eq!((report.files, report.turn_id), (0, None));
    assert_eq!(std::fs::read_to_string(at("a")).unwrap(), "one\n");
    assert_eq!(std::fs::read_to_string(at("b")).unwrap(), "new\n");

    // It is stored as long as the session is there.
    let stored = || std::fs::read_dir(state.path().join("changes")).unwrap().count();
    assert!(stored() > 0);
    say(&link, HostCommand::Close).await;
    copy.read_to_end(&mut link).await;
    wait_until("nothing to be stored", || stored() == 0).await;
}

#[tokio::test]
async fn only_agents_have_changes() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    start(&mut control, script("session1", "cat")).await;
    for (session, expected) in [("session1", "not_an_agent"), ("session2", "session_ended")] {
        let answer = ask(&mut control, session, ChangesQuestion::List).await;
        let ChangesAnswer::Failed(HostFailure { code, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(code, expected);
    }
}
