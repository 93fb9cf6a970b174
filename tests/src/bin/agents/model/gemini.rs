//! The API of Google's Gemini.

use serde_json::{Value, json};

use super::event;
use super::task::{ModelAnswer, ModelQuestion, ModelTool, ModelWord};

pub(super) fn read(body: &Value) -> ModelQuestion {
    let contents = body["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let declared = tools.iter().filter_map(|tool| tool["functionDeclarations"].as_array());
    let tool = |tool: &Value| {
        let schema = tool.get("parametersJsonSchema").or_else(|| tool.get("parameters"));
        ModelTool {
            name: tool["name"].as_str().unwrap_or_default().to_owned(),
            parameters: schema.and_then(|schema| schema["properties"].as_object()).cloned(),
        }
    };
    let said = contents.iter().filter(|content| content["role"] != "model").flat_map(words);
    ModelQuestion {
        said: said.collect(),
        tools: declared.flatten().map(tool).collect(),
        wants_json: body["generationConfig"]["responseMimeType"] == "application/json",
    }
}

fn words(content: &Value) -> Vec<ModelWord> {
    let parts = content["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |part: &Value| match part.get("functionResponse") {
        Some(_) => Some(ModelWord::Result),
        None => Some(ModelWord::User(part["text"].as_str()?.to_owned())),
    };
    parts.iter().filter_map(word).collect()
}

pub(super) fn write(answer: &ModelAnswer, call: u64, streams: bool) -> String {
    let part = match answer {
        ModelAnswer::Text(text) => json!({ "text": text }),
        ModelAnswer::Call { tool, arguments } => {
            json!({ "functionCall": { "id": format!("call_{call}"), "name": tool, "args": arguments } })
        }
    };
    let usage = json!({ "promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15 });
    let content = json!({ "role": "model", "parts": [part] });
    let whole = json!({
        "candidates": [{ "index": 0, "content": content, "finishReason": "STOP" }],
        "usageMetadata": usage, "modelVersion": super::MODEL, "responseId": format!("r{call}"),
    });
    if streams { event(&whole) } else { whole.to_string() }
}
