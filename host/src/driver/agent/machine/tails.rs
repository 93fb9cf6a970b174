//! What the agent's own terminals have put out last.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_shared::agent::content::{ContentBlock, KnownToolContent, ToolContent};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use crate::driver::agent::acp::{TerminalBytes, TerminalNews, terminal_of};

/// Most terminals whose output is kept.
const TERMINALS: usize = 32;
/// Most bytes of output that are kept of each.
const TAIL_BYTES: usize = 8 * 1024;
/// Least time between two events about output.
const PACE: Duration = Duration::from_millis(250);

/// The ends of the output of the agent's own terminals.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TerminalTails {
    /// The terminals, the one that was first used first.
    tails: VecDeque<AgentTerminalTail>,
    /// The time of the next event; `None` if all output was told.
    due: Option<Time>,
    /// The earliest time of the next event.
    next_at: Time,
}

#[derive(Debug, Serialize, Deserialize)]
struct AgentTerminalTail {
    terminal_id: String,
    bytes: Vec<u8>,
    /// True if the beginning is missing.
    is_cut: bool,
    is_untold: bool,
}

impl TerminalTails {
    /// Takes output.
    pub(super) fn take(&mut self, now: Time, news: TerminalNews) {
        let Some(output) = news.output else { return };
        let tail = self.tail(news.terminal_id);
        match output {
            TerminalBytes::More(more) => tail.bytes.extend_from_slice(&more),
            TerminalBytes::Whole(whole) => (tail.bytes, tail.is_cut) = (whole, false),
        }
        let surplus = tail.bytes.len().saturating_sub(TAIL_BYTES);
        tail.is_cut |= surplus > 0;
        tail.bytes.drain(..surplus);
        tail.is_untold = true;
        self.due = self.due.or(Some(self.next_at.max(now)));
    }

    fn tail(&mut self, terminal_id: String) -> &mut AgentTerminalTail {
        let known = self.tails.iter().position(|tail| tail.terminal_id == terminal_id);
        let place = known.unwrap_or_else(|| {
            if self.tails.len() >= TERMINALS {
                self.tails.pop_front();
            }
            let bytes = Vec::new();
            self.tails.push_back(AgentTerminalTail {
                terminal_id,
                bytes,
                is_cut: false,
                is_untold: false,
            });
            self.tails.len() - 1
        });
        &mut self.tails[place]
    }

    /// Returns when more is to be told.
    pub(super) const fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    /// Returns true if output is to be told now. Then all of it counts as told.
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            (self.due, self.next_at) = (None, now + PACE);
        }
        is_due
    }

    /// Returns true if content refers to a terminal with output that was not told.
    pub(super) fn has_news(&self, content: &[ToolContent]) -> bool {
        let untold = |id: &str| self.tails.iter().any(|it| it.is_untold && it.terminal_id == id);
        content.iter().filter_map(terminal_of).any(untold)
    }

    /// Records that all output was told.
    pub(super) fn told(&mut self) {
        self.tails.iter_mut().for_each(|tail| tail.is_untold = false);
    }

    /// Returns content with the output of each terminal after the reference to it.
    pub(super) fn filled(&self, content: &[ToolContent]) -> Vec<ToolContent> {
        let mut filled = Vec::new();
        for piece in content {
            filled.push(piece.clone());
            let tail = terminal_of(piece).and_then(|id| self.find(id));
            filled.extend(tail.map(|tail| {
                let content = ContentBlock::text(tail.text());
                ToolContent::Known(KnownToolContent::Content { content })
            }));
        }
        filled
    }

    fn find(&self, id: &str) -> Option<&AgentTerminalTail> {
        self.tails.iter().find(|tail| tail.terminal_id == id && !tail.bytes.is_empty())
    }
}

impl AgentTerminalTail {
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        if self.is_cut { format!("…{text}") } else { text.into_owned() }
    }
}
