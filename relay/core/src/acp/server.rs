//! The agent's end of one connection.

use std::collections::BTreeMap;

use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::id::SessionId;
use moorline_shared::limits::{
    ACP_MESSAGE_BYTES, ACP_MESSAGE_TOO_LARGE, ACP_REQUESTS, ACP_SESSIONS, ACP_SESSIONS_ATTACHED,
};
use moorline_shared::link::Generation;
use moorline_shared::message::Scope;
use moorline_shared::rest::{CreateSession, Created, SessionList, SessionSummary};
use moorline_shared::rpc::{
    self, INVALID_REQUEST, PARSE_ERROR, RpcError, RpcFault, RpcId, RpcMessage,
};
use moorline_shared::time::Time;
use serde_json::{Value, json};

use super::call::{ApiAnswer, CallBook, CallPurpose, describe, start};
use super::context::{AcpContext, ClientAbilities, IdSource};
use super::failure::{bad_params, failure, no_method, no_session, not_attached, overloaded};
use super::link::StreamNews;
use super::list;
use super::opening::{Opening, OpeningKind};
use super::outbox::{AcpOutbox, AcpOutput};
use super::session::{AttachedSession, SessionFate};
use crate::api::ApiError;
use crate::auth::Access;

/// The version of the protocol that is spoken.
const PROTOCOL: u64 = 1;

/// An input of an [`AcpServer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcpInput {
    /// A message of the client: one JSON-RPC message.
    Client(String),
    /// An event of a session's socket: the one that was opened for this generation.
    Stream(SessionId, Generation, StreamNews),
    /// The answer to the API request of this number.
    Answer(u64, ApiAnswer),
}

/// The terms of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcpTerms {
    /// The only session, if the connection is for one.
    pub session: Option<SessionId>,
    /// The access of the client's token.
    pub access: Access,
    /// The agent that new sessions run, unless the client names one.
    pub agent: Option<String>,
    /// True if the client is asked to confirm what it has read, because its transport accepts
    /// everything at once.
    pub receipts: bool,
    /// The version of this program.
    pub version: &'static str,
}

/// The agent's end of one connection of the Agent Client Protocol, version 1.
///
/// Call [`AcpServer::handle`] with each input, [`AcpServer::tick`] at
/// [`AcpServer::poll_timeout`], and carry out [`AcpServer::poll_output`] until it returns `None`
/// after both. Pass in events of streams only while [`AcpServer::takes_news`], and only once the
/// client's transport has taken the earlier messages: streams then wait for a slow client, which
/// slows nobody else. A spurious call is harmless.
///
/// The end of the connection needs no call. Turns go on, and questions stay open.
#[derive(Debug)]
pub struct AcpServer {
    terms: AcpTerms,
    /// What the client can do; `None` before `initialize`.
    abilities: Option<ClientAbilities>,
    sessions: BTreeMap<SessionId, AttachedSession>,
    calls: CallBook,
    /// The folders that open `session/list` requests ask for.
    folders: Vec<(RpcId, String)>,
    ids: IdSource,
    out: AcpOutbox,
}

impl AcpServer {
    /// Creates the agent's end of a new connection. `seed` makes its ids unique.
    #[must_use]
    pub fn new(terms: AcpTerms, seed: u128) -> Self {
        let out = AcpOutbox::new(terms.receipts);
        Self {
            terms,
            abilities: None,
            sessions: BTreeMap::new(),
            calls: CallBook::default(),
            folders: Vec::new(),
            ids: IdSource::new(seed),
            out,
        }
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Time, input: AcpInput) {
        match input {
            AcpInput::Client(text) => self.client(now, &text),
            AcpInput::Stream(id, generation, news) => {
                self.with(now, &id, |session, context| session.stream(generation, news, context));
            }
            AcpInput::Answer(number, answer) => {
                if let Some(purpose) = self.calls.take(number) {
                    self.answered(now, purpose, &answer);
                }
            }
        }
        self.out.tick(now);
    }

    /// Handles the passing of time.
    pub fn tick(&mut self, now: Time) {
        let ids: Vec<_> = self.sessions.keys().cloned().collect();
        for id in ids {
            self.with(now, &id, AttachedSession::tick);
        }
        self.out.tick(now);
    }

    /// Returns the next task for the owner; call until `None`.
    pub fn poll_output(&mut self) -> Option<AcpOutput> {
        self.out.poll()
    }

