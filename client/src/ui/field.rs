//! A labelled line of text, and a labelled choice.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;

use crate::bindings::page;
use crate::ui::when::effect;

/// A line of text to type, with its label and what is wrong with it. Nothing corrects or completes
/// what is typed.
#[component]
pub fn Field(
    /// What is asked for.
    label: &'static str,
    /// For tests, and what its parts are called by.
    name: &'static str,
    /// The field itself, to read it.
    node: NodeRef<html::Input>,
    /// What is in it at first.
    #[prop(optional, into)]
    value: String,
    /// What it means to leave it empty.
    #[prop(optional)]
    placeholder: &'static str,
    /// What cannot be taken, and why.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// It holds code, a path or the like.
    #[prop(optional)]
    mono: bool,
    /// What is typed stays hidden.
    #[prop(optional)]
    secret: bool,
    /// It has the focus at first.
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

/// One of several to choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What is told of it where it is picked.
    pub value: String,
    /// For people.
    pub text: String,
    /// It is the one at first.
    pub chosen: bool,
}

/// A choice, shown where there is one. `name` is for tests.
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

/// What is in the field now, without space around it; `None` where that is nothing.
#[must_use]
pub fn typed(node: NodeRef<html::Input>) -> Option<String> {
    let text = node.get_untracked().map(|field| field.value()).unwrap_or_default();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
