//! What was found out about the agents, as a table.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use moorline_shared::fold::Conversation;
use serde_json::Value;

use super::roster::RealAgent;

/// What was found out about one agent.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The versions of its packages.
    pub(crate) versions: String,
    /// The version of the protocol.
    pub(crate) protocol: Option<u64>,
    /// It takes images.
    pub(crate) images: Option<bool>,
    /// The modes that it offers.
    pub(crate) modes: Vec<String>,
    /// It asks before it writes a file, as it is installed.
    pub(crate) asks_by_default: bool,
    /// It asks with its setting for that.
    pub(crate) asks: bool,
    /// A change of a file is shown as one.
    pub(crate) has_diff: bool,
    /// Another process of it knows the conversation.
    pub(crate) resumes: bool,
    /// Time from the request for a session until it was ready.
    pub(crate) ready_in: Duration,
    /// Time of a turn.
    pub(crate) turn_in: Duration,
    /// Time of a turn for which it was started again.
    pub(crate) back_in: Duration,
    /// Errors that the session reported.
    pub(crate) errors: Vec<String>,
}

impl Findings {
    /// Reads the versions of an agent's packages.
    ///
    /// # Errors
    /// If one is not installed.
    pub(crate) fn of(agent: &RealAgent, packages: &Path) -> Result<Self> {
        let version = |name: &&str| {
            let file = packages.join("node_modules").join(name).join("package.json");
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("{name} is not installed: run `cargo xtask agents`"))?;
            let package: Value = serde_json::from_str(&text)?;
            let short = name.rsplit('/').next().unwrap_or(name);
            Ok(format!("{short} {}", package["version"].as_str().unwrap_or("?")))
        };
        let versions: Result<Vec<_>> = agent.packages.iter().map(version).collect();
        Ok(Self { versions: versions?.join(", "), ..Self::default() })
    }

    /// Takes what the agent has said of itself.
    pub(crate) fn introduce(&mut self, shown: &Conversation) {
        self.protocol = shown.info.protocol;
        self.images = shown.info.takes_images;
        let options = shown.config.options.iter();
        let modes = options.filter(|option| option.category.as_deref() == Some("mode"));
        self.modes = modes
            .flat_map(|option| option.choices.iter().map(|choice| choice.value.clone()))
            .collect();
    }
}

/// The table of all agents.
#[derive(Debug, Default)]
pub(crate) struct AgentTable {
    rows: Vec<(&'static str, Result<Findings>)>,
}

impl AgentTable {
    /// Adds an agent.
    pub(crate) fn add(&mut self, agent: &'static str, findings: Result<Findings>) {
        self.rows.push((agent, findings));
    }

    /// Returns the agents that failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        let failed = self.rows.iter().filter(|(_, findings)| findings.is_err());
        failed.map(|(agent, _)| *agent).collect()
    }
}

impl fmt::Display for AgentTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12} {:<4} {:<7} {:<8} {:<5} {:<5} {:<7} {:>6} {:>6} {:>6}  versions; modes",
            "agent", "ACP", "images", "default", "asks", "diff", "resumes", "ready", "turn", "back"
        )?;
        for (agent, findings) in &self.rows {
            match findings {
                Ok(found) => writeln!(f, "{agent:<12} {found}")?,
                Err(error) => writeln!(f, "{agent:<12} FAILED: {error:#}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let protocol = self.protocol.map_or_else(|| "?".to_owned(), |version| version.to_string());
        write!(
            f,
            "{:<4} {:<7} {:<8} {:<5} {:<5} {:<7} {:>6} {:>6} {:>6}  {}; {}",
            protocol,
            self.images.map_or("?", word),
            if self.asks_by_default { "asks" } else { "acts" },
            word(self.asks),
            word(self.has_diff),
            word(self.resumes),
            seconds(self.ready_in),
            seconds(self.turn_in),
            seconds(self.back_in),
            self.versions,
            if self.modes.is_empty() { "none".to_owned() } else { self.modes.join(", ") },
        )?;
        for error in &self.errors {
            write!(f, "\n             reported: {error}")?;
        }
        Ok(())
    }
}
