//! Hooks of coding agents: what they say on stdin, and the answers that they understand.
//!
//! Claude Code and Codex have hooks of the same form: a JSON object on stdin, and one on stdout.
//! See <https://code.claude.com/docs/en/hooks> and <https://developers.openai.com/codex/hooks>. They
//! differ in answers: before a tool is used, Codex takes `allow` only together with a changed input,
//! and no `ask`; when it would ask the user, it takes no changed input.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Read as _};

use anyhow::Context as _;
use moorline_host::ask::wire::LocalQuestion;
use moorline_shared::agent::approval::ApprovalKind;
use moorline_shared::agent::content::KnownToolContent;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::program::AskOutcome;

/// Most bytes that are read from stdin.
const INPUT_BYTES: u64 = 16 * 1024 * 1024;
/// Most bytes of a tool's input that are shown in full. An approval has little more room.
const SHOWN_BYTES: usize = 10 * 1024;
/// Most characters of a tool's use in one line, and of an explanation.
const LINE_CHARACTERS: usize = 300;
/// The tool of both agents that runs commands.
const SHELL: &str = "Bash";

/// An agent whose hooks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum HookAgent {
    /// Claude Code.
    Claude,
    /// OpenAI's Codex.
    Codex,
}

/// The event for which a hook runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct HookEvent {
    /// The event, such as `PreToolUse`.
    hook_event_name: String,
    tool_name: Option<String>,
    tool_input: Map<String, Value>,
    cwd: Option<String>,
    /// The kind of a notification, such as `permission_prompt`.
    notification_type: Option<String>,
    /// The text of a notification.
    message: Option<String>,
}

/// Reads a hook's event from stdin.
pub(in crate::cli) fn read_hook() -> anyhow::Result<HookEvent> {
    let mut text = Vec::new();
    io::stdin().lock().take(INPUT_BYTES).read_to_end(&mut text).context("cannot read stdin")?;
    serde_json::from_slice(&text).context("stdin is not the event of a hook")
}

impl HookAgent {
    const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
        }
    }
}

impl HookEvent {
    /// Returns the question whether the tool may be used.
    pub(super) fn question(&self, agent: HookAgent) -> LocalQuestion {
        let tool = self.tool_name.as_deref().unwrap_or("tool");
        let described = self.text("description").map(one_line).unwrap_or_default();
        let command = self.text("command").filter(|_| tool == SHELL);
        let question = LocalQuestion {
            explanation: described,
            tool: Some(tool.chars().filter(|it| !it.is_whitespace()).take(64).collect()),
            agent: Some(agent.name().to_owned()),
            cwd: self.cwd.clone().filter(|cwd| cwd.starts_with('/')),
            ..LocalQuestion::default()
        };
        match command {
            Some(command) => LocalQuestion {
                kind: ApprovalKind::Command,
                command: command.to_owned(),
                ..question
            },
            None => LocalQuestion {
                kind: ApprovalKind::Tool,
                command: self.title(tool),
                content: self.diff().into_iter().collect(),
                input: Some(self.shown_input()),
                ..question
            },
        }
    }

    /// Returns the answer in the agent's form. An empty one leaves the decision to the agent.
    pub(super) fn answer(&self, agent: HookAgent, outcome: &AskOutcome) -> String {
        let answer = match self.hook_event_name.as_str() {
            "PermissionRequest" => self.permission(agent, outcome),
            _ => self.before_use(agent, outcome),
        };
        answer.map_or_else(String::new, |mut answer| {
            answer["hookEventName"] = json!(self.hook_event_name);
            format!("{}\n", json!({ "hookSpecificOutput": answer }))
        })
    }

    /// Returns the answer before a tool is used.
    fn before_use(&self, agent: HookAgent, outcome: &AskOutcome) -> Option<Value> {
        let reason = format!("Moorline: {}", outcome.reason());
        let decide = |decision: &str| json!({ "permissionDecision": decision, "permissionDecisionReason": reason });
        match outcome {
            AskOutcome::Decided { approved: true, command, .. } => {
                let changed = self.changed_input(command);
                // Codex has no other way to say yes than to say nothing.
                if changed.is_none() && agent == HookAgent::Codex {
                    return None;
                }
                let mut answer = decide("allow");
                if let Some(input) = changed {
                    answer["updatedInput"] = input.into();
                }
                Some(answer)
            }
            // The user at the terminal decides.
            AskOutcome::NotAsked(_) if agent == HookAgent::Claude => Some(decide("ask")),
            _ => Some(decide("deny")),
        }
    }

