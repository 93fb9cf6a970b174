//! The rows and items on the page. Each has a signal of its own, so that a change costs what has
//! changed, however long the conversation is.

use std::ops::Range;
use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::fold::{Conversation, ConversationItem};

use super::rows::{ConversationRow, RowList, chunk_of, chunk_start};
use super::tool_group::ToolGroup;

/// The number of rows that a page shows at first, and that each step back adds. Chunks are shown
/// whole, so it can be somewhat more.
const STEP: usize = 60;

/// The number of rows, at least, that a page adds in one frame while it opens. All of them in one frame
/// would take longer than a finger notices.
const FRAME_ROWS: usize = 12;

/// The number of rows that a page shows at most while its user goes back.
const MOST_ROWS: usize = 8 * STEP;

/// The number of rows from which a page that follows the end forgets the oldest.
const MOST_FOLLOWED: usize = 4 * STEP;

/// The chunks of rows that are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ShownSpan {
    /// Counts how often another conversation took the place of this one.
    generation: u64,
    /// The chunks; empty while nothing is known.
    chunks: Range<u64>,
    /// The first chunk that is to be shown, while a page that opens shows more with each frame.
    filling: Option<u64>,
    /// True if there are rows before.
    pub(super) has_earlier: bool,
    /// True if there are rows after: a hit of a search far back is shown with those around it.
    pub(super) has_later: bool,
    /// The number of items that are left out at the beginning.
    pub(super) omitted: u64,
}

impl ShownSpan {
    /// Returns a key for each chunk.
    pub(super) fn keys(&self) -> Vec<String> {
        self.chunks.clone().map(|chunk| format!("{} {chunk}", self.generation)).collect()
    }

    /// Returns true while a page that opens does not show all rows that it is going to show at first.
    pub(super) const fn is_filling(&self) -> bool {
        self.filling.is_some()
    }

    /// Shows the rows of one more frame.
    fn fill(&mut self, rows: &RowList) {
        let Some(target) = self.filling else { return };
        let next = chunk_of(rows.before(chunk_start(self.chunks.start), FRAME_ROWS)).max(target);
        // Without a row before, nothing is left to show.
        let has_more = target < next && next < self.chunks.start;
        self.chunks.start = next.min(self.chunks.start);
        self.filling = Some(target).filter(|_| has_more);
    }

    /// Shows more rows of the past, and leaves out some of those that are far from them.
    fn go_back(&mut self, rows: &RowList) {
        self.filling = None;
        self.chunks.start = chunk_of(rows.before(chunk_start(self.chunks.start), STEP));
        let last = chunk_of(rows.after(chunk_start(self.chunks.start), MOST_ROWS));
        self.chunks.end = self.chunks.end.min(last + 1);
    }

    /// Leaves out chunks before the first row and after the last one.
    fn bound(&mut self, rows: &RowList) {
        let (first, end) = rows.bounds();
        let last = if rows.is_empty() { 0 } else { chunk_of(rows.before(end, 1)) + 1 };
        let chunks = chunk_of(first)..last;
        self.chunks = self.chunks.start.max(chunks.start)..self.chunks.end.min(chunks.end);
        self.has_earlier = chunks.start < self.chunks.start;
        self.has_later = self.chunks.end < chunks.end;
    }
}

/// What is shown at places, sorted by these. It is at most some hundred rows.
struct PlaceList<T>(Vec<(u64, T)>);

impl<T> Default for PlaceList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> PlaceList<T> {
    fn get(&self, place: u64) -> Option<&T> {
        let at = self.0.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&self.0[at].1)
    }

    fn get_or_make(&mut self, place: u64, make: impl FnOnce() -> T) -> T {
        match self.0.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(at) => self.0[at].1.clone(),
            Err(at) => {
                let made = make();
                self.0.insert(at, (place, made.clone()));
                made
            }
        }
    }

    /// Forgets what is before a place.
    fn forget(&mut self, place: u64) {
        self.0.drain(..self.0.partition_point(|(at, _)| *at < place));
    }
}

/// The signals of what is shown, by place. A signal exists from when its part is first shown.
#[derive(Default)]
struct ShownSignals {
    rows: RowList,
    /// The keys of each chunk's rows.
    chunks: PlaceList<ArcRwSignal<Vec<String>>>,
    items: PlaceList<ArcRwSignal<Arc<ConversationItem>>>,
    /// The groups, by the places of their first calls.
    groups: PlaceList<ArcRwSignal<ToolGroup>>,
}

