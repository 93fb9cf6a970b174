//! Hosts: their control links, their sessions, and requests to them.
//!
//! A link is a WebSocket that stays open while the object hibernates. Its tag is the host's id; its
//! attachment is a [`SocketNote`].

use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::directory::Greeting;
use moorline_core::plan::{ANSWER_PATIENCE, HostError, OPERATIONS_PATIENCE};
use moorline_core::reconciliation::other_protocol;
use moorline_core::record::SessionRecord;
use moorline_core::routes::{
    self, Call, Reply, SessionAnswer, host_agents, host_tmux, pods_answer, pods_question,
    rules_answer, rules_question,
};
use moorline_shared::control::{Hello, Hosted, ToHost, ToRelay};
use moorline_shared::failure::HostFailure;
use moorline_shared::file_search::FoundFiles;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::message::{KEEPALIVE_PING, KEEPALIVE_PONG, close};
use moorline_shared::operation::OperationsAnswer;
use moorline_shared::packet::{Decode as _, Encode as _, Packet};
use moorline_shared::publish::{RequestId, SUBPROTOCOL};
use wasm_bindgen::JsValue;
use worker::{
    Delay, Request, ResponseBuilder, WebSocket, WebSocketIncomingMessage, WebSocketPair,
    WebSocketRequestResponsePair, console_error, console_log, console_warn,
};

use super::change::OBJECTS_AT_ONCE;
use super::leases::SocketNote;
use super::start::Result;
use super::{DirectoryState, now_ms, random};
use crate::internal::{
    CREATE, Caller, Create, Files, FilesWanted, FindFilesWanted, HOST_LOST, Opened,
    OperationsWanted, QuestionWanted,
};
use crate::object_client;
use crate::reply::{self, Answer, RequestFailure, is_upgrade};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const OPEN: u16 = 1;
/// The path of the route of a host's link.
const CONTROL_PATH: &str = "/hosts/{id}/control";
/// Time allowed for a host to find files.
const FILES_PATIENCE: Duration = Duration::from_secs(5);
/// Time allowed for a host to list its rules.
const RULES_PATIENCE: Duration = Duration::from_secs(5);

/// A request that waits for a host's answer.
#[derive(Debug)]
pub(super) struct AskedHost {
    request: RequestId,
    host: HostId,
    /// The session that the host was asked to start.
    session: Option<SessionId>,
    sender: oneshot::Sender<ToRelay>,
}

impl DirectoryState {
    /// Opens a host's control link.
    pub(super) async fn open_control(&self, id: &str, request: &Request) -> Answer {
        let id: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
        if !is_upgrade(request) {
            let why = "Connect with a WebSocket.";
            return Err(ApiError::no_upgrade(StatusCode::BAD_REQUEST, why).into());
        }
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let raw = self.state.as_raw();
        let alive = WebSocketRequestResponsePair::new(KEEPALIVE_PING, KEEPALIVE_PONG);
        raw.set_websocket_auto_response(&alive.map_err(worker::Error::from)?)
            .map_err(worker::Error::from)?;
        let tags = vec![JsValue::from_str(id.as_str())];
        raw.accept_websocket_with_tags(server.as_ref(), tags).map_err(worker::Error::from)?;
        let (caller, path) = (Caller::of(request)?, CONTROL_PATH.to_owned());
        let ends_at = caller.ends_at();
        let opened = Some(Opened { caller, path, session: None });
        SocketNote { welcomed: false, opened }.keep(&server);
        if let Some(at) = ends_at {
            self.wake_at(at.ms).await?;
        }
        let response = ResponseBuilder::new()
            .with_status(StatusCode::SWITCHING_PROTOCOLS.as_u16())
            .with_header("sec-websocket-protocol", SUBPROTOCOL)?;
        Ok(response.with_websocket(client).empty())
    }

    /// Handles a message from a host.
    pub(super) async fn hear(
        &self,
        socket: &WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let Some(host) = self.host_of(socket) else { return Ok(()) };
        let WebSocketIncomingMessage::String(text) = message else { return Ok(()) };
        match ToRelay::decode(Packet::Text(text.into())) {
            Ok(ToRelay::Hello(hello)) => self.greet(socket, &host, hello.cleaned()).await?,
            Ok(ToRelay::Started { request, session }) => {
                self.started(&host, request, session).await?;
            }
            Ok(ToRelay::Opened { session }) => self.opened(&host, &session.cleaned()).await?,
            Ok(
                answer @ (ToRelay::Failed { request, .. }
                | ToRelay::Agents { request, .. }
                | ToRelay::Files { request, .. }
                | ToRelay::FoundFiles { request, .. }
                | ToRelay::Operations { request, .. }
                | ToRelay::Changes { request, .. }
                | ToRelay::Pods { request, .. }
                | ToRelay::Rules { request, .. }
                | ToRelay::Tmux { request, .. }
                | ToRelay::TmuxServers { request, .. }),
            ) => self.answered(request, answer),
            Ok(ToRelay::Ping { t }) => {
                say(socket, ToHost::Pong { t });
            }
            // It has no metrics.
            Ok(ToRelay::PodMetrics { .. } | ToRelay::Unknown) => {}
            Err(error) => {
                console_warn!("the host {host} sent an invalid message: {error}");
                shut(socket, close::PROTOCOL, "not a message of this protocol");
            }
        }
        Ok(())
    }

