//! The field for prompts, with what belongs to it: images, commands, stop.

use leptos::ev::{ClipboardEvent, DragEvent, KeyboardEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::agent::content::AgentCommand;
use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::id::TurnId;
use moorline_shared::rest::SendPrompt;

use super::state::ConversationState;
use crate::bindings::clock;
use crate::bindings::images::{self, ImageFile, ImageText};
use crate::bindings::storage::{self, Area};
use crate::bindings::{media, page, scrolling};
use crate::session::conversation::UserRequest;
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName, When};

/// The id of the field for prompts.
pub(super) const PROMPT: &str = "agent-prompt";
/// The most bytes of a prompt's images as text. The relay takes 200 KiB with the text.
const IMAGES_BYTES: usize = 180 * 1024;
/// The most commands that are offered at a time.
const OFFERED: usize = 8;

/// The draft of a prompt: its text and its images.
#[derive(Clone, Copy)]
struct PromptDraft {
    state: ConversationState,
    text: RwSignal<String>,
    images: RwSignal<Vec<ImageText>>,
    problem: RwSignal<Option<String>>,
    field: NodeRef<html::Textarea>,
}

impl PromptDraft {
    fn new(state: ConversationState) -> Self {
        let kept = storage::get(Area::Browser, &key(state)).unwrap_or_default();
        let draft = Self {
            state,
            text: RwSignal::new(kept),
            images: RwSignal::default(),
            problem: RwSignal::default(),
            field: NodeRef::new(),
        };
        effect(move || {
            let text = draft.text.get();
            if text.is_empty() {
                storage::remove(Area::Browser, &key(state));
            } else {
                storage::set(Area::Browser, &key(state), &text);
            }
        });
        draft
    }

    fn set(self, text: String) {
        if let Some(field) = self.field.get_untracked() {
            field.set_value(&text);
            scrolling::fit_height(&field);
            page::focus(&field);
        }
        self.text.set(text);
    }

    fn send(self) {
        let text = self.text.get_untracked();
        let images = self.images.get_untracked();
        if text.trim().is_empty() && images.is_empty() {
            return;
        }
        let image = |ImageText { mime_type, data }| PromptImage { mime_type, data };
        let prompt = SendPrompt {
            command: Some(if text.is_empty() { " ".to_owned() } else { text.clone() }),
            images: images.clone().into_iter().map(image).collect(),
            ..SendPrompt::default()
        };
        let request = UserRequest::Prompt(TurnId::from_random(clock::random_bits()), prompt);
        // It is sent until it is answered; a refusal brings it back, if nothing else was typed.
        self.set(String::new());
        self.images.set(Vec::new());
        self.problem.set(None);
        self.state.request(request, move |answer| {
            if answer.is_err() && self.text.try_get_untracked().is_some_and(|now| now.is_empty()) {
                self.set(text);
                self.images.set(images);
            }
        });
    }

    fn add(self, files: Vec<ImageFile>) {
        for file in files {
            let used: usize =
                self.images.with_untracked(|all| all.iter().map(|it| it.data.len()).sum());
            let room = IMAGES_BYTES.saturating_sub(used);
            spawn_local(async move {
                match images::read(file, room).await {
                    Some(image) => _ = self.images.try_update(|images| images.push(image)),
                    None => {
                        let sentence = "This image cannot be read, or does not fit.".to_owned();
                        _ = self.problem.try_set(Some(sentence));
                    }
                }
            });
        }
    }

    /// Returns the commands that begin like what is typed; tracked.
    fn offered(self) -> Vec<AgentCommand> {
        let text = self.text.get();
        let Some(begun) =
            text.strip_prefix('/').filter(|begun| !begun.contains(char::is_whitespace))
        else {
            return Vec::new();
        };
        self.state.head.with(|head| {
            let all = head.commands.commands.iter();
            all.filter(|command| command.name.starts_with(begun)).take(OFFERED).cloned().collect()
        })
    }
}

fn key(state: ConversationState) -> String {
    format!("moorline.draft.{}", state.id())
}

