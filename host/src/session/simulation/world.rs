//! The link, the clock, the faults, and what must be true in the end.

use std::collections::VecDeque;
use std::sync::Arc;

use moorline_core::session::SessionInput;
use moorline_shared::control::{Facts, Hosted};
use moorline_shared::fold::Conversation;
use moorline_shared::id::Epoch;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::time::Time;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::SESSION;
use super::people::{People, Programs, Typist};
use super::relay::SimulatedRelay;
use super::verdict::{PublishedEntries, SimulationVerdict};
use crate::approvals::RuleBook;
use crate::clock::virtual_clock;
use crate::driver::DriverOutput;
use crate::driver::agent::simulated::{AgentDice, AgentHands, Outside};
use crate::journal::Journal;
use crate::session::{Session, SessionServices};

/// When the simulation begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_767_225_600_000;
const TROUBLED_STEPS: usize = 700;
const HEALING_STEPS: usize = 20_000;

/// The faults that happen, in addition to hosts that are killed, links that break and relays that
/// forget.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostFaults {
    /// Agents end by themselves.
    pub(super) agents_end: bool,
    /// The power fails, so that agents are gone and the journal may be an older one.
    pub(super) power_fails: bool,
    /// People stop the agent, also by force.
    pub(super) stops: bool,
    /// The session is closed in the end.
    pub(super) closes: bool,
}

/// A running host: the session, the driver's side, and the output between them.
struct SimulatedSession {
    session: Arc<Session>,
    hands: AgentHands,
    output: Option<DriverOutput>,
    has_ended: bool,
}

/// The link between host and relay. What is on it when it breaks is lost.
#[derive(Default)]
struct SimulatedLink {
    up: VecDeque<HostMessage>,
    down: VecDeque<HostCommand>,
}

pub(super) struct AgentWorld {
    dice: AgentDice,
    faults: HostFaults,
    now_ms: u64,
    runtime: Runtime,
    outside: Outside,
    journal: Arc<Journal>,
    /// The journal as it was some time ago.
    older: Journal,
    boots: u64,
    host: Option<SimulatedSession>,
    link: Option<SimulatedLink>,
    relay: SimulatedRelay,
    people: People,
    typist: Typist,
    programs: Programs,
    /// Everything that a host has sent, by epoch and number.
    published: PublishedEntries,
    epoch: Epoch,
}

impl AgentWorld {
    pub(super) fn new(seed: u64, faults: HostFaults) -> Self {
        virtual_clock::set(Some(BEGIN_MS));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let journal = Journal::in_memory("boot 0");
        let mut world = Self {
            dice: AgentDice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            faults,
            now_ms: BEGIN_MS,
            runtime: runtime.expect("a runtime can be made"),
            outside: Outside::default(),
            older: journal.copied("boot 0"),
            journal: Arc::new(journal),
            boots: 0,
            host: None,
            link: None,
            relay: SimulatedRelay::new(Epoch(BEGIN_MS)),
            people: People::default(),
            typist: Typist::new(),
            programs: Programs::default(),
            published: PublishedEntries::default(),
            epoch: Epoch(BEGIN_MS),
        };
        world.outside.is_talkative = true;
        world.start();
        world
    }

    pub(super) fn run(mut self) {
        for _ in 0..TROUBLED_STEPS {
            self.work();
            self.trouble();
        }
        self.heal();
        // Wakes an agent that waits for somebody to want something.
        self.people.prompt(&mut self.relay.session);
        let closes_at = if self.faults.closes { self.dice.below(100) } else { usize::MAX };
        let (mut idle_steps, mut is_closing) = (0, false);
        for step in 0..HEALING_STEPS {
            if step == closes_at {
                is_closing = true;
            }
            if is_closing {
                self.close();
            }
            self.heal();
            self.work();
            self.outside.is_talkative = step < 200;
            if step % 10 == 0 {
                self.people.decide(&mut self.relay.session, &mut self.dice);
            }
            let is_held = self.relay.session.agent(0).turns.queued().next().is_some();
            if step % 1000 == 500 && is_held {
                self.people.prompt(&mut self.relay.session);
            }
            idle_steps = if self.is_idle() { idle_steps + 1 } else { 0 };
            if idle_steps > 100 && (step > closes_at || !self.faults.closes) {
                return self.check();
            }
        }
        panic!("not settled: {}", self.describe());
    }

