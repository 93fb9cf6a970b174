//! The user's work with the list: search, order, selection and dialogs.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use super::hold::ListHold;
use super::order::{self, RowPlace, Sort, arrange, waiting};
use super::store::SessionsStore;
use crate::bindings::storage::{self, Area};
use crate::session::actions::Actions;
pub(super) use crate::session::actions::Ask;
use crate::ui::when::effect;

const SORT_KEY: &str = "moorline.sort";

/// The state of the user's work with the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk {
    /// The text that the shown sessions contain.
    pub(super) wanted: RwSignal<String>,
    pub(super) sort: RwSignal<Sort>,
    /// The rows that are shown, in order.
    order: Memo<Order>,
    /// Keeps the rows in their places while the user aims at one.
    pub(super) hold: ListHold,
    actions: Actions,
    /// The session that the row menu is for.
    pub(super) menu_of: RwSignal<Option<SessionId>>,
    selected: RwSignal<Vec<SessionId>>,
    /// The session that was selected last, at which a range begins.
    anchor: RwSignal<Option<SessionId>>,
}

impl Desk {
    /// Creates an empty desk and provides it to all components below.
    pub(super) fn provide(store: SessionsStore) -> Self {
        let kept = storage::get(Area::Browser, SORT_KEY).unwrap_or_default();
        let (wanted, sort) = (RwSignal::new(String::new()), RwSignal::new(Sort::from_name(&kept)));
        let (hold, actions) = (ListHold::new(), Actions::expect());
        let order = Memo::new(move |before: Option<&Order>| {
            let question = (store.router.shelf(), wanted.get(), sort.get(), actions.applied.get());
            let (shelf, wanted, sort, _) = &question;
            let now = store.sessions.with(|sessions| match sessions {
                Some(sessions) => arrange(sessions, shelf, wanted, *sort),
                None => Vec::new(),
            });
            let places: Vec<_> = now.iter().map(|session| RowPlace::of(session)).collect();
            let is_held = hold.is_held();
            let stays = |before: &&Order| {
                is_held && before.question == question && !before.places.is_empty()
            };
            match before.filter(stays) {
                Some(Order { places: before, .. }) => {
                    let waiting = waiting(before, &places);
                    Order { places: before.clone(), waiting, question }
                }
                None => Order { places, waiting: 0, question },
            }
        });
        let desk = Self {
            wanted,
            sort,
            order,
            hold,
            actions,
            menu_of: RwSignal::default(),
            selected: RwSignal::default(),
            anchor: RwSignal::default(),
        };
        // Another shelf, another search or a finished action clears the selection, so that nothing
        // out of sight stays selected.
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

    /// Returns the application's actions.
    pub(super) const fn actions(self) -> Actions {
        self.actions
    }

    /// Sorts the list, and stores the order.
    pub(super) fn sort_by(self, sort: Sort) {
        storage::set(Area::Browser, SORT_KEY, sort.name());
        self.sort.set(sort);
    }

    /// Returns true if no session is shown; tracked.
    pub(super) fn is_empty(self) -> bool {
        self.order.with(|order| order.places.is_empty())
    }

    /// Returns the number of new sessions that are shown once the user does not aim any more;
    /// tracked.
    pub(super) fn waiting(self) -> usize {
        self.order.with(|order| order.waiting)
    }

    /// Returns the shown sessions that `keep` accepts, in order; tracked.
    pub(super) fn shown(self, keep: impl Fn(&RowPlace) -> bool) -> Vec<SessionId> {
        self.order.with(|order| {
            let kept = order.places.iter().filter(|place| keep(place));
            kept.map(|place| place.id.clone()).collect()
        })
    }

    /// Returns the rows of the sessions that are over, or of the others; tracked. See [`order::rows`].
    pub(super) fn rows(self, is_over: bool) -> Vec<String> {
        self.order.with(|order| {
            let places = order.places.iter().filter(|place| place.is_over == is_over);
            order::rows(&places.collect::<Vec<_>>())
        })
    }

    /// Returns the number of panes that stand together with a pane: those of its tmux session that are
    /// over, if it is, or else the others; tracked.
    pub(super) fn panes_beside(self, id: &SessionId) -> usize {
        self.order.with(|order| {
            let own = order.places.iter().find(|place| place.id == *id);
            let Some(own) = own.filter(|own| own.tmux.is_some()) else { return 0 };
            let beside = |place: &&RowPlace| place.tmux == own.tmux && place.is_over == own.is_over;
            order.places.iter().filter(beside).count()
        })
    }

    /// Returns the selected sessions that are still shown, in order; tracked.
    pub(super) fn selection(self) -> Vec<SessionId> {
        let selected = self.selected.get();
        self.shown(|place| selected.contains(&place.id))
    }

    pub(super) fn is_selected(self, id: &SessionId) -> bool {
        self.selected.with(|selected| selected.contains(id))
    }

    /// Selects or deselects a session. With `range`, selects everything from the last one to this
    /// one.
    pub(super) fn toggle(self, id: &SessionId, range: bool) {
        let shown = untrack(|| self.shown(|_| true));
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
        let all = untrack(|| self.shown(|_| true));
        self.selected.set(all);
    }

    /// Clears the selection. Returns true if anything was selected.
    pub(super) fn deselect(self) -> bool {
        let some = self.selected.with_untracked(|selected| !selected.is_empty());
        if some {
            self.selected.set(Vec::new());
        }
        some
    }

    /// Returns the sessions that an action on `id` is for: the whole selection if `id` belongs to
    /// it, otherwise `id` alone.
    pub(super) fn with_selection(self, id: &SessionId) -> Vec<SessionId> {
        if self.is_selected(id) { untrack(|| self.selection()) } else { vec![id.clone()] }
    }
}

/// The shown rows, and the query that they answer. Only the same query may keep its rows, and only
/// until an action of the user's own on a session is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    places: Vec<RowPlace>,
    /// The number of new sessions that are not shown yet.
    waiting: usize,
    question: (crate::session::route::Shelf, String, Sort, u32),
}