    /// Returns the answer when the agent would ask the user.
    fn permission(&self, agent: HookAgent, outcome: &AskOutcome) -> Option<Value> {
        let deny = |message: String| json!({ "behavior": "deny", "message": message });
        let decision = match outcome {
            AskOutcome::Decided { approved: true, command, .. } => {
                match (self.changed_input(command), agent) {
                    (None, _) => json!({ "behavior": "allow" }),
                    (Some(input), HookAgent::Claude) => {
                        json!({ "behavior": "allow", "updatedInput": input })
                    }
                    (Some(_), HookAgent::Codex) => {
                        deny(format!("Moorline: run this command instead: {command}"))
                    }
                }
            }
            AskOutcome::NotAsked(_) => return None,
            _ => deny(format!("Moorline: {}", outcome.reason())),
        };
        Some(json!({ "decision": decision }))
    }

    /// Returns the state that follows from the event, and the tool that runs; `None` if none does.
    pub(in crate::cli) fn state(&self) -> Option<(&'static str, Option<String>)> {
        let tool = || {
            let tool = self.tool_name.as_deref()?;
            Some(tool.chars().filter(|it| !it.is_whitespace()).take(64).collect())
        };
        Some(match self.hook_event_name.as_str() {
            "UserPromptSubmit" | "PostToolUse" | "PostToolUseFailure" | "SubagentStart"
            | "SubagentStop" | "PreCompact" => ("working", None),
            "PreToolUse" => ("working", tool()),
            "PermissionRequest" => ("waiting", tool()),
            "Notification" => (self.notified()?, None),
            "SessionStart" | "Stop" | "SessionEnd" => ("idle", None),
            "StopFailure" => ("error", None),
            _ => return None,
        })
    }

    fn notified(&self) -> Option<&'static str> {
        let text = self.notification_type.as_deref().or(self.message.as_deref())?;
        let text = text.to_lowercase();
        if text.contains("permission") || text.contains("elicitation") {
            Some("waiting")
        } else if text.contains("idle") || text.contains("waiting for your input") {
            Some("idle")
        } else {
            None
        }
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.tool_input.get(field).and_then(Value::as_str)
    }

    /// Returns the tool's input with another command, if that has changed.
    fn changed_input(&self, command: &str) -> Option<Map<String, Value>> {
        let is_shell = self.tool_name.as_deref() == Some(SHELL);
        let asked = self.text("command").filter(|_| is_shell)?;
        (asked != command).then(|| {
            let mut input = self.tool_input.clone();
            input.insert("command".to_owned(), command.into());
            input
        })
    }

    /// Returns the use of the tool in one line.
    fn title(&self, tool: &str) -> String {
        let fields = ["file_path", "notebook_path", "path", "url", "query", "pattern"];
        let what = fields.iter().find_map(|field| self.text(field)).unwrap_or_default();
        one_line(&format!("{tool} {what}"))
    }

    /// Returns the change of a file, if it is small enough to be shown.
    fn diff(&self) -> Option<KnownToolContent> {
        let path = self.text("file_path")?;
        let (old, new) = match self.text("content") {
            Some(content) => (None, content),
            None => (Some(self.text("old_string")?), self.text("new_string")?),
        };
        let is_small = old.unwrap_or_default().len() + new.len() <= SHOWN_BYTES / 2;
        is_small.then(|| KnownToolContent::Diff {
            path: path.to_owned(),
            old_text: old.map(str::to_owned),
            new_text: new.to_owned(),
        })
    }

    /// Returns the tool's input. Of texts that are too long it has the beginning and the hash, so
    /// that the approval is about exactly this input.
    fn shown_input(&self) -> Value {
        let all = Value::Object(self.tool_input.clone());
        let text = all.to_string();
        let room = if self.diff().is_some() { SHOWN_BYTES / 2 } else { SHOWN_BYTES };
        if text.len() <= room {
            return all;
        }
        let mut hash = String::new();
        for byte in Sha256::digest(&text) {
            // Writing to a text cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        let mut shown = Map::new();
        for (name, value) in self.tool_input.iter().take(16) {
            if name.len() <= 64
                && let Some(text) = value.as_str()
            {
                shown.insert(name.clone(), one_line(text).into());
            }
        }
        shown.insert("moorline".to_owned(), json!({ "bytes": text.len(), "sha256": hash }));
        Value::Object(shown)
    }
}

/// Returns a text on one line, cut off where it is too long.
fn one_line(text: &str) -> String {
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    let line: String = text.trim().chars().map(plain).take(LINE_CHARACTERS + 1).collect();
    match line.char_indices().nth(LINE_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