    /// Closes the session, while its host is killed again and again.
    fn close(&mut self) {
        if self.dice.once_in(50) && !self.relay.session.lifecycle().is_over() {
            self.link.iter_mut().for_each(|link| link.down.push_back(HostCommand::Close));
        }
        if self.dice.once_in(200) {
            let runtime = self.runtime.handle().clone();
            let _entered = runtime.enter();
            self.kill();
        }
    }

    fn services(&self) -> SessionServices {
        SessionServices {
            painters: Arc::new(Semaphore::new(1)),
            book: Arc::new(RuleBook::default()),
            journal: Some(Arc::clone(&self.journal)),
        }
    }

    fn start(&mut self) {
        let runtime = self.runtime.handle().clone();
        let _entered = runtime.enter();
        let (hands, started) = AgentHands::start(&mut self.outside);
        let hosted = Hosted {
            session_id: SESSION.parse().expect("this is an id"),
            epoch: self.epoch,
            facts: Facts { driver: "agent".into(), ..Facts::default() },
            cwd: "/srv".into(),
            pid: None,
            created_at: BEGIN_MS,
        };
        let session = Session::start(hosted, None, self.services(), started);
        self.host = Some(SimulatedSession { session, hands, output: None, has_ended: false });
    }

    /// Starts a host, which continues what the journal has.
    fn restore(&mut self) {
        let runtime = self.runtime.handle().clone();
        let _entered = runtime.enter();
        let mut sessions = self.journal.sessions().expect("the journal can be read");
        let Some(journaled) = sessions.pop() else { return };
        let journaled = journaled.expect("no row is damaged");
        let (mut hands, mut started) = (None, None);
        if journaled.publisher.exit.is_none() {
            let (own, of_session) = AgentHands::restore(&self.outside, &journaled.driver);
            (hands, started) = (Some(own), Some(of_session));
        }
        let is_of_earlier_boot = journaled.is_of_earlier_boot;
        let (has_ended, journal) = (hands.is_none(), Arc::clone(&self.journal));
        let session = Session::restore(journaled, journal, self.services(), started);
        let session = session.expect("the journal lacks no entry");
        let epoch = session.hosted().epoch;
        match is_of_earlier_boot {
            true => assert!(epoch > self.epoch, "a new epoch follows a power failure"),
            false => assert_eq!(epoch, self.epoch),
        }
        self.epoch = epoch;
        let hands = hands.unwrap_or_else(|| AgentHands::start(&mut Outside::default()).0);
        self.host = Some(SimulatedSession { session, hands, output: None, has_ended });
    }

    /// Has everybody do a part of their work.
    fn work(&mut self) {
        let runtime = self.runtime.handle().clone();
        let _entered = runtime.enter();
        let longest = if self.dice.once_in(30) { 2000 } else { 30 };
        self.now_ms += self.dice.below(longest) as u64;
        virtual_clock::set(Some(self.now_ms));
        self.outside.work(&mut self.dice);
        for _ in 0..4 {
            self.host_step();
        }
        self.carry();
        self.people.listen(&self.relay.session);
        self.programs.work(&mut self.dice);
        if self.dice.once_in(2) {
            self.relay.write_store(Time::from_ms(self.now_ms), &mut self.dice);
        }
    }

    fn host_step(&mut self) {
        let Some(host) = &mut self.host else { return };
        if self.dice.once_in(2) {
            return host.hands.step(&mut self.outside, &mut self.dice);
        }
        match host.output.take() {
            Some(DriverOutput::End(status)) => {
                host.session.end(status);
                host.has_ended = true;
            }
            Some(output) => _ = host.session.take(output),
            None if host.has_ended => {}
            None => host.output = host.hands.output(),
        }
    }

