//! An event stream that stays open: server-sent events over a WebSocket.
//!
//! Over HTTP/1.1 a browser opens at most six connections to a server, for all of its tabs together,
//! and an event stream by `fetch` or `EventSource` holds one of them; WebSockets do not count. The
//! link's own [`Connection`] dials, watches and backs off. [`Events`] adds the meaning of close
//! codes and the stream's format, and gets time and network from its [`StreamEffects`].

mod stream;
#[cfg(test)]
mod tests;

use moorline_shared::limits::HEARTBEAT;
use moorline_shared::link::{Connection, ConnectionOutput, Generation, Phase};
use moorline_shared::message::close;
use moorline_shared::sse::{Parser, SseEvent, SseItem};
use moorline_shared::time::Time;
use std::time::Duration;

pub use stream::EventSubscription;

/// Tells the relay that a message of an event stream was received. Any text does.
pub const TAKEN: &str = "{\"type\":\"ack\"}";
/// Delay of a heartbeat after which a page that wakes up dials anew at once.
const LATE: Duration = HEARTBEAT.saturating_add(Duration::from_secs(3));
/// A server that asks for at most this retry delay, in milliseconds, is about to end the stream and
/// come back.
const RETURNS_AT_ONCE_MS: u32 = 500;
/// Time after which a hidden page closes its stream, so that forgotten tabs cost the relay nothing.
const REST_AFTER: Duration = Duration::from_secs(60);

/// The status of a stream, as its user sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// Waiting for the server's answer.
    Connecting {
        /// Failed dials since the stream was last good.
        attempt: u32,
    },
    /// Events arrive as they happen.
    Live,
    /// Waiting to dial again.
    Waiting {
        /// The time at which it dials.
        until: Time,
        /// Failed dials since the stream was last good.
        attempt: u32,
    },
    /// The stream is complete: nothing will follow.
    Ended,
    /// The relay refused for good: dialling again cannot help.
    Refused {
        /// The close code: 4401, 4403 or 4404.
        code: u16,
    },
}

impl Default for StreamStatus {
    fn default() -> Self {
        Self::Connecting { attempt: 0 }
    }
}

impl StreamStatus {
    /// Returns true if the status does not change by itself any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Refused { .. })
    }
}

/// The stream's effects on the page and its socket, and the clock that it reads.
pub trait StreamEffects {
    /// Returns the current time on a monotonic clock.
    fn now(&self) -> Time;
    /// Opens a socket. Posts its events as `Opened`, `Bytes` and `Closed` with this generation.
    fn dial(&mut self, generation: Generation, last_event_id: Option<&str>);
    /// Closes the socket, if any.
    fn hang_up(&mut self);
    /// Tells the relay that a message was received.
    fn answer(&mut self);
    /// Posts `Tick` at `time`, and not at a time that was requested before. `None` cancels it.
    fn tick_at(&mut self, time: Option<Time>);
    /// Called when an event has arrived.
    fn event(&mut self, event: SseEvent);
    /// Called when the stream's status has changed.
    fn show(&mut self, status: StreamStatus);
}

/// An input of an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamInput {
    /// Start, or retry at once.
    Dial,
    /// The page is visible again.
    Seen,
    /// The page is hidden.
    Hidden,
    /// The network went away, or is back, perhaps a different one.
    NetworkChanged,
    /// The socket is open.
    Opened(Generation),
    /// A message arrived: bytes of the stream.
    Bytes(Generation, Vec<u8>),
    /// The socket is closed, with this close code.
    Closed(Generation, u16),
    /// The requested time has come.
    Tick,
}

/// Keeps one event stream open through its [`StreamEffects`].
pub struct Events<S> {
    effects: S,
    connection: Connection,
    parser: Parser,
    last_event_id: Option<String>,
    heard: Time,
    returns_at_once: bool,
    over: bool,
    /// The time since which the page is hidden.
    hidden: Option<Time>,
    /// True if the stream was closed until the page is visible again.
    rests: bool,
    status: StreamStatus,
}

impl<S: StreamEffects> Events<S> {
    /// Creates a stream that has not dialled yet. `seed` randomises its delays.
    pub fn new(effects: S, seed: u64) -> Self {
        Self {
            effects,
            connection: Connection::new(seed),
            parser: Parser::new(),
            last_event_id: None,
            heard: Time::default(),
            returns_at_once: false,
            over: false,
            hidden: None,
            rests: false,
            status: StreamStatus::default(),
        }
    }

    /// Returns the stream's effects, to read them.
    pub const fn effects(&self) -> &S {
        &self.effects
    }

