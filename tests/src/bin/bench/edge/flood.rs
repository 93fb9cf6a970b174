//! One publisher, and clients of its session: throughput and memory.

use std::net::SocketAddr;
use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::{Kind, Relay, Usage};

use super::forwarder::Forwarder;
use super::publisher::Publisher;
use crate::stage::{Stage, rate, settle};
use crate::table::{Table, Target, median};
use crate::viewers::Audience;

/// Interval between two readings of memory.
const LOOK: Duration = Duration::from_millis(20);

/// Numbers of clients, each with the divisor of the scale's flood that every client gets.
const AUDIENCES: [(usize, u64); 3] = [(1, 1), (20, 10), (100, 40)];

/// The relay or forwarder between the publisher and its clients.
enum Between {
    Forwarder(Forwarder),
    Relay(Box<Relay>),
}

/// Kinds of [`Between`], in the order in which they run.
#[derive(Debug, Clone, Copy)]
enum Which {
    Forwarder,
    Native,
    Edge,
}

const ALL: [(Which, &str); 3] = [
    (Which::Forwarder, "an object that only forwards"),
    (Which::Native, "the native relay"),
    (Which::Edge, "the edge"),
];

/// Figures of one run.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Rates in megabytes a second: all clients together, and the publisher.
    rate: f64,
    published: f64,
    /// Memory in megabytes: before the flood, and its peak during it.
    idle: f64,
    most: f64,
    complete: usize,
}

pub(crate) fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    for (clients, part) in AUDIENCES {
        let mut runs = ALL.map(|_| Vec::new());
        for _ in 0..stage.scale.runs.min(3) {
            for ((which, _), runs) in ALL.into_iter().zip(&mut runs) {
                runs.push(watch(stage, which, clients, stage.scale.flood_bytes / part)?);
            }
        }
        tell(table, clients, &runs);
    }
    Ok(())
}

fn tell(table: &mut Table, clients: usize, runs: &[Vec<Run>; 3]) {
    let middle = |runs: &[Run], part: fn(&Run) -> f64| median(runs.iter().map(part).collect());
    let who = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
    for ((_, name), runs) in ALL.iter().zip(runs) {
        let name = format!("{who} behind {name}");
        table.add(&name, middle(runs, |run| run.rate), "MB/s", Target::None);
    }
    let [forwarder, native, edge] = runs;
    // Higher than a client's rate if clients get a snapshot in place of what they missed.
    let published = middle(edge, |run| run.published);
    table.add("  the edge, from its publisher", published, "MB/s", Target::None);
    for (name, below) in [(ALL[0].1, forwarder), (ALL[1].1, native)] {
        // Pairs are of runs that followed each other, as everywhere.
        let pairs = edge.iter().zip(below).map(|(edge, below)| edge.rate / below.rate);
        table.add(&format!("  the edge, of {name}"), median(pairs.collect()), "×", Target::None);
    }
    for ((_, name), runs) in ALL.iter().zip(runs) {
        let (idle, most) = (middle(runs, |run| run.idle), middle(runs, |run| run.most));
        table.add(&format!("  memory of {name}, idle"), idle, "MB", Target::None);
        table.add("    the most while it floods", most, "MB", Target::None);
    }
    let worst = edge.iter().map(|run| run.complete as f64).fold(f64::INFINITY, f64::min);
    let all = Target::AtLeast(clients as f64);
    table.add("  clients of the edge that got to the end", worst, "", all);
}

fn watch(stage: &Stage, which: Which, clients: usize, bytes: u64) -> Result<Run> {
    let session: SessionId = "bench_flood".parse()?;
    let between = stage.block_on(Between::start(which))?;
    let mut publisher = stage.block_on(between.publisher(&session))?;
    let address = between.address();
    let audience = thread::scope(|scope| {
        let seating = scope.spawn(|| Audience::seat(address, &session, clients));
        stage.block_on(publisher.seat(clients))?;
        seating.join().ok().context("the audience panicked")?
    })?;
    let idle = settle(|| between.usage())?.rss_bytes;
    let (mut most, started) = (idle, Instant::now());
    let (complete, received) = stage.block_on(async {
        let mut look = tokio::time::interval(LOOK);
        let mut applause = pin!(tokio::task::spawn_blocking(|| {
            let mut audience = audience;
            let seen = audience.applause();
            (audience, seen)
        }));
        let mut publishing = pin!(publisher.flood(bytes));
        let mut publishes = true;
        loop {
            tokio::select! {
                done = &mut applause => {
                    let (_audience, seen) = done?;
                    break seen;
                }
                ended = &mut publishing, if publishes => {
                    ended?;
                    publishes = false;
                }
                _ = look.tick() => most = most.max(between.usage()?.rss_bytes),
            }
        }
    })?;
    let time = started.elapsed();

    ensure!(received > 0, "nobody got anything");
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let (idle, most) = (megabytes(idle), megabytes(most));
    let (rate, published) = (rate(received, time), rate(bytes, time));
    Ok(Run { rate, published, idle, most, complete })
}

impl Between {
    async fn start(which: Which) -> Result<Self> {
        let relay = async |kind| {
            Relay::start_as(kind, crate::stage::quiet()).await.map(Box::new).map(Self::Relay)
        };
        match which {
            Which::Forwarder => Forwarder::start().map(Self::Forwarder),
            Which::Native => relay(Kind::Native).await,
            Which::Edge => relay(Kind::Edge).await,
        }
    }

    async fn publisher(&self, session: &SessionId) -> Result<Publisher> {
        match self {
            Self::Forwarder(forwarder) => Publisher::to_forwarder(forwarder).await,
            Self::Relay(relay) => Publisher::to_relay(relay, session).await,
        }
    }

    const fn address(&self) -> SocketAddr {
        match self {
            Self::Forwarder(forwarder) => forwarder.address(),
            Self::Relay(relay) => relay.address(),
        }
    }

    fn usage(&self) -> Result<Usage> {
        match self {
            Self::Forwarder(forwarder) => forwarder.usage(),
            Self::Relay(relay) => relay.usage(),
        }
    }
}
