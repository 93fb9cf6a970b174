//! A modal dialog over the page.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::dialog;
use crate::ui::When;
use crate::ui::when::effect;

/// Returns a signal for a [`Dialog`] that is shown while `is_wanted` returns true. Calls `closed` when the
/// dialog has closed, for which the user may have pressed Escape.
pub fn shown_while(
    is_wanted: impl Fn() -> bool + 'static,
    closed: impl Fn() + 'static,
) -> RwSignal<bool> {
    show_while(Box::new(is_wanted), Box::new(closed))
}

fn show_while(is_wanted: Box<dyn Fn() -> bool>, closed: Box<dyn Fn()>) -> RwSignal<bool> {
    let open = RwSignal::new(false);
    effect(move || open.set(is_wanted()));
    Effect::new(move |was: Option<bool>| {
        let is = open.get();
        if was == Some(true) && !is {
            closed();
        }
        is
    });
    open
}

/// The buttons under a form in a dialog: one that closes it, and one that submits the form.
#[component]
pub fn FormButtons(
    /// Called by the button that closes the dialog.
    close: Callback<()>,
    /// The label of the button that submits, in the imperative.
    verb: &'static str,
    /// The name of that button for tests.
    name: &'static str,
) -> impl IntoView {
    view! {
        <div class="actions">
            <button type="button" class="button" on:click=move |_| close.run(())>"Cancel"</button>
            <button class="button primary" data-testid=name>{verb}</button>
        </div>
    }
}

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
