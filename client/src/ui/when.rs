//! Parts of Leptos that are compiled for each use, wrapped so that they are compiled once. On pages
//! of many small parts this makes the download noticeably smaller.

use std::sync::Arc;

use leptos::prelude::*;

/// Shows its children while `condition` is true, like Leptos' `Show`.
#[component]
pub fn When(
    /// Tracked; the children are rebuilt only when the result changes.
    condition: impl Fn() -> bool + Send + Sync + 'static,
    /// Content to show while it is true.
    children: ChildrenFn,
) -> AnyView {
    shown(Signal::derive(condition), children)
}

fn shown(condition: Signal<bool>, children: ChildrenFn) -> AnyView {
    let condition = Memo::new(move |_| condition.get());
    (move || if condition.get() { children() } else { ().into_any() }).into_any()
}

/// Renders what `view` returns, and again whenever a signal that it read changes.
pub fn live(view: impl Fn() -> AnyView + Send + Sync + 'static) -> AnyView {
    made(Box::new(view))
}

fn made(view: Box<dyn Fn() -> AnyView + Send + Sync>) -> AnyView {
    (move || view()).into_any()
}

/// Renders one view per key, like Leptos' `For`. A view stays while its key does, and moves with
/// it.
pub fn each(
    keys: impl Fn() -> Vec<String> + Send + Sync + 'static,
    view: impl Fn(&str) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    rows(Box::new(keys), Arc::new(view))
}

type TrackedKeys = Box<dyn Fn() -> Vec<String> + Send + Sync>;

fn rows(keys: TrackedKeys, view: Arc<dyn Fn(&str) -> AnyView + Send + Sync>) -> AnyView {
    let children = move |key: String| view(&key);
    view! { <For each=move || keys() key=|key| key.clone() children /> }.into_any()
}

/// Runs `f` once, and again whenever a signal that it read changes, like Leptos' `Effect`.
pub fn effect(f: impl Fn() + 'static) {
    run(Box::new(f));
}

fn run(f: Box<dyn Fn()>) {
    Effect::new(move |_| f());
}
