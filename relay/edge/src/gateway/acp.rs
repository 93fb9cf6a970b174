//! `GET /acp`: agent sessions for clients of the Agent Client Protocol. The Worker holds the
//! client's socket, and a socket to the object of each session that the client is attached to.

mod streams;
mod work;

use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use http::StatusCode;
use moorline_core::acp::{AcpInput, AcpOutput, AcpServer, AcpTerms, ApiAnswer, ApiCall, admit};
use moorline_core::api::ApiError;
use moorline_core::refusal::Why;
use moorline_core::routes::{Call, Found, Reached, find};
use moorline_shared::id::{ClientId, SessionId};
use moorline_shared::limits::ACP_MESSAGE_BYTES;
use moorline_shared::message::close;
use moorline_shared::time::Time;
use worker::wasm_bindgen_futures::spawn_local;
use worker::{
    Date, Delay, Env, Headers, Request, ResponseBuilder, WebSocket, WebSocketPair, WebsocketEvent,
    console_error,
};

use super::access::still;
use super::lease::Lease;
use super::refusal::{refuse, unidentified};
use super::{Gateway, owner};
use crate::address::asked;
use crate::internal::{ACCESS, ACCESS_ENDED, Caller};
use crate::object_client;
use crate::reply::{Answer, RequestFailure, is_upgrade};
use streams::SessionSockets;
use work::{AcpWork, WorkQueue};

/// The longest wait between two looks at the time.
const LONGEST_WAIT_MS: u64 = 60_000;

impl Gateway {
    /// Opens a connection.
    pub(super) async fn acp(&self, request: &Request) -> Answer {
        if !self.origins.allows(&self.headers) {
            return refuse(self, Call::Acp, Why::Origin, ApiError::origin().into());
        }
        let caller = match self.caller(None, None).await {
            Ok(found) => found.caller,
            Err(failure) => {
                return refuse(self, Call::Acp, unidentified(&failure), failure);
            }
        };
        let address = request.inner().url();
        let session = match asked(&address, &["session"]) {
            None => None,
            Some(id) => match id.parse() {
                Ok(id) => Some(id),
                Err(_) => {
                    return refuse(self, Call::Acp, Why::Id, ApiError::invalid_id(&id).into());
                }
            },
        };
        let session: Option<SessionId> = match admit(&caller.grant.access, session) {
            Ok(session) => session,
            Err(error) => return refuse(self, Call::Acp, Why::Session, error.into()),
        };
        if !is_upgrade(request) {
            let why = "Connect with a WebSocket.";
            return Err(ApiError::no_upgrade(StatusCode::BAD_REQUEST, why).into());
        }
        if let Some(id) = &session
            && let Err(failure) = self.status(id, &caller).await
        {
            return refuse(self, Call::Acp, Why::Id, failure);
        }
        let mut seed = [0; 16];
        getrandom::fill(&mut seed)?;
        let seed = u128::from_ne_bytes(seed);
        let version = env!("CARGO_PKG_VERSION");
        let agent = asked(&address, &["agent"]);
        // A socket here accepts everything at once, so the client says what it has read.
        let access = caller.grant.access.clone();
        let terms = AcpTerms { session, access, agent, receipts: true, version };
        let lease = match Lease::open(&self.env, &caller, "/acp").await {
            Ok(lease) => lease,
            Err(failure) => {
                return refuse(self, Call::Acp, unidentified(&failure), failure);
            }
        };
        let WebSocketPair { client, server: socket } = WebSocketPair::new()?;
        let server = AcpServer::new(terms, seed);
        spawn_local(serve(socket, server, (self.env.clone(), caller), lease));
        let mut response = ResponseBuilder::new().with_status(101).with_websocket(client);
        if let Some(protocol) = self.protocol() {
            response = response.with_header("sec-websocket-protocol", protocol)?;
        }
        let name = ClientId::from_random(seed.rotate_left(64));
        Ok(response.with_header("acp-connection-id", name.as_str())?.empty())
    }

    /// Asks whether a session exists.
    async fn status(&self, id: &SessionId, caller: &Caller) -> Result<(), RequestFailure> {
        let path = format!("/api/session/{id}/status");
        let answer = api(&self.env, caller, &http::Method::GET, &path, None).await?;
        object_client::succeeded(answer).map(drop)
    }
}

/// One client's connection.
struct AcpConnection {
    server: AcpServer,
    socket: WebSocket,
    streams: Rc<SessionSockets>,
    queue: Rc<WorkQueue>,
    env: Env,
    caller: Caller,
    /// Events of streams that wait until the client has read more, oldest first. The credits of the
    /// streams bound them.
    held: VecDeque<AcpWork>,
}

