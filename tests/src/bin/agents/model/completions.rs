//! The Chat Completions API of OpenAI, which many servers of models speak.

use serde_json::{Value, json};

use super::event;
use super::task::{ModelAnswer, ModelQuestion, ModelTool, ModelWord};

pub(super) fn read(body: &Value) -> ModelQuestion {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tool = |tool: &Value| ModelTool {
        name: tool["function"]["name"].as_str().unwrap_or_default().to_owned(),
        parameters: tool["function"]["parameters"]["properties"].as_object().cloned(),
    };
    ModelQuestion {
        said: messages.iter().flat_map(words).collect(),
        tools: tools.iter().map(tool).collect(),
        wants_json: body["response_format"].is_object(),
    }
}

fn words(message: &Value) -> Vec<ModelWord> {
    match message["role"].as_str() {
        Some("tool") => vec![ModelWord::Result],
        Some("user") => match &message["content"] {
            Value::String(text) => vec![ModelWord::User(text.clone())],
            parts => {
                let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
                let texts = parts.iter().filter_map(|part| part["text"].as_str());
                texts.map(|text| ModelWord::User(text.to_owned())).collect()
            }
        },
        _ => Vec::new(),
    }
}

pub(super) fn write(answer: &ModelAnswer, call: u64, streams: bool) -> String {
    let (mut said, reason) = match answer {
        ModelAnswer::Text(text) => (json!({ "role": "assistant", "content": text }), "stop"),
        ModelAnswer::Call { tool, arguments } => {
            let function = json!({ "name": tool, "arguments": arguments.to_string() });
            let called = json!([{
                "index": 0, "id": format!("call_{call}"), "type": "function", "function": function,
            }]);
            (json!({ "role": "assistant", "content": null, "tool_calls": called }), "tool_calls")
        }
    };
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 });
    let chunk = |choices: Value| {
        json!({
            "id": format!("chatcmpl-{call}"), "object": "chat.completion.chunk", "created": 1,
            "model": super::MODEL, "choices": choices,
        })
    };
    if !streams {
        let message = said.take();
        let mut whole = chunk(json!([{ "index": 0, "message": message, "finish_reason": reason }]));
        (whole["object"], whole["usage"]) = ("chat.completion".into(), usage);
        return whole.to_string();
    }
    let mut last = chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]));
    last["usage"] = usage;
    let first = chunk(json!([{ "index": 0, "delta": said, "finish_reason": null }]));
    event(&first) + &event(&last) + "data: [DONE]\n\n"
}
