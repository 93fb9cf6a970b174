//! The bar for searching in the conversation: in all of its items, also those that are folded or far
//! back. The page loads this part for the first search.
//!
//! While the conversation grows, hits are counted again from the first item that has changed.

use gloo_timers::callback::Timeout;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::fold::{Conversation, ConversationItem};

use super::find_text::FindText;
use super::state::ConversationState;
use crate::bindings::marks::{self, MarkPlace, MarkStep, MarksInView};
use crate::bindings::{clock, page};
use crate::ui::SearchButtons;
use crate::ui::when::effect;

/// The most hits that are counted.
const MOST_HITS: usize = 10_000;
/// The time that a search takes of each frame.
const SLICE_MS: f64 = 8.0;
/// The time between a change of the conversation and the count of its hits, which covers all changes
/// until then.
const RECOUNT_MS: u32 = 400;
/// The most frames on the way to a hit, each of which unfolds a part.
const MOST_STEPS: usize = 500;
/// The frames after which a hit that does not come is given up.
const PATIENCE: usize = 20;

/// A hit: the place of its item, and the number of hits before it there.
type FindHit = (u64, usize);

/// The search in the conversation.
#[derive(Clone, Copy)]
struct FindState {
    conversation: ConversationState,
    is_open: RwSignal<bool>,
    text: RwSignal<Option<FindText>>,
    /// All hits so far, first item first.
    hits: RwSignal<Vec<FindHit>>,
    /// True once all items were searched.
    is_done: RwSignal<bool>,
    /// True while hits are counted again.
    is_counting: RwSignal<bool>,
    /// The index of the hit that is shown.
    current: RwSignal<Option<usize>>,
    /// Counts searches and shown hits. One that is not the last ends.
    run: StoredValue<u64>,
    /// The number of searches so far.
    search: StoredValue<u64>,
    view: NodeRef<html::Div>,
    /// The marks of all hits in view.
    marks: StoredValue<Option<MarksInView>, LocalStorage>,
}

impl FindState {
    fn close(self) {
        self.is_open.set(false);
        self.begin(None);
        if let Some(view) = self.view.get_untracked() {
            page::focus(&view);
        }
    }

    /// Returns the number of a new run, which ends all others.
    fn next_run(self) -> u64 {
        self.run.update_value(|run| *run += 1);
        self.run.get_value()
    }

    fn is_run(self, run: u64) -> bool {
        self.run.try_get_value() == Some(run)
    }

    /// Searches for a text, and shows its last hit.
    fn begin(self, text: Option<FindText>) {
        let run = self.next_run();
        self.search.update_value(|search| *search += 1);
        marks::clear();
        self.hits.set(Vec::new());
        self.current.set(None);
        self.is_done.set(text.is_none());
        self.text.set(text.clone());
        self.conversation.touched.set(None);
        let marked = text.as_ref().zip(self.view.get_untracked());
        self.marks.set_value(marked.map(|(text, view)| MarksInView::of(&view, text.as_str())));
        if let Some(text) = text {
            spawn_local(async move { self.search_all(run, text).await });
        }
    }

    async fn search_all(self, run: u64, text: FindText) {
        let mut place = 0;
        while let Some((found, searched)) = self.slice(&mut place, &text) {
            let is_full = self.hits.with_untracked(Vec::len) + found.len() >= MOST_HITS;
            if !found.is_empty() {
                self.hits.update(|hits| {
                    hits.extend(found);
                    hits.truncate(MOST_HITS);
                });
            }
            if searched || is_full {
                break;
            }
            clock::frame().await;
            if !self.is_run(run) {
                return;
            }
        }
        self.is_done.set(true);
        let last = self.hits.with_untracked(Vec::len).checked_sub(1);
        if let Some(last) = last {
            self.show(last);
        }
    }

    /// Searches items from a place on, as many as there is time for in a frame. Returns the hits, and
    /// true if none is left; `None` if the page is gone.
    fn slice(self, place: &mut u64, text: &FindText) -> Option<(Vec<FindHit>, bool)> {
        self.conversation.read(|conversation| {
            let mut found = Vec::new();
            let started = clock::wall_ms();
            *place = (*place).max(conversation.omitted);
            while *place < conversation.end() && clock::wall_ms() - started < SLICE_MS {
                let count = untrack(|| self.count(conversation, *place, text));
                found.extend((0..count).map(|number| (*place, number)));
                *place += 1;
            }
            (found, *place >= conversation.end())
        })
    }

    /// Counts the hits again from a place on. The one that is shown stays, if it is still there.
    async fn recount(self, from: u64, text: FindText) {
        let Some(search) = self.search.try_get_value() else { return };
        if let Some((before, hits)) = self.hits_again(search, from, &text).await {
            let current = self.current.get_untracked().and_then(|index| before.get(index));
            let current = current.and_then(|shown| hits.binary_search(shown).ok());
            self.current.set(current);
            self.hits.set(hits);
        }
        let _ = self.is_counting.try_set(false);
        self.mark_again();
    }

    fn mark_again(self) {
        let _ = self.marks.try_with_value(|marks| marks.iter().for_each(MarksInView::refresh));
    }

