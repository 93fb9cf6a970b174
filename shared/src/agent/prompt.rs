//! Prompts, and the turns that they begin.

use serde::{Deserialize, Serialize};

/// A request to an agent, in a user's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Prompt {
    /// The text. One that begins with `/` may be a command of the agent.
    pub text: String,
    /// Paths of files that the agent should look at, relative to the session's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Images, for agents that take them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<PromptImage>,
}

/// An image in a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PromptImage {
    /// Its media type, such as `image/png`.
    pub mime_type: String,
    /// The image in base64; empty in events, which only say that there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
}

impl Prompt {
    /// Returns a prompt of this text only.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Returns the prompt without the data of its images, as events have it.
    #[must_use]
    pub fn without_data(&self) -> Self {
        let bare = |image: &PromptImage| PromptImage {
            mime_type: image.mime_type.clone(),
            data: String::new(),
        };
        Self {
            text: self.text.clone(),
            files: self.files.clone(),
            images: self.images.iter().map(bare).collect(),
        }
    }

    /// Returns the prompt with the data of `old` for images that have none: an image without data
    /// stands for the one at the same place, of the same type.
    #[must_use]
    pub fn with_data_of(mut self, old: &Self) -> Self {
        for (image, old) in self.images.iter_mut().zip(&old.images) {
            if image.data.is_empty() && image.mime_type == old.mime_type {
                image.data.clone_from(&old.data);
            }
        }
        self
    }

    /// Shortens the prompt until its JSON has at most this many bytes. Returns true if anything is
    /// missing then.
    pub fn shorten(&mut self, bytes: usize) -> bool {
        let mut is_cut = false;
        loop {
            let size = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
            if size <= bytes {
                return is_cut;
            }
            is_cut = true;
            let files: usize = self.files.iter().map(String::len).sum();
            if self.text.len() >= files && !self.text.is_empty() {
                // Escapes make characters longer, and other fields take room: this may take rounds.
                let share = self.text.len() as u128 * bytes as u128 / size as u128;
                let less = self.text.len().saturating_sub(8);
                let end = usize::try_from(share).unwrap_or(less).min(less);
                self.text.truncate(self.text.floor_char_boundary(end));
            } else if !self.files.is_empty() {
                self.files.truncate(self.files.len() / 2);
            } else if !self.images.is_empty() {
                self.images.truncate(self.images.len() / 2);
            } else {
                return is_cut;
            }
        }
    }

    /// Returns the number of bytes of its texts and images.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let files: usize = self.files.iter().map(String::len).sum();
        let image = |image: &PromptImage| image.mime_type.len() + image.data.len();
        self.text.len() + files + self.images.iter().map(image).sum::<usize>()
    }
}

/// The state of a turn: one prompt, and all that follows until the agent stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TurnState {
    /// The prompt waits for the turns before it.
    Queued,
    /// The agent works on it.
    Running,
    /// The agent waits for an approval or an answer.
    RequiresAction,
    /// The agent has stopped by itself: see the stop reason.
    Done,
    /// A user has stopped it.
    Cancelled,
    /// It was cut off by an error or the agent's death, and may be retried.
    Failed,
    /// The prompt was withdrawn before the agent got it.
    Withdrawn,
    /// A state that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

impl TurnState {
    /// Returns true if nothing more follows.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed | Self::Withdrawn)
    }

    /// Returns true if the agent works on the turn, or waits for an answer in it.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::RequiresAction)
    }
}

/// The reason why a turn failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TurnError {
    /// A stable code, such as `agent_exited`, `auth_required` or `refused`.
    pub code: String,
    /// A sentence for the user.
    pub message: String,
}

/// The tokens that a turn has used, as far as the agent tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TurnUsage {
    /// Tokens that the model has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens that the model has written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// All tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
}
