//! The wires, the clock and the faults.

use std::collections::BTreeSet;

use moorline_core::peer::PeerOutput;
use moorline_core::session::SessionInput;
use moorline_shared::id::{Cursor, Epoch};
use moorline_shared::link::{Generation, Input};
use moorline_shared::message::close;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::time::Time;

use crate::decider::Deciders;
use crate::host::{Deliveries, Host, Published, Readings, tokens};
use crate::pipe::Pipe;
use crate::relay::{Relay, ToRelay};
use crate::replayer::Replayer;
use crate::rng::Rng;
use crate::user::{SocketAction, User};
use crate::watcher::Watcher;

const USERS: usize = 3;
const TROUBLED_STEPS: usize = 250;
const HEALING_STEPS: usize = 3000;
/// The buffer of a socket, in bytes.
const SOCKET_BYTES: usize = 200_000;

/// The faults that happen, in addition to wires that break.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) relay_restarts: bool,
    pub(crate) host_restarts: bool,
    pub(crate) floods: bool,
    /// The relay keeps little in memory, and loses it between any two events, but not its sockets.
    pub(crate) edge: bool,
    /// Some clients want every entry: fast ones, slow ones, and some that stop reading.
    pub(crate) replays: bool,
}

/// The socket of a user.
struct Socket {
    generation: Generation,
    connection: u64,
    up: Pipe<ToRelay>,
    down: Pipe<Down>,
    /// The wire is dead, and neither side knows.
    silent: bool,
}

enum Down {
    Text(bytes::Bytes),
    Frame(bytes::Bytes),
    Close(u16),
}

#[derive(Default)]
struct HostWire {
    up: Pipe<HostMessage>,
    down: Pipe<HostCommand>,
}

impl HostWire {
    fn take_commands(&mut self, relay: &mut Relay, given: &mut BTreeSet<String>) {
        while let Some(command) = relay.session.poll_command() {
            if let HostCommand::Input { piece, .. } = &command {
                given.extend(tokens(piece.data()));
            }
            self.down.send(command, 50);
        }
    }
}