    /// Carries messages between host and relay.
    fn carry(&mut self) {
        let Self { link: Some(link), host: Some(host), dice, relay, typist, .. } = self else {
            return;
        };
        link.down.extend(std::iter::from_fn(|| relay.session.poll_command()));
        link.down.extend(typist.commands());
        for command in link.down.drain(..dice.below(link.down.len() + 1)) {
            host.session.command(command);
        }
        while let Some(message) = host.session.lock().publisher.poll_message() {
            self.published.sent(self.epoch, &message);
            link.up.push_back(message);
        }
        let some = self.dice.below(link.up.len() + 1);
        self.deliver(some);
        self.retire();
    }

    /// Lets the first messages of the link arrive at the relay.
    fn deliver(&mut self, count: usize) {
        let Some(link) = &mut self.link else { return };
        for message in link.up.drain(..count) {
            if !self.typist.hear(&message) {
                let heard = self.relay.session.host_message(message, self.now_ms);
                heard.expect("the host keeps the protocol");
            }
        }
    }

    /// Forgets a session that is over, once the relay has all of it.
    fn retire(&mut self) {
        let is_over = self
            .host
            .as_ref()
            .is_some_and(|host| host.has_ended && host.session.lock().publisher.is_settled());
        if is_over {
            self.deliver(self.link.as_ref().map_or(0, |link| link.up.len()));
            self.cut();
            self.programs.cut();
            self.host = None;
            let id = SESSION.parse().expect("this is an id");
            self.journal.remove(&id).expect("the journal can be written");
        }
    }

    /// Breaks the link.
    fn cut(&mut self) {
        if self.link.take().is_some() {
            let left = SessionInput::HostLeft;
            self.relay.session.handle(Time::from_ms(self.now_ms), left);
            if let Some(host) = &self.host {
                let mut state = host.session.lock();
                state.publisher.relay_left();
                state.settle();
            }
        }
    }

    /// Kills the host. Some of what it has sent still arrives.
    fn kill(&mut self) {
        let sent = self.link.as_ref().map_or(0, |link| link.up.len());
        let some = self.dice.below(sent + 1);
        self.deliver(some);
        self.cut();
        self.programs.cut();
        self.host = None;
        self.journal = Arc::new(self.journal.copied(&format!("boot {}", self.boots)));
    }

    fn fail_power(&mut self) {
        self.kill();
        self.outside.lose_power();
        self.typist.begin_anew();
        self.boots += 1;
        let boot = format!("boot {}", self.boots);
        let journal = if self.dice.once_in(2) { &self.older } else { &*self.journal };
        self.journal = Arc::new(journal.copied(&boot));
        self.older = self.journal.copied(&boot);
    }

    fn restart_relay(&mut self) {
        self.cut();
        self.people.cut();
        self.relay.restart();
    }

    fn trouble(&mut self) {
        let runtime = self.runtime.handle().clone();
        let _entered = runtime.enter();
        let is_busy = self.relay.session.agent(0).turns.queued().count() > 8;
        match self.dice.below(64) {
            0..=4 if is_busy => {}
            0..=2 => self.people.prompt(&mut self.relay.session),
            3..=4 => self.typist.type_line(&mut self.dice),
            5..=9 => self.people.decide(&mut self.relay.session, &mut self.dice),
            10 => {
                if let Some(host) = &self.host {
                    self.programs.ask(&host.session);
                }
            }
            11 if self.faults.stops => {
                People::stop(&mut self.relay.session, self.dice.once_in(3));
            }
            12..=13 => self.cut(),
            14 => self.restart_relay(),
            15..=16 => self.kill(),
            17 if self.faults.agents_end => self.outside.end_agents(),
            18 if self.faults.power_fails && self.dice.once_in(4) => self.fail_power(),
            19..=20 if self.faults.power_fails => {
                self.older = self.journal.copied(&format!("boot {}", self.boots));
            }
            21..=40 => self.heal(),
            _ => {}
        }
    }

