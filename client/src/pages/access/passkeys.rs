//! The list of passkeys.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::rest::{Done, PasskeyList, PasskeySummary, TokenSummary};

use super::state::AccessState;
use super::tokens::since;
use crate::bindings::{page, passkey};
use crate::session::api::ApiRequest;
use crate::session::{passkeys, words};
use crate::ui::field::typed;
use crate::ui::when::{each, effect, live};
use crate::ui::{Field, Icon, IconName, When};

/// Lists the passkeys that the browser's token may see, with ways to add and remove them.
#[component]
pub fn PasskeySection() -> impl IntoView {
    let state = AccessState::expect();
    let list = RwSignal::new(None::<Vec<PasskeySummary>>);
    let note = RwSignal::new(None::<String>);
    // Loaded again with everything else.
    effect(move || {
        state.status.track();
        load(state, list);
    });
    let ids = move || list.with(|list| list.iter().flatten().map(|it| it.id.clone()).collect());
    let is_empty = move || list.with(|list| list.as_ref().is_some_and(Vec::is_empty));
    let form = if passkey::is_offered() {
        view! { <PasskeyForm list note /> }.into_any()
    } else {
        view! {
            <p class="access-hint" data-testid="no-passkeys">
                "Passkeys can be added where this page is opened over HTTPS and by a name, in a browser that has them."
            </p>
        }
        .into_any()
    };
    view! {
        <section aria-labelledby="passkeys-title">
            <div class="access-head">
                <h2 id="passkeys-title">"Passkeys"</h2>
            </div>
            <p class="access-hint">
                "A passkey logs in by a fingerprint, a PIN or the like, and stands for the token that it was added with: it ends with that token."
            </p>
            {form}
            <p class="access-note" role="status" data-testid="passkey-note">{move || note.get()}</p>
            <When condition=is_empty>
                <p class="access-empty" data-testid="passkeys-empty">"There are no passkeys yet."</p>
            </When>
            <ul class="access-list" aria-labelledby="passkeys-title" data-testid="passkeys">
                {each(ids, move |id| row(state, list, note, id.to_owned()))}
            </ul>
        </section>
    }
}

/// Asks for a name, and adds a passkey for this browser's token.
#[component]
fn PasskeyForm(
    list: RwSignal<Option<Vec<PasskeySummary>>>,
    note: RwSignal<Option<String>>,
) -> impl IntoView {
    let state = AccessState::expect();
    let field = NodeRef::<html::Input>::new();
    let (problem, set_problem) = signal(None::<String>);
    let (busy, set_busy) = signal(false);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        set_busy.set(true);
        set_problem.set(None);
        note.set(None);
        let then = move |added: Result<_, String>| {
            let _ = set_busy.try_set(false);
            match added {
                Ok(_) => {
                    let _ = note.try_set(Some("The passkey is added.".to_owned()));
                    load(state, list);
                    state.reload_lists();
                }
                Err(reason) => drop(set_problem.try_set(Some(reason))),
            }
        };
        let label = typed(field).filter(|label| !label.is_empty());
        passkeys::add(state.page_access(), label, Box::new(then));
    };
    view! {
        <form class="passkey-form" on:submit=submit>
            <Field
                label="Name of a new passkey"
                name="passkey-label"
                node=field
                placeholder="such as “phone”"
                problem
            />
            <button class="button" data-testid="add-passkey" disabled=busy>
                <Icon name=IconName::Plus />
                <span>"Add a passkey"</span>
            </button>
        </form>
    }
}

fn load(state: AccessState, list: RwSignal<Option<Vec<PasskeySummary>>>) {
    state.ask(ApiRequest::get("/api/passkeys".to_owned()), move |answer: PasskeyList| {
        let _ = list.try_set(Some(answer.passkeys));
    });
}

fn row(
    state: AccessState,
    list: RwSignal<Option<Vec<PasskeySummary>>>,
    note: RwSignal<Option<String>>,
    id: String,
) -> AnyView {
    let passkey = {
        let id = id.clone();
        let found = move |it: &&PasskeySummary| it.id == id;
        Memo::new(move |_| list.with(|list| list.iter().flatten().find(&found).cloned()))
    };
    let name = move || passkey.with(|passkey| passkey.as_ref().map(title).unwrap_or_default());
    let remove = {
        let id = id.clone();
        move |_| {
            let request = ApiRequest::delete(format!("/api/passkeys/{id}"));
            let text = format!(
                "{} is removed. Browsers that have logged in with it stay logged in.",
                name()
            );
            state.ask(request, move |_: Done| {
                let _ = note.try_set(Some(text));
                load(state, list);
                state.reload_lists();
                // The button that was pressed goes with its row.
                page::focus_main_soon();
            });
        }
    };
    view! {
        <li class="access-row" data-testid="passkey-row" data-passkey=id>
            <div class="access-about">
                {live(move || passkey.get().map(|passkey| about(state, &passkey)).into_any())}
            </div>
            <div class="access-actions">
                <button
                    class="button quiet bad"
                    data-testid="remove-passkey"
                    aria-label=move || format!("Remove {}", name())
                    on:click=remove
                >
                    "Remove"
                </button>
            </div>
        </li>
    }
    .into_any()
}

fn about(state: AccessState, passkey: &PasskeySummary) -> AnyView {
    let token = match (&passkey.token_label, &passkey.token_id) {
        (Some(label), _) => words::plain(label),
        (None, Some(id)) => format!("token {id}"),
        (None, None) => "the relay's own token".to_owned(),
    };
    let used = match &passkey.last_used {
        Some(at) => since(state, at, "used"),
        None => "never used".into_any(),
    };
    let made = since(state, &passkey.created_at, "added");
    let ends =
        passkey.token_id.as_deref().and_then(|id| state.token(id)).map(|token| ends(state, &token));
    view! {
        <p class="access-name">
            <bdi>{title(passkey)}</bdi>
        </p>
        <p class="access-scope">
            "for "
            <bdi>{token}</bdi>
            ", under the name "
            <bdi>{passkey.relay.clone()}</bdi>
        </p>
        <p class="access-times">
            <span>{made}</span>
            <span>{used}</span>
            <span data-testid="passkey-ends">{ends}</span>
        </p>
    }
    .into_any()
}

/// Says when a passkey ends, which is when its token does: using it does not prolong that.
fn ends(state: AccessState, token: &TokenSummary) -> String {
    match token.expires_at.as_deref().and_then(|at| state.distance(at)) {
        Some((_, true)) => "has ended with its token".to_owned(),
        Some((distance, false)) => format!("ends with its token in {distance}"),
        None => "ends when its token is revoked".to_owned(),
    }
}

/// Returns the name under which a passkey is shown.
fn title(passkey: &PasskeySummary) -> String {
    passkey.label.as_deref().map_or_else(|| "Passkey".to_owned(), words::plain)
}
