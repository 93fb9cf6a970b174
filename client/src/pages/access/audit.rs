//! The list of what was done with tokens.

use leptos::prelude::*;
use moorline_shared::rest::{AuditEvent, AuditKind};

use super::state::AccessState;
use crate::bindings::clock;
use crate::session::overview::OverviewState;
use crate::session::route::PageRoute;
use crate::session::words;
use crate::ui::When;
use crate::ui::field::{Choice, choice};
use crate::ui::when::each;

/// The kinds that can be chosen: the kinds for the relay, and their name.
const FILTERS: [(&str, &str); 7] = [
    ("", "All events"),
    ("shared,changed,revoked", "Tokens"),
    ("logged-in,logged-out", "Log-ins and log-outs"),
    ("passkey-added,passkey-removed", "Passkeys"),
    ("denied,cut", "Refusals and cut connections"),
    ("connected,resumed", "Connections"),
    ("decided", "Decisions"),
];

/// Lists the events, with a choice of kinds.
#[component]
pub fn AuditSection() -> impl IntoView {
    let state = AccessState::expect();
    let audit = state.audit;
    let overview = OverviewState::expect();
    let kinds = move || {
        let of = |(value, text): &(&str, &str)| Choice {
            value: (*value).to_owned(),
            text: (*text).to_owned(),
            chosen: audit.kinds.with(|kinds| kinds == value),
        };
        FILTERS.iter().map(of).collect()
    };
    let ids = move || {
        audit.events.with(|events| events.iter().flatten().map(|it| it.id.to_string()).collect())
    };
    let is_empty = move || audit.events.with(|events| events.as_ref().is_some_and(Vec::is_empty));
    view! {
        <section aria-labelledby="audit-title" aria-busy=move || audit.busy.get().to_string()>
            <div class="access-head">
                <h2 id="audit-title">"Audit"</h2>
                {choice("Show", "audit-kinds", kinds, move |kinds| audit.choose(kinds))}
            </div>
            <p class="problem" role="alert">{move || audit.problem.get()}</p>
            <When condition=is_empty>
                <p class="access-empty" data-testid="no-events">"Nothing of this kind has happened yet."</p>
            </When>
            <ul class="audit-list" aria-labelledby="audit-title" data-testid="audit">
                {each(ids, move |id| audit.event(id).map(|event| row(state, overview, &event)).into_any())}
            </ul>
            <When condition=move || audit.next.with(Option::is_some)>
                <button
                    class="button wide audit-more"
                    data-testid="older-events"
                    disabled=audit.busy
                    on:click=move |_| audit.load_older()
                >
                    "Load older events"
                </button>
            </When>
        </section>
    }
}

fn row(state: AccessState, overview: OverviewState, event: &AuditEvent) -> AnyView {
    let (kind, tone) = kind(event.kind);
    let at = clock::parse_rfc3339(&event.at).map(clock::local_date_time);
    let who =
        if event.who.is_empty() { "nobody known".to_owned() } else { words::plain(&event.who) };
    let session = event.session_id.clone().map(|id| {
        let address = PageRoute::Session(id.clone()).address();
        let name = {
            let id = id.clone();
            move || overview.session(&id).map_or_else(|| id.to_string(), |it| words::name(&it))
        };
        view! {
            <a href=address>
                <bdi>{name}</bdi>
            </a>
        }
    });
    let detail = event.detail.clone().map(|detail| {
        let text = move || told(state, &detail);
        view! { <bdi class="audit-detail">{text}</bdi> }
    });
    view! {
        <li class="audit-row" data-testid="audit-row" data-kind=event.kind.as_str()>
            <time class="audit-time" datetime=event.at.clone()>{at}</time>
            <span class="audit-kind" data-tone=tone>{kind}</span>
            <bdi class="audit-who" class:faint=event.who.is_empty()>{who}</bdi>
            <span class="audit-about">{session} {detail}</span>
            <span class="audit-address">{event.address.clone()}</span>
        </li>
    }
    .into_any()
}

/// Returns the details of an event in words: what a route is for, and a token's label and scope.
fn told(state: AccessState, detail: &str) -> String {
    let text = match detail {
        "/api/events" => "list of sessions",
        "/api/session/{id}/events" => "events",
        "/sessions/{id}/stream" | "/api/terminal/ws/{id}" => "terminal or conversation",
        "/sessions/{id}/publish" => "session of a host",
        "/hosts/{id}/control" => "host",
        "/acp" => "editor",
        _ => match token_of(detail) {
            Some((token, scope)) => {
                return words::plain(&format!("{token}: {}", state.words(scope)));
            }
            None => detail,
        },
    };
    words::plain(text)
}

/// Splits `token <id> “<label>”: <scope>` into the label, or else the id, and the scope.
fn token_of(detail: &str) -> Option<(&str, &str)> {
    let (token, scope) = detail.strip_prefix("token ")?.rsplit_once(": ")?;
    Some((token.split_once(' ').map_or(token, |(_, label)| label), scope))
}

/// Returns the name and the tone of a kind of event.
const fn kind(kind: AuditKind) -> (&'static str, &'static str) {
    match kind {
        AuditKind::Connected => ("Connected", "plain"),
        AuditKind::Resumed => ("Continued", "plain"),
        AuditKind::Denied => ("Refused", "bad"),
        AuditKind::Cut => ("Cut off", "bad"),
        AuditKind::Shared => ("Token made", "away"),
        AuditKind::Changed => ("Token changed", "away"),
        AuditKind::Revoked => ("Token revoked", "away"),
        AuditKind::LoggedIn => ("Logged in", "good"),
        AuditKind::LoggedOut => ("Logged out", "good"),
        AuditKind::Decided => ("Decided", "plain"),
        AuditKind::PasskeyAdded => ("Passkey added", "away"),
        AuditKind::PasskeyRemoved => ("Passkey removed", "away"),
        AuditKind::Unknown => ("Something else", "plain"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn tokens_are_told_by_their_labels() {
        let labelled = "token 1a37 “old laptop: mine”: session:abcdefgh:read";
        assert_eq!(token_of(labelled), Some(("“old laptop: mine”", "session:abcdefgh:read")));
        assert_eq!(token_of("token 1a37: admin"), Some(("1a37", "admin")));
        assert_eq!(token_of("everywhere"), None);
    }
}
