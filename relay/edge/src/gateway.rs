//! The Worker itself, which receives every request first. It identifies the caller once; a header
//! then tells the objects what the caller may do.

mod access;
mod acp;
mod event_socket;
mod files;
mod lease;
mod legacy;
mod login;
mod passkeys;
mod rates;
mod refusal;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use moorline_core::api::csp::FrameAncestors;
use moorline_core::api::paths::is_api;
use moorline_core::api::{ApiError, answering};
use moorline_core::auth::{HostPolicy, OriginPolicy, cookie, cors, may_change, repeated};
use moorline_core::legacy::is_legacy;
use moorline_core::refusal::Why;
use moorline_core::routes::{Call, Found, Handler, Matched, Need, Subject, find};
use moorline_shared::id::SessionId;
use moorline_shared::message::Scope;
use moorline_shared::rest::Health;
use worker::{Context, Env, Request, Response, Result, Stub, event};

use crate::address::authority;
use crate::internal::{ACCESS, Caller, ENSURE, Ensure, OPENED, Opened};
use crate::object_client;
use crate::reply::{self, Answer, RequestFailure, is_upgrade, json, send};
use crate::settings::terminal_driver;
use refusal::{refuse, unidentified};

const HEALTH: &str = "/healthz";

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _context: Context) -> Result<Response> {
    let gateway = Gateway::open(env, &request);
    let answer = gateway.answer(&request).await;
    reply::drain(&mut request).await;
    let response = send(answer)?;
    gateway.finish(response)
}

/// The request's parts and the policies that decide whether it may pass.
struct Gateway {
    env: Env,
    method: Method,
    path: String,
    headers: HeaderMap,
    hosts: HostPolicy,
    origins: OriginPolicy,
}

impl Gateway {
    fn open(env: Env, request: &Request) -> Self {
        let origins = list(&env, "MOORLINE_ALLOW_ORIGIN");
        let mut names = list(&env, "MOORLINE_ALLOW_HOST");
        if names.is_empty() {
            // A Worker is only reached by names that were routed to it on purpose.
            names.push("*".to_owned());
        }
        let mut headers = reply::headers(request.headers());
        if !headers.contains_key(HOST)
            && let Some(host) = authority(&request.inner().url())
            && let Ok(host) = HeaderValue::from_str(host)
        {
            headers.insert(HOST, host);
        }
        if request.inner().url().starts_with("https://") {
            headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        }
        Self {
            env,
            method: reply::method(request),
            path: request.path(),
            headers,
            hosts: HostPolicy::new(names, &origins),
            origins: OriginPolicy::new(origins),
        }
    }

    async fn answer(&self, request: &Request) -> Answer {
        self.pace().await?;
        if let Some(header) = repeated(&self.headers) {
            return Err(ApiError::repeated(&header).into());
        }
        // A health check may use any name.
        if self.path != HEALTH && !self.hosts.allows(&self.headers) {
            return Err(ApiError::host().into());
        }
        let is_preflight = cors::is_preflight(&self.method, &self.headers);
        let changes = !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if (changes || is_preflight) && !may_change(&self.headers, &self.origins) {
            return Err(ApiError::origin().into());
        }
        if is_preflight {
            return Ok(reply::with(reply::nothing()?, cors::of_preflight(&self.headers))?);
        }
        if is_legacy(&self.path) { self.legacy(request).await } else { self.found(request).await }
    }

    /// Adds the headers that every answer has.
    fn finish(&self, response: Response) -> Result<Response> {
        if response.status_code() == StatusCode::SWITCHING_PROTOCOLS.as_u16() {
            return Ok(response);
        }
        let said = |name| {
            let value = response.headers().get(name).ok().flatten();
            value.and_then(|value| HeaderValue::from_str(&value).ok())
        };
        let (cache_control, vary) = (said("cache-control"), said("vary"));
        let (cache_control, vary) = (cache_control.as_ref(), vary.as_ref());
        let headers = answering::headers(&self.origins, &self.headers, cache_control, vary);
        let response = reply::with(response, headers)?;
        if let Some(clear) = cookie::clear_former(&self.headers) {
            response.headers().append("set-cookie", &clear)?;
        }
        Ok(response)
    }

