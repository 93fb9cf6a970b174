//! The page that lets in a browser without access.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::{page, passkey};
use crate::session::access::{NoAccess, PageAccess, token_in};
use crate::session::api::RequestError;
use crate::session::code;
use crate::session::{login, passkeys};
use crate::ui::field::typed;
use crate::ui::{Field, Mark};

/// Asks for an address or a token, says where to find one, and continues once the relay accepts it.
/// Says first why there is no access any more, if there was some.
#[component]
pub fn LogInPage() -> impl IntoView {
    let access = PageAccess::expect();
    let field = NodeRef::<html::Input>::new();
    let reason = access.end_reason();
    let (problem, set_problem) = signal(refusal(reason).map(str::to_owned));
    let (busy, set_busy) = signal(false);
    page::set_title("Log in");
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
        let then = move |result: Result<(), RequestError>| {
            let _ = set_busy.try_set(false);
            if let Err(error) = result {
                let _ = set_problem.try_set(Some(error.to_string()));
            }
        };
        login::log_in(access, token, Box::new(then));
    };
    let by_passkey = move |_| {
        set_busy.set(true);
        let then = move |result: Result<(), String>| {
            let _ = set_busy.try_set(false);
            let _ = set_problem.try_set(result.err());
        };
        passkeys::log_in(access, Box::new(then));
    };
    let other_way = passkey::is_offered().then(|| {
        view! {
            <button
                type="button"
                class="button wide"
                data-testid="use-passkey"
                disabled=busy
                on:click=by_passkey
            >
                "Use a passkey"
            </button>
        }
    });
    view! {
        <main class="lone" data-testid="log-in">
            <form class="card" on:submit=submit>
                <Mark />
                <h1>"Log in to Moorline"</h1>
                <p role="status" data-testid="log-in-reason">{sentence(reason)}</p>
                <p>"On the machine that runs the relay, run"</p>
                <pre class="command">"moorline open"</pre>
                <p>"and open the address that it prints, or paste it here. Its code works once."</p>
                <Field label="Address or token" name="token" node=field secret=true first=true problem />
                <button class="button primary wide" data-testid="submit-token" disabled=busy>
                    {move || if busy.get() { "Logging in…" } else { "Log in" }}
                </button>
                {other_way}
            </form>
        </main>
    }
}

/// Says why the browser has no access.
const fn sentence(reason: NoAccess) -> &'static str {
    match reason {
        NoAccess::LoggedOut => "You are logged out of this browser.",
        NoAccess::LoggedOutEverywhere => {
            "You are logged out of this browser and of every other one that had logged in with the \
             same token."
        }
        NoAccess::Ended => {
            "This browser's access has ended: its token has expired or was revoked, or you have \
             logged out elsewhere."
        }
        NoAccess::NeverHad | NoAccess::CodeRefused | NoAccess::TokenRefused => {
            "This browser has no access yet."
        }
    }
}

/// Says what was wrong with what the browser has been opened with.
const fn refusal(reason: NoAccess) -> Option<&'static str> {
    match reason {
        NoAccess::CodeRefused => {
            Some("This code was already used or is too old. Run `moorline open` again.")
        }
        NoAccess::TokenRefused => Some(
            "The relay does not accept the token in the address. It may have expired, or it was \
             revoked.",
        ),
        _ => None,
    }
}
