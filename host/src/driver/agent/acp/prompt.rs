//! Prompts as an agent takes them.

use std::path::{Component, Path};

use moorline_shared::agent::prompt::{Prompt, PromptImage};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::AgentCall;

/// Everything that is not a plain part of a path in a URI.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Returns the content of a prompt in the folder `cwd`.
///
/// # Errors
/// The file that is not within the folder.
pub(in super::super) fn prompt_blocks(prompt: &Prompt, cwd: &Path) -> Result<Vec<Value>, String> {
    let mut blocks = Vec::new();
    if !prompt.text.is_empty() {
        blocks.push(json!({ "type": "text", "text": prompt.text }));
    }
    for file in &prompt.files {
        blocks.push(link(file, cwd).ok_or_else(|| file.clone())?);
    }
    for PromptImage { mime_type, data } in &prompt.images {
        blocks.push(json!({ "type": "image", "mimeType": mime_type, "data": data }));
    }
    // A prompt may not be empty.
    if blocks.is_empty() {
        blocks.push(json!({ "type": "text", "text": "" }));
    }
    Ok(blocks)
}

/// Returns a block of text.
pub(in super::super) fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// Returns a reference to a file; `None` if its path leads out of the folder.
fn link(file: &str, cwd: &Path) -> Option<Value> {
    let path = Path::new(file);
    let path = if path.is_absolute() { path.strip_prefix(cwd).ok()? } else { path };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if file.is_empty() || file.contains('\0') || !path.components().all(is_plain) {
        return None;
    }
    let whole = cwd.join(path);
    let uri = format!("file://{}", utf8_percent_encode(whole.to_str()?, IN_PATH));
    Some(json!({ "type": "resource_link", "uri": uri, "name": path.to_str()? }))
}

/// Returns the request that sends a prompt.
pub(in super::super) fn prompt_request(session_id: &str, blocks: &[Value]) -> AgentCall {
    ("session/prompt", json!({ "sessionId": session_id, "prompt": blocks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_links_within_the_folder() {
        let blocks = |file: &str| {
            let prompt = Prompt { files: vec![file.into()], ..Prompt::text("look") };
            prompt_blocks(&prompt, Path::new("/home/me/my work"))
        };
        let link =
            |uri: &str, name: &str| json!({ "type": "resource_link", "uri": uri, "name": name });
        let text = json!({ "type": "text", "text": "look" });
        let want = link("file:///home/me/my%20work/src/a%23b.rs", "src/a#b.rs");
        assert_eq!(blocks("src/a#b.rs"), Ok(vec![text.clone(), want]));
        let want = link("file:///home/me/my%20work/x", "x");
        assert_eq!(blocks("/home/me/my work/x"), Ok(vec![text, want]));
        for outside in ["../x", "/etc/passwd", "a/../../x", ""] {
            assert_eq!(blocks(outside), Err(outside.to_owned()));
        }
    }
}
