//! JSON-RPC messages and error codes, written by hand.

use serde_json::{Value, json};

/// The line was no JSON.
pub(crate) const PARSE_ERROR: i64 = -32700;
/// The message was JSON, but no valid message, or not allowed now.
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// The method is unknown or its capability is switched off.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
/// A parameter is missing or wrong.
pub(crate) const INVALID_PARAMS: i64 = -32602;
/// The peer itself failed, for example at writing a file.
pub(crate) const INTERNAL_ERROR: i64 = -32603;
/// The request was cancelled before it was done.
pub(crate) const REQUEST_CANCELLED: i64 = -32800;
/// The client has to authenticate first.
pub(crate) const AUTH_REQUIRED: i64 = -32000;
/// The session does not exist.
pub(crate) const NOT_FOUND: i64 = -32002;

/// The error of a JSON-RPC response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RpcFailure {
    /// A JSON-RPC or ACP error code.
    pub(crate) code: i64,
    /// A short sentence for people.
    pub(crate) message: String,
    /// Details as the code defines them. Usually none.
    pub(crate) data: Option<Value>,
}

impl RpcFailure {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The session does not exist or is not active.
    pub(crate) fn no_session(id: &str) -> Self {
        let data = Some(json!({"sessionId": id}));
        Self { code: NOT_FOUND, message: "Resource not found".to_owned(), data }
    }

    /// Reads the `error` of a response. What is missing becomes 0 or an empty text.
    pub(crate) fn read(error: &Value) -> Self {
        Self {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            data: error.get("data").cloned(),
        }
    }

    fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        error
    }
}

impl From<anyhow::Error> for RpcFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(INTERNAL_ERROR, format!("{error:#}"))
    }
}

impl std::fmt::Display for RpcFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "error {} {}", self.code, self.message)
    }
}

/// The result of a request: what the other side answered.
pub(crate) type Answered = Result<Value, RpcFailure>;

/// A request.
pub(crate) fn request(id: u64, method: &str, params: Value) -> Value {
    let mut message = notification(method, params);
    message["id"] = id.into();
    message
}

/// A notification.
pub(crate) fn notification(method: &str, params: Value) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "method": method});
    message["params"] = params;
    message
}

/// A response. `id` is the request's, whatever its type.
pub(crate) fn response(id: &Value, answer: &Answered) -> Value {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error.to_json()}),
    }
}
