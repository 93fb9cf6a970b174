//! The rows of a conversation's page, from its items.
//!
//! Everything here is a place: an item's number from the conversation's beginning, which it keeps
//! when older items are left out and when the conversation is read again.

use std::collections::VecDeque;
use std::ops::Range;

use moorline_shared::fold::{Conversation, ConversationItem};

/// The number of tool calls in a row from which they are one group.
const GROUP: u64 = 3;

/// The number of places in a chunk of rows. A change of one row is compared with its chunk only.
const CHUNK: u64 = 15;

/// A row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConversationRow {
    /// The item at this place.
    Item(u64),
    /// Tool calls that follow each other, at these places.
    Tools(Range<u64>),
}

impl ConversationRow {
    /// Returns the place of the row's first item.
    pub(super) const fn first(&self) -> u64 {
        match self {
            Self::Item(place) => *place,
            Self::Tools(places) => places.start,
        }
    }

    const fn end(&self) -> u64 {
        match self {
            Self::Item(place) => *place + 1,
            Self::Tools(places) => places.end,
        }
    }
}

/// Returns the chunk of the row that begins at this place.
pub(super) const fn chunk_of(place: u64) -> u64 {
    place / CHUNK
}

/// Returns the first place of a chunk.
pub(super) const fn chunk_start(chunk: u64) -> u64 {
    chunk * CHUNK
}

/// The rows of a conversation, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct RowList {
    rows: VecDeque<ConversationRow>,
    /// The place after the last item that has its row.
    end: u64,
    /// The place of the first of the tool calls at the end; `None` if the last item is none.
    tools: Option<u64>,
}

impl RowList {
    /// Returns the rows that begin in a chunk.
    pub(super) fn chunk(&self, chunk: u64) -> impl Iterator<Item = &ConversationRow> {
        let index = |place| self.rows.partition_point(|row| row.first() < place);
        self.rows.range(index(chunk_start(chunk))..index(chunk_start(chunk + 1)))
    }

    /// Returns the row with the item at this place.
    pub(super) fn with(&self, place: u64) -> Option<&ConversationRow> {
        let after = self.rows.partition_point(|row| row.first() <= place);
        self.rows.get(after.checked_sub(1)?).filter(|row| place < row.end())
    }

    /// Returns the place of the row that is `count` rows before `place`, or of the first.
    pub(super) fn before(&self, place: u64, count: usize) -> u64 {
        let index = self.rows.partition_point(|row| row.first() < place);
        self.rows.get(index.saturating_sub(count)).map_or(place, ConversationRow::first)
    }

    /// Returns the place of the row that is `count` rows after the first one from `place` on, or of
    /// the last.
    pub(super) fn after(&self, place: u64, count: usize) -> u64 {
        let index = self.rows.partition_point(|row| row.first() < place) + count;
        let row = self.rows.get(index).or_else(|| self.rows.back());
        row.map_or(place, ConversationRow::first)
    }

