//! A host: a publisher, a program that puts out numbered text, and a screen that is a digest.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_host::publisher::{Output, Publisher, PublisherTask, QueryId};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::event::Event;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ApprovalId, Cursor, Epoch, Seq};
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::session::{ExitStatus, Size};
use moorline_shared::time::Time;
use serde_json::{Value, json};

use crate::rng::Rng;

/// The screen of the simulation: a digest of everything that was written to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Screen(pub(crate) u64);

impl Screen {
    /// Adds `data` to the digest. Samples long data: whole messages are lost, never parts.
    pub(crate) fn write(&mut self, data: &[u8]) {
        let sampled = data.iter().step_by((data.len() / 256).max(1));
        for byte in sampled.chain(&data.len().to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn snapshot(self, seq: Seq) -> Snapshot {
        let data = Bytes::copy_from_slice(&self.0.to_le_bytes());
        Snapshot { seq, data, cols: None, rows: None, reason: None }
    }

    /// Returns the screen that a snapshot paints.
    pub(crate) fn painted(snapshot: &Snapshot) -> Self {
        // The relay's own snapshot of a session without output is a terminal reset.
        Self(<[u8; 8]>::try_from(&snapshot.data[..]).map_or(0, u64::from_le_bytes))
    }
}

/// The lead of the host's clock over everybody else's.
const AHEAD_MS: u64 = 1_000_000_000_000;

/// Everything that hosts have put out, over all epochs: a digest of each entry, and its time by the
/// host's clock.
#[derive(Default)]
pub(crate) struct Published(BTreeMap<(u64, u64), (u64, u64)>);

impl Published {
    pub(crate) fn get(&self, cursor: Cursor) -> Option<(u64, u64)> {
        self.0.get(&(cursor.epoch.0, cursor.seq.0)).copied()
    }

    pub(crate) fn digest(data: &[u8]) -> u64 {
        let mut screen = Screen::default();
        screen.write(data);
        screen.0
    }
}

/// The decisions that programs got, by approval and over all epochs: who decided.
pub(crate) type Deliveries = BTreeMap<ApprovalId, Vec<String>>;

pub(crate) struct Host {
    epoch: Epoch,
    pub(crate) publisher: Publisher,
    pub(crate) screen: Screen,
    /// The input that the program read, in order, from every source.
    pub(crate) read: Vec<u8>,
    snapshots_due: usize,
    written: u64,
    /// The answers to the program's queries: see [`answer`].
    pub(crate) asked: Vec<String>,
    /// The queries that the emulator has not answered, with their answers.
    unsaid: Vec<(QueryId, String)>,
    answers_due: bool,
    /// The approvals that the program waits for.
    open: Vec<ApprovalId>,
    approvals: u64,
    has_exited: bool,
    actions: Vec<(ActionNumber, SessionAction)>,
}

/// The prefix of output that asks the terminal something.
const QUERY: &str = "query ";

/// Returns the answer to a query in the output, if there is one: a token like those that users
/// type.
pub(crate) fn answer(output: &[u8]) -> Option<String> {
    let number = std::str::from_utf8(output.strip_prefix(QUERY.as_bytes())?).ok()?;
    Some(format!("<?{number}>"))
}

impl Host {
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            publisher: Publisher::new(epoch, Size::default()),
            screen: Screen::default(),
            read: Vec::new(),
            snapshots_due: 0,
            written: 0,
            asked: Vec::new(),
            unsaid: Vec::new(),
            answers_due: false,
            open: Vec::new(),
            approvals: 0,
            has_exited: false,
            actions: Vec::new(),
        }
    }

    /// Appends an event, which the screen does not show.
    pub(crate) fn tell(&mut self, now: Time, published: &mut Published) {
        self.report(now, published, "simulated", json!({}));
    }

    fn report(&mut self, now: Time, published: &mut Published, kind: &str, fields: Value) {
        let now_ms = AHEAD_MS + now.ms;
        let id = "session_1".parse().expect("an id");
        let seq = self.publisher.event(Event::of_kind(id, kind, now_ms, fields));
        published.0.insert((self.epoch.0, seq.0), (Published::digest(&[]), now_ms));
    }

    /// Has the program ask for an approval, or give up on one.
    pub(crate) fn ask_approval(&mut self, now: Time, published: &mut Published, rng: &mut Rng) {
        if rng.once_in(5)
            && let Some(id) = self.open.pop()
        {
            let fields = json!({ "approvalId": id, "state": "withdrawn" });
            return self.report(now, published, "approval-progress", fields);
        }
        self.approvals += 1;
        let id = format!("approval_{}_{}", self.epoch.0, self.approvals);
        self.open.push(id.parse().expect("an id"));
        let options = json!([{ "optionId": "yes", "name": "Yes", "kind": "allow_once" }]);
        let fields = json!({
            "approvalId": id, "command": "make", "digest": "d1gest", "options": options,
        });
        self.report(now, published, "approval-request", fields);
    }