/// The end of a connection: the close code and the reason for the client.
struct AcpClosed(u16, &'static str);

async fn serve(socket: WebSocket, server: AcpServer, (env, caller): (Env, Caller), lease: Lease) {
    let queue = Rc::new(WorkQueue::default());
    let streams = Rc::new(SessionSockets::new(env.clone(), caller.clone(), Rc::clone(&queue)));
    spawn_local(listen(socket.clone(), Rc::clone(&queue)));
    let held = VecDeque::new();
    let mut connection = AcpConnection { server, socket, streams, queue, env, caller, held };
    let AcpClosed(code, reason) = match select(pin!(connection.run()), pin!(lease.ended())).await {
        Either::Left((closed, _)) => closed,
        Either::Right(_) => AcpClosed(close::UNAUTHORIZED, ACCESS_ENDED),
    };
    connection.streams.close_all();
    // Does nothing if it is already closed.
    let _ = connection.socket.close(Some(code), Some(reason));
}

/// Passes on the client's messages until the client has gone.
async fn listen(socket: WebSocket, queue: Rc<WorkQueue>) {
    // Events that arrive before `events()` is called are not delivered.
    if let (Ok(mut events), Ok(())) = (socket.events(), socket.accept()) {
        while let Some(Ok(WebsocketEvent::Message(message))) = events.next().await {
            // The transport ignores binary messages.
            if let Some(text) = message.text() {
                if text.len() > ACP_MESSAGE_BYTES {
                    queue.push(AcpWork::TooLarge);
                    return;
                }
                queue.push(AcpWork::Client(text));
            }
        }
    }
    queue.push(AcpWork::Gone);
}

impl AcpConnection {
    async fn run(&mut self) -> AcpClosed {
        loop {
            if let Err(closed) = self.perform() {
                return closed;
            }
            if self.server.takes_news()
                && let Some(work) = self.held.pop_front()
            {
                self.take(work);
                continue;
            }
            let work = match self.wait().await {
                None => {
                    self.server.tick(now());
                    continue;
                }
                Some(work) => work,
            };
            match work {
                AcpWork::Gone => return AcpClosed(close::NORMAL, ""),
                AcpWork::TooLarge => {
                    return AcpClosed(close::TOO_LARGE, "the message is too large");
                }
                AcpWork::Stream(..) if !self.server.takes_news() || !self.held.is_empty() => {
                    self.held.push_back(work);
                }
                work => self.take(work),
            }
        }
    }

    /// Waits for work; `None` once it is time for [`AcpServer::tick`].
    async fn wait(&self) -> Option<AcpWork> {
        let due = self.server.poll_timeout().map_or(LONGEST_WAIT_MS, |due| {
            due.ms.saturating_sub(now().ms).clamp(1, LONGEST_WAIT_MS)
        });
        let timer = pin!(Delay::from(std::time::Duration::from_millis(due)));
        match select(pin!(self.queue.next()), timer).await {
            Either::Left((work, _)) => Some(work),
            Either::Right(_) => None,
        }
    }

    fn take(&mut self, work: AcpWork) {
        let input = match work {
            AcpWork::Client(text) => AcpInput::Client(text),
            AcpWork::Stream(session, generation, news) => {
                AcpInput::Stream(session, generation, news)
            }
            AcpWork::Answer(number, answer) => AcpInput::Answer(number, answer),
            AcpWork::Gone | AcpWork::TooLarge => return,
        };
        self.server.handle(now(), input);
    }

    fn perform(&mut self) -> Result<(), AcpClosed> {
        while let Some(output) = self.server.poll_output() {
            match output {
                AcpOutput::Client(text) => {
                    let sent = self.socket.send_with_str(&text);
                    sent.map_err(|_| AcpClosed(close::NORMAL, ""))?;
                }
                AcpOutput::Dial(session, generation) => self.streams.dial(&session, generation),
                AcpOutput::HangUp(session) => self.streams.close(&session),
                AcpOutput::Send(session, text) => self.streams.send(&session, &text),
                AcpOutput::Call(call) => {
                    let (env, caller) = (self.env.clone(), self.caller.clone());
                    spawn_local(answer(call, env, caller, Rc::clone(&self.queue)));
                }
                AcpOutput::Close(code, reason) => return Err(AcpClosed(code, reason)),
            }
        }
        Ok(())
    }
}

/// Sends a request to the API, and posts the answer.
async fn answer(call: ApiCall, env: Env, caller: Caller, queue: Rc<WorkQueue>) {
    let ApiCall { number, method, path, body } = call;
    let answered = match api(&env, &caller, &method, &path, body.as_deref()).await {
        Ok(mut response) => {
            let status = response.status_code();
            response.bytes().await.map(|body| ApiAnswer::Answered { status, body }).ok()
        }
        Err(RequestFailure::Api(error)) => {
            let body = serde_json::to_vec(error.body()).unwrap_or_default();
            Some(ApiAnswer::Answered { status: error.status().as_u16(), body })
        }
        Err(failure) => {
            console_error!("a request of a connection failed: {failure}");
            None
        }
    };
    queue.push(AcpWork::Answer(number, answered.unwrap_or(ApiAnswer::Unreachable)));
}

/// Sends a request with a caller's access to the object that owns its route.
async fn api(
    env: &Env,
    caller: &Caller,
    method: &http::Method,
    path: &str,
    body: Option<&str>,
) -> Result<worker::Response, RequestFailure> {
    let bare = path.split('?').next().unwrap_or_default();
    let Found::Route(matched) = find(method, bare) else {
        return Err(ApiError::no_route(&crate::reply::uri(bare)).into());
    };
    // The directory knows whether the session is in the project of the token.
    let session = matched.id.parse().ok().filter(|_| matched.route.is_of_session());
    if let Err(failure) = still(env, caller, session.as_ref()).await {
        let is_of_project = caller.grant.access.only_project().is_some();
        let is_refused = matches!(failure, RequestFailure::Api(_));
        let reaches_less = session.is_some() && is_of_project && is_refused;
        return Err(if reaches_less { ApiError::forbidden().into() } else { failure });
    }
    let access = &caller.grant.access;
    matched.route.admit(access, &matched.id, |_| Reached {
        project: access.only_project().cloned(),
        ..Reached::default()
    })?;
    let object = owner(env, &matched)?;
    let headers = Headers::new();
    headers.set(ACCESS, &caller.header())?;
    Ok(object_client::call_by(&object, method, path, &headers, body).await?)
}

fn now() -> Time {
    Time::from_ms(Date::now().as_millis())
}
