//! Standard output, and the requests to the client that it has not answered yet.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, Stdout};
use tokio::sync::oneshot;

use crate::log::{self, TrafficLog};
use crate::rpc::{self, Answered, RpcFailure};

/// Requests to the client that may be open at the same time. More are refused.
const OPEN_REQUESTS: usize = 1024;

/// The way to the client.
pub(crate) struct PeerWire {
    /// Locked while a line is written, so that lines are never mixed.
    output: tokio::sync::Mutex<Stdout>,
    log: Option<TrafficLog>,
    open: Mutex<OpenRequests>,
}

/// Requests without an answer.
#[derive(Default)]
struct OpenRequests {
    /// The id of the last request.
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Answered>>,
}

impl PeerWire {
    pub(crate) fn new(log: Option<TrafficLog>) -> Self {
        let output = tokio::sync::Mutex::new(tokio::io::stdout());
        Self { output, log, open: Mutex::default() }
    }

    /// Notes a line that was received.
    pub(crate) fn received(&self, line: &str) {
        if let Some(log) = &self.log {
            log.write(log::RECEIVED, line);
        }
    }

    /// Writes bytes as they are, without a line end. It waits while the client does not read.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn part(&self, text: &str) -> Result<()> {
        let mut output = self.output.lock().await;
        if let Some(log) = &self.log {
            log.write(log::SENT, text.trim_end_matches('\n'));
        }
        output.write_all(text.as_bytes()).await?;
        Ok(output.flush().await?)
    }

    /// Writes a line as it is.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn line(&self, text: &str) -> Result<()> {
        self.part(&format!("{text}\n")).await
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn notify(&self, method: &str, params: Value) -> Result<()> {
        self.line(&rpc::notification(method, params).to_string()).await
    }

    /// Answers a request of the client.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn answer(&self, id: &Value, answer: &Answered) -> Result<()> {
        self.line(&rpc::response(id, answer).to_string()).await
    }

    /// Sends a request. The receiver gets the client's answer; dropping it ignores the answer.
    ///
    /// # Errors
    /// If the client has closed the pipe, or too many requests are open.
    pub(crate) async fn request(
        &self,
        method: &str,
        params: Value,
    ) -> Result<oneshot::Receiver<Answered>> {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(open.waiting.len() < OPEN_REQUESTS, "{OPEN_REQUESTS} requests are open");
            open.last_id += 1;
            let id = open.last_id;
            open.waiting.insert(id, sender);
            id
        };
        self.line(&rpc::request(id, method, params).to_string()).await?;
        Ok(receiver)
    }

    /// Hands a response of the client to who asked. A response to nothing is only reported on
    /// standard error: the log has it.
    pub(crate) fn settle(&self, message: &Value) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = message["id"].as_u64().and_then(|id| open.waiting.remove(&id));
        let Some(sender) = sender else {
            eprintln!("moorline-acp-peer: an answer to no open request: {message}");
            return;
        };
        let answer = match message.get("error") {
            Some(error) => Err(RpcFailure::read(error)),
            None => Ok(message["result"].clone()),
        };
        // Who asked may no longer wait, after a cancel.
        let _ = sender.send(answer);
    }
}
