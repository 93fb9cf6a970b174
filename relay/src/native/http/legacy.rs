//! The routes that seed 000 names as deprecated, bridged to the sessions of today:
//! `/claude/api/claude/chat` (WebSocket) and `/claude/api/claude/sessions`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use moorline_shared::event::kind;
use moorline_shared::message::{Scope, close};
use moorline_shared::rest::{CreateSession, Created, SessionList};
use moorline_shared::sse::{Item, Parser, SseEvent};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{BadQuery, Guarded, Naming, Starting, Upgrade, WithBody};
use super::error::ApiError;
use super::events::Live;
use super::extract::{Admin, Body, Params};
use super::openapi::{DEPRECATED, words};
use super::rest::session::type_prompt;
use super::rest::sessions;
use super::stream::configure;
use super::{App, Caller, rest};
use crate::core::api::ListQuery;
use crate::core::events::Encoding;
use crate::core::reader::Start;
use crate::native::clock::wall_ms;
use crate::native::session::SessionHandle;

/// When seed 000 deprecated these routes: 2025-01-21, as RFC 9745 writes it.
const DEPRECATION: &str = "@1737417600";
/// When they may go, as RFC 8594 writes it.
const SUNSET: &str = "Fri, 31 Dec 2027 23:59:59 GMT";
const SUCCESSORS: &str = "</api/sessions>; rel=\"successor-version\", \
    </api/openapi.json>; rel=\"service-desc\"";
/// The log is told of their use this often at most.
const WARN_EVERY_MS: u64 = 60_000;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(open))
        .layer(from_fn(deprecate))
}

/// As `GET /api/sessions`
#[utoipa::path(
    get, path = "/claude/api/claude/sessions", tag = DEPRECATED,
    operation_id = "deprecatedListSessions", params(ListQuery),
    responses(Guarded, BadQuery,
        (status = 200, description = "A page of those that match.", body = SessionList)),
)]
async fn list(
    admin: Admin,
    app: State<Arc<App>>,
    wanted: Params<ListQuery>,
) -> Result<Json<SessionList>, ApiError> {
    sessions::list(admin, app, wanted).await
}

/// As `POST /api/sessions`
#[utoipa::path(
    post, path = "/claude/api/claude/sessions", tag = DEPRECATED,
    operation_id = "deprecatedCreateSession", request_body = Option<CreateSession>,
    responses(Guarded, WithBody, Starting, Naming,
        (status = 201, description = "It runs.", body = Created)),
)]
async fn create(
    admin: Admin,
    app: State<Arc<App>>,
    wanted: Body<CreateSession>,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    sessions::create(admin, app, wanted).await
}

/// Says that these routes are deprecated: to the client by headers, to the operator by the log.
async fn deprecate(request: Request, next: Next) -> Response {
    static WARNED_MS: AtomicU64 = AtomicU64::new(0);
    let (now, warned) = (wall_ms(), WARNED_MS.load(Ordering::Relaxed));
    let due = now >= warned.saturating_add(WARN_EVERY_MS);
    let claim = || WARNED_MS.compare_exchange(warned, now, Ordering::Relaxed, Ordering::Relaxed);
    if due && claim().is_ok() {
        tracing::warn!(
            path = request.uri().path(),
            "/claude/api/claude/* is deprecated: use /api/sessions and /api/session/:id/events"
        );
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("deprecation"), HeaderValue::from_static(DEPRECATION));
    headers.insert(HeaderName::from_static("sunset"), HeaderValue::from_static(SUNSET));
    headers.insert(LINK, HeaderValue::from_static(SUCCESSORS));
    response
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    /// The session to listen to from the beginning.
    #[serde(alias = "session")]
    session_id: Option<String>,
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Said {
    Subscribe {
        session_id: String,
    },
    Command {
        session_id: Option<String>,
        command: String,
    },
    Ping,
    #[serde(other)]
    Unknown,
}

/// Listen to sessions and send them commands
#[utoipa::path(
    get, path = "/claude/api/claude/chat", tag = DEPRECATED, operation_id = "deprecatedChat",
    description = words::CHAT, params(Wanted),
    responses(Guarded, Upgrade),
)]
async fn open(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    wanted: Result<Params<Wanted>, ApiError>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !app.origins.allows(&headers) {
        return ApiError::origin().into_response();
    }
    let caller = match app.caller(&headers) {
        Ok(access) => Caller(access),
        Err(error) => return error.into_response(),
    };
    let Params(wanted) = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return error.into_response(),
    };
    match upgrade {
        Ok(upgrade) => configure(upgrade).on_upgrade(move |socket| async move {
            let chat = Chat { app, caller, socket, followed: None };
            chat.serve(wanted.session_id).await;
        }),
        Err(rejection) => {
            ApiError::no_upgrade(rejection.status(), rejection.body_text()).into_response()
        }
    }
}

/// One connected client.
struct Chat {
    app: Arc<App>,
    caller: Caller,
    socket: WebSocket,
    followed: Option<Followed>,
}

