//! The handlers of `/api/session/:id/operations`: requests that the session's host answers.

use moorline_shared::event::{
    Event, OperationsDetected, OperationsError, OperationsExecuted, SessionError,
};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::{OPERATIONS, OPERATIONS_BODY_BYTES};
use moorline_shared::operation::{
    OperationPreview, OperationResult, OperationsAnswer, OperationsQuestion,
};
use moorline_shared::publish::WriteRefused;
use moorline_shared::rest::{
    ExecuteOperations, OperationsDone, OperationsPreviewed, PreviewOperations,
};
use serde::Serialize;

use super::{Reply, Request};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{Guarded, OfSession, Operating, WithBody};
use crate::session::Session;

/// The most bytes of JSON of an event's list, and of its text. Beyond them it is cut off.
const EVENT_BYTES: usize = 32 * 1024;
/// The code of the event for a preview that fails, as in seed 000.
const PREVIEW_ERROR: &str = "PREVIEW_ERROR";

/// A question for the host of a session.
#[derive(Debug)]
pub struct HostQuestion {
    /// The question. The relay asks it in the session's folder, and calls [`HostQuestion::finish`]
    /// with the answer.
    pub question: OperationsQuestion,
}

/// The host of a session, and its folder there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFolder {
    /// The host.
    pub host: HostId,
    /// The folder; the user's home if `None`.
    pub folder: Option<String>,
}

/// The event and the reply that a host's answer leads to.
#[derive(Debug)]
pub struct QuestionOutcome {
    /// The event to append to the session's log.
    pub event: Event,
    /// The answer to the request.
    pub reply: Result<Reply, ApiError>,
}

/// Preview the operations in a text
///
/// Finds the changes of files that an agent's text contains, and shows what each would change in the session's folder.
/// Nothing is changed. The session's log reports `operations-detected`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/operations/preview", tag = "Session",
    operation_id = "previewOperations",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = PreviewOperations,
    responses(Guarded, OfSession, WithBody, Operating,
        (status = 200, description = "The operations, in order.", body = OperationsPreviewed)),
))]
pub(crate) fn preview(_: &SessionId, request: &Request) -> Result<HostQuestion, ApiError> {
    let PreviewOperations { response } = body(request)?;
    match response.filter(|text| !text.is_empty()) {
        Some(text) => Ok(HostQuestion { question: OperationsQuestion::Preview { text } }),
        None => Err(ApiError::response_required()),
    }
}

/// Execute operations
///
/// Executes each operation whose file still has the hash `before`, which its preview has shown. The session's log
/// reports `operations-executed`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/operations/execute", tag = "Session",
    operation_id = "executeOperations",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = ExecuteOperations,
    responses(Guarded, OfSession, WithBody, Operating,
        (status = 200, description = "A result for each operation.", body = OperationsDone)),
))]
pub(crate) fn execute(_: &SessionId, request: &Request) -> Result<HostQuestion, ApiError> {
    let ExecuteOperations { operations, all_or_nothing } = body(request)?;
    let operations = operations.ok_or_else(ApiError::operations_required)?;
    if operations.len() > OPERATIONS {
        return Err(ApiError::too_many_operations());
    }
    Ok(HostQuestion { question: OperationsQuestion::Execute { operations, all_or_nothing } })
}

fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    if request.body.len() > OPERATIONS_BODY_BYTES {
        return Err(ApiError::operations_too_large());
    }
    request.body()
}

/// Returns where to ask about a session's files.
///
/// # Errors
/// `session_ended`, or `host_offline` for a session of an early version, whose host is unknown.
pub fn folder_of(session: &Session, now_ms: u64) -> Result<SessionFolder, ApiError> {
    let refused = |why| ApiError::not_written(why, session.id());
    if session.lifecycle().is_over() {
        return Err(refused(WriteRefused::Ended));
    }
    let summary = session.summary(now_ms);
    let host = summary.host.ok_or_else(|| refused(WriteRefused::HostAway))?;
    Ok(SessionFolder { host, folder: summary.cwd })
}

impl HostQuestion {
    /// Returns the event that reports the answer, and the reply to the request. `now_ms` is the
    /// time in milliseconds since 1970.
    #[must_use]
    pub fn finish(self, id: &SessionId, answer: OperationsAnswer, now_ms: u64) -> QuestionOutcome {
        match (self.question, answer) {
            (
                OperationsQuestion::Preview { text },
                OperationsAnswer::Previewed { operations, omitted },
            ) => previewed(id, text, operations, omitted, now_ms),
            (OperationsQuestion::Execute { .. }, OperationsAnswer::Executed { results }) => {
                executed(id, results, now_ms)
            }
            (question, OperationsAnswer::Failed { code, message }) => {
                failed(id, &question, code, message, now_ms)
            }
            (question, _) => {
                let message = "The host's answer is not one to this question.".to_owned();
                failed(id, &question, "internal".to_owned(), message, now_ms)
            }
        }
    }
}

