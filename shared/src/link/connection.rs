//! The dialling side of a connection: it dials, detects a dead socket, backs off and dials again.

use crate::limits::{BACKOFF_MOST, DIAL_DEADLINE};
use crate::link::liveness::Liveness;
use crate::link::redial::Redial;
use crate::message::close;
use crate::time::Time;

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
    redial: Redial,
    /// The signs of life of the open socket. Unused while none is open.
    liveness: Liveness,
    /// True while a sign of life is overdue on the open socket, or the network went away since the
    /// last one.
    is_doubtful: bool,
    pending: [Option<ConnectionOutput>; 2],
}

impl Connection {
    /// Creates a connection that is not started. `seed` spreads its waits.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            phase: Phase::Idle,
            generation: Generation(0),
            redial: Redial::new(seed, BACKOFF_MOST),
            liveness: Liveness::new(Time::from_ms(0)),
            is_doubtful: false,
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
        self.redial.attempt()
    }

    /// Returns true if `generation` is the current socket.
    #[must_use]
    pub fn is_current(&self, generation: Generation) -> bool {
        generation == self.generation && matches!(self.phase, Phase::Dialing { .. } | Phase::Open)
    }

    /// Returns true if a socket is open but the peer does not answer on it. The next sign of life
    /// ends that.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful && self.phase == Phase::Open
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
            Phase::Open if self.liveness.probe(now) => self.ping(now),
            _ => {}
        }
    }

    /// Handles the loss of the network: an open socket is doubtful until it gives a sign of life.
    pub fn network_lost(&mut self, now: Time) {
        if self.phase == Phase::Open {
            self.is_doubtful = true;
            self.wake(now);
        }
    }

    /// Records that the socket is open.
    pub fn opened(&mut self, now: Time, generation: Generation) {
        if self.is_current(generation) {
            self.phase = Phase::Open;
            self.liveness = Liveness::new(now);
            self.is_doubtful = false;
        }
    }

    /// Records that something arrived. Returns false if it came from an older socket.
    pub fn heard(&mut self, now: Time, generation: Generation) -> bool {
        let current = self.is_current(generation) && self.phase == Phase::Open;
        if current {
            self.liveness.heard(now);
            self.is_doubtful = false;
        }
        current
    }

    /// Records that something is being sent.
    pub const fn said(&mut self, now: Time) {
        self.liveness.said(now);
    }

    /// Resets the backoff: the peer has answered, rather than merely opened a socket.
    pub const fn settled(&mut self) {
        self.redial.settled();
    }

    /// Handles a socket that closed, or could not be opened.
    pub fn closed(&mut self, now: Time, generation: Generation, code: u16) {
        if !self.is_current(generation) {
            return;
        }
        if close::is_final(code) {
            self.phase = Phase::Refused { code };
        } else {
            self.wait(now, code);
        }
    }

    /// Closes the socket and dials again later, because the peer broke the protocol or is silent.
    pub fn give_up(&mut self, now: Time) {
        if matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
            self.pending = [Some(ConnectionOutput::HangUp), None];
            self.wait(now, close::ABNORMAL);
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
                self.is_doubtful |= self.liveness.doubtful_at().is_some_and(|at| now >= at);
                if self.liveness.is_dead(now) {
                    self.give_up(now);
                } else if self.liveness.is_ping_due(now) {
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
            Phase::Open => {
                let doubtful = self.liveness.doubtful_at().filter(|_| !self.is_doubtful);
                let due = self.liveness.poll_timeout();
                Some(doubtful.map_or(due, |doubtful| doubtful.min(due)))
            }
            Phase::Idle | Phase::Refused { .. } => None,
        }
    }

    fn start_dial(&mut self, now: Time) {
        self.generation.0 += 1;
        self.phase = Phase::Dialing { since: now };
        self.pending[1] = Some(ConnectionOutput::Dial(self.generation));
    }

    fn wait(&mut self, now: Time, code: u16) {
        self.phase = Phase::Waiting { until: now + self.redial.wait_after(now, code) };
    }

    fn ping(&mut self, now: Time) {
        self.liveness.said(now);
        self.pending[1] = Some(ConnectionOutput::Ping);
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
    fn a_connection_that_does_not_answer_is_doubtful_until_it_does() {
        let mut connection = open();
        connection.wake(at(1_000));
        assert!(!connection.is_doubtful());
        assert_eq!(connection.poll_timeout(), Some(at(2_000)));
        connection.tick(at(2_000));
        assert!(connection.is_doubtful());
        assert_eq!(connection.poll_timeout(), Some(at(5_000)), "a spurious tick is not asked for");
        assert!(connection.heard(at(2_500), FIRST) && !connection.is_doubtful());
        connection.poll_output();
        connection.network_lost(at(3_000));
        assert!(connection.is_doubtful());
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::Ping));
        connection.tick(at(7_000));
        assert!(!connection.is_doubtful());
        assert!(matches!(connection.phase(), Phase::Waiting { .. }));
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
    fn the_network_coming_back_ends_a_wait() {
        let mut connection = open();
        connection.closed(at(0), FIRST, close::ABNORMAL);
        connection.wake(at(1));
        assert_eq!(connection.poll_output(), Some(ConnectionOutput::Dial(Generation(2))));
    }
}
