//! A stand-in for the models of all makers: a server on loopback that speaks their APIs, and does
//! what prompts ask it to.
//!
//! A prompt contains a [`Task`]: write one file. The stand-in answers with a call of the agent's own
//! tool for that, and, once the conversation has a result of it, with a closing sentence. It
//! decides by the conversation alone, so that retries and restarts change nothing.

mod anthropic;
mod completions;
mod gemini;
mod responses;
mod task;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(crate) use task::Task;
use task::{ModelAnswer, ModelQuestion};

/// The name of the model, for the agents that let their users choose it.
pub(crate) const MODEL: &str = "stand-in";

/// A running stand-in. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct ModelStub {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    calls: AtomicU64,
    state: Mutex<StubState>,
    released: Notify,
}

#[derive(Debug)]
struct StubState {
    /// Every request, one a line, for whoever looks into a failure.
    log: std::fs::File,
    /// The tasks of each request that had any.
    asked: Vec<BTreeSet<String>>,
    /// The task that is not answered for now.
    held: Option<String>,
}

/// A maker's API.
struct Dialect {
    read: fn(&Value) -> ModelQuestion,
    /// Returns the body of a streamed answer, or of a whole one.
    write: fn(&ModelAnswer, u64, bool) -> String,
}

const ANTHROPIC: Dialect = Dialect { read: anthropic::read, write: anthropic::write };
const COMPLETIONS: Dialect = Dialect { read: completions::read, write: completions::write };
const GEMINI: Dialect = Dialect { read: gemini::read, write: gemini::write };
const RESPONSES: Dialect = Dialect { read: responses::read, write: responses::write };

impl ModelStub {
    /// Starts it. It logs all requests to the file `log`.
    ///
    /// # Errors
    /// If it cannot listen, or the file cannot be created.
    pub(crate) async fn start(log: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let log = std::fs::File::create(log).context("the log of the model's requests")?;
        let state = StubState { log, asked: Vec::new(), held: None };
        let (calls, released) = (AtomicU64::new(0), Notify::new());
        let shared = Arc::new(Shared { calls, state: Mutex::new(state), released });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // It listens until it is dropped.
            _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, shared, server })
    }

    /// Its address, as a base for the paths of each API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does not answer requests about this task until [`ModelStub::release`].
    pub(crate) fn hold(&self, task: &Task) {
        self.shared.state().held = Some(task.name().to_owned());
    }

    /// Answers all requests again.
    pub(crate) fn release(&self) {
        self.shared.state().held = None;
        self.shared.released.notify_waiters();
    }

    /// Returns true if it was asked about this task.
    pub(crate) fn was_asked(&self, task: &Task) -> bool {
        self.shared.state().asked.iter().any(|tasks| tasks.contains(task.name()))
    }

    /// Returns true if a request about the later task contained the earlier one.
    pub(crate) fn was_told_of(&self, earlier: &Task, later: &Task) -> bool {
        let has = |tasks: &BTreeSet<String>, task: &Task| tasks.contains(task.name());
        let state = self.shared.state();
        state.asked.iter().any(|tasks| has(tasks, earlier) && has(tasks, later))
    }
}

impl Drop for ModelStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, StubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request, and waits while its task is held.
    async fn admit(&self, path: &str, body: &Value, question: &ModelQuestion) {
        let tasks: BTreeSet<_> = question.tasks().map(|task| task.name().to_owned()).collect();
        let current = question.task().map(|task| task.name().to_owned());
        {
            let mut state = self.state();
            let line = json!({ "path": path, "body": body });
            // A log that cannot be written is only missed by whoever reads it.
            _ = writeln!(state.log, "{line}");
            if !tasks.is_empty() && question.has_tools() {
                state.asked.push(tasks);
            }
        }
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if current.is_none() || self.state().held != current {
                return;
            }
            released.await;
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let dialect = match &*path {
        path if path.ends_with("/count_tokens") => return whole(&json!({ "input_tokens": 10 })),
        path if path.ends_with(":countTokens") => return whole(&json!({ "totalTokens": 10 })),
        path if path.ends_with("/messages") => ANTHROPIC,
        path if path.ends_with("/responses") => RESPONSES,
        path if path.ends_with("/completions") => COMPLETIONS,
        path if path.contains("enerateContent") => GEMINI,
        path if path.ends_with("/models") => {
            let model = json!({ "id": MODEL, "object": "model", "slug": MODEL });
            return whole(&json!({ "object": "list", "data": [model], "models": [] }));
        }
        _ => {
            shared.admit(&path, &body, &ModelQuestion::default()).await;
            return (StatusCode::NOT_FOUND, "the stand-in does not have this").into_response();
        }
    };
    let question = (dialect.read)(&body);
    shared.admit(&path, &body, &question).await;
    let streams = body["stream"] == true || path.contains(":streamGenerateContent");
    let call = shared.calls.fetch_add(1, Ordering::Relaxed);
    let text = (dialect.write)(&question.answer(), call, streams);
    let kind = if streams { "text/event-stream" } else { "application/json" };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn whole(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Returns an event of a stream with a name.
fn named_event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// Returns an event of a stream.
fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}