    /// Returns when to call [`AcpServer::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let sessions = self.sessions.values().filter_map(AttachedSession::poll_timeout);
        sessions.chain(self.out.poll_timeout()).min()
    }

    /// Returns true if events of streams may be passed in.
    #[must_use]
    pub fn takes_news(&self) -> bool {
        self.out.has_credit()
    }

    fn context<'a>(
        abilities: Option<ClientAbilities>,
        calls: &'a mut CallBook,
        ids: &'a mut IdSource,
        out: &'a mut AcpOutbox,
        now: Time,
    ) -> AcpContext<'a> {
        AcpContext { now, abilities: abilities.unwrap_or_default(), out, calls, ids }
    }

    /// Calls `act` for a session, and goes on with it. Returns `None` if the connection is not
    /// attached to it.
    fn with<T>(
        &mut self,
        now: Time,
        id: &SessionId,
        act: impl FnOnce(&mut AttachedSession, &mut AcpContext<'_>) -> T,
    ) -> Option<T> {
        let Self { abilities, sessions, calls, ids, out, .. } = self;
        let mut context = Self::context(*abilities, calls, ids, out, now);
        let session = sessions.get_mut(id)?;
        let result = act(session, &mut context);
        let error = match session.progress(&mut context) {
            SessionFate::Stays => return Some(result),
            SessionFate::Closed => None,
            SessionFate::Lost(error) => Some(error),
        };
        if let Some(session) = sessions.remove(id) {
            session.detach(error.as_ref(), &mut context);
            context.out.push(AcpOutput::HangUp(id.clone()));
        }
        Some(result)
    }

    fn lose(&mut self, now: Time, id: &SessionId, error: &RpcError) {
        let Self { abilities, sessions, calls, ids, out, .. } = self;
        let mut context = Self::context(*abilities, calls, ids, out, now);
        if let Some(session) = sessions.remove(id) {
            session.detach(Some(error), &mut context);
            context.out.push(AcpOutput::HangUp(id.clone()));
        }
    }
}

/// Messages of the client.
impl AcpServer {
    fn client(&mut self, now: Time, text: &str) {
        if text.len() > ACP_MESSAGE_BYTES {
            let error = failure(INVALID_REQUEST, "too_large", ACP_MESSAGE_TOO_LARGE);
            return self.out.refuse(&RpcId::unknown(), error);
        }
        match rpc::read(text.as_bytes()) {
            Ok(None) | Err(RpcFault::ForeignId) => {}
            Ok(Some(RpcMessage::Request { id, method, params })) => {
                if let Err(error) = self.request(now, &id, &method, &params) {
                    self.out.refuse(&id, error);
                }
            }
            Ok(Some(RpcMessage::Notification { method, params })) => {
                self.notified(now, &method, &params);
            }
            Ok(Some(RpcMessage::Response { id, result })) => self.response(now, id, &result),
            Err(fault) => {
                let code = if fault == RpcFault::NotJson { PARSE_ERROR } else { INVALID_REQUEST };
                let error = failure(code, "bad_message", fault.to_string());
                self.out.refuse(&RpcId::unknown(), error);
            }
        }
    }

    fn request(
        &mut self,
        now: Time,
        id: &RpcId,
        method: &str,
        params: &Value,
    ) -> Result<(), RpcError> {
        if method == "initialize" {
            return self.initialize(id, params);
        }
        if self.abilities.is_none() {
            let message = "Send `initialize` first.";
            return Err(failure(INVALID_REQUEST, "not_initialized", message));
        }
        let waiting: usize = self.sessions.values().map(AttachedSession::waiting).sum();
        if waiting + self.calls.len() >= ACP_REQUESTS {
            return Err(overloaded("Wait for the answers to earlier requests."));
        }
        let opening = |kind| Opening::begin(id.clone(), kind, params, now);
        match method {
            "session/new" => match self.terms.session.clone() {
                Some(session) => self.open(now, session, opening(OpeningKind::New)?),
                None => self.start(id, params),
            },
            "session/load" => self.open(now, named(params)?, opening(OpeningKind::Load)?),
            "session/resume" => self.open(now, named(params)?, opening(OpeningKind::Resume)?),
            "session/list" => self.list(id, params),
            "session/prompt" => self.of_session(now, params, |session, context| {
                session.prompt(id.clone(), params, context)
            }),
            "session/set_mode" => self.of_session(now, params, |session, context| {
                session.set_mode(id.clone(), params, context)
            }),
            "session/set_config_option" => self.of_session(now, params, |session, context| {
                session.set_option(id.clone(), params, context)
            }),
            "session/close" => {
                self.of_session(now, params, |session, _| session.close(id.clone(), now))
            }
            method => Err(no_method(method)),
        }
    }

