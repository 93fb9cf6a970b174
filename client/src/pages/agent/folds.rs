//! Parts of the conversation that unfold.

use leptos::prelude::*;

use crate::bindings::dialog;
use crate::ui::When;

/// The parts that the user has opened (true) or closed (false), by key, so that they stay so when a
/// row is built again. These are few.
#[derive(Clone, Copy, Default)]
pub(super) struct FoldStates(StoredValue<Vec<(String, bool)>>);

impl FoldStates {
    /// Provides what is open to all components below. Nothing is at first.
    pub(super) fn provide() {
        provide_context(Self::default());
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Returns the user's choice.
    pub(super) fn chosen(self, key: &str) -> Option<bool> {
        self.0.with_value(|folds| Some(folds.iter().find(|(known, _)| known == key)?.1))
    }
}

/// One part that unfolds. It is open if the user has opened it or, without a choice of the user, if
/// that is its default.
#[derive(Clone, Copy)]
pub(super) struct FoldState {
    folds: FoldStates,
    key: StoredValue<String>,
    choice: RwSignal<Option<bool>>,
    is_open: Memo<bool>,
}

impl FoldState {
    /// Creates the state of the part with this key, unique in the conversation.
    pub(super) fn new(key: String, default: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let folds = FoldStates::expect();
        let choice = RwSignal::new(folds.chosen(&key));
        let is_open = Memo::new(move |_| choice.get().unwrap_or_else(&default));
        Self { folds, key: StoredValue::new(key), choice, is_open }
    }

    /// Returns true if the part is open; tracked.
    pub(super) fn is_open(self) -> bool {
        self.is_open.get()
    }

    /// Takes the `toggle` event of the part's `details` element.
    pub(super) fn toggled(self, event: &leptos::ev::Event) {
        let is_open = dialog::is_unfolded(event);
        // The page's own changes are reported, too.
        if is_open != self.is_open.get_untracked() {
            self.choice.set(Some(is_open));
            let key = self.key.get_value();
            self.folds.0.update_value(|folds| {
                folds.retain(|(known, _)| *known != key);
                folds.push((key, is_open));
            });
        }
    }

    /// Shows content while the part is open. It is not built before.
    pub(super) fn content(self, view: impl Fn() -> AnyView + Send + Sync + 'static) -> AnyView {
        view! { <When condition=move || self.is_open()>{view()}</When> }.into_any()
    }
}
