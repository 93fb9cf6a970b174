//! Open connections, which are closed when their callers lose the access that they were opened with.

use std::rc::Rc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::auth::SecretHash;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_shared::rest::AuditKind;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use worker::{Request, ResponseBuilder, WebSocket, WebSocketPair, console_error};

use super::change::OBJECTS_AT_ONCE;
use super::{DirectoryState, now_ms};
use crate::internal::{ACCESS_ENDED, Caller, Held, Opened, RECHECK};
use crate::object_client;
use crate::reply::{Answer, RequestFailure, json, nothing};

/// Tag of the sockets of [`crate::internal::LEASE`]. No host's id has this character.
const LEASE_TAG: &str = "/lease";

/// What is attached to a socket of the directory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SocketNote {
    /// True if it is the link of a host that was welcomed.
    pub(super) welcomed: bool,
    /// Who has opened it, and for what.
    pub(super) opened: Option<Opened>,
}

impl SocketNote {
    pub(super) fn of(socket: &WebSocket) -> Self {
        let note = socket.deserialize_attachment::<String>().ok().flatten();
        note.and_then(|note| serde_json::from_str(&note).ok()).unwrap_or_default()
    }

    pub(super) fn keep(&self, socket: &WebSocket) {
        let note = serde_json::to_string(self).unwrap_or_default();
        if let Err(error) = socket.serialize_attachment(note) {
            console_error!("a socket's note cannot be kept: {error}");
        }
    }
}

impl DirectoryState {
    /// Answers with the callers as they are now.
    pub(super) fn still_all(&self, held: &Held) -> Answer {
        if held.is_request {
            held.callers.iter().try_for_each(|caller| self.count_request(&caller.grant))?;
        }
        let callers: Result<Vec<Option<Caller>>, RequestFailure> =
            held.callers.iter().map(|caller| self.still(caller, held.session.as_ref())).collect();
        json(StatusCode::OK, &callers?)
    }

    /// Records a connection that is about to be opened.
    pub(super) fn note(&self, opened: &Opened) -> Answer {
        self.note_opened(opened)?;
        nothing()
    }

    fn note_opened(&self, opened: &Opened) -> Result<(), RequestFailure> {
        let Opened { caller, path, session } = opened;
        if self.still(caller, session.as_ref())?.is_none() {
            return Err(ApiError::wrong_token().into());
        }
        if let Some(session) = session.as_ref().filter(|_| caller.can_end()) {
            self.with(|memory| Ok(memory.database.put_opened(&caller.token, session)?))?;
        }
        self.record(&caller.event_of(AuditKind::Connected, path, session.as_ref()));
        Ok(())
    }

    /// Opens a socket that is closed when its caller loses its access.
    pub(super) async fn open_lease(&self, opened: Opened, request: &Request) -> Answer {
        if !crate::reply::is_upgrade(request) {
            return Err(RequestFailure::Fault("a lease is a WebSocket".to_owned()));
        }
        self.note_opened(&opened)?;
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let tags = vec![JsValue::from_str(LEASE_TAG)];
        let raw = self.state.as_raw();
        raw.accept_websocket_with_tags(server.as_ref(), tags).map_err(worker::Error::from)?;
        let ends_at = opened.caller.ends_at();
        SocketNote { welcomed: false, opened: Some(opened) }.keep(&server);
        if let Some(at) = ends_at {
            self.wake_at(at.ms).await?;
        }
        let response = ResponseBuilder::new().with_status(101);
        Ok(response.with_websocket(client).empty())
    }

    /// Closes every connection that a token has opened and that it no longer allows. What cannot be
    /// reached is logged; its own checks follow when the token expires.
    pub(super) async fn recheck_token(self: &Rc<Self>, token: &SecretHash) {
        self.recheck_own();
        self.wake_for_expiry().await;
        let sessions = self.with(|memory| Ok(memory.database.opened_by(token)?));
        let sessions = sessions.unwrap_or_else(|failure| {
            console_error!("what a token has opened cannot be read: {failure}");
            Vec::new()
        });
        let recheck = async |session: SessionId| {
            let asked = async {
                let object = object_client::session(&self.env, &session)?;
                object_client::post(&object, RECHECK, &()).await.map(drop)
            };
            match asked.await {
                // The session was deleted.
                Ok(()) | Err(RequestFailure::Passed(_)) => {}
                Err(failure) => {
                    console_error!("connections to {session} were not checked: {failure}");
                }
            }
        };
        stream::iter(sessions).for_each_concurrent(OBJECTS_AT_ONCE, recheck).await;
    }

    /// Closes the directory's own connections whose callers have lost their access.
    pub(super) fn recheck_own(&self) {
        // The streams of the lists check themselves.
        self.changed.ring();
        for socket in self.state.get_websockets() {
            let mut note = SocketNote::of(&socket);
            let Some(opened) = &mut note.opened else { continue };
            match self.still(&opened.caller, opened.session.as_ref()) {
                Ok(Some(caller)) if caller != opened.caller => {
                    opened.caller = caller;
                    note.keep(&socket);
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    let event = opened.caller.event_of(AuditKind::Cut, &opened.path, None);
                    self.record(&event);
                    let _ = socket.close(Some(close::UNAUTHORIZED), Some(ACCESS_ENDED));
                    self.lose(&socket);
                }
                Err(failure) => console_error!("a connection was not checked: {failure}"),
            }
        }
    }

    /// Has the alarm come at a time, unless it comes earlier.
    pub(super) async fn wake_at(&self, at_ms: u64) -> Result<(), RequestFailure> {
        let storage = self.state.storage();
        let set = storage.get_alarm().await?;
        if set.is_none_or(|set| set as u64 > at_ms) {
            // At the very time of expiry, a token is no longer valid.
            let wait = Duration::from_millis(at_ms.saturating_sub(now_ms()));
            storage.set_alarm(wait).await?;
        }
        Ok(())
    }

    /// Handles the alarm: a connection's token may have expired.
    pub(super) async fn alarm(&self) {
        self.recheck_own();
        self.wake_for_expiry().await;
    }

    /// Has the alarm come when the first of the open sockets' tokens expires.
    async fn wake_for_expiry(&self) {
        let opened = self.state.get_websockets().into_iter();
        let expiries = opened.filter_map(|socket| SocketNote::of(&socket).opened?.caller.ends_at());
        if let Some(at) = expiries.map(|at| at.ms).filter(|at| *at > now_ms()).min()
            && let Err(failure) = self.wake_at(at).await
        {
            console_error!("the alarm cannot be set: {failure}");
        }
    }
}
