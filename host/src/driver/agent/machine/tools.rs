//! The tool calls that are not over.

use std::collections::{BTreeMap, VecDeque};

use moorline_shared::agent::content::{ToolContent, ToolStatus};
use moorline_shared::event::AgentTool;
use moorline_shared::id::TurnId;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fit::fit_tool;
use super::outbox::Outbox;
use super::tails::TerminalTails;
use super::watch::changes_files;
use crate::driver::agent::acp::{TerminalNews, ToolNews, hash_of};

/// Most tool calls that are remembered while they are not over.
const OPEN_TOOLS: usize = 64;

/// The tool calls that are not over, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ToolBoard {
    open: VecDeque<OpenTool>,
    /// The output of the agent's own terminals, which belongs to tool calls.
    #[serde(default)]
    tails: TerminalTails,
}

/// A tool call that is not over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OpenTool {
    /// The id in the agent's words.
    wire_id: String,
    /// What is known of it, as far as an event can say. Its id is that of the session.
    pub(super) known: AgentTool,
    /// The BLAKE3 of each field that says what is done, as the agent sent it.
    hashes: BTreeMap<String, String>,
    /// True if the transcript has it.
    is_shown: bool,
    /// True if the agent has asked for it.
    #[serde(default)]
    was_asked: bool,
}

impl OpenTool {
    /// Returns what identifies exactly what the tool does.
    pub(super) fn identity(&self) -> Value {
        json!({ "toolCallId": self.wire_id, "fields": self.hashes })
    }

    /// Returns true if it has changed files, and the agent has not asked for that.
    pub(super) fn changed_unasked(&self) -> bool {
        let kind = self.known.kind.as_deref();
        self.status() == ToolStatus::Completed && changes_files(kind) && !self.was_asked
    }

    fn title(&self) -> &str {
        self.known.title.as_deref().unwrap_or("a tool")
    }

    fn status(&self) -> ToolStatus {
        self.known.status.unwrap_or_default()
    }

    /// Returns the fields that differ from what is known. A question repeats those of its tool call.
    fn changes(&self, news: &ToolNews) -> AgentTool {
        let AgentTool { title, kind, status, locations, content, input, output, parent, .. } =
            news.event.clone();
        let is_new = |name: &str| {
            let hash = news.hashes.iter().find(|(field, _)| *field == name);
            hash.is_none_or(|(_, hash)| self.hashes.get(name) != Some(hash))
        };
        AgentTool {
            title: title.filter(|_| is_new("title")),
            kind: kind.filter(|_| is_new("kind")),
            status: status.filter(|_| status != self.known.status),
            locations: locations.filter(|_| is_new("locations")),
            content: content.filter(|_| is_new("content")),
            input: input.filter(|_| is_new("rawInput")),
            output,
            parent: parent.filter(|parent| Some(parent) != self.known.parent.as_ref()),
            ..AgentTool::default()
        }
    }

    fn merge(&mut self, news: ToolNews) {
        let AgentTool { title, kind, status, locations, content, input, parent, .. } = news.event;
        let known = &mut self.known;
        known.title = title.or(known.title.take());
        known.kind = kind.or(known.kind.take());
        known.status = status.or(known.status);
        known.locations = locations.or(known.locations.take());
        known.content = content.or(known.content.take());
        known.input = input.or(known.input.take());
        known.parent = parent.or(known.parent.take());
        fit_tool(known);
        let hashes = news.hashes.into_iter().map(|(name, hash)| (name.to_owned(), hash));
        self.hashes.extend(hashes);
    }
}

impl ToolBoard {
    /// Takes a tool call, or changes of one. `tool_call_id` is its id in the session. Returns it
    /// if it is over now.
    pub(super) fn take(
        &mut self,
        mut news: ToolNews,
        tool_call_id: String,
        turn_id: Option<TurnId>,
        out: &mut Outbox,
    ) -> Option<OpenTool> {
        let wire_id = news.event.tool_call_id.clone();
        let place = self.open.iter().position(|tool| tool.wire_id == wire_id);
        let mut tool = place.and_then(|place| self.open.remove(place)).unwrap_or_default();
        let mut event = tool.changes(&news);
        let is_news = place.is_none() || event != AgentTool::default();
        (event.tool_call_id, event.turn_id) = (tool_call_id.clone(), turn_id);
        fit_tool(&mut event);
        news.event.tool_call_id.clear();
        tool.merge(news);
        (tool.wire_id, tool.known.tool_call_id) = (wire_id, tool_call_id);
        let is_over = tool.status().is_over();
        let content = tool.known.content.as_deref().unwrap_or_default();
        if event.content.is_some() || (is_over && self.tails.has_news(content)) {
            event.content = Some(self.tails.filled(content));
            fit_tool(&mut event);
        }
        if is_news || event.content.is_some() {
            out.event(&event);
        }
        tool.show(out);
        if is_over {
            return Some(tool);
        }
        // It stays in its place, so that the oldest is forgotten first.
        let place = place.unwrap_or(self.open.len()).min(self.open.len());
        self.open.insert(place, tool);
        if self.open.len() > OPEN_TOOLS {
            self.open.pop_front();
        }
        None
    }

