//! The dialling side of a connection: it dials, detects a dead socket, backs off and dials again.

use crate::limits::{DEAD_AFTER, HEARTBEAT};
use crate::link::backoff::Backoff;
use crate::message::close;
use crate::time::Time;
use std::time::Duration;

/// Time allowed for a dial to open a socket.
const DIAL_DEADLINE: Duration = Duration::from_secs(10);
/// Time allowed for the answer to a ping, when something suggests that the connection is dead: the
/// page was asleep, or the network changed.
const PROBE_DEADLINE: Duration = Duration::from_secs(4);
/// Shortest time between two dials without a wait that the peer asked for. A peer that asks for
/// them all the time is in trouble.
const FREE_DIAL_EVERY: Duration = Duration::from_secs(5);

/// Names one socket of a connection. Events of an older socket are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not started, or ended on purpose.
    Idle,
    /// A socket is being opened.
    Dialing {
        /// When the dial began.
        since: Time,
    },
    /// A socket is open.
    Open,
    /// Waiting to dial again.
    Waiting {
        /// The time to dial.
        until: Time,
    },
    /// The peer said that dialling again is useless.
    Refused {
        /// The WebSocket's close code.
        code: u16,
    },
}

/// A task for the owner of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionOutput {
    /// Open a socket, and report its events with this generation.
    Dial(Generation),
    /// Close the socket and ignore whatever it still reports.
    HangUp,
    /// Send a ping.
    Ping,
}

/// Keeps one socket open to a peer. Every method may change the answers of
/// [`Connection::poll_output`] and [`Connection::poll_timeout`]; a spurious call is harmless.
#[derive(Debug, Clone)]
pub struct Connection {
    phase: Phase,
    generation: Generation,
    backoff: Backoff,
    heard: Time,
    said: Time,
    probe: Option<Time>,
    /// From when on another dial without a wait is allowed.
    free_dial_at: Time,
    pending: [Option<ConnectionOutput>; 2],
}

impl Connection {
    /// Creates a connection that is not started. `seed` spreads its waits.
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

    /// Returns the current phase.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the number of failed dials since the connection last settled.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.backoff.attempt()
    }

    /// Returns true if `generation` is the current socket.
    #[must_use]
    pub fn is_current(&self, generation: Generation) -> bool {
        generation == self.generation && matches!(self.phase, Phase::Dialing { .. } | Phase::Open)
    }

    /// Dials now, unless a socket is open or being opened: at the start, and when the user asks.
    pub fn dial(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
            self.start_dial(now);
        }
    }

    /// Handles the return of the network or of the page: dials now if it is waiting, and asks for a
    /// sign of life if a socket is open.
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

    /// Records that the socket is open.
    pub fn opened(&mut self, now: Time, generation: Generation) {
        if self.is_current(generation) {
            self.phase = Phase::Open;
            (self.heard, self.said, self.probe) = (now, now, None);
        }
    }

    /// Records that something arrived. Returns false if it came from an older socket.
    pub fn heard(&mut self, now: Time, generation: Generation) -> bool {
        let current = self.is_current(generation) && self.phase == Phase::Open;
        if current {
            self.heard = now;
            self.probe = None;
        }
        current
    }

    /// Records that something is being sent.
    pub const fn said(&mut self, now: Time) {
        self.said = now;
    }

    /// Resets the backoff: the peer has answered, rather than merely opened a socket.
    pub const fn settled(&mut self) {
        self.backoff.succeeded();
    }

    /// Handles a socket that closed, or could not be opened.
    pub fn closed(&mut self, now: Time, generation: Generation, code: u16) {
        if !self.is_current(generation) {
            return;
        }
        if close::is_final(code) {
            self.phase = Phase::Refused { code };
        } else if code == close::GOING_AWAY && self.attempt() == 0 && now >= self.free_dial_at {
            // Dials once without a wait. If that fails, the backoff takes over.
            self.backoff.next_wait();
            self.free_dial_at = now + FREE_DIAL_EVERY;
            self.phase = Phase::Waiting { until: now };
        } else {
            self.wait(now);
        }
    }

    /// Closes the socket and dials again later, because the peer broke the protocol or is silent.
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

    /// Handles the passing of time; call at [`Connection::poll_timeout`].
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

    /// Returns the next task; call until `None`.
    pub fn poll_output(&mut self) -> Option<ConnectionOutput> {
        let first = self.pending[0].take();
        if first.is_some() { first } else { self.pending[1].take() }
    }

    /// Returns when to call [`Connection::tick`].
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