    async fn found(&self, request: &Request) -> Answer {
        match find(&self.method, &self.path) {
            Found::Route(matched) => {
                let answer = self.route(&matched, request).await;
                match matched.long_name {
                    // A name that is too long for an id is only valid if its terminal exists.
                    Some(name) if is_missing(&answer) => Err(ApiError::invalid_id(&name).into()),
                    _ => answer,
                }
            }
            Found::OtherMethod { allow } => {
                let mut response =
                    send(Err(ApiError::method_not_allowed(&self.method, &self.uri()).into()))?;
                response.headers_mut().set("allow", &allow)?;
                Ok(response)
            }
            Found::Nothing if is_api(&self.path) => Err(ApiError::no_route(&self.uri()).into()),
            Found::Nothing => self.file().await,
        }
    }

    async fn route(&self, matched: &Matched, request: &Request) -> Answer {
        if matched.route.is_event_stream() && is_upgrade(request) {
            return self.event_socket(matched, request).await;
        }
        match matched.route.handler {
            Handler::Relay(Call::Health) => health(),
            Handler::Relay(Call::Description) => self.description().await,
            Handler::Relay(Call::LogIn) => self.log_in(request).await,
            Handler::Relay(Call::LogOut) => self.log_out().await,
            Handler::Relay(Call::LogOutEverywhere) => {
                self.log_out_everywhere(matched, request).await
            }
            Handler::Relay(
                call @ (Call::PasskeyLogin
                | Call::LogInByPasskey
                | Call::PasskeyCreation
                | Call::AddPasskey),
            ) => self.passkey(call, matched, request).await,
            Handler::Relay(Call::Chat) => self.chat(request).await,
            Handler::Relay(Call::Acp) => self.acp(request).await,
            Handler::Relay(call @ (Call::Stream | Call::Plain)) => {
                if is_upgrade(request) {
                    return self.socket(matched, call, request).await;
                }
                if !self.origins.allows(&self.headers) {
                    return Err(ApiError::origin().into());
                }
                self.pass_on(matched, request).await
            }
            _ => self.pass_on(matched, request).await,
        }
    }

    /// Passes the request on to the object that owns the route.
    async fn pass_on(&self, matched: &Matched, request: &Request) -> Answer {
        let caller = self.admit(matched, request).await?;
        let object = owner(&self.env, matched)?;
        Ok(object.fetch_with_request(told(request, &caller)?).await?)
    }

    /// Opens a client's WebSocket. A browser hides the HTTP error of a WebSocket from its page, so
    /// a refusal is sent in a form that the page can read.
    async fn socket(&self, matched: &Matched, call: Call, request: &Request) -> Answer {
        if !self.origins.allows(&self.headers) {
            return refuse(self, call, Why::Origin, ApiError::origin().into());
        }
        let id = matched.id.parse::<SessionId>();
        let found = match self.caller(None, id.clone().ok()).await {
            Ok(found) => found,
            Err(failure) => return refuse(self, call, unidentified(&failure), failure),
        };
        let Ok(id) = id else {
            return refuse(self, call, Why::Id, ApiError::invalid_id(&matched.id).into());
        };
        if let Err(failure) = self.admitted(matched, &found).await {
            return refuse(self, call, Why::Session, failure);
        }
        let caller = found.caller;
        if call == Call::Plain && caller.grant.access.scope() == Some(Scope::Write) {
            // A caller that may type in a session may also start it.
            let wanted = Ensure {
                session_id: id.clone(),
                name: matched.long_name.clone(),
                caller: caller.clone(),
            };
            let there =
                object_client::post(&object_client::directory(&self.env)?, ENSURE, &wanted).await;
            if let Err(failure) = there {
                let driver = terminal_driver(&self.env);
                return refusal::not_created(failure, driver.as_deref()).await;
            }
        }
        if let Err(failure) = self.opens(&caller, matched).await {
            return refuse(self, call, unidentified(&failure), failure);
        }
        let object = object_client::session(&self.env, &id)?;
        Ok(object.fetch_with_request(told(request, &caller)?).await?)
    }

