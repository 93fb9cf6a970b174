//! The parts that the agent's page loads behind it, by name.

use super::more_code::{MoreCode, MoreViews};
use crate::bindings::part::LoadError;

/// Provides the parts to all components below. They are not loaded yet.
pub(super) fn provide() {
    MoreCode::provide(|| Box::pin(code::more()));
}

fn more_views() -> MoreViews {
    use super::{
        approval_card, diff_view, earlier, find_bar, fork_prompt, queued, review_files,
        review_undo, sent_images,
    };
    MoreViews {
        find: find_bar::find_bar,
        review: review_files::files,
        undo: review_undo::undo_row,
        question: approval_card::card,
        diff: diff_view::file_diff,
        earlier: earlier::earlier,
        queued: queued::queued,
        images: sent_images::sent_images,
        fork_before: fork_prompt::fork_before,
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
