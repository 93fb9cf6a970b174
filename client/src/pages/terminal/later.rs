//! Parts of a terminal's page that it does not need at once. They are in the module of the pages of
//! tmux, which is loaded for the first of them.

use super::later_code::{LaterCode, LaterViews};
use super::{earlier, files, search_bar};
use crate::bindings::part::LoadError;

/// Provides the parts to all components below. They are not loaded yet.
pub fn provide() {
    LaterCode::provide(|| Box::pin(code::later()));
}

fn later_views() -> LaterViews {
    LaterViews {
        earlier: earlier::earlier,
        search: search_bar::search_bar,
        files: files::files_beside,
    }
}

#[cfg(feature = "split")]
mod code {
    use wasm_split_helpers::wasm_split;

    use super::*;

    #[wasm_split(later, fallible)]
    pub(super) fn later() -> Result<LaterViews, LoadError> {
        Ok(later_views())
    }
}

#[cfg(not(feature = "split"))]
mod code {
    use super::*;

    pub(super) async fn later() -> Result<LaterViews, LoadError> {
        Ok(later_views())
    }
}
