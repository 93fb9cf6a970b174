//! JSON-RPC 2.0, as the Agent Client Protocol uses it: reads and writes messages, without I/O.
//!
//! The ids of open requests and their purposes are kept by the machines that make the requests, not
//! here: a host stores them, because its connection to an agent outlives the process.
//!
//! Reading never fails as a whole: each text is a message or an [`RpcFault`], and the next one is
//! read as if the faulty one had not been there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Most bytes of an id that the peer has chosen.
const ID_BYTES: usize = 256;

/// Most bytes of the text of an error that are kept.
const MESSAGE_BYTES: usize = 2048;

/// The text is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The message is not a request, or not one that is allowed now.
pub const INVALID_REQUEST: i64 = -32600;
/// The request cannot be understood.
pub const INVALID_PARAMS: i64 = -32602;
/// The method is unknown.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// A failure that is unrelated to the request.
pub const INTERNAL_ERROR: i64 = -32603;
/// The request was cancelled.
pub const CANCELLED: i64 = -32800;
/// The user must log in first.
pub const AUTH_REQUIRED: i64 = -32000;
/// The file, terminal or session does not exist.
pub const NOT_FOUND: i64 = -32002;

/// The id of a request of the peer: a number or a text, repeated in the answer as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RpcId(Value);

/// One message of the peer.
#[derive(Debug, Clone, PartialEq)]
pub enum RpcMessage {
    /// A request, which must be answered once.
    Request {
        /// Its id.
        id: RpcId,
        /// The method.
        method: String,
        /// The parameters; null if there are none.
        params: Value,
    },
    /// A request without an answer.
    Notification {
        /// The method.
        method: String,
        /// The parameters; null if there are none.
        params: Value,
    },
    /// The answer to a request of this side.
    Response {
        /// The request's id.
        id: u64,
        /// The answer.
        result: Result<Value, RpcError>,
    },
}

/// An error as an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcError {
    /// The code. Those of JSON-RPC are negative.
    pub code: i64,
    /// A sentence.
    pub message: String,
    /// Further details, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The reason why a text is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RpcFault {
    /// It is not JSON.
    #[error("a line is not JSON")]
    NotJson,
    /// It is a list of messages.
    #[error("a line is a batch, which the protocol does not have")]
    Batch,
    /// It is JSON of another form.
    #[error("a line is not a JSON-RPC message")]
    NotAMessage,
    /// It is an answer whose id is not one of this side's numbers.
    #[error("an answer has an id that no request had")]
    ForeignId,
}

/// Reads one message, which has no line breaks around it. Returns `None` for an empty text.
///
/// # Errors
/// [`RpcFault`] if the text is to be ignored.
pub fn read(line: &[u8]) -> Result<Option<RpcMessage>, RpcFault> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(line).map_err(|_| RpcFault::NotJson)? {
        Value::Object(fields) => message(fields).map(Some),
        Value::Array(_) => Err(RpcFault::Batch),
        _ => Err(RpcFault::NotAMessage),
    }
}

fn message(mut fields: Map<String, Value>) -> Result<RpcMessage, RpcFault> {
    let params = fields.remove("params").unwrap_or_default();
    let id = fields.remove("id");
    if let Some(method) = fields.remove("method") {
        let Value::String(method) = method else { return Err(RpcFault::NotAMessage) };
        return Ok(match id {
            None => RpcMessage::Notification { method, params },
            Some(id) => RpcMessage::Request { id: RpcId::read(id)?, method, params },
        });
    }
    let result = match (fields.remove("result"), fields.remove("error")) {
        // Some peers send both, one of them null.
        (_, Some(error)) if !error.is_null() => Err(RpcError::read(&error)),
        (Some(result), _) => Ok(result),
        _ => return Err(RpcFault::NotAMessage),
    };
    let id = id.and_then(|id| id.as_u64()).ok_or(RpcFault::ForeignId)?;
    Ok(RpcMessage::Response { id, result })
}

