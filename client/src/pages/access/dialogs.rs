//! The dialogs about tokens.

use leptos::prelude::*;
use moorline_shared::rest::TokenSummary;

use super::form::TokenForm;
use super::secret::Secret;
use super::state::{AccessState, TokenDialog, title};
use crate::ui::When;
use crate::ui::dialog::{Dialog, shown_while};
use crate::ui::when::live;

/// Shows the dialog that the page asks for.
#[component]
pub fn TokenDialogs() -> impl IntoView {
    let state = AccessState::expect();
    let open =
        shown_while(move || state.dialog.with(Option::is_some), move || state.dialog.set(None));
    let close = Callback::new(move |()| open.set(false));
    let heading = move || {
        state.dialog.with(|dialog| match dialog {
            Some(TokenDialog::Create) => "New token".to_owned(),
            Some(TokenDialog::Secret(_)) => "The new token".to_owned(),
            Some(TokenDialog::Change(token)) => format!("Change {}", title(token)),
            Some(TokenDialog::Revoke(token)) => format!("Revoke {}?", title(token)),
            None => String::new(),
        })
    };
    view! {
        <Dialog open title=Signal::derive(heading) name="token-dialog">
            {live(move || match state.dialog.get() {
                Some(TokenDialog::Create) => view! { <TokenForm close /> }.into_any(),
                Some(TokenDialog::Secret(made)) => view! { <Secret made close /> }.into_any(),
                Some(TokenDialog::Change(token)) => view! { <TokenForm token close /> }.into_any(),
                Some(TokenDialog::Revoke(token)) => view! { <Revoke token close /> }.into_any(),
                None => ().into_any(),
            })}
        </Dialog>
    }
}

/// Asks for confirmation before a token is revoked.
#[component]
fn Revoke(token: TokenSummary, close: Callback<()>) -> impl IntoView {
    let state = AccessState::expect();
    let is_own = untrack(|| state.is_own(&token.id));
    let agreed = move |_| {
        state.revoke(&token);
        close.run(());
    };
    view! {
        <p>
            "Its holder loses access at once: terminals, conversations and every other connection that it has opened are closed. This cannot be undone."
        </p>
        <When condition=move || is_own>
            <p class="access-warning">"This browser uses it. You will have to log in with another token."</p>
        </When>
        <div class="actions">
            <button class="button" on:click=move |_| close.run(())>"Keep"</button>
            <button class="button danger" data-testid="confirm-revoke" on:click=agreed>
                "Revoke"
            </button>
        </div>
    }
}
