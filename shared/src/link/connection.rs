//! The dialling side of a connection: dial, watch, back off, dial again.

use crate::limits::{DEAD_AFTER, HEARTBEAT};
use crate::link::backoff::Backoff;
use crate::message::close;
use crate::time::Time;
use std::time::Duration;

/// A dial that has not opened by then has failed.
const DIAL_DEADLINE: Duration = Duration::from_secs(10);
/// When something suggests that the connection is dead (the page was asleep, the network changed),
/// a ping must be answered by then.
const PROBE_DEADLINE: Duration = Duration::from_secs(4);
/// A peer that asks to be dialled again at once is heeded this often: one that asks all the time is
/// in trouble.
const FREE_DIAL_EVERY: Duration = Duration::from_secs(5);

/// Names one socket of a connection: an event of an older one is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not started, or ended on purpose.
    Idle,
    /// A socket is being opened.
    Dialing {
        /// Since when.
        since: Time,
    },
    /// A socket is open.
    Open,
    /// Waiting to dial again.
    Waiting {
        /// When.
        until: Time,
    },
    /// The peer said that dialling again cannot help.
    Refused {
        /// The close code.
        code: u16,
    },
}

/// What the owner of the socket must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionOutput {
    /// Open a socket; report it with this generation.
    Dial(Generation),
    /// Close the socket; nothing that it still reports counts.
    HangUp,
    /// Send a ping.
    Ping,
}

/// Keeps one socket open to a peer. Every method may change what [`Connection::poll_output`] and
/// [`Connection::poll_timeout`] answer; a spurious call is harmless.
#[derive(Debug, Clone)]
pub struct Connection {
    phase: Phase,
    generation: Generation,
    backoff: Backoff,
    heard: Time,
    said: Time,
    probe: Option<Time>,
    /// From when on a dial without a wait is free again.
    free_dial_at: Time,
    pending: [Option<ConnectionOutput>; 2],
}

