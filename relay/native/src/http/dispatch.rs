//! Dispatches each request to its handler by the core's table of routes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use moorline_core::auth::Grant;
use moorline_core::legacy;
use moorline_core::routes::{self, Call, Found, Handler, Matched, Need, Reply, Route, find};
use moorline_shared::id::SessionId;

use super::error::{ApiError, HttpError, method_not_allowed};
use super::extract::{Caller, caller, read_body, read_json};
use super::{
    App, acp, events, hosts, openapi, overview, pages, plain, rest, stream, workspace_events,
};
use crate::clock::wall_ms;
use crate::registry::random;

/// Finds the request's route and adds it to the request's extensions, for the layers within and for [`dispatch`].
pub(super) async fn locate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_off = !app.legacy && legacy::is_legacy(path);
    let found = if is_off { Found::Nothing } else { find(request.method(), path) };
    request.extensions_mut().insert(found);
    next.run(request).await
}

/// Answers a request by the route that [`locate`] has found.
pub(super) async fn dispatch(State(app): State<Arc<App>>, request: Request) -> Response {
    match request.extensions().get::<Found>().cloned() {
        Some(Found::Route(matched)) => {
            let is_legacy = legacy::is_legacy(matched.route.path);
            let response = routed(&app, matched, request).await;
            if is_legacy { super::legacy::deprecate(response) } else { response }
        }
        Some(Found::OtherMethod { allow }) => {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            let mut response = method_not_allowed(method, uri).await.into_response();
            if let Ok(allow) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(ALLOW, allow);
            }
            response
        }
        Some(Found::Nothing) | None => pages::serve(&app, request).await,
    }
}

/// [`dispatch`], for requests that the relay makes for a client itself.
fn dispatch_boxed(app: Arc<App>, request: Request) -> BoxFuture<'static, Response> {
    Box::pin(dispatch(State(app), request))
}

async fn routed(app: &Arc<App>, matched: Matched, request: Request) -> Response {
    let long_name = matched.long_name.clone();
    let response = match matched.route.handler {
        Handler::Relay(
            call @ (Call::Stream
            | Call::Plain
            | Call::Acp
            | Call::Chat
            | Call::Publish
            | Call::Control),
        ) => socket(app, call, matched, request).await,
        _ => handled(app, matched, request).await.unwrap_or_else(HttpError::into_response),
    };
    match long_name {
        // A long name is valid only once its terminal exists.
        Some(name) if response.status() == StatusCode::NOT_FOUND => {
            HttpError::from(ApiError::invalid_id(&name)).into_response()
        }
        _ => response,
    }
}

/// Opens a socket. Its handler admits the caller: a page cannot read an HTTP error of its WebSocket.
async fn socket(app: &Arc<App>, call: Call, matched: Matched, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let opened = match call {
        Call::Control => hosts::control(app, matched.route, &matched.id, &parts, upgrade),
        Call::Publish => hosts::publish(app, matched.route, &matched.id, &parts, upgrade).await,
        Call::Stream => return stream::open(app, matched, &parts, upgrade).await,
        Call::Plain => return plain::open(app, matched, &parts, upgrade).await,
        Call::Acp => return acp::open(app, matched.route, &parts, upgrade, dispatch_boxed).await,
        _ => super::legacy::open(app, matched.route, &parts, upgrade),
    };
    opened.unwrap_or_else(HttpError::into_response)
}

