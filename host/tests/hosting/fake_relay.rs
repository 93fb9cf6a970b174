//! A relay that does nothing by itself: a test takes the links that the host opens, and sends and
//! receives messages on them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moorline_host::dial::{ControlWire, Dial, DialError, Dialing, PublishWire, Wire, WireItem};
use moorline_host::driver::Drivers;
use moorline_host::driver::kubernetes::KubernetesConfig;
use moorline_host::host::{Config, Host, SessionThreads};
use moorline_shared::agent::action::ActionNumber;
use moorline_shared::control::{Facts, Hello, Hosted, Start, ToHost, ToRelay};
use moorline_shared::event::Event;
use moorline_shared::id::{Cursor, Epoch, Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::message::{Snapshot, close};
use moorline_shared::publish::{HostCommand, HostMessage, RequestId};
use moorline_shared::session::ExitStatus;
use tokio::sync::mpsc;

use super::soon;

/// The relay's end of a control link.
pub(crate) type FarControl = Wire<ToHost, ToRelay>;
/// The relay's end of a session's link.
pub(crate) type FarPublish = Wire<HostCommand, HostMessage>;

/// A link that the host has opened.
pub(crate) enum Opened {
    Control(FarControl),
    Publish(SessionId, FarPublish),
}

/// Takes the links that a host opens. It answers nothing by itself.
pub(crate) struct FakeRelay {
    opened: mpsc::UnboundedReceiver<Opened>,
    controls: VecDeque<FarControl>,
    publishes: Vec<(SessionId, FarPublish)>,
    up: Arc<AtomicBool>,
}

/// Opens links within the process, while the relay is up.
struct FakeDial {
    opened: mpsc::UnboundedSender<Opened>,
    up: Arc<AtomicBool>,
}

impl FakeDial {
    fn open(&self, opened: Opened) -> Result<(), DialError> {
        let away = || DialError::Unreachable("down".into());
        if !self.up.load(Ordering::Relaxed) {
            return Err(away());
        }
        self.opened.send(opened).map_err(|_| away())
    }
}

impl Dial for FakeDial {
    fn control(&self) -> Dialing<'_, ControlWire> {
        let (near, far) = Wire::pair(8);
        let opened = self.open(Opened::Control(far));
        Box::pin(async move { opened.map(|()| near) })
    }

    fn publish<'a>(&'a self, session: &'a SessionId) -> Dialing<'a, PublishWire> {
        let (near, far) = Wire::pair(8);
        let opened = self.open(Opened::Publish(session.clone(), far));
        Box::pin(async move { opened.map(|()| near) })
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_millis(10)
    }
}

impl FakeRelay {
    /// Creates a host, and its relay within the same process.
    pub(crate) fn with_host() -> (Arc<Host>, Self) {
        Self::with_drivers(Drivers::built_in(
            None,
            None,
            None,
            Vec::new(),
            KubernetesConfig::default(),
        ))
    }

    /// Like [`FakeRelay::with_host`], for a host with these drivers.
    pub(crate) fn with_drivers(drivers: Drivers) -> (Arc<Host>, Self) {
        Self::with_config(config(), drivers)
    }

    /// Like [`FakeRelay::with_drivers`], for a host with these settings.
    pub(crate) fn with_config(config: Config, drivers: Drivers) -> (Arc<Host>, Self) {
        let (opened, receiver) = mpsc::unbounded_channel();
        let relay = Self::over(receiver);
        let dial = FakeDial { opened, up: Arc::clone(&relay.up) };
        (Host::with_drivers(config, drivers, Arc::new(dial)), relay)
    }

    /// Creates a relay whose links come from elsewhere.
    pub(crate) fn over(opened: mpsc::UnboundedReceiver<Opened>) -> Self {
        let up = Arc::new(AtomicBool::new(true));
        Self { opened, controls: VecDeque::new(), publishes: Vec::new(), up }
    }

    /// Sets whether the host can reach the relay. Open links are not affected.
    pub(crate) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }

    /// Returns the next control link, welcomed, and the hello on it.
    pub(crate) async fn control(&mut self) -> (FarControl, Hello) {
        while self.controls.is_empty() {
            self.next_link().await;
        }
        let mut control = self.controls.pop_front().unwrap();
        let ToRelay::Hello(hello) = hear(&mut control).await else { panic!("no hello first") };
        say(&control, ToHost::Welcome { version: "0.0.1".into() }).await;
        (control, *hello)
    }

    /// Returns the next link of a session.
    pub(crate) async fn publish(&mut self, id: &SessionId) -> FarPublish {
        loop {
            if let Some(found) = self.publishes.iter().position(|(other, _)| other == id) {
                return self.publishes.remove(found).1;
            }
            self.next_link().await;
        }
    }

    async fn next_link(&mut self) {
        match soon("a link", self.opened.recv()).await.unwrap() {
            Opened::Control(link) => self.controls.push_back(link),
            Opened::Publish(id, link) => self.publishes.push((id, link)),
        }
    }
}

pub(crate) fn config() -> Config {
    Config {
        name: "box".into(),
        version: "0.0.1".into(),
        integration: None,
        folder: None,
        keeper: Vec::new(),
        pane_pipe: Vec::new(),
        kubernetes: KubernetesConfig::default(),
        threads: SessionThreads::default(),
        seed: 1,
    }
}

