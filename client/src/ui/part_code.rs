//! The code of parts of a page, loaded once for all of them when the first one is needed.

use std::pin::Pin;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::bindings::part::LoadError;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;

/// Loads the code that renders the parts: `Views` has a function for each.
type Load<Views> = fn() -> Pin<Box<dyn Future<Output = Result<Views, LoadError>>>>;

/// The code of parts of a page. `Views` has a function for each of them.
pub struct PartCode<Views: 'static> {
    code: OnDemand<Views>,
    load: Load<Views>,
}

impl<Views> Clone for PartCode<Views> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Views> Copy for PartCode<Views> {}

impl<Views: Copy + Send + Sync + 'static> PartCode<Views> {
    /// Provides the code to all components below. It is not loaded yet.
    pub fn provide(load: Load<Views>) {
        provide_context(Self { code: OnDemand::new(), load });
    }

    /// Returns the code that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns true if the code is loaded; not tracked.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        self.code.try_state() == Some(LoadState::Ready)
    }

    /// Calls `then` with the part, or with `None` if it cannot be loaded.
    pub fn with(self, then: impl FnOnce(Option<Views>) + 'static) {
        let Self { code, load } = self;
        match code.get() {
            Some(views) => then(Some(views)),
            None => spawn_local(async move { then(load().await.ok()) }),
        }
    }

    /// Shows a view of the part, which is loaded first. An error is shown instead.
    pub fn show(self, view: impl Fn(Views) -> AnyView + Send + Sync + 'static) -> AnyView {
        let Self { code, load } = self;
        code.load(load());
        live(move || match code.state() {
            LoadState::Ready => code.get().map(&view).into_any(),
            LoadState::Failed(error) => {
                let again = move |_| code.load(load());
                view! {
                    <p class="problem" role="alert">{error.to_string()}</p>
                    <button type="button" class="button quiet" data-testid="load-again" on:click=again>"Try again"</button>
                }
                .into_any()
            }
            _ => ().into_any(),
        })
    }
}
