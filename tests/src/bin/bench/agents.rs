//! Agent sessions: events to many readers, a long conversation for a newcomer, the time from a
//! decision to the agent, and memory. Beside the same agent on its bare pipes. All but the memory is
//! measured with both relays.

mod peer;
mod readers;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use moorline_shared::id::SessionId;
use moorline_tests::api::Api;
use moorline_tests::relay::{Kind, Relay};
use moorline_tests::sse::Sse;
use reqwest::Method;
use serde_json::{Value, json};

use super::stage::{Stage, quiet, settle};
use super::table::{Table, Target, median, percentile};
use peer::BareAgent;
use readers::{AgentReaders, catch_up};

pub(crate) use peer::serve;
pub(crate) use readers::hear;

/// Readers of one session.
const READERS: usize = 10;
/// Events of a long conversation.
const LONG: u64 = 10_000;
/// Sessions started before the measured ones, to pay one-time costs.
const WARM_SESSIONS: usize = 10;
/// Budget of an idle agent session at the host, without its agent and its keeper.
const HOST_KB: f64 = 1024.0;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    stage.renew()?;
    measure_memory(stage, table)?;
    stage.renew()?;
    let relays =
        [("", None), ("edge: ", Some(stage.block_on(Relay::start_as(Kind::Edge, quiet()))?))];
    for (name, edge) in &relays {
        let measured = Measured { stage, relay: edge.as_ref().unwrap_or(&stage.relay), name };
        measured.events(table)?;
        measured.newcomers(table)?;
        measured.decisions(table)?;
    }
    Ok(())
}

/// One of the two relays.
struct Measured<'a> {
    stage: &'a Stage,
    relay: &'a Relay,
    /// The beginning of its figures' names.
    name: &'a str,
}

impl Measured<'_> {
    fn add(&self, table: &mut Table, what: &str, value: f64, unit: &str) {
        table.add(&format!("{}{what}", self.name), value, unit, Target::None);
    }

    fn events(&self, table: &mut Table) -> Result<()> {
        let Self { stage, relay, .. } = self;
        let count = stage.scale.agent_events;
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..stage.scale.runs.min(3) {
            bare.push(per_second(count, BareAgent::start()?.tools(count)?));
            let session = start(stage, relay)?;
            let mut readers = AgentReaders::seat(relay.address(), &session, READERS, count)?;
            let started = Instant::now();
            stage.block_on(prompt(relay, &session, &format!("tools {count}")))?;
            readers.done()?;
            ours.push(per_second(count, started.elapsed()));
            stage.remove_from(relay, &session)?;
        }
        let (bare, ours) = (median(bare), median(ours));
        self.add(table, "agent's bare pipe, lines", bare, "/s");
        self.add(table, &format!("agent events to {READERS} readers, each"), ours, "/s");
        self.add(table, "  of the bare pipe", ours / bare * 100.0, "%");
        Ok(())
    }

    fn newcomers(&self, table: &mut Table) -> Result<()> {
        let Self { stage, relay, .. } = self;
        let session = start(stage, relay)?;
        let address = relay.address();
        let mut readers = AgentReaders::seat(address, &session, 1, LONG)?;
        stage.block_on(prompt(relay, &session, &format!("tools {LONG}")))?;
        readers.done()?;
        drop(readers);
        settle(|| relay.usage())?;
        for (way, name) in [("snapshot", "with a snapshot"), ("replay", "without a snapshot")] {
            let (mut sizes, mut times) = (Vec::new(), Vec::new());
            for _ in 0..stage.scale.runs {
                let (bytes, time) = catch_up(address, &session, way)?;
                sizes.push(bytes as f64 / 1e3);
                times.push(time.as_secs_f64() * 1e3);
            }
            let name = format!("newcomer to {LONG} events {name}");
            self.add(table, &format!("{name}, bytes"), median(sizes), "KB");
            self.add(table, &format!("{name}, time"), median(times), "ms");
        }
        stage.remove_from(relay, &session)
    }

    fn decisions(&self, table: &mut Table) -> Result<()> {
        let Self { stage, relay, .. } = self;
        let count = stage.scale.decisions;
        let bare = BareAgent::start()?.asks(count)?;
        let session = start(stage, relay)?;
        let (round_trips, ours) = stage.block_on(decide(&relay.api(), &session, count))?;
        for (name, mut times) in [
            ("answer on the agent's bare pipe", bare),
            ("HTTP round trip to the relay", round_trips),
            ("decision to the agent's reading it", ours),
        ] {
            self.add(table, &format!("{name}, p50"), median(times.clone()), "µs");
            self.add(table, &format!("{name}, p99"), percentile(&mut times, 0.99), "µs");
        }
        stage.remove_from(relay, &session)
    }
}