impl RpcId {
    /// Returns the id of answers to messages whose own id is not known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(Value::Null)
    }

    fn read(id: Value) -> Result<Self, RpcFault> {
        match &id {
            Value::Number(_) => Ok(Self(id)),
            Value::String(text) if text.len() <= ID_BYTES => Ok(Self(id)),
            // Null is a request that nobody could be answered by name.
            _ => Err(RpcFault::NotAMessage),
        }
    }

    /// Reads an id that is a parameter; `None` if it is not one.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        Self::read(value.clone()).ok()
    }
}

impl RpcError {
    /// Creates an error.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    fn read(error: &Value) -> Self {
        let code = error.get("code").and_then(Value::as_i64).unwrap_or(INTERNAL_ERROR);
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        // The details often say more than the message, such as "Internal error".
        let details = error.get("data").and_then(|data| match data {
            Value::String(text) => Some(&**text),
            data => data.get("details").or_else(|| data.get("message"))?.as_str(),
        });
        let message = match details.filter(|details| !details.is_empty()) {
            Some(details) if !message.is_empty() => format!("{message}: {details}"),
            Some(details) => details.to_owned(),
            None => message.to_owned(),
        };
        let end = message.floor_char_boundary(MESSAGE_BYTES);
        Self::new(code, &message[..end])
    }
}

/// Encodes a request as one line, without its end.
#[must_use]
pub fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// Encodes a notification as one line, without its end.
#[must_use]
pub fn notification(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

/// Encodes an answer as one line, without its end.
#[must_use]
pub fn answer(id: &RpcId, result: &Result<Value, RpcError>) -> String {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_message_is_read() {
        let request = read(br#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"x":1}}"#);
        let id = RpcId(json!("a"));
        let params = json!({ "x": 1 });
        assert_eq!(request, Ok(Some(RpcMessage::Request { id, method: "m".into(), params })));
        let notification = read(br#"{"method":"m"}"#);
        let params = Value::Null;
        assert_eq!(notification, Ok(Some(RpcMessage::Notification { method: "m".into(), params })));
        let response = |id, result| Ok(Some(RpcMessage::Response { id, result }));
        assert_eq!(read(br#"{"id":3,"result":null}"#), response(3, Ok(Value::Null)));
        assert_eq!(read(br#"{"id":3,"result":1,"error":null}"#), response(3, Ok(json!(1))));
        let error = read(br#"{"id":3,"error":{"code":-5,"message":"no","data":{"details":"x"}}}"#);
        assert_eq!(error, response(3, Err(RpcError::new(-5, "no: x"))));
        assert_eq!(read(b" \r"), Ok(None));
    }

    #[test]
    fn what_is_not_a_message_is_a_fault() {
        let deep = "[".repeat(100_000);
        let cases: [(&[u8], _); 9] = [
            (b"hello", RpcFault::NotJson),
            (b"\xff\xfe", RpcFault::NotJson),
            (deep.as_bytes(), RpcFault::NotJson),
            (b"[]", RpcFault::Batch),
            (b"1", RpcFault::NotAMessage),
            (b"{}", RpcFault::NotAMessage),
            (br#"{"id":null,"method":"m"}"#, RpcFault::NotAMessage),
            (br#"{"id":1,"method":[]}"#, RpcFault::NotAMessage),
            (br#"{"id":"1","result":1}"#, RpcFault::ForeignId),
        ];
        for (line, fault) in cases {
            assert_eq!(read(line), Err(fault), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let line = request(7, "m", &json!({ "text": "a\nb" }));
        assert!(!line.contains('\n'));
        let read = read(line.as_bytes());
        assert!(matches!(read, Ok(Some(RpcMessage::Request { .. }))), "{read:?}");
        let error = answer(&RpcId(json!("a")), &Err(RpcError::new(CANCELLED, "stopped")));
        assert!(error.contains(r#""id":"a""#) && error.contains("-32800"), "{error}");
    }
}