fn previewed(
    id: &SessionId,
    text: String,
    operations: Vec<OperationPreview>,
    omitted: usize,
    now_ms: u64,
) -> QuestionOutcome {
    let reply = Reply::ok(&OperationsPreviewed {
        success: true,
        session_id: id.clone(),
        count: operations.len(),
        operations: operations.clone(),
        omitted,
        timestamp: now_ms,
    });
    let is_large = bytes_of(&operations) > EVENT_BYTES;
    let shown =
        if is_large { operations.iter().map(without_content).collect() } else { operations };
    let (operations, is_cut) = fitting(shown);
    let end = text.floor_char_boundary(EVENT_BYTES.min(text.len()));
    let truncated = is_large || is_cut || end < text.len();
    let mut response = text;
    response.truncate(end);
    let event = OperationsDetected { operations, response, truncated };
    QuestionOutcome { event: Event::new(id.clone(), now_ms, &event), reply: Ok(reply) }
}

fn without_content(preview: &OperationPreview) -> OperationPreview {
    OperationPreview {
        operation: preview.operation.without_content(),
        diff: String::new(),
        ..preview.clone()
    }
}

fn executed(id: &SessionId, results: Vec<OperationResult>, now_ms: u64) -> QuestionOutcome {
    let reply = Reply::ok(&OperationsDone {
        success: true,
        session_id: id.clone(),
        count: results.len(),
        executed: results.iter().filter(|result| result.success).count(),
        results: results.clone(),
        timestamp: now_ms,
    });
    let (results, truncated) = fitting(results);
    let event = OperationsExecuted { results, truncated };
    QuestionOutcome { event: Event::new(id.clone(), now_ms, &event), reply: Ok(reply) }
}

fn failed(
    id: &SessionId,
    question: &OperationsQuestion,
    code: String,
    message: String,
    now_ms: u64,
) -> QuestionOutcome {
    let error = ApiError::not_operated(&code, &message, id);
    let event = match question {
        OperationsQuestion::Preview { .. } => {
            let code = Some(PREVIEW_ERROR.to_owned());
            let event = SessionError { error: message, code, recoverable: Some(true) };
            Event::new(id.clone(), now_ms, &event)
        }
        OperationsQuestion::Execute { operations, .. } => {
            let listed = operations.iter().map(|planned| planned.operation.without_content());
            let (operations, truncated) = fitting(listed.collect());
            let event = OperationsError { error: message, code: Some(code), operations, truncated };
            Event::new(id.clone(), now_ms, &event)
        }
    };
    QuestionOutcome { event, reply: Err(error) }
}

/// Returns the items that fit into an event, and true if those at the end do not.
fn fitting<T: Serialize>(items: Vec<T>) -> (Vec<T>, bool) {
    let (mut room, count) = (EVENT_BYTES, items.len());
    let fits = |item: &T| {
        let left = room.checked_sub(bytes_of(item));
        room = left.unwrap_or_default();
        left.is_some()
    };
    let fitting: Vec<T> = items.into_iter().take_while(fits).collect();
    let is_cut = fitting.len() < count;
    (fitting, is_cut)
}