    /// Has the directory record a connection that is about to be opened, so that it can be closed.
    async fn opens(
        &self,
        caller: &Caller,
        matched: &Matched,
    ) -> std::result::Result<(), RequestFailure> {
        let session = matched.id.parse().ok().filter(|_| matched.route.is_of_session());
        let opened = Opened::new(caller, matched.route, session.as_ref());
        let directory = object_client::directory(&self.env)?;
        object_client::post(&directory, OPENED, &opened).await.map(drop)
    }

    /// Returns the caller if its access is enough for the route.
    async fn admit(
        &self,
        matched: &Matched,
        request: &Request,
    ) -> std::result::Result<Caller, RequestFailure> {
        let route = matched.route;
        // A host is not a browser: it sends no `Origin`.
        if route.need == Need::Host && self.headers.contains_key(ORIGIN) {
            return Err(ApiError::origin().into());
        }
        let ticket = if route.takes_ticket() { access::ticket(request) } else { None };
        let session = match route.subject {
            Subject::Session | Subject::Terminal => matched.id.parse().ok(),
            Subject::Nothing | Subject::Project | Subject::Workspace | Subject::Other => None,
        };
        let found = self.caller(ticket, session).await?;
        self.admitted(matched, &found).await?;
        let lasts = route.is_event_stream()
            || matches!(route.handler, Handler::Relay(Call::Publish | Call::Control));
        if lasts {
            self.opens(&found.caller, matched).await?;
        }
        Ok(found.caller)
    }

    /// The pages that may show this relay's pages in a frame.
    fn frame_ancestors(&self) -> FrameAncestors {
        let android = is_on(&self.env, "MOORLINE_OBSIDIAN_ANDROID");
        FrameAncestors::new(&list(&self.env, "MOORLINE_FRAME_ANCESTOR"), android)
    }

    fn uri(&self) -> http::Uri {
        reply::uri(&self.path)
    }
}

/// The object that owns a route.
fn owner(env: &Env, matched: &Matched) -> std::result::Result<Stub, RequestFailure> {
    if matched.route.is_of_workspace() {
        let id = matched.id.parse().map_err(|_| ApiError::invalid_workspace_id())?;
        return Ok(object_client::workspace(env, &id)?);
    }
    if !matched.route.is_of_session() {
        return Ok(object_client::directory(env)?);
    }
    let id = matched.id.parse().map_err(|_| ApiError::invalid_id(&matched.id))?;
    Ok(object_client::session(env, &id)?)
}

fn is_missing(answer: &Answer) -> bool {
    let status = match answer {
        Ok(response) => response.status_code(),
        Err(RequestFailure::Passed(response)) => response.status_code(),
        Err(RequestFailure::Api(error)) => error.status().as_u16(),
        Err(RequestFailure::Fault(_)) => return false,
    };
    status == StatusCode::NOT_FOUND.as_u16()
}

fn health() -> Answer {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    json(StatusCode::OK, &Health { status: "ok".to_owned(), storing: true, version })
}

/// A copy of the request with the [`ACCESS`] header that objects read.
fn told(request: &Request, caller: &Caller) -> Result<Request> {
    let mut told = request.clone_mut()?;
    told.headers_mut()?.set(ACCESS, &caller.header())?;
    Ok(told)
}

/// True if a variable is set to anything but `0`, `no` and the like.
fn is_on(env: &Env, name: &str) -> bool {
    let value = env.var(name).map(|value| value.to_string()).unwrap_or_default();
    moorline_core::legacy::is_off(&value)
}

/// A variable's comma-separated items; empty if it is not set.
fn list(env: &Env, name: &str) -> Vec<String> {
    let value = env.var(name).map(|value| value.to_string()).unwrap_or_default();
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}
