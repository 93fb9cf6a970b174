//! The routes that seed 000 names as deprecated, bridged to the sessions of today: see
//! [`moorline_core::legacy`].

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use moorline_shared::message::{Scope, close};
use moorline_shared::rest::{CreateSession, Created, SessionList};
use serde::Deserialize;
use tokio::time::{Instant, interval_at};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{BadQuery, Guarded, Naming, Starting, Upgrade, WithBody};
use super::error::{ApiError, HttpError, no_upgrade};
use super::events::Live;
use super::extract::{Admin, Body, Params};
use super::openapi::{DEPRECATED, words};
use super::rest::session::type_prompt;
use super::rest::sessions;
use super::stream::configure;
use super::{App, Caller, rest};
use crate::clock::wall_ms;
use crate::session::SessionHandle;
use moorline_core::api::ListQuery;
use moorline_core::events::Encoding;
use moorline_core::legacy::{self, Chat, Warned, Wish, refusal};
use moorline_core::reader::Start;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(open))
        .layer(from_fn(deprecate))
}

/// As `GET /api/sessions`
#[utoipa::path(
    get, path = legacy::SESSIONS, tag = DEPRECATED,
    operation_id = "deprecatedListSessions", params(ListQuery),
    responses(Guarded, BadQuery,
        (status = 200, description = "A page of those that match.", body = SessionList)),
)]
async fn list(
    admin: Admin,
    app: State<Arc<App>>,
    wanted: Params<ListQuery>,
) -> Result<Json<SessionList>, HttpError> {
    sessions::list(admin, app, wanted).await
}

/// As `POST /api/sessions`
#[utoipa::path(
    post, path = legacy::SESSIONS, tag = DEPRECATED,
    operation_id = "deprecatedCreateSession", request_body = Option<CreateSession>,
    responses(Guarded, WithBody, Starting, Naming,
        (status = 201, description = "It runs.", body = Created)),
)]
async fn create(
    admin: Admin,
    app: State<Arc<App>>,
    wanted: Body<CreateSession>,
) -> Result<(StatusCode, Json<Created>), HttpError> {
    sessions::create(admin, app, wanted).await
}

/// Says that these routes are deprecated: to the client by headers, to the operator by the log.
async fn deprecate(request: Request, next: Next) -> Response {
    static WARNED: Warned = Warned::never();
    if WARNED.is_due(wall_ms()) {
        tracing::warn!(path = request.uri().path(), "{}", legacy::WARNING);
    }
    let mut response = next.run(request).await;
    let headers = legacy::HEADERS
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", default)]
struct ChatQuery {
    /// The session to listen to from the beginning.
    #[serde(alias = "session")]
    session_id: Option<String>,
}

/// Listen to sessions and send them commands
#[utoipa::path(
    get, path = legacy::CHAT, tag = DEPRECATED, operation_id = "deprecatedChat",
    description = words::CHAT, params(ChatQuery),
    responses(Guarded, Upgrade),
)]
async fn open(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    wanted: Result<Params<ChatQuery>, HttpError>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !app.origins.allows(&headers) {
        return HttpError::from(ApiError::origin()).into_response();
    }
    let caller = match app.caller(&headers) {
        Ok(caller) => caller,
        Err(error) => return HttpError::from(error).into_response(),
    };
    let Params(wanted) = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return error.into_response(),
    };
    match upgrade {
        Ok(upgrade) => configure(upgrade).on_upgrade(move |socket| async move {
            let (chat, hello) = Chat::open();
            let client = Client { app, caller, socket, chat, followed: None };
            client.serve(hello, wanted.session_id).await;
        }),
        Err(rejection) => no_upgrade(&rejection).into_response(),
    }
}

/// One connected client.
struct Client {
    app: Arc<App>,
    caller: Caller,
    socket: WebSocket,
    chat: Chat,
    /// What it listens to.
    followed: Option<Live>,
}

/// The socket is of no more use.
struct Gone;

impl Client {
    async fn serve(mut self, hello: String, session_id: Option<String>) {
        // Who is gone needs no goodbye.
        let _ = async {
            self.tell(hello).await?;
            if let Some(id) = session_id {
                self.fulfil(Wish::Subscribe(id)).await?;
            }
            self.converse().await
        }
        .await;
    }

    async fn converse(&mut self) -> Result<(), Gone> {
        let every = moorline_shared::limits::HEARTBEAT;
        let mut heartbeat = interval_at(Instant::now() + every, every);
        let mut closing = self.app.registry.closing();
        let mut heard = Instant::now();
        loop {
            let Self { socket, followed, .. } = self;
            let next = async {
                match followed {
                    Some(live) => live.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                chunk = next => self.pass_on(chunk).await?,
                message = socket.recv() => {
                    heard = Instant::now();
                    self.hear(message).await?;
                }
                _ = heartbeat.tick() => {
                    if heard.elapsed() > moorline_shared::limits::DEAD_AFTER {
                        return Err(Gone);
                    }
                    self.socket.send(Message::Ping(Bytes::new())).await.map_err(|_| Gone)?;
                }
                Ok(()) = closing.changed() => {
                    let reason = Utf8Bytes::from_static("the relay is shutting down");
                    let frame = CloseFrame { code: close::GOING_AWAY, reason };
                    return self.socket.send(Message::Close(Some(frame))).await.map_err(|_| Gone);
                }
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Gone> {
        match message {
            Some(Ok(Message::Text(text))) => match self.chat.text(&text) {
                Some(wish) => self.fulfil(wish).await,
                None => Ok(()),
            },
            Some(Ok(Message::Binary(_))) => self.fulfil(self.chat.binary()).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
        }
    }

    async fn fulfil(&mut self, wish: Wish) -> Result<(), Gone> {
        let refused = match wish {
            Wish::Tell(text) => return self.tell(text).await,
            Wish::Subscribe(id) => match self.subscribe(&id).await {
                Ok(told) => return self.tell(told).await,
                Err(error) => error,
            },
            Wish::Command { session_id: id, command } => {
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
        let live = Live::open(&self.app, Arc::clone(&session), Start::Live, Encoding::Text)?;
        self.followed = Some(live);
        Ok(self.chat.subscribed(&session.summary()))
    }

    /// Passes on what the session's event stream says; `None` is its end.
    async fn pass_on(&mut self, chunk: Option<Bytes>) -> Result<(), Gone> {
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

    async fn tell(&mut self, text: String) -> Result<(), Gone> {
        self.socket.send(Message::text(text)).await.map_err(|_| Gone)
    }
}

async fn type_in(app: &App, caller: &Caller, id: &str, command: &str) -> Result<(), ApiError> {
    match find(app, caller, id).await? {
        (session, Scope::Write) => type_prompt(&session, command).await,
        (_, Scope::Read) => Err(ApiError::forbidden()),
    }
}

async fn find(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(Arc<SessionHandle>, Scope), ApiError> {
    let (id, scope) = rest::allowed(caller, id)?;
    Ok((rest::find(app, &id).await?, scope))
}
