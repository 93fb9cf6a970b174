//! Event streams over a WebSocket: see [`moorline_core::event_socket`]. The Worker holds the
//! socket, and reads the stream that the object answers to an ordinary request.

use std::future::pending;
use std::pin::pin;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use http::StatusCode;
use http::header::ORIGIN;
use moorline_core::api::ApiError;
use moorline_core::event_socket::{MessageCredit, refusal};
use moorline_core::routes::Matched;
use moorline_shared::limits::{DEAD_AFTER, UNANSWERED};
use moorline_shared::message::close;
use worker::wasm_bindgen_futures::spawn_local;
use worker::{
    ByteStream, Delay, Headers, Request, Response, ResponseBuilder, WebSocket, WebSocketPair,
    WebsocketEvent, console_error,
};

use super::{Gateway, owner};
use crate::address::query;
use crate::internal::ACCESS;
use crate::object_client;
use crate::reply::{Answer, RequestFailure};

impl Gateway {
    /// Opens a WebSocket that carries the route's own answer.
    pub(super) async fn event_socket(&self, matched: &Matched, request: &Request) -> Answer {
        let answer = if self.origins.allows(&self.headers) {
            self.event_stream(matched, request).await
        } else {
            Err(ApiError::origin().into())
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(RequestFailure::Fault(error)) => return Err(RequestFailure::Fault(error)),
            Err(RequestFailure::Passed(answer)) => *answer,
            Err(RequestFailure::Api(error)) => {
                let status = error.status();
                return self.refused(status, RequestFailure::Api(error));
            }
        };
        let status = StatusCode::from_u16(answer.status_code()).unwrap_or_default();
        if refusal(status).is_some() {
            return self.refused(status, RequestFailure::Passed(Box::new(answer)));
        }
        let mut answer = answer;
        let events = answer.stream()?;
        self.opened(|socket| spawn_local(serve(socket, events)))
    }

    /// The object's answer to the same request without a WebSocket.
    async fn event_stream(
        &self,
        matched: &Matched,
        request: &Request,
    ) -> std::result::Result<Response, RequestFailure> {
        let caller = self.admit(matched, request).await?;
        let object = owner(&self.env, matched)?;
        let headers = Headers::new();
        headers.set(ACCESS, &caller.header())?;
        let address = request.inner().url();
        let path = format!("{}?{}", self.path, query(&address));
        Ok(object_client::call(&object, &path, &headers, None).await?)
    }

    /// Refuses the socket. A browser hides a WebSocket's HTTP error from its page, so a page gets a
    /// close code; other clients get the HTTP error.
    fn refused(&self, status: StatusCode, failure: RequestFailure) -> Answer {
        let is_page = self.headers.contains_key(ORIGIN);
        match refusal(status) {
            Some((code, reason)) if is_page || status == StatusCode::NO_CONTENT => {
                self.opened(move |socket| {
                    if socket.accept().is_ok() {
                        finish(&socket, code, reason);
                    }
                })
            }
            _ => Err(failure),
        }
    }

    fn opened(&self, then: impl FnOnce(WebSocket)) -> Answer {
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        then(server);
        let mut response = ResponseBuilder::new().with_status(101).with_websocket(client);
        if let Some(protocol) = self.protocol() {
            response = response.with_header("sec-websocket-protocol", protocol)?;
        }
        Ok(response.empty())
    }
}

/// Sends the stream's bytes for as long as the reader answers.
async fn serve(socket: WebSocket, mut events: ByteStream) {
    // Events that arrive before `events()` is called are not delivered.
    let (Ok(mut said), Ok(())) = (socket.events(), socket.accept()) else {
        return finish(&socket, close::INTERNAL, "internal error: see the relay's log");
    };
    let mut credit = MessageCredit::default();
    loop {
        let may_send = credit.is_left();
        let next = pin!(async { if may_send { events.next().await } else { pending().await } });
        let patience =
            pin!(async { if may_send { pending().await } else { Delay::from(DEAD_AFTER).await } });
        match select(said.next(), select(next, patience)).await {
            Either::Left((Some(Ok(WebsocketEvent::Message(_))), _)) => credit.answered(),
            Either::Left(_) => return finish(&socket, close::NORMAL, ""),
            Either::Right((Either::Left((Some(Ok(chunk)), _)), _)) => {
                credit.sent();
                if socket.send_with_bytes(chunk).is_err() {
                    return;
                }
            }
            Either::Right((Either::Left((None, _)), _)) => {
                return finish(&socket, close::NORMAL, "");
            }
            Either::Right((Either::Left((Some(Err(error)), _)), _)) => {
                console_error!("an event stream broke: {error}");
                return finish(&socket, close::GOING_AWAY, "the stream broke");
            }
            // The reader takes nothing more: it resumes from its position when it comes back.
            Either::Right((Either::Right(_), _)) => {
                return finish(&socket, close::PROTOCOL, UNANSWERED);
            }
        }
    }
}

fn finish(socket: &WebSocket, code: u16, reason: &str) {
    // Does nothing if it is already closed.
    let _ = socket.close(Some(code), Some(reason));
}
