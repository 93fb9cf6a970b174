//! Parts of Leptos that are compiled for each of their uses, in a form that is compiled once. On
//! pages of many small parts that makes the download noticeably smaller.

use leptos::prelude::*;

/// Shows its children while `condition` holds, as Leptos' `Show`.
#[component]
pub fn When(
    /// Tracked; the children are built anew only when the answer changes.
    condition: impl Fn() -> bool + Send + Sync + 'static,
    /// What is shown.
    children: ChildrenFn,
) -> AnyView {
    shown(Signal::derive(condition), children)
}

fn shown(condition: Signal<bool>, children: ChildrenFn) -> AnyView {
    let condition = Memo::new(move |_| condition.get());
    (move || if condition.get() { children() } else { ().into_any() }).into_any()
}

/// Runs `f` now and whenever something that it read has changed, as Leptos' `Effect`.
pub fn effect(f: impl Fn() + 'static) {
    run(Box::new(f));
}

fn run(f: Box<dyn Fn()>) {
    Effect::new(move |_| f());
}
