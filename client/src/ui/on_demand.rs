//! A part of the page's code that is loaded on demand, with its state for a page to show.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::bindings::part::LoadError;

/// The loading state of a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadState {
    /// Nothing has needed it yet.
    #[default]
    Unneeded,
    /// It is being loaded.
    Loading,
    /// It is loaded and ready.
    Ready,
    /// Loading failed. It can be tried again.
    Failed(LoadError),
}

/// A part that is loaded on demand.
#[derive(Debug)]
pub struct OnDemand<T: 'static> {
    state: RwSignal<LoadState>,
    part: StoredValue<Option<T>, LocalStorage>,
}

impl<T> Clone for OnDemand<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OnDemand<T> {}

impl<T: Clone + 'static> OnDemand<T> {
    /// Creates a part that is not loaded yet. It belongs to the component that creates it.
    #[must_use]
    pub fn new() -> Self {
        Self { state: RwSignal::default(), part: StoredValue::new_local(None) }
    }

    /// Returns the loading state; tracked.
    #[must_use]
    pub fn state(self) -> LoadState {
        self.state.get()
    }

    /// Returns the loading state, unless the component is gone; not tracked.
    #[must_use]
    pub fn try_state(self) -> Option<LoadState> {
        self.state.try_get_untracked()
    }

    /// Returns the error if loading failed; tracked.
    #[must_use]
    pub fn error(self) -> Option<LoadError> {
        match self.state() {
            LoadState::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the part once it is loaded.
    #[must_use]
    pub fn get(self) -> Option<T> {
        self.part.try_get_value().flatten()
    }

    /// Loads the part with `load`, unless it is loaded or being loaded.
    pub fn load(self, load: impl Future<Output = Result<T, LoadError>> + 'static) {
        if matches!(self.state.get_untracked(), LoadState::Loading | LoadState::Ready) {
            return;
        }
        self.state.set(LoadState::Loading);
        spawn_local(async move {
            let state = match load.await {
                Ok(part) => {
                    // The page may be gone by now.
                    let _ = self.part.try_set_value(Some(part));
                    LoadState::Ready
                }
                Err(error) => LoadState::Failed(error),
            };
            let _ = self.state.try_set(state);
        });
    }
}

impl<T: Clone + 'static> Default for OnDemand<T> {
    fn default() -> Self {
        Self::new()
    }
}
