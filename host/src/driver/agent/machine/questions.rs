//! The questions of the agent that wait for a decision, and what was allowed.

use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalKind, ApprovalOption, ApprovalRequest, ApprovalSubject,
};
use moorline_shared::agent::content::{ContentBlock, KnownToolContent, ToolContent};
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::limits::{APPROVAL_BYTES, COMMAND_DECISION, OPEN_APPROVALS};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cuts::json_bytes;
use super::outbox::{AgentOutput, Outbox};
use super::question_size::fit_request;
use super::tools::OpenTool;
use crate::driver::agent::acp::{
    AskedForm, AskedPermission, form_answer, hash_of, permission_answer, quoted, terminal_of,
};
use crate::driver::agent::rpc::{CANCELLED, RpcId};

/// Most tool calls that were allowed and are not over.
const ALLOWED: usize = 64;

/// The questions of the agent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct QuestionBook {
    open: Vec<OpenQuestion>,
    /// The tool calls that were allowed and are not over, with the questions about them.
    allowed: Vec<(Option<String>, ApprovalId)>,
}

/// A question that waits for a decision.
#[derive(Debug, Serialize, Deserialize)]
struct OpenQuestion {
    approval_id: ApprovalId,
    /// The request to answer.
    request: RpcId,
    /// The tool call that it is about, in the agent's words.
    tool: Option<String>,
    /// The answers of a permission; `None` for a form.
    options: Option<Vec<ApprovalOption>>,
}

/// What the agent was answered to a question about a permission.
#[derive(Debug)]
pub(super) struct PermissionAnswer {
    /// The kind of the answer; `None` if the agent offers none that fits.
    pub(super) kind: Option<AnswerKind>,
    /// The tool call that it is about, in the agent's words.
    pub(super) tool: Option<String>,
}

impl QuestionBook {
    /// Returns true if a question waits for a decision.
    pub(super) fn has(&self, id: &ApprovalId) -> bool {
        self.open.iter().any(|question| question.approval_id == *id)
    }

    /// Returns true if this request is a question that is open.
    pub(super) fn has_request(&self, request: &RpcId) -> bool {
        self.open.iter().any(|question| question.request == *request)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= OPEN_APPROVALS
    }

    /// Asks the users for a permission.
    pub(super) fn ask(
        &mut self,
        request: RpcId,
        tool: Option<String>,
        asked: ApprovalRequest,
        out: &mut Outbox,
    ) {
        let approval_id = asked.approval_id.clone();
        let options = (asked.kind != ApprovalKind::Form).then(|| asked.options.clone());
        self.open.push(OpenQuestion { approval_id, request, tool, options });
        out.show(|transcript| {
            let line = format!("{} (decide on the session's page)", asked.command);
            transcript.question(&line)
        });
        out.push(AgentOutput::Ask(Box::new(asked)));
    }

    /// Answers a question with a decision, or with none if nobody decided in time. Returns the
    /// answer that the agent gets, if it has asked for a permission.
    pub(super) fn decide(
        &mut self,
        id: &ApprovalId,
        decision: Option<&ApprovalDecision>,
        out: &mut Outbox,
    ) -> Option<PermissionAnswer> {
        let place = self.open.iter().position(|question| question.approval_id == *id)?;
        let OpenQuestion { approval_id, request, tool, options } = self.open.remove(place);
        let Some(options) = options else {
            let accepted = decision.map(|decision| decision.approved);
            let content = decision.and_then(|decision| decision.answers.clone());
            out.answer(&request, &Ok(form_answer(accepted, content)));
            return None;
        };
        let chosen = choose(&options, decision);
        out.answer(&request, &Ok(permission_answer(chosen.map(|option| &*option.option_id))));
        let is_allowed = chosen.is_some_and(|option| option.kind.allows());
        out.show(|transcript| {
            transcript.note(match (decision, is_allowed) {
                (None, _) => "nobody decided in time",
                (_, true) => "allowed",
                (_, false) => "not allowed",
            })
        });
        if is_allowed {
            self.allowed.push((tool.clone(), approval_id));
            if self.allowed.len() > ALLOWED {
                let (_, oldest) = self.allowed.remove(0);
                out.push(AgentOutput::Done(oldest));
            }
        }
        Some(PermissionAnswer { kind: chosen.map(|option| option.kind), tool })
    }

