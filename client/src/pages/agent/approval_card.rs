//! The card of a question that waits for a decision. The page loads this part for the first one.

use std::sync::Arc;

use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use moorline_shared::agent::approval::{AnswerKind, ApprovalKind, ApprovalOption, ApprovalRequest};
use moorline_shared::agent::content::KnownToolContent;
use moorline_shared::rest::DecideApproval;

use super::approval::{decided_row, keep_focus, tone_and_word};
use super::decider::{Decider, DecisionProgress};
use super::form::{self, FormDraft, FormFields};
use super::paths::RelativePaths;
use super::tool::known_piece;
use crate::bindings::{clock, keyboard, page};
use crate::ui::When;
use crate::ui::visible::{has_hidden, visible};
use crate::ui::when::live;

/// The user's entries in a card.
#[derive(Clone, Copy)]
struct DecisionForm {
    decider: Decider,
    /// The key of the decision, so that it counts once.
    key: u128,
    request: StoredValue<Arc<ApprovalRequest>>,
    card: NodeRef<html::Section>,
    reason: NodeRef<html::Input>,
    command: NodeRef<html::Input>,
    form: StoredValue<FormFields, LocalStorage>,
    form_draft: StoredValue<FormDraft>,
    /// The decision that did not reach the relay yet.
    unsent: Memo<Option<bool>>,
    /// True if this page may decide.
    may_decide: Memo<bool>,
    /// True while a decision is on its way to the relay.
    busy: RwSignal<bool>,
    /// True while the relay does not answer it.
    waiting: RwSignal<bool>,
    /// In a list of questions: true once the relay has stored that it is allowed, false if it is not;
    /// `None` before.
    decided: RwSignal<Option<bool>>,
    problem: RwSignal<Option<String>>,
}

