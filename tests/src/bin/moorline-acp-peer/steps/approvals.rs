//! Steps that ask the user.

use serde_json::{Map, Value, json};

use crate::rpc::Answered;
use crate::turn::{MESSAGE, PeerTurn, Stepped, StepsEnd};
use crate::updates;

/// Asks for permission. Without waiting, the answer is left to the step `answers`.
pub(crate) async fn ask(turn: &mut PeerTurn, params: Map<String, Value>, waits: bool) -> Stepped {
    let params = permission(turn, params)?;
    if !waits {
        let receiver = turn.ask("session/request_permission", params).await?;
        turn.asked.push(receiver);
        return Ok(());
    }
    let answer = wait_for(turn, "session/request_permission", params).await?;
    told(turn, &answer).await
}

/// Waits for all answers that were left to this step.
pub(crate) async fn answers(turn: &mut PeerTurn) -> Stepped {
    for receiver in std::mem::take(&mut turn.asked) {
        let answer = turn.answer(receiver).await?;
        told(turn, &answer).await?;
    }
    Ok(())
}

/// Asks for the values of a form, or for a visit to a URL.
pub(crate) async fn form(turn: &mut PeerTurn, mut params: Map<String, Value>) -> Stepped {
    let id = turn.session()?.new_id("elicitation");
    params.entry("mode").or_insert_with(|| "form".into());
    params.entry("message").or_insert_with(|| "Please answer.".into());
    if params["mode"] == "url" {
        params.entry("elicitationId").or_insert_with(|| id.into());
        params.entry("url").or_insert_with(|| "https://peer.example/".into());
    } else {
        params.entry("requestedSchema").or_insert_with(|| {
            json!({
                "type": "object",
                "properties": {"answer": {"type": "string"}},
                "required": ["answer"],
            })
        });
    }
    let text = match wait_for(turn, "elicitation/create", params.into()).await? {
        Ok(answer) => {
            let action = answer["action"].as_str().unwrap_or("without action").to_owned();
            let content = answer.get("content").filter(|content| !content.is_null());
            content.map_or(action.clone(), |content| format!("{action} {content}"))
        }
        Err(error) => error.to_string(),
    };
    turn.say(MESSAGE, &format!("form: {text}")).await?;
    turn.check()
}

/// Asks whether a file may be written, and writes it if so.
pub(crate) async fn edit(turn: &mut PeerTurn, path: &str, content: &str) -> Stepped {
    let path = turn.absolute(path)?;
    let id = turn.session()?.new_id("call");
    let old = std::fs::read_to_string(&path).ok();
    let diff = updates::diff(turn.dialect.version, &path, old.as_deref(), content);
    let Value::Object(tool) = json!({
        "toolCallId": id,
        "title": format!("Edit {path}"),
        "kind": "edit",
        "status": "pending",
        "locations": [{"path": path}],
        "content": diff,
    }) else {
        return Ok(());
    };
    turn.update(updates::tool(turn.dialect.version, tool.clone())).await?;
    let params = permission(turn, tool)?;
    let answer = wait_for(turn, "session/request_permission", params.clone()).await?;
    if !is_allowed(&params, &answer) {
        turn.update(updates::tool_status(&id, "failed", None)).await?;
        return told(turn, &answer).await;
    }
    turn.update(updates::tool_status(&id, "in_progress", None)).await?;
    let written = std::fs::write(&path, content);
    let status = if written.is_ok() { "completed" } else { "failed" };
    turn.update(updates::tool_status(&id, status, None)).await?;
    told(turn, &answer).await
}

