//! The content of a client's prompt.

use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::limits::{AGENT_PROMPT_BYTES, AGENT_PROMPT_TOO_LARGE};
use moorline_shared::rest::SendPrompt;
use moorline_shared::rpc::{INVALID_PARAMS, RpcError};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::failure::{bad_params, failure};

/// A prompt while its blocks are read.
#[derive(Default)]
struct BlockReader {
    text: String,
    /// Contents that the text refers to, which follow it.
    attached: String,
    files: Vec<String>,
    images: Vec<PromptImage>,
}

/// Reads the blocks of a prompt, for a session in the folder `cwd`. Files within the folder become
/// the prompt's files. Other links, and embedded texts, become text.
///
/// # Errors
/// The error for the client.
pub(super) fn prompt(
    blocks: &Value,
    cwd: Option<&str>,
    takes_images: bool,
) -> Result<SendPrompt, RpcError> {
    let blocks = blocks.as_array().ok_or_else(|| bad_params("`prompt` must be a list."))?;
    let mut draft = BlockReader::default();
    for block in blocks {
        draft.add(block, cwd, takes_images)?;
    }
    let BlockReader { mut text, attached, files, images } = draft;
    text.push_str(&attached);
    let parts = [text.len(), files.iter().map(String::len).sum()];
    let bytes = parts.iter().sum::<usize>() + images.iter().map(|it| it.data.len()).sum::<usize>();
    if bytes > AGENT_PROMPT_BYTES {
        return Err(failure(INVALID_PARAMS, "too_large", AGENT_PROMPT_TOO_LARGE));
    }
    if text.trim().is_empty() && images.is_empty() {
        return Err(bad_params("`prompt` must not be empty."));
    }
    let context = (!files.is_empty()).then_some(files);
    Ok(SendPrompt { command: Some(text), context, images, steer: false })
}

impl BlockReader {
    fn add(
        &mut self,
        block: &Value,
        cwd: Option<&str>,
        takes_images: bool,
    ) -> Result<(), RpcError> {
        match field(block, "type") {
            "text" => self.text.push_str(field(block, "text")),
            "image" if takes_images => self.images.push(PromptImage {
                mime_type: field(block, "mimeType").to_owned(),
                data: field(block, "data").to_owned(),
            }),
            "image" => return Err(bad_params("This session's agent takes no images.")),
            "resource_link" => self.link(field(block, "uri"), field(block, "name"), cwd),
            "resource" => self.resource(&block["resource"])?,
            kind => {
                let kind = &kind[..kind.floor_char_boundary(50)];
                let message = format!("A prompt cannot contain a block of the type {kind:?}.");
                return Err(bad_params(message));
            }
        }
        Ok(())
    }

    fn link(&mut self, uri: &str, name: &str, cwd: Option<&str>) {
        match cwd.and_then(|cwd| path_within(uri, cwd)) {
            Some(path) => {
                self.text.push_str(&format!("`{path}`"));
                if !self.files.contains(&path) {
                    self.files.push(path);
                }
            }
            None => self.text.push_str(&format!("[{name}]({uri})")),
        }
    }

    fn resource(&mut self, resource: &Value) -> Result<(), RpcError> {
        let uri = field(resource, "uri");
        let Some(text) = resource.get("text").and_then(Value::as_str) else {
            return Err(bad_params("A prompt can only embed resources that are text."));
        };
        let name = uri.rsplit('/').next().unwrap_or(uri);
        self.text.push_str(&format!("[{name}]({uri})"));
        self.attached.push_str(&format!("\n\n<context ref=\"{uri}\">\n{text}\n</context>"));
        Ok(())
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the path of a file within a folder, relative to it; `None` for everything else.
fn path_within(uri: &str, folder: &str) -> Option<String> {
    let path = percent_decode_str(uri.strip_prefix("file://")?).decode_utf8().ok()?;
    let path = path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')?;
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_file = path.split('/').all(is_plain) && !path.contains(['\0', '`', '?', '#']);
    is_file.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(blocks: &Value) -> Result<SendPrompt, i64> {
        prompt(blocks, Some("/home/me"), false).map_err(|error| error.code)
    }

    #[test]
    fn text_links_and_embedded_texts_are_one_prompt() {
        let prompt = read(&json!([
            { "type": "text", "text": "See " },
            { "type": "resource_link", "uri": "file:///home/me/a%20b.rs", "name": "a b.rs" },
            { "type": "text", "text": " and " },
            { "type": "resource_link", "uri": "https://x.example/y", "name": "y" },
            { "type": "resource", "resource": { "uri": "file:///etc/z", "text": "zed" } },
        ]))
        .unwrap();
        let text = "See `a b.rs` and [y](https://x.example/y)[z](file:///etc/z)\n\n\
                    <context ref=\"file:///etc/z\">\nzed\n</context>";
        assert_eq!(prompt.command.as_deref(), Some(text));
        assert_eq!(prompt.context, Some(vec!["a b.rs".to_owned()]));
    }

    #[test]
    fn a_file_outside_of_the_folder_is_a_link() {
        for uri in ["file:///home/meme", "file:///home/me/../x", "file:///home/me", "/home/me/x"] {
            assert_eq!(path_within(uri, "/home/me"), None, "{uri}");
        }
        assert_eq!(path_within("file:///x", "/").as_deref(), Some("x"));
    }

    #[test]
    fn what_no_agent_takes_is_refused() {
        let large = "x".repeat(AGENT_PROMPT_BYTES + 1);
        for blocks in [
            json!("hello"),
            json!([]),
            json!([{ "type": "text" }]),
            json!([{ "type": "image", "data": "AAAA", "mimeType": "image/png" }]),
            json!([{ "type": "audio", "data": "AAAA" }]),
            json!([{ "type": "resource", "resource": { "uri": "x", "blob": "AA" } }]),
            json!([{ "type": "text", "text": large }]),
            json!([7]),
        ] {
            assert_eq!(read(&blocks), Err(INVALID_PARAMS));
        }
    }
}