    /// Returns the place of the first row, and the place after the last item.
    pub(super) fn bounds(&self) -> (u64, u64) {
        (self.rows.front().map_or(self.end, ConversationRow::first), self.end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes the conversation's new items, which come last, and forgets those that it has left out.
    /// Returns the place from which on rows are others than before.
    pub(super) fn follow(&mut self, conversation: &Conversation) -> u64 {
        self.forget(conversation.omitted);
        let first = self.end.max(conversation.omitted);
        let mut changed = first;
        self.end = conversation.end();
        for place in first..self.end {
            match conversation.item_at(place) {
                Some(ConversationItem::Tool(_)) => changed = changed.min(self.tool(place)),
                _ => {
                    self.tools = None;
                    self.rows.push_back(ConversationRow::Item(place));
                }
            }
        }
        changed
    }

    /// Adds a tool call. Returns the first place whose row has changed.
    fn tool(&mut self, place: u64) -> u64 {
        let first = *self.tools.get_or_insert(place);
        match place + 1 - first {
            GROUP => {
                let is_before = |row: &ConversationRow| row.first() < first;
                self.rows.truncate(self.rows.partition_point(is_before));
                self.rows.push_back(ConversationRow::Tools(first..place + 1));
            }
            // Part of a group may be left out by now, so the group's own start counts.
            _ => match self.rows.back_mut() {
                Some(ConversationRow::Tools(places)) if places.end == place => {
                    places.end = place + 1;
                    return places.start;
                }
                _ => {
                    self.rows.push_back(ConversationRow::Item(place));
                    return place;
                }
            },
        }
        first
    }

    /// Forgets the rows before a place.
    fn forget(&mut self, omitted: u64) {
        while self.rows.front().is_some_and(|row| row.end() <= omitted) {
            self.rows.pop_front();
        }
        if let Some(ConversationRow::Tools(places)) = self.rows.front_mut() {
            places.start = places.start.max(omitted);
        }
        self.tools = self.tools.map(|first| first.max(omitted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::fold::{MessageItem, ToolItem};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn tool() -> ConversationItem {
        ConversationItem::Tool(Box::<ToolItem>::default())
    }

    fn message() -> ConversationItem {
        ConversationItem::Message(MessageItem::default())
    }

    fn all(rows: &RowList) -> Vec<ConversationRow> {
        rows.rows.iter().cloned().collect()
    }

    const fn item(place: u64) -> ConversationRow {
        ConversationRow::Item(place)
    }

    #[test]
    fn three_tool_calls_in_a_row_are_a_group() {
        let mut conversation = Conversation::default();
        let mut rows = RowList::default();
        let mut changed = Vec::new();
        for item in [tool(), tool(), message(), tool(), tool()] {
            conversation.items.push(item);
            changed.push(rows.follow(&conversation));
        }
        assert_eq!(all(&rows), [0, 1, 2, 3, 4].map(item));
        assert_eq!(changed, [0, 1, 2, 3, 4]);
        conversation.items.push(tool());
        assert_eq!(rows.follow(&conversation), 3);
        assert_eq!(all(&rows)[3..], [ConversationRow::Tools(3..6)]);
        // It begins where it did while it grows.
        conversation.items.extend([tool(), message()]);
        assert_eq!(rows.follow(&conversation), 3);
        assert_eq!(all(&rows)[3..], [ConversationRow::Tools(3..7), item(7)]);
        // All at once is the same.
        let mut whole = RowList::default();
        whole.follow(&conversation);
        assert_eq!(all(&whole), all(&rows));
    }

    #[test]
    fn a_row_is_found_by_its_places() {
        let mut conversation = Conversation::default();
        conversation.items.extend([message(), tool(), tool(), tool()]);
        conversation.items.extend((0..2 * CHUNK).map(|_| message()));
        let mut rows = RowList::default();
        rows.follow(&conversation);
        assert_eq!(rows.with(2), Some(&ConversationRow::Tools(1..4)));
        assert_eq!(rows.with(4), Some(&item(4)));
        assert_eq!(rows.with(conversation.end()), None);
        assert_eq!(rows.chunk(0).count(), CHUNK as usize - 2);
        assert_eq!(rows.chunk(1).next(), Some(&item(CHUNK)));
        assert_eq!((rows.before(5, 2), rows.before(5, 100)), (1, 0));
    }

    #[test]
    fn what_is_left_out_has_no_rows() {
        let mut conversation = Conversation::default();
        conversation.items.extend((0..4).map(|_| tool()));
        let mut rows = RowList::default();
        rows.follow(&conversation);
        conversation.items.drain(..2);
        conversation.omitted = 2;
        conversation.items.push(tool());
        assert_eq!(rows.follow(&conversation), 2);
        assert_eq!(all(&rows), [ConversationRow::Tools(2..5)]);
        conversation.items.clear();
        conversation.omitted = 5;
        rows.follow(&conversation);
        assert_eq!((all(&rows), rows.bounds()), (vec![], (5, 5)));
    }
}
