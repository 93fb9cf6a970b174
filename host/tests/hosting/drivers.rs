//! Tests sessions whose driver is not a terminal.

use moorline_host::driver::{Driver as _, Drivers, pty};
use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::control::{Facts, Fork, ForkedEvent, Start, ToHost, ToRelay};
use moorline_shared::event::{Activity, Event, EventKind, Status};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::publish::{HostCommand, RequestId};
use moorline_shared::session::{ExitStatus, ForkedFrom, Size};
use serde_json::json;

use super::fake_relay::{Copy, FakeRelay, FarPublish, ask, hear, id, say, start};
use super::line_driver::{AbsentDriver, AgentDriver, LineDriver};
use super::soon;

fn drivers() -> Drivers {
    let pty = Box::new(pty::PtyDriver::new(None));
    Drivers::new(vec![pty, Box::new(LineDriver), Box::new(AgentDriver), Box::new(AbsentDriver)])
}

fn lines(session: &str) -> Start {
    let facts = Facts { driver: "line".into(), ..Facts::default() };
    Start { session_id: id(session), facts, cwd: None, fork: None }
}

/// Types a piece of input.
async fn type_in(link: &FarPublish, seq: u64, text: &str) {
    let piece = Frame::copy(Seq(seq), text.as_bytes()).unwrap();
    say(link, HostCommand::Input { client_id: "client_1".parse().unwrap(), piece }).await;
}

#[tokio::test]
async fn a_hello_tells_which_drivers_there_are_and_why_not_the_others() {
    let (_host, mut relay) = FakeRelay::with_drivers(drivers());
    let (_control, hello) = relay.control().await;
    assert_eq!(hello.drivers, ["pty", "line", "agent"]);
    let missing: Vec<_> = hello.missing.iter().map(|it| (&*it.driver, &*it.reason)).collect();
    assert_eq!(missing, [("absent", "it is not installed")]);
}

#[tokio::test]
async fn a_host_tells_which_agents_its_drivers_know() {
    let (_host, mut relay) = FakeRelay::with_drivers(drivers());
    let (mut control, _) = relay.control().await;
    say(&control, ToHost::Agents { request: RequestId(3) }).await;
    assert_eq!(
        hear(&mut control).await,
        ToRelay::Agents { request: RequestId(3), agents: AgentDriver.agents() }
    );
}