    fn of_session(
        &mut self,
        now: Time,
        params: &Value,
        act: impl FnOnce(&mut AttachedSession, &mut AcpContext<'_>) -> Result<(), RpcError>,
    ) -> Result<(), RpcError> {
        let id = named(params)?;
        self.with(now, &id, act).unwrap_or_else(|| Err(not_attached(id.as_str())))
    }

    fn initialize(&mut self, id: &RpcId, params: &Value) -> Result<(), RpcError> {
        if params.get("protocolVersion").and_then(Value::as_u64).is_none() {
            return Err(bad_params("`protocolVersion` must be a number."));
        }
        self.abilities = Some(ClientAbilities::read(params));
        let answer = json!({
            "protocolVersion": PROTOCOL,
            "agentCapabilities": {
                "loadSession": true,
                "promptCapabilities": { "image": true, "audio": false, "embeddedContext": true },
                "mcpCapabilities": { "http": false, "sse": false },
                "sessionCapabilities": { "list": {}, "resume": {}, "close": {} },
            },
            "agentInfo": { "name": "moorline", "title": "Moorline", "version": self.terms.version },
            "authMethods": [],
        });
        self.out.answer(id, &Ok(answer));
        Ok(())
    }

    fn may_open(&self, session: &SessionId) -> bool {
        let is_of_connection = self.terms.session.as_ref().is_none_or(|only| only == session);
        // Only the relay knows which sessions are in the project of a token: it refuses the stream.
        let access = &self.terms.access;
        is_of_connection && access.scope_of(session, access.only_project()).is_some()
    }

    /// Attaches to a session, or attaches again.
    fn open(&mut self, now: Time, id: SessionId, opening: Opening) -> Result<(), RpcError> {
        if !self.may_open(&id) {
            return Err(no_session(id.as_str()));
        }
        if self.sessions.contains_key(&id) {
            let reopened = self.with(now, &id, |session, context| session.reopen(opening, context));
            return reopened.unwrap_or(Ok(()));
        }
        if self.sessions.len() >= ACP_SESSIONS {
            return Err(overloaded(ACP_SESSIONS_ATTACHED));
        }
        let Self { abilities, sessions, calls, ids, out, .. } = self;
        let mut context = Self::context(*abilities, calls, ids, out, now);
        let session = AttachedSession::new(id.clone(), opening, &mut context);
        sessions.insert(id, session);
        Ok(())
    }

    /// Starts a session with the agent that the client or the address names.
    fn start(&mut self, id: &RpcId, params: &Value) -> Result<(), RpcError> {
        let access = &self.terms.access;
        if access.scope_in(access.only_project()) != Some(Scope::Write) {
            let message = "This token does not allow to start sessions.";
            return Err(failure(INVALID_REQUEST, "forbidden", message));
        }
        let cwd = params.get("cwd").and_then(Value::as_str).unwrap_or_default();
        if !cwd.starts_with('/') {
            return Err(bad_params("`cwd` must be an absolute path."));
        }
        let named = params.pointer("/_meta/moorline/agent").and_then(Value::as_str);
        let Some(agent) = named.map(str::to_owned).or_else(|| self.terms.agent.clone()) else {
            let message = "Name an agent, in `_meta.moorline.agent` or in the address (`?agent=`).";
            return Err(bad_params(message));
        };
        let agent = AgentSpec { agent: Some(agent), ..AgentSpec::default() };
        let wanted = CreateSession {
            session_id: Some(SessionId::from_random(self.ids.next())),
            cwd: Some(cwd.to_owned()),
            agent: Some(agent),
            ..CreateSession::default()
        };
        self.calls.send(CallPurpose::Start(id.clone()), start(&wanted), &mut self.out);
        Ok(())
    }

    fn list(&mut self, id: &RpcId, params: &Value) -> Result<(), RpcError> {
        let access = &self.terms.access;
        let lists = access.scope_in(access.only_project()).is_some();
        let (purpose, parts) = match (&self.terms.session, lists) {
            (Some(session), _) => (CallPurpose::ListOne(id.clone()), describe(session)),
            (None, true) => (CallPurpose::List(id.clone()), list::page(params)?),
            (None, false) => {
                let message = "This token does not allow to list sessions.";
                return Err(failure(INVALID_REQUEST, "forbidden", message));
            }
        };
        self.folders.extend(list::folder(params).map(|folder| (id.clone(), folder)));
        self.calls.send(purpose, parts, &mut self.out);
        Ok(())
    }

    fn notified(&mut self, now: Time, method: &str, params: &Value) {
        match method {
            "session/cancel" => {
                if let Ok(id) = named(params) {
                    self.with(now, &id, |session, _| session.stop_all());
                }
            }
            "$/cancel_request" => {
                let request = params.get("requestId").and_then(RpcId::of);
                let ids: Vec<_> = self.sessions.keys().cloned().collect();
                for (id, request) in ids.into_iter().zip(std::iter::repeat(request)) {
                    let stop = |session: &mut AttachedSession| {
                        request.as_ref().is_some_and(|request| session.stop(request))
                    };
                    if self.with(now, &id, |session, _| stop(session)) == Some(true) {
                        return;
                    }
                }
            }
            _ => {}
        }
    }

    fn response(&mut self, now: Time, number: u64, result: &Result<Value, RpcError>) {
        if self.out.received(number) {
            return;
        }
        let ids: Vec<_> = self.sessions.keys().cloned().collect();
        for id in ids {
            let answer = |session: &mut AttachedSession, context: &mut AcpContext<'_>| {
                session.answered(number, result, context)
            };
            if self.with(now, &id, answer) == Some(true) {
                return;
            }
        }
    }
}