impl DecisionForm {
    fn decide(self, approved: bool, option_id: Option<String>) {
        let is_waiting = self.busy.get_untracked() || self.unsent.with_untracked(Option::is_some);
        if is_waiting || !self.may_decide.get_untracked() {
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
        // A button that is disabled would lose the focus.
        if let Some(card) = self.card.get_untracked().filter(page::holds_focus) {
            page::focus(&card);
        }
        self.busy.set(true);
        self.problem.set(None);
        let id = request.approval_id.clone();
        self.decider.decide(id, decision, move |progress| {
            let is_waiting = progress == DecisionProgress::Waiting;
            let is_stored = progress == DecisionProgress::Stored;
            let _ = self.waiting.try_set(is_waiting);
            match progress {
                DecisionProgress::Waiting => {}
                DecisionProgress::Stored => {
                    self.form_draft.try_with_value(FormDraft::forget);
                    if let Decider::Request(..) = self.decider {
                        let _ = self.decided.try_set(Some(approved));
                    }
                }
                DecisionProgress::Refused(reason) => _ = self.problem.try_set(Some(reason)),
            }
            // In a conversation, the log tells the rest.
            let is_told = is_stored && matches!(self.decider, Decider::Conversation(_));
            // The card may be gone by now.
            self.busy.try_set(is_waiting || is_told).is_none()
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
    let id = request.approval_id.clone();
    let form_draft = StoredValue::new(FormDraft::new(decider.session(), id.clone()));
    let answer = DecisionForm {
        form_draft,
        unsent: Memo::new(move |_| decider.unsent(&id)),
        may_decide: Memo::new(move |_| decider.may_decide()),
        decider,
        key: clock::random_bits(),
        request: StoredValue::new(Arc::clone(request)),
        card: NodeRef::new(),
        reason: NodeRef::new(),
        command: NodeRef::new(),
        form: StoredValue::new_local(FormFields::of(request.form.as_ref(), &request.form_order)),
        busy: RwSignal::new(false),
        waiting: RwSignal::new(false),
        decided: RwSignal::new(None),
        problem: RwSignal::new(None),
    };
    let request = Arc::clone(request);
    let place = NodeRef::new();
    let shown = live(move || match answer.decided.get() {
        // Whoever lists the questions learns a little later that it is no longer open.
        Some(approved) => {
            keep_focus(place);
            let (tone, word) = tone_and_word(approved);
            decided_row(
                tone,
                Signal::stored(word.to_owned()),
                &request.command,
                folder,
                ().into_any(),
            )
        }
        None => {
            answer.may_decide.track();
            open_card(&request, now, answer, folder)
        }
    });
    view! { <div class="approval-slot" node_ref=place>{shown}</div> }.into_any()
}

/// Renders a card that can be decided.
fn open_card(
    request: &Arc<ApprovalRequest>,
    now: RwSignal<f64>,
    answer: DecisionForm,
    folder: RelativePaths,
) -> AnyView {
    let decider = answer.decider;
    let may_decide = answer.may_decide.get_untracked();
    if page::is_visible() && may_decide {
        decider.seen(&request.approval_id);
    }
    let options = options(request);
    let keys = options.clone();
    let press = move |event: KeyboardEvent| {
        // Keys count only on the card and its buttons: somebody who types must not decide.
        let is_on_card = !keyboard::is_typing(&event);
        let number = event.key().parse::<usize>().ok().and_then(|key| key.checked_sub(1));
        let is_plain = !(event.ctrl_key() || event.alt_key() || event.meta_key());
        if let Some(option) =
            number.and_then(|number| keys.get(number)).filter(|_| is_on_card && is_plain)
        {
            event.prevent_default();
            answer.decide(option.kind.allows(), id_of(option));
        }
    };
    let expires = request.expires_at;
    let left = move || {
        let left = expires.map(|at| (at as f64 - now.get()).max(0.0) / 1000.0);
        left.map(|seconds| format!("Expires in {}", seconds_text(seconds as u64)))
    };
    let id = &request.approval_id;
    let piece = |(number, content)| known_piece(content, folder, &format!("{id} {number}"));
    let contents = request.subject.content.iter().enumerate().map(piece).collect_view();
    let mark = if request.kind == ApprovalKind::Form { "Question" } else { "Approval needed" };
    let label = format!("Approval needed: {}", visible(&request.command));
    view! {
        <section
            node_ref=answer.card
            class="approval"
            tabindex="0"
            role="group"
            aria-label=label
            data-testid="approval"
            on:keydown=press
        >
            <div class="approval-question">
                <header class="approval-head">
                    <span class="approval-mark">{mark}</span>
                    {request.from.clone().map(|from| view! { <span class="row-note">{from}</span> })}
                    <span class="bar-fill"></span>
                    <span class="row-note" data-testid="expires">{left}</span>
                </header>
                {question(request, answer, folder)}
                {request.subject.cwd.clone().map(|cwd| view! {
                    <p class="approval-place">"in " <code><bdi>{visible(&cwd).into_owned()}</bdi></code></p>
                })}
                {contents}
                {may_decide.then(|| fields(answer, request.kind))}
            </div>
            <p class="problem" role="alert" data-testid="decision-problem">{move || answer.problem.get()}</p>
            <When condition=move || answer.waiting.get() || answer.unsent.with(Option::is_some)>
                <p class="row-note" role="status" data-testid="decision-waits">
                    {move || answer.unsent.get().map(|approved| tone_and_word(approved).1.to_owned() + ". ")}
                    "Not sent yet. It will be sent when the connection is back."
                </p>
            </When>
            {if may_decide { answers(answer, options) } else { onlooker() }}
        </section>
    }
    .into_any()
}

/// Renders the fields for an answer: those of a form, and the reason for denying a tool call.
fn fields(answer: DecisionForm, kind: ApprovalKind) -> AnyView {
    let reason = (kind == ApprovalKind::Tool).then(|| {
        view! {
            <label class="approval-reason">
                <span class="unseen">"Reason for denying (optional)"</span>
                <input node_ref=answer.reason placeholder="Reason for denying (optional)" data-testid="reason" />
            </label>
        }
    });
    view! { {form::fields(answer.form, answer.form_draft)} {reason} }.into_any()
}

/// Renders the possible answers.
fn answers(answer: DecisionForm, options: Vec<ApprovalOption>) -> AnyView {
    let buttons = options.into_iter().enumerate().map(|(place, it)| button(answer, place, &it));
    view! { <div class="approval-answers">{buttons.collect_view()}</div> }.into_any()
}

/// Tells a reader of the session that nothing is asked of them.
fn onlooker() -> AnyView {
    view! { <p class="row-note" data-testid="cannot-decide">"Somebody else must decide."</p> }
        .into_any()
}

/// Renders the question: a command that can be changed, or the title of a tool call.
fn question(request: &ApprovalRequest, answer: DecisionForm, folder: RelativePaths) -> AnyView {
    let explanation = (!request.explanation.is_empty()).then(|| {
        let text = visible(&request.explanation).into_owned();
        view! { <p class="approval-why" dir="auto" data-find="">{text}</p> }
    });
    let command = request.command.clone();
    let told = visible(&command).into_owned();
    let shown = match request.kind {
        ApprovalKind::Command if answer.may_decide.get_untracked() => view! {
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
        ApprovalKind::Form => view! { <p class="approval-title">{told}</p> }.into_any(),
        _ if request.subject.cwd.is_some() => view! {
            <pre class="approval-command" tabindex="0" aria-label="Command" data-find=""><code><bdi>{told}</bdi></code></pre>
        }
        .into_any(),
        // What a tool is going to do. A command is shown as it is: it may be changed, and is run.
        _ => {
            let full = command.clone();
            view! {
                <p class="approval-title" title=full data-find=""><bdi>{move || visible(&folder.shorten(&command)).into_owned()}</bdi></p>
            }
            .into_any()
        }
    };
    let warning = hides(request).then(|| {
        let sentence = "This contains invisible characters, or characters that change how the rest reads. \
                        They are spelled out here, as ⟨U+202E⟩.";
        view! { <p class="problem" data-testid="hidden-characters">{sentence}</p> }
    });
    let missing = request.truncated.then(|| {
        let sentence = "This is too long to show in full. If you allow it, you allow all of it.";
        view! { <p class="problem" data-testid="question-truncated">{sentence}</p> }
    });
    view! { {shown} {explanation} {missing} {warning} }.into_any()
}

/// Returns true if something that will be done has hidden characters.
fn hides(request: &ApprovalRequest) -> bool {
    let in_content = |content: &KnownToolContent| match content {
        KnownToolContent::Diff { path, old_text, new_text } => {
            has_hidden(path) || has_hidden(new_text) && !old_text.as_deref().is_some_and(has_hidden)
        }
        _ => false,
    };
    has_hidden(&request.command)
        || request.subject.cwd.as_deref().is_some_and(has_hidden)
        || request.subject.content.iter().any(in_content)
}

fn button(answer: DecisionForm, place: usize, option: &ApprovalOption) -> AnyView {
    let approved = option.kind.allows();
    // Nobody is led to allow what is not shown.
    let is_whole = answer.request.with_value(|request| !request.truncated);
    let is_first = is_whole && option.kind == AnswerKind::AllowOnce;
    let class = if is_first { "button primary" } else { "button" };
    let name = Some(visible(option.name.trim()).into_owned()).filter(|name| !name.is_empty());
    let plain = if approved { "Allow" } else { "Deny" };
    let (name, id) = (name.unwrap_or_else(|| plain.to_owned()), id_of(option));
    view! {
        <button
            class=class
            data-testid=if approved { "allow" } else { "deny" }
            disabled=move || answer.busy.get() || answer.unsent.with(Option::is_some)
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
        let (option_id, name) = (String::new(), "Deny".to_owned());
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