    /// Restores what is down.
    fn heal(&mut self) {
        let is_over = self.relay.session.lifecycle().is_over();
        if self.host.is_none() {
            self.restore();
        }
        let now = Time::from_ms(self.now_ms);
        match (&self.host, &self.link) {
            (Some(_), None) => {
                self.relay.session.handle(now, SessionInput::HostArrived);
                let relay = &mut self.relay.session;
                let mut down: VecDeque<_> = std::iter::from_fn(|| relay.poll_command()).collect();
                down.push_back(self.typist.host_came());
                self.link = Some(SimulatedLink { up: VecDeque::new(), down });
            }
            // The host's list lacks it.
            (None, _) if !is_over => self.relay.session.handle(now, SessionInput::HostLost),
            _ => {}
        }
    }

    /// Returns true if nothing is on its way.
    fn is_idle(&self) -> bool {
        let relay = &self.relay.session;
        let is_stored = relay.is_stored() && !relay.has_actions();
        if relay.lifecycle().is_over() {
            return is_stored && self.host.is_none();
        }
        let (Some(host), Some(link)) = (&self.host, &self.link) else { return false };
        let view = relay.agent(0);
        let is_open = view.approvals.open(0).next().is_some()
            || view.turns.queued().next().is_some()
            || view.turns.active().is_some();
        let is_carried = link.up.is_empty() && link.down.is_empty();
        let is_stored = is_stored && matches!(host.output, None | Some(DriverOutput::Checkpoint));
        let is_known = relay.log().head() == host.session.lock().publisher.head();
        let is_done = self.outside.is_idle() && host.hands.is_idle(&self.outside);
        let is_quiet = self.typist.is_idle() && self.programs.is_idle();
        is_stored && !is_open && is_carried && is_known && is_done && is_quiet
    }

    fn check(self) {
        let conversation = self.host.as_ref().map(|host| {
            let state = host.session.lock();
            let folded = state.view.folded(state.publisher.head());
            folded.flatten().expect("it is small").data
        });
        let is_first = self.boots == 0;
        self.relay.check(&self.published, self.epoch);
        let verdict = SimulationVerdict::of(&self.published, &self.outside.record);
        verdict.check(&self.people, &self.programs, &self.relay.session, self.faults, is_first);
        if is_first {
            verdict.check_typed(&self.typist, self.faults);
            let folded = conversation.map(|data| Conversation::from_snapshot(&data));
            if let Some(folded) = folded {
                verdict.check_conversation(&folded.expect("it is one"));
            }
        }
    }

    fn describe(&self) -> String {
        let relay = &self.relay.session;
        let host = self.host.as_ref().map(|host| {
            let idle = host.hands.is_idle(&self.outside);
            (host.session.lock().publisher.head(), host.output.is_some(), idle, host.has_ended)
        });
        let link = self.link.as_ref().map(|link| (link.up.len(), link.down.len()));
        format!(
            "host {host:?}, link {link:?}, relay {:?} at {:?}, stored {}, actions {}, agents idle \
             {}, typist {}, programs {}, approvals {:?}, turns {:?}",
            relay.lifecycle(),
            relay.log().head(),
            relay.is_stored(),
            relay.has_actions(),
            self.outside.is_idle(),
            self.typist.is_idle(),
            self.programs.is_idle(),
            relay
                .agent(0)
                .approvals
                .entries()
                .iter()
                .map(|it| (it.request.command.clone(), it.state))
                .collect::<Vec<_>>(),
            relay
                .agent(0)
                .turns
                .entries()
                .iter()
                .map(|turn| (turn.turn_id.as_str().to_owned(), turn.state))
                .collect::<Vec<_>>(),
        )
    }
}

impl Drop for AgentWorld {
    fn drop(&mut self) {
        let runtime = self.runtime.handle().clone();
        let _entered = runtime.enter();
        self.programs.cut();
        self.host = None;
        virtual_clock::set(None);
    }
}
