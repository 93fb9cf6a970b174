//! Tests sessions that outlive their host.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use moorline_host::driver::{
    Driver, DriverCheckpoint, DriverError, DriverOutput, Drivers, OutputSource, SessionControl,
    SessionSpec, SnapshotSource, StartedSession, StoredCheckpoint, Survival,
};
use moorline_host::host::{Config, Host};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::control::{Facts, Fork, ForkedEvent, Hosted, Start};
use moorline_shared::event::Event;
use moorline_shared::fold::Conversation;
use moorline_shared::frame::Frame;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::session::{ExitStatus, ForkedFrom, Size};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::fake_relay::{Copy, FakeRelay, FarControl, FarPublish, config, hear, id, say, start};
use super::soon;

/// The number of outputs of a flood. Numbers above this are large outputs.
const FLOOD: u64 = 500;

/// A driver whose sessions count lines of input and actions, and continue to count.
#[derive(Debug)]
struct CountingDriver;

/// A session, whose two halves are the same.
#[derive(Debug, Clone)]
struct Counting(Arc<(Mutex<Counts>, Notify)>);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counts {
    count: u64,
    /// What was counted and not output, with the action that was.
    pending: VecDeque<(u64, Option<ActionNumber>)>,
    /// The action to report next.
    acted: Option<ActionNumber>,
    #[serde(skip)]
    is_changed: bool,
    #[serde(skip)]
    is_over: bool,
}

impl Counting {
    fn start(counts: Counts) -> StartedSession {
        let counting = Self(Arc::new((Mutex::new(counts), Notify::new())));
        StartedSession {
            output: Box::new(counting.clone()),
            control: Arc::new(counting),
            snapshots: SnapshotSource::Conversation,
            cwd: "/counts".into(),
            pid: None,
            survival: Survival::Journaled,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_one();
    }

    fn count(&self, acted: Option<ActionNumber>) {
        self.change(|counts| {
            counts.count += 1;
            counts.pending.push_back((counts.count, acted));
            counts.is_changed = true;
        });
    }
}

impl Counts {
    fn next(&mut self) -> Option<DriverOutput> {
        if let Some(number) = self.acted.take() {
            return Some(DriverOutput::Acted(number));
        }
        if let Some((count, acted)) = self.pending.pop_front() {
            self.acted = acted;
            let said = if count > FLOOD { "x".repeat(100_000) } else { count.to_string() };
            let message = json!({ "messageId": format!("m{count}"), "delta": said });
            let fields = message.as_object().unwrap().clone();
            return Some(DriverOutput::Event { kind: "agent-message", fields });
        }
        if std::mem::take(&mut self.is_changed) {
            return Some(DriverOutput::Checkpoint);
        }
        let exit = ExitStatus { code: Some(0), signal: None, reason: None };
        self.is_over.then_some(DriverOutput::End(exit))
    }
}

impl Driver for CountingDriver {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn start(&self, _: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async { Ok(Counting::start(Counts::default())) })
    }

    fn restore(
        &self,
        _: SessionSpec,
        checkpoint: StoredCheckpoint,
    ) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        let counts: Counts = serde_json::from_slice(&checkpoint.state).unwrap();
        Box::pin(async move { Ok(Counting::start(Counts { is_changed: true, ..counts })) })
    }
}

impl OutputSource for Counting {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(async {
            loop {
                if let Some(output) = self.0.0.lock().unwrap().next() {
                    return output;
                }
                self.0.1.notified().await;
            }
        })
    }
}

impl SessionControl for Counting {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        match input {
            b"flood\n" => self.change(|counts| {
                counts.pending.extend((0..FLOOD).map(|number| (FLOOD + 1 + number, None)));
            }),
            _ => self.count(None),
        }
        Ok(input.len())
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }

    fn resize(&self, _: Size) -> io::Result<()> {
        Ok(())
    }

    fn act(&self, number: ActionNumber, _: SessionAction) -> bool {
        self.count(Some(number));
        true
    }

    fn checkpoint(&self, _: &BTreeSet<String>) -> DriverCheckpoint {
        Bytes::from(serde_json::to_vec(&*self.0.0.lock().unwrap()).unwrap()).into()
    }

    fn request_checkpoint(&self) {
        self.change(|counts| counts.is_changed = true);
    }

    fn close(&self) {
        self.change(|counts| counts.is_over = true);
    }
}