#[tokio::test]
async fn the_fork_of_an_agent_continues_its_conversation() {
    let (_host, mut relay) = FakeRelay::with_drivers(drivers());
    let (mut control, _) = relay.control().await;
    let agent = Some(AgentSpec { agent: Some("echo".into()), ..AgentSpec::default() });
    let facts = Facts { driver: "agent".into(), agent, ..Facts::default() };
    let new = Start { session_id: id("session2"), facts, cwd: None, fork: None };
    let from = ForkedFrom { session_id: id("session1"), epoch: Epoch(4), seq: Seq(9) };
    let fields = json!({"messageId": "m", "role": "agent", "delta": "hello"});
    let event = Event::of_kind(id("session1"), "agent-message", 7, fields);
    let events = vec![ForkedEvent { seq: Seq(8), event }];
    let fork =
        Fork { epoch: Epoch(5), from, snapshot: None, output: vec![], events, approvals: vec![] };
    let fork = Start { fork: Some(fork), ..new.clone() };
    for (wanted, says) in
        [(new, r#"Some("echo") continues None"#), (fork, r#"Some("echo") continues Some((1, 9))"#)]
    {
        let ToRelay::Failed { message, .. } = ask(&mut control, wanted).await else {
            panic!("started");
        };
        assert_eq!(message, says);
    }
}

#[tokio::test]
async fn what_a_driver_refuses_is_answered_in_its_words() {
    let (_host, mut relay) = FakeRelay::with_drivers(drivers());
    let (mut control, _) = relay.control().await;
    let mut with_command = lines("session1");
    with_command.facts.command = vec!["vi".into()];
    let mut absent = lines("session2");
    absent.facts.driver = "absent".into();
    let mut unknown = lines("session3");
    unknown.facts.driver = "steam".into();
    let cases = [
        (with_command, "bad_request", "`vi`: lines only"),
        (absent, "exhausted", "it is not installed"),
        (
            unknown,
            "bad_request",
            "this host does not have the driver `steam`: it has `pty`, `line`, `agent`, `absent`",
        ),
    ];
    for (wanted, want, says) in cases {
        let ToRelay::Failed { code, message, .. } = ask(&mut control, wanted).await else {
            panic!("started");
        };
        assert_eq!((&*code, &*message), (want, says));
    }
}

#[tokio::test]
async fn a_session_without_a_terminal_puts_out_and_takes_all_that_others_do() {
    let (_host, mut relay) = FakeRelay::with_drivers(drivers());
    let (mut control, _) = relay.control().await;
    let hosted = start(&mut control, lines("session1")).await;
    assert_eq!((&*hosted.cwd, hosted.pid), ("/lines", None));
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;

    // Output, an event and a status, in order.
    type_in(&link, 1, "say hello\nnote well\nidle /away\n").await;
    while copy.events.len() < 4 {
        soon("the events", copy.hear(&mut link)).await;
    }
    assert_eq!(copy.output, b"hello");
    let kinds = [
        EventKind::SessionCreated.as_str(),
        EventKind::SessionStatus.as_str(),
        EventKind::Other.as_str(),
        EventKind::SessionStatus.as_str(),
    ];
    assert_eq!(copy.kinds(), kinds);
    assert_eq!(copy.events[0].fields["mode"], "line");
    assert_eq!(copy.events[2].fields["text"], json!("well"));
    let status = copy.events[3].read::<Status>().unwrap();
    assert_eq!((status.status, status.cwd.as_deref()), (Activity::Idle, Some("/away")));

    // The driver makes the snapshot, with the size that it was given, and after all earlier output.
    say(&link, HostCommand::Resize { size: Size { cols: 100, rows: 30 } }).await;
    let snapshot = copy.snapshot(&mut link).await;
    assert_eq!((&*snapshot.data, snapshot.seq), (&b"said:hello line:"[..], copy.head));
    assert_eq!((snapshot.cols, snapshot.rows), (Some(100), Some(30)));

    // Output that looks like a terminal query is not one: nobody types an answer.
    type_in(&link, 2, "say \x1b[c\n").await;
    copy.read_until(&mut link, "\x1b[c").await;
    let snapshot = copy.snapshot(&mut link).await;
    assert_eq!(&snapshot.data[..], b"said:hello\x1b[c line:");

    // The session ends, and leaves a last snapshot.
    type_in(&link, 3, "say .\nbye\n").await;
    while copy.exit.is_none() {
        soon("the end", copy.hear(&mut link)).await;
        copy.ack(&link).await;
    }
    assert_eq!(copy.exit, Some(ExitStatus { code: Some(7), signal: None, reason: None }));
    let last = copy.events.last().unwrap().read::<Status>().unwrap();
    assert_eq!((last.status, last.exit_code), (Activity::Exited, Some(7)));
    assert_eq!(last.cwd.as_deref(), Some("/away"));
    let snapshot = copy.snapshot(&mut link).await;
    assert_eq!(&snapshot.data[..], b"said:hello\x1b[c. line:");
}

#[tokio::test]
async fn input_for_which_a_driver_has_no_room_waits_for_it() {
    let (_host, mut relay) = FakeRelay::with_drivers(drivers());
    let (mut control, _) = relay.control().await;
    start(&mut control, lines("session1")).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    let numbers = || (0..1000).map(|number| format!("{number},"));
    let input: String = numbers().map(|number| format!("say {number}\n")).collect();
    type_in(&link, 1, &input).await;
    copy.read_until(&mut link, "999,").await;
    assert_eq!(String::from_utf8_lossy(&copy.output), numbers().collect::<String>());
}

#[tokio::test]
async fn a_driver_is_asked_to_end_its_session() {
    let (host, mut relay) = FakeRelay::with_drivers(drivers());
    let (mut control, _) = relay.control().await;
    start(&mut control, lines("session1")).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    say(&link, HostCommand::Close).await;
    copy.read_to_end(&mut link).await;
    assert_eq!(copy.exit, Some(ExitStatus::default()));
    super::wait_until("the session is gone", || host.sessions().is_empty()).await;
}
