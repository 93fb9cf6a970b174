//! Sessions: how they are made, found, prompted and ended.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::context::PeerContext;
use crate::dialect::{PeerDialect, PeerFeature};
use crate::history::HistoryEntry;
use crate::play::{PlayedRequest, ScriptPlayer};
use crate::prompting::ArrivedPrompt;
use crate::rpc::{Answered, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, RpcFailure};
use crate::script::{ScriptFile, ScriptMoment};
use crate::session::PeerSession;
use crate::turn::PeerTurn;

/// Sessions that a process may have. More are refused.
const SESSIONS: usize = 1024;

/// The sessions that are active in this process.
pub(crate) struct PeerSessions {
    context: Arc<PeerContext>,
    script: Arc<ScriptFile>,
    active: Mutex<HashMap<String, Arc<PeerSession>>>,
}

impl PeerSessions {
    pub(crate) fn new(context: Arc<PeerContext>, script: Arc<ScriptFile>) -> Self {
        Self { context, script, active: Mutex::default() }
    }

    /// Cancels the turn of a session, if it runs one.
    pub(crate) fn cancel(&self, id: &str) {
        if let Some(session) = self.active().get(id) {
            session.cancel();
        }
    }

    /// Handles a request about sessions. Where a script runs, it is answered later.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn request(
        &self,
        dialect: &PeerDialect,
        method: &str,
        id: &Value,
        params: &Value,
    ) -> Result<()> {
        let answer = match method {
            _ if !is_there(dialect, method) => {
                Err(RpcFailure::new(METHOD_NOT_FOUND, format!("Method not found: {method}")))
            }
            "session/new" => match self.create(params, dialect.version == 1) {
                Ok(session) => return self.opened(dialect, id, session, ScriptMoment::New).await,
                Err(error) => Err(error),
            },
            "session/fork" => match self.fork(params) {
                Ok(session) => return self.opened(dialect, id, session, ScriptMoment::New).await,
                Err(error) => Err(error),
            },
            "session/load" | "session/resume" => match self
                .reopen(params, dialect.version == 1 && method == "session/load")
            {
                Ok(session) => return self.reopened(dialect, method, id, params, session).await,
                Err(error) => Err(error),
            },
            "session/prompt" => match self.find(params) {
                Ok(session) => {
                    let context = self.context.clone();
                    let prompt = ArrivedPrompt { context, session, id: id.clone() };
                    return prompt.start(dialect, &self.script, params).await;
                }
                Err(error) => Err(error),
            },
            "session/set_mode" => self.set(dialect, params, "mode", "modeId").await,
            "session/set_model" => self.set(dialect, params, "model", "modelId").await,
            "session/set_config_option" => {
                let option = params["configId"].as_str().unwrap_or_default();
                self.set(dialect, params, option, "value").await
            }
            "session/list" => self.list(params),
            "session/close" => match self.find(params) {
                Ok(session) => return self.close(id, &session).await,
                Err(error) => Err(error),
            },
            "session/delete" => self.delete(params),
            _ => Err(RpcFailure::new(METHOD_NOT_FOUND, format!("Method not found: {method}"))),
        };
        self.context.wire.answer(id, &answer).await
    }

    fn create(&self, params: &Value, needs_servers: bool) -> Result<Arc<PeerSession>, RpcFailure> {
        let cwd = folder(params, needs_servers)?;
        self.insert(self.context.new_session_id(), Vec::new(), cwd)
    }

    fn fork(&self, params: &Value) -> Result<Arc<PeerSession>, RpcFailure> {
        let source = self.find(params)?;
        let mut history: Vec<HistoryEntry> = vec![HistoryEntry::Opened { cwd: source.cwd() }];
        history.extend(source.updates().into_iter().map(HistoryEntry::Update));
        let id = self.context.new_session_id();
        for entry in &history {
            self.context.files.append(&id, entry)?;
        }
        self.insert(id, history, source.cwd())
    }

    /// Finds a session for `session/load` and `session/resume`: an active one, or one with a file.
    fn reopen(&self, params: &Value, needs_servers: bool) -> Result<Arc<PeerSession>, RpcFailure> {
        let cwd = folder(params, needs_servers)?;
        let id = session_id(params)?;
        let active = self.active().get(id).cloned();
        if let Some(session) = active {
            session.record(HistoryEntry::Opened { cwd })?;
            return Ok(session);
        }
        let history = self.context.files.read(id)?;
        let history = history.ok_or_else(|| RpcFailure::no_session(id))?;
        self.insert(id.to_owned(), history, cwd)
    }

    fn insert(
        &self,
        id: String,
        history: Vec<HistoryEntry>,
        cwd: String,
    ) -> Result<Arc<PeerSession>, RpcFailure> {
        let session = Arc::new(PeerSession::new(id.clone(), self.context.files.clone(), history));
        let mut active = self.active();
        if active.len() >= SESSIONS {
            return Err(RpcFailure::new(INTERNAL_ERROR, format!("{SESSIONS} sessions are active")));
        }
        session.record(HistoryEntry::Opened { cwd })?;
        active.insert(id, session.clone());
        Ok(session)
    }

    /// Answers for a session that was created, after the steps of this moment.
    async fn opened(
        &self,
        dialect: &PeerDialect,
        id: &Value,
        session: Arc<PeerSession>,
        moment: ScriptMoment,
    ) -> Result<()> {
        let mut result = session.settings().fields(dialect, self.context.legacy_models);
        if moment == ScriptMoment::New {
            result["sessionId"] = session.id.clone().into();
        }
        let (context, steps) = (self.context.clone(), self.script.at(moment));
        let (_, cancelled) = watch::channel(false);
        let turn = PeerTurn::new(context, dialect.clone(), Some(session), id.clone(), cancelled);
        ScriptPlayer::new(turn, PlayedRequest::Other(result)).start(steps).await
    }

    /// Replays the history if that is asked for, and answers.
    async fn reopened(
        &self,
        dialect: &PeerDialect,
        method: &str,
        id: &Value,
        params: &Value,
        session: Arc<PeerSession>,
    ) -> Result<()> {
        let from_start = params["replayFrom"]["type"] == "start";
        let is_load = method == "session/load";
        if is_load || (dialect.version > 1 && from_start) {
            let mut updates = session.updates();
            if dialect.version > 1 {
                updates.push(json!({"sessionUpdate": "replay_complete"}));
            }
            for update in updates {
                let params = json!({"sessionId": session.id, "update": update});
                self.context.wire.notify("session/update", params).await?;
            }
        }
        let moment = if is_load { ScriptMoment::Load } else { ScriptMoment::Resume };
        self.opened(dialect, id, session, moment).await
    }

    /// Changes a setting and reports it. The value is the parameter of this name.
    async fn set(
        &self,
        dialect: &PeerDialect,
        params: &Value,
        option: &str,
        name: &str,
    ) -> Answered {
        let session = self.find(params)?;
        let value = params[name].clone();
        let invalid = |what| RpcFailure::new(INVALID_PARAMS, format!("Invalid params: {what}"));
        session.settings().set(option, &value).map_err(invalid)?;
        let setting = HistoryEntry::Setting { id: option.to_owned(), value };
        session.record(setting)?;
        let settings = session.settings();
        // What the client has asked for is not reported to it, but what follows from it is.
        let asked = if name == "modeId" { "current_mode_update" } else { "config_option_update" };
        let updates = settings.updates(dialect, option);
        for update in updates.into_iter().filter(|update| update["sessionUpdate"] != asked) {
            let params = json!({"sessionId": session.id, "update": update});
            self.context.wire.notify("session/update", params).await?;
        }
        if name == "value" {
            return Ok(json!({"configOptions": settings.options(dialect)}));
        }
        Ok(json!({}))
    }

    fn list(&self, params: &Value) -> Answered {
        let mut ids: Vec<String> = self.active().keys().cloned().collect();
        ids.extend(self.context.files.sessions()?);
        ids.sort();
        ids.dedup();
        let mut sessions = Vec::new();
        for id in ids {
            let active = self.active().get(&id).cloned();
            let info = match active {
                Some(session) => session.info(),
                None => {
                    let history = self.context.files.read(&id)?;
                    let files = self.context.files.clone();
                    PeerSession::new(id, files, history.unwrap_or_default()).info()
                }
            };
            if params["cwd"].is_null() || params["cwd"] == info["cwd"] {
                sessions.push(info);
            }
        }
        Ok(json!({"sessions": sessions}))
    }

    /// Cancels the session's turn, and answers after its last update.
    async fn close(&self, id: &Value, session: &PeerSession) -> Result<()> {
        self.active().remove(&session.id);
        let Some(turn) = session.cancel() else {
            return self.context.wire.answer(id, &Ok(json!({}))).await;
        };
        let (context, id) = (self.context.clone(), id.clone());
        // The turn may need answers, which this task reads.
        tokio::spawn(async move {
            turn.closed().await;
            context.wire.answer(&id, &Ok(json!({}))).await
        });
        Ok(())
    }

    fn delete(&self, params: &Value) -> Answered {
        let id = session_id(params)?;
        if let Some(session) = self.active().remove(id) {
            session.cancel();
        }
        self.context.files.remove(id)?;
        Ok(json!({}))
    }

    fn find(&self, params: &Value) -> Result<Arc<PeerSession>, RpcFailure> {
        let id = session_id(params)?;
        self.active().get(id).cloned().ok_or_else(|| RpcFailure::no_session(id))
    }

    fn active(&self) -> MutexGuard<'_, HashMap<String, Arc<PeerSession>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the method exists in this version and its capability is there.
