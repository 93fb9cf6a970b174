//! A whole client without a page: the link machine of `moorline-shared` over a real socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use moorline_shared::id::{ClientId, SessionId};
use moorline_shared::link::{SavedInput, Status};
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

/// How much of the end of the output is kept to look at.
const RECENT_BYTES: usize = 64 * 1024;

/// Who follows what.
#[derive(Debug, Clone)]
pub struct Following {
    /// Where the relay, or a proxy before it, listens.
    pub address: SocketAddr,
    /// The session.
    pub session: SessionId,
    /// The name of this client over its connections.
    pub client_id: ClientId,
    /// How it presents itself.
    pub greeting: Greeting,
    /// What an earlier client of this name left.
    pub saved: SavedInput,
    /// Whether input waits for a host that is away, as the page's does.
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

/// What a follower has seen.
pub struct Seen {
    /// Of the output that came as entries.
    pub digest: Digest,
    /// The end of it.
    recent: VecDeque<u8>,
    /// What a terminal of the session's size shows.
    screen: Screen,
    /// Where the machine stands.
    pub status: Status,
    /// How often [`Follower::type_input`] was heeded.
    pub typed: usize,
    /// Pieces that were typed and not accepted.
    pub pending: usize,
    /// Dials so far.
    pub dials: u64,
    /// Pictures that were painted.
    pub pictures: u64,
    /// How often everything became void.
    pub clears: u64,
    /// Codes of the connections that ended.
    pub closes: Vec<u16>,
    /// Errors that the relay told, and input that the machine gave up.
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
    /// Starts to follow.
    #[must_use]
    pub fn start(following: Following) -> Self {
        let (commands, orders) = mpsc::unbounded_channel();
        let seen = Arc::new(Mutex::new(Seen::new()));
        let task = tokio::spawn(task::run(following, orders, Arc::clone(&seen)));
        Self { seen, commands, task }
    }

    /// Follows, and waits until everything that was there is applied.
    ///
    /// # Errors
    /// Where it does not come so far.
    pub async fn live(following: Following) -> Result<Self> {
        let follower = Self::start(following);
        follower.until("a live follower", |seen| seen.status == Status::Live).await?;
        Ok(follower)
    }

    /// What it has seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Waits for something that it sees.
    ///
    /// # Errors
    /// Tells what it saw instead.
    pub async fn until(&self, what: &str, predicate: impl Fn(&Seen) -> bool) -> Result<()> {
        let waited = wait_until(what, async || predicate(&self.seen())).await;
        waited.with_context(|| self.seen().describe())
    }

    /// Waits for all of a flood. Unlike [`Follower::until`] it waits while anything comes.
    ///
    /// # Errors
    /// Tells what it saw instead.
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

    /// Has a program of [`Flood::command_in_parts`] print one of its parts, from 1, and waits for all
    /// of it. `meanwhile` is called again and again.
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

    /// Types.
    pub fn type_input(&self, data: impl Into<Vec<u8>>) {
        self.order(Command::Type(data.into()));
    }

    /// Stops reading from the socket, or goes on.
    pub fn stall(&self, stalled: bool) {
        self.order(Command::Stall(stalled));
    }

    /// Dials without waiting, as by the user's "now".
    pub fn dial(&self) {
        self.order(Command::Dial);
    }

    /// Tells that the network may have changed.
    pub fn wake(&self) {
        self.order(Command::Wake);
    }

    /// Has another size.
    pub fn resize(&self, size: Size) {
        self.order(Command::Resize(size));
    }

    fn order(&self, command: Command) {
        // The task only ends with this handle.
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
            status: Status::Idle,
            typed: 0,
            pending: 0,
            dials: 0,
            pictures: 0,
            clears: 0,
            closes: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Whether the end of the output contains this. What came in a picture does not count: a client
    /// that may fall behind is asked what it shows.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.recent().contains(text)
    }

    /// Whether a line of the screen contains this.
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

    /// What a terminal shows.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.screen.shown()
    }

    /// Everything, for the message of a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let recent = self.recent();
        let end: String = recent.chars().rev().take(300).collect::<Vec<_>>().iter().rev().collect();
        format!(
            "{:?}, {} bytes applied, {} dials, {} pictures, {} clears, {} pending, closed by {:?}, \
             troubles {:?}, output ends with {end:?}",
            self.status,
            self.digest.bytes(),
            self.dials,
            self.pictures,
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

    fn paint(&mut self, picture: &[u8]) {
        self.pictures += 1;
        self.screen.apply(picture);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
