//! The routes that seed 000 deprecates: see [`moorline_core::legacy`]. The Worker holds a chat's
//! socket, and asks the sessions' objects by the current routes.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::legacy::{self, Chat, ChatAction, HEADERS, Warned, refusal};
use moorline_core::profile::Profile;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_shared::rest::{ErrorBody, SendPrompt, SessionSummary};
use worker::wasm_bindgen_futures::spawn_local;
use worker::{
    ByteStream, Date, Env, EventStream, Headers, Request, Response, ResponseBuilder, WebSocket,
    WebSocketPair, WebsocketEvent, console_error, console_warn,
};

use super::Gateway;
use super::access::still;
use super::lease::Lease;
use crate::address::asked;
use crate::internal::{ACCESS, ACCESS_ENDED, Caller};
use crate::object_client;
use crate::reply::{Answer, RequestFailure, is_upgrade, send};

/// The variable that turns these routes off, like the native relay's option of that name.
const OFF_VARIABLE: &str = "MOORLINE_NO_LEGACY";

impl Gateway {
    /// Returns true unless these routes are turned off.
    pub(super) fn has_legacy(&self) -> bool {
        let off = self.env.var(OFF_VARIABLE).map(|off| off.to_string()).unwrap_or_default();
        !legacy::is_off(&off)
    }

    /// Answers as the current route does, and adds the headers that mark it as deprecated.
    pub(super) async fn legacy(&self, request: &Request) -> Answer {
        static WARNED: Warned = Warned::never();
        if !self.has_legacy() {
            return Err(ApiError::no_route(&self.uri()).into());
        }
        if WARNED.is_due(Date::now().as_millis()) {
            console_warn!("{}", legacy::WARNING);
        }
        let response = send(self.found(request).await)?;
        // Headers of another object's response are immutable.
        let headers = response.headers().clone();
        for (name, value) in HEADERS {
            headers.set(name, value)?;
        }
        Ok(response.with_headers(headers))
    }

    /// Opens the WebSocket of a chat.
    pub(super) async fn chat(&self, request: &Request) -> Answer {
        if !self.origins.allows(&self.headers) {
            return Err(ApiError::origin().into());
        }
        let caller = self.caller(None, None).await?.caller;
        if !is_upgrade(request) {
            let why = "Connect with a WebSocket.";
            return Err(ApiError::no_upgrade(StatusCode::BAD_REQUEST, why).into());
        }
        let wanted = asked(&request.inner().url(), &["sessionId", "session"]);
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let lease = Lease::open(&self.env, &caller, legacy::CHAT).await?;
        let (chat, hello) = Chat::open();
        let left_bytes = Profile::EDGE.budget_bytes.unwrap_or(u64::MAX);
        let env = self.env.clone();
        let talk = ChatTalk { env, caller, socket: server, chat, followed: None, left_bytes };
        spawn_local(talk.begin(hello, wanted, lease));
        let mut response = ResponseBuilder::new().with_status(101).with_websocket(client);
        if let Some(protocol) = self.protocol() {
            response = response.with_header("sec-websocket-protocol", protocol)?;
        }
        Ok(response.empty())
    }
}

/// Maximum size of commands that wait while an earlier one is typed: reading of a socket cannot be
/// paused here.
const COMMANDS_BYTES: usize = 256 * 1024;

/// Messages from a client, in order.
struct Hearing<'a> {
    events: EventStream<'a>,
    /// Messages that arrived while a command was carried out; `None` for one that is not text.
    waiting: VecDeque<Option<String>>,
    bytes: usize,
}

impl<'a> Hearing<'a> {
    const fn new(events: EventStream<'a>) -> Self {
        Self { events, waiting: VecDeque::new(), bytes: 0 }
    }

    /// The next message; `None` once the client is gone.
    async fn next(&mut self) -> Option<Option<String>> {
        match self.waiting.pop_front() {
            Some(text) => {
                self.bytes -= text.as_ref().map_or(0, String::len) + 1;
                Some(text)
            }
            None => self.message().await,
        }
    }