fn is_there(dialect: &PeerDialect, method: &str) -> bool {
    let is_first = dialect.version == 1;
    match method {
        "session/load" => is_first && dialect.has(PeerFeature::Load),
        "session/set_mode" => is_first && dialect.has(PeerFeature::Modes),
        "session/set_model" => is_first,
        // Version 2 requires these of every agent.
        "session/resume" => !is_first || dialect.has(PeerFeature::Resume),
        "session/list" => !is_first || dialect.has(PeerFeature::List),
        "session/close" => !is_first || dialect.has(PeerFeature::Close),
        "session/delete" => dialect.has(PeerFeature::Delete),
        "session/fork" => dialect.has(PeerFeature::Fork),
        "session/set_config_option" => dialect.has(PeerFeature::Config),
        _ => true,
    }
}

fn session_id(params: &Value) -> Result<&str, RpcFailure> {
    let invalid = || RpcFailure::new(INVALID_PARAMS, "Invalid params: sessionId is missing");
    params["sessionId"].as_str().ok_or_else(invalid)
}

/// The working directory of a request that opens a session. Some requests need `mcpServers` too.
fn folder(params: &Value, needs_servers: bool) -> Result<String, RpcFailure> {
    let invalid = |what| RpcFailure::new(INVALID_PARAMS, format!("Invalid params: {what}"));
    let cwd = params["cwd"].as_str().filter(|cwd| Path::new(cwd).is_absolute());
    let cwd = cwd.ok_or_else(|| invalid("cwd is not an absolute path"))?;
    if needs_servers && !params["mcpServers"].is_array() {
        return Err(invalid("mcpServers is not a list"));
    }
    Ok(cwd.to_owned())
}
