//! What the user does with the list: searches, sorts, selects, and is asked about.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use super::order::{Sort, arrange, hold};
use super::store::Store;
use crate::bindings::storage::{self, Area};
use crate::session::actions::Actions;
pub(super) use crate::session::actions::Ask;
use crate::ui::when::effect;

const SORT_KEY: &str = "moorline.sort";

/// What the user does with the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk {
    /// Only sessions that contain this.
    pub(super) wanted: RwSignal<String>,
    pub(super) sort: RwSignal<Sort>,
    /// What is shown, in order.
    order: Memo<Order>,
    /// Something points at the list: nothing may move below it.
    pub(super) held: RwSignal<bool>,
    actions: Actions,
    /// Whose menu is open.
    pub(super) menu_of: RwSignal<Option<SessionId>>,
    selected: RwSignal<Vec<SessionId>>,
    /// What was selected last: where a range begins.
    anchor: RwSignal<Option<SessionId>>,
}

impl Desk {
    /// An empty one, known to all components below.
    pub(super) fn provide(store: Store) -> Self {
        let kept = storage::get(Area::Browser, SORT_KEY).unwrap_or_default();
        let (wanted, sort) = (RwSignal::new(String::new()), RwSignal::new(Sort::from_name(&kept)));
        let held = RwSignal::new(false);
        let order = Memo::new(move |before: Option<&Order>| {
            let question = (store.router.shelf(), wanted.get(), sort.get());
            let (shelf, wanted, sort) = &question;
            let now = store.sessions.with(|sessions| match sessions {
                Some(sessions) => arrange(sessions, shelf, wanted, *sort),
                None => Vec::new(),
            });
            let ids: Vec<_> = now.iter().map(|session| session.session_id.clone()).collect();
            match before.filter(|before| held.get() && before.question == question) {
                Some(before) => Order { ids: hold(&before.ids, &ids), question },
                None => Order { ids, question },
            }
        });
        let desk = Self {
            wanted,
            sort,
            order,
            held,
            actions: Actions::expect(),
            menu_of: RwSignal::default(),
            selected: RwSignal::default(),
            anchor: RwSignal::default(),
        };
        // Another shelf is another table: nothing that is out of sight stays selected, nor what
        // something was done with.
        effect(move || {
            let _ = (store.router.shelf(), wanted.track(), desk.actions.done.track());
            desk.deselect();
        });
        provide_context(desk);
        desk
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    pub(super) fn ask(self, ask: Ask) {
        self.actions.ask(ask);
    }

    /// Everything that can be done.
    pub(super) const fn actions(self) -> Actions {
        self.actions
    }

    /// Sorts, and remembers how.
    pub(super) fn sort_by(self, sort: Sort) {
        storage::set(Area::Browser, SORT_KEY, sort.name());
        self.sort.set(sort);
    }

    /// What is shown, in order; tracked.
    pub(super) fn with_order<T>(self, read: impl FnOnce(&[SessionId]) -> T) -> T {
        self.order.with(|order| read(&order.ids))
    }

    /// What is selected and still shown, in order; tracked.
    pub(super) fn selection(self) -> Vec<SessionId> {
        let selected = self.selected.get();
        self.with_order(|ids| ids.iter().filter(|id| selected.contains(id)).cloned().collect())
    }

    pub(super) fn is_selected(self, id: &SessionId) -> bool {
        self.selected.with(|selected| selected.contains(id))
    }

    /// Selects or deselects one, or with `range` everything from the last one to this one.
    pub(super) fn toggle(self, id: &SessionId, range: bool) {
        let shown = untrack(|| self.with_order(<[SessionId]>::to_vec));
        let place = |wanted: &SessionId| shown.iter().position(|id| id == wanted);
        let from = self.anchor.get_untracked().filter(|_| range).and_then(|id| place(&id));
        self.selected.update(|selected| match (from, place(id)) {
            (Some(from), Some(to)) => {
                for id in &shown[from.min(to)..=from.max(to)] {
                    if !selected.contains(id) {
                        selected.push(id.clone());
                    }
                }
            }
            _ if selected.contains(id) => selected.retain(|selected| selected != id),
            _ => selected.push(id.clone()),
        });
        self.anchor.set(Some(id.clone()));
    }

    pub(super) fn select_all(self) {
        let all = untrack(|| self.with_order(<[SessionId]>::to_vec));
        self.selected.set(all);
    }

    /// Whether anything was.
    pub(super) fn deselect(self) -> bool {
        let some = self.selected.with_untracked(|selected| !selected.is_empty());
        if some {
            self.selected.set(Vec::new());
        }
        some
    }

    /// What an action on `id` is for: the whole selection where it belongs to it.
    pub(super) fn with_selection(self, id: &SessionId) -> Vec<SessionId> {
        if self.is_selected(id) { untrack(|| self.selection()) } else { vec![id.clone()] }
    }
}

/// What is shown, and what was asked for: only the same question may keep its order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    ids: Vec<SessionId>,
    question: (crate::session::route::Shelf, String, Sort),
}
