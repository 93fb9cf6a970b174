//! The page that lets in a browser without access.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::storage::{self, Area};
use crate::bindings::{page, passkey};
use crate::session::access::PageAccess;
use crate::session::api::RequestError;
use crate::session::code;
use crate::session::no_access::NoAccess;
use crate::session::pasted::{Pasted, pasted};
use crate::session::{login, passkeys};
use crate::ui::field::typed;
use crate::ui::{Field, Mark};

/// Asks for an address or a token, says where to find one, and continues once the relay accepts it.
/// Says first why there is no access any more, if there was some.
#[component]
pub fn LogInPage() -> impl IntoView {
    let access = PageAccess::expect();
    let field = NodeRef::<html::Input>::new();
    let reason = Memo::new(move |_| access.end_reason());
    let (problem, set_problem) = signal(refusal(reason.get_untracked()).map(str::to_owned));
    let (busy, set_busy) = signal(false);
    page::set_title("Log in");
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let text = typed(field).unwrap_or_default();
        if let Some(code) = code::code_in(&text, &page::origin()) {
            return code::exchange(access, &code);
        }
        let token = match pasted(&text, &page::origin()) {
            Pasted::Token(token) => token,
            Pasted::Elsewhere(origin) => {
                return set_problem.set(Some(format!(
                    "This address is of another relay, {origin}. Open it there. If that is this relay \
                     under another name, paste only the token, which follows “token=”."
                )));
            }
            Pasted::Nothing => {
                let problem = "This is not an address or a token. Paste the whole line.";
                return set_problem.set(Some(problem.to_owned()));
            }
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
    let storage_note = (!storage::is_allowed(Area::Browser)).then(|| {
        view! {
            <p data-testid="log-in-storage">
                "This browser blocks cookies and storage for this site. So it stays logged in only in this tab. Allow cookies for this site to stay logged in."
            </p>
        }
    });
    view! {
        <main class="lone" data-testid="log-in">
            <form class="card" on:submit=submit>
                <Mark />
                <h1>"Log in to Moorline"</h1>
                <p role="status" data-testid="log-in-reason">{move || sentence(reason.get())}</p>
                {storage_note}
                <p>"On the machine that runs the relay, run"</p>
                <pre class="command">"moorline open"</pre>
                <p>
                    "and open the address that it prints, or paste it here. Its code works once. If the relay was started with "
                    <code>"--data-dir"</code> ", add the same to the command."
                </p>
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
        NoAccess::LoggedOut { revoked: true } => {
            "You are logged out of this browser. The token that it had is revoked."
        }
        NoAccess::LoggedOut { revoked: false } => {
            "You are logged out of this browser. The token that it had logged in with is still valid \
             for whoever has it."
        }
        NoAccess::LoggedOutEverywhere { revoked: true } => {
            "You are logged out of this browser and of every other one of yours. The tokens that they \
             had for themselves are revoked."
        }
        NoAccess::LoggedOutEverywhere { revoked: false } => {
            "You are logged out of this browser and of every other one that had logged in with the \
             same token. The token itself is still valid for whoever has it."
        }
        NoAccess::NotAllowed => {
            "This browser's token is valid, but does not allow this page. Log in with another one, or \
             go back."
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
