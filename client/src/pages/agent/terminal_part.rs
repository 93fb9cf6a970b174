//! The screen of a terminal, whose code is loaded with that of the terminal's page.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::bindings::part::LoadError;
use crate::pages::terminal::card::TerminalCard;

/// Shows a terminal's screen: see [`TerminalCard`].
pub(super) type TerminalView = fn(SessionId) -> AnyView;

pub(super) use code::terminal;

fn terminal_view(id: SessionId) -> AnyView {
    view! { <TerminalCard id /> }.into_any()
}

#[cfg(feature = "split")]
mod code {
    use wasm_split_helpers::wasm_split;

    use super::*;

    #[wasm_split(terminal, fallible)]
    pub(in super::super) fn terminal() -> Result<TerminalView, LoadError> {
        Ok(terminal_view)
    }
}

#[cfg(not(feature = "split"))]
mod code {
    use super::*;

    pub(in super::super) async fn terminal() -> Result<TerminalView, LoadError> {
        Ok(terminal_view)
    }
}