    /// Records that the agent has asked for a tool call, and returns its kind.
    pub(super) fn asked(&mut self, wire_id: &str) -> Option<&str> {
        let tool = self.open.iter_mut().find(|tool| tool.wire_id == wire_id)?;
        tool.was_asked = true;
        tool.known.kind.as_deref()
    }

    /// Takes one more piece of what a tool has produced.
    pub(super) fn add(&mut self, wire_id: &str, piece: ToolContent, out: &mut Outbox) {
        let Some(tool) = self.open.iter_mut().find(|tool| tool.wire_id == wire_id) else { return };
        let hash = hash_of(&json!([tool.hashes.get("content"), piece]));
        tool.hashes.insert("content".to_owned(), hash);
        tool.known.content.get_or_insert_default().push(piece);
        fit_tool(&mut tool.known);
        let AgentTool { tool_call_id, content, truncated, .. } = tool.known.clone();
        out.event(&AgentTool { tool_call_id, content, truncated, ..AgentTool::default() });
    }

    /// Takes output of a terminal of the agent's.
    pub(super) fn terminal(&mut self, now: Time, news: TerminalNews, out: &mut Outbox) {
        self.tails.take(now, news);
        self.tick(now, out);
    }

    /// Returns when more output is to be told.
    pub(super) const fn poll_timeout(&self) -> Option<Time> {
        self.tails.poll_timeout()
    }

    /// Tells the output of the agent's terminals, if it is time.
    pub(super) fn tick(&mut self, now: Time, out: &mut Outbox) {
        if !self.tails.is_due(now) {
            return;
        }
        for AgentTool { tool_call_id, content, .. } in self.open.iter().map(|tool| &tool.known) {
            let content = content.as_deref().unwrap_or_default();
            if self.tails.has_news(content) {
                let (tool_call_id, content) = (tool_call_id.clone(), self.tails.filled(content));
                let content = Some(content);
                let mut event = AgentTool { tool_call_id, content, ..AgentTool::default() };
                fit_tool(&mut event);
                out.event(&event);
            }
        }
        self.tails.told();
    }

    /// Returns a tool call that is not over.
    pub(super) fn get(&self, wire_id: &str) -> Option<&OpenTool> {
        self.open.iter().find(|tool| tool.wire_id == wire_id)
    }

    /// Returns the title of the tool that runs.
    pub(super) fn running(&self) -> Option<&str> {
        let mut tools = self.open.iter().rev();
        tools.find(|tool| tool.status() == ToolStatus::InProgress).map(OpenTool::title)
    }

    /// Records the decision about a tool call. Many agents say nothing of it until it is over: it no
    /// longer waits, and what they say later counts.
    pub(super) fn decided(&mut self, wire_id: &str, is_allowed: bool, out: &mut Outbox) {
        if let Some(tool) = self.open.iter_mut().find(|tool| tool.wire_id == wire_id) {
            let status = if is_allowed { ToolStatus::InProgress } else { ToolStatus::Failed };
            tool.infer(status, out);
        }
    }

    /// Records the end of a turn whose agent has said that it is done: no tool call of it waits or
    /// runs any more. They stay here, because the agent may still say how they ended.
    pub(super) fn end_turn(&mut self, out: &mut Outbox) {
        for tool in self.open.iter_mut().filter(|tool| !tool.status().is_over()) {
            tool.infer(ToolStatus::Cancelled, out);
        }
    }

    /// Ends all tool calls, because whoever ran them has stopped.
    pub(super) fn cancel_all(&mut self, out: &mut Outbox) {
        self.end_turn(out);
        self.open.clear();
    }
}

impl OpenTool {
    /// Reports a status that follows from something else than the agent's words.
    fn infer(&mut self, status: ToolStatus, out: &mut Outbox) {
        let status = Some(status);
        if self.known.status != status {
            self.known.status = status;
            let tool_call_id = self.known.tool_call_id.clone();
            out.event(&AgentTool { tool_call_id, status, ..AgentTool::default() });
        }
    }

    fn show(&mut self, out: &mut Outbox) {
        let word = match self.status() {
            ToolStatus::Completed => "ok",
            ToolStatus::Failed => "failed",
            ToolStatus::Cancelled => "stopped",
            _ if self.is_shown || self.known.title.is_none() => return,
            _ => "",
        };
        self.is_shown = true;
        let line = format!("{} … {word}", self.title());
        out.show(|transcript| transcript.deed(&line));
    }
}