    /// Returns the hits as they were, and as they are now; `None` if they are the same, or another
    /// search has begun.
    async fn hits_again(
        self,
        search: u64,
        from: u64,
        text: &FindText,
    ) -> Option<(Vec<FindHit>, Vec<FindHit>)> {
        let before = self.hits.try_get_untracked()?;
        let omitted = self.conversation.read(|conversation| conversation.omitted)?;
        let is_kept = |hit: &FindHit| (omitted..from).contains(&hit.0);
        let mut hits: Vec<FindHit> = before.iter().copied().filter(is_kept).collect();
        let mut place = from;
        while hits.len() < MOST_HITS {
            let (found, searched) = self.slice(&mut place, text)?;
            hits.extend(found);
            if searched {
                break;
            }
            clock::frame().await;
            if self.search.try_get_value() != Some(search) {
                return None;
            }
        }
        hits.truncate(MOST_HITS);
        (hits != before).then_some((before, hits))
    }

    /// Counts again some time after the conversation has changed, until the search is closed.
    fn follow(self) {
        let touched = self.conversation.touched;
        let timer = StoredValue::new_local(None::<Timeout>);
        let is_due = Memo::new(move |_| {
            let is_idle = self.is_done.get() && !self.is_counting.get();
            is_idle && self.text.with(Option::is_some) && touched.with(Option::is_some)
        });
        let recount = move || {
            let (from, text) = (touched.get_untracked(), self.text.get_untracked());
            if let (Some(from), Some(text), true) = (from, text, is_due.get_untracked()) {
                touched.set(None);
                self.is_counting.set(true);
                spawn_local(async move { self.recount(from, text).await });
            }
        };
        effect(move || {
            timer.set_value(is_due.get().then(|| Timeout::new(RECOUNT_MS, recount)));
        });
    }

    fn count(self, conversation: &Conversation, place: u64, text: &FindText) -> usize {
        let Some(item) = conversation.item_at(place) else { return 0 };
        let approval = match item {
            ConversationItem::Approval { approval_id } => self.conversation.approval(approval_id),
            _ => None,
        };
        let request = approval.as_ref().map(|approval| &approval.request);
        text.hits(item, self.conversation.folder, request)
    }

    /// Shows the next hit, or the one before; after the last one, the first.
    fn step(self, forwards: bool) {
        let count = self.hits.with_untracked(Vec::len);
        if count == 0 || !self.is_done.get_untracked() {
            return;
        }
        let current = self.current.get_untracked().unwrap_or(count - 1);
        self.show(if forwards { (current + 1) % count } else { (current + count - 1) % count });
    }

    fn show(self, index: usize) {
        let hit = self.hits.with_untracked(|hits| hits.get(index).copied());
        let (Some((place, number)), Some(text)) = (hit, self.text.get_untracked()) else { return };
        self.current.set(Some(index));
        let shown = self.conversation.shown;
        shown.follows.set(false);
        shown.reach_place(place);
        let run = self.next_run();
        spawn_local(async move {
            let mut waited = 0;
            for _ in 0..MOST_STEPS {
                clock::frame().await;
                let view = self.view.try_get_untracked().flatten().filter(|_| self.is_run(run));
                let Some(view) = view else { return };
                let (group, text) = (shown.group_of(place), text.as_str());
                let place = MarkPlace { item: place, group, text, number };
                match marks::show(&view, place, waited == PATIENCE) {
                    MarkStep::Unfolded => waited = 0,
                    MarkStep::Missing if waited < PATIENCE => waited += 1,
                    MarkStep::Missing | MarkStep::Done => return self.mark_again(),
                }
            }
        });
    }

    /// Returns the state in a few letters: "3/12", "none".
    fn status(self) -> String {
        let count = self.hits.with(Vec::len);
        let more = if count == MOST_HITS { "+" } else { "" };
        match self.current.get() {
            _ if self.text.with(Option::is_none) => String::new(),
            _ if !self.is_done.get() => "…".to_owned(),
            _ if count == 0 => "none".to_owned(),
            Some(index) => format!("{}/{count}{more}", index + 1),
            None => format!("{count}{more}"),
        }
    }
}

/// Shows the bar for the conversation in `view`. It sets `is_open` to false to be closed.
pub(super) fn find_bar(is_open: RwSignal<bool>, view: NodeRef<html::Div>) -> AnyView {
    let find = FindState {
        conversation: ConversationState::expect(),
        is_open,
        text: RwSignal::default(),
        hits: RwSignal::default(),
        is_done: RwSignal::new(true),
        is_counting: RwSignal::new(false),
        current: RwSignal::default(),
        run: StoredValue::new(0),
        search: StoredValue::new(0),
        view,
        marks: StoredValue::new_local(None),
    };
    on_cleanup(marks::clear);
    find.follow();
    let field = NodeRef::<html::Input>::new();
    effect(move || {
        if let Some(field) = field.get() {
            page::focus_soon(field.into());
        }
    });
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        // On a button, Enter presses it.
        let is_typing = field.get_untracked().is_some_and(|field| page::has_focus(&field));
        match event.key().as_str() {
            "Escape" => find.close(),
            "Enter" if is_typing => find.step(!event.shift_key()),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let step = Callback::new(move |is_next| find.step(is_next));
    let close = Callback::new(move |()| find.close());
    view! {
        <div class="search" role="search" data-testid="find" on:keydown=on_key>
            <input
                node_ref=field
                type="text"
                placeholder="Find"
                aria-label="Find in the conversation"
                autocapitalize="off"
                autocomplete="off"
                spellcheck="false"
                data-testid="find-field"
                on:input=move |event| find.begin(FindText::of(&event_target_value(&event)))
            />
            <span class="search-count" role="status" data-testid="found">{move || find.status()}</span>
            <SearchButtons step close />
        </div>
    }
    .into_any()
}
