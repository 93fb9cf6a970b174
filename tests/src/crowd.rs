//! A crowd that reads the events of many sessions.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::id::SessionId;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::relay::Relay;
use crate::sse::Sse;

/// Size and pace of a crowd.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Number of sessions that put out lines.
    pub sessions: usize,
    /// Number of readers, spread evenly over the sessions.
    pub clients: usize,
    /// Number of lines that each session puts out.
    pub rounds: u64,
    /// Pause after each line, in milliseconds.
    pub pause_ms: u64,
}

impl Shape {
    /// A session's command that needs only a shell. It prints no times, so it gives no latencies.
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

/// Result of a crowd's reading.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Number of lines that all readers together should get.
    pub expected: u64,
    /// Number of lines that they got.
    pub delivered: u64,
    /// Number of readers that were disconnected, or missed or repeated an event.
    pub errors: u64,
    /// Error of the first of these readers.
    pub first_error: Option<String>,
    /// Time from each line to its reader, in milliseconds, if the program prints times.
    pub latencies_ms: Vec<f64>,
}

impl Crowd {
    /// Starts the sessions and connects the readers.
    ///
    /// # Errors
    /// If a session cannot be started or a reader cannot connect.
    pub async fn gather(relay: &Relay, shape: Shape) -> Result<Self> {
        Self::gather_for(relay, shape, &shape.command()).await
    }

    /// The same with another program, which prints `ready`, waits for a line, and puts out `tick
    /// <number> <nanoseconds since 1970>` as often as the shape says.
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

    /// Starts all sessions' output, and reads up to the last line of each.
    ///
    /// # Errors
    /// If a session cannot be prompted, or a reader panics.
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

/// Reads this many lines. Returns the latency of each, in milliseconds, and the error if one
/// occurred.
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
    // A clock that was set back in the meantime does not fail the test.
    SystemTime::now().duration_since(since).unwrap_or_default().as_secs_f64() * 1e3
}
