//! A whole client without a page: the link machine of `moorline-shared` over a real socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use moorline_shared::id::{ClientId, SessionId};
use moorline_shared::link::{ClientStatus, SavedInput};
use moorline_shared::session::Size;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::digest::Digest;
use crate::expected::Flood;
use crate::screen::{Screen, Shown};
use crate::wait::{PATIENCE, wait_until};
use crate::wire::Greeting;

mod task;

/// Bytes of the output's end that are kept for inspection.
const RECENT_BYTES: usize = 64 * 1024;

/// A client's identity and the session that it follows.
#[derive(Debug, Clone)]
pub struct Following {
    /// Address of the relay, or of a proxy before it.
    pub address: SocketAddr,
    /// The session to follow.
    pub session: SessionId,
    /// Id of this client, the same over all its connections.
    pub client_id: ClientId,
    /// Protocol and credentials with which it connects.
    pub greeting: Greeting,
    /// Input that an earlier client of this id left unacknowledged.
    pub saved: SavedInput,
    /// True if input waits for a host that is away, as the page's does.
    pub hold: bool,
}

impl Following {
    /// A client with the administrator's token.
    #[must_use]
    pub fn new(address: SocketAddr, session: &SessionId, seed: u64) -> Self {
        Self {
            address,
            session: session.clone(),
            client_id: ClientId::from_random(u128::from(seed) << 40 | 0x5eed),
            greeting: Greeting::extended(),
            saved: SavedInput::default(),
            hold: true,
        }
    }
}

/// State and history of a follower.
pub struct Seen {
    /// Digest of the output that came as entries.
    pub digest: Digest,
    /// End of that output.
    recent: VecDeque<u8>,
    /// Terminal of the session's size, with everything applied.
    screen: Screen,
    /// State of the link machine.
    pub status: ClientStatus,
    /// Number of [`Follower::type_input`] calls that were handled.
    pub typed: usize,
    /// Number of typed pieces that are not acknowledged yet.
    pub pending: usize,
    /// Number of dials so far.
    pub dials: u64,
    /// Number of snapshots that were painted.
    pub snapshots: u64,
    /// Bytes of those snapshots, as painted: on the wire they are a third more.
    pub painted_bytes: u64,
    /// Number of times that everything was cleared, as void.
    pub clears: u64,
    /// Close codes of the connections that ended.
    pub closes: Vec<u16>,
    /// Errors that the relay sent, and input that the machine gave up.
    pub troubles: Vec<String>,
}

enum Command {
    Type(Vec<u8>),
    Stall(bool),
    Dial,
    Wake,
    Resize(Size),
}

/// A client that follows a session until it is dropped.
pub struct Follower {
    seen: Arc<Mutex<Seen>>,
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Starts following in a task of its own.
    #[must_use]
    pub fn start(following: Following) -> Self {
        let (commands, orders) = mpsc::unbounded_channel();
        let seen = Arc::new(Mutex::new(Seen::new()));
        let task = tokio::spawn(task::run(following, orders, Arc::clone(&seen)));
        Self { seen, commands, task }
    }

    /// Follows, and waits until the backlog is applied.
    ///
    /// # Errors
    /// If that takes too long.
    pub async fn live(following: Following) -> Result<Self> {
        let follower = Self::start(following);
        follower.until("a live follower", |seen| seen.status == ClientStatus::Live).await?;
        Ok(follower)
    }

    /// State and history so far; locked while the guard lives.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Waits until the predicate holds.
    ///
    /// # Errors
    /// If it does not in time, with what was seen instead.
    pub async fn until(&self, what: &str, predicate: impl Fn(&Seen) -> bool) -> Result<()> {
        let waited = wait_until(what, async || predicate(&self.seen())).await;
        waited.with_context(|| self.seen().describe())
    }