fn bytes_of(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use moorline_shared::operation::Operation;
    use serde_json::{Value, json};

    use super::*;

    fn id() -> SessionId {
        "abcdefgh".parse().unwrap()
    }

    fn request(body: &Value) -> Request {
        Request {
            item: String::new(),
            grant: crate::auth::Grant::unstored(),
            id: "abcdefgh".to_owned(),
            query: String::new(),
            content_type: "application/json".to_owned(),
            body: body.to_string().into(),
            now_ms: 5,
            random: 1,
        }
    }

    fn preview_of(content: &str) -> OperationPreview {
        let operation = Operation::Write { path: "a".into(), content: content.to_owned() };
        serde_json::from_value(json!({
            "type": "write", "path": operation.path(), "content": content, "before": null, "diff": "+x\n",
        }))
        .unwrap()
    }

    fn detected(text: &str, operations: Vec<OperationPreview>) -> (OperationsDetected, Value) {
        let asked = preview(&id(), &request(&json!({"response": text}))).unwrap();
        let answer = OperationsAnswer::Previewed { operations, omitted: 3 };
        let QuestionOutcome { event, reply } = asked.finish(&id(), answer, 7);
        (event.read().unwrap(), serde_json::from_slice(&reply.unwrap().body).unwrap())
    }

    #[test]
    fn a_question_has_what_the_seed_requires() {
        let refused = |error: ApiError| (error.status().as_u16(), error.body().error.clone());
        for body in [json!({}), json!({"response": ""}), json!({"response": null})] {
            let error = preview(&id(), &request(&body)).unwrap_err();
            assert_eq!(refused(error), (400, "Response is required".to_owned()));
        }
        for body in [json!({}), json!({"operations": null}), json!({"operations": {"a": 1}})] {
            let error = execute(&id(), &request(&body)).unwrap_err();
            assert_eq!(refused(error), (400, "Operations array is required".to_owned()));
        }
        let bad = json!({"operations": [{"type": "write", "path": "a"}]});
        let error = execute(&id(), &request(&bad)).unwrap_err();
        assert_eq!(error.status().as_u16(), 400);
        let one = json!({"type": "delete", "path": "a"});
        let many = json!({"operations": vec![one; OPERATIONS + 1]});
        assert_eq!(execute(&id(), &request(&many)).unwrap_err().status().as_u16(), 413);
        let large = json!({"response": "x".repeat(OPERATIONS_BODY_BYTES)});
        assert_eq!(preview(&id(), &request(&large)).unwrap_err().status().as_u16(), 413);
    }

    #[test]
    fn a_preview_is_answered_and_reported() {
        let (event, reply) = detected("text", vec![preview_of("x\n")]);
        assert_eq!((event.response.as_str(), event.truncated), ("text", false));
        assert_eq!(event.operations, [preview_of("x\n")]);
        assert_eq!((&reply["count"], &reply["omitted"]), (&json!(1), &json!(3)));
        assert_eq!((&reply["sessionId"], &reply["timestamp"]), (&json!("abcdefgh"), &json!(7)));
        assert_eq!(reply["operations"][0]["content"], "x\n");
    }

    #[test]
    fn an_event_is_bounded() {
        let content = "x".repeat(EVENT_BYTES);
        let (event, reply) = detected(&"é".repeat(EVENT_BYTES), vec![preview_of(&content); 100]);
        assert!(event.truncated && event.response.len() <= EVENT_BYTES);
        assert_eq!(event.operations.len(), 100);
        assert_eq!(reply["operations"][99]["content"], content);
        let result = OperationResult::done(&Operation::Delete { path: "a".repeat(4096) });
        let asked = execute(&id(), &request(&json!({"operations": []}))).unwrap();
        let answer = OperationsAnswer::Executed { results: vec![result; 100] };
        let QuestionOutcome { event, reply } = asked.finish(&id(), answer, 7);
        let event: OperationsExecuted = event.read().unwrap();
        assert!(event.truncated && (1..100).contains(&event.results.len()));
        let reply: Value = serde_json::from_slice(&reply.unwrap().body).unwrap();
        assert_eq!((&reply["executed"], &reply["count"]), (&json!(100), &json!(100)));
    }

    #[test]
    fn a_failure_is_reported() {
        let fail = || OperationsAnswer::Failed { code: "no_folder".into(), message: "m".into() };
        let asked = preview(&id(), &request(&json!({"response": "x"}))).unwrap();
        let outcome = asked.finish(&id(), fail(), 7);
        assert_eq!(outcome.reply.unwrap_err().status().as_u16(), 409);
        let event: SessionError = outcome.event.read().unwrap();
        assert_eq!((event.code.as_deref(), event.recoverable), (Some(PREVIEW_ERROR), Some(true)));
        let body = json!({"operations": [{"type": "write", "path": "a", "content": "b"}]});
        let outcome = execute(&id(), &request(&body)).unwrap().finish(&id(), fail(), 7);
        let event: OperationsError = outcome.event.read().unwrap();
        assert_eq!((event.error.as_str(), event.code.as_deref()), ("m", Some("no_folder")));
        let listed = Operation::Write { path: "a".into(), content: String::new() };
        assert_eq!(event.operations, [listed]);
        for (code, status) in [("host_offline", 503), ("internal", 500), ("x", 500)] {
            let error = ApiError::not_operated(code, "m", &id());
            assert_eq!(error.status().as_u16(), status);
        }
    }
}
