//! The prompts that were sent and have no answer yet. They outlive the page: see
//! [`crate::session::conversation::kept`].

use std::time::Duration;

use leptos::prelude::*;
use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::rest::SendPrompt;

use super::draft::PromptDraft;
use crate::pages::agent::blocks::image_address;
use crate::session::conversation::{RequestNumber, UnansweredRequest, UserRequest, kept};
use crate::ui::when::{effect, live};

/// Time after which a prompt without an answer is shown on a connection that seems good.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// Sends the requests again that earlier pages of this browser have left without an answer. A refused prompt
/// goes back into the field.
pub(super) fn send_kept(draft: PromptDraft) {
    for kept in kept::kept(&draft.state.id()) {
        let request = kept.request.clone();
        draft.state.request_again(kept, move |answer| {
            if let (Err(_), UserRequest::Prompt(_, prompt)) = (answer, request) {
                draft.restore(&prompt);
            }
        });
    }
}

/// Renders the prompts without an answer: at once while the relay does not answer, otherwise after a
/// while.
pub(super) fn unsent(draft: PromptDraft) -> AnyView {
    let view = draft.state.view;
    let prompts = Memo::new(move |_| {
        let is_prompt = |it: &&UnansweredRequest| matches!(*it.request, UserRequest::Prompt(..));
        view.with(|view| view.unanswered.iter().filter(is_prompt).cloned().collect::<Vec<_>>())
    });
    let oldest = Memo::new(move |_| prompts.with(|all| all.first().map(|first| first.number)));
    // The oldest prompt that has waited for long.
    let slow = RwSignal::new(None::<RequestNumber>);
    effect(move || {
        if let Some(number) = oldest.get() {
            let tell = move || {
                let _ = slow.try_set(Some(number));
            };
            set_timeout(tell, SHOWN_AFTER);
        }
    });
    let is_shown = Memo::new(move |_| {
        let is_away = view.with(|view| !view.link.is_connected());
        oldest.get().is_some_and(|oldest| is_away || slow.get() == Some(oldest))
    });
    live(move || {
        if !is_shown.get() {
            return ().into_any();
        }
        let all = prompts.get().into_iter().map(|prompt| bubble(draft, prompt));
        view! { <ul class="unsent-prompts" aria-label="Not sent yet">{all.collect_view()}</ul> }
            .into_any()
    })
}

fn bubble(draft: PromptDraft, unanswered: UnansweredRequest) -> AnyView {
    let UnansweredRequest { number, request, was_sent } = unanswered;
    let UserRequest::Prompt(_, prompt) = &*request else { return ().into_any() };
    let SendPrompt { command, images, .. } = prompt;
    let text = command.as_deref().unwrap_or_default().trim().to_owned();
    let picture = |image: &PromptImage| {
        let address = image_address(&image.mime_type, &image.data);
        address.map(|address| view! { <img src=address alt="Image to send" /> })
    };
    let pictures = images.iter().filter_map(picture).collect_view();
    let link = draft.state.link();
    let is_kept = link.is_some_and(|link| link.is_kept(number));
    let take_back = move |_| {
        let taken = draft.state.link().and_then(|link| link.take_back(number));
        if let Some(UserRequest::Prompt(_, prompt)) = taken.as_deref() {
            draft.restore(prompt);
        }
    };
    let button = (!was_sent).then(|| {
        view! {
            <button type="button" class="button quiet" data-testid="take-back" on:click=take_back>
                "Take back"
            </button>
        }
    });
    view! {
        <li class="asked unsent-prompt" data-testid="unsent-prompt">
            <div class="typed" dir="auto">{text}</div>
            {pictures}
            <p class="row-note" role="status">{told(was_sent, is_kept)} {button}</p>
        </li>
    }
    .into_any()
}

/// Returns the sentence under a prompt that has no answer.
fn told(was_sent: bool, is_kept: bool) -> String {
    let state = if was_sent {
        "Sent, but not answered yet. It is sent again until it is, and counts once."
    } else {
        "Not sent yet."
    };
    let lost = if is_kept { "" } else { " It ends with this page: the browser cannot store it." };
    format!("{state}{lost} ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_prompt_that_is_not_kept_says_so() {
        assert_eq!(told(false, true), "Not sent yet. ");
        assert!(told(false, false).contains("cannot store it"));
        assert!(told(true, true).starts_with("Sent, but not answered yet."));
    }
}