    /// Returns the stream's effects, to change them.
    pub const fn effects_mut(&mut self) -> &mut S {
        &mut self.effects
    }

    /// Handles an input, performs the effects that follow from it, and sets the next `Tick`.
    pub fn handle(&mut self, input: StreamInput) {
        let now = self.effects.now();
        match input {
            StreamInput::Dial => {
                (self.over, self.rests) = (false, false);
                self.connection.dial(now);
            }
            StreamInput::Seen => {
                self.hidden = None;
                if std::mem::take(&mut self.rests) {
                    self.connection.dial(now);
                }
                self.wake(now, self.heard + LATE <= now);
            }
            StreamInput::Hidden => self.hidden = self.hidden.or(Some(now)),
            StreamInput::NetworkChanged => self.wake(now, true),
            StreamInput::Opened(generation) => {
                if self.connection.is_current(generation) {
                    self.heard = now;
                    self.connection.opened(now, generation);
                }
            }
            StreamInput::Bytes(generation, bytes) => self.bytes(now, generation, &bytes),
            StreamInput::Closed(generation, code) => self.closed(now, generation, code),
            StreamInput::Tick => {
                // That timer has rung, even if too early.
                self.effects.tick_at(None);
                self.connection.tick(now);
                if self.rest_at().is_some_and(|at| at <= now) {
                    self.rests = true;
                    self.connection.stop();
                }
            }
        }
        self.settle(now);
    }

    /// Replaces a doubtful stream, because the server cannot be asked for a sign of life. The new
    /// one continues at the same event.
    fn wake(&mut self, now: Time, doubtful: bool) {
        match self.connection.phase() {
            Phase::Open if doubtful => {
                self.connection.give_up(now);
                self.connection.dial(now);
            }
            Phase::Waiting { .. } => self.connection.wake(now),
            _ => {}
        }
    }

    fn closed(&mut self, now: Time, generation: Generation, code: u16) {
        if !self.connection.is_current(generation) {
            return;
        }
        if code == close::NOTHING_FOLLOWS {
            self.over = true;
            return self.connection.stop();
        }
        let returns = self.returns_at_once && !close::is_final(code);
        let code = if returns { close::GOING_AWAY } else { code };
        self.connection.closed(now, generation, code);
    }

    fn bytes(&mut self, now: Time, generation: Generation, bytes: &[u8]) {
        if !self.connection.heard(now, generation) {
            return;
        }
        self.heard = now;
        self.effects.answer();
        let mut items = Vec::new();
        let read = self.parser.push(bytes, |item| items.push(item));
        if let Some(id) = self.parser.last_event_id() {
            self.last_event_id = Some(id.to_owned()).filter(|id| !id.is_empty());
        }
        for item in items {
            // Only a stream that sends something is good.
            self.connection.settled();
            match item {
                SseItem::Event(event) => self.effects.event(event),
                SseItem::Retry(ms) => self.returns_at_once = ms <= RETURNS_AT_ONCE_MS,
                SseItem::Comment => {}
            }
        }
        if read.is_err() {
            self.connection.give_up(now);
        }
    }

    fn settle(&mut self, now: Time) {
        while let Some(output) = self.connection.poll_output() {
            match output {
                ConnectionOutput::Dial(generation) => {
                    self.parser = Parser::new();
                    self.returns_at_once = false;
                    self.effects.dial(generation, self.last_event_id.as_deref());
                }
                ConnectionOutput::HangUp => self.effects.hang_up(),
                // The page answers the relay's heartbeats and gets no answer to its own.
                ConnectionOutput::Ping => self.connection.said(now),
            }
        }
        let status = self.compose();
        if status != self.status {
            self.status = status;
            self.effects.show(status);
        }
        let next = self.connection.poll_timeout().into_iter().chain(self.rest_at()).min();
        self.effects.tick_at(next);
    }

    fn rest_at(&self) -> Option<Time> {
        let ends = self.rests || self.status.is_final();
        self.hidden.filter(|_| !ends).map(|since| since + REST_AFTER)
    }

    fn compose(&self) -> StreamStatus {
        let attempt = self.connection.attempt();
        match self.connection.phase() {
            Phase::Idle if self.over => StreamStatus::Ended,
            Phase::Idle | Phase::Dialing { .. } => StreamStatus::Connecting { attempt },
            Phase::Open => StreamStatus::Live,
            Phase::Waiting { until } => StreamStatus::Waiting { until, attempt },
            Phase::Refused { code } => StreamStatus::Refused { code },
        }
    }
}
