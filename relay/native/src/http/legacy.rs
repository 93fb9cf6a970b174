//! The deprecated routes, mapped to today's sessions: see [`moorline_core::legacy`].

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use moorline_shared::link::Liveness;
use moorline_shared::message::Scope;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::descriptions;
use super::error::{ApiError, HttpError, no_upgrade};
use super::events::LiveEvents;
use super::stream::configure;
use super::{App, Caller, rest};
use crate::auth::{AccessEnd, AccessLease};
use crate::clock::wall_ms;
use crate::session::SessionHandle;
use crate::websocket;
use moorline_core::api::responses::{Guarded, Upgrade};
use moorline_core::events::Encoding;
use moorline_core::legacy::{self, Chat, ChatAction, Warned, refusal};
use moorline_core::openapi::DEPRECATED;
use moorline_core::reader::Start;
use moorline_core::routes::{Route, events_route, prompt_of};

/// Marks a response as deprecated by headers, and warns the operator in the log.
pub(super) fn deprecate(mut response: Response) -> Response {
    static WARNED: Warned = Warned::never();
    if WARNED.is_due(wall_ms()) {
        tracing::warn!("{}", legacy::WARNING);
    }
    let headers = legacy::HEADERS
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", default)]
struct ChatQuery {
    /// The session to follow from the start.
    #[serde(alias = "session")]
    session_id: Option<String>,
}

/// Listen to sessions and send them commands
#[utoipa::path(
    get, path = legacy::CHAT, tag = DEPRECATED, operation_id = "deprecatedChat",
    description = descriptions::CHAT, params(ChatQuery),
    responses(Guarded, Upgrade),
)]
pub(super) fn open(
    app: &Arc<App>,
    route: &'static Route,
    parts: &Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    if !app.origins.allows(&parts.headers) {
        return Err(ApiError::origin().into());
    }
    let caller = app.caller(parts)?;
    let wanted = Query::<ChatQuery>::try_from_uri(&parts.uri);
    let Query(wanted) = wanted.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let upgrade = configure(upgrade.map_err(|rejection| no_upgrade(&rejection))?);
    let (app, lease) = (Arc::clone(app), app.connect(&caller, route, ""));
    Ok(upgrade.on_upgrade(move |socket| async move {
        let (chat, hello) = Chat::open();
        let client = ChatClient { app, caller, socket, chat, lease, followed: None };
        client.serve(hello, wanted.session_id).await;
    }))
}

/// A client that is connected to the chat route.
struct ChatClient {
    app: Arc<App>,
    caller: Caller,
    socket: WebSocket,
    chat: Chat,
    lease: AccessLease,
    /// The events of the session that it follows.
    followed: Option<LiveEvents>,
}

/// The error of a socket that is closed or broken.
struct ChatGone;

impl ChatClient {
    async fn serve(mut self, hello: String, session_id: Option<String>) {
        let served = async {
            self.tell(hello).await?;
            if let Some(id) = session_id {
                self.fulfil(ChatAction::Subscribe(id)).await?;
            }
            self.converse().await
        }
        .await;
        // A client that has gone needs no close.
        if let Ok((code, reason)) = served.map(AccessEnd::close) {
            websocket::close(self.socket, code, reason).await;
        }
    }

    /// Serves the client until its lease ends.
    async fn converse(&mut self) -> Result<AccessEnd, ChatGone> {
        // Only pings count as said: a client that only listens shows by its pongs that it is there.
        let mut liveness = Liveness::new(Instant::now());
        loop {
            let Self { socket, followed, lease, .. } = self;
            let next = async {
                match followed {
                    Some(live) => live.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                chunk = next => self.pass_on(chunk).await?,
                message = socket.recv() => {
                    liveness.heard(Instant::now());
                    self.hear(message).await?;
                }
                () = sleep_until(liveness.poll_timeout()) => {
                    let now = Instant::now();
                    if liveness.is_dead(now) {
                        return Err(ChatGone);
                    }
                    liveness.said(now);
                    self.socket.send(Message::Ping(Bytes::new())).await.map_err(|_| ChatGone)?;
                }
                ending = lease.ended() => return Ok(ending),
            }
        }
    }

    async fn hear(
        &mut self,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), ChatGone> {
        match message {
            Some(Ok(Message::Text(text))) => match self.chat.text(&text) {
                Some(wish) => self.fulfil(wish).await,
                None => Ok(()),
            },
            Some(Ok(Message::Binary(_))) => self.fulfil(self.chat.binary()).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(ChatGone),
        }
    }

    async fn fulfil(&mut self, wish: ChatAction) -> Result<(), ChatGone> {
        let refused = match wish {
            ChatAction::Tell(text) => return self.tell(text).await,
            ChatAction::Subscribe(id) => match self.subscribe(&id).await {
                Ok(told) => return self.tell(told).await,
                Err(error) => error,
            },
            ChatAction::Command { session_id: id, command } => {
                match type_in(&self.app, &self.caller, &id, &command).await {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                }
            }
        };
        self.tell(refusal(refused.body())).await
    }

    async fn subscribe(&mut self, id: &str) -> Result<String, ApiError> {
        let (session, _) = find(&self.app, &self.caller, id).await?;
        // What it follows needs a lease of its own: the session may move out of its reach.
        let lease = self.app.lease(&self.caller, events_route(), id);
        let session_events = Arc::clone(&session);
        let live = LiveEvents::open(session_events, Start::Live, Encoding::Text, lease)?;
        self.followed = Some(live);
        Ok(self.chat.subscribed(&session.summary()))
    }

    /// Passes on events of the session's stream. `None` is the stream's end.
    async fn pass_on(&mut self, chunk: Option<Bytes>) -> Result<(), ChatGone> {
        let Some(chunk) = chunk else {
            self.followed = None;
            self.chat.ended();
            return Ok(());
        };
        for told in self.chat.events(&chunk) {
            self.tell(told).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, text: String) -> Result<(), ChatGone> {
        self.socket.send(Message::text(text)).await.map_err(|_| ChatGone)
    }
}

async fn type_in(app: &Arc<App>, caller: &Caller, id: &str, command: &str) -> Result<(), ApiError> {
    match find(app, caller, id).await? {
        (session, Scope::Write) => {
            let write = prompt_of(session.id(), command, wall_ms())?;
            rest::session::write(app, &session, write).await.map(drop)
        }
        (_, Scope::Read) => Err(ApiError::forbidden()),
    }
}

async fn find(
    app: &Arc<App>,
    caller: &Caller,
    id: &str,
) -> Result<(Arc<SessionHandle>, Scope), ApiError> {
    let (id, scope) = rest::allowed(app, caller, id)?;
    Ok((rest::find(app, &id).await?, scope))
}