    /// Handles the end of a host's link.
    pub(super) fn lose(&self, socket: &WebSocket) {
        let host = self.host_of(socket).filter(|_| is_welcomed(socket));
        // Without an answer to its close, a socket stays half open.
        shut(socket, close::NORMAL, "");
        let Some(host) = host else { return };
        console_log!("the host {host} is offline");
        let seen = self.decide(|it| Ok(it.host_left(&host, now_ms()).unwrap_or_default()));
        if let Err(failure) = seen {
            console_error!("the last-seen time of a host was not stored: {failure}");
        }
    }

    /// Sends a message to a host. Returns false if the host is not connected or the send fails.
    pub(super) fn tell(&self, host: &HostId, message: ToHost) -> bool {
        let link = self.links(host).into_iter().find(is_welcomed);
        link.is_some_and(|link| say(&link, message))
    }

    /// Asks a host and waits for its answer. Returns `None` if the host is away or does not answer
    /// in time.
    pub(super) async fn ask_host(
        &self,
        host: &HostId,
        session: Option<&SessionId>,
        patience: Duration,
        message: impl FnOnce(RequestId) -> ToHost,
    ) -> Option<ToRelay> {
        // Random, so that a late answer to a request from before an eviction does not match this
        // one.
        let request = RequestId(u64::try_from(random().ok()? >> 75).ok()?);
        let (sender, receiver) = oneshot::channel();
        let asked = AskedHost { request, host: host.clone(), session: session.cloned(), sender };
        self.asked.borrow_mut().push(asked);
        let mut answer = None;
        if self.tell(host, message(request)) {
            answer = match select(receiver, Delay::from(patience)).await {
                Either::Left((answer, _)) => answer.ok(),
                Either::Right(_) => None,
            };
        }
        self.take_asked(request);
        answer
    }

    /// Asks the session's host for the files that the session works with.
    pub(super) async fn files(&self, wanted: FilesWanted) -> Result<Files> {
        let FilesWanted { host, project, folder, named } = wanted;
        let top = self.ask(|directory| {
            let project = project.and_then(|id| directory.project_record(&id));
            Ok(project.and_then(|project| project.directory.clone()))
        })?;
        if !self.is_here(&host) {
            return Err(HostError::Away(host).into());
        }
        let ask = |request| ToHost::Files { request, folder, top, named };
        match self.ask_host(&host, None, FILES_PATIENCE, ask).await {
            Some(ToRelay::Files { files, .. }) => Ok(Files { files }),
            Some(ToRelay::Failed { message, .. }) => Err(ApiError::internal(&message).into()),
            _ => Err(HostError::Silent(host).into()),
        }
    }

    /// Asks the session's host for the files that match.
    pub(super) async fn find_files(&self, wanted: FindFilesWanted) -> Result<FoundFiles> {
        let FindFilesWanted { host, folder, query } = wanted;
        if !self.is_here(&host) {
            return Err(HostError::Away(host).into());
        }
        let ask = |request| ToHost::FindFiles { request, folder, query };
        match self.ask_host(&host, None, ANSWER_PATIENCE, ask).await {
            Some(ToRelay::FoundFiles { found, .. }) => Ok(found),
            Some(ToRelay::Failed { message, .. }) => Err(ApiError::internal(&message).into()),
            _ => Err(HostError::Silent(host).into()),
        }
    }

    /// Asks the session's host about operations.
    pub(super) async fn operations(&self, wanted: OperationsWanted) -> Result<OperationsAnswer> {
        let OperationsWanted { host, folder, question } = wanted;
        if !self.is_here(&host) {
            return Err(HostError::Away(host).into());
        }
        let question = Box::new(question);
        let ask = |request| ToHost::Operations { request, folder, question };
        match self.ask_host(&host, None, OPERATIONS_PATIENCE, ask).await {
            Some(ToRelay::Operations { answer, .. }) => Ok(*answer),
            _ => Ok(HostFailure::silent(HostError::Silent(host).to_string()).into()),
        }
    }