async fn handled(
    app: &Arc<App>,
    matched: Matched,
    request: Request,
) -> Result<Response, HttpError> {
    let Matched { route, id, item, .. } = matched;
    let (parts, body) = request.into_parts();
    let allowed = match route.need {
        Need::Nothing => None,
        _ => {
            let caller = caller(app, route, &parts)?;
            app.admit(&caller, route, &id)?;
            if route.need == Need::Start {
                app.count_start(&caller)?;
            }
            Some(caller)
        }
    };
    let session =
        || -> Result<SessionId, ApiError> { id.parse().map_err(|_| ApiError::invalid_id(&id)) };
    // A route that needs no token reads no grant.
    let grant = allowed.as_ref().map_or_else(Grant::unstored, |caller| caller.grant.clone());
    let path = PathIds { route, id: id.clone(), item, grant };
    let reply = match route.handler {
        Handler::Read(read) => {
            let request = incoming(&path, &parts)?;
            app.registry.view(|view| read(view, &request))?
        }
        Handler::Change(decide) => {
            let request = with_body(&path, Request::from_parts(parts, body)).await?;
            app.registry.change(decide, request).await?
        }
        Handler::Start(start) => {
            let request = with_body(&path, Request::from_parts(parts, body)).await?;
            app.registry.start_by(start, &request).await?
        }
        Handler::Remove(reply) => {
            let id = session()?;
            app.registry.delete(&id).await?;
            reply(&id)
        }
        Handler::Session(read) => {
            let session = rest::find(app, &session()?).await?;
            read(&session.lock().session, &incoming(&path, &parts)?)?
        }
        Handler::Output(open) => {
            let session = rest::find(app, &session()?).await?;
            let caller = allowed.as_ref().ok_or_else(ApiError::no_token)?;
            let lease = app.lease(caller, route, &id);
            let mut signal = lease.signal();
            let request = incoming(&path, &parts)?;
            tokio::select! {
                reply = session.output(open, &request) => reply?,
                _ = signal.not_allowed() => return Err(ApiError::wrong_token().into()),
            }
        }
        Handler::Write(write) => {
            // A missing session takes precedence over errors in the request.
            let session = rest::find(app, &session()?).await?;
            let request = with_body(&path, Request::from_parts(parts, body)).await?;
            rest::session::write(app, &session, write(session.id(), &request)?).await?
        }
        Handler::Act(ask) => {
            let session = rest::find(app, &session()?).await?;
            let request = with_body(&path, Request::from_parts(parts, body)).await?;
            rest::session::act(app, &session, ask, &request).await?
        }
        Handler::Operations(ask) => {
            let session = rest::find(app, &session()?).await?;
            let request = with_body(&path, Request::from_parts(parts, body)).await?;
            rest::operations::ask(app, &session, ask(session.id(), &request)?).await?
        }
        Handler::Ask(ask) => {
            let session = rest::find(app, &session()?).await?;
            let request = with_body(&path, Request::from_parts(parts, body)).await?;
            rest::questions::ask(app, &session, ask, &request).await?
        }
        Handler::Files(ask) => {
            let session = rest::find(app, &session()?).await?;
            rest::files::find(app, &session, ask(&incoming(&path, &parts)?)?).await?
        }
        Handler::Workspace(handler) => {
            let request = incoming(&path, &parts)?;
            let caller = allowed.as_ref().ok_or_else(ApiError::no_token)?;
            let lease = app.lease(caller, route, &id);
            let mut signal = lease.signal();
            return tokio::select! {
                answer = rest::workspaces::answer(app, handler, request, (parts, body)) => answer,
                _ = signal.not_allowed() => Err(ApiError::wrong_token().into()),
            };
        }
        Handler::Relay(call) => {
            return own(app, call, &path, allowed, (parts, body)).await;
        }
    };
    Ok(json(reply))
}

