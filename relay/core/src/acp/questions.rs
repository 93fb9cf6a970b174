//! The open approvals of a session, as requests to a client.
//!
//! A client is only asked what is open now: a question that its history contains, or that was
//! decided elsewhere, is never a request. A question that is decided elsewhere while the client
//! shows it is cancelled, and an answer that comes late is ignored. A question whose answer does not
//! fit is asked again, a bounded number of times.

use std::collections::BTreeMap;

use moorline_shared::agent::approval::{AnswerKind, ApprovalKind, ApprovalOption, ApprovalRequest};
use moorline_shared::id::{ApprovalId, SessionId};
use moorline_shared::limits::ACP_ASKED;
use moorline_shared::message::DoneMessage;
use moorline_shared::rest::DecideApproval;
use moorline_shared::rpc::RpcError;
use serde_json::{Value, json};

use super::context::{AcpContext, ClientAbilities};
use super::outbox::AcpOutbox;
use super::updates::known_piece;
use super::view::AcpView;

/// The id of the answer to a question that has none of its own: it can only be rejected.
const REJECT: &str = "reject";

/// The questions of one session that a client was asked.
#[derive(Debug, Default)]
pub(super) struct AskedQuestions {
    asked: BTreeMap<ApprovalId, AskedQuestion>,
}

/// A question that a client was asked, until the log closes it.
#[derive(Debug)]
struct AskedQuestion {
    progress: AskProgress,
    /// The number of times that it was asked, at most [`ACP_ASKED`].
    times: u8,
    /// The question, as it was shown.
    approval: ApprovalRequest,
}

#[derive(Debug, PartialEq, Eq)]
enum AskProgress {
    /// The client shows it, as the request of this number.
    Shown(u64),
    /// The client has decided, which the relay has not confirmed: the number of that request.
    Deciding(u64),
    /// The client has decided, has no answer, has given too many that do not fit, or the question
    /// was cancelled.
    Over,
    /// The client's answer did not fit: the question is to be asked again.
    Due(AnswerUnfit),
}

/// The reason that an answer is not taken: a stable code, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AnswerUnfit {
    code: String,
    message: String,
}

impl AnswerUnfit {
    fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

/// A client's answer to a question.
enum QuestionAnswer {
    Decision(DecideApproval),
    /// The client does not want to answer.
    Nothing,
    /// The answer is not one to this question.
    Unfit(&'static str),
}

impl AskedQuestion {
    /// Handles that the client's answer was not taken.
    fn refused(&mut self, unfit: AnswerUnfit) {
        let again = self.times < ACP_ASKED;
        self.progress = if again { AskProgress::Due(unfit) } else { AskProgress::Over };
    }
}

impl AskedQuestions {
    /// Asks the client each open question that it has not answered validly, and cancels the
    /// questions that are no longer open.
    pub(super) fn progress(
        &mut self,
        view: &AcpView,
        session: &SessionId,
        context: &mut AcpContext<'_>,
    ) {
        // A decision on its way is reported until the host has it, which may be before the log says
        // so. So a question is known here until the log closes it.
        self.asked.retain(|id, asked| {
            if let AskProgress::Shown(number) = asked.progress
                && !view.is_open(id)
            {
                context.out.cancel_request(number);
                asked.progress = AskProgress::Over;
            }
            view.is_open_in_log(id)
        });
        for entry in view.conversation.summary.approvals.entries() {
            let id = &entry.request.approval_id;
            let (times, unfit) = match self.asked.get(id) {
                None => (0, None),
                Some(AskedQuestion { progress: AskProgress::Due(unfit), times, .. }) => {
                    (*times, Some(unfit))
                }
                Some(_) => continue,
            };
            if !view.is_open(id) {
                continue;
            }
            if let Some((method, params)) =
                request(&entry.request, session, context.abilities, unfit)
            {
                let progress = AskProgress::Shown(context.out.request(method, &params));
                let approval = entry.request.clone();
                let asked = AskedQuestion { progress, times: times + 1, approval };
                self.asked.insert(id.clone(), asked);
            }
        }
    }

