//! The questions of an agent: permissions and forms.

use moorline_shared::agent::approval::{AnswerKind, ApprovalOption};
use serde_json::{Value, json};

use super::content::{id, tool as read_tool};
use super::{AcpVersion, LINE_BYTES, ToolNews, line, list, text};

/// Most options of a question.
const OPTIONS: usize = 8;

/// A request for a permission.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct AskedPermission {
    /// The tool call that it is about, as far as the request says.
    pub(in super::super) tool: Option<ToolNews>,
    /// What will be done, in one line.
    pub(in super::super) title: Option<String>,
    /// Why, in a sentence.
    pub(in super::super) description: Option<String>,
    /// The command that will be run.
    pub(in super::super) command: Option<String>,
    /// The folder in which it will be run.
    pub(in super::super) cwd: Option<String>,
    /// The possible answers.
    pub(in super::super) options: Vec<ApprovalOption>,
}

/// A request to fill in a form, or to visit a page.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct AskedForm {
    /// The question.
    pub(in super::super) message: String,
    /// The JSON schema of the form; one without fields for a page.
    pub(in super::super) schema: Value,
    /// The names of its fields, in the agent's order.
    pub(in super::super) order: Vec<String>,
    /// The address of the page.
    pub(in super::super) url: Option<String>,
}

/// Reads a request for a permission; `None` if nothing can be answered.
pub(in super::super) fn permission(dialect: AcpVersion, params: &Value) -> Option<AskedPermission> {
    let options = list(params, "options")?.iter().take(OPTIONS).filter_map(option).collect();
    let asked = match dialect {
        AcpVersion::V1 => {
            let tool = params.get("toolCall").and_then(|tool| read_tool(dialect, tool))?;
            AskedPermission { tool: Some(tool), ..AskedPermission::default() }
        }
        AcpVersion::V2 => {
            let subject = params.get("subject").unwrap_or(&Value::Null);
            let named = subject.get("toolCall").and_then(|tool| read_tool(dialect, tool));
            // A command may belong to a tool call that was told before.
            let tool = named.or_else(|| {
                read_tool(dialect, &json!({ "toolCallId": id(subject, "toolCallId")? }))
            });
            AskedPermission {
                tool,
                title: text(params, "title"),
                description: text(params, "description"),
                command: text(subject, "command"),
                cwd: text(subject, "cwd"),
                options: Vec::new(),
            }
        }
    };
    Some(AskedPermission { options, ..asked })
}

fn option(value: &Value) -> Option<ApprovalOption> {
    let option_id = id(value, "optionId").filter(|id| !id.contains(char::is_control))?;
    let mut name = line(value, "name").unwrap_or_else(|| option_id.clone());
    name.retain(|letter| !letter.is_control());
    // Every text is a kind, if only an unknown one.
    let kind = value.get("kind").and_then(|kind| serde_json::from_value(kind.clone()).ok());
    Some(ApprovalOption { option_id, name, kind: kind.unwrap_or(AnswerKind::Other) })
}

/// Returns the answer that chooses an option; `None` for the one that nobody was asked.
pub(in super::super) fn permission_answer(option_id: Option<&str>) -> Value {
    match option_id {
        Some(id) => json!({ "outcome": { "outcome": "selected", "optionId": id } }),
        None => json!({ "outcome": { "outcome": "cancelled" } }),
    }
}

/// Reads a request to fill in a form or to visit a page; `None` for every other way to ask, none of
/// which the host has offered, and for what is no page of the web.
pub(in super::super) fn form(params: &Value) -> Option<AskedForm> {
    let message = text(params, "message").unwrap_or_default();
    match params.get("mode").map_or(Some("form"), Value::as_str)? {
        "form" => {
            let schema = params.get("requestedSchema").filter(|schema| schema.is_object())?.clone();
            Some(AskedForm { message, schema, order: Vec::new(), url: None })
        }
        "url" => {
            let is_page = |url: &String| {
                let is_web = url.starts_with("https://") || url.starts_with("http://");
                is_web && url.len() <= LINE_BYTES && !url.contains(char::is_control)
            };
            let url = text(params, "url").filter(is_page)?;
            Some(AskedForm {
                message,
                schema: json!({ "type": "object", "properties": {} }),
                order: Vec::new(),
                url: Some(url),
            })
        }
        _ => None,
    }
}

/// Returns the answer to a form: what was filled in, or that it was declined or withdrawn.
pub(in super::super) fn form_answer(accepted: Option<bool>, content: Option<Value>) -> Value {
    match accepted {
        Some(true) => {
            let content = content.filter(Value::is_object).unwrap_or_else(|| json!({}));
            json!({ "action": "accept", "content": content })
        }
        Some(false) => json!({ "action": "decline" }),
        None => json!({ "action": "cancel" }),
    }
}
