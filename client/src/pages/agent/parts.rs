//! Parts of the agent's page that are loaded when they are needed, as pages are.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::event::AgentChanges;
use moorline_shared::id::SessionId;

use super::state::ConversationState;
use crate::bindings::part::LoadError;
use crate::pages::terminal::card::TerminalCard;

/// Shows the search bar: see [`super::find_bar::find_bar`].
pub(super) type FindView = fn(RwSignal<bool>, NodeRef<html::Div>) -> AnyView;

/// Shows the changed files: see [`super::review_files::files`].
pub(super) type ReviewView = fn(ConversationState, RwSignal<bool>, Memo<AgentChanges>) -> AnyView;

/// Shows a terminal's screen: see [`crate::pages::terminal::card::TerminalCard`].
pub(super) type TerminalView = fn(SessionId) -> AnyView;

/// Tells of earlier items: see [`super::earlier::earlier`].
pub(super) type EarlierView = fn(ConversationState, Memo<String>) -> AnyView;

pub(super) use code::{earlier, find, review, terminal};

#[cfg(feature = "split")]
mod code {
    use wasm_split_helpers::wasm_split;

    use super::super::{earlier, find_bar, review_files};
    use super::*;

    #[wasm_split(more, fallible)]
    pub(in super::super) fn earlier() -> Result<EarlierView, LoadError> {
        Ok(earlier::earlier)
    }

    #[wasm_split(more, fallible)]
    pub(in super::super) fn find() -> Result<FindView, LoadError> {
        Ok(find_bar::find_bar)
    }

    /// The part of the terminal's page, with its emulator.
    #[wasm_split(terminal, fallible)]
    pub(in super::super) fn terminal() -> Result<TerminalView, LoadError> {
        Ok(|id| view! { <TerminalCard id /> }.into_any())
    }

    #[wasm_split(more, fallible)]
    pub(in super::super) fn review() -> Result<ReviewView, LoadError> {
        Ok(review_files::files)
    }
}

#[cfg(not(feature = "split"))]
mod code {
    use super::super::{earlier, find_bar, review_files};
    use super::*;

    pub(in super::super) async fn earlier() -> Result<EarlierView, LoadError> {
        Ok(earlier::earlier)
    }

    pub(in super::super) async fn find() -> Result<FindView, LoadError> {
        Ok(find_bar::find_bar)
    }

    pub(in super::super) async fn terminal() -> Result<TerminalView, LoadError> {
        Ok(|id| view! { <TerminalCard id /> }.into_any())
    }

    pub(in super::super) async fn review() -> Result<ReviewView, LoadError> {
        Ok(review_files::files)
    }
}
