//! Parts of the agent's page that are loaded behind it, once for all of them.

use std::pin::Pin;
use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::agent::approval::ApprovalRequest;
use moorline_shared::event::AgentChanges;
use moorline_shared::fold::{MessageItem, TurnEntry};
use moorline_shared::id::{Seq, TurnId};

use super::decider::Decider;
use super::paths::RelativePaths;
use super::state::ConversationState;
use crate::bindings::part::LoadError;
use crate::session::actions::Actions;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;

/// Renders a question that can be decided: see `approval_card::card`.
type QuestionView = fn(&Arc<ApprovalRequest>, RwSignal<f64>, Decider, RelativePaths) -> AnyView;
/// Renders the files that the agent has changed: see `review_files::files`.
type ReviewView = fn(ConversationState, RwSignal<bool>, Memo<AgentChanges>) -> AnyView;

/// Renders the queued prompts: see `queued::queued`.
type QueueView =
    fn(ConversationState, Memo<Vec<TurnEntry>>, RwSignal<Option<TurnEntry>>) -> AnyView;

/// A change of a file that is shown.
#[derive(Debug, Clone)]
pub(super) struct ShownChange {
    /// The path of the file.
    pub(super) path: String,
    /// The old text; `None` for a new file.
    pub(super) old: Option<String>,
    /// The new text.
    pub(super) new: String,
    /// A key that is unique in the conversation.
    pub(super) key: String,
}

/// Parts of the page that it does not need at once.
#[derive(Clone, Copy)]
pub(super) struct MoreViews {
    /// See `find_bar::find_bar`.
    pub(super) find: fn(RwSignal<bool>, NodeRef<html::Div>) -> AnyView,
    pub(super) review: ReviewView,
    pub(super) question: QuestionView,
    /// See `diff_view::file_diff`.
    pub(super) diff: fn(&ShownChange, RelativePaths) -> AnyView,
    /// See `earlier::earlier`.
    pub(super) earlier: fn(ConversationState, Memo<String>) -> AnyView,
    pub(super) queued: QueueView,
    /// See `sent_images::sent_images`.
    pub(super) images: fn(ConversationState, TurnId, usize) -> AnyView,
    /// See `fork_prompt::fork_before`.
    pub(super) fork_before: fn(ConversationState, Actions, Seq, &MessageItem),
}

/// Loads the code of [`MoreViews`].
type Load = fn() -> Pin<Box<dyn Future<Output = Result<MoreViews, LoadError>>>>;

/// The code of [`MoreViews`].
#[derive(Clone, Copy)]
pub(super) struct MoreCode {
    code: OnDemand<MoreViews>,
    load: Load,
}

impl MoreCode {
    /// Provides the code to all components below. It is not loaded yet.
    pub(super) fn provide(load: Load) {
        provide_context(Self { code: OnDemand::new(), load });
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Calls `then` with the part, or with `None` if it cannot be loaded.
    pub(super) fn with(self, then: impl FnOnce(Option<MoreViews>) + 'static) {
        let Self { code, load } = self;
        match code.get() {
            Some(views) => then(Some(views)),
            None => spawn_local(async move { then(load().await.ok()) }),
        }
    }

    /// Shows a view of the part, which is loaded first. An error is shown instead.
    pub(super) fn show(
        self,
        view: impl Fn(MoreViews) -> AnyView + Send + Sync + 'static,
    ) -> AnyView {
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