    /// Queues further messages until they exceed [`COMMANDS_BYTES`] or the client is gone.
    async fn overrun(&mut self) -> Over {
        loop {
            let Some(text) = self.message().await else { return Over(close::NORMAL, "") };
            self.bytes += text.as_ref().map_or(0, String::len) + 1;
            self.waiting.push_back(text);
            if self.bytes > COMMANDS_BYTES {
                return Over(close::OVERLOADED, "too many commands are waiting");
            }
        }
    }

    async fn message(&mut self) -> Option<Option<String>> {
        match self.events.next().await {
            Some(Ok(WebsocketEvent::Message(message))) => Some(message.text()),
            _ => None,
        }
    }
}

/// A chat with one connected client.
struct ChatTalk {
    env: Env,
    caller: Caller,
    socket: WebSocket,
    chat: Chat,
    followed: Option<FollowedEvents>,
    left_bytes: u64,
}

/// Event stream of the session that a client has subscribed to.
struct FollowedEvents {
    id: SessionId,
    events: ByteStream,
}

/// End of a chat: the close code and the reason for the client.
struct Over(u16, &'static str);

impl ChatTalk {
    async fn begin(mut self, hello: String, wanted: Option<String>, lease: Lease) {
        let socket = self.socket.clone();
        let served = pin!(self.serve(&socket, hello, wanted));
        let Over(code, reason) = match select(served, pin!(lease.ended())).await {
            Either::Left((over, _)) => over,
            Either::Right(_) => Over(close::UNAUTHORIZED, ACCESS_ENDED),
        };
        // Does nothing if it is already closed.
        let _ = socket.close(Some(code), Some(reason));
    }

    async fn serve(&mut self, socket: &WebSocket, hello: String, wanted: Option<String>) -> Over {
        // Events that arrive before `events()` is called are not delivered.
        let (Ok(events), Ok(())) = (socket.events(), socket.accept()) else {
            return Over(close::INTERNAL, "internal error: see the relay's log");
        };
        let mut said = Hearing::new(events);
        let mut told = self.tell(&hello);
        if let Some(id) = wanted.filter(|_| told.is_ok()) {
            told = self.fulfil(ChatAction::Subscribe(id)).await;
        }
        while told.is_ok() {
            let followed = &mut self.followed;
            let next = pin!(async {
                match followed {
                    Some(followed) => followed.events.next().await,
                    None => pending().await,
                }
            });
            let came = match select(pin!(said.next()), next).await {
                Either::Left((text, _)) => Either::Left(text),
                Either::Right((chunk, _)) => Either::Right(chunk),
            };
            told = match came {
                Either::Left(Some(text)) => {
                    let wish = match text {
                        Some(text) => self.chat.text(&text),
                        None => Some(self.chat.binary()),
                    };
                    match select(pin!(self.fulfil_any(wish)), pin!(said.overrun())).await {
                        Either::Left((told, _)) => told,
                        Either::Right((over, _)) => Err(over),
                    }
                }
                Either::Left(None) => Err(Over(close::NORMAL, "")),
                Either::Right(Some(Ok(chunk))) => self.pass_on(&chunk),
                Either::Right(_) => self.follow_on().await,
            };
        }
        told.err().unwrap_or(Over(close::NORMAL, ""))
    }

    async fn fulfil_any(&mut self, wish: Option<ChatAction>) -> Result<(), Over> {
        match wish {
            Some(wish) => self.fulfil(wish).await,
            None => Ok(()),
        }
    }

    async fn fulfil(&mut self, wish: ChatAction) -> Result<(), Over> {
        let done = match wish {
            ChatAction::Tell(text) => return self.tell(&text),
            ChatAction::Subscribe(id) => self.subscribe(&id).await.map(Some),
            ChatAction::Command { session_id, command } => {
                self.type_in(&session_id, command).await.map(|()| None)
            }
        };
        match done {
            Ok(told) => told.map_or(Ok(()), |told| self.tell(&told)),
            Err(failure) => {
                let told = refusal(&body_of(failure).await?);
                self.tell(&told)
            }
        }
    }

    async fn subscribe(&mut self, id: &str) -> Result<String, RequestFailure> {
        let id = id.parse().map_err(|_| ApiError::invalid_id(id))?;
        let mut live = self.ask(&id, "events", None, None).await?;
        let status = self.ask(&id, "status", None, None).await?.text().await?;
        let summary: SessionSummary = serde_json::from_str(&status).map_err(worker::Error::from)?;
        self.followed = Some(FollowedEvents { id, events: live.stream()? });
        Ok(self.chat.subscribed(&summary))
    }

    async fn type_in(&self, id: &str, command: String) -> Result<(), RequestFailure> {
        let id = id.parse().map_err(|_| ApiError::invalid_id(id))?;
        let prompt = SendPrompt { command: Some(command), ..SendPrompt::default() };
        let body = serde_json::to_string(&prompt).map_err(worker::Error::from)?;
        self.ask(&id, "prompt", None, Some(&body)).await.map(drop)
    }

    /// Reopens the session's stream. An object may end a stream before its session is over; if the
    /// session has ended too, it answers that there is nothing more.
    async fn follow_on(&mut self) -> Result<(), Over> {
        let Some(followed) = self.followed.take() else { return Ok(()) };
        let after = self.chat.last_event_id().map(str::to_owned);
        match self.ask(&followed.id, "events", after.as_deref(), None).await {
            Ok(mut live) if live.status_code() == StatusCode::OK.as_u16() => {
                let events = live.stream().map_err(|error| fault(&error.to_string()))?;
                self.followed = Some(FollowedEvents { events, ..followed });
            }
            Ok(_) => self.chat.ended(),
            Err(failure) => {
                body_of(failure).await?;
                self.chat.ended();
            }
        }
        Ok(())
    }

    /// Sends the session's object a request with the client's own access.
    async fn ask(
        &self,
        id: &SessionId,
        what: &str,
        after: Option<&str>,
        body: Option<&str>,
    ) -> Result<Response, RequestFailure> {
        let access = &self.caller.grant.access;
        if access.scope_of(id, access.only_project()).is_none() {
            return Err(ApiError::forbidden().into());
        }
        // The directory knows whether the session is in the project of the token.
        still(&self.env, &self.caller, Some(id)).await.map_err(|failure| match failure {
            RequestFailure::Api(_) => ApiError::forbidden().into(),
            failure => failure,
        })?;
        let headers = Headers::new();
        headers.set(ACCESS, &self.caller.header())?;
        if let Some(after) = after {
            headers.set("last-event-id", after)?;
        }
        let object = object_client::session(&self.env, id)?;
        let path = format!("/api/session/{id}/{what}");
        let answer = object_client::call(&object, &path, &headers, body).await?;
        object_client::succeeded(answer)
    }

    fn pass_on(&mut self, chunk: &[u8]) -> Result<(), Over> {
        self.chat.events(chunk).iter().try_for_each(|told| self.tell(told))
    }

    fn tell(&mut self, text: &str) -> Result<(), Over> {
        let left = self.left_bytes.checked_sub(text.len() as u64);
        self.left_bytes = left.ok_or(Over(close::OVERLOADED, "reconnect"))?;
        self.socket.send_with_str(text).map_err(|_| Over(close::NORMAL, ""))
    }
}

/// The body that tells the client of a failure. A fault ends the chat, so that the client
/// reconnects.
async fn body_of(failure: RequestFailure) -> Result<ErrorBody, Over> {
    match failure {
        RequestFailure::Api(error) => Ok(error.body().clone()),
        RequestFailure::Passed(mut answer) => {
            answer.json().await.map_err(|error| fault(&error.to_string()))
        }
        RequestFailure::Fault(error) => Err(fault(&error)),
    }
}

fn fault(error: &str) -> Over {
    console_error!("a chat failed: {error}");
    Over(close::INTERNAL, "internal error: see the relay's log")
}
