//! The signs of life of an open connection.

use std::ops::Add;
use std::time::Duration;

use crate::limits::{DEAD_AFTER, HEARTBEAT};
use crate::time::Time;

/// Time allowed for the answer to a ping, when something suggests that the connection is dead: the
/// page was asleep, or the network changed.
const PROBE_DEADLINE: Duration = Duration::from_secs(4);
/// Time after which a probe without an answer is worth telling the user of.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Tells when an open connection is dead, and when this side must give a sign of life. Either side
/// of a connection has one.
///
/// Report what arrives with [`Liveness::heard`] and what is sent with [`Liveness::said`]. At
/// [`Liveness::poll_timeout`], close the connection if it [`Liveness::is_dead`], and send a ping or
/// heartbeat if [`Liveness::is_ping_due`]. A spurious call is harmless. `T` is the owner's type of
/// a point in time: [`Time`] or the instants of its runtime.
///
/// ```
/// use moorline_shared::limits::{DEAD_AFTER, HEARTBEAT};
/// use moorline_shared::link::Liveness;
/// use moorline_shared::time::Time;
///
/// let start = Time::from_ms(0);
/// let mut liveness = Liveness::new(start);
/// let due = liveness.poll_timeout();
/// assert!(due == start + HEARTBEAT && liveness.is_ping_due(due));
/// liveness.said(due);
/// assert!(liveness.is_dead(start + DEAD_AFTER));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness<T = Time> {
    /// The time at which something arrived last.
    heard: T,
    /// The time at which something was sent last.
    said: T,
    /// The time of a probe that is not answered; `None` without one.
    probed: Option<T>,
}

impl<T: Copy + Ord + Add<Duration, Output = T>> Liveness<T> {
    /// Creates the state of a connection that is opened `now`.
    #[must_use]
    pub const fn new(now: T) -> Self {
        Self { heard: now, said: now, probed: None }
    }

    /// Records that something arrived.
    pub const fn heard(&mut self, now: T) {
        self.heard = now;
        self.probed = None;
    }

    /// Records that something is being sent.
    pub const fn said(&mut self, now: T) {
        self.said = now;
    }

    /// Expects a sign of life soon, because something suggests that the connection is dead. Returns
    /// true if a ping must be sent; false if an earlier probe still waits for its answer.
    pub fn probe(&mut self, now: T) -> bool {
        let is_first = self.probed.is_none();
        self.probed.get_or_insert(now);
        is_first
    }

    /// Returns true if nothing was heard for too long.
    #[must_use]
    pub fn is_dead(&self, now: T) -> bool {
        now >= self.dead_at()
    }

    /// Returns true if nothing was said for so long that the other side needs a sign of life.
    #[must_use]
    pub fn is_ping_due(&self, now: T) -> bool {
        now >= self.ping_at()
    }

    /// Returns when the connection is dead unless something is heard.
    #[must_use]
    pub fn dead_at(&self) -> T {
        let silent = self.heard + DEAD_AFTER;
        self.probed.map_or(silent, |probed| silent.min(probed + PROBE_DEADLINE))
    }

    /// Returns when an unanswered probe puts the connection in doubt; `None` without one.
    #[must_use]
    pub fn doubtful_at(&self) -> Option<T> {
        self.probed.map(|probed| probed + PROBE_PATIENCE)
    }

    /// Returns when a ping is due unless something is said.
    #[must_use]
    pub fn ping_at(&self) -> T {
        self.said + HEARTBEAT
    }

    /// Returns when either of them is to be checked.
    #[must_use]
    pub fn poll_timeout(&self) -> T {
        self.dead_at().min(self.ping_at())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_ms(0);

    #[test]
    fn what_is_said_and_what_is_heard_count_apart() {
        let mut liveness = Liveness::new(START);
        assert_eq!(liveness.poll_timeout(), START + HEARTBEAT);
        liveness.said(START + DEAD_AFTER);
        assert_eq!(liveness.poll_timeout(), START + DEAD_AFTER);
        assert!(!liveness.is_dead(Time::from_ms(44_999)) && liveness.is_dead(START + DEAD_AFTER));
        liveness.heard(START + HEARTBEAT);
        assert!(!liveness.is_dead(START + DEAD_AFTER));
        assert_eq!(liveness.dead_at(), START + HEARTBEAT + DEAD_AFTER);
        let late = START + DEAD_AFTER + HEARTBEAT;
        assert!(liveness.is_ping_due(late) && liveness.is_dead(late));
    }

    #[test]
    fn a_probe_is_answered_soon_or_the_connection_is_dead() {
        let mut liveness = Liveness::new(START);
        assert!(liveness.probe(START));
        assert!(!liveness.probe(START + PROBE_DEADLINE / 2), "one ping is enough");
        assert!(liveness.is_dead(START + PROBE_DEADLINE));
        liveness.heard(START + PROBE_DEADLINE / 2);
        assert!(!liveness.is_dead(START + PROBE_DEADLINE));
        assert!(liveness.probe(START + PROBE_DEADLINE));
    }

    #[test]
    fn a_probe_does_not_extend_the_wait() {
        let mut liveness = Liveness::new(START);
        liveness.probe(Time::from_ms(44_000));
        assert_eq!(liveness.dead_at(), START + DEAD_AFTER);
    }
}
