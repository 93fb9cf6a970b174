//! The bar for searching in the terminal.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::page;
use crate::pages::terminal::state::TerminalState;
use crate::ui::on_demand::LoadState;
use crate::ui::when::effect;
use crate::ui::{SearchButtons, When};

/// Renders the search bar, which is open.
pub(super) fn search_bar() -> AnyView {
    view! { <OpenSearchBar /> }.into_any()
}

#[component]
fn OpenSearchBar() -> impl IntoView {
    let state = TerminalState::expect();
    let field = NodeRef::<html::Input>::new();
    let text = RwSignal::new(String::new());
    field.on_load(move |field| {
        page::focus_soon(field.into());
        state.uncover();
        state.load_search();
    });
    // Finds text that was typed while the code was loading.
    effect(move || {
        if state.search.state() == LoadState::Ready {
            state.find(&text.get_untracked(), false, true);
        }
    });
    let find = move |forwards| state.find(&text.get_untracked(), forwards, false);
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let again = event.ctrl_key() && event.shift_key() && event.key().eq_ignore_ascii_case("f");
        match event.key().as_str() {
            "Escape" => state.end_search(),
            "Enter" => find(!event.shift_key()),
            _ if again => state.end_search(),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let count = move || match (state.search.state(), state.matches.get()) {
        _ if text.with(String::is_empty) => String::new(),
        (LoadState::Unneeded | LoadState::Loading, _) => "…".to_owned(),
        (LoadState::Failed(_), _) => String::new(),
        (LoadState::Ready, (_, 0)) => "none".to_owned(),
        (LoadState::Ready, (Some(index), count)) => format!("{}/{count}", index + 1),
        (LoadState::Ready, (None, count)) => format!("{count}+"),
    };
    let step = Callback::new(find);
    let close = Callback::new(move |()| state.end_search());
    view! {
        <div class="search" role="search" data-testid="search">
            <input
                node_ref=field
                type="text"
                placeholder="Find"
                aria-label="Find in the terminal"
                autocapitalize="off"
                autocomplete="off"
                spellcheck="false"
                on:keydown=on_key
                on:input=move |event| {
                    text.set(event_target_value(&event));
                    state.find(&text.get_untracked(), false, true);
                }
            />
            <span class="search-count" role="status" data-testid="matches">{move || count()}</span>
            <SearchButtons step close />
            <When condition=move || state.search.error().is_some()>
                <div class="search-problem">
                    <span role="alert" data-testid="search-problem">
                        {move || state.search.error().map(|error| error.to_string())}
                    </span>
                    <button class="status-button" data-testid="search-retry" on:click=move |_| state.load_search()>
                        "Try again"
                    </button>
                </div>
            </When>
        </div>
    }
}
