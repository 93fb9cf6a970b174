//! The code of the parts of a terminal's page that are loaded when they are needed.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::ui::part_code::PartCode;

/// The parts.
#[derive(Debug, Clone, Copy)]
pub struct LaterViews {
    /// See `earlier::earlier`.
    pub earlier: fn(SessionId) -> AnyView,
    /// See `search_bar::search_bar`.
    pub search: fn() -> AnyView,
}

/// The code of [`LaterViews`].
pub type LaterCode = PartCode<LaterViews>;