/// The session that a client listens to.
struct Followed {
    session: Arc<SessionHandle>,
    live: Live,
    parser: Parser,
}

/// The socket is of no more use.
struct Gone;

impl Chat {
    async fn serve(mut self, session_id: Option<String>) {
        let hello = json!({ "type": "connected", "message": "WebSocket connected" });
        // Who is gone needs no goodbye.
        let _ = async {
            self.say(&hello).await?;
            if let Some(id) = session_id {
                self.subscribe(&id).await?;
            }
            self.converse().await
        }
        .await;
    }

    async fn converse(&mut self) -> Result<(), Gone> {
        let every = moorline_shared::limits::HEARTBEAT;
        let mut heartbeat = interval_at(Instant::now() + every, every);
        let mut closing = self.app.registry.closing();
        loop {
            let Self { socket, followed, .. } = self;
            let next = async {
                match followed {
                    Some(followed) => followed.live.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                chunk = next => self.tell(chunk).await?,
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(&text).await?,
                    Some(Ok(Message::Binary(_))) => self.refuse("bad_message", "Send JSON text.").await?,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
                },
                _ = heartbeat.tick() => {
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

    async fn hear(&mut self, text: &str) -> Result<(), Gone> {
        match serde_json::from_str(text) {
            Ok(Said::Subscribe { session_id }) => self.subscribe(&session_id).await,
            Ok(Said::Command { session_id, command }) => self.command(session_id, &command).await,
            Ok(Said::Ping) => self.say(&json!({ "type": "pong" })).await,
            Ok(Said::Unknown) => Ok(()),
            Err(_) => self.refuse("bad_message", "Invalid JSON").await,
        }
    }

    async fn subscribe(&mut self, id: &str) -> Result<(), Gone> {
        let session = match find(&self.app, &self.caller, id).await {
            Ok((session, _)) => session,
            Err(error) => return self.say(&refusal(&error)).await,
        };
        let live = Live::open(&self.app, Arc::clone(&session), Start::Live, Encoding::Text);
        match live {
            Ok(live) => {
                let summary = session.summary();
                self.followed = Some(Followed { session, live, parser: Parser::new() });
                let id = &summary.session_id;
                self.say(&json!({ "type": "subscribed", "sessionId": id, "session": summary }))
                    .await
            }
            Err(error) => self.say(&refusal(&error)).await,
        }
    }

    async fn command(&mut self, id: Option<String>, command: &str) -> Result<(), Gone> {
        let own = || self.followed.as_ref().map(|followed| followed.session.id().to_string());
        let Some(id) = id.or_else(own) else {
            return self.refuse("bad_message", "Name a session: none is subscribed to.").await;
        };
        let session = match find(&self.app, &self.caller, &id).await {
            Ok((_, Scope::Read)) => return self.say(&refusal(&ApiError::forbidden())).await,
            Ok((session, Scope::Write)) => session,
            Err(error) => return self.say(&refusal(&error)).await,
        };
        match type_prompt(&session, command).await {
            Ok(()) => Ok(()),
            Err(error) => self.say(&refusal(&error)).await,
        }
    }

    /// Passes on what the session's event stream says; `None` is its end.
    async fn tell(&mut self, chunk: Option<Bytes>) -> Result<(), Gone> {
        let (Some(chunk), Some(followed)) = (chunk, &mut self.followed) else {
            self.followed = None;
            return Ok(());
        };
        let mut said = Vec::new();
        let read = followed.parser.push(&chunk, |item| {
            if let Item::Event(event) = item {
                said.extend(translate(&event));
            }
        });
        if let Err(error) = read {
            tracing::error!(%error, "an event stream of this relay cannot be read");
        }
        for message in said {
            self.say(&message).await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, code: &str, error: &str) -> Result<(), Gone> {
        self.say(&json!({ "type": "error", "error": error, "code": code })).await
    }

    async fn say(&mut self, message: &Value) -> Result<(), Gone> {
        self.socket.send(Message::text(message.to_string())).await.map_err(|_| Gone)
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

fn refusal(error: &ApiError) -> Value {
    let body = error.body();
    json!({ "type": "error", "error": body.error, "code": body.code, "sessionId": body.session_id })
}

/// An event as clients of the deprecated socket know it.
fn translate(event: &SseEvent) -> Option<Value> {
    let mut data: Value = serde_json::from_str(&event.data).ok()?;
    let id = data.get("sessionId")?.clone();
    match event.kind.as_str() {
        kind::CONNECTED => None,
        kind::SESSION_OUTPUT => Some(json!({
            "type": "output",
            "sessionId": id,
            "data": { "type": "stdout", "content": data["content"], "timestamp": data["timestamp"] },
        })),
        kind::SESSION_STATUS => {
            data["type"] = "status".into();
            Some(data)
        }
        kind::SESSION_ERROR => {
            data["type"] = "error".into();
            Some(data)
        }
        _ => Some(data),
    }
}
