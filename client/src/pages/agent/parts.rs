//! Parts of the agent's page that are loaded when they are needed, as pages are.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::event::AgentChanges;
use moorline_shared::fold::TurnEntry;

use super::state::ConversationState;
use crate::bindings::part::LoadError;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;

/// Parts of the page that not every conversation needs.
#[derive(Clone, Copy)]
pub(super) struct MoreViews {
    /// See [`super::find_bar::find_bar`].
    pub(super) find: fn(RwSignal<bool>, NodeRef<html::Div>) -> AnyView,
    /// See [`super::review_files::files`].
    pub(super) review: fn(ConversationState, RwSignal<bool>, Memo<AgentChanges>) -> AnyView,
    /// See [`super::earlier::earlier`].
    pub(super) earlier: fn(ConversationState, Memo<String>) -> AnyView,
    /// See [`super::queued::queued`].
    pub(super) queued: fn(ConversationState, Memo<Vec<TurnEntry>>) -> AnyView,
}

/// The code of [`MoreViews`].
#[derive(Clone, Copy)]
pub(super) struct MoreCode(OnDemand<MoreViews>);

impl MoreCode {
    /// Provides the code to all components below. It is not loaded yet.
    pub(super) fn provide() {
        provide_context(Self(OnDemand::new()));
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Shows a view of the part, which is loaded first. An error is shown instead.
    pub(super) fn show(
        self,
        view: impl Fn(MoreViews) -> AnyView + Send + Sync + 'static,
    ) -> AnyView {
        self.0.load(code::more());
        live(move || match self.0.state() {
            LoadState::Ready => self.0.get().map(&view).into_any(),
            LoadState::Failed(error) => {
                view! { <p class="problem" role="alert">{error.to_string()}</p> }.into_any()
            }
            _ => ().into_any(),
        })
    }
}

fn more_views() -> MoreViews {
    use super::{earlier, find_bar, queued, review_files};
    MoreViews {
        find: find_bar::find_bar,
        review: review_files::files,
        earlier: earlier::earlier,
        queued: queued::queued,
    }
}

#[cfg(feature = "split")]
mod code {
    use wasm_split_helpers::wasm_split;

    use super::*;

    #[wasm_split(more, fallible)]
    pub(super) fn more() -> Result<MoreViews, LoadError> {
        Ok(more_views())
    }
}

#[cfg(not(feature = "split"))]
mod code {
    use super::*;

    pub(super) async fn more() -> Result<MoreViews, LoadError> {
        Ok(more_views())
    }
}
