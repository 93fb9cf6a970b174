//! Tests sessions that outlive their host.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use moorline_host::driver::{
    Driver, DriverError, DriverOutput, Drivers, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession,
};
use moorline_host::host::{Config, Host};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::control::{Facts, Start};
use moorline_shared::fold::Conversation;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::session::{ExitStatus, Size};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::fake_relay::{Copy, FakeRelay, FarPublish, config, hear, id, say, start};
use super::soon;

/// A driver whose sessions count lines of input and actions, and continue to count.
#[derive(Debug)]
struct CountingDriver;

#[derive(Debug)]
struct CountingOutput(mpsc::UnboundedReceiver<DriverOutput>);

#[derive(Debug)]
struct CountingControl {
    sender: mpsc::UnboundedSender<DriverOutput>,
    count: Mutex<u64>,
    /// The count that the journal is known to have.
    journaled: AtomicU64,
}

fn counting(count: u64) -> StartedSession {
    let (sender, receiver) = mpsc::unbounded_channel();
    let journaled = AtomicU64::new(count);
    StartedSession {
        output: Box::new(CountingOutput(receiver)),
        control: Arc::new(CountingControl { sender, count: Mutex::new(count), journaled }),
        snapshots: SnapshotSource::Conversation,
        cwd: "/counts".into(),
        pid: None,
        outlives_host: true,
    }
}

impl Driver for CountingDriver {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn start(&self, _: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async { Ok(counting(0)) })
    }

    fn restore(
        &self,
        _: SessionSpec,
        checkpoint: Bytes,
    ) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        let count = std::str::from_utf8(&checkpoint).unwrap().parse().unwrap();
        Box::pin(async move { Ok(counting(count)) })
    }
}

impl OutputSource for CountingOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        let closed = DriverOutput::End(ExitStatus::default());
        Box::pin(async { self.0.recv().await.unwrap_or(closed) })
    }
}

impl CountingControl {
    fn count(&self, acted: Option<ActionNumber>) {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let message = json!({ "messageId": format!("m{count}"), "delta": count.to_string() });
        let fields = message.as_object().unwrap().clone();
        let event = DriverOutput::Event { kind: "agent-message", fields };
        let checkpoint = DriverOutput::Checkpoint;
        let acted = acted.map(DriverOutput::Acted);
        for output in [Some(event), acted, Some(checkpoint)].into_iter().flatten() {
            // A host that is killed takes no more.
            _ = self.sender.send(output);
        }
    }
}

impl SessionControl for CountingControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        self.count(None);
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

    fn checkpoint(&self) -> Bytes {
        Bytes::from(self.count.lock().unwrap().to_string())
    }

    fn journaled(&self) {
        self.journaled.store(*self.count.lock().unwrap(), Ordering::Relaxed);
    }

    fn close(&self) {
        _ = self.sender.send(DriverOutput::End(ExitStatus { code: Some(0), signal: None }));
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

fn counts() -> Start {
    let facts = Facts { driver: "counting".into(), ..Facts::default() };
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
    let mut host = MortalHost::start(folder.path()).await;
    let (mut control, _) = host.relay.control().await;
    let hosted = start(&mut control, counts()).await;
    let mut link = host.relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    type_in(&link, 1).await;
    act(&link, 1).await;
    let (number, seq) = hear_acted(&mut link, &mut copy).await;
    assert_eq!((number, hosted.epoch), (ActionNumber(1), copy.epoch));
    // Not all of it has become durable, and the relay has not even heard of the last line.
    say(&link, HostCommand::Ack { seq: Seq(2) }).await;
    type_in(&link, 2).await;
    while copy.events.is_empty() {
        copy.hear(&mut link).await;
    }
    host.kill();

    let mut host = MortalHost::start(folder.path()).await;
    let (_control, hello) = host.relay.control().await;
    assert_eq!(hello.sessions.len(), 1);
    assert_eq!(hello.sessions[0].epoch, hosted.epoch);
    let mut link = host.relay.publish(&id("session1")).await;
    copy.head = seq;
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
}

#[tokio::test]
async fn a_session_that_is_over_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = MortalHost::start(folder.path()).await;
    let (mut control, _) = host.relay.control().await;
    start(&mut control, counts()).await;
    let mut link = host.relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
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
