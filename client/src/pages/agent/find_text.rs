//! The text of an item that can be found: what its row shows once everything in it is unfolded, in the
//! same order. In the page, it is in elements with `data-find`.

use moorline_shared::agent::approval::{ApprovalKind, ApprovalRequest};
use moorline_shared::agent::content::{
    ContentBlock, KnownContent, KnownToolContent, MessageRole, ToolContent,
};
use moorline_shared::fold::{ConversationItem, MessageItem, ToolItem};
use serde_json::Value;

use super::message::typed_text;
use super::paths::RelativePaths;
use super::tool::{places_text, raw_text};
use super::tool_title::title;
use crate::bindings::marks::folded;
use crate::ui::diff::LineDiff;
use crate::ui::markdown;
use crate::ui::visible::visible;

/// A text that is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FindText(String);

impl FindText {
    /// Returns the text to find for what the user has typed; `None` if that is nothing.
    pub(super) fn of(typed: &str) -> Option<Self> {
        Some(Self(folded(typed))).filter(|text| !text.0.is_empty())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn count(&self, text: &str) -> usize {
        folded(&visible(text)).matches(&self.0).count()
    }

    fn count_all<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> usize {
        texts.into_iter().map(|text| self.count(text)).sum()
    }

    /// Returns the number of hits in an item. `request` is its question, if it is one that is open.
    pub(super) fn hits(
        &self,
        item: &ConversationItem,
        folder: RelativePaths,
        request: Option<&ApprovalRequest>,
    ) -> usize {
        match item {
            ConversationItem::Message(message) => self.of_message(message),
            ConversationItem::Tool(tool) => self.of_tool(tool, folder),
            ConversationItem::Approval { .. } => {
                request.map_or(0, |request| self.of_request(request, folder))
            }
            ConversationItem::Update { update } => {
                self.count(&serde_json::to_string_pretty(update).unwrap_or_default())
            }
            ConversationItem::Turn { .. } => 0,
        }
    }

    fn of_message(&self, message: &MessageItem) -> usize {
        match message.role {
            MessageRole::User => self.count(&typed_text(message)),
            _ => self.count(&message.content.iter().map(block_text).collect::<String>()),
        }
    }

    fn of_tool(&self, tool: &ToolItem, folder: RelativePaths) -> usize {
        let piece = |content: &ToolContent| match content {
            ToolContent::Known(known) => self.of_piece(known, folder),
            ToolContent::Other(value) => self.count(&raw_text(value)),
        };
        let raw = |value: &Option<Value>| {
            let value = value.as_ref().filter(|_| tool.content.is_empty());
            value.map_or(0, |value| self.count(&raw_text(value)))
        };
        self.count(&folder.shorten(&title(tool)))
            + self.count(&folder.shorten(&places_text(tool)).replace('\n', ", "))
            + tool.content.iter().map(piece).sum::<usize>()
            + raw(&tool.input)
            + raw(&tool.output)
    }

    fn of_request(&self, request: &ApprovalRequest, folder: RelativePaths) -> usize {
        let command = match request.kind {
            // It is in a field.
            ApprovalKind::Command | ApprovalKind::Form => 0,
            _ => self.count(&folder.shorten(&request.command)),
        };
        let pieces = request.subject.content.iter().map(|content| self.of_piece(content, folder));
        command + self.count(&request.explanation) + pieces.sum::<usize>()
    }

    fn of_piece(&self, content: &KnownToolContent, folder: RelativePaths) -> usize {
        match content {
            KnownToolContent::Content { content } => self.count(&block_text(content)),
            KnownToolContent::Diff { path, old_text, new_text } => {
                let old = old_text.as_deref().unwrap_or_default();
                let path = self.count(&folder.shorten(path));
                // Lines are compared only if some of them have the text.
                if self.count_all([old, new_text]) == 0 {
                    return path;
                }
                let diff = LineDiff::of(old, new_text);
                path + self.count_all(diff.lines.iter().map(|line| line.text.as_str()))
            }
            KnownToolContent::Terminal { .. } => 0,
        }
    }
}

fn block_text(content: &ContentBlock) -> String {
    match content {
        ContentBlock::Known(KnownContent::Text { text }) => markdown::plain(text),
        ContentBlock::Known(KnownContent::ResourceLink { uri, name, .. }) => {
            if name.is_empty() {
                uri.clone()
            } else {
                name.clone()
            }
        }
        ContentBlock::Known(KnownContent::Image { .. }) => String::new(),
        ContentBlock::Other(value) => value.to_string(),
    }
}