    /// Asks the session's host.
    pub(super) async fn question(&self, wanted: QuestionWanted) -> Result<SessionAnswer> {
        let QuestionWanted { host, session_id, question } = wanted;
        if !self.is_here(&host) {
            return Err(HostError::Away(host).into());
        }
        let ask = |request| question.message(request, session_id);
        let answer = self.ask_host(&host, None, OPERATIONS_PATIENCE, ask).await;
        Ok(SessionAnswer::read(host, answer))
    }

    /// Asks a host for the tmux servers of its user.
    pub(super) async fn tmux(&self, id: &str) -> Answer {
        let host: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
        let is_here = |host: &HostId| self.is_here(host);
        let host = self.ask(|directory| Ok(directory.choose_host(Some(&host), is_here)?))?;
        let ask = |request| ToHost::TmuxServers { request };
        let answer = self.ask_host(&host, None, ANSWER_PATIENCE, ask).await;
        reply::answer(host_tmux(host, answer)?)
    }

    /// Asks a host for its templates and pods, or to change them.
    pub(super) async fn pods(&self, call: Call, request: &routes::Request) -> Result<Reply> {
        let (host, question) = pods_question(call, request)?;
        let is_here = |host: &HostId| self.is_here(host);
        let host = self.ask(|directory| Ok(directory.choose_host(Some(&host), is_here)?))?;
        let ask = |request| ToHost::Pods { request, question: Box::new(question) };
        let answer = self.ask_host(&host, None, OPERATIONS_PATIENCE, ask).await;
        Ok(pods_answer(host, answer)?)
    }

    /// Asks a host for the agents that it knows.
    pub(super) async fn agents(&self, id: &str) -> Answer {
        let host: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
        let is_here = |host: &HostId| self.is_here(host);
        let host = self.ask(|directory| Ok(directory.choose_host(Some(&host), is_here)?))?;
        let ask = |request| ToHost::Agents { request };
        match self.ask_host(&host, None, ANSWER_PATIENCE, ask).await {
            Some(ToRelay::Agents { agents, .. }) => reply::answer(host_agents(host, agents)),
            Some(ToRelay::Failed { message, .. }) => Err(ApiError::internal(&message).into()),
            _ => Err(HostError::Silent(host).into()),
        }
    }

    /// Asks a host for its rules about approvals, or to revoke one.
    pub(super) async fn rules(&self, call: Call, request: &routes::Request) -> Result<Reply> {
        let (host, question) = rules_question(call, request)?;
        if !self.ask(|directory| Ok(directory.knows_host(&host)))? {
            return Err(HostError::Unknown(host).into());
        }
        if !self.is_here(&host) {
            return Err(HostError::Away(host).into());
        }
        let ask = |request| ToHost::Rules { request, question };
        let answer = self.ask_host(&host, None, RULES_PATIENCE, ask).await;
        Ok(rules_answer(host, answer.unwrap_or(ToRelay::Unknown))?)
    }

    /// Number of hosts that are connected and welcomed.
    pub(super) fn hosts_here(&self) -> usize {
        self.state.get_websockets().iter().filter(|link| is_open(link) && is_welcomed(link)).count()
    }

    pub(super) fn is_here(&self, host: &HostId) -> bool {
        self.links(host).iter().any(is_welcomed)
    }

    fn links(&self, host: &HostId) -> Vec<WebSocket> {
        let links = self.state.as_raw().get_websockets_with_tag(host.as_str()).unwrap_or_default();
        links.into_iter().map(WebSocket::from).filter(is_open).collect()
    }

    fn host_of(&self, socket: &WebSocket) -> Option<HostId> {
        let tags = self.state.as_raw().get_tags(socket.as_ref()).ok()?;
        tags.first()?.parse().ok()
    }

    /// Welcomes a host, and brings the directory in line with the sessions that it has.
    async fn greet(&self, socket: &WebSocket, host: &HostId, hello: Hello) -> Result<()> {
        if let Some(message) = other_protocol(&hello, VERSION) {
            console_warn!("{message}");
            say(socket, ToHost::Refused { code: "protocol".to_owned(), message });
            shut(socket, close::FORBIDDEN, "the protocol version is not supported");
            return Ok(());
        }
        for older in self.links(host).into_iter().filter(|link| link != socket) {
            let message = "another host with this id has connected".to_owned();
            say(&older, ToHost::Refused { code: "replaced".to_owned(), message });
            let _ = older.serialize_attachment("");
            shut(&older, close::REPLACED, "another host with this id has connected");
        }
        self.answer_starts(host, &hello);
        let greeting = self.ask(|directory| Ok(directory.greet(host, &hello, now_ms())))?;
        let Greeting { change, adopted, lost, forget } = greeting;
        let effects = self.with(|memory| Ok(memory.make(change)?))?;
        self.adopt(adopted).await;
        self.lose_all(lost).await;
        SocketNote { welcomed: true, ..SocketNote::of(socket) }.keep(socket);
        say(socket, ToHost::Welcome { version: VERSION.to_owned() });
        for session_id in forget {
            say(socket, ToHost::Forget { session_id });
        }
        console_log!("the host {host} connected: {} sessions", hello.sessions.len());
        self.carry_out(effects).await;
        self.changed.ring();
        Ok(())
    }

