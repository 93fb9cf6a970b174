//! Terminals that belong to an agent of version 2: it runs the commands, and tells their output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moorline_shared::agent::content::ToolContent;
use serde_json::Value;

use super::content::id;

/// More output of a terminal of the agent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TerminalNews {
    /// The terminal.
    pub(in super::super) terminal_id: String,
    /// The output; `None` if it is unchanged.
    pub(in super::super) output: Option<TerminalBytes>,
}

/// Output of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum TerminalBytes {
    /// It follows what came before.
    More(Vec<u8>),
    /// It replaces all that came before.
    Whole(Vec<u8>),
}

/// Reads what is new of a terminal.
pub(super) fn update(update: &Value) -> Option<TerminalNews> {
    let output = match update.get("output") {
        None => None,
        Some(Value::Null) => Some(TerminalBytes::Whole(Vec::new())),
        Some(output) => Some(TerminalBytes::Whole(data(output)?)),
    };
    Some(TerminalNews { terminal_id: id(update, "terminalId")?, output })
}

/// Reads a piece of a terminal's output.
pub(super) fn chunk(update: &Value) -> Option<TerminalNews> {
    let output = Some(TerminalBytes::More(data(update)?));
    Some(TerminalNews { terminal_id: id(update, "terminalId")?, output })
}

fn data(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.get("data")?.as_str()?).ok()
}

/// Returns the terminal that a piece of a tool's content refers to, if it does.
pub(in super::super) fn terminal_of(content: &ToolContent) -> Option<&str> {
    match content {
        ToolContent::Other(value) if value.get("type")? == "terminal" => {
            value.get("terminalId")?.as_str()
        }
        _ => None,
    }
}
