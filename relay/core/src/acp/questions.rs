//! The open approvals of a session, as requests to a client.
//!
//! A client is only asked what is open now: a question that its history contains, or that was
//! decided elsewhere, is never a request. A question that is decided elsewhere while the client
//! shows it is cancelled, and an answer that comes late is ignored.

use std::collections::BTreeMap;

use moorline_shared::agent::approval::{AnswerKind, ApprovalKind, ApprovalOption, ApprovalRequest};
use moorline_shared::id::{ApprovalId, SessionId};
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

#[derive(Debug)]
struct AskedQuestion {
    /// The number of the request; `None` once the client has answered, or it was cancelled.
    number: Option<u64>,
    /// The question, as it was shown.
    approval: ApprovalRequest,
}

impl AskedQuestions {
    /// Asks the client what is open and was not asked, and cancels what is no longer open.
    pub(super) fn progress(
        &mut self,
        view: &AcpView,
        session: &SessionId,
        context: &mut AcpContext<'_>,
    ) {
        // A decision on its way is reported until the host has it, which may be before the log says
        // so. So a question is known here until the log closes it.
        self.asked.retain(|id, asked| {
            if !view.is_open(id)
                && let Some(number) = asked.number.take()
            {
                context.out.cancel_request(number);
            }
            view.is_open_in_log(id)
        });
        for entry in view.conversation.summary.approvals.entries() {
            let id = &entry.request.approval_id;
            if !view.is_open(id) || self.asked.contains_key(id) {
                continue;
            }
            if let Some((method, params)) = request(&entry.request, session, context.abilities) {
                let number = Some(context.out.request(method, &params));
                let approval = entry.request.clone();
                self.asked.insert(id.clone(), AskedQuestion { number, approval });
            }
        }
    }

    /// Cancels all requests. What is still open is asked again.
    pub(super) fn cancel_all(&mut self, out: &mut AcpOutbox) {
        for asked in std::mem::take(&mut self.asked).into_values() {
            if let Some(number) = asked.number {
                out.cancel_request(number);
            }
        }
    }

    /// Takes the client's answer to the request `number`. Returns `None` if that is not one of
    /// these, and the decision, if the answer is one: a client that does not want to answer leaves
    /// the question open for others.
    pub(super) fn answer(
        &mut self,
        number: u64,
        answer: &Result<Value, RpcError>,
        key: String,
    ) -> Option<Option<(ApprovalId, DecideApproval)>> {
        let asked = self.asked.values_mut().find(|asked| asked.number == Some(number))?;
        asked.number = None;
        let approval = &asked.approval;
        let decision = answer.as_ref().ok().and_then(|answer| match approval.kind {
            ApprovalKind::Form => form_decision(answer),
            _ => permission_decision(approval, answer),
        });
        let decision = decision.map(|decision| DecideApproval {
            digest: Some(approval.digest.clone()),
            key: Some(key),
            ..decision
        });
        Some(decision.map(|decision| (approval.approval_id.clone(), decision)))
    }
}

/// Returns the request for a question; `None` if the client cannot answer it.
fn request(
    approval: &ApprovalRequest,
    session: &SessionId,
    abilities: ClientAbilities,
) -> Option<(&'static str, Value)> {
    let id = &approval.approval_id;
    let meta = json!({ "moorline": { "approvalId": id, "digest": approval.digest } });
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

fn permission_decision(approval: &ApprovalRequest, answer: &Value) -> Option<DecideApproval> {
    let outcome = answer.get("outcome")?;
    if outcome.get("outcome")?.as_str()? != "selected" {
        return None;
    }
    let chosen = outcome.get("optionId")?.as_str()?;
    if approval.options.is_empty() {
        let denied = DecideApproval { approved: Some(false), ..DecideApproval::default() };
        return (chosen == REJECT).then_some(denied);
    }
    let option = approval.options.iter().find(|option| option.option_id == chosen)?;
    kind_word(option.kind)?;
    Some(DecideApproval {
        approved: Some(option.kind.allows()),
        option_id: Some(chosen.to_owned()),
        ..DecideApproval::default()
    })
}

fn form_decision(answer: &Value) -> Option<DecideApproval> {
    let approved = match answer.get("action")?.as_str()? {
        "accept" => true,
        "decline" => false,
        _ => return None,
    };
    let answers = answer.get("content").filter(|content| approved && content.is_object()).cloned();
    Some(DecideApproval { approved: Some(approved), answers, ..DecideApproval::default() })
}