    /// Answers requests that wait for a start whose answer was lost with the previous link.
    fn answer_starts(&self, host: &HostId, hello: &Hello) {
        for hosted in &hello.sessions {
            let waits = |asked: &AskedHost| {
                asked.host == *host && asked.session.as_ref() == Some(&hosted.session_id)
            };
            let request = {
                let asked = self.asked.borrow();
                asked.iter().find(|asked| waits(asked)).map(|asked| asked.request)
            };
            if let Some(request) = request {
                let session = Box::new(hosted.clone());
                self.answered(request, ToRelay::Started { request, session });
            }
        }
    }

    /// Creates the objects of newly listed sessions, before their host publishes them.
    async fn adopt(&self, records: Vec<SessionRecord>) {
        let make = async |record: SessionRecord| {
            let id = record.id.clone();
            let made = async {
                let object = object_client::session(&self.env, &id)?;
                object_client::post(&object, CREATE, &Create { record, agent: None }).await
            };
            match made.await {
                // The object exists already: the directory had lost this session.
                Err(RequestFailure::Passed(answer)) if answer.status_code() == 409 => {}
                Err(failure) => console_error!("the session {id} was not adopted: {failure}"),
                Ok(_) => console_log!("the session {id} was adopted"),
            }
        };
        stream::iter(records).for_each_concurrent(OBJECTS_AT_ONCE, make).await;
    }

    async fn lose_all(&self, sessions: Vec<SessionId>) {
        let lose = async |id: SessionId| {
            console_warn!("the session {id} is lost: its host no longer has it");
            let lost = async {
                let object = object_client::session(&self.env, &id)?;
                object_client::post(&object, HOST_LOST, &()).await
            };
            if let Err(failure) = lost.await {
                console_error!("the session {id} could not be marked as lost: {failure}");
            }
        };
        stream::iter(sessions).for_each_concurrent(OBJECTS_AT_ONCE, lose).await;
    }

    /// Handles a host's report that it has started a session.
    async fn started(&self, host: &HostId, request: RequestId, hosted: Box<Hosted>) -> Result<()> {
        if self.asked.borrow().iter().any(|asked| asked.request == request) {
            self.answered(request, ToRelay::Started { request, session: hosted });
            return Ok(());
        }
        // The request is no longer waiting: it timed out, or was lost with the object's memory.
        let id = hosted.session_id.clone();
        let given_up = self.ask(|directory| Ok(directory.deleted_from(&id) == Some(host)))?;
        if given_up {
            self.tell(host, ToHost::Forget { session_id: id });
            return Ok(());
        }
        self.opened(host, &hosted).await
    }

    /// Lists a session that a host has started without a request that waits for it.
    async fn opened(&self, host: &HostId, hosted: &Hosted) -> Result<()> {
        let change = self.ask(|directory| Ok(directory.adopt(host, hosted, now_ms())))?;
        let Some(change) = change else { return Ok(()) };
        let effects = self.with(|memory| Ok(memory.make(change)?))?;
        let id = &hosted.session_id;
        let record = self.ask(|directory| Ok(directory.record(id).cloned()))?;
        self.adopt(record.into_iter().collect()).await;
        let reported = self.ask(|directory| Ok(directory.opened(id, now_ms())))?;
        self.carry_out(effects.into_iter().chain(reported).collect()).await;
        Ok(())
    }

    fn answered(&self, request: RequestId, answer: ToRelay) {
        if let Some(asked) = self.take_asked(request) {
            // The request may have timed out.
            let _ = asked.sender.send(answer);
        }
    }

    fn take_asked(&self, request: RequestId) -> Option<AskedHost> {
        let mut asked = self.asked.borrow_mut();
        let place = asked.iter().position(|asked| asked.request == request)?;
        Some(asked.swap_remove(place))
    }
}

fn is_welcomed(link: &WebSocket) -> bool {
    SocketNote::of(link).welcomed
}

fn is_open(link: &WebSocket) -> bool {
    link.as_ref().ready_state() == OPEN
}

/// Sends a message on a link. Returns false if it cannot be sent.
fn say(link: &WebSocket, message: ToHost) -> bool {
    let Packet::Text(text) = message.encode() else { return false };
    std::str::from_utf8(&text).is_ok_and(|text| link.send_with_str(text).is_ok())
}

fn shut(link: &WebSocket, code: u16, reason: &str) {
    let _ = link.close(Some(code), Some(reason));
}
