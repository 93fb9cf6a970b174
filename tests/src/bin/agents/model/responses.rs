//! The Responses API of OpenAI.

use serde_json::{Value, json};

use super::named_event;
use super::task::{ModelAnswer, ModelQuestion, ModelTool, ModelWord};

pub(super) fn read(body: &Value) -> ModelQuestion {
    let input = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tool = |tool: &Value| ModelTool {
        name: tool["name"].as_str().unwrap_or_default().to_owned(),
        parameters: tool["parameters"]["properties"].as_object().cloned(),
    };
    ModelQuestion {
        said: input.iter().flat_map(words).collect(),
        tools: tools.iter().filter(|tool| tool["name"].is_string()).map(tool).collect(),
        wants_json: body["text"]["format"]["type"] == "json_schema",
    }
}

fn words(item: &Value) -> Vec<ModelWord> {
    match item["type"].as_str() {
        Some("function_call_output" | "custom_tool_call_output") => vec![ModelWord::Result],
        Some("message") | None if item["role"] == "user" => {
            let parts = item["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.map(|text| ModelWord::User(text.to_owned())).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn write(answer: &ModelAnswer, call: u64, streams: bool) -> String {
    let call_id = format!("call_{call}");
    let item = match answer {
        ModelAnswer::Text(text) => json!({
            "type": "message", "id": format!("msg_{call}"), "role": "assistant",
            "status": "completed",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }],
        }),
        ModelAnswer::Call { tool, arguments: Value::String(text) } => json!({
            "type": "custom_tool_call", "id": format!("ctc_{call}"), "call_id": call_id,
            "name": tool, "input": text, "status": "completed",
        }),
        ModelAnswer::Call { tool, arguments } => json!({
            "type": "function_call", "id": format!("fc_{call}"), "call_id": call_id, "name": tool,
            "arguments": arguments.to_string(), "status": "completed",
        }),
    };
    let usage = json!({
        "input_tokens": 10, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 5, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": 15,
    });
    let response = json!({
        "id": format!("resp_{call}"), "object": "response", "created_at": 1, "model": super::MODEL,
        "status": "completed", "output": [item], "usage": usage,
    });
    if !streams {
        return response.to_string();
    }
    let mut begun = response.clone();
    (begun["status"], begun["output"], begun["usage"]) =
        ("in_progress".into(), json!([]), Value::Null);
    let mut empty = item.clone();
    let mut events = vec![json!({ "type": "response.created", "response": begun })];
    if let ModelAnswer::Text(text) = answer {
        empty["content"] = json!([]);
        events.push(
            json!({ "type": "response.output_item.added", "output_index": 0, "item": empty }),
        );
        events.push(json!({
            "type": "response.output_text.delta", "item_id": item["id"], "output_index": 0,
            "content_index": 0, "delta": text,
        }));
    }
    events.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": item }));
    events.push(json!({ "type": "response.completed", "response": response }));
    let named = |event: &Value| named_event(event["type"].as_str().unwrap_or_default(), event);
    events.iter().map(named).collect()
}
