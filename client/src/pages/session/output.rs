//! The last lines of output, and a field to send a line to the session.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::rest::SendPrompt;
use moorline_shared::session::Lifecycle;

use super::record::Record;
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::api::{self, ApiRequest};
use crate::session::route::PageRoute;
use crate::session::words;
use crate::ui::{Icon, IconName, When};

/// The id of the field for a line to send.
pub(super) const PROMPT: &str = "prompt";

/// Shows the session's last output.
#[component]
pub fn Output() -> impl IntoView {
    let record = Record::expect();
    let html = Memo::new(move |_| record.book.with(|book| book.preview.html()));
    let full_screen = Memo::new(move |_| record.book.with(|book| book.preview.is_full_screen()));
    let terminal = PageRoute::Terminal(record.id()).address();
    let over = Memo::new(move |_| record.is_over());
    let away = Memo::new(move |_| {
        record.summary().is_some_and(|session| session.lifecycle == Lifecycle::Detached)
    });
    let empty = move || html.with(String::is_empty) && !full_screen.get();
    view! {
        <section class="panel output" aria-labelledby="output-heading">
            <div class="panel-head">
                <h2 id="output-heading">"Output"</h2>
                <a href=terminal.clone() class="panel-link">"Open the terminal"</a>
            </div>
            <div
                class="preview"
                tabindex="0"
                role="region"
                aria-label="Last lines of output"
                data-testid="preview"
                hidden=empty
            >
                <pre inner_html=move || html.get()></pre>
            </div>
            <When condition=empty>
                <p class="panel-hint">
                    {move || match (record.caught_up.get(), over.get()) {
                        (false, _) => "Reading…",
                        (true, false) => "No output yet.",
                        (true, true) => "There was no output.",
                    }}
                </p>
            </When>
            <When condition=move || full_screen.get()>
                <p class="panel-note">
                    <Icon name=IconName::Fit />
                    "A full-screen program is running. "
                    <a href=terminal.clone()>"Open the terminal"</a>
                    " to see it."
                </p>
            </When>
            <p class="panel-note" data-testid="host-note" hidden=move || !away.get()>
                "The host is offline. This is the last output it sent. You cannot send a line \
                 until it is back."
            </p>
            <When condition=move || !over.get()>
                <PromptLine />
            </When>
            <When condition=move || over.get()>
                <Ended />
            </When>
        </section>
    }
}

/// Says how the session ended, and offers to start it again.
#[component]
fn Ended() -> impl IntoView {
    let record = Record::expect();
    let actions = Actions::expect();
    let how = move || {
        let session = record.summary();
        let exit = session.map(|session| words::exit_status(&session));
        exit.map(|exit| words::exit_sentence(&exit))
    };
    view! {
        <div class="panel-note" data-testid="ended">
            <span class="bar-fill">{move || how()}</span>
            <button class="button" on:click=move |_| actions.duplicate(&record.id(), None)>
                <Icon name=IconName::Again />
                <span>"Start again"</span>
            </button>
        </div>
    }
}

/// A field that sends a line, followed by Enter.
#[component]
fn PromptLine() -> impl IntoView {
    let record = Record::expect();
    let access = PageAccess::expect();
    let field = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let line = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        if line.is_empty() || busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let path = format!("/api/session/{}/prompt", record.id());
        let prompt = SendPrompt { command: Some(line), ..SendPrompt::default() };
        api::ask(access, ApiRequest::post(path, &prompt), move |answer| {
            // The page may be gone by now.
            let _ = busy.try_set(false);
            match answer {
                Ok(_) => {
                    if let Some(field) = field.try_get_untracked().flatten() {
                        field.set_value("");
                    }
                }
                Err(error) => {
                    let _ = problem.try_set(Some(error.to_string()));
                }
            }
        });
    };
    view! {
        <form class="prompt" on:submit=submit>
            <Icon name=IconName::Prompt />
            <input
                id=PROMPT
                node_ref=field
                class="mono"
                aria-label="Line to send"
                placeholder="Type a line to send"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                aria-invalid=move || problem.with(Option::is_some).then_some("true")
                aria-describedby="prompt-problem"
                data-testid="prompt"
            />
            <button class="button" disabled=move || busy.get() data-testid="send">
                {move || if busy.get() { "Sending…" } else { "Send" }}
            </button>
        </form>
        <p id="prompt-problem" class="problem" role="alert" data-testid="prompt-problem">{move || problem.get()}</p>
    }
}
