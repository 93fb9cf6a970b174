//! Completions of a prompt while it is typed: commands after `/`, and files after `@`.
//!
//! Follows the combobox pattern with a listbox: the focus stays in the field.

use gloo_timers::callback::Timeout;
use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::prelude::*;
use moorline_shared::agent::content::AgentCommand;
use serde::Deserialize;

use super::super::state::ConversationState;
use super::draft::PromptDraft;
use crate::bindings::{page, text_field};
use crate::session::api;
use crate::ui::When;
use crate::ui::markdown::escaped;
use crate::ui::when::effect;

/// The most entries that are offered at a time.
const OFFERED: usize = 8;
/// Time after a letter before the host is asked, in milliseconds: more may follow at once.
const ASK_AFTER_MS: u32 = 80;
/// Id of the list.
const LIST: &str = "agent-offers";

/// The beginning of something that can be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BegunName {
    /// The first letters of a command, after `/`.
    Command(String),
    /// Some letters of a file's path, after `@`.
    File(String),
}

impl BegunName {
    /// Finds what the text before the caret ends with.
    fn of(before: &str) -> Option<Self> {
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        if word.len() == before.len()
            && let Some(name) = before.strip_prefix('/')
        {
            return Some(Self::Command(name.to_owned()));
        }
        let word = word.trim_start_matches(['(', '[', '"', '\'', '`']);
        word.strip_prefix('@').map(|letters| Self::File(letters.to_owned()))
    }
}

/// Something that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PromptOffer {
    Command(AgentCommand),
    /// The path of a file.
    File(String),
}

/// The part of an answer about files that is shown.
#[derive(Debug, Clone, Deserialize)]
struct FoundNames {
    files: Vec<String>,
    truncated: bool,
}

/// The completions of the word at the caret.
#[derive(Clone, Copy)]
pub(super) struct OfferList {
    state: ConversationState,
    draft: PromptDraft,
    /// The word at the caret; `None` if it cannot be completed, or the list was closed.
    begun: RwSignal<Option<BegunName>>,
    /// The last answer about files.
    files: RwSignal<Option<FoundNames>>,
    /// The place of the chosen entry.
    chosen: RwSignal<usize>,
    /// The next question about files, until it is asked.
    question: StoredValue<Option<Timeout>, LocalStorage>,
}

impl OfferList {
    pub(super) fn new(state: ConversationState, draft: PromptDraft) -> Self {
        let list = Self {
            state,
            draft,
            begun: RwSignal::default(),
            files: RwSignal::default(),
            chosen: RwSignal::new(0),
            question: StoredValue::new_local(None),
        };
        effect(move || {
            let offered = list.offered().len();
            let entry = entry_id(list.chosen.get());
            if let Some(field) = list.draft.field.get() {
                text_field::set_list(&field, LIST, (offered > 0).then_some(&entry));
            }
            page::show(&format!("#{entry}"));
        });
        list
    }

    /// Reads the word at the caret. Call it when the text or the caret has changed.
    pub(super) fn look(self) {
        let Some(field) = self.draft.field.get_untracked() else { return };
        let begun = BegunName::of(&text_field::before_caret(&field));
        if self.begun.with_untracked(|known| *known == begun) {
            return;
        }
        match &begun {
            Some(BegunName::File(letters)) => self.ask(letters.clone()),
            // Nothing of an earlier search is offered for another file.
            _ => self.forget_files(),
        }
        self.chosen.set(0);
        self.begun.set(begun);
    }

    /// Offers nothing until something else is typed.
    pub(super) fn close(self) {
        self.forget_files();
        self.begun.set(None);
    }

    fn forget_files(self) {
        self.question.set_value(None);
        self.files.set(None);
    }

    fn ask(self, letters: String) {
        let ask = move || {
            let path = format!("files?q={}", page::in_query(&letters));
            self.state.get(&path, move |answer| {
                let is_current =
                    self.begun.try_with_untracked(|begun| *begun == Some(BegunName::File(letters)));
                // A host that is away or too old offers nothing.
                if is_current == Some(true) {
                    self.files.set(answer.ok().and_then(|text| api::parse(&text).ok()));
                }
            });
        };
        self.question.set_value(Some(Timeout::new(ASK_AFTER_MS, ask)));
    }

    /// Returns the completions, best first; tracked.
    fn offered(self) -> Vec<PromptOffer> {
        let begun = self.begun.get();
        match begun {
            None => Vec::new(),
            Some(BegunName::Command(name)) => self.state.head.with(|head| {
                let all = head.commands.commands.iter();
                let fitting = all.filter(|command| command.name.starts_with(&name));
                fitting.take(OFFERED).cloned().map(PromptOffer::Command).collect()
            }),
            Some(BegunName::File(_)) => self.files.with(|found| {
                let files = found.iter().flat_map(|found| &found.files);
                files.take(OFFERED).cloned().map(PromptOffer::File).collect()
            }),
        }
    }