/// A host in a runtime of its own, which ends as abruptly as a process that is killed.
struct MortalHost {
    runtime: Option<Runtime>,
    host: Arc<Host>,
    relay: FakeRelay,
}

impl MortalHost {
    async fn start(folder: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = Config { folder: Some(folder.into()), ..config() };
        let started = runtime.spawn(async {
            FakeRelay::with_config(config, Drivers::new(vec![Box::new(CountingDriver)]))
        });
        let (host, relay) = started.await.unwrap();
        Self { runtime: Some(runtime), host, relay }
    }

    fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// A host with a session that counts, and a relay that follows it.
struct CountingHost {
    host: MortalHost,
    control: FarControl,
    hosted: Hosted,
    link: FarPublish,
    copy: Copy,
}

impl CountingHost {
    async fn start(folder: &Path) -> Self {
        let mut host = MortalHost::start(folder).await;
        let (mut control, _) = host.relay.control().await;
        let hosted = start(&mut control, counts()).await;
        let mut link = host.relay.publish(&id("session1")).await;
        let mut copy = Copy::default();
        copy.resume(&mut link, u64::MAX).await;
        Self { host, control, hosted, link, copy }
    }
}

fn counts() -> Start {
    let facts = Facts { driver: "agent".into(), ..Facts::default() };
    Start { session_id: id("session1"), facts, cwd: None, fork: None }
}

async fn type_in(link: &FarPublish, seq: u64) {
    let piece = Frame::copy(Seq(seq), b"x\n").unwrap();
    say(link, HostCommand::Input { client_id: "client_1".parse().unwrap(), piece }).await;
}

async fn act(link: &FarPublish, number: u64) {
    let action = SessionAction::Withdraw { turn_id: "turn_0001".parse().unwrap() };
    say(link, HostCommand::Act { number: ActionNumber(number), action }).await;
}

/// Hears of entries until one is acknowledged as this one; returns it.
async fn hear_acted(link: &mut FarPublish, copy: &mut Copy) -> (ActionNumber, Seq) {
    loop {
        match hear(link).await {
            HostMessage::Acted { number, seq } => return (number, seq),
            HostMessage::Entry(entry) => {
                assert_eq!(entry.seq(), copy.head.next());
                copy.head = entry.seq();
            }
            HostMessage::InputAck { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_continues_where_its_host_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let started = CountingHost::start(folder.path()).await;
    let CountingHost { host, control: _control, hosted, mut link, mut copy } = started;
    type_in(&link, 1).await;
    act(&link, 1).await;
    let (number, seq) = hear_acted(&mut link, &mut copy).await;
    assert_eq!((number, hosted.epoch), (ActionNumber(1), copy.epoch));
    // Not all of it has become durable, and the relay has not even heard of the last line.
    say(&link, HostCommand::Ack { seq: Seq(2) }).await;
    type_in(&link, 2).await;
    while copy.head <= seq {
        copy.hear(&mut link).await;
    }
    host.kill();

    let mut host = MortalHost::start(folder.path()).await;
    let (_control, hello) = host.relay.control().await;
    assert_eq!(hello.sessions.len(), 1);
    assert_eq!(hello.sessions[0].epoch, hosted.epoch);
    let mut link = host.relay.publish(&id("session1")).await;
    copy.head = seq.min(copy.head);
    let head = copy.resume(&mut link, u64::MAX).await;
    assert!(head >= seq, "what a relay has heard is not forgotten");
    // Repeated input and actions are taken once; new ones follow.
    type_in(&link, 1).await;
    act(&link, 1).await;
    act(&link, 2).await;
    while hear_acted(&mut link, &mut copy).await.0 != ActionNumber(2) {}
    say(&link, HostCommand::SnapshotRequest).await;
    let snapshot = loop {
        match hear(&mut link).await {
            HostMessage::Snapshot(snapshot) => break snapshot,
            HostMessage::Entry(entry) => copy.head = entry.seq(),
            HostMessage::InputAck { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(snapshot.seq, copy.head);
    let items = Conversation::from_snapshot(&snapshot.data).unwrap().items;
    assert_eq!(items.len(), 4, "two lines and two actions: {items:?}");
    host.kill();

    // A second death costs nothing either: the relay has lost what was not durable.
    let mut host = MortalHost::start(folder.path()).await;
    let (_control, _) = host.relay.control().await;
    let mut link = host.relay.publish(&id("session1")).await;
    copy.head = Seq(2);
    copy.resume(&mut link, u64::MAX).await;
    say(&link, HostCommand::SnapshotRequest).await;
    while copy.snapshots.is_empty() {
        copy.hear(&mut link).await;
    }
    let snapshot = copy.snapshots.pop().unwrap();
    assert_eq!((snapshot.seq, copy.head), (snapshot.seq, snapshot.seq));
    let items = Conversation::from_snapshot(&snapshot.data).unwrap().items;
    assert_eq!(items.len(), 4, "after the second death: {items:?}");
    host.kill();
}

#[tokio::test]
async fn what_a_relay_adds_is_told_though_the_driver_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let CountingHost { host, control: _control, mut link, mut copy, .. } =
        CountingHost::start(folder.path()).await;
    let event = Event::of_kind(id("session1"), "terminal-created", 1, json!({}));
    say(&link, HostCommand::Append { event }).await;
    while copy.events.last().is_none_or(|event| event.kind != "terminal-created") {
        soon("the event", copy.hear(&mut link)).await;
    }
    host.kill();
}

#[tokio::test]
async fn more_than_a_host_keeps_comes_through_before_the_driver_is_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let CountingHost { host, control: _control, mut link, mut copy, .. } =
        CountingHost::start(folder.path()).await;
    let piece = Frame::copy(Seq(1), b"flood\n").unwrap();
    say(&link, HostCommand::Input { client_id: "client_1".parse().unwrap(), piece }).await;
    while (copy.events.len() as u64) < FLOOD {
        copy.hear(&mut link).await;
        copy.ack(&link).await;
    }
    host.kill();
}

#[tokio::test]
async fn a_fork_shows_what_was_said_before_it_also_after_a_death() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = MortalHost::start(folder.path()).await;
    let (mut control, _) = host.relay.control().await;
    let said = json!({ "messageId": "before", "delta": "said" });
    let event = Event::of_kind(id("session0"), "agent-message", 1, said);
    let from = ForkedFrom { session_id: id("session0"), epoch: Epoch(1), seq: Seq(3) };
    let events = vec![ForkedEvent { seq: Seq(2), event }];
    let fork =
        Fork { epoch: Epoch(2), from, snapshot: None, output: vec![], events, approvals: vec![] };
    start(&mut control, Start { fork: Some(fork), ..counts() }).await;
    for _ in 0..2 {
        let mut link = host.relay.publish(&id("session1")).await;
        let mut copy = Copy { epoch: Epoch(2), head: Seq(3), ..Copy::default() };
        copy.resume(&mut link, u64::MAX).await;
        say(&link, HostCommand::SnapshotRequest).await;
        while copy.snapshots.is_empty() {
            copy.hear(&mut link).await;
        }
        let items = Conversation::from_snapshot(&copy.snapshots[0].data).unwrap().items;
        assert_eq!(items.len(), 1, "{items:?}");
        host.kill();
        host = MortalHost::start(folder.path()).await;
        host.relay.control().await;
    }
    host.kill();
}

#[tokio::test]
async fn a_session_that_is_over_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let CountingHost { host, control: _control, mut link, mut copy, .. } =
        CountingHost::start(folder.path()).await;
    say(&link, HostCommand::Close).await;
    copy.read_to_end(&mut link).await;
    soon("the end", async {
        while !host.host.sessions().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    host.kill();
    let mut host = MortalHost::start(folder.path()).await;
    let (_control, hello) = host.relay.control().await;
    assert_eq!(hello.sessions, []);
    host.kill();
}
