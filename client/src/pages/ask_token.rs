//! The page that lets in a browser without a token.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::page;
use crate::session::access::{PageAccess, token_in};
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::code;
use crate::ui::field::typed;
use crate::ui::{Field, Mark};

/// Asks for an address or a token, says where to find one, and continues once the relay accepts it.
#[component]
pub fn AskToken() -> impl IntoView {
    let access = PageAccess::expect();
    let field = NodeRef::<html::Input>::new();
    let refused = "This code was already used or is too old. Run `moorline open` again.";
    let refused = untrack(|| access.is_code_refused()).then(|| refused.to_owned());
    let (problem, set_problem) = signal(refused);
    let (busy, set_busy) = signal(false);
    page::set_title("Open");
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let pasted = typed(field).unwrap_or_default();
        if let Some(code) = code::code_in(&pasted) {
            return code::exchange(access, &code);
        }
        let Some(token) = token_in(&pasted) else {
            set_problem
                .set(Some("This is not an address or a token. Paste the whole line.".to_owned()));
            return;
        };
        set_busy.set(true);
        let request = ApiRequest::get("/api/sessions?limit=1".to_owned());
        api::ask_as(Some(token.clone()), request, move |answer| {
            set_busy.set(false);
            match answer {
                // A token of one session may not list all sessions, but is valid all the same.
                Ok(_) | Err(RequestError::Refused(_) | RequestError::Missing(_)) => {
                    access.accept(token)
                }
                Err(error) => set_problem.set(Some(error.to_string())),
            }
        });
    };
    view! {
        <main class="lone" data-testid="ask-token">
            <form class="card" on:submit=submit>
                <Mark />
                <h1>"Open Moorline"</h1>
                <p>"This browser has no access yet. On the machine that runs the relay, run"</p>
                <pre class="command">"moorline open"</pre>
                <p>"and open the address that it prints, or paste it here. Its code works once."</p>
                <Field label="Address or token" name="token" node=field secret=true first=true problem />
                <button class="button primary wide" disabled=busy>
                    {move || if busy.get() { "Asking…" } else { "Continue" }}
                </button>
            </form>
        </main>
    }
}
