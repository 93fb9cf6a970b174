//! The Messages API of Anthropic.

use serde_json::{Value, json};

use super::named_event;
use super::task::{ModelAnswer, ModelQuestion, ModelTool, ModelWord};

pub(super) fn read(body: &Value) -> ModelQuestion {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = messages.iter().filter(|message| message["role"] == "user").flat_map(words);
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tool = |tool: &Value| ModelTool {
        name: tool["name"].as_str().unwrap_or_default().to_owned(),
        parameters: tool["input_schema"]["properties"].as_object().cloned(),
    };
    let wants_json =
        body["output_config"]["format"].is_object() || body["output_format"].is_object();
    ModelQuestion { said: said.collect(), tools: tools.iter().map(tool).collect(), wants_json }
}

fn words(message: &Value) -> Vec<ModelWord> {
    if let Some(text) = message["content"].as_str() {
        return vec![ModelWord::User(text.to_owned())];
    }
    let parts = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |part: &Value| match part["type"].as_str()? {
        "tool_result" => Some(ModelWord::Result),
        _ => Some(ModelWord::User(part["text"].as_str()?.to_owned())),
    };
    parts.iter().filter_map(word).collect()
}

pub(super) fn write(answer: &ModelAnswer, call: u64, streams: bool) -> String {
    let (block, delta, reason) = match answer {
        ModelAnswer::Text(text) => (
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text_delta", "text": text }),
            "end_turn",
        ),
        ModelAnswer::Call { tool, arguments } => (
            json!({ "type": "tool_use", "id": format!("toolu_{call}"), "name": tool, "input": {} }),
            json!({ "type": "input_json_delta", "partial_json": arguments.to_string() }),
            "tool_use",
        ),
    };
    let usage = json!({ "input_tokens": 10, "output_tokens": 5 });
    let message = json!({
        "id": format!("msg_{call}"), "type": "message", "role": "assistant", "model": super::MODEL,
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
    });
    if !streams {
        let mut whole = message;
        whole["stop_reason"] = reason.into();
        whole["content"] = match answer {
            ModelAnswer::Text(text) => json!([{ "type": "text", "text": text }]),
            ModelAnswer::Call { arguments, .. } => {
                let mut block = block;
                block["input"] = arguments.clone();
                json!([block])
            }
        };
        return whole.to_string();
    }
    let ended = json!({ "stop_reason": reason, "stop_sequence": null });
    let events = [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": ended, "usage": usage }),
        json!({ "type": "message_stop" }),
    ];
    let named = |event: &Value| named_event(event["type"].as_str().unwrap_or_default(), event);
    events.iter().map(named).collect()
}
