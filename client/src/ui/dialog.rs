//! A modal dialog over the page.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::dialog;
use crate::ui::When;
use crate::ui::when::effect;

/// A modal dialog that is shown while `open` is true. Escape closes it.
#[component]
pub fn Dialog(
    /// True while the dialog is shown.
    open: RwSignal<bool>,
    /// Heading of the dialog.
    #[prop(into)]
    title: Signal<String>,
    /// Name for tests, and the prefix of the heading's id.
    name: &'static str,
    /// Content of the dialog.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    effect(move || {
        let wanted = open.get();
        let Some(element) = node.get() else { return };
        if wanted {
            // By then the content is in the page, and its first control can take the focus.
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
