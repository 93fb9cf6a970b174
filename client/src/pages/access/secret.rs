//! The secret of a token that was made, which is shown once.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::TokenCreated;

use super::scope::TokenScope;
use crate::bindings::{clipboard, page};
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Shelf};

/// Shows the secret of a new token, and an address that opens Moorline with it.
#[component]
pub fn Secret(
    /// The token.
    made: TokenCreated,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let address = address(&made);
    let link = address.map(|address| {
        view! {
            <CopyLine label="Address that logs a browser in with it" name="token-link" value=address />
        }
    });
    view! {
        <div class="token-form">
            <p>"Copy it now: it is not shown again. Send it only to whom it is for."</p>
            <CopyLine label="Token" name="token-secret" value=made.token />
            {link}
            <div class="actions">
                <button class="button primary" data-testid="done" on:click=move |_| close.run(())>
                    "Done"
                </button>
            </div>
        </div>
    }
}

/// Returns the address for the token's holder; `None` for a host's, which no browser uses.
fn address(made: &TokenCreated) -> Option<String> {
    let overview = OverviewState::expect();
    let list = PageRoute::Sessions { shelf: Shelf::All };
    let route = match TokenScope::read(&made.summary.scope)? {
        TokenScope::Host => return None,
        TokenScope::Admin | TokenScope::Project(..) => list,
        TokenScope::Session(id, _) => match untrack(|| overview.session(&id)) {
            Some(session) => PageRoute::of_session(&session),
            None => PageRoute::Session(id),
        },
    };
    Some(format!("{}{}#token={}", page::origin(), route.address(), made.token))
}

/// A text that can be copied. Where a page has no clipboard, as over plain HTTP, the text is selected.
#[component]
fn CopyLine(label: &'static str, name: &'static str, value: String) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let said = RwSignal::new("Copy");
    let text = value.clone();
    let copy = move |_| {
        let text = text.clone();
        spawn_local(async move {
            let is_copied = clipboard::write(&text).await;
            if let (false, Some(field)) = (is_copied, field.try_get_untracked().flatten()) {
                page::focus(&field);
                field.select();
            }
            let _ = said.try_set(if is_copied { "Copied" } else { "Selected" });
        });
    };
    view! {
        <div class="copy-line">
            <label class="field">
                <span>{label}</span>
                <input
                    node_ref=field
                    class="mono"
                    readonly
                    data-testid=name
                    value=value
                    on:focus=move |_| {
                        if let Some(field) = field.get_untracked() {
                            field.select();
                        }
                    }
                />
            </label>
            <button
                class="button"
                data-testid=format!("copy-{name}")
                aria-label=move || format!("{}: {label}", said.get())
                on:click=copy
            >
                {said}
            </button>
        </div>
    }
}
