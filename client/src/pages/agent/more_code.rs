//! Parts of the agent's page that are loaded behind it, once for all of them.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use moorline_shared::agent::approval::ApprovalRequest;
use moorline_shared::event::AgentChanges;
use moorline_shared::fold::{MessageItem, TurnEntry};
use moorline_shared::id::{Seq, TurnId};

use super::decider::Decider;
use super::paths::RelativePaths;
use super::review_undo::RevertUndo;
use super::state::ConversationState;
use crate::session::actions::Actions;
use crate::ui::part_code::PartCode;

/// Renders a question that can be decided: see `approval_card::card`.
type QuestionView = fn(&Arc<ApprovalRequest>, RwSignal<f64>, Decider, RelativePaths) -> AnyView;
/// Renders the files that the agent has changed: see `review_files::files`.
type ReviewView = fn(
    ConversationState,
    RwSignal<bool>,
    Memo<AgentChanges>,
    RwSignal<Option<RevertUndo>>,
) -> AnyView;

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
    /// Renders the offer to undo a revert: `review_undo::undo_row`.
    pub(super) undo: fn(ConversationState, RwSignal<Option<RevertUndo>>) -> AnyView,
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

/// The code of [`MoreViews`].
pub(super) type MoreCode = PartCode<MoreViews>;
