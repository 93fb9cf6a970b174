//! A question of the agent that waits for a decision, and what became of it.

use std::sync::Arc;

use gloo_timers::callback::Interval;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalKind, ApprovalOption, ApprovalRequest, ApprovalState,
};
use moorline_shared::fold::ApprovalEntry;
use moorline_shared::id::{ApprovalId, SessionId};
use moorline_shared::rest::DecideApproval;
use moorline_shared::session::Lifecycle;

use super::form::{self, FormFields};
use super::paths::RelativePaths;
use super::state::{ConversationState, report_seen};
use super::tool::known_piece;
use crate::bindings::clock;
use crate::bindings::page;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::conversation::UserRequest;
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName, When};

/// Shows an approval: as a question while it can be decided, then what became of it.
pub(super) fn approval(id: &ApprovalId) -> AnyView {
    let state = ConversationState::expect();
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
    live(move || {
        let Some(entry) = entry.get() else {
            return view! { <p class="row-note">"An approval that is long over."</p> }.into_any();
        };
        if is_open.get() {
            card(&Arc::new(entry.request), now, Decider::Conversation(state), state.folder)
        } else {
            closed(&entry, waits.get(), is_over.get(), state.folder)
        }
    })
}

/// Shows what became of an approval. `waits` is its decision while the host does not have it, and
/// `is_over` is true if its session is over.
fn closed(
    entry: &ApprovalEntry,
    waits: Option<ApprovalDecision>,
    is_over: bool,
    folder: RelativePaths,
) -> AnyView {
    let is_waiting = waits.is_some();
    let decision = waits.or_else(|| entry.decision.clone());
    let (tone, word) = match (&decision, entry.state) {
        (_, ApprovalState::Undelivered) => ("away", "Decided too late".to_owned()),
        (Some(decision), _) => {
            let tone = if decision.approved { "good" } else { "bad" };
            let word = if decision.approved { "Allowed" } else { "Not allowed" };
            (tone, format!("{word} by {}", decision.by))
        }
        (None, ApprovalState::Withdrawn) => ("soft", "No longer asked".to_owned()),
        (None, state) if is_over && state.is_open() => ("soft", "No longer asked".to_owned()),
        (None, _) => ("soft", "Nobody decided in time".to_owned()),
    };
    // Beside a decision, the entry's reason is who has seen the question.
    let told = entry.reason.clone().filter(|_| decision.is_none());
    let reason = decision.and_then(|decision| decision.reason).or(told);
    let (command, full) = (entry.request.command.clone(), entry.request.command.clone());
    view! {
        <p class="decided" data-tone=tone data-testid="decided">
            <Icon name=if tone == "good" { IconName::Check } else { IconName::Cross } />
            <span>{word}</span>
            <code title=full data-find=""><bdi>{move || folder.shorten(&command)}</bdi></code>
            {is_waiting.then(|| view! { <span class="row-note">"waits for the host"</span> })}
            {reason.map(|reason| view! { <span class="row-note">{reason}</span> })}
        </p>
    }
    .into_any()
}

/// The way in which a decision reaches the relay.
#[derive(Clone, Copy)]
pub(super) enum Decider {
    /// Over the link of the conversation, also after an interruption.
    Conversation(ConversationState),
    /// As a request about this session.
    Request(PageAccess, StoredValue<SessionId>),
}

impl Decider {
    fn decide(
        self,
        id: ApprovalId,
        decision: DecideApproval,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) {
        match self {
            Self::Conversation(state) => state.request(UserRequest::Decide(id, decision), then),
            Self::Request(access, session) => {
                let path = format!("/api/session/{}/approvals/{id}", session.get_value());
                api::ask(access, ApiRequest::post(path, &decision), move |answer| {
                    then(answer.map(drop).map_err(|error| error.to_string()));
                });
            }
        }
    }