    /// Withdraws the question of a request that the agent has cancelled. Returns false if it is not
    /// one.
    pub(super) fn cancel(&mut self, request: &RpcId, out: &mut Outbox) -> bool {
        let place = self.open.iter().position(|question| question.request == *request);
        let Some(place) = place else { return false };
        let question = self.open.remove(place);
        out.refuse(request, CANCELLED, "The request was cancelled.");
        let reason = "The agent no longer asks.".to_owned();
        out.push(AgentOutput::Withdraw { approval_id: question.approval_id, reason });
        true
    }

    /// Withdraws all questions. The agent is told so, unless it is gone.
    pub(super) fn withdraw_all(&mut self, reason: &str, is_gone: bool, out: &mut Outbox) {
        for OpenQuestion { approval_id, request, options, .. } in self.open.drain(..) {
            if !is_gone {
                out.answer(&request, &Ok(cancelled(options.is_some())));
            }
            out.push(AgentOutput::Withdraw { approval_id, reason: reason.to_owned() });
        }
    }

    /// Records that a tool call is over, so that what was allowed is done.
    pub(super) fn tool_over(&mut self, wire_id: &str, out: &mut Outbox) {
        let of_tool = |tool: &Option<String>| tool.as_deref() == Some(wire_id);
        for (_, approval_id) in self.allowed.extract_if(.., |(tool, _)| of_tool(tool)) {
            out.push(AgentOutput::Done(approval_id));
        }
    }

    /// Records that nothing runs any more that was allowed.
    pub(super) fn all_over(&mut self, out: &mut Outbox) {
        for (_, approval_id) in self.allowed.drain(..) {
            out.push(AgentOutput::Done(approval_id));
        }
    }
}

/// Returns the answer of a question that nobody was asked.
pub(super) fn cancelled(is_permission: bool) -> Value {
    if is_permission { permission_answer(None) } else { form_answer(None, None) }
}

/// Returns the answer that a decision chooses: the one that it names, or else the usual one of its
/// kind. `None` if there is none, which allows nothing.
fn choose<'a>(
    options: &'a [ApprovalOption],
    decision: Option<&ApprovalDecision>,
) -> Option<&'a ApprovalOption> {
    let of_kind = |kind: AnswerKind| options.iter().find(move |option| option.kind == kind);
    let reject = || of_kind(AnswerKind::RejectOnce);
    let Some(decision) = decision else { return reject() };
    // An agent runs its own command only, and not the one that somebody wants instead.
    if decision.custom_command.is_some() || !decision.approved {
        let named =
            options.iter().find(|option| Some(&option.option_id) == decision.option_id.as_ref());
        return named.filter(|option| option.kind.rejects()).or_else(reject);
    }
    match &decision.option_id {
        Some(id) => options.iter().find(|option| option.option_id == *id),
        None => {
            let kinds = [AnswerKind::AllowOnce, AnswerKind::AllowSession];
            kinds.into_iter().find_map(of_kind)
        }
    }
}

/// The circumstances of a question.
#[derive(Debug, Clone)]
pub(super) struct QuestionPlace {
    pub(super) now: Time,
    pub(super) approval_id: ApprovalId,
    pub(super) turn_id: Option<TurnId>,
    /// The folder in which commands run.
    pub(super) cwd: String,
}

