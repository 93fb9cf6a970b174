//! Tests a relay's requests to a host, and the life of sessions.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use moorline_host::dial::WireItem;
use moorline_host::host::{Host, LinkState};
use moorline_shared::control::{Fork, Output, ToHost, ToRelay};
use moorline_shared::event::{Activity, Event, EventKind, Status};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::message::{Snapshot, close};
use moorline_shared::operation::{OperationsAnswer, OperationsQuestion, PlannedOperation};
use moorline_shared::publish::{HostCommand, RefusedReason, RequestId};
use moorline_shared::session::ExitStatus;
use moorline_shared::session::ForkedFrom;

use super::fake_relay::{Copy, FakeRelay, ask, hear, id, say, script, start};
use super::{soon, wait_until};

const WINDOW: u64 = u64::MAX;

fn runs(pid: u32) -> bool {
    // The host waits for its zombies.
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn is_empty(host: &Host) {
    wait_until("the host has no session", || host.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_session_is_published_to_its_end_and_then_forgotten() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, hello) = relay.control().await;
    assert_eq!(
        (hello.sessions, hello.drivers),
        (vec![], ["pty", "agent", "tmux"].map(str::to_owned).to_vec())
    );
    let hosted = start(&mut control, script("session1", "read a; echo got $a; exit 3")).await;
    assert_eq!(hosted.cwd, "/tmp");
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, WINDOW).await;
    let piece = Frame::copy(Seq(1), b"it\n").unwrap();
    let client_id = "client_1".parse().unwrap();
    say(&link, HostCommand::Input { client_id, piece }).await;
    copy.read_to_end(&mut link).await;
    assert_eq!(copy.epoch, hosted.epoch);
    assert_eq!(copy.exit, Some(ExitStatus { code: Some(3), signal: None, reason: None }));
    assert_eq!(String::from_utf8_lossy(&copy.output), "it\r\ngot it\r\n");
    assert_eq!(
        copy.kinds(),
        [
            EventKind::SessionCreated.as_str(),
            EventKind::SessionStatus.as_str(),
            EventKind::SessionStatus.as_str()
        ]
    );
    let last = copy.events.last().unwrap().read::<Status>().unwrap();
    assert_eq!(last.exit_code, Some(3));
    is_empty(&host).await;
    drop(control);
    let (_control, hello) = relay.control().await;
    assert_eq!(hello.sessions, []);
}

#[tokio::test]
async fn what_cannot_be_started_is_answered() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    start(&mut control, script("session1", "cat")).await;
    let mut no_program = script("session2", "");
    no_program.facts.command = vec!["/no/such/program".into()];
    let mut no_driver = script("session3", "");
    no_driver.facts.driver = "steam".into();
    let cases = [
        (script("session1", "cat"), "exists", "session1"),
        (no_program, "bad_request", "program not found: /no/such/program"),
        (no_driver, "bad_request", "steam"),
    ];
    for (wanted, want, says) in cases {
        let ToRelay::Failed { code, message, .. } = ask(&mut control, wanted).await else {
            panic!("started");
        };
        assert_eq!(code, want);
        assert!(message.contains(says), "{message}");
    }
}

/// Returns the activity in the last status.
fn last_activity(copy: &Copy) -> Option<Activity> {
    let mut statuses = copy.events.iter().filter_map(Event::read::<Status>);
    statuses.next_back().map(|status| status.status)
}

/// Without marks, the status comes from the terminal's foreground.
#[tokio::test]
async fn a_shell_without_integration_tells_whether_a_job_runs() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let mut wanted = script("session1", "");
    wanted.facts.command = ["env", "PS1=moor> ", "ENV=", "sh", "-i"].map(str::to_owned).to_vec();
    start(&mut control, wanted).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, WINDOW).await;
    let mut typed = 0;
    for (keys, becomes) in
        [("", Activity::Idle), ("sleep 1000\n", Activity::Running), ("\x03", Activity::Idle)]
    {
        if !keys.is_empty() {
            typed += 1;
            let piece = Frame::copy(Seq(typed), keys.as_bytes()).unwrap();
            let client_id = "client_1".parse().unwrap();
            say(&link, HostCommand::Input { client_id, piece }).await;
        }
        while last_activity(&copy) != Some(becomes) {
            soon("a status", copy.hear(&mut link)).await;
        }
    }
    assert_eq!(copy.events.last().unwrap().read::<Status>().unwrap().command, None);
}

/// The relay sees none of the shell's output.
#[tokio::test]
async fn a_shell_that_prints_nothing_is_told_to_be_idle() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let mut wanted = script("session1", "");
    // Long enough after the last output that only a late look notices.
    let silent = "stty -echo; sleep 2; PS1= ENV= exec sh -i";
    wanted.facts.command = ["sh", "-c", silent].map(str::to_owned).to_vec();
    start(&mut control, wanted).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, WINDOW).await;
    let typed = [("", Activity::Idle), ("sleep 2\n", Activity::Running), ("", Activity::Idle)];
    for (keys, becomes) in typed {
        if !keys.is_empty() {
            let piece = Frame::copy(Seq(1), keys.as_bytes()).unwrap();
            let client_id = "client_1".parse().unwrap();
            say(&link, HostCommand::Input { client_id, piece }).await;
        }
        while last_activity(&copy) != Some(becomes) {
            soon("a status", copy.hear(&mut link)).await;
        }
    }
    assert_eq!(String::from_utf8_lossy(&copy.output), "");
}

