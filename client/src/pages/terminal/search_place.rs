//! The place of a terminal's search bar, which is loaded on demand.

use leptos::html;
use leptos::prelude::*;

use super::later_code::LaterCode;
use super::state::TerminalState;
use crate::bindings::page;

/// The place of the search bar. It has the keyboard until the bar is loaded, so that what is typed for
/// the search is not typed into the program.
#[component]
pub fn SearchPlace() -> impl IntoView {
    let (state, later) = (TerminalState::expect(), LaterCode::expect());
    let place = NodeRef::<html::Div>::new();
    place.on_load(move |place| {
        if !later.is_loaded() {
            page::focus_soon(place.into());
        }
    });
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" {
            state.end_search();
        }
    };
    view! {
        <div node_ref=place class="search-place" tabindex="-1" on:keydown=on_key>
            {later.show(|views| (views.search)())}
        </div>
    }
}
