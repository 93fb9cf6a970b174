//! The code of the parts of a terminal's page that are loaded when they are needed.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::ui::part_code::PartCode;

/// The parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaterViews {
    /// See `earlier::earlier`.
    pub(super) earlier: fn(SessionId) -> AnyView,
    /// See `search_bar::search_bar`.
    pub(super) search: fn() -> AnyView,
    /// See `files::files_beside`.
    pub(super) files: fn() -> AnyView,
}

/// The code of [`LaterViews`].
pub(super) type LaterCode = PartCode<LaterViews>;