/// Returns the question about a permission. `tool` is all that is known of the tool call.
pub(super) fn permission_request(
    place: QuestionPlace,
    asked: AskedPermission,
    tool: Option<&OpenTool>,
) -> ApprovalRequest {
    let known = tool.map(|tool| &tool.known);
    let input = known.and_then(|known| known.input.clone());
    let kind = known.and_then(|known| known.kind.clone());
    // The inputs of other tools have commands of another kind.
    let executes = kind.as_deref() == Some("execute");
    let named = input.as_ref().filter(|_| executes).and_then(command_of);
    let command = asked.command.or(named);
    let runs = command.is_some() || executes;
    let title = asked.title.or_else(|| known.and_then(|known| known.title.clone()));
    let cwd = runs.then(|| asked.cwd.unwrap_or(place.cwd));
    let identity = tool.map(OpenTool::identity);
    let digest = hash_of(&json!({
        "tool": identity, "command": command, "title": title, "cwd": cwd,
    }));
    let contents = known.and_then(|known| known.content.as_deref()).unwrap_or_default();
    let expires_at = runs.then(|| (place.now + COMMAND_DECISION).ms);
    let explanation = match (&command, &title) {
        (Some(command), Some(title)) if title != command => Some(title.clone()),
        _ => None,
    };
    let mut request = ApprovalRequest {
        approval_id: place.approval_id,
        command: command.or(title).unwrap_or_else(|| "Use a tool".to_owned()),
        explanation: asked.description.or(explanation).unwrap_or_default(),
        expires_at,
        kind: ApprovalKind::Tool,
        options: asked.options,
        subject: ApprovalSubject {
            tool_call_id: known.map(|known| known.tool_call_id.clone()),
            tool: kind,
            cwd,
            content: contents.iter().filter_map(shown_content).collect(),
            input,
        },
        digest,
        turn_id: place.turn_id,
        form: None,
        form_order: Vec::new(),
        from: None,
        // What is known of a large tool call lacks parts.
        truncated: known.is_some_and(|known| known.truncated),
    };
    fit_request(&mut request);
    request
}

/// Returns the question that is a form, or a page to visit; `None` if the form is too large.
pub(super) fn form_request(place: QuestionPlace, asked: AskedForm) -> Option<ApprovalRequest> {
    let AskedForm { message, schema, order, url } = asked;
    let option = |id: &str, name: &str, kind| ApprovalOption {
        option_id: id.to_owned(),
        name: name.to_owned(),
        kind,
    };
    let mut request = ApprovalRequest {
        approval_id: place.approval_id,
        digest: match &url {
            None => hash_of(&json!({ "message": message, "schema": schema })),
            Some(url) => hash_of(&json!({ "message": message, "url": url })),
        },
        command: message,
        explanation: url.clone().unwrap_or_default(),
        expires_at: None,
        kind: ApprovalKind::Form,
        options: vec![
            option("accept", if url.is_some() { "Done" } else { "Send" }, AnswerKind::AllowOnce),
            option("decline", "Decline", AnswerKind::RejectOnce),
        ],
        subject: ApprovalSubject::default(),
        turn_id: place.turn_id,
        form: Some(schema),
        form_order: order,
        from: None,
        truncated: false,
    };
    fit_request(&mut request);
    if json_bytes(&request) > APPROVAL_BYTES {
        request.form_order.clear();
    }
    (json_bytes(&request) <= APPROVAL_BYTES).then_some(request)
}

/// Returns the command that a tool's input names: a text, or words.
fn command_of(input: &Value) -> Option<String> {
    match input.get("command").or_else(|| input.get("cmd"))? {
        Value::String(command) => Some(command.clone()),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            Some(words?.into_iter().map(quoted).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}

/// Returns what a tool has produced in a form that everybody can show; `None` for a terminal, which
/// says nothing about what will be done.
fn shown_content(content: &ToolContent) -> Option<KnownToolContent> {
    if terminal_of(content).is_some() {
        return None;
    }
    let text = |text: String| KnownToolContent::Content { content: ContentBlock::text(text) };
    Some(match content {
        ToolContent::Known(known) => known.clone(),
        ToolContent::Other(value) => match value.pointer("/patch/text").and_then(Value::as_str) {
            Some(patch) => text(format!("```diff\n{patch}\n```")),
            None => text(value.to_string()),
        },
    })
}
