//! An event stream that stays: server-sent events over a WebSocket.
//!
//! Over HTTP/1.1 a browser opens six connections to a server, for all of its tabs together, and an
//! event stream by `fetch` or `EventSource` holds one of them; WebSockets do not count. The link's
//! own [`Connection`] dials, watches and backs off; [`Events`] adds what close codes and the format
//! of the stream mean, and is told of time and network by its [`StreamEffects`].

mod stream;
#[cfg(test)]
mod tests;

use moorline_shared::limits::HEARTBEAT;
use moorline_shared::link::{Connection, ConnectionOutput, Generation, Phase};
use moorline_shared::message::close;
use moorline_shared::sse::{Item, Parser, SseEvent};
use moorline_shared::time::Time;
use std::time::Duration;

pub use stream::EventStream;

/// How late a heartbeat may be before a page that wakes up dials anew at once.
const LATE: Duration = HEARTBEAT.saturating_add(Duration::from_secs(3));
/// A server that asks for a shorter wait than usual is about to end the stream and come back.
const RETURNS_AT_ONCE_MS: u32 = 500;
/// A page that nobody has seen for so long lets go of its stream, so that forgotten tabs cost the
/// relay nothing.
const REST_AFTER: Duration = Duration::from_secs(60);

/// Where a stream stands, for its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// Waiting for the server's answer.
    Connecting {
        /// Dials in vain since the stream was last good.
        attempt: u32,
    },
    /// Events come as they happen.
    Live,
    /// Waiting to dial again.
    Waiting {
        /// When it dials.
        until: Time,
        /// Dials in vain since the stream was last good.
        attempt: u32,
    },
    /// Nothing will follow: all that there is was sent.
    Ended,
    /// Dialling again cannot help.
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
    /// Whether nothing will change by itself any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Refused { .. })
    }
}

/// What the stream does to the page and its socket, and the clock that it reads.
pub trait StreamEffects {
    /// The moment on a monotonic clock.
    fn now(&self) -> Time;
    /// Opens a socket; tells `Opened`, `Bytes` and `Closed` of this generation.
    fn dial(&mut self, generation: Generation, last_event_id: Option<&str>);
    /// Closes the socket, if any.
    fn hang_up(&mut self);
    /// Tells the relay that a message was taken.
    fn answer(&mut self);
    /// Tells `Tick` at that time, and at no earlier one that was asked for.
    fn tick_at(&mut self, time: Option<Time>);
    /// An event has come.
    fn event(&mut self, event: SseEvent);
    /// The stream's status has changed.
    fn show(&mut self, status: StreamStatus);
}

/// Something that happened, for an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamInput {
    /// Begin, or try again now.
    Dial,
    /// The page is seen again.
    Seen,
    /// The page is not seen any more.
    Hidden,
    /// The network is back, perhaps another one.
    Online,
    /// The socket is open.
    Opened(Generation),
    /// A message: bytes of the stream.
    Bytes(Generation, Vec<u8>),
    /// The socket is gone, with this close code.
    Closed(Generation, u16),
    /// The time that was asked for has come.
    Tick,
}

/// Keeps one event stream open by its [`StreamEffects`].
pub struct Events<S> {
    effects: S,
    connection: Connection,
    parser: Parser,
    last_event_id: Option<String>,
    heard: Time,
    returns_at_once: bool,
    over: bool,
    /// Since when nobody sees the page.
    hidden: Option<Time>,
    /// The stream was let go of, until the page is seen.
    rests: bool,
    status: StreamStatus,
}

impl<S: StreamEffects> Events<S> {
    /// A stream that has not dialled yet. `seed` spreads its waits.
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

    /// What the stream acts on.
    pub const fn effects(&self) -> &S {
        &self.effects
    }

    /// What the stream acts on, to change it.
    pub const fn effects_mut(&mut self) -> &mut S {
        &mut self.effects
    }

    /// Handles what happened.
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
            StreamInput::Online => self.wake(now, true),
            StreamInput::Opened(generation) => {
                if self.connection.is_current(generation) {
                    self.heard = now;
                    self.connection.opened(now, generation);
                }
            }
            StreamInput::Bytes(generation, bytes) => self.bytes(now, generation, &bytes),
            StreamInput::Closed(generation, code) => self.closed(now, generation, code),
            StreamInput::Tick => {
                // That timer is spent, even if it rang too early.
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

    /// The server cannot be asked for a sign of life, so a doubtful stream is replaced: it goes on
    /// where this one was.
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
            // Only a stream that says something is good.
            self.connection.settled();
            match item {
                Item::Event(event) => self.effects.event(event),
                Item::Retry(ms) => self.returns_at_once = ms <= RETURNS_AT_ONCE_MS,
                Item::Comment => {}
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
                // The relay's heartbeats are answered; it answers nothing.
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
