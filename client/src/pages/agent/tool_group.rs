//! Tool calls that follow each other, in brief.

use std::ops::Range;

use moorline_shared::agent::content::ToolStatus;
use moorline_shared::fold::{Conversation, ConversationItem};

use super::tool_title::title;

/// A group of tool calls, in brief.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ToolGroup {
    /// The places of its tool calls.
    pub(super) places: Range<u64>,
    /// The calls that have failed.
    failed: Vec<u64>,
    /// The calls that are not over.
    running: Vec<u64>,
    /// The title of the first of these.
    pub(super) current: Option<String>,
}

impl ToolGroup {
    pub(super) fn of(places: Range<u64>, conversation: &Conversation) -> Self {
        let mut group = Self { places: places.clone(), ..Self::default() };
        places.for_each(|place| group.take(place, conversation));
        group
    }

    /// Takes over the state of the call at a place.
    pub(super) fn take(&mut self, place: u64, conversation: &Conversation) {
        let tool = |place| match conversation.item_at(place) {
            Some(ConversationItem::Tool(tool)) => Some(tool),
            _ => None,
        };
        let status = tool(place).map(|tool| tool.status);
        note(&mut self.failed, place, status == Some(ToolStatus::Failed));
        note(&mut self.running, place, status.is_some_and(|status| !status.is_over()));
        let first = self.running.first().and_then(|first| tool(*first));
        self.current = first.map(|tool| title(tool));
    }

    /// Returns the number of calls, and of those that have failed.
    pub(super) fn counts(&self) -> (u64, usize) {
        (self.places.end - self.places.start, self.failed.len())
    }
}

/// Adds a place to a sorted list, or removes it.
fn note(list: &mut Vec<u64>, place: u64, is_in: bool) {
    match (list.binary_search(&place), is_in) {
        (Err(at), true) => list.insert(at, place),
        (Ok(at), false) => _ = list.remove(at),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn places_are_noted_once_and_in_order() {
        let mut noted = Vec::new();
        for (place, is_in) in [(2, true), (1, true), (2, false), (2, false), (1, true)] {
            note(&mut noted, place, is_in);
        }
        assert_eq!(noted, [1]);
    }
}