/// The parameters of a permission request. The fields are those of the tool call, besides `options`,
/// and in version 2 `description` and `subject`.
fn permission(turn: &PeerTurn, mut fields: Map<String, Value>) -> Stepped<Value> {
    let options = options(fields.remove("options"));
    let (description, subject) = (fields.remove("description"), fields.remove("subject"));
    let mut tool = match fields.remove("toolCall") {
        Some(Value::Object(tool)) => tool,
        _ => fields,
    };
    let session = turn.session()?;
    tool.entry("toolCallId").or_insert_with(|| session.new_id("call").into());
    tool.entry("title").or_insert_with(|| "Do it".into());
    if turn.dialect.version == 1 {
        return Ok(json!({"toolCall": tool, "options": options}));
    }
    let title = tool["title"].clone();
    let subject = subject.unwrap_or_else(|| json!({"type": "tool_call", "toolCall": tool}));
    let mut params = json!({"title": title, "subject": subject, "options": options});
    if let Some(description) = description {
        params["description"] = description;
    }
    Ok(params)
}

/// The options of a permission request. An option can be its kind alone.
fn options(options: Option<Value>) -> Vec<Value> {
    let options = match options {
        Some(Value::Array(options)) => options,
        _ => vec!["allow_once".into(), "allow_always".into(), "reject_once".into()],
    };
    let whole = |option| match option {
        Value::String(kind) => json!({"optionId": kind, "name": name(&kind), "kind": kind}),
        other => other,
    };
    options.into_iter().map(whole).collect()
}

/// The name of an option of this kind, such as "Allow once".
fn name(kind: &str) -> String {
    let words = kind.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Whether the answer is one of the allowing options. Anything that is not understood is a no.
fn is_allowed(params: &Value, answer: &Answered) -> bool {
    let Ok(answer) = answer else { return false };
    let options = params["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen = options.iter().find(|option| option["optionId"] == answer["outcome"]["optionId"]);
    let kind = chosen.and_then(|option| option["kind"].as_str());
    answer["outcome"]["outcome"] == "selected"
        && kind.is_some_and(|kind| kind.starts_with("allow_"))
}

/// Sends a request that needs the user, and reports in version 2 that it is waiting.
async fn wait_for(turn: &mut PeerTurn, method: &str, params: Value) -> Stepped<Answered> {
    let receiver = turn.ask(method, params).await?;
    state(turn, "requires_action").await?;
    let answer = turn.answer(receiver).await?;
    state(turn, "running").await?;
    Ok(answer)
}

async fn state(turn: &PeerTurn, state: &str) -> Stepped {
    if turn.dialect.version == 1 {
        return Ok(());
    }
    turn.update_unkept(json!({"sessionUpdate": "state_update", "state": state})).await
}

/// Says how the request was answered. `cancelled` ends the turn, as only a cancelled turn may have
/// this answer.
async fn told(turn: &mut PeerTurn, answer: &Answered) -> Stepped {
    let outcome = match answer {
        Ok(answer) => match (&answer["outcome"]["outcome"], &answer["outcome"]["optionId"]) {
            (Value::String(outcome), Value::String(option)) if outcome == "selected" => {
                option.clone()
            }
            (Value::String(outcome), _) => outcome.clone(),
            _ => answer.to_string(),
        },
        Err(error) => error.to_string(),
    };
    turn.say(MESSAGE, &format!("answer: {outcome}")).await?;
    if outcome == "cancelled" { Err(StepsEnd::Cancelled) } else { turn.check() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_selected_allowing_option_allows() {
        let params = json!({"options": options(None)});
        let answer = |outcome: &str, option: &str| {
            is_allowed(&params, &Ok(json!({"outcome": {"outcome": outcome, "optionId": option}})))
        };
        assert!(answer("selected", "allow_once"));
        assert!(answer("selected", "allow_always"));
        assert!(!answer("selected", "reject_once"));
        assert!(!answer("selected", "unknown"));
        assert!(!answer("cancelled", "allow_once"));
        assert!(!is_allowed(&params, &Ok(Value::Null)));
    }

    #[test]
    fn an_option_can_be_its_kind_alone() {
        let given = json!(["reject_always", {"optionId": "o", "name": "n", "kind": "allow_once"}]);
        let expected = [
            json!({"optionId": "reject_always", "name": "Reject always", "kind": "reject_always"}),
            json!({"optionId": "o", "name": "n", "kind": "allow_once"}),
        ];
        assert_eq!(options(Some(given)), expected);
    }
}
