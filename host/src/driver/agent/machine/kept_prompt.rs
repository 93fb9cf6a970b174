//! A prompt whose content is stored apart from the machine's state.

use std::ops::Deref;

use moorline_shared::agent::prompt::Prompt;
use serde::{Deserialize, Serialize};

/// A prompt. Its stored form is only the key of its content: prompts with images are large, and the
/// state that has them is written at each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptPrompt {
    /// The BLAKE3 of the content.
    key: String,
    #[serde(skip)]
    prompt: Prompt,
}

impl KeptPrompt {
    pub(super) fn new(prompt: Prompt) -> Self {
        let key = blake3::hash(&encoded(&prompt)).to_hex().to_string();
        Self { key, prompt }
    }

    /// Returns the key of the content.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Returns the content to store.
    pub(super) fn content(&self) -> Vec<u8> {
        encoded(&self.prompt)
    }

    /// Takes the content that was stored. One that is missing or damaged leaves a prompt that says
    /// so.
    pub(super) fn fill(&mut self, content: Option<&[u8]>) {
        let read = content.and_then(|content| serde_json::from_slice(content).ok());
        self.prompt = read.unwrap_or_else(|| Prompt::text("(This prompt was lost.)"));
    }
}

impl Deref for KeptPrompt {
    type Target = Prompt;
    fn deref(&self) -> &Prompt {
        &self.prompt
    }
}

fn encoded(prompt: &Prompt) -> Vec<u8> {
    // Texts always encode.
    serde_json::to_vec(prompt).unwrap_or_default()
}