impl Connection {
    /// A connection that is not started. `seed` spreads its waits.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            phase: Phase::Idle,
            generation: Generation(0),
            backoff: Backoff::new(seed),
            heard: Time::from_ms(0),
            said: Time::from_ms(0),
            probe: None,
            free_dial_at: Time::from_ms(0),
            pending: [None; 2],
        }
    }

    /// Where the connection stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// How often it was dialled in vain since it was last good.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.backoff.attempt()
    }

    /// Whether `generation` is the socket of now.
    #[must_use]
    pub fn is_current(&self, generation: Generation) -> bool {
        generation == self.generation && matches!(self.phase, Phase::Dialing { .. } | Phase::Open)
    }

    /// Dials now: at the start, and when the user asks.
    pub fn dial(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
            self.start_dial(now);
        }
    }

    /// The network is back, or the page became visible: dials now where it waits, and where it is
    /// open asks for a sign of life.
    pub fn wake(&mut self, now: Time) {
        match self.phase {
            Phase::Waiting { .. } => self.start_dial(now),
            Phase::Open if self.probe.is_none() => {
                self.probe = Some(now + PROBE_DEADLINE);
                self.ping(now);
            }
            _ => {}
        }
    }

    /// The socket is open.
    pub fn opened(&mut self, now: Time, generation: Generation) {
        if self.is_current(generation) {
            self.phase = Phase::Open;
            (self.heard, self.said, self.probe) = (now, now, None);
        }
    }

    /// Something arrived. False where the socket is an older one.
    pub fn heard(&mut self, now: Time, generation: Generation) -> bool {
        let current = self.is_current(generation) && self.phase == Phase::Open;
        if current {
            self.heard = now;
            self.probe = None;
        }
        current
    }

    /// Something is sent.
    pub const fn said(&mut self, now: Time) {
        self.said = now;
    }

    /// The peer proved good (it answered, not merely opened): the next wait is a short one.
    pub const fn settled(&mut self) {
        self.backoff.succeeded();
    }

    /// The socket closed, or could not be opened.
    pub fn closed(&mut self, now: Time, generation: Generation, code: u16) {
        if !self.is_current(generation) {
            return;
        }
        if close::is_final(code) {
            self.phase = Phase::Refused { code };
        } else if code == close::GOING_AWAY && self.attempt() == 0 && now >= self.free_dial_at {
            // One free try; should it fail, the backoff takes over.
            self.backoff.next_wait();
            self.free_dial_at = now + FREE_DIAL_EVERY;
            self.phase = Phase::Waiting { until: now };
        } else {
            self.wait(now);
        }
    }

    /// The peer broke the protocol, or is silent: closes the socket and dials again later.
    pub fn give_up(&mut self, now: Time) {
        if matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
            self.pending = [Some(ConnectionOutput::HangUp), None];
            self.wait(now);
        }
    }

    /// Ends the connection for good.
    pub fn stop(&mut self) {
        if matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
            self.pending = [Some(ConnectionOutput::HangUp), None];
        }
        self.phase = Phase::Idle;
    }

    /// Time has passed: call at [`Connection::poll_timeout`].
    pub fn tick(&mut self, now: Time) {
        match self.phase {
            Phase::Dialing { since } if now >= since + DIAL_DEADLINE => self.give_up(now),
            Phase::Waiting { until } if now >= until => self.start_dial(now),
            Phase::Open => {
                if now >= self.dead_at() {
                    self.give_up(now);
                } else if now >= self.said + HEARTBEAT {
                    self.ping(now);
                }
            }
            _ => {}
        }
    }

    /// What to do now; call until `None`.
    pub fn poll_output(&mut self) -> Option<ConnectionOutput> {
        let first = self.pending[0].take();
        if first.is_some() { first } else { self.pending[1].take() }
    }

    /// When to call [`Connection::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.phase {
            Phase::Dialing { since } => Some(since + DIAL_DEADLINE),
            Phase::Waiting { until } => Some(until),
            Phase::Open => Some(self.dead_at().min(self.said + HEARTBEAT)),
            Phase::Idle | Phase::Refused { .. } => None,
        }
    }

    fn dead_at(&self) -> Time {
        let silent = self.heard + DEAD_AFTER;
        self.probe.map_or(silent, |probe| probe.min(silent))
    }

    fn start_dial(&mut self, now: Time) {
        self.generation.0 += 1;
        self.phase = Phase::Dialing { since: now };
        self.pending[1] = Some(ConnectionOutput::Dial(self.generation));
    }

    fn ping(&mut self, now: Time) {
        self.said = now;
        self.pending[1] = Some(ConnectionOutput::Ping);
    }

    fn wait(&mut self, now: Time) {
        self.phase = Phase::Waiting { until: now + self.backoff.next_wait() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Generation = Generation(1);

    fn at(ms: u64) -> Time {
        Time::from_ms(ms)
    }

    fn open() -> Connection {
        let mut connection = Connection::new(1);
        connection.dial(at(0));
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::Dial(FIRST)));
        connection.opened(at(0), FIRST);
        connection.settled();
        connection
    }

    #[test]
    fn a_silent_peer_is_pinged_and_then_taken_for_dead() {
        let mut connection = open();
        for ms in [15_000, 30_000] {
            assert_eq!(connection.poll_timeout(), Some(at(ms)));
            connection.tick(at(ms));
            assert_eq!(connection.poll_output(), Some(ConnectionOutput::Ping));
        }
        connection.tick(at(45_000));
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::HangUp));
        assert!(matches!(connection.phase(), Phase::Waiting { .. }));
        assert!(!connection.heard(at(45_000), FIRST));
    }

    #[test]
    fn waking_an_open_connection_asks_for_a_quick_sign_of_life() {
        let mut connection = open();
        connection.wake(at(1_000));
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::Ping));
        let mut answered = connection.clone();
        assert!(answered.heard(at(1_100), FIRST));
        answered.tick(at(6_000));
        assert_eq!(answered.phase(), Phase::Open);
        connection.tick(at(5_000));
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::HangUp));
    }

    #[test]
    fn close_codes_decide_what_comes_next() {
        let mut refused = open();
        refused.closed(at(5), FIRST, close::NOT_FOUND);
        assert_eq!(
            (refused.phase(), refused.poll_timeout()),
            (Phase::Refused { code: 4404 }, None)
        );
        let mut restarted = open();
        restarted.closed(at(5), FIRST, close::GOING_AWAY);
        assert_eq!(restarted.phase(), Phase::Waiting { until: at(5) });
        restarted.tick(at(5));
        assert_eq!(restarted.poll_output(), Some(ConnectionOutput::Dial(Generation(2))));
        restarted.closed(at(6), FIRST, close::NOT_FOUND);
        assert!(matches!(restarted.phase(), Phase::Dialing { .. }));
    }

    #[test]
    fn a_peer_that_keeps_going_away_is_not_dialled_at_once_each_time() {
        let mut connection = open();
        let mut waits = Vec::new();
        for (generation, ms) in [(1, 0), (2, 100), (3, 10_000)] {
            connection.closed(at(ms), Generation(generation), close::GOING_AWAY);
            waits.push(connection.phase() != Phase::Waiting { until: at(ms) });
            connection.wake(at(ms));
            connection.opened(at(ms), Generation(generation + 1));
            connection.settled();
        }
        assert_eq!(waits, [false, true, false]);
    }

    #[test]
    fn the_network_coming_back_ends_a_wait() {
        let mut connection = open();
        connection.closed(at(0), FIRST, 1006);
        connection.wake(at(1));
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::Dial(Generation(2))));
    }
}