/// Sends a message on a link.
pub(crate) async fn say<Out, In>(link: &Wire<Out, In>, message: Out) {
    let said = soon("room on a link", link.sender.send(WireItem::Message(message))).await;
    assert!(said.is_ok(), "the host has closed the link");
}

/// Returns the next message on a link.
pub(crate) async fn hear<Out, In>(link: &mut Wire<Out, In>) -> In {
    soon("a message", link.recv()).await.expect("an open link")
}

pub(crate) fn id(text: &str) -> SessionId {
    text.parse().unwrap()
}

/// Returns a session to start that runs a shell script.
pub(crate) fn script(session: &str, script: &str) -> Start {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let facts = Facts { driver: "pty".into(), command, ..Facts::default() };
    Start { session_id: id(session), facts, cwd: Some("/tmp".into()), fork: None }
}

/// Requests a session, and returns the answer.
pub(crate) async fn ask(control: &mut FarControl, start: Start) -> ToRelay {
    say(control, ToHost::Start { request: RequestId(7), session: Box::new(start) }).await;
    hear(control).await
}

/// Starts a session, which must succeed.
pub(crate) async fn start(control: &mut FarControl, start: Start) -> Hosted {
    match ask(control, start).await {
        ToRelay::Started { request: RequestId(7), session } => *session,
        other => panic!("{other:?}"),
    }
}

/// A relay's copy of a session.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    pub(crate) epoch: Epoch,
    pub(crate) head: Seq,
    pub(crate) output: Vec<u8>,
    pub(crate) events: Vec<Event>,
    /// The number of each of the events.
    pub(crate) event_seqs: Vec<Seq>,
    pub(crate) exit: Option<ExitStatus>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// Bytes of entries, as the host counts them.
    pub(crate) entry_bytes: u64,
    /// The part of `entry_bytes` since the last ack or resume.
    pub(crate) unacked_bytes: u64,
    pub(crate) resumed: bool,
    /// The number of acknowledgements of input that arrived.
    pub(crate) answers: usize,
    /// The last action that was carried out.
    pub(crate) acted: ActionNumber,
}

impl Copy {
    /// Opens a link, or reopens it, at this copy's position.
    pub(crate) async fn resume(&mut self, link: &mut FarPublish, window: u64) -> Seq {
        let cursor =
            (self.epoch != Epoch(0)).then_some(Cursor { epoch: self.epoch, seq: self.head });
        say(link, HostCommand::Resume { cursor, window, times: true }).await;
        (self.resumed, self.unacked_bytes) = (false, 0);
        loop {
            // Messages that are still in flight do not count.
            if let HostMessage::Resumed { epoch, from, head, .. } = hear(link).await {
                assert!(self.epoch == Epoch(0) || (epoch, from) == (self.epoch, self.head));
                (self.epoch, self.head, self.resumed) = (epoch, from, true);
                return head;
            }
        }
    }

    /// Takes the next message.
    pub(crate) async fn hear(&mut self, link: &mut FarPublish) {
        match hear(link).await {
            HostMessage::Entry(entry) => {
                assert!(self.resumed);
                assert_eq!(entry.seq(), self.head.next());
                self.head = entry.seq();
                let cost = entry.cost();
                self.entry_bytes += cost;
                self.unacked_bytes += cost;
                match entry {
                    Entry::Output(frame) => self.output.extend_from_slice(frame.data()),
                    Entry::Event(event) => {
                        self.event_seqs.push(event.seq());
                        self.events.push(event.event().unwrap());
                    }
                }
            }
            HostMessage::Snapshot(snapshot) => self.snapshots.push(snapshot),
            HostMessage::Exited { status } => self.exit = Some(status),
            HostMessage::InputAck { .. } => self.answers += 1,
            HostMessage::Acted { number, seq } => {
                assert!(number >= self.acted && seq >= self.head);
                self.acted = number;
            }
            HostMessage::Resized { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn ack(&mut self, link: &FarPublish) {
        self.unacked_bytes = 0;
        say(link, HostCommand::Ack { seq: self.head }).await;
    }

    /// Reads and acknowledges until the output contains `text`.
    pub(crate) async fn read_until(&mut self, link: &mut FarPublish, text: &str) {
        while !String::from_utf8_lossy(&self.output).contains(text) {
            self.hear(link).await;
            self.ack(link).await;
        }
    }

    /// Reads and acknowledges until the end, and then closes the link as a relay does.
    pub(crate) async fn read_to_end(&mut self, link: &mut FarPublish) {
        while self.exit.is_none() {
            self.hear(link).await;
            self.ack(link).await;
        }
        _ = link.sender.send(WireItem::Closed(close::NORMAL)).await;
    }

    /// Takes everything that the host sent before it received this request.
    pub(crate) async fn catch_up(&mut self, link: &mut FarPublish) {
        let (client_id, before) = ("nobody_1".parse().unwrap(), self.answers);
        say(link, HostCommand::ClientResumed { client_id }).await;
        while self.answers == before {
            self.hear(link).await;
        }
    }

    /// Requests a snapshot of everything that the host has.
    pub(crate) async fn snapshot(&mut self, link: &mut FarPublish) -> Snapshot {
        say(link, HostCommand::SnapshotRequest).await;
        loop {
            self.hear(link).await;
            if let Some(snapshot) = self.snapshots.pop() {
                return snapshot;
            }
        }
    }

    /// Returns the kinds of the events, in order.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.kind.as_str()).collect()
    }
}
