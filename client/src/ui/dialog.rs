//! A modal dialog.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::dialog;
use crate::ui::When;
use crate::ui::when::effect;

/// A dialog over the page while `open` holds; Escape closes it.
#[component]
pub fn Dialog(
    /// Whether it is shown.
    open: RwSignal<bool>,
    /// Its heading.
    #[prop(into)]
    title: Signal<String>,
    /// For tests.
    name: &'static str,
    /// Its content.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    effect(move || {
        let wanted = open.get();
        let Some(element) = node.get() else { return };
        if wanted {
            // By then the content is there, and its first control can take the focus.
            request_animation_frame(move || {
                if open.try_get_untracked() == Some(true) {
                    dialog::show(&element);
                }
            });
        } else {
            dialog::close(&element);
        }
    });
    let heading = StoredValue::new(format!("{name}-heading"));
    view! {
        <dialog
            node_ref=node
            class="dialog"
            data-testid=name
            aria-labelledby=heading.get_value()
            on:close=move |_| open.set(false)
        >
            <When condition=move || open.get()>
                <h2 id=heading.get_value()>{title}</h2>
                {children()}
            </When>
        </dialog>
    }
}