    /// Handles a key. Returns true if the list has used it.
    pub(super) fn press(self, event: &KeyboardEvent) -> bool {
        let offered = untrack(|| self.offered());
        if offered.is_empty() || event.is_composing() || event.shift_key() {
            return false;
        }
        let (now, last) = (self.chosen.get_untracked().min(offered.len() - 1), offered.len() - 1);
        match &*event.key() {
            "ArrowDown" => self.chosen.set(if now == last { 0 } else { now + 1 }),
            "ArrowUp" => self.chosen.set(now.checked_sub(1).unwrap_or(last)),
            "Escape" => self.close(),
            // A command that is typed in full is sent.
            "Enter" if self.is_whole(&offered[now]) => return false,
            "Enter" | "Tab" if !event.ctrl_key() && !event.meta_key() => self.choose(&offered[now]),
            _ => return false,
        }
        true
    }

    fn is_whole(self, offer: &PromptOffer) -> bool {
        let PromptOffer::Command(command) = offer else { return false };
        self.begun.get_untracked() == Some(BegunName::Command(command.name.clone()))
    }

    fn choose(self, offer: &PromptOffer) {
        let Some(begun) = self.begun.get_untracked() else { return };
        match (offer, begun) {
            (PromptOffer::Command(command), BegunName::Command(name)) => {
                self.draft.complete(&format!("/{name}"), &format!("/{} ", command.name));
            }
            (PromptOffer::File(path), BegunName::File(letters)) => {
                self.draft.complete(&format!("@{letters}"), &format!("@{path} "));
                self.draft.refer_to(path.clone());
            }
            _ => {}
        }
        self.close();
    }
}

fn entry_id(place: usize) -> String {
    format!("{LIST}-{place}")
}

/// Renders the list of completions.
///
/// The entries are one text of HTML: a view of each would be several KiB of the page's code.
pub(super) fn offers(list: OfferList) -> AnyView {
    let offered = Memo::new(move |_| list.offered());
    let html = move || {
        let chosen = list.chosen.get();
        offered.with(|offered| {
            let all = offered.iter().enumerate();
            all.map(|(place, offer)| entry_html(place, offer, place == chosen)).collect::<String>()
        })
    };
    let pick = move |event: MouseEvent| {
        let place = page::attribute_around(&event, "data-place").and_then(|it| it.parse().ok());
        let offer = place.and_then(|it: usize| offered.with_untracked(|all| all.get(it).cloned()));
        if let Some(offer) = offer {
            list.choose(&offer);
        }
    };
    let name = move || match list.begun.get() {
        Some(BegunName::File(_)) => "Files",
        _ => "Commands",
    };
    let note = move || {
        let is_cut = list.files.with(|found| found.as_ref().is_some_and(|it| it.truncated));
        is_cut.then_some("The folder is too large: not all of its files were searched.")
    };
    view! {
        <When condition=move || !offered.with(Vec::is_empty)>
            // The focus stays in the field.
            <div class="offers" data-testid="offers" on:mousedown=|event| event.prevent_default() on:click=pick>
                <div id=LIST role="listbox" aria-label=name inner_html=html></div>
                <p class="row-note">{note}</p>
            </div>
        </When>
    }
    .into_any()
}

fn entry_html(place: usize, offer: &PromptOffer, is_chosen: bool) -> String {
    let (name, about) = match offer {
        PromptOffer::Command(command) => (format!("/{}", command.name), &*command.description),
        PromptOffer::File(path) => match path.rsplit_once('/') {
            Some((folder, name)) => (name.to_owned(), folder),
            None => (path.clone(), ""),
        },
    };
    let (id, name, about) = (entry_id(place), escaped(&name), escaped(about));
    format!(
        "<div id={id} data-place={place} class=picker-option role=option aria-selected={is_chosen}>\
         <code>{name}</code><bdi class=offer-about>{about}</bdi></div>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn names_are_begun_by_their_signs() {
        let command = |name: &str| Some(BegunName::Command(name.to_owned()));
        let file = |letters: &str| Some(BegunName::File(letters.to_owned()));
        for (before, begun) in [
            ("", None),
            ("/", command("")),
            ("/comp", command("comp")),
            ("/compact now", None),
            ("see /comp", None),
            ("@", file("")),
            ("look at @src/l", file("src/l")),
            ("look at\n@lib", file("lib")),
            ("(@lib", file("lib")),
            ("look at @src/lib.rs ", None),
            ("me@example", None),
            ("@größe", file("größe")),
        ] {
            assert_eq!(BegunName::of(before), begun, "{before:?}");
        }
    }
}
