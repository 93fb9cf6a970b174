//! What came with a prompt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::rpc::{INVALID_PARAMS, RpcFailure};

/// The content of a prompt. Empty for the steps that run outside of prompts.
#[derive(Debug, Default)]
pub(crate) struct PromptContent {
    /// The blocks as they came.
    pub(crate) blocks: Vec<Value>,
    /// The text blocks, joined with line ends.
    pub(crate) text: String,
    /// One description for each image: MIME type and size in bytes.
    images: Vec<String>,
    /// One description for each link and each embedded resource.
    resources: Vec<String>,
}

impl PromptContent {
    /// Reads the `prompt` of a request.
    ///
    /// # Errors
    /// If it is no list of content blocks.
    pub(crate) fn read(prompt: &Value) -> Result<Self, RpcFailure> {
        let invalid =
            |what: &str| RpcFailure::new(INVALID_PARAMS, format!("Invalid params: {what}"));
        let blocks = prompt.as_array().ok_or_else(|| invalid("prompt is not a list"))?;
        let mut content = Self { blocks: blocks.clone(), ..Self::default() };
        let mut texts = Vec::new();
        for block in blocks {
            match block["type"].as_str() {
                Some("text") => {
                    let text = block["text"].as_str();
                    texts.push(text.ok_or_else(|| invalid("a text block without text"))?);
                }
                Some("image") => {
                    let data = block["data"].as_str().and_then(|data| STANDARD.decode(data).ok());
                    let data = data.ok_or_else(|| invalid("an image that is not base64"))?;
                    let kind = block["mimeType"].as_str();
                    let kind = kind.ok_or_else(|| invalid("an image without mimeType"))?;
                    content.images.push(format!("{kind} {} bytes", data.len()));
                }
                Some("resource_link") => {
                    let (name, uri) = (block["name"].as_str(), block["uri"].as_str());
                    let (Some(name), Some(uri)) = (name, uri) else {
                        return Err(invalid("a resource_link without name and uri"));
                    };
                    content.resources.push(format!("link {name} {uri}"));
                }
                Some("resource") => {
                    let resource = &block["resource"];
                    let uri = resource["uri"].as_str();
                    let uri = uri.ok_or_else(|| invalid("a resource without uri"))?;
                    let text = resource["text"].as_str().or_else(|| resource["blob"].as_str());
                    let text = text.ok_or_else(|| invalid("a resource without text or blob"))?;
                    content
                        .resources
                        .push(format!("embedded {uri} {} characters", text.chars().count()));
                }
                _ => return Err(invalid("a content block of an unknown type")),
            }
        }
        content.text = texts.join("\n");
        Ok(content)
    }

    /// The number of images and what they are: `images: 1: image/png 70 bytes`.
    pub(crate) fn images(&self) -> String {
        listed("images", &self.images)
    }

    /// The number of resources and what they are: `resources: 1: link notes.md file:///notes.md`.
    pub(crate) fn resources(&self) -> String {
        listed("resources", &self.resources)
    }
}

fn listed(name: &str, items: &[String]) -> String {
    if items.is_empty() {
        return format!("{name}: 0");
    }
    format!("{name}: {}: {}", items.len(), items.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_joined_and_described() {
        let prompt = json!([
            {"type": "text", "text": "say a"},
            {"type": "image", "data": "QUJD", "mimeType": "image/png"},
            {"type": "text", "text": "images"},
            {"type": "resource_link", "name": "n", "uri": "file:///n"},
            {"type": "resource", "resource": {"uri": "file:///t", "text": "abc"}},
        ]);
        let content = PromptContent::read(&prompt).unwrap();
        assert_eq!(content.text, "say a\nimages");
        assert_eq!(content.images(), "images: 1: image/png 3 bytes");
        let resources = "resources: 2: link n file:///n, embedded file:///t 3 characters";
        assert_eq!(content.resources(), resources);
        assert_eq!(PromptContent::default().images(), "images: 0");
    }

    #[test]
    fn what_no_client_may_send_is_refused() {
        for prompt in [
            json!("say a"),
            json!([{"type": "video"}]),
            json!([{"type": "text"}]),
            json!([{"type": "image", "data": "%", "mimeType": "image/png"}]),
            json!([{"type": "image", "data": "QUJD"}]),
            json!([{"type": "resource_link", "uri": "file:///n"}]),
            json!([{"type": "resource", "resource": {"uri": "file:///t"}}]),
        ] {
            let refused = PromptContent::read(&prompt).unwrap_err();
            assert_eq!(refused.code, INVALID_PARAMS, "{prompt}");
        }
    }
}
