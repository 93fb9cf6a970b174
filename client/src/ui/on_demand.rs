//! A part of the page's code that is loaded when it is needed, as a page sees it.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::bindings::part::LoadError;

/// How far a part is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadState {
    /// Nobody has needed it.
    #[default]
    Unneeded,
    /// It is on its way.
    Loading,
    /// It is there.
    Ready,
    /// It did not come, and can be asked for again.
    Failed(LoadError),
}

/// A part that is loaded when it is needed.
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
    /// One that nobody has needed. It belongs to the component that makes it.
    #[must_use]
    pub fn new() -> Self {
        Self { state: RwSignal::default(), part: StoredValue::new_local(None) }
    }

    /// How far it is; tracked.
    #[must_use]
    pub fn state(self) -> LoadState {
        self.state.get()
    }

    /// Why it is not there, if it did not come; tracked.
    #[must_use]
    pub fn error(self) -> Option<LoadError> {
        match self.state() {
            LoadState::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The part, once it is there.
    #[must_use]
    pub fn get(self) -> Option<T> {
        self.part.try_get_value().flatten()
    }

    /// Loads it, unless it is there or on its way.
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
