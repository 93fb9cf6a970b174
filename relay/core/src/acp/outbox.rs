//! The tasks for the owner of a connection, and the messages to its client.

use std::collections::VecDeque;

use http::Method;
use moorline_shared::id::SessionId;
use moorline_shared::limits::{DEAD_AFTER, UNANSWERED};
use moorline_shared::link::Generation;
use moorline_shared::message::close;
use moorline_shared::rpc::{self, RpcError, RpcId};
use moorline_shared::time::Time;
use serde_json::{Value, json};

/// Bytes after which the client is asked for a receipt.
const RECEIPT_BYTES: usize = 256 * 1024;
/// Bytes without a receipt after which no more is translated for the client.
const UNCONFIRMED_BYTES: usize = 1024 * 1024;

/// A request to the REST API, to be sent once, with the client's own access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// The number that its answer repeats: see [`AcpInput::Answer`](super::AcpInput::Answer).
    pub number: u64,
    /// The method.
    pub method: Method,
    /// The path, with its query.
    pub path: String,
    /// The JSON body, if it has one.
    pub body: Option<String>,
}

/// A task for the owner of an [`AcpServer`](super::AcpServer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcpOutput {
    /// Send the client this JSON-RPC message, which has no line break.
    Client(String),
    /// Open a socket to the session's stream, with the subprotocol `moorline.v1` and the client's
    /// own access, instead of the session's earlier one. Report its events with this generation.
    Dial(SessionId, Generation),
    /// Close the session's socket.
    HangUp(SessionId),
    /// Send this text on the session's socket, if it is open.
    Send(SessionId, String),
    /// Send a request to the API.
    Call(ApiCall),
    /// Close the connection to the client with this code and reason.
    Close(u16, &'static str),
}

/// The tasks that wait, and the numbers of the requests to the client.
#[derive(Debug)]
pub(super) struct AcpOutbox {
    tasks: VecDeque<AcpOutput>,
    last_request: u64,
    receipts: Option<Receipts>,
}

/// What a client has confirmed to have read. It is asked by a request whose method no client knows:
/// the protocol requires an answer to that, too. So it works with any client, where a socket does
/// not tell how much it has taken.
#[derive(Debug, Default)]
struct Receipts {
    unconfirmed: usize,
    /// The request that is not answered: its number, the bytes before it, and when it was sent.
    asked: Option<(u64, usize, Time)>,
}

impl AcpOutbox {
    /// Creates an outbox. With `receipts` the client is asked to confirm what it has read.
    pub(super) fn new(receipts: bool) -> Self {
        let receipts = receipts.then(Receipts::default);
        Self { tasks: VecDeque::new(), last_request: 0, receipts }
    }

    pub(super) fn push(&mut self, task: AcpOutput) {
        self.tasks.push_back(task);
    }

    pub(super) fn poll(&mut self) -> Option<AcpOutput> {
        self.tasks.pop_front()
    }

    fn tell(&mut self, message: String) {
        if let Some(receipts) = &mut self.receipts {
            receipts.unconfirmed += message.len();
        }
        self.push(AcpOutput::Client(message));
    }

    /// Sends a notification.
    pub(super) fn notify(&mut self, method: &str, params: &Value) {
        self.tell(rpc::notification(method, params));
    }

    /// Sends a request. Returns its number, which is the id of the answer.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> u64 {
        self.last_request += 1;
        self.tell(rpc::request(self.last_request, method, params));
        self.last_request
    }

    /// Tells the client that a request is void.
    pub(super) fn cancel_request(&mut self, number: u64) {
        self.notify("$/cancel_request", &json!({ "requestId": number }));
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, id: &RpcId, result: &Result<Value, RpcError>) {
        self.tell(rpc::answer(id, result));
    }

    /// Refuses a request.
    pub(super) fn refuse(&mut self, id: &RpcId, error: RpcError) {
        self.answer(id, &Err(error));
    }

    /// Asks for a receipt if one is due, and closes the connection of a client that gives none.
    pub(super) fn tick(&mut self, now: Time) {
        let Some(receipts) = &self.receipts else { return };
        match receipts.asked {
            Some((_, _, since)) if now >= since + DEAD_AFTER => {
                self.push(AcpOutput::Close(close::PROTOCOL, UNANSWERED));
            }
            None if receipts.unconfirmed >= RECEIPT_BYTES => {
                let before = receipts.unconfirmed;
                let number = self.request("_moorline/received", &json!({}));
                if let Some(receipts) = &mut self.receipts {
                    receipts.asked = Some((number, before, now));
                }
            }
            _ => {}
        }
    }

    /// Takes an answer of the client. Returns true if it was a receipt.
    pub(super) fn received(&mut self, number: u64) -> bool {
        let Some(receipts) = &mut self.receipts else { return false };
        match receipts.asked {
            Some((asked, before, _)) if asked == number => {
                receipts.asked = None;
                receipts.unconfirmed -= before;
                true
            }
            _ => false,
        }
    }

    /// Returns false while the client has not confirmed enough of what it was sent.
    pub(super) fn has_credit(&self) -> bool {
        self.receipts.as_ref().is_none_or(|receipts| receipts.unconfirmed < UNCONFIRMED_BYTES)
    }

    /// Returns when to call [`AcpOutbox::tick`].
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let (_, _, since) = self.receipts.as_ref()?.asked?;
        Some(since + DEAD_AFTER)
    }
}