/// The field for prompts.
#[component]
pub fn Composer() -> impl IntoView {
    let state = ConversationState::expect();
    let draft = PromptDraft::new(state);
    // On phones Enter is a new line: the button sends.
    let enter_sends = !media::matches("(pointer: coarse)");
    let takes_images =
        Memo::new(move |_| state.head.with(|head| head.info.takes_images == Some(true)));
    draft.field.on_load(move |field| {
        field.set_value(&draft.text.get_untracked());
        scrolling::fit_height(&field);
    });
    let press = move |event: KeyboardEvent| {
        let sends = event.ctrl_key() || event.meta_key() || (enter_sends && !event.shift_key());
        if event.key() == "Enter" && sends && !event.is_composing() {
            event.prevent_default();
            draft.send();
        }
        if event.key() == "Tab"
            && !event.shift_key()
            && let Some(command) = untrack(|| draft.offered()).first()
        {
            event.prevent_default();
            draft.set(format!("/{} ", command.name));
        }
    };
    let paste = move |event: ClipboardEvent| {
        let files = images::pasted(&event);
        if takes_images.get_untracked() && !files.is_empty() {
            event.prevent_default();
            draft.add(files);
        }
    };
    let drop = move |event: DragEvent| {
        let files = images::dropped(&event);
        if takes_images.get_untracked() && !files.is_empty() {
            event.prevent_default();
            draft.add(files);
        }
    };
    let typed = move |_| {
        if let Some(field) = draft.field.get_untracked() {
            scrolling::fit_height(&field);
            draft.text.set(field.value());
        }
    };
    let works = Memo::new(move |_| state.head.with(|head| head.active().is_some()));
    let hint = move || if works.get() { "Queue a prompt" } else { "Ask the agent" };
    view! {
        <form
            class="composer"
            on:submit=move |event: SubmitEvent| {
                event.prevent_default();
                draft.send();
            }
            on:drop=drop
        >
            {live(move || commands(draft))}
            {live(move || pictures(draft))}
            <textarea
                id=PROMPT
                node_ref=draft.field
                rows="1"
                aria-label="Prompt"
                placeholder=hint
                data-testid="composer"
                on:input=typed
                on:keydown=press
                on:paste=paste
            ></textarea>
            <p class="problem" role="alert" data-testid="prompt-refused">
                {move || draft.problem.get().or_else(|| state.problem.get())}
            </p>
            <div class="composer-row">
                <When condition=move || takes_images.get()>
                    <ImagePicker draft />
                </When>
                <super::settings::Settings />
                <When condition=move || works.get()>
                    <StopButton />
                </When>
                <button class="button primary" data-testid="send-prompt" title="Send (Enter)">
                    <Icon name=IconName::Send />
                    <span>{move || if works.get() { "Queue" } else { "Send" }}</span>
                </button>
            </div>
        </form>
    }
}

#[component]
fn ImagePicker(draft: PromptDraft) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let pick = move |_| {
        if let Some(field) = field.get_untracked() {
            draft.add(images::picked(&field));
        }
    };
    view! {
        <label class="icon-button" title="Add an image">
            <Icon name=IconName::Image />
            <input
                class="unseen"
                type="file"
                accept="image/*"
                multiple
                node_ref=field
                aria-label="Add an image"
                data-testid="pick-image"
                on:change=pick
            />
        </label>
    }
}

/// The commands that can be completed.
fn commands(draft: PromptDraft) -> AnyView {
    let offered = draft.offered();
    if offered.is_empty() {
        return ().into_any();
    }
    let entry = |command: AgentCommand| {
        let name = command.name.clone();
        view! {
            <li>
                <button
                    type="button"
                    class="menu-item"
                    on:click=move |_| draft.set(format!("/{name} "))
                >
                    <code>{format!("/{}", command.name)}</code>
                    <span class="command-about">{command.description}</span>
                </button>
            </li>
        }
    };
    view! {
        <ul class="commands" aria-label="Commands of the agent" data-testid="commands">
            {offered.into_iter().map(entry).collect_view()}
        </ul>
    }
    .into_any()
}

/// The images that go with the prompt.
fn pictures(draft: PromptDraft) -> AnyView {
    let picture = |(place, image): (usize, ImageText)| {
        let address = format!("data:{};base64,{}", image.mime_type, image.data);
        view! {
            <li class="picture">
                <img src=address alt="Image to send" />
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Remove this image"
                    on:click=move |_| draft.images.update(|images| {
                        if place < images.len() {
                            images.remove(place);
                        }
                    })
                >
                    <Icon name=IconName::Cross />
                </button>
            </li>
        }
    };
    let all = draft.images.get();
    if all.is_empty() {
        return ().into_any();
    }
    view! { <ul class="pictures">{all.into_iter().enumerate().map(picture).collect_view()}</ul> }
        .into_any()
}

/// Stops the turn; once that was asked for, by ending the agent's process.
#[component]
fn StopButton() -> impl IntoView {
    let state = ConversationState::expect();
    let turn =
        Memo::new(move |_| state.head.with(|head| head.active().map(|it| it.turn_id.clone())));
    let asked = RwSignal::new(None::<TurnId>);
    let is_asked = Memo::new(move |_| asked.get().is_some() && asked.get() == turn.get());
    let stop = move |_| {
        if let Some(turn_id) = turn.get_untracked() {
            let force = is_asked.get_untracked();
            asked.set(Some(turn_id.clone()));
            state.request(UserRequest::Stop(turn_id, force), |_| ());
        }
    };
    view! {
        <button type="button" class="button" data-testid="stop" on:click=stop>
            <Icon name=IconName::Stop />
            <span>{move || if is_asked.get() { "Force stop" } else { "Stop" }}</span>
        </button>
    }
}
