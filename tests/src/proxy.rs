//! A network that can be cut: a TCP proxy in front of a relay.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Maximum bytes passed on at once: few enough that the relay notices a reader that stalls.
const PIECE_BYTES: usize = 16 * 1024;

/// Direction of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the relay to the client.
    Down,
    /// From the client to the relay.
    Up,
}

/// Current state of the network.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// True if new connections are closed at once.
    refusing: bool,
    /// True if nothing goes through, though connections stay open.
    silent: bool,
    /// Delay of each piece.
    delay: Duration,
    /// Number of cuts so far: connections from before the last one are closed.
    cuts: u64,
}

/// Bytes that still go through before each of the next cuts.
#[derive(Debug, Default)]
struct Budget {
    down: VecDeque<u64>,
    up: VecDeque<u64>,
}

#[derive(Debug)]
struct Shared {
    weather: watch::Sender<Weather>,
    budget: Mutex<Budget>,
}

/// A running proxy. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy for `target` on a port of its own.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::default());
        let shared = Arc::new(Shared { weather, budget: Mutex::default() });
        let listener = tokio::spawn(accept(listener, target, Arc::clone(&shared)));
        Ok(Self { address, shared, listener })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection now. New ones go through.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Cuts every connection after exactly this many more bytes, which may be within a frame.
    pub fn cut_after(&self, way: Way, bytes: u64) {
        self.cut_after_each(way, [bytes]);
    }

    /// The same repeatedly, for connections that come back by themselves.
    pub fn cut_after_each(&self, way: Way, bytes: impl IntoIterator<Item = u64>) {
        *self.shared.budget().of(way) = bytes.into_iter().collect();
    }

    /// Returns true if the bytes of [`Proxy::cut_after`] have gone through and everything was cut.
    #[must_use]
    pub fn was_cut(&self, way: Way) -> bool {
        self.shared.budget().of(way).is_empty()
    }

    /// Refuses new connections and cuts the open ones, or accepts new ones again.
    pub fn refuse(&self, refusing: bool) {
        self.shared.weather.send_modify(|weather| weather.refusing = refusing);
        if refusing {
            self.cut();
        }
    }

    /// Holds every byte back without closing anything: a network that vanishes silently. Once it is
    /// back, the held bytes go on.
    pub fn silence(&self, silent: bool) {
        self.shared.weather.send_modify(|weather| weather.silent = silent);
    }

    /// Delays each piece by this much.
    pub fn delay(&self, delay: Duration) {
        self.shared.weather.send_modify(|weather| weather.delay = delay);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

impl Shared {
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Takes up to `bytes` from the budget. Returns how many may go, and true if everything is cut
    /// after them.
    fn spend(&self, way: Way, bytes: usize) -> (usize, bool) {
        let mut budget = self.budget();
        let Some(left) = budget.of(way).front_mut() else { return (bytes, false) };
        let allowed = bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= allowed as u64;
        let spent = *left == 0;
        if spent {
            budget.of(way).pop_front();
        }
        (allowed, spent)
    }
}

impl Budget {
    const fn of(&mut self, way: Way) -> &mut VecDeque<u64> {
        match way {
            Way::Down => &mut self.down,
            Way::Up => &mut self.up,
        }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if !shared.weather.borrow().refusing {
            tokio::spawn(connect(client, target, Arc::clone(&shared)));
        }
    }
}

async fn connect(client: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    let mut weather = shared.weather.subscribe();
    let cuts = weather.borrow_and_update().cuts;
    let Ok(server) = TcpStream::connect(target).await else { return };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        () = pump(client_read, server_write, Way::Up, &shared) => {}
        () = pump(server_read, client_write, Way::Down, &shared) => {}
        // Dropping the halves closes both sides, whatever they wait for.
        _ = weather.wait_for(|weather| weather.cuts != cuts) => {}
    }
}

/// Copies bytes one way, and returns once either side has ended: half a connection is useless to a
/// WebSocket.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, shared: &Shared) {
    let mut weather = shared.weather.subscribe();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        let Ok(now) = weather.wait_for(|weather| !weather.silent).await.map(|now| *now) else {
            return;
        };
        if !now.delay.is_zero() {
            tokio::time::sleep(now.delay).await;
        }
        let (allowed, cut) = shared.spend(way, read);
        let written = to.write_all(&buffer[..allowed]).await;
        if cut {
            shared.cut();
        }
        if read == 0 || written.is_err() || cut {
            return;
        }
    }
}
