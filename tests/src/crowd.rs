//! Many readers of many sessions' events.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::id::SessionId;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::relay::Relay;
use crate::sse::Sse;

/// How many of what.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Sessions.
    pub sessions: usize,
    /// Readers, spread evenly over the sessions.
    pub clients: usize,
    /// How many lines each session puts out.
    pub rounds: u64,
    /// How long it waits after each.
    pub pause_ms: u64,
}

impl Shape {
    /// A session's program, for a shell: it knows no time, so latencies cannot be had of it.
    #[must_use]
    pub fn command(self) -> Vec<String> {
        let Self { rounds, pause_ms, .. } = self;
        let pause = Duration::from_millis(pause_ms).as_secs_f64();
        let script = format!(
            "stty -echo; printf ready; read go; i=0; while [ $i -lt {rounds} ]; do \
             i=$((i+1)); echo \"tick $i 0\"; sleep {pause}; done; read end"
        );
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }
}

/// Readers that are connected, before anything happens.
#[derive(Debug)]
pub struct Crowd {
    api: Api,
    shape: Shape,
    sessions: Vec<SessionId>,
    readers: Vec<Sse>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Lines that all readers together should get.
    pub expected: u64,
    /// Lines that they got.
    pub delivered: u64,
    /// Readers that were cut off, or missed or repeated something.
    pub errors: u64,
    /// What the first of these saw.
    pub first_error: Option<String>,
    /// From a line's own time to its reader, where the program tells the time.
    pub latencies_ms: Vec<f64>,
}

impl Crowd {
    /// Starts the sessions and connects the readers.
    ///
    /// # Errors
    /// Where one of them cannot be.
    pub async fn gather(relay: &Relay, shape: Shape) -> Result<Self> {
        Self::gather_for(relay, shape, &shape.command()).await
    }

    /// The same with another program, that prints `ready`, waits for a line, and puts out
    /// `tick <number> <nanoseconds since 1970>` as often as the shape says.
    ///
    /// # Errors
    /// As [`Crowd::gather`].
    pub async fn gather_for(relay: &Relay, shape: Shape, command: &[String]) -> Result<Self> {
        let api = relay.api();
        let mut sessions = Vec::new();
        for _ in 0..shape.sessions {
            sessions.push(api.run_ready(command.to_vec()).await?);
        }
        let mut readers = Vec::new();
        for number in 0..shape.clients {
            let mut reader = Sse::live(&api, &sessions[number % sessions.len()]).await?;
            reader.skip_to("session-status").await?;
            readers.push(reader);
        }
        Ok(Self { api, shape, sessions, readers })
    }

    /// Tells all sessions to go, and reads to the last line of each.
    ///
    /// # Errors
    /// Where a session cannot be told to go.
    pub async fn watch(self) -> Result<Report> {
        let rounds = self.shape.rounds;
        let expected = rounds * self.readers.len() as u64;
        let mut report = Report { expected, ..Report::default() };
        let mut watching = JoinSet::new();
        for reader in self.readers {
            watching.spawn(read(reader, rounds));
        }
        for session in &self.sessions {
            self.api.prompt(session, "go").await?;
        }
        while let Some(seen) = watching.join_next().await {
            let (latencies, outcome) = seen?;
            report.delivered += latencies.len() as u64;
            report.latencies_ms.extend(latencies);
            if let Err(error) = outcome {
                report.errors += 1;
                report.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
        Ok(report)
    }
}

/// Reads so many lines: how late each was, and whether all is well.
async fn read(mut reader: Sse, rounds: u64) -> (Vec<f64>, Result<()>) {
    let mut latencies = Vec::new();
    let outcome = read_lines(&mut reader, rounds, &mut latencies).await;
    (latencies, outcome)
}

async fn read_lines(reader: &mut Sse, rounds: u64, latencies: &mut Vec<f64>) -> Result<()> {
    let mut text = String::new();
    let mut last = None;
    while (latencies.len() as u64) < rounds {
        let Some(told) = reader.event().await? else {
            bail!("the stream ended after {} lines", latencies.len())
        };
        ensure!(told.kind != "gap", "{told:?}");
        let id = told.id.context("an event without an id")?;
        ensure!(last < Some(id.seq), "{id} came after {last:?}");
        last = Some(id.seq);
        if told.kind != "session-output" {
            continue;
        }
        text.push_str(told.data["content"].as_str().context("output without content")?);
        while let Some((line, rest)) = text.split_once('\n') {
            let mut words = line.trim_end().split(' ').skip(1);
            let number: u64 = words.next().context("no number")?.parse()?;
            let nanos: u64 = words.next().context("no time")?.parse()?;
            ensure!(number == latencies.len() as u64 + 1, "{line:?} after {}", latencies.len());
            latencies.push(late_ms(nanos));
            text = rest.to_owned();
        }
    }
    Ok(())
}

fn late_ms(nanos: u64) -> f64 {
    let since = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
    // A clock that was set back meanwhile is no reason to fail.
    SystemTime::now().duration_since(since).unwrap_or_default().as_secs_f64() * 1e3
}