    /// Carries out the actions that have come, of which some are about nothing any more.
    pub(crate) fn act(&mut self, now: Time, published: &mut Published, given: &mut Deliveries) {
        for (number, action) in std::mem::take(&mut self.actions) {
            if let SessionAction::Decide { approval_id, decision } = action
                && !self.has_exited
                && let Some(place) = self.open.iter().position(|id| *id == approval_id)
            {
                self.open.remove(place);
                given.entry(approval_id.clone()).or_default().push(decision.by.clone());
                let approved = decision.approved;
                let fields = json!({ "approvalId": approval_id, "approved": approved, "decision": decision });
                self.report(now, published, "approval-confirmed", fields);
            }
            self.publisher.acted(number);
        }
    }

    /// Puts out a line or a flood, unless too much output is not durable.
    pub(crate) fn write(
        &mut self,
        now: Time,
        published: &mut Published,
        rng: &mut Rng,
        flood: bool,
    ) {
        if self.publisher.unacked_bytes() > 12 << 20 {
            return;
        }
        self.written += 1;
        let data = if flood {
            vec![self.written as u8; 60_000]
        } else {
            format!("line {} {}\r\n", self.written, rng.next()).into_bytes()
        };
        self.put_out(now, published, &data);
    }

    /// Has the program ask its terminal something.
    pub(crate) fn ask(&mut self, now: Time, published: &mut Published) {
        self.written += 1;
        let data = format!("{QUERY}{}.{}", self.epoch.0, self.written).into_bytes();
        let seq = self.put_out(now, published, &data);
        if let Some(answer) = answer(&data) {
            let id = self.publisher.asked(now, seq).expect("few queries wait");
            self.asked.push(answer.clone());
            self.unsaid.push((id, answer));
        }
    }

    /// Answers the queries that are due, and lets others grow old.
    pub(crate) fn answer(&mut self, now: Time) {
        self.publisher.tick(now);
        if std::mem::take(&mut self.answers_due) {
            for (id, answer) in self.unsaid.drain(..) {
                self.publisher.answered(id, answer.into());
            }
        }
    }

    /// Returns true if no action waits to be carried out.
    pub(crate) const fn has_acted(&self) -> bool {
        self.actions.is_empty()
    }

    /// Returns true if the program has an answer to every query.
    pub(crate) fn is_answered(&self) -> bool {
        let read = String::from_utf8_lossy(&self.read);
        self.asked.iter().all(|answer| read.contains(answer))
    }

    fn put_out(&mut self, now: Time, published: &mut Published, data: &[u8]) -> Seq {
        let now_ms = AHEAD_MS + now.ms;
        let mut buffer = Frame::buffer(data.len());
        buffer.extend_from_slice(data);
        let frame = self.publisher.append(now_ms, buffer).expect("the data fits a frame");
        published.0.insert((self.epoch.0, frame.seq().0), (Published::digest(data), now_ms));
        self.screen.write(data);
        frame.seq()
    }

    pub(crate) fn exit(&mut self) {
        self.has_exited = true;
        self.publisher.exited(ExitStatus { code: Some(0), signal: None, reason: None });
    }

    /// Has the program read a part of what was typed.
    pub(crate) fn read_input(&mut self, rng: &mut Rng) {
        if let Some(input) = self.publisher.input() {
            let bytes = 1 + rng.below(input.len() as u64) as usize;
            self.read.extend_from_slice(&input[..bytes]);
            self.publisher.input_taken(bytes);
        }
    }

    pub(crate) fn make_snapshots(&mut self, rng: &mut Rng) {
        for _ in 0..std::mem::take(&mut self.snapshots_due) {
            let snapshot = self.screen.snapshot(self.publisher.head());
            self.publisher.snapshot((!rng.once_in(10)).then_some(snapshot));
        }
    }

    pub(crate) fn command(&mut self, now: Time, command: HostCommand) {
        self.publisher.command(AHEAD_MS + now.ms, command);
    }

    /// Returns the messages for the relay.
    pub(crate) fn messages(&mut self) -> Vec<HostMessage> {
        let mut messages = Vec::new();
        while let Some(output) = self.publisher.poll_output() {
            match output {
                Output::Message(message) => messages.push(message),
                Output::Task(PublisherTask::MakeSnapshot) => self.snapshots_due += 1,
                Output::Task(PublisherTask::Answer) => self.answers_due = true,
                Output::Task(PublisherTask::Act(number, action)) => {
                    self.actions.push((number, *action));
                }
                Output::Task(_) => {}
            }
        }
        messages
    }
}

/// The number of times that each typed token was read, over all epochs.
#[derive(Default)]
pub(crate) struct Readings(BTreeMap<String, usize>);

impl Readings {
    /// Adds what a program read: tokens like `<2:17>`. A cut-off last token counts as read.
    pub(crate) fn add(&mut self, read: &[u8]) {
        for token in tokens(read) {
            *self.0.entry(token).or_default() += 1;
        }
    }

    pub(crate) fn times(&self, token: &str) -> usize {
        self.0.get(token).copied().unwrap_or_default()
    }
}

/// Returns the tokens of typed text.
pub(crate) fn tokens(typed: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(typed).split_inclusive('>').map(str::to_owned).collect()
}
