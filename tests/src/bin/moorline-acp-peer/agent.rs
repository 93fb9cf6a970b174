//! The agent: what it does with each message.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::context::PeerContext;
use crate::dialect::{AUTH_METHOD, PeerDialect, PeerFeature};
use crate::lifecycle::PeerSessions;
use crate::play::{PlayedRequest, ScriptPlayer};
use crate::rpc::{
    Answered, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, RpcFailure,
};
use crate::script::{ScriptFile, ScriptMoment};
use crate::turn::PeerTurn;

/// The agent at its end of the connection.
pub(crate) struct PeerAgent {
    context: Arc<PeerContext>,
    script: Arc<ScriptFile>,
    sessions: PeerSessions,
    /// The protocol version that is offered.
    highest_version: u64,
    without: Vec<PeerFeature>,
}

impl PeerAgent {
    pub(crate) fn new(
        context: Arc<PeerContext>,
        script: ScriptFile,
        highest_version: u64,
        without: Vec<PeerFeature>,
    ) -> Self {
        let script = Arc::new(script);
        let sessions = PeerSessions::new(context.clone(), script.clone());
        Self { context, script, sessions, highest_version, without }
    }

    /// Handles a line of the client.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn handle(&self, line: &str) -> Result<()> {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            let error = RpcFailure::new(PARSE_ERROR, "Parse error");
            return self.context.wire.answer(&Value::Null, &Err(error)).await;
        };
        let id = message.get("id");
        match (message["method"].as_str(), id) {
            _ if message["jsonrpc"] != "2.0" => {
                let error = RpcFailure::new(INVALID_REQUEST, "Invalid request: jsonrpc is not 2.0");
                self.context.wire.answer(id.unwrap_or(&Value::Null), &Err(error)).await
            }
            (Some(method), Some(id)) => self.request(method, id, &message["params"]).await,
            (Some(method), None) => {
                self.notification(method, &message["params"]);
                Ok(())
            }
            (None, _) => {
                self.context.wire.settle(&message);
                Ok(())
            }
        }
    }

    /// Runs the steps of the moment at which standard input was closed.
    ///
    /// # Errors
    /// If the client has closed the other pipe too.
    pub(crate) async fn end(&self) -> Result<()> {
        let dialect = self.context.dialect().cloned();
        let Some(dialect) = dialect.or_else(|| self.choose(&json!({"protocolVersion": 1}))) else {
            return Ok(());
        };
        let player = self.player(&Value::Null, dialect, PlayedRequest::None);
        player.play(self.script.at(ScriptMoment::Exit)).await
    }

    fn notification(&self, method: &str, params: &Value) {
        match method {
            "session/cancel" => {
                self.sessions.cancel(params["sessionId"].as_str().unwrap_or_default())
            }
            // Cancelling single requests is optional.
            "$/cancel_request" => {}
            _ => eprintln!("moorline-acp-peer: the notification {method} is unknown"),
        }
    }

    async fn request(&self, method: &str, id: &Value, params: &Value) -> Result<()> {
        if method == "initialize" {
            return self.initialize(id, params).await;
        }
        let Some(dialect) = self.context.dialect() else {
            let error = RpcFailure::new(INVALID_REQUEST, "Invalid request: initialize comes first");
            return self.context.wire.answer(id, &Err(error)).await;
        };
        let answer = match (method, dialect.version) {
            ("authenticate", 1) | ("auth/login", 2) => self.authenticate(dialect, params),
            ("logout", 1) | ("auth/logout", 2) => self.log_out(dialect),
            _ => return self.sessions.request(dialect, method, id, params).await,
        };
        self.context.wire.answer(id, &answer).await
    }

    fn choose(&self, params: &Value) -> Option<PeerDialect> {
        PeerDialect::choose(params, self.highest_version, &self.without)
    }

    async fn initialize(&self, id: &Value, params: &Value) -> Result<()> {
        let Some(dialect) = self.choose(params) else {
            let what = "Invalid params: protocolVersion is not a number";
            let error = RpcFailure::new(INVALID_PARAMS, what);
            return self.context.wire.answer(id, &Err(error)).await;
        };
        if !self.context.agree(dialect.clone()) {
            let what = "Invalid request: initialize came before";
            let error = RpcFailure::new(INVALID_REQUEST, what);
            return self.context.wire.answer(id, &Err(error)).await;
        }
        let result = PlayedRequest::Other(dialect.describe());
        let player = self.player(id, dialect, result);
        player.start(self.script.at(ScriptMoment::Initialize)).await
    }

    /// A player of steps without a session.
    fn player(&self, id: &Value, dialect: PeerDialect, request: PlayedRequest) -> ScriptPlayer {
        let (_, cancelled) = watch::channel(false);
        let context = self.context.clone();
        let turn = PeerTurn::new(context, dialect, None, id.clone(), cancelled);
        ScriptPlayer::new(turn, request)
    }

    fn authenticate(&self, dialect: &PeerDialect, params: &Value) -> Answered {
        if !dialect.has(PeerFeature::Auth) {
            return Err(RpcFailure::new(METHOD_NOT_FOUND, "Method not found"));
        }
        if params["methodId"] != AUTH_METHOD {
            return Err(RpcFailure::new(INVALID_PARAMS, "Invalid params: methodId is unknown"));
        }
        self.context.authenticated.store(true, Ordering::Relaxed);
        Ok(json!({}))
    }

    fn log_out(&self, dialect: &PeerDialect) -> Answered {
        if !dialect.has(PeerFeature::Auth) {
            return Err(RpcFailure::new(METHOD_NOT_FOUND, "Method not found"));
        }
        self.context.authenticated.store(false, Ordering::Relaxed);
        Ok(json!({}))
    }
}