/// The rows and items on the page.
#[derive(Clone, Copy)]
pub(super) struct ShownRows {
    signals: StoredValue<ShownSignals>,
    pub(super) span: RwSignal<ShownSpan>,
    /// True while the view is at the end and follows it.
    pub(super) follows: RwSignal<bool>,
    /// True from when rows of the past are added until what is read is back in its place. Until then,
    /// the view seems to be elsewhere.
    pub(super) is_moving: StoredValue<bool>,
    /// Keeps what is read in its place, whatever changes in this frame; `None` until there is a view.
    pub(super) hold: StoredValue<Option<PlaceHook>, LocalStorage>,
}

/// See [`ShownRows::hold`].
pub(super) type PlaceHook = Box<dyn Fn()>;

impl ShownRows {
    pub(super) fn new() -> Self {
        Self {
            signals: StoredValue::default(),
            span: RwSignal::default(),
            follows: RwSignal::new(true),
            is_moving: StoredValue::new(false),
            hold: StoredValue::new_local(None),
        }
    }

    /// Returns the keys of the rows of a chunk, by the chunk's key.
    pub(super) fn chunk(self, key: &str) -> RwSignal<Vec<String>> {
        let chunk = key.rsplit(' ').next().and_then(|chunk| chunk.parse().ok()).unwrap_or_default();
        let mut keys = None;
        self.signals.update_value(|signals| {
            let ShownSignals { rows, chunks, .. } = signals;
            keys = Some(chunks.get_or_make(chunk, || ArcRwSignal::new(keys_of(rows, chunk))));
        });
        keys.unwrap_or_default().into()
    }

    /// Returns the item at a place.
    pub(super) fn item(
        self,
        place: u64,
        conversation: &Conversation,
    ) -> Option<RwSignal<Arc<ConversationItem>>> {
        let item = conversation.item_at(place)?;
        let mut signal = None;
        self.signals.update_value(|signals| {
            let make = || ArcRwSignal::new(Arc::new(item.clone()));
            signal = Some(signals.items.get_or_make(place, make));
        });
        signal.map(RwSignal::from)
    }

    /// Returns the group with the call at a place.
    pub(super) fn group(self, place: u64, conversation: &Conversation) -> RwSignal<ToolGroup> {
        let mut group = ArcRwSignal::default();
        self.signals.update_value(|signals| {
            let places = match signals.rows.with(place) {
                Some(ConversationRow::Tools(places)) => places.clone(),
                _ => place..place + 1,
            };
            let make = || ArcRwSignal::new(ToolGroup::of(places.clone(), conversation));
            group = signals.groups.get_or_make(places.start, make);
        });
        group.into()
    }

    /// Shows the rows of one more frame, while the page opens.
    pub(super) fn fill(self) {
        self.reach(|rows, span| span.fill(rows));
    }

    /// Shows more rows of the past.
    pub(super) fn show_earlier(self) {
        self.reach(|rows, span| span.go_back(rows));
    }

    /// Shows more rows of what follows.
    pub(super) fn show_later(self) {
        self.reach(|rows, span| {
            span.chunks.end = chunk_of(rows.after(chunk_start(span.chunks.end), STEP)) + 1;
        });
    }

    /// Shows the last rows.
    pub(super) fn show_last(self) {
        self.reach(|rows, span| {
            if span.has_later {
                span.chunks = chunk_of(rows.before(rows.bounds().1, STEP))..span.chunks.end;
            }
            span.chunks.end = u64::MAX;
        });
    }

    /// Shows the row of the item at `place`, with some around it.
    pub(super) fn reach_place(self, place: u64) {
        self.reach(|rows, span| {
            span.filling = None;
            let place = rows.with(place).map_or(place, ConversationRow::first);
            let wanted = chunk_of(rows.before(place, STEP / 2));
            let end = chunk_of(rows.after(place, STEP / 2)) + 1;
            let is_near = chunk_start(wanted) >= rows.before(chunk_start(span.chunks.start), STEP)
                && wanted <= span.chunks.end;
            if !span.chunks.contains(&chunk_of(place)) {
                span.chunks = if is_near {
                    wanted.min(span.chunks.start)..end.max(span.chunks.end)
                } else {
                    wanted..end
                };
            }
        });
    }

    /// Returns the first place of the group that an item is in; `None` if it has its own row.
    pub(super) fn group_of(self, place: u64) -> Option<u64> {
        self.signals.with_value(|signals| match signals.rows.with(place) {
            Some(ConversationRow::Tools(places)) => Some(places.start),
            _ => None,
        })
    }