#[tokio::test]
async fn a_forgotten_session_is_killed() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let hosted = start(&mut control, script("session1", "sleep 1000")).await;
    say(&control, ToHost::Forget { session_id: id("session1") }).await;
    wait_until("the process is gone", || !runs(hosted.pid.unwrap())).await;
    is_empty(&host).await;
    // The id can be used again.
    start(&mut control, script("session1", "cat")).await;
}

#[tokio::test]
async fn a_session_that_goes_on_elsewhere_is_ended_here() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let hosted = start(&mut control, script("session1", "sleep 1000")).await;
    let mut link = relay.publish(&id("session1")).await;
    Copy::default().resume(&mut link, WINDOW).await;
    say(&link, HostCommand::Refused { reason: RefusedReason::Fenced }).await;
    _ = link.sender.send(WireItem::Closed(close::REPLACED)).await;
    wait_until("the process is gone", || !runs(hosted.pid.unwrap())).await;
    is_empty(&host).await;
}

#[tokio::test]
async fn a_relay_that_does_not_know_a_session_yet_does_not_end_it() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    start(&mut control, script("session1", "cat")).await;
    for reason in [RefusedReason::NotFound, RefusedReason::BadMessage] {
        let link = relay.publish(&id("session1")).await;
        say(&link, HostCommand::Refused { reason }).await;
    }
    let link = relay.publish(&id("session1")).await;
    _ = link.sender.send(WireItem::Closed(close::UNAUTHORIZED)).await;
    let mut link = relay.publish(&id("session1")).await;
    Copy::default().resume(&mut link, WINDOW).await;
    assert_eq!(host.sessions().len(), 1);
}

#[tokio::test]
async fn a_fork_begins_after_its_point_with_the_screen_of_then() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let mut wanted = script("session2", "echo own; cat");
    let snapshot = Snapshot {
        seq: Seq(3),
        data: Bytes::from_static(b"\x1bcsnapshot\r\n"),
        cols: Some(80),
        rows: Some(24),
        reason: None,
    };
    let from = ForkedFrom { session_id: id("session1"), epoch: Epoch(4), seq: Seq(9) };
    let output =
        [&b"after\r\n"[..], b"the snapshot\r\n"].map(|data| Output(Bytes::from_static(data)));
    wanted.fork = Some(Fork {
        epoch: Epoch(5),
        from,
        snapshot: Some(snapshot),
        output: output.to_vec(),
        events: vec![],
        approvals: vec!["approval1".parse().unwrap()],
    });
    let hosted = start(&mut control, wanted).await;
    assert_eq!(hosted.epoch, Epoch(5));
    let mut link = relay.publish(&id("session2")).await;
    let mut copy = Copy { epoch: Epoch(5), head: Seq(9), ..Copy::default() };
    copy.resume(&mut link, WINDOW).await;
    copy.read_until(&mut link, "own\r\n").await;
    assert_eq!(
        copy.kinds(),
        [
            EventKind::SessionForked.as_str(),
            EventKind::ApprovalProgress.as_str(),
            EventKind::SessionCreated.as_str(),
            EventKind::SessionStatus.as_str()
        ]
    );
    assert!(copy.output.starts_with(b"\x18\x1b7"), "the screen is made plain first");
    let snapshot = copy.snapshot(&mut link).await;
    assert_eq!(snapshot.seq, copy.head);
    let shown = String::from_utf8_lossy(&snapshot.data).into_owned();
    let places = ["snapshot", "after", "the snapshot", "own"].map(|text| shown.find(text));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{shown:?}");
}

#[tokio::test]
async fn stopping_waits_until_all_is_durable() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    start(
        &mut control,
        script("session1", "trap 'echo bye; exit 4' HUP; echo on; while :; do sleep 0.01; done"),
    )
    .await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, WINDOW).await;
    copy.read_until(&mut link, "on\r\n").await;
    let stopping = tokio::spawn({
        let host = host.clone();
        async move { host.stop(Duration::from_secs(60)).await }
    });
    while copy.exit.is_none() {
        copy.hear(&mut link).await;
    }
    assert!(copy.output.ends_with(b"bye\r\n"));
    let refused = ask(&mut control, script("session2", "cat")).await;
    assert!(matches!(refused, ToRelay::Failed { ref code, .. } if code == "overloaded"));
    assert!(!stopping.is_finished());
    copy.ack(&link).await;
    _ = link.sender.send(WireItem::Closed(close::NORMAL)).await;
    assert!(soon("the host stops", stopping).await.unwrap());
    assert!(control.recv().await.is_err());
}

