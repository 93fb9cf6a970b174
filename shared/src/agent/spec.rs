//! The agent that a session is started with.

use serde::{Deserialize, Serialize};

use crate::limits::{
    AGENT_DIRECTORIES, AGENT_DIRECTORY_BYTES, AGENT_ID_CHARACTERS, AGENTS_PER_HOST, NAME_CHARACTERS,
};
use crate::name::bounded;

/// The most words of an agent's command in a list.
const COMMAND_WORDS: usize = 32;
/// The most characters of the texts that say how to install an agent, and how to log in.
const HINT_CHARACTERS: usize = 500;

/// The agent of a session, and its first settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AgentSpec {
    /// The id of an agent that the host knows, such as `claude-code`. Without it, the session's
    /// command is started, and must speak the Agent Client Protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The mode to begin in, by the agent's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The model to begin with, by the agent's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Absolute paths of folders that the agent may work in besides the session's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
}

impl AgentSpec {
    /// Cleans and bounds what a host reports, so that it is safe to show and keep.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let Self { agent, mode, model, mut directories } = self;
        let text = |text: Option<String>| {
            text.map(|text| bounded(&text, AGENT_ID_CHARACTERS)).filter(|text| !text.is_empty())
        };
        directories.truncate(AGENT_DIRECTORIES);
        directories.retain(|path| path.len() <= AGENT_DIRECTORY_BYTES);
        Self { agent: text(agent), mode: text(mode), model: text(model), directories }
    }
}

/// An agent that a host knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct KnownAgent {
    /// Its id: see [`AgentSpec::agent`].
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The command that would start it; `None` if it is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The version that is installed, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The command that installs it.
    pub install: String,
    /// The way to log in, in a sentence.
    pub login: String,
    /// True if this version was last seen to ask before it changed a file, false if it did not;
    /// `None` if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<bool>,
}

impl KnownAgent {
    /// Cleans and bounds a list that a host reports, so that it is safe to show: a host of another
    /// version, or another program, may send anything.
    #[must_use]
    pub fn cleaned(list: Vec<Self>) -> Vec<Self> {
        let agents = list.into_iter().take(AGENTS_PER_HOST).map(Self::clean);
        agents.filter(|agent| !agent.id.is_empty()).collect()
    }

    fn clean(self) -> Self {
        let words = |command: Vec<String>| {
            let words = command.iter().take(COMMAND_WORDS);
            words.map(|word| bounded(word, HINT_CHARACTERS)).collect()
        };
        Self {
            id: bounded(&self.id, AGENT_ID_CHARACTERS),
            name: bounded(&self.name, NAME_CHARACTERS),
            command: self.command.map(words),
            version: self.version.map(|version| bounded(&version, NAME_CHARACTERS)),
            install: bounded(&self.install, HINT_CHARACTERS),
            login: bounded(&self.login, HINT_CHARACTERS),
            asks: self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_reports_is_bounded_and_one_can_read_it() {
        let agent = KnownAgent {
            id: "x\u{202e}y".repeat(AGENT_ID_CHARACTERS),
            name: "A\nB".into(),
            command: Some(vec!["word".into(); COMMAND_WORDS + 1]),
            login: "l".repeat(HINT_CHARACTERS + 1),
            ..KnownAgent::default()
        };
        let mut list = vec![KnownAgent::default()];
        list.resize(AGENTS_PER_HOST + 9, agent);
        let cleaned = KnownAgent::cleaned(list);
        assert_eq!(cleaned.len(), AGENTS_PER_HOST - 1, "one has no id");
        let agent = &cleaned[0];
        assert_eq!(agent.id, "xy".repeat(AGENT_ID_CHARACTERS / 2));
        assert_eq!(agent.name, "A B");
        assert_eq!(agent.command.as_ref().unwrap().len(), COMMAND_WORDS);
        assert_eq!(agent.login.len(), HINT_CHARACTERS);

        let spec = AgentSpec {
            agent: Some("\u{200b}".into()),
            mode: Some("m".repeat(AGENT_ID_CHARACTERS + 1)),
            model: None,
            directories: vec!["/".into(); AGENT_DIRECTORIES + 1],
        };
        let spec = spec.cleaned();
        assert_eq!((spec.agent, spec.directories.len()), (None, AGENT_DIRECTORIES));
        assert_eq!(spec.mode.unwrap().len(), AGENT_ID_CHARACTERS);
    }
}