    /// Cancels all requests. What is still open is asked again.
    pub(super) fn cancel_all(&mut self, out: &mut AcpOutbox) {
        for asked in std::mem::take(&mut self.asked).into_values() {
            if let AskProgress::Shown(number) = asked.progress {
                out.cancel_request(number);
            }
        }
    }

    /// Takes the client's answer to the request `number`. Returns `None` if that is not one of
    /// these, and the decision, if the answer is one: report what becomes of it by
    /// [`AskedQuestions::decided`]. A client that does not want to answer leaves the question open
    /// for others.
    pub(super) fn answer(
        &mut self,
        number: u64,
        answer: &Result<Value, RpcError>,
        key: String,
    ) -> Option<Option<(ApprovalId, DecideApproval)>> {
        let shown = AskProgress::Shown(number);
        let asked = self.asked.values_mut().find(|asked| asked.progress == shown)?;
        let approval = &asked.approval;
        let answer = match (answer, approval.kind) {
            (Err(_), _) => QuestionAnswer::Nothing,
            (Ok(answer), ApprovalKind::Form) => form_answer(answer),
            (Ok(answer), _) => permission_answer(approval, answer),
        };
        asked.progress = AskProgress::Over;
        match answer {
            QuestionAnswer::Decision(decision) => {
                let digest = Some(approval.digest.clone());
                let decision = DecideApproval { digest, key: Some(key), ..decision };
                Some(Some((approval.approval_id.clone(), decision)))
            }
            QuestionAnswer::Nothing => Some(None),
            QuestionAnswer::Unfit(message) => {
                asked.refused(AnswerUnfit::new("bad_request", message));
                Some(None)
            }
        }
    }

    /// Records that a decision is sent as this request; `None` if it cannot be sent.
    pub(super) fn decided(&mut self, id: &ApprovalId, request: Option<u64>) {
        let Some(asked) = self.asked.get_mut(id) else { return };
        match request {
            Some(request) => asked.progress = AskProgress::Deciding(request),
            None => asked.refused(AnswerUnfit::new("overloaded", "Too many requests wait.")),
        }
    }