/// Decides about so many questions. Returns the times of plain requests in between, and from each
/// decision to when the agent has read it, in microseconds.
async fn decide(api: &Api, session: &SessionId, count: u64) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut events = Sse::replay(api, session, "").await?;
    let body = json!({ "command": format!("asks {count}") });
    let path = |rest: &str| format!("/api/session/{session}/{rest}");
    api.expect(200, Method::POST, &path("prompt"), body).await?;
    let (mut round_trips, mut times) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let asked = events.skip_to("approval-request").await?.data;
        let started = Instant::now();
        api.get_text("/healthz").await?;
        round_trips.push(started.elapsed().as_secs_f64() * 1e6);
        let id = asked["approvalId"].as_str().context("no approval")?;
        let decision = json!({ "approved": true, "digest": asked["digest"] });
        let sent = peer::micros()?;
        api.expect(200, Method::POST, &path(&format!("approvals/{id}")), decision).await?;
        let said = loop {
            let data = events.skip_to("agent-message").await?.data;
            if data["role"] == "agent" && data["delta"].is_string() {
                break data;
            }
        };
        let read = peer::read_at(said["delta"].as_str().unwrap_or_default())?;
        times.push(read.saturating_sub(sent) as f64);
    }
    Ok((round_trips, times))
}

fn measure_memory(stage: &Stage, table: &mut Table) -> Result<()> {
    let count = stage.scale.agent_sessions;
    start_many(stage, WARM_SESSIONS)?;
    let (relay, host) = (stage.settle()?.rss_bytes, stage.settle_host()?.rss_bytes);
    start_many(stage, count)?;
    let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e3 / count as f64;
    let at_relay = each(relay, stage.settle()?.rss_bytes);
    let at_host = each(host, stage.settle_host()?.rss_bytes);
    let (keepers, kept) = keepers(&stage.relay.data_dir())?;
    table.add("memory of an idle agent session at the relay", at_relay, "KB", Target::None);
    table.add("memory of an idle agent session at the host", at_host, "KB", Target::Bound(HOST_KB));
    let keeper = kept as f64 / 1e3 / keepers.max(1) as f64;
    table.add("memory of its keeper, a process of its own", keeper, "KB", Target::None);
    Ok(())
}

/// Returns the number of the keepers whose sockets are in a folder, and their memory in bytes, of
/// which each has its share of what they have in common.
fn keepers(folder: &Path) -> Result<(usize, u64)> {
    let folder = folder.to_string_lossy().into_owned();
    let (mut count, mut bytes) = (0, 0);
    for process in std::fs::read_dir("/proc")?.flatten() {
        let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if !(words.contains(&folder) && words.contains("--socket")) {
            continue;
        }
        let rollup = std::fs::read_to_string(process.path().join("smaps_rollup"))?;
        let share = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kibibytes = share.and_then(|share| share.split_whitespace().next());
        let kibibytes: u64 = kibibytes.context("no share of memory")?.parse()?;
        count += 1;
        bytes += kibibytes * 1024;
    }
    Ok((count, bytes))
}

/// Starts this many sessions, whose agents are ready.
fn start_many(stage: &Stage, count: usize) -> Result<()> {
    let sessions = (0..count).map(|_| start(stage, &stage.relay)).collect::<Result<Vec<_>>>()?;
    for session in sessions {
        stage.block_on(async {
            let mut events = Sse::replay(&stage.relay.api(), &session, "").await?;
            while events.skip_to("agent-info").await?.data["phase"] != "ready" {}
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

/// Starts a session with the bench's agent.
pub(crate) fn start(stage: &Stage, relay: &Relay) -> Result<SessionId> {
    let wish = json!({ "driver": "agent", "command": peer::command()?, "name": "bench" });
    let created = stage
        .block_on(async { relay.api().expect(201, Method::POST, "/api/sessions", wish).await })?;
    created["sessionId"].as_str().context("no id")?.parse().context("no id")
}

/// Sends a prompt to it.
pub(crate) async fn prompt(relay: &Relay, session: &SessionId, text: &str) -> Result<Value> {
    relay.api().prompt(session, text).await
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