    /// Waits until the predicate holds, for as long as output arrives. [`Follower::until`] has a
    /// fixed limit.
    ///
    /// # Errors
    /// If output stops before that, with what was seen instead.
    pub async fn until_end(&self, what: &str, predicate: impl Fn(&Seen) -> bool) -> Result<()> {
        let (mut last, mut since) = (0, Instant::now());
        while !predicate(&self.seen()) {
            let bytes = self.seen().digest.bytes();
            if bytes != last {
                (last, since) = (bytes, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                bail!("nothing more came while waiting for {what}: {}", self.seen().describe());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Has a program of [`Flood::command_in_parts`] print one of its parts, counted from 1, and
    /// waits for all of it. `meanwhile` is called repeatedly until then.
    ///
    /// # Errors
    /// As [`Follower::until_end`].
    pub async fn flood_part(
        &self,
        flood: Flood,
        (part, parts): (u64, u64),
        meanwhile: impl Fn(),
    ) -> Result<()> {
        let last = format!("{}\r\n", flood.lines / parts * part);
        self.type_input("\r");
        self.until_end("all of this part", |seen| {
            meanwhile();
            seen.contains(&last)
        })
        .await
    }

    /// Types into the session, once the task gets to it.
    pub fn type_input(&self, data: impl Into<Vec<u8>>) {
        self.order(Command::Type(data.into()));
    }

    /// Stops reading from the socket, or resumes.
    pub fn stall(&self, stalled: bool) {
        self.order(Command::Stall(stalled));
    }

    /// Dials at once, as when the user asks for it.
    pub fn dial(&self) {
        self.order(Command::Dial);
    }

    /// Tells the machine that the network may have changed.
    pub fn wake(&self) {
        self.order(Command::Wake);
    }

    /// Changes the client's terminal size.
    pub fn resize(&self, size: Size) {
        self.order(Command::Resize(size));
    }

    fn order(&self, command: Command) {
        // The task ends only with this handle.
        drop(self.commands.send(command));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            digest: Digest::default(),
            recent: VecDeque::new(),
            screen: Screen::new(Size::default()),
            status: ClientStatus::Idle,
            typed: 0,
            pending: 0,
            dials: 0,
            snapshots: 0,
            painted_bytes: 0,
            clears: 0,
            closes: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Returns true if the end of the output contains this. Snapshots do not count: use
    /// [`Seen::shows`] for a client that may fall behind.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.recent().contains(text)
    }

    /// Returns true if a line of the screen contains this.
    #[must_use]
    pub fn shows(&self, text: &str) -> bool {
        self.shown().lines.iter().any(|line| line.contains(text))
    }

    /// The end of the output.
    #[must_use]
    pub fn recent(&self) -> String {
        let (front, back) = self.recent.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }

    /// Text and cursor that the terminal shows.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.screen.shown()
    }

    /// Describes everything, for a failure's message.
    #[must_use]
    pub fn describe(&self) -> String {
        let recent = self.recent();
        let end: String = recent.chars().rev().take(300).collect::<Vec<_>>().iter().rev().collect();
        format!(
            "{:?}, {} bytes applied, {} dials, {} snapshots, {} clears, {} pending, closed by {:?}, \
             troubles {:?}, output ends with {end:?}",
            self.status,
            self.digest.bytes(),
            self.dials,
            self.snapshots,
            self.clears,
            self.pending,
            self.closes,
            &self.troubles[..self.troubles.len().min(5)],
        )
    }

    fn apply(&mut self, data: &[u8]) {
        self.digest.update(data);
        self.screen.apply(data);
        let kept = &data[data.len().saturating_sub(RECENT_BYTES)..];
        self.recent.extend(kept);
        let over = self.recent.len().saturating_sub(RECENT_BYTES);
        self.recent.drain(..over);
    }

    fn paint(&mut self, snapshot: &[u8]) {
        self.snapshots += 1;
        self.painted_bytes += snapshot.len() as u64;
        self.screen.apply(snapshot);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