#[tokio::test]
async fn stopping_without_a_relay_ends_in_time() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let hosted = start(&mut control, script("session1", "sleep 1000")).await;
    relay.set_up(false);
    drop(control);
    drop(relay.publish(&id("session1")).await);
    assert!(!host.stop(Duration::from_millis(100)).await);
    wait_until("the process is gone", || !runs(hosted.pid.unwrap())).await;
}

#[tokio::test]
async fn a_relay_that_asks_for_nothing_more_need_not_close_the_link() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    start(&mut control, script("session1", "echo last")).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, WINDOW).await;
    while copy.exit.is_none() {
        copy.hear(&mut link).await;
    }
    copy.ack(&link).await;
    // A last snapshot is still available.
    let snapshot = copy.snapshot(&mut link).await;
    assert!(String::from_utf8_lossy(&snapshot.data).contains("last"));
    assert_eq!(soon("the end", link.recv()).await, Err(close::NORMAL));
    is_empty(&host).await;
}

#[tokio::test]
async fn a_session_of_the_hosts_own_accord_is_in_a_new_hello() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let hosted = host.create(script("session1", "cat")).await.unwrap();
    assert!(soon("the link is closed", control.recv()).await.is_err());
    let (_control, hello) = relay.control().await;
    assert_eq!(hello.sessions, [hosted]);
}

/// Not every relay reads a message of more than 32 MiB.
#[tokio::test]
async fn what_a_hello_tells_of_all_sessions_fits_into_a_message() {
    let (host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let large = |number: usize| {
        let mut wanted = script(&format!("session{number}"), "cat");
        wanted.facts.command.extend((0..12).map(|_| "x".repeat(120 * 1024)));
        wanted
    };
    let mut started = 0;
    let (code, message) = loop {
        match ask(&mut control, large(started)).await {
            ToRelay::Started { .. } => started += 1,
            ToRelay::Failed { code, message, .. } => break (code, message),
            other => panic!("{other:?}"),
        }
    };
    assert!(code == "overloaded" && message.contains("end a session"), "{code}: {message}");
    let hello = serde_json::to_vec(&host.sessions()).unwrap().len();
    assert!((24 << 20..30 << 20).contains(&hello), "{hello} bytes of {started} sessions");

    // A small session fits, and one that ends makes room.
    start(&mut control, script("smaller1", "cat")).await;
    say(&control, ToHost::Forget { session_id: id("session0") }).await;
    wait_until("it is forgotten", || host.sessions().len() == started).await;
    start(&mut control, large(99)).await;
}

#[tokio::test]
async fn files_are_looked_for() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("AGENTS.md"), "a").unwrap();
    std::fs::write(folder.path().join("b.txt"), "b").unwrap();
    let files = ToHost::Files {
        request: RequestId(3),
        folder: Some(folder.path().to_str().unwrap().to_owned()),
        top: None,
        named: vec!["b.txt".into(), "AGENTS.md".into(), "none".into()],
    };
    say(&control, files).await;
    let ToRelay::Files { request: RequestId(3), files } = hear(&mut control).await else {
        panic!("no files");
    };
    let names: Vec<_> = files.iter().map(|file| file.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["b.txt", "AGENTS.md"]);
}

#[tokio::test]
async fn operations_are_previewed_and_executed() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let folder = tempfile::tempdir().unwrap();
    let ask = |request, question| ToHost::Operations {
        request: RequestId(request),
        folder: Some(folder.path().to_str().unwrap().to_owned()),
        question: Box::new(question),
    };
    let text = "```txt a.txt\none\n```\n".to_owned();
    say(&control, ask(1, OperationsQuestion::Preview { text })).await;
    let ToRelay::Operations { request: RequestId(1), answer } = hear(&mut control).await else {
        panic!("no preview");
    };
    let OperationsAnswer::Previewed { operations, omitted: 0 } = *answer else { panic!() };
    assert_eq!(operations.len(), 1);
    let planned = operations
        .into_iter()
        .map(|preview| PlannedOperation { operation: preview.operation, before: preview.before });
    let question =
        OperationsQuestion::Execute { operations: planned.collect(), all_or_nothing: true };
    say(&control, ask(2, question)).await;
    let ToRelay::Operations { request: RequestId(2), answer } = hear(&mut control).await else {
        panic!("no results");
    };
    let OperationsAnswer::Executed { results } = *answer else { panic!() };
    assert!(results[0].success, "{results:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("a.txt")).unwrap(), "one\n");
}

#[tokio::test]
async fn a_host_that_was_replaced_stays_away() {
    let (host, mut relay) = FakeRelay::with_host();
    let (control, _) = relay.control().await;
    let mut link_state = host.link_state();
    _ = control.sender.send(WireItem::Closed(close::REPLACED)).await;
    let refused = |link_state: &LinkState| matches!(link_state, LinkState::Refused { .. });
    soon("the refusal", link_state.wait_for(refused)).await.unwrap();
    assert!(host.create(script("session1", "cat")).await.is_ok());
    // The host still publishes the sessions that it has.
    relay.publish(&id("session1")).await;
}