    /// Tells the relay that a question is on the screen. Nobody minds if that fails.
    fn seen(self, id: &ApprovalId) {
        match self {
            Self::Conversation(state) => state.seen(id),
            Self::Request(access, session) => {
                session.with_value(|session| report_seen(access, session, id))
            }
        }
    }
}

/// The user's entries in a card.
#[derive(Clone, Copy)]
struct DecisionForm {
    decider: Decider,
    /// The key of the decision, so that it counts once.
    key: u128,
    request: StoredValue<Arc<ApprovalRequest>>,
    reason: NodeRef<html::Input>,
    command: NodeRef<html::Input>,
    form: StoredValue<FormFields, LocalStorage>,
    /// True while a decision is on its way to the relay.
    busy: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
}

impl DecisionForm {
    fn decide(self, approved: bool, option_id: Option<String>) {
        if self.busy.get_untracked() {
            return;
        }
        let request = self.request.get_value();
        let answers = match self.form.with_value(|form| form.answers()).filter(|_| approved) {
            Some(Err(problem)) => return self.problem.set(Some(problem)),
            Some(Ok(answers)) => Some(answers),
            None => None,
        };
        let command = self.command.get_untracked().map(|field| field.value());
        let custom_command = command.filter(|command| approved && *command != request.command);
        let reason = self.reason.get_untracked().map(|field| field.value());
        let decision = DecideApproval {
            approved: Some(approved),
            option_id,
            custom_command,
            reason: reason.filter(|reason| !approved && !reason.trim().is_empty()),
            answers,
            digest: Some(request.digest.clone()),
            key: Some(format!("{:032x}", self.key)),
        };
        self.busy.set(true);
        self.problem.set(None);
        let id = request.approval_id.clone();
        self.decider.decide(id, decision, move |answer| {
            // The card may be gone by now.
            let _ = self.busy.try_set(false);
            if let Err(sentence) = answer {
                let _ = self.problem.try_set(Some(sentence));
            }
        });
    }
}

/// Renders a card with everything that will be done, and the possible answers. `now` is the current
/// time, in milliseconds since 1970.
pub(super) fn card(
    request: &Arc<ApprovalRequest>,
    now: RwSignal<f64>,
    decider: Decider,
    folder: RelativePaths,
) -> AnyView {
    let answer = DecisionForm {
        decider,
        key: clock::random_bits(),
        request: StoredValue::new(Arc::clone(request)),
        reason: NodeRef::new(),
        command: NodeRef::new(),
        form: StoredValue::new_local(FormFields::of(request.form.as_ref())),
        busy: RwSignal::new(false),
        problem: RwSignal::new(None),
    };
    if page::is_visible() {
        decider.seen(&request.approval_id);
    }
    let options = options(request);
    let keys = options.clone();
    let press = move |event: KeyboardEvent| {
        // Keys count only on the card itself: somebody who types must not decide.
        let is_on_card = event.target() == event.current_target();
        let number = event.key().parse::<usize>().ok().and_then(|key| key.checked_sub(1));
        let is_plain = !(event.ctrl_key() || event.alt_key() || event.meta_key());
        if let Some(option) =
            number.and_then(|number| keys.get(number)).filter(|_| is_on_card && is_plain)
        {
            event.prevent_default();
            answer.decide(option.kind.allows(), id_of(option));
        }
    };
    let is_tool = request.kind == ApprovalKind::Tool;
    let expires = request.expires_at;
    let left = move || {
        let left = expires.map(|at| (at as f64 - now.get()).max(0.0) / 1000.0);
        left.map(|seconds| format!("Expires in {}", seconds_text(seconds as u64)))
    };
    let id = &request.approval_id;
    let piece = |(number, content)| known_piece(content, folder, &format!("{id} {number}"));
    let contents = request.subject.content.iter().enumerate().map(piece).collect_view();
    view! {
        <section
            class="approval"
            tabindex="0"
            role="group"
            aria-label="The agent asks for your decision"
            data-testid="approval"
            on:keydown=press
        >
            <header class="approval-head">
                <span class="approval-mark">"Asks"</span>
                {request.from.clone().map(|from| view! { <span class="row-note">{from}</span> })}
                <span class="bar-fill"></span>
                <span class="row-note" data-testid="expires">{left}</span>
            </header>
            {question(request, answer, folder)}
            {request.subject.cwd.clone().map(|cwd| view! {
                <p class="approval-place">"in " <code><bdi>{cwd}</bdi></code></p>
            })}
            {contents}
            {form::fields(answer.form)}
            <When condition=move || is_tool>
                <label class="approval-reason">
                    <span class="unseen">"Reason, if you do not allow it"</span>
                    <input node_ref=answer.reason placeholder="Reason, if you do not allow it" data-testid="reason" />
                </label>
            </When>
            <p class="problem" role="alert" data-testid="decision-problem">{move || answer.problem.get()}</p>
            <div class="approval-answers">
                {options.into_iter().enumerate().map(|(place, option)| button(answer, place, &option)).collect_view()}
            </div>
        </section>
    }
    .into_any()
}

