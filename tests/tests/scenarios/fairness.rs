//! A flood that one reads as fast as it can, and everybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use moorline_tests::wait::{wait_until, within};
use moorline_tests::wire::{Greeting, Received, Wire};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long the flood is followed.
const FLOOD: Duration = Duration::from_secs(6);
/// Nobody waits longer than this for an answer of the relay, whatever others read. A build for tests
/// on a busy machine needs some of it.
const ANSWER: Duration = Duration::from_secs(3);

/// A task that counts the bytes it reads, until it is dropped.
struct Counting {
    bytes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Counting {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads what a GET answers, as fast as it comes.
async fn reading(relay: &Relay, path: String) -> Result<Counting> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut answer = relay.api().request(Method::GET, &path).send().await?.error_for_status()?;
    let counted = Arc::clone(&bytes);
    let task = tokio::spawn(async move {
        while let Ok(Some(chunk)) = answer.chunk().await {
            counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
    });
    Ok(Counting { bytes, task })
}

/// A terminal that acknowledges what it gets.
async fn showing(relay: &Relay, session: &SessionId) -> Result<Counting> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut client = Wire::connect(relay, session, &Greeting::extended()).await?;
    client.resume(Some("a-terminal")).await?;
    let counted = Arc::clone(&bytes);
    let task = tokio::spawn(async move {
        while let Ok(received) = client.next().await {
            let (seq, data) = match received {
                Received::Frame(seq, data) => (seq, data),
                Received::Json(_) => continue,
                Received::Closed(_) => break,
            };
            counted.fetch_add(data.len() as u64, Ordering::Relaxed);
            if client.send(json!({"type": "ack", "seq": seq})).await.is_err() {
                break;
            }
        }
    });
    Ok(Counting { bytes, task })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_floods_events_keeps_nobody_waiting() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let script = "printf ready; read go; while :; do seq 1000; done";
    let session = api.run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    let terminal = showing(&relay, &session).await?;
    let events = reading(&relay, format!("/api/session/{session}/events")).await?;
    let list = reading(&relay, "/api/events".to_owned()).await?;
    let typed = json!({"data": "go\r"});
    let input = format!("/api/terminal/{session}/input");
    api.expect(200, Method::POST, &input, typed).await?;
    wait_until("the flood", async || terminal.bytes() > 0 && events.bytes() > 0).await?;

    let (begin, mut longest) = (Instant::now(), Duration::ZERO);
    while begin.elapsed() < FLOOD {
        for path in ["/healthz", "/api/sessions"] {
            let asked = Instant::now();
            within(path, api.expect(200, Method::GET, path, Value::Null)).await??;
            longest = longest.max(asked.elapsed());
        }
    }
    let (shown, told) = (terminal.bytes(), events.bytes());
    ensure!(longest < ANSWER, "an answer took {longest:?}; {shown} shown, {told} bytes of events");
    ensure!(list.bytes() > 0, "nothing was told of the list");
    // Events are text in JSON: as many bytes, and some.
    ensure!(shown * 8 > told, "the terminal got {shown} bytes where events came to {told}");

    let asked = Instant::now();
    let path = format!("/api/session/{session}");
    within("the answer to a DELETE", api.expect(200, Method::DELETE, &path, Value::Null)).await??;
    ensure!(asked.elapsed() < ANSWER, "a DELETE took {:?}", asked.elapsed());
    wait_until("the stream's end", async || events.task.is_finished()).await
}