/// Handles the routes that each relay implements itself.
async fn own(
    app: &Arc<App>,
    call: Call,
    path: &PathIds,
    allowed: Option<Caller>,
    (parts, body): (Parts, Body),
) -> Result<Response, HttpError> {
    let id = &*path.id;
    let session = || id.parse::<SessionId>().map_err(|_| ApiError::invalid_id(id));
    let caller = || allowed.as_ref().ok_or_else(ApiError::no_token);
    Ok(match call {
        Call::Health => rest::health(app).into_response(),
        Call::Description => openapi::document(app.legacy).into_response(),
        Call::Metrics => rest::metrics::prometheus(app)?.into_response(),
        Call::DebugMetrics => rest::metrics::debug(app).into_response(),
        Call::LogIn => rest::access::log_in(app, caller()?, &parts)?.into_response(),
        Call::LogOut => rest::access::log_out(app, &parts)?.into_response(),
        Call::LogOutEverywhere => {
            rest::access::log_out_everywhere(app, caller()?, &parts.headers)?.into_response()
        }
        Call::PasskeyLogin => rest::passkeys::ask(app, &parts)?.into_response(),
        Call::LogInByPasskey => {
            let presented = read_json(Request::from_parts(parts.clone(), body)).await?;
            rest::passkeys::log_in(app, &parts, &presented)?.into_response()
        }
        Call::ListPasskeys => rest::passkeys::list(app, caller()?)?.into_response(),
        Call::PasskeyCreation => rest::passkeys::begin(app, caller()?, &parts)?.into_response(),
        Call::AddPasskey => {
            let wanted = read_json(Request::from_parts(parts.clone(), body)).await?;
            rest::passkeys::add(app, caller()?, &parts, &wanted)?.into_response()
        }
        Call::RemovePasskey => rest::passkeys::remove(app, caller()?, id)?.into_response(),
        Call::CreateTicket => rest::access::ticket(app, caller()?)?.into_response(),
        Call::ListTokens => rest::tokens::list(app)?.into_response(),
        Call::CreateToken => {
            let wanted = read_json(Request::from_parts(parts, body)).await?;
            rest::tokens::create(app, caller()?, &wanted)?.into_response()
        }
        Call::ChangeToken => {
            let wanted = read_json(Request::from_parts(parts, body)).await?;
            rest::tokens::change(app, caller()?, id, &wanted)?.into_response()
        }
        Call::RevokeToken => rest::tokens::revoke(app, caller()?, id)?.into_response(),
        Call::Audit => rest::audit::list(app, &incoming(path, &parts)?).await?.into_response(),
        Call::HostRules | Call::RevokeRule => {
            json(rest::hosts::rules(app, call, &incoming(path, &parts)?).await?)
        }
        Call::PushKey => rest::push::key(app)?.into_response(),
        Call::SubscribePush => {
            let wanted = read_json(Request::from_parts(parts, body)).await?;
            rest::push::subscribe(app, caller()?, &wanted)?.into_response()
        }
        Call::UnsubscribePush => rest::push::unsubscribe(app, caller()?, id)?.into_response(),
        Call::ListEvents => overview::open(app, caller()?, path.route),
        Call::Fork => {
            let wanted = read_json(Request::from_parts(parts, body)).await?;
            json(rest::sessions::fork(app, &session()?, wanted).await?)
        }
        Call::HostAgents => json(rest::hosts::agents(app, id).await?),
        Call::HostTmux => json(rest::hosts::tmux(app, id).await?),
        Call::HostPods | Call::SavePodTemplate | Call::RemovePods => {
            let asked = with_body(path, Request::from_parts(parts, body)).await?;
            json(rest::hosts::pods(app, call, &asked).await?)
        }
        Call::SessionContext => rest::session::context(app, &session()?).await?.into_response(),
        Call::SessionEvents => {
            let (caller, route) = (caller()?, path.route);
            events::open(app, &session()?, &parts, (caller, route)).await?
        }
        Call::WorkspaceEvents => {
            let (request, caller) = (incoming(path, &parts)?, (caller()?, path.route));
            workspace_events::open(app, caller, &request, &parts.headers)?
        }
        // Not reached: `routed` opens sockets.
        Call::Stream | Call::Plain | Call::Acp | Call::Chat | Call::Publish | Call::Control => {
            return Err(ApiError::no_route(&parts.uri).into());
        }
    })
}

/// The route and the ids in a request's path, and what the caller's token gives.
struct PathIds {
    route: &'static Route,
    id: String,
    item: String,
    grant: Grant,
}

/// Converts the request for the core's handlers, without its body.
fn incoming(path: &PathIds, parts: &Parts) -> Result<routes::Request, ApiError> {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    Ok(routes::Request {
        id: path.id.clone(),
        item: path.item.clone(),
        grant: path.grant.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body: bytes::Bytes::new(),
        now_ms: wall_ms(),
        random: random()?,
    })
}

async fn with_body(path: &PathIds, request: Request) -> Result<routes::Request, HttpError> {
    let (parts, body) = request.into_parts();
    let incoming = incoming(path, &parts)?;
    let body = read_body(Request::from_parts(parts, body)).await?;
    Ok(routes::Request { body, ..incoming })
}

fn json(reply: Reply) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (reply.status, kind, reply.body).into_response()
}