pub(crate) struct World {
    rng: Rng,
    faults: Faults,
    now: Time,
    host: Host,
    readings: Readings,
    /// The typed tokens that the relay has sent to a host.
    given: BTreeSet<String>,
    /// The answers to queries of earlier programs, which got them once or not at all.
    lost_answers: Vec<String>,
    host_wire: Option<HostWire>,
    /// The decisions that programs got.
    deliveries: Deliveries,
    deciders: Deciders,
    relay: Relay,
    users: Vec<User>,
    /// `None` with floods, which would take it too long.
    watcher: Option<Watcher>,
    replayers: Vec<Replayer>,
    published: Published,
    sockets: Vec<Option<Socket>>,
    connections: u64,
    epoch: Epoch,
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let epoch = Epoch(1);
        Self {
            rng: Rng::new(seed),
            faults,
            now: Time::from_ms(0),
            host: Host::new(epoch),
            readings: Readings::default(),
            given: BTreeSet::new(),
            lost_answers: Vec::new(),
            host_wire: None,
            deliveries: Deliveries::new(),
            deciders: Deciders::default(),
            relay: Relay::new(epoch, faults.edge),
            users: (0..USERS).map(User::new).collect(),
            watcher: (!faults.floods).then(Watcher::default),
            replayers: if faults.replays { Replayer::all() } else { Vec::new() },
            published: Published::default(),
            sockets: (0..USERS).map(|_| None).collect(),
            connections: 0,
            epoch,
        }
    }

    pub(crate) fn run(mut self) {
        for _ in 0..TROUBLED_STEPS {
            self.work();
            self.trouble();
        }
        if self.rng.once_in(3) {
            self.host.exit();
        }
        for _ in 0..HEALING_STEPS {
            self.heal();
            self.work();
            if self.is_settled() {
                return self.check();
            }
        }
        panic!(
            "not settled: the host is at {}, the relay at {} ({:?}), users: {:#?}",
            self.host.publisher.head(),
            self.relay.session.log().head(),
            self.relay.session.lifecycle(),
            self.users.iter().map(User::describe).collect::<Vec<_>>()
        );
    }

    /// Has everybody do a part of their work.
    fn work(&mut self) {
        let longest = if self.faults.replays { 3000 } else { 20_000 };
        let rest = if self.rng.once_in(40) { longest } else { 60 };
        self.now.ms += self.rng.below(rest);
        self.host_wire();
        self.host.answer(self.now);
        self.host.read_input(&mut self.rng);
        self.host.make_snapshots(&mut self.rng);
        if self.rng.once_in(3) {
            self.host.act(self.now, &mut self.published, &mut self.deliveries);
        }
        self.deciders.listen(&self.relay.session);
        if self.rng.once_in(2) {
            self.relay.write_store(self.now, &mut self.rng);
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.work(&mut self.relay, &self.published, self.now, &mut self.rng);
        }
        for replayer in &mut self.replayers {
            replayer.work(&mut self.relay, &self.published, self.now, &mut self.rng);
        }
        for user in 0..USERS {
            self.socket(user);
            self.users[user].draw(self.now, &mut self.rng);
            self.users[user].client.tick(self.now);
            self.act(user);
        }
    }

    /// Types something, puts something out, or breaks something.
    fn trouble(&mut self) {
        let user = self.rng.below(USERS as u64) as usize;
        match self.rng.below(44) {
            0..=7 => self.host.write(self.now, &mut self.published, &mut self.rng, false),
            8..=9 => self.host.ask(self.now, &mut self.published),
            10..=15 => self.users[user].type_token(),
            16..=18 => self.cut(user),
            19 => self.sockets[user].iter_mut().for_each(|socket| socket.silent = true),
            20..=21 => self.cut_host(),
            28..=29 => self.host.tell(self.now, &mut self.published),
            40..=41 => {
                self.host.ask_approval(self.now, &mut self.published, &mut self.rng);
            }
            42..=43 => self.deciders.decide(&mut self.relay.session, &mut self.rng),
            30 => {
                if let Some(watcher) = &mut self.watcher {
                    watcher.cut(Some(&mut self.relay));
                }
            }
            22 => {
                let input = match self.rng.below(4) {
                    0..=1 => Input::Repaint,
                    2 => Input::Wake,
                    _ => Input::NetworkLost,
                };
                self.users[user].client.handle(self.now, input);
            }
            23 => {
                let seed = self.rng.next();
                self.drop_socket(user);
                self.users[user].reload(seed);
            }
            34..=35 => {
                let (relay, rng) = (&mut self.relay, &mut self.rng);
                self.replayers.iter_mut().for_each(|replayer| replayer.trouble(relay, rng));
            }
            24 if self.faults.relay_restarts => self.restart_relay(),
            25 if self.faults.host_restarts && self.rng.once_in(4) => self.restart_host(),
            31..=33 if self.faults.edge => self.evict(),
            26..=27 if self.faults.floods => {
                for _ in 0..self.rng.below(60) {
                    self.host.write(self.now, &mut self.published, &mut self.rng, true);
                }
            }
            _ => self.heal(),
        }
    }

    /// Restores every connection that is down.
    fn heal(&mut self) {
        if self.host_wire.is_none() {
            self.host_wire = Some(HostWire::default());
            self.relay.session.handle(self.now, SessionInput::HostArrived);
        }
        for user in &mut self.users {
            user.client.handle(self.now, Input::Dial);
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.connect(&mut self.relay, self.now);
        }
        for replayer in &mut self.replayers {
            replayer.connect(&mut self.relay, self.now);
        }
    }

    fn host_wire(&mut self) {
        let Some(wire) = &mut self.host_wire else {
            return;
        };
        wire.take_commands(&mut self.relay, &mut self.given);
        for command in wire.down.deliver(&mut self.rng) {
            self.host.command(self.now, command);
        }
        for message in self.host.messages() {
            let bytes = match &message {
                HostMessage::Entry(entry) => entry.len(),
                _ => 50,
            };
            wire.up.send(message, bytes);
        }
        for message in wire.up.deliver(&mut self.rng) {
            self.relay.session.host_message(message, 0).expect("the host keeps the protocol");
        }
    }

    fn cut_host(&mut self) {
        if self.host_wire.take().is_some() {
            self.host.publisher.relay_left();
            self.relay.session.handle(self.now, SessionInput::HostLeft);
        }
    }

    fn restart_relay(&mut self) {
        self.cut_host();
        for user in 0..USERS {
            self.cut(user);
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.cut(None);
        }
        self.replayers.iter_mut().for_each(|replayer| replayer.cut(&mut self.relay));
        self.deciders.cut();
        self.relay.restart();
    }

    fn evict(&mut self) {
        // Commands that follow from an event are on their way when the event is over.
        if let Some(wire) = &mut self.host_wire {
            wire.take_commands(&mut self.relay, &mut self.given);
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.cut(None);
        }
        self.deciders.cut();
        self.relay.evict(self.now, self.host_wire.is_some());
    }

    /// Ends the session's process, and starts another one in its place.
    fn restart_host(&mut self) {
        self.cut_host();
        self.readings.add(&self.host.read);
        self.lost_answers.append(&mut self.host.asked);
        self.epoch.0 += 1;
        self.host = Host::new(self.epoch);
    }

    fn cut(&mut self, user: usize) {
        if let Some(generation) = self.drop_socket(user) {
            self.users[user].client.handle(self.now, Input::Closed(generation, close::ABNORMAL));
        }
    }

    fn drop_socket(&mut self, user: usize) -> Option<Generation> {
        let socket = self.sockets[user].take()?;
        self.relay.disconnect(socket.connection);
        Some(socket.generation)
    }

    fn act(&mut self, user: usize) {
        for action in self.users[user].actions(self.now) {
            match action {
                SocketAction::Dial(generation) => self.dial(user, generation),
                SocketAction::HangUp => {
                    self.drop_socket(user);
                }
                SocketAction::Send(message, bytes) => {
                    if let Some(socket) = &mut self.sockets[user] {
                        socket.up.send(message, bytes);
                    }
                }
            }
        }
    }

    fn dial(&mut self, user: usize, generation: Generation) {
        self.drop_socket(user);
        self.connections += 1;
        let connection = self.connections;
        self.relay.accept(connection, self.now, true);
        let (up, down) = (Pipe::default(), Pipe::default());
        self.sockets[user] = Some(Socket { generation, connection, up, down, silent: false });
        self.users[user].client.handle(self.now, Input::Opened(generation));
        self.act(user);
    }

    fn socket(&mut self, user: usize) {
        let Some(socket) = &mut self.sockets[user] else {
            return;
        };
        let (generation, connection) = (socket.generation, socket.connection);
        if socket.silent {
            return;
        }
        for message in socket.up.deliver(&mut self.rng) {
            self.relay.receive(connection, self.now, message);
        }
        while socket.down.bytes() < SOCKET_BYTES {
            match self.relay.poll(connection, self.now) {
                Some(PeerOutput::Text(text)) => {
                    let bytes = text.len();
                    socket.down.send(Down::Text(text), bytes);
                }
                Some(PeerOutput::Frame(frame)) => {
                    let bytes = frame.len();
                    socket.down.send(Down::Frame(frame), bytes);
                }
                Some(PeerOutput::Close { code, .. }) => socket.down.send(Down::Close(code), 1),
                Some(PeerOutput::Ping | PeerOutput::Load { .. }) => {
                    panic!("a client of moorline.v1 gets heartbeats, and a relay answers loads")
                }
                None => break,
            }
        }
        for message in socket.down.deliver(&mut self.rng) {
            match message {
                Down::Text(text) => {
                    self.users[user].receive_text(self.now, generation, &text);
                    self.act(user);
                }
                Down::Frame(frame) => self.users[user].receive_frame(self.now, generation, &frame),
                Down::Close(code) => {
                    self.relay.disconnect(connection);
                    self.sockets[user] = None;
                    self.users[user].client.handle(self.now, Input::Closed(generation, code));
                    return;
                }
            }
        }
    }

    fn is_settled(&self) -> bool {
        let head = self.host.publisher.head();
        let wire = self.host_wire.as_ref().is_some_and(|wire| wire.up.is_empty());
        let all_here =
            self.relay.session.log().head() == head && self.host.publisher.input().is_none();
        let answered = self.host.is_answered() || self.relay.session.lifecycle().is_over();
        let cursor = Cursor { epoch: self.epoch, seq: head };
        let watched = self.watcher.as_ref().is_none_or(|watcher| watcher.is_settled(cursor));
        let replayed = self.replayers.iter().all(|replayer| replayer.is_settled(cursor));
        let session = &self.relay.session;
        let acted = self.host.has_acted() && session.is_stored() && !session.has_actions();
        wire && all_here
            && acted
            && answered
            && watched
            && replayed
            && self.users.iter().all(|user| user.is_settled(cursor))
    }

    fn check(mut self) {
        let is_first = self.epoch == Epoch(1);
        self.deciders.check(&self.relay.session, &self.deliveries, is_first);
        self.readings.add(&self.host.read);
        for answer in self.lost_answers.iter().chain(&self.host.asked) {
            let times = self.readings.times(answer);
            assert!(times <= 1, "{answer} was given {times} times");
        }
        for (number, user) in self.users.iter().enumerate() {
            assert_eq!(user.screen, self.host.screen, "the screen of user {number}");
            let ended =
                self.host.publisher.input().is_none() && self.relay.session.lifecycle().is_over();
            for token in (0..user.typed).map(|typed| user.token(typed)) {
                let times = self.readings.times(&token);
                assert!(times <= 1, "{token} was read {times} times");
                let may_be_lost = user.gave_up || ended;
                assert!(times == 1 || may_be_lost, "{token} was accepted and never read");
                let is_certain = user.holds() && !ended && times == 0;
                let was_sent = !is_certain || user.sent.contains(&token);
                assert!(was_sent, "{token} was never sent, and given up");
                let forgets = self.faults.relay_restarts || self.faults.edge;
                let was_given = !is_certain || forgets || self.given.contains(&token);
                assert!(was_given, "{token} reached no host, and was given up");
            }
        }
    }
}