    fn reach(self, change: impl FnOnce(&RowList, &mut ShownSpan)) {
        let mut span = self.span.get_untracked();
        self.signals.with_value(|ShownSignals { rows, .. }| {
            change(rows, &mut span);
            span.bound(rows);
        });
        self.set_span(span);
    }

    fn set_span(self, span: ShownSpan) {
        if self.span.with_untracked(|shown| *shown != span) {
            self.span.set(span);
        }
    }

    /// Takes over what has changed: the items at these places, or all of them.
    pub(super) fn follow(self, conversation: &Conversation, changed: &[u64], is_new: bool) {
        let mut span = self.span.get_untracked();
        let follows = self.follows.get_untracked();
        if is_new && !follows {
            // The log may have items for the first chunk, too, before those that are read.
            self.hold.with_value(|hold| hold.iter().for_each(|hold| hold()));
        }
        self.signals.update_value(|signals| {
            if is_new && !signals.is_of(conversation) {
                *signals = ShownSignals::default();
                span = ShownSpan { generation: span.generation + 1, ..ShownSpan::default() };
            }
            let was_empty = signals.rows.is_empty();
            if is_new {
                signals.rows = RowList::default();
            }
            let from = signals.rows.follow(conversation);
            signals.refresh(conversation, from, if is_new { None } else { Some(changed) });
            if was_empty {
                (span.chunks, span.has_later, span.filling) = (0..0, false, None);
            }
            show_end(&mut span, &signals.rows, follows);
            span.omitted = conversation.omitted;
            signals.forget(chunk_start(span.chunks.start));
        });
        self.set_span(span);
    }
}

fn keys_of(rows: &RowList, chunk: u64) -> Vec<String> {
    let key = |row: &ConversationRow| match row {
        ConversationRow::Item(place) => place.to_string(),
        ConversationRow::Tools(places) => format!("{} tools", places.start),
    };
    rows.chunk(chunk).map(key).collect()
}

/// Returns the place in a row's key, and true if the row is a group.
pub(super) fn row_of(key: &str) -> (u64, bool) {
    let (place, is_group) = key.strip_suffix(" tools").map_or((key, false), |place| (place, true));
    (place.parse().unwrap_or_default(), is_group)
}

/// Shows new rows at the end, if the last one was shown. A page that follows them forgets old ones; one
/// that does not takes only so many.
fn show_end(span: &mut ShownSpan, rows: &RowList, follows: bool) {
    let (_, end) = rows.bounds();
    let from_end = |count| chunk_of(rows.before(end, count));
    let is_new = span.chunks.is_empty();
    if is_new {
        span.chunks.start = from_end(FRAME_ROWS);
        span.filling = Some(from_end(STEP)).filter(|first| *first < span.chunks.start);
    } else if follows && from_end(MOST_FOLLOWED) > span.chunks.start {
        (span.chunks.start, span.filling) = (from_end(STEP), None);
    }
    let has_room = from_end(2 * MOST_FOLLOWED) <= span.chunks.start;
    if is_new || !span.has_later && (follows || has_room) {
        span.chunks.end = u64::MAX;
    }
    span.bound(rows);
}

impl ShownSignals {
    /// Returns true if the items that are shown are of this conversation.
    fn is_of(&self, conversation: &Conversation) -> bool {
        self.items.0.iter().all(|(place, item)| {
            // What is left out by now tells nothing.
            *place < conversation.omitted
                || conversation
                    .item_at(*place)
                    .is_some_and(|new| item.with_untracked(|old| is_same(old, new)))
        })
    }

    /// Refreshes the signals of rows from a place on, and of changed items; `None` for all.
    fn refresh(&self, conversation: &Conversation, from: u64, changed: Option<&[u64]>) {
        let oldest = chunk_of(conversation.omitted);
        for (chunk, keys) in &self.chunks.0 {
            if *chunk <= oldest || *chunk >= chunk_of(from) || changed.is_none() {
                set(keys, keys_of(&self.rows, *chunk));
            }
        }
        let refresh = |place: u64| {
            let item = self.items.get(place).zip(conversation.item_at(place));
            if let Some((signal, item)) = item {
                set(signal, Arc::new(item.clone()));
            }
        };
        let Some(changed) = changed else {
            self.items.0.iter().for_each(|(place, _)| refresh(*place));
            for (first, group) in &self.groups.0 {
                if let Some(ConversationRow::Tools(places)) = self.rows.with(*first) {
                    set(group, ToolGroup::of(places.clone(), conversation));
                }
            }
            return;
        };
        for place in changed {
            refresh(*place);
            let Some(ConversationRow::Tools(places)) = self.rows.with(*place) else { continue };
            if let Some(group) = self.groups.get(places.start) {
                group.update(|group| {
                    group.places = places.clone();
                    group.take(*place, conversation);
                });
            }
        }
    }

