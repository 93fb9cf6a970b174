//! The sockets to the objects of the sessions that a client is attached to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::StreamExt as _;
use js_sys::Reflect;
use moorline_core::acp::StreamNews;
use moorline_core::routes::stream_route;
use moorline_shared::frame::Frame;
use moorline_shared::id::SessionId;
use moorline_shared::link::Generation;
use moorline_shared::message::{SUBPROTOCOL, ServerMessage, close};
use worker::wasm_bindgen_futures::spawn_local;
use worker::worker_sys::web_sys;
use worker::{Env, Headers, Result, WebSocket, WebsocketEvent, console_error};

use super::work::{AcpWork, WorkQueue};
use crate::internal::{ACCESS, Caller, OPENED, Opened};
use crate::object_client;
use crate::reply::RequestFailure;

/// The open sockets, and those that are being opened.
pub(super) struct SessionSockets {
    env: Env,
    caller: Caller,
    queue: Rc<WorkQueue>,
    /// The socket of each session with its generation; `None` while it is being opened.
    open: RefCell<BTreeMap<SessionId, (Generation, Option<WebSocket>)>>,
}

impl SessionSockets {
    pub(super) const fn new(env: Env, caller: Caller, queue: Rc<WorkQueue>) -> Self {
        Self { env, caller, queue, open: RefCell::new(BTreeMap::new()) }
    }

    /// Opens a socket, and posts its events.
    pub(super) fn dial(self: &Rc<Self>, session: &SessionId, generation: Generation) {
        self.close(session);
        self.open.borrow_mut().insert(session.clone(), (generation, None));
        spawn_local(carry(Rc::clone(self), session.clone(), generation));
    }

    pub(super) fn send(&self, session: &SessionId, text: &str) {
        if let Some((_, Some(socket))) = self.open.borrow().get(session) {
            // If it is closed, its end is posted.
            let _ = socket.send_with_str(text);
        }
    }

    pub(super) fn close(&self, session: &SessionId) {
        if let Some((_, Some(socket))) = self.open.borrow_mut().remove(session) {
            // Does nothing if it is already closed.
            let _ = socket.close(Some(close::NORMAL), Some(""));
        }
    }

    pub(super) fn close_all(&self) {
        let sessions: Vec<_> = self.open.borrow().keys().cloned().collect();
        sessions.iter().for_each(|session| self.close(session));
    }

    /// Keeps a socket that was opened. Returns false if it is no longer wanted.
    fn opened(&self, session: &SessionId, generation: Generation, socket: &WebSocket) -> bool {
        match self.open.borrow_mut().get_mut(session) {
            Some((wanted, place)) if *wanted == generation => {
                *place = Some(socket.clone());
                true
            }
            _ => false,
        }
    }

    /// Asks the session's object for a socket.
    async fn ask(&self, session: &SessionId) -> Result<std::result::Result<WebSocket, u16>> {
        let access = &self.caller.grant.access;
        if access.scope_of(session, access.only_project()).is_none() {
            return Ok(Err(close::FORBIDDEN));
        }
        let opened = Opened::new(&self.caller, stream_route(), Some(session));
        let directory = object_client::directory(&self.env)?;
        match object_client::post(&directory, OPENED, &opened).await {
            Ok(_) => {}
            Err(RequestFailure::Passed(_)) => return Ok(Err(close::FORBIDDEN)),
            Err(failure) => return Err(worker::Error::RustError(failure.to_string())),
        }
        let headers = Headers::new();
        headers.set(ACCESS, &self.caller.header())?;
        headers.set("upgrade", "websocket")?;
        headers.set("sec-websocket-protocol", SUBPROTOCOL)?;
        let object = object_client::session(&self.env, session)?;
        let path = format!("/sessions/{session}/stream");
        let response = object_client::call(&object, &path, &headers, None).await?;
        let code = match response.status_code() {
            401 | 403 => close::FORBIDDEN,
            400 | 404 => close::NOT_FOUND,
            429 => close::OVERLOADED,
            _ => close::ABNORMAL,
        };
        Ok(response.websocket().ok_or(code))
    }
}

/// Has binary messages arrive as buffers. By default they are blobs, which can only be read later.
fn receive_buffers(socket: &WebSocket) {
    let socket: &web_sys::WebSocket = socket.as_ref();
    if Reflect::set(socket, &"binaryType".into(), &"arraybuffer".into()).is_err() {
        console_error!("binary messages of a session's stream cannot be read");
    }
}

/// Carries the events of one socket until it is closed.
async fn carry(sockets: Rc<SessionSockets>, session: SessionId, generation: Generation) {
    let post = |news| sockets.queue.push(AcpWork::Stream(session.clone(), generation, news));
    let socket = match sockets.ask(&session).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(code)) => return post(StreamNews::Closed(code)),
        Err(error) => {
            console_error!("a session's stream cannot be opened: {error}");
            return post(StreamNews::Closed(close::ABNORMAL));
        }
    };
    receive_buffers(&socket);
    // Events that arrive before `events()` is called are not delivered.
    let (Ok(mut events), Ok(())) = (socket.events(), socket.accept()) else {
        return post(StreamNews::Closed(close::ABNORMAL));
    };
    if !sockets.opened(&session, generation, &socket) {
        let _ = socket.close(Some(close::NORMAL), Some(""));
        return;
    }
    post(StreamNews::Opened);
    loop {
        let news = match events.next().await {
            Some(Ok(WebsocketEvent::Message(message))) => match (message.text(), message.bytes()) {
                (Some(text), _) => match ServerMessage::from_json(&text) {
                    Ok(message) => StreamNews::Message(message),
                    Err(_) => StreamNews::Closed(close::ABNORMAL),
                },
                (None, Some(bytes)) => match Frame::decode(bytes.into()) {
                    Ok(frame) => StreamNews::Frame(frame.seq(), frame.data_len()),
                    Err(_) => StreamNews::Closed(close::ABNORMAL),
                },
                (None, None) => continue,
            },
            Some(Ok(WebsocketEvent::Close(event))) => StreamNews::Closed(event.code()),
            Some(Err(_)) | None => StreamNews::Closed(close::ABNORMAL),
        };
        let is_end = matches!(news, StreamNews::Closed(_));
        post(news);
        if is_end {
            return;
        }
    }
}
