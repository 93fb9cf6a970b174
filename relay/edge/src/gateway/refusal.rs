//! Refusals of clients' WebSockets.

use http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use moorline_core::refusal::{PlainRefusal, SEE_TEXT, Why};
use moorline_core::routes::Call;
use moorline_core::subprotocol;
use moorline_shared::message::close;
use moorline_shared::rest::ErrorBody;
use worker::{ResponseBuilder, WebSocketPair, console_error};

use super::Gateway;
use crate::reply::{Answer, RequestFailure};

/// Refuses a client's socket: by a message and a close code if the client cannot read an HTTP
/// error.
pub(super) fn refuse(gateway: &Gateway, call: Call, why: Why, failure: RequestFailure) -> Answer {
    if matches!(failure, RequestFailure::Fault(_)) {
        return Err(failure);
    }
    match call {
        Call::Plain => by_text(&why.plain()),
        // Such a client reads nothing but its own protocol.
        Call::Acp if gateway.headers.contains_key(ORIGIN) => {
            let refusal = why.stream();
            closed(gateway.protocol(), None, refusal.close, refusal.message)
        }
        _ if gateway.headers.contains_key(ORIGIN) => by_code(gateway, why),
        _ => Err(failure),
    }
}

/// The reason why a caller could not be identified, or what it has opened could not be recorded.
pub(super) fn unidentified(failure: &RequestFailure) -> Why {
    match failure {
        RequestFailure::Api(error) => Why::unidentified(error),
        RequestFailure::Passed(answer) if answer.status_code() == 401 => Why::Token,
        RequestFailure::Passed(_) | RequestFailure::Fault(_) => Why::Busy,
    }
}

fn by_code(gateway: &Gateway, why: Why) -> Answer {
    let refusal = why.stream();
    closed(gateway.protocol(), Some(&refusal.to_json()), refusal.close, refusal.message)
}

fn by_text(refusal: &PlainRefusal) -> Answer {
    closed(None, Some(&refusal.text), refusal.close, SEE_TEXT)
}

/// Refuses a plain socket whose session could not be created.
pub(super) async fn not_created(failure: RequestFailure, driver: Option<&str>) -> Answer {
    let (close_code, details) = match failure {
        RequestFailure::Api(error) => (close::OVERLOADED, told(error.body())),
        RequestFailure::Passed(mut answer) => match answer.json::<ErrorBody>().await {
            Ok(body) => (close::OVERLOADED, told(&body)),
            Err(_) => (close::INTERNAL, "internal error: see the relay's log".to_owned()),
        },
        RequestFailure::Fault(error) => {
            console_error!("a session was not created: {error}");
            (close::INTERNAL, "internal error: see the relay's log".to_owned())
        }
    };
    by_text(&PlainRefusal::not_started(close_code, driver, &details))
}

fn told(body: &ErrorBody) -> String {
    body.message.clone().unwrap_or_else(|| body.error.clone())
}

fn closed(protocol: Option<&str>, text: Option<&str>, code: u16, reason: &str) -> Answer {
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    server.accept()?;
    if let Some(text) = text {
        server.send_with_str(text)?;
    }
    server.close(Some(code), Some(reason))?;
    let mut response = ResponseBuilder::new().with_status(101).with_websocket(client);
    if let Some(protocol) = protocol {
        response = response.with_header("sec-websocket-protocol", protocol)?;
    }
    Ok(response.empty())
}

impl Gateway {
    /// The subprotocol that the relay selects from those that the client offers.
    pub(super) fn protocol(&self) -> Option<&str> {
        let values = self.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        subprotocol::choose(values.filter_map(|value| value.to_str().ok()))
    }
}