    /// Takes the relay's answer to a request, if it is about a decision.
    pub(super) fn done(&mut self, done: &DoneMessage) {
        let deciding = AskProgress::Deciding(done.request);
        let Some(asked) = self.asked.values_mut().find(|asked| asked.progress == deciding) else {
            return;
        };
        match &done.code {
            // The log tells what was decided.
            Some(code) if !closes(code) => {
                let message = done.message.as_deref().unwrap_or(code);
                asked.refused(AnswerUnfit::new(code, message));
            }
            _ => asked.progress = AskProgress::Over,
        }
    }
}

/// Returns true if a decision that is refused with this code can never be made: the log closes the
/// question, or has closed it.
fn closes(code: &str) -> bool {
    let closed = ["already_decided", "approval_expired", "approval_withdrawn", "session_ended"];
    closed.contains(&code) || matches!(code, "approval_not_found" | "not_found" | "read_only")
}

/// Returns the request for a question; `None` if the client cannot answer it. `unfit` is the reason
/// that it is asked again.
fn request(
    approval: &ApprovalRequest,
    session: &SessionId,
    abilities: ClientAbilities,
    unfit: Option<&AnswerUnfit>,
) -> Option<(&'static str, Value)> {
    let id = &approval.approval_id;
    let mut meta = json!({ "moorline": { "approvalId": id, "digest": approval.digest } });
    if let Some(AnswerUnfit { code, message }) = unfit {
        meta["moorline"]["refused"] = json!({ "code": code, "message": message });
    }
    if approval.kind != ApprovalKind::Form {
        let options = options(approval);
        let has_answer = approval.options.is_empty() || !options.is_empty();
        let params = json!({
            "sessionId": session, "toolCall": tool_call(approval), "options": options,
            "_meta": meta,
        });
        return has_answer.then_some(("session/request_permission", params));
    }
    let form = approval.form.as_ref()?;
    let params = if is_page(approval) {
        abilities.pages.then(|| {
            json!({
                "sessionId": session, "mode": "url", "elicitationId": id,
                "url": approval.explanation, "message": approval.command, "_meta": meta,
            })
        })
    } else {
        abilities.forms.then(|| {
            json!({
                "sessionId": session, "mode": "form", "message": approval.command,
                "requestedSchema": form, "_meta": meta,
            })
        })
    };
    params.map(|params| ("elicitation/create", params))
}

/// Returns true if the question is to visit a web page: a form without fields, whose explanation is
/// the address.
fn is_page(approval: &ApprovalRequest) -> bool {
    let fields = approval.form.as_ref().and_then(|form| form.get("properties"));
    let has_fields = fields.and_then(Value::as_object).is_some_and(|fields| !fields.is_empty());
    let url = &approval.explanation;
    !has_fields && (url.starts_with("https://") || url.starts_with("http://"))
}

/// Returns what is asked for, as the state of a tool call.
fn tool_call(approval: &ApprovalRequest) -> Value {
    let subject = &approval.subject;
    let id = subject.tool_call_id.as_deref().unwrap_or(approval.approval_id.as_str());
    let mut call = json!({ "toolCallId": id, "title": approval.command });
    if let Some(tool) = &subject.tool {
        call["kind"] = json!(tool);
    }
    if !subject.content.is_empty() {
        call["content"] = subject.content.iter().map(known_piece).collect();
    } else if !approval.explanation.is_empty() {
        let text = json!({ "type": "text", "text": approval.explanation });
        call["content"] = json!([{ "type": "content", "content": text }]);
    }
    if let Some(input) = &subject.input {
        call["rawInput"] = input.clone();
    }
    call
}

fn options(approval: &ApprovalRequest) -> Vec<Value> {
    let option =
        |id: &str, name: &str, kind: &str| json!({ "optionId": id, "name": name, "kind": kind });
    if approval.options.is_empty() {
        return vec![option(REJECT, "Reject", "reject_once")];
    }
    let known = |it: &ApprovalOption| Some(option(&it.option_id, &it.name, kind_word(it.kind)?));
    approval.options.iter().filter_map(known).collect()
}

const fn kind_word(kind: AnswerKind) -> Option<&'static str> {
    Some(match kind {
        AnswerKind::AllowOnce => "allow_once",
        AnswerKind::AllowSession | AnswerKind::AllowAlways => "allow_always",
        AnswerKind::RejectOnce => "reject_once",
        AnswerKind::RejectAlways => "reject_always",
        // The protocol has no word for an answer that means neither.
        AnswerKind::Other => return None,
    })
}

fn permission_answer(approval: &ApprovalRequest, answer: &Value) -> QuestionAnswer {
    const NO_OPTION: &str = "Choose one of the options of the question.";
    let outcome = |name: &str| answer.pointer(&format!("/outcome/{name}")).and_then(Value::as_str);
    let chosen = match (outcome("outcome"), outcome("optionId")) {
        (Some("cancelled"), _) => return QuestionAnswer::Nothing,
        (Some("selected"), Some(chosen)) => chosen,
        _ => return QuestionAnswer::Unfit("Answer with `outcome`: `selected` or `cancelled`."),
    };
    let (approved, option_id) = if approval.options.is_empty() {
        if chosen != REJECT {
            return QuestionAnswer::Unfit(NO_OPTION);
        }
        (false, None)
    } else {
        let named = approval.options.iter().find(|option| option.option_id == chosen);
        match named.filter(|option| kind_word(option.kind).is_some()) {
            Some(option) => (option.kind.allows(), Some(chosen.to_owned())),
            None => return QuestionAnswer::Unfit(NO_OPTION),
        }
    };
    QuestionAnswer::Decision(DecideApproval {
        approved: Some(approved),
        option_id,
        ..DecideApproval::default()
    })
}

fn form_answer(answer: &Value) -> QuestionAnswer {
    let approved = match answer.get("action").and_then(Value::as_str) {
        Some("accept") => true,
        Some("decline") => false,
        Some("cancel") => return QuestionAnswer::Nothing,
        _ => {
            return QuestionAnswer::Unfit("Answer with `action`: `accept`, `decline` or `cancel`.");
        }
    };
    // The relay checks whether they are those of the form.
    let answers = answer.get("content").filter(|content| approved && !content.is_null()).cloned();
    QuestionAnswer::Decision(DecideApproval {
        approved: Some(approved),
        answers,
        ..DecideApproval::default()
    })
}
