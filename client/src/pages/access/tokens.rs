//! The list of tokens.

use leptos::prelude::*;
use moorline_shared::rest::TokenSummary;

use super::state::{AccessState, TokenDialog, title};
use crate::bindings::clock;
use crate::ui::when::{each, live};
use crate::ui::{Icon, IconName, When};

/// Lists the tokens, newest first, with ways to make, change and revoke them.
#[component]
pub fn TokenSection() -> impl IntoView {
    let state = AccessState::expect();
    let expired = Memo::new(move |_| state.expired());
    // Those that have expired come last.
    let ids = move || {
        let (over, mut ids): (Vec<String>, Vec<String>) = state.tokens.with(|tokens| {
            let all = tokens.iter().flatten().map(|token| token.id.clone());
            expired.with(|expired| all.partition(|id| expired.contains(id)))
        });
        ids.extend(over);
        ids
    };
    let remove = move || match expired.with(Vec::len) {
        1 => "Remove the expired token".to_owned(),
        count => format!("Remove {count} expired tokens"),
    };
    let is_empty = move || state.tokens.with(|tokens| tokens.as_ref().is_some_and(Vec::is_empty));
    let is_unstored =
        move || state.status.with(|it| it.as_ref().is_some_and(|it| it.token_id.is_none()));
    view! {
        <section aria-labelledby="tokens-title">
            <div class="access-head">
                <h2 id="tokens-title">"Tokens"</h2>
                <button
                    class="button primary"
                    data-testid="new-token"
                    on:click=move |_| state.dialog.set(Some(TokenDialog::Create))
                >
                    <Icon name=IconName::Plus />
                    <span>"New token"</span>
                </button>
            </div>
            <p class="access-hint">
                "Whoever has a token gets in, as far as its scope allows. The relay keeps no secrets: each is shown once, when the token is made."
            </p>
            <p class="access-note" role="status" data-testid="access-note">{move || state.note.get()}</p>
            <When condition=is_unstored>
                <p class="access-hint" data-testid="unstored">
                    "This browser uses the relay's own token, which is set where the relay is started. It is not in this list."
                </p>
            </When>
            <When condition=is_empty>
                <p class="access-empty">"There are no tokens yet."</p>
            </When>
            <ul class="access-list" aria-labelledby="tokens-title" data-testid="tokens">
                {each(ids, move |id| row(state, id.to_owned()))}
            </ul>
            <When condition=move || expired.with(|expired| !expired.is_empty())>
                <button
                    class="button wide"
                    data-testid="remove-expired"
                    on:click=move |_| state.remove_expired()
                >
                    {remove}
                </button>
            </When>
        </section>
    }
}

fn row(state: AccessState, id: String) -> AnyView {
    let token = {
        let id = id.clone();
        Memo::new(move |_| state.token(&id))
    };
    let name = move || token.with(|token| token.as_ref().map(title).unwrap_or_default());
    let open = move |dialog: fn(TokenSummary) -> TokenDialog| {
        state.dialog.set(token.get_untracked().map(dialog));
    };
    view! {
        <li class="access-row" data-testid="token-row" data-token=id>
            <div class="access-about">
                {live(move || token.get().map(|token| about(state, &token)).into_any())}
            </div>
            <div class="access-actions">
                <button
                    class="button"
                    data-testid="change-token"
                    aria-label=move || format!("Change {}", name())
                    on:click=move |_| open(TokenDialog::Change)
                >
                    "Change…"
                </button>
                <button
                    class="button quiet bad"
                    data-testid="revoke-token"
                    aria-label=move || format!("Revoke {}", name())
                    on:click=move |_| open(TokenDialog::Revoke)
                >
                    "Revoke…"
                </button>
            </div>
        </li>
    }
    .into_any()
}

fn about(state: AccessState, token: &TokenSummary) -> AnyView {
    let expiry = token.expires_at.as_deref().and_then(|at| state.distance(at));
    let is_expired = expiry.as_ref().is_some_and(|(_, is_over)| *is_over);
    let browser = match state.is_own(&token.id) {
        true => Some("this browser"),
        false => token.for_browser.then_some("a browser"),
    };
    let browser = browser.map(|words| {
        let title = "It was made for a browser, and ends when that one logs out.";
        let title = token.for_browser.then_some(title);
        view! { <span class="access-tag" title=title>{words}</span> }
    });
    let over = is_expired.then(|| view! { <span class="access-tag bad">"expired"</span> });
    let since = |at: &str, verb: &str| since(state, at, verb);
    let until = match (&token.expires_at, expiry) {
        (Some(at), Some((distance, false))) => time(at, format!("expires in {distance}")),
        (Some(at), Some((_, true))) => since(at, "expired"),
        _ => "valid until it is revoked".into_any(),
    };
    let used = match &token.last_used {
        Some(at) => since(at, "used"),
        None => "never used".into_any(),
    };
    view! {
        <p class="access-name">
            <bdi>{title(token)}</bdi>
            {browser}
            {over}
        </p>
        <p class="access-scope">
            <bdi>{state.words(&token.scope)}</bdi>
        </p>
        <p class="access-times">
            <span>{since(&token.created_at, "made")}</span>
            <span>{used}</span>
            <span>{until}</span>
        </p>
    }
    .into_any()
}

/// Shows how long ago something was done.
pub(super) fn since(state: AccessState, at: &str, verb: &str) -> AnyView {
    let text = match state.distance(at) {
        Some((distance, _)) if distance == "now" => format!("{verb} just now"),
        Some((distance, _)) => format!("{verb} {distance} ago"),
        None => verb.to_owned(),
    };
    time(at, text)
}

/// Shows a time in words, and exactly under the pointer.
fn time(at: &str, text: String) -> AnyView {
    let exact = clock::parse_rfc3339(at).map(clock::local_date_time);
    view! { <time datetime=at.to_owned() title=exact>{text}</time> }.into_any()
}
