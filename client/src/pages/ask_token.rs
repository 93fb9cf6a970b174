//! Asks for a token.

use leptos::html;
use leptos::prelude::*;

use crate::access::{Access, token_in};
use crate::api::{self, ApiError, Request};
use crate::bindings::page;
use crate::components::field::typed;
use crate::components::{Field, Mark};

/// Asks for a token, says where to find one, and goes on once the relay accepts it.
#[component]
pub fn AskToken() -> impl IntoView {
    let access = Access::expect();
    let field = NodeRef::<html::Input>::new();
    let (problem, set_problem) = signal(None::<String>);
    let (busy, set_busy) = signal(false);
    page::set_title("Token");
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let pasted = typed(field).unwrap_or_default();
        let Some(token) = token_in(&pasted) else {
            set_problem.set(Some("That is no token. Paste the whole line.".to_owned()));
            return;
        };
        set_busy.set(true);
        let request = Request::get("/api/sessions?limit=1".to_owned());
        api::ask_as(Some(token.clone()), request, move |answer| {
            set_busy.set(false);
            match answer {
                // A token of one session may not list them all, and is good all the same.
                Ok(_) | Err(ApiError::Refused(_) | ApiError::Missing(_)) => access.accept(token),
                Err(error) => set_problem.set(Some(error.to_string())),
            }
        });
    };
    view! {
        <main class="lone" data-testid="ask-token">
            <form class="card" on:submit=submit>
                <Mark />
                <h1>"Open Moorline"</h1>
                <p>"This relay needs a token. On the machine that runs it, type"</p>
                <pre class="command">"moorline token"</pre>
                <p>"and open the address that it prints, or paste it here."</p>
                <Field label="Token or address" name="token" node=field secret=true first=true problem />
                <button class="button primary wide" disabled=busy>
                    {move || if busy.get() { "Asking…" } else { "Continue" }}
                </button>
            </form>
        </main>
    }
}
