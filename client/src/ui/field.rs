//! A labelled text field and a labelled select box.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;

use crate::bindings::page;
use crate::ui::when::effect;

/// A text field with its label and an error message. The browser neither corrects nor completes
/// what is typed.
#[component]
pub fn Field(
    /// Label of the field.
    label: &'static str,
    /// Name for tests, and the prefix of the ids of its parts.
    name: &'static str,
    /// Reference to the input element, to read its value.
    node: NodeRef<html::Input>,
    /// Initial value of the field.
    #[prop(optional, into)]
    value: String,
    /// Placeholder that says what an empty field means.
    #[prop(optional)]
    placeholder: &'static str,
    /// Error message, if the value cannot be accepted. The field then gets the focus.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// True if it holds code, a path or the like.
    #[prop(optional)]
    mono: bool,
    /// True if the typed text is hidden.
    #[prop(optional)]
    secret: bool,
    /// True if it has the focus initially.
    #[prop(optional)]
    first: bool,
    /// The id of a `datalist` with suggestions.
    #[prop(optional)]
    list: Option<&'static str>,
) -> impl IntoView {
    if first {
        node.on_load(|field| {
            field.select();
            page::focus_soon(field.into());
        });
    }
    effect(move || {
        if let (true, Some(field)) = (problem.with(Option::is_some), node.get_untracked()) {
            page::focus(&field);
        }
    });
    let about = format!("{name}-problem");
    let described = about.clone();
    let wrong = move || problem.with(Option::is_some);
    view! {
        <label class="field">
            <span>{label}</span>
            <input
                node_ref=node
                class:mono=mono
                type=if secret { "password" } else { "text" }
                data-testid=name
                value=value
                placeholder=placeholder
                list=list
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                aria-invalid=move || wrong().then_some("true")
                aria-describedby=move || wrong().then(|| described.clone())
            />
        </label>
        <p id=about class="problem" role="alert">{problem}</p>
    }
}

/// One option of a select box.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The value that is passed to the callback if this option is picked.
    pub value: String,
    /// The text shown to the user.
    pub text: String,
    /// True for the option that is selected initially.
    pub chosen: bool,
}

/// Returns a select box that is hidden while it has fewer than two options. `name` is for tests.
/// Calls `pick` with the value of the option that the user picks.
pub fn choice(
    label: &'static str,
    name: &'static str,
    of: impl Fn() -> Vec<Choice> + Send + Sync + 'static,
    pick: impl Fn(String) + Send + Sync + 'static,
) -> AnyView {
    shown(label, name, Arc::new(of), Callback::new(pick))
}

type Choices = Arc<dyn Fn() -> Vec<Choice> + Send + Sync>;

fn shown(label: &'static str, name: &'static str, of: Choices, pick: Callback<String>) -> AnyView {
    let option = |one: Choice| {
        view! { <option value=one.value selected=one.chosen>{one.text}</option> }
    };
    let all = Arc::clone(&of);
    let options = move || all().into_iter().map(option).collect_view();
    view! {
        <label class="field" hidden=move || of().len() < 2>
            <span>{label}</span>
            <select
                class="select"
                data-testid=name
                on:change=move |event| pick.run(event_target_value(&event))
            >
                {options}
            </select>
        </label>
    }
    .into_any()
}

/// Returns the field's current text without surrounding white space, or `None` if it is empty.
#[must_use]
pub fn typed(node: NodeRef<html::Input>) -> Option<String> {
    let text = node.get_untracked().map(|field| field.value()).unwrap_or_default();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