    /// Forgets what is not shown any more: everything before a place.
    fn forget(&mut self, place: u64) {
        self.items.forget(place);
        self.groups.forget(place);
        self.chunks.forget(chunk_of(place));
    }
}

/// Sets a signal if its value is another one.
fn set<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|known| *known != value) {
        signal.set(value);
    }
}

/// Returns true if both are states of one item.
fn is_same(one: &ConversationItem, other: &ConversationItem) -> bool {
    use ConversationItem as Item;
    match (one, other) {
        (Item::Message(one), Item::Message(other)) => one.message_id == other.message_id,
        (Item::Tool(one), Item::Tool(other)) => one.tool_call_id == other.tool_call_id,
        (Item::Turn { turn_id: one, .. }, Item::Turn { turn_id: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::fold::MessageItem;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Shows so many messages more, as a page that follows them or not. Returns the number of rows
    /// that it shows.
    fn show(
        span: &mut ShownSpan,
        rows: &mut RowList,
        all: &mut Conversation,
        more: usize,
        follows: bool,
    ) -> usize {
        let message = || ConversationItem::Message(MessageItem::default());
        all.items.extend((0..more).map(|_| message()));
        rows.follow(all);
        show_end(span, rows, follows);
        while span.is_filling() {
            let before = span.chunks.clone();
            span.fill(rows);
            span.bound(rows);
            let added = (span.chunks.start..before.start).map(|chunk| rows.chunk(chunk).count());
            assert!((1..3 * FRAME_ROWS).contains(&added.sum()), "{before:?} {span:?}");
        }
        span.chunks.clone().map(|chunk| rows.chunk(chunk).count()).sum()
    }

    #[test]
    fn a_page_shows_some_rows_whether_it_follows_them_or_not() {
        let (mut span, mut rows) = (ShownSpan::default(), RowList::default());
        let mut all = Conversation::default();
        let first = show(&mut span, &mut rows, &mut all, 1000, true);
        assert!((STEP..2 * STEP).contains(&first) && span.has_earlier && !span.has_later);
        for _ in 0..1000 {
            let shown = show(&mut span, &mut rows, &mut all, 7, true);
            assert!((STEP..=2 * MOST_FOLLOWED).contains(&shown) && !span.has_later, "{shown}");
        }
        // A reader keeps the rows before, and gets some of those that come.
        let start = span.chunks.start;
        for _ in 0..1000 {
            let shown = show(&mut span, &mut rows, &mut all, 7, false);
            assert!(span.chunks.start == start && shown <= 3 * MOST_FOLLOWED, "{shown}");
        }
        assert!(span.has_later);
    }

    #[test]
    fn a_page_that_goes_back_shows_as_many_rows_and_can_go_forwards() {
        let (mut span, mut rows) = (ShownSpan::default(), RowList::default());
        let mut all = Conversation::default();
        show(&mut span, &mut rows, &mut all, 5000, true);
        while span.has_earlier {
            let before = span.chunks.start;
            span.go_back(&rows);
            span.bound(&rows);
            let shown: usize = span.chunks.clone().map(|chunk| rows.chunk(chunk).count()).sum();
            assert!(span.chunks.start < before && shown <= 2 * MOST_ROWS, "{shown}");
        }
        assert!(span.has_later);
    }

    #[test]
    fn what_is_empty_shows_nothing() {
        let (mut span, mut rows) = (ShownSpan::default(), RowList::default());
        let mut all = Conversation::default();
        assert_eq!(show(&mut span, &mut rows, &mut all, 0, true), 0);
        assert!(span.keys().is_empty() && !span.has_earlier && !span.has_later);
        assert_eq!(show(&mut span, &mut rows, &mut all, 1, true), 1);
    }

    #[test]
    fn places_are_kept_in_order() {
        let mut list = PlaceList::default();
        for place in [5, 1, 3, 1] {
            list.get_or_make(place, || place);
        }
        assert_eq!(list.0, [(1, 1), (3, 3), (5, 5)]);
        list.forget(3);
        assert_eq!((list.get(1), list.get(5)), (None, Some(&5)));
    }
}
