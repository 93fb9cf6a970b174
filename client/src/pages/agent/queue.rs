//! The prompts that wait, the plan, and the state of the agent.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::fold::TurnEntry;
use moorline_shared::id::TurnId;
use serde_json::json;

use super::state::{ConversationHead, ConversationState};
use crate::session::api::ApiRequest;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// The prompts that wait for the agent, next first.
#[component]
pub fn Queue() -> impl IntoView {
    let state = ConversationState::expect();
    let queue = Memo::new(move |_| state.head.with(|head| head.queued()));
    let entries = move || {
        let queue = queue.get();
        let places = queue.iter().enumerate().map(|(place, turn)| {
            // Moving up means to stand before the one that is before.
            let before = place.checked_sub(1).map(|place| queue[place].turn_id.clone());
            view! { <QueuedPrompt turn=turn.clone() before /> }
        });
        places.collect_view().into_any()
    };
    view! {
        <When condition=move || queue.with(|queue| !queue.is_empty())>
            <ol class="queue" aria-label="Queued prompts" data-testid="queue">{live(entries)}</ol>
        </When>
    }
}

#[component]
fn QueuedPrompt(turn: TurnEntry, before: Option<TurnId>) -> impl IntoView {
    let state = ConversationState::expect();
    let editing = RwSignal::new(false);
    let path = format!("prompts/{}", turn.turn_id);
    let (move_path, withdraw_path) = (path.clone(), path.clone());
    let text = turn.prompt.text.clone();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let field = NodeRef::<html::Textarea>::new();
    let keep = move |_| {
        if let Some(field) = field.get_untracked() {
            let body = json!({ "command": field.value() });
            state.ask(|path| ApiRequest::patch(path, &body), &path);
        }
        editing.set(false);
    };
    let up = before.map(|before| {
        let body = json!({ "before": before });
        view! {
            <button
                class="icon-button"
                aria-label="Move up"
                title="Move up"
                on:click=move |_| state.ask(|path| ApiRequest::patch(path, &body), &move_path)
            >
                <Icon name=IconName::Up />
            </button>
        }
    });
    view! {
        <li class="queued" data-testid="queued">
            <span class="queued-text" title=text.clone()>{first}</span>
            {turn.pending.then(|| view! { <span class="row-note">"waits for the host"</span> })}
            {up}
            // A prompt of which only a part is here cannot be changed here.
            {(!turn.truncated).then(|| view! {
                <button class="icon-button" aria-label="Change" title="Change" data-testid="edit-queued" on:click=move |_| editing.set(true)>
                    <Icon name=IconName::Pencil />
                </button>
            })}
            <button
                class="icon-button"
                aria-label="Withdraw"
                title="Withdraw"
                data-testid="withdraw"
                on:click=move |_| state.ask(ApiRequest::delete, &withdraw_path)
            >
                <Icon name=IconName::Cross />
            </button>
        </li>
        {live(move || if editing.get() {
            let keep = keep.clone();
            view! {
                <li class="queued-edit">
                    <textarea node_ref=field rows="3" aria-label="Queued prompt" data-testid="queued-field">{text.clone()}</textarea>
                    <button class="button" data-testid="keep-queued" on:click=keep>"Keep"</button>
                    <button class="button quiet" on:click=move |_| editing.set(false)>"Cancel"</button>
                </li>
            }.into_any()
        } else {
            ().into_any()
        })}
    }
}

/// The agent's plan with its progress.
#[component]
pub fn Plan() -> impl IntoView {
    let state = ConversationState::expect();
    let plan = Memo::new(move |_| state.head.with(|head| head.plan.entries.clone()));
    let done =
        move || plan.with(|plan| plan.iter().filter(|entry| entry.status == "completed").count());
    let current = move || {
        plan.with(|plan| {
            let open = plan.iter().find(|entry| entry.status != "completed");
            open.map_or_else(|| "Done".to_owned(), |entry| entry.content.clone())
        })
    };
    let entries = move || {
        let entry = |entry: moorline_shared::agent::content::PlanEntry| {
            view! { <li data-status=entry.status>{entry.content}</li> }
        };
        plan.get().into_iter().map(entry).collect_view().into_any()
    };
    view! {
        <When condition=move || plan.with(|plan| !plan.is_empty())>
            <details class="plan" data-testid="plan">
                <summary>
                    <span class="plan-name">"Plan"</span>
                    <progress max=move || plan.with(Vec::len).to_string() value=move || done().to_string()></progress>
                    <span class="plan-line">{current}</span>
                </summary>
                <ol>{live(entries)}</ol>
            </details>
        </When>
    }
}

/// Shows whether the agent works or waits, and for what.
#[component]
pub fn Activity() -> impl IntoView {
    let state = ConversationState::expect();
    let line = Memo::new(move |_| state.head.with(|head| activity(head)));
    let tone = move || line.get().0;
    view! {
        <p class="activity" role="status" data-tone=tone data-testid="activity">
            {move || line.get().1}
        </p>
        {live(move || state.head.with(|head| logins(state, head)))}
    }
}

/// Returns the tone and the sentence about the agent's state; no sentence if it is idle.
fn activity(head: &ConversationHead) -> (&'static str, String) {
    let name = head.info.name.as_deref().unwrap_or("The agent");
    let message = || head.info.message.clone();
    let state = head.summary.state.as_ref().map(|state| &state.state);
    match head.info.phase.as_str() {
        "starting" => ("busy", format!("{name} is starting…")),
        "needs-login" => ("away", message().unwrap_or_else(|| format!("{name} needs a log-in."))),
        "failed" => ("bad", message().unwrap_or_else(|| format!("{name} cannot be started."))),
        "exited" => {
            let how = message().unwrap_or_else(|| format!("{name} has ended."));
            ("away", format!("{how} The next prompt starts it again."))
        }
        _ => match state.map(|state| (state.value.as_str(), state.tool.as_deref())) {
            Some(("waiting", _)) => ("away", format!("{name} waits for your decision.")),
            Some(("working", Some(tool))) => ("busy", format!("{name} works: {tool}")),
            Some(("working", None)) => ("busy", format!("{name} works…")),
            _ => ("idle", String::new()),
        },
    }
}

/// Renders the ways to log in, if the agent needs that.
fn logins(state: ConversationState, head: &ConversationHead) -> AnyView {
    if head.info.phase != "needs-login" {
        return ().into_any();
    }
    let way = |method: &moorline_shared::agent::content::LoginMethod| {
        let body = json!({ "method": method.id });
        let about = method.description.clone();
        view! {
            <li>
                <button class="button" on:click=move |_| state.ask(|path| ApiRequest::post(path, &body), "login")>
                    {method.name.clone()}
                </button>
                <span class="row-note">{about}</span>
            </li>
        }
    };
    view! { <ul class="logins" data-testid="logins">{head.info.login.iter().map(way).collect_view()}</ul> }.into_any()
}