/// Renders what is asked: a command that can be changed, or what a tool does.
fn question(request: &ApprovalRequest, answer: DecisionForm, folder: RelativePaths) -> AnyView {
    let explanation = (!request.explanation.is_empty()).then(|| {
        let text = request.explanation.clone();
        view! { <p class="approval-why" dir="auto" data-find="">{text}</p> }
    });
    let command = request.command.clone();
    let shown = match request.kind {
        ApprovalKind::Command => view! {
            <input
                node_ref=answer.command
                class="approval-command mono"
                aria-label="Command; you can change it"
                value=command
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                data-testid="approval-command"
            />
        }
        .into_any(),
        ApprovalKind::Form => view! { <p class="approval-title">{command}</p> }.into_any(),
        _ if request.subject.cwd.is_some() => view! {
            <pre class="approval-command" tabindex="0" aria-label="Command" data-find=""><code><bdi>{command}</bdi></code></pre>
        }
        .into_any(),
        // What a tool is going to do. A command is shown as it is: it may be changed, and is run.
        _ => {
            let full = command.clone();
            view! {
                <p class="approval-title" title=full data-find=""><bdi>{move || folder.shorten(&command)}</bdi></p>
            }
            .into_any()
        }
    };
    view! { {shown} {explanation} }.into_any()
}

fn button(answer: DecisionForm, place: usize, option: &ApprovalOption) -> AnyView {
    let approved = option.kind.allows();
    let is_first = option.kind == AnswerKind::AllowOnce;
    let class = if is_first { "button primary" } else { "button" };
    let (name, id) = (option.name.clone(), id_of(option));
    view! {
        <button
            class=class
            data-testid=if approved { "allow" } else { "deny" }
            disabled=move || answer.busy.get()
            on:click=move |_| answer.decide(approved, id.clone())
        >
            <span>{name}</span>
            <kbd>{(place < 9).then(|| (place + 1).to_string())}</kbd>
        </button>
    }
    .into_any()
}

/// Returns the answers to offer: those of the request, and a plain "no" if it has none.
fn options(request: &ApprovalRequest) -> Vec<ApprovalOption> {
    let offered = request.options.iter();
    let mut options: Vec<_> = offered.filter(|it| it.kind != AnswerKind::Other).cloned().collect();
    if !options.iter().any(|option| option.kind.rejects()) {
        let (option_id, name) = (String::new(), "Do not allow".to_owned());
        options.push(ApprovalOption { option_id, name, kind: AnswerKind::RejectOnce });
    }
    options
}

fn id_of(option: &ApprovalOption) -> Option<String> {
    Some(option.option_id.clone()).filter(|id| !id.is_empty())
}

fn seconds_text(seconds: u64) -> String {
    match seconds {
        0..100 => format!("{seconds} s"),
        100..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
