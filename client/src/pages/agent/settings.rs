//! The agent's settings, such as its mode and model, as it names them.

use leptos::prelude::*;
use moorline_shared::agent::content::AgentOption;
use serde_json::json;

use super::state::ConversationState;
use crate::session::api::ApiRequest;
use crate::ui::when::live;

/// The agent's settings, one menu each.
#[component]
pub fn Settings() -> impl IntoView {
    let state = ConversationState::expect();
    let options = Memo::new(move |_| state.head.with(|head| head.config.options.clone()));
    live(move || {
        options.get().into_iter().map(|option| setting(state, option)).collect_view().into_any()
    })
}

fn setting(state: ConversationState, option: AgentOption) -> AnyView {
    let AgentOption { id, name, description, value, choices, category } = option;
    // The choices of modes and models say what they are.
    let says_itself = matches!(category.as_deref(), Some("mode" | "model"));
    let label = (!says_itself).then(|| view! { <span aria-hidden="true">{name.clone()}</span> });
    if choices.is_empty() {
        return ().into_any();
    }
    let known = choices.iter().any(|choice| choice.value == value);
    let unknown =
        (!known).then(|| view! { <option value=value.clone() selected>{value.clone()}</option> });
    let choices = choices.into_iter().map(|choice| {
        let selected = choice.value == value;
        view! { <option value=choice.value selected=selected>{choice.name}</option> }
    });
    let test = format!("setting-{id}");
    let choose = move |event| {
        let body = json!({ "option": id, "value": event_target_value(&event) });
        state.ask(|path| ApiRequest::post(path, &body), "config");
    };
    view! {
        <label class="setting">
            {label}
            <select
            aria-label=name.clone()
            title=description.unwrap_or(name)
            data-testid=test
            on:change=choose
        >
            {unknown}
            {choices.collect_view()}
            </select>
        </label>
    }
    .into_any()
}