/// Answers of the API.
impl AcpServer {
    fn answered(&mut self, now: Time, purpose: CallPurpose, answer: &ApiAnswer) {
        match purpose {
            CallPurpose::Describe(id) => {
                let described =
                    self.with(now, &id, |session, context| session.described(answer, context));
                if let Some(Err(error)) = described {
                    self.lose(now, &id, &error);
                }
            }
            CallPurpose::List(id) => {
                let folder = self.take_folder(&id);
                let page = answer.read::<SessionList>();
                self.out.answer(&id, &page.map(|page| list::answer(&page, folder.as_deref())));
            }
            CallPurpose::ListOne(id) => {
                let folder = self.take_folder(&id);
                let page = answer.read::<SessionSummary>().map(|session| {
                    let list = SessionList { sessions: vec![session], total: 1, next_cursor: None };
                    list::answer(&list, folder.as_deref())
                });
                self.out.answer(&id, &page);
            }
            CallPurpose::Start(id) => self.started(now, &id, answer),
            CallPurpose::Withdraw(id, turn) => {
                let is_stored = answer.read::<Value>().is_ok();
                self.with(now, &id, |session, _| session.withdrawn(&turn, is_stored));
            }
            CallPurpose::Configure(session, id) => {
                if let Err(error) = answer.read::<Value>() {
                    self.with(now, &session, |session, context| {
                        session.not_configured(&id, error, context);
                    });
                }
            }
        }
    }

    fn take_folder(&mut self, id: &RpcId) -> Option<String> {
        let place = self.folders.iter().position(|(asked, _)| asked == id)?;
        Some(self.folders.remove(place).1)
    }

    fn started(&mut self, now: Time, id: &RpcId, answer: &ApiAnswer) {
        let started = answer.read::<Created>().and_then(|created| {
            let opening = Opening::begin(id.clone(), OpeningKind::New, &Value::Null, now)?;
            self.open(now, created.session_id, opening)
        });
        if let Err(error) = started {
            self.out.refuse(id, error);
        }
    }
}

/// Admits a caller with this access to a connection, for this session if it names one. Returns the
/// only session of the connection; `None` for a connection to all sessions.
///
/// # Errors
/// `forbidden`.
pub fn admit(access: &Access, session: Option<SessionId>) -> Result<Option<SessionId>, ApiError> {
    match (access, session) {
        (Access::Host, _) => Err(ApiError::forbidden()),
        // The stream of a session that is not in the project is refused.
        (Access::Admin | Access::Project { .. }, session) => Ok(session),
        (Access::Session { id, .. }, None) => Ok(Some(id.clone())),
        (Access::Session { id, .. }, Some(session)) if *id == session => Ok(Some(session)),
        (Access::Session { .. }, Some(_)) => Err(ApiError::forbidden()),
    }
}

/// Returns the session that a request names.
fn named(params: &Value) -> Result<SessionId, RpcError> {
    let id = params.get("sessionId").and_then(Value::as_str);
    let id = id.ok_or_else(|| bad_params("`sessionId` must be the id of a session."))?;
    id.parse().map_err(|_| no_session(id))
}
