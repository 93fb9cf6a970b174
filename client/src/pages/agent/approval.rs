//! A question of the agent that waits for a decision, and what became of it.

use std::sync::Arc;

use gloo_timers::callback::Interval;
use leptos::html;
use leptos::prelude::*;
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalState};
use moorline_shared::fold::ApprovalEntry;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::Lifecycle;

use super::decider::Decider;
use super::more_code::MoreCode;
use super::paths::RelativePaths;
use super::state::ConversationState;
use crate::bindings::{clock, page};
use crate::ui::visible::visible;
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName, When};

/// Shows an approval: as a question while it can be decided, then what became of it.
pub(super) fn approval(id: &ApprovalId) -> AnyView {
    let (state, more) = (ConversationState::expect(), MoreCode::expect());
    let now = RwSignal::new(clock::wall_ms());
    let timer = StoredValue::new_local(None::<Interval>);
    let key = id.clone();
    let entry = Memo::new(move |_| state.approval(&key));
    let waits = {
        let id = id.clone();
        Memo::new(move |_| {
            state.head.with(|head| {
                let mut decided = head.pending.approvals.iter();
                decided.find(|decided| decided.approval_id == id).map(|it| it.decision.clone())
            })
        })
    };
    // A session that is over asks nothing more, even if its host could not say so.
    let is_over =
        Memo::new(move |_| state.view.with(|view| view.lifecycle.is_some_and(Lifecycle::is_over)));
    let is_open = Memo::new(move |_| {
        let is_open = |entry: &ApprovalEntry| entry.is_open(now.get() as u64);
        let is_open = entry.with(|entry| entry.as_ref().is_some_and(is_open));
        is_open && waits.with(Option::is_none) && !is_over.get()
    });
    effect(move || {
        let tick = move || now.set(clock::wall_ms());
        timer.set_value(is_open.get().then(|| Interval::new(1000, tick)));
    });
    // The card stays, with all that was typed into it and the focus, while only its state changes.
    let request = Memo::new(move |_| entry.with(|entry| Some(entry.as_ref()?.request.clone())));
    let place = NodeRef::new();
    let shown = live(move || {
        if let (true, Some(request)) = (is_open.get(), request.get()) {
            let request = Arc::new(request);
            return more.show(move |views| {
                (views.question)(&request, now, Decider::Conversation(state), state.folder)
            });
        }
        keep_focus(place);
        match entry.get() {
            Some(entry) => closed(state, &entry, waits.get(), is_over.get()),
            None => {
                view! { <p class="row-note">"This request is no longer available."</p> }.into_any()
            }
        }
    });
    view! { <div class="approval-slot" node_ref=place>{shown}</div> }.into_any()
}

/// Moves the focus from a question to the row that is about to take its place, if the question has it.
/// The keyboard and screen readers then stay where they were, whoever has decided.
pub(super) fn keep_focus(place: NodeRef<html::Div>) {
    let Some(place) = place.get_untracked().filter(|place| page::holds_focus(place)) else {
        return;
    };
    // The row is there by then. Before a frame, the card could go from a list.
    queue_microtask(move || {
        if let Some(row) = page::within(&place, ".approval-slot", ".decided") {
            page::focus(&row);
        }
    });
}

/// Shows what became of an approval. `waits` is its decision while the host does not have it, and
/// `is_over` is true if its session is over.
fn closed(
    state: ConversationState,
    entry: &ApprovalEntry,
    waits: Option<ApprovalDecision>,
    is_over: bool,
) -> AnyView {
    let is_waiting = waits.is_some();
    let decision = waits.or_else(|| entry.decision.clone());
    let (tone, word) = match (&decision, entry.state) {
        (_, ApprovalState::Undelivered) => ("away", "Answered too late"),
        (Some(decision), _) => tone_and_word(decision.approved),
        (None, ApprovalState::Withdrawn) => ("soft", "No longer needed"),
        (None, state) if is_over && state.is_open() => ("soft", "No longer needed"),
        (None, _) => ("soft", "Expired without an answer"),
    };
    state.learn_own_label();
    let is_late = entry.state == ApprovalState::Undelivered;
    let by = decision.as_ref().filter(|_| !is_late).map(|decision| decision.by.clone());
    // The row stays when the label is learned: it may have the focus.
    let word = Signal::derive(move || match &by {
        Some(by) => format!("{word} by {}", state.who(by)),
        None => word.to_owned(),
    });
    // Beside a decision, the entry's reason is who has seen the question.
    let told = entry.reason.clone().filter(|_| decision.is_none());
    let reason = decision.and_then(|decision| decision.reason).or(told);
    let notes = view! {
        {is_waiting.then(|| waits_for_host(state))}
        {reason.map(|reason| view! { <span class="row-note">{reason}</span> })}
    };
    decided_row(tone, word, &entry.request.command, state.folder, notes.into_any())
}

/// Says that the relay has something that the host does not have yet, as far as that is known: not while
/// the relay does not answer.
pub(super) fn waits_for_host(state: ConversationState) -> AnyView {
    let is_known = Memo::new(move |_| state.view.with(|view| view.link.is_connected()));
    view! {
        <When condition=move || is_known.get()>
            <span class="row-note">"waiting for the host"</span>
        </When>
    }
    .into_any()
}

pub(super) const fn tone_and_word(approved: bool) -> (&'static str, &'static str) {
    if approved { ("good", "Allowed") } else { ("bad", "Denied") }
}

/// Says in a row what became of a question.
pub(super) fn decided_row(
    tone: &'static str,
    word: Signal<String>,
    command: &str,
    folder: RelativePaths,
    notes: AnyView,
) -> AnyView {
    let (command, full) = (command.to_owned(), command.to_owned());
    view! {
        <p class="decided" tabindex="-1" data-tone=tone data-testid="decided">
            <Icon name=if tone == "good" { IconName::Check } else { IconName::Cross } />
            <span>{move || word.get()}</span>
            <code title=full data-find=""><bdi>{move || visible(&folder.shorten(&command)).into_owned()}</bdi></code>
            {notes}
        </p>
    }
    .into_any()
}
