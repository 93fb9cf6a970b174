//! The prompts that wait, the plan, and the state of the agent.

use leptos::prelude::*;
use serde_json::json;

use super::more_code::MoreCode;
use super::state::{ConversationHead, ConversationState};
use crate::session::api::ApiRequest;
use crate::ui::When;
use crate::ui::when::live;

/// The prompts that wait for the agent, next first.
#[component]
pub fn Queue() -> impl IntoView {
    let (state, more) = (ConversationState::expect(), MoreCode::expect());
    let queue = Memo::new(move |_| state.head.with(|head| head.queued()));
    // A prompt that goes out while it is changed leaves the change.
    let edited = RwSignal::new(None);
    let is_shown =
        Memo::new(move |_| edited.with(Option::is_some) || queue.with(|queue| !queue.is_empty()));
    let queued = move || more.show(move |views| (views.queued)(state, queue, edited));
    view! {
        <When condition=move || is_shown.get()>{queued()}</When>
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
    let line = Memo::new(move |_| {
        let is_asked = state.view.with(|view| !view.read_only);
        state.head.with(|head| activity(head, is_asked))
    });
    let tone = move || line.get().0;
    view! {
        <p class="activity" role="status" data-tone=tone data-testid="activity">
            {move || line.get().1}
        </p>
        {live(move || state.head.with(|head| logins(state, head)))}
    }
}

/// Returns the tone and the sentence about the agent's state; no sentence if it is idle. `is_asked` is
/// true if this page may decide.
fn activity(head: &ConversationHead, is_asked: bool) -> (&'static str, String) {
    let name = head.info.name.as_deref().unwrap_or("The agent");
    let message = || head.info.message.clone();
    let state = head.reported.as_ref().map(|state| &state.state);
    match head.info.phase.as_str() {
        "starting" => ("busy", format!("{name} is starting…")),
        "needs-login" => {
            ("away", message().unwrap_or_else(|| format!("{name} needs you to log in.")))
        }
        "failed" => ("bad", message().unwrap_or_else(|| format!("{name} could not be started."))),
        "exited" => {
            let how = message().unwrap_or_else(|| format!("{name} has stopped."));
            ("away", format!("{how} Your next prompt restarts it."))
        }
        _ => match state.map(|state| (state.value.as_str(), state.tool.as_deref())) {
            Some(("waiting", _)) => {
                let whose = if is_asked { "your" } else { "somebody’s" };
                ("away", format!("{name} is waiting for {whose} approval."))
            }
            Some(("working", Some(tool))) => ("busy", format!("{name} is working: {tool}")),
            Some(("working", None)) => ("busy", format!("{name} is working…")),
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
