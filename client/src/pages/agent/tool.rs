//! Tool calls, alone and in groups.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::agent::content::{KnownToolContent, ToolContent, ToolLocation, ToolStatus};
use moorline_shared::fold::{ConversationItem, ToolItem};
use moorline_shared::id::SessionId;
use serde_json::Value;

use super::blocks::{block_html, press_in_text};
use super::folds::{FoldState, FoldStates};
use super::more_code::{MoreCode, ShownChange};
use super::paths::RelativePaths;
use super::state::ConversationState;
use super::terminal_part::{self, TerminalView};
use super::tool_title::title;
use crate::session::route::PageRoute;
use crate::ui::highlight::CodeColours;
use crate::ui::long::long_html;
use crate::ui::markdown::escaped;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::{each, live};
use crate::ui::{Icon, IconName, When};

/// The most tool calls of a group that are shown at first, and that each step back adds.
const SHOWN_CALLS: u64 = 60;

/// Shows the tool call at a place.
pub(super) fn tool(place: u64) -> AnyView {
    let state = ConversationState::expect();
    let Some(item) = state.item(place) else { return ().into_any() };
    let status = part(item, |tool| status_name(tool.status).to_owned());
    let word = part(item, |tool| status_word(tool.status).to_owned());
    let kind = part(item, |tool| tool.kind.clone());
    let title = part(item, title);
    let fold = FoldState::new(place.to_string(), move || of_tool(item, opens));
    let toggled = move |event: leptos::ev::Event| fold.toggled(&event);
    view! {
        <details
            class="tool"
            data-status=move || status.get()
            data-testid="tool"
            data-place=place.to_string()
            open=move || fold.is_open()
            on:toggle=toggled
        >
            <summary title=move || title.get()>
                {live(move || view! { <Icon name=icon(&kind.get()) /> }.into_any())}
                <span class="tool-title" data-find=""><bdi>{move || title.with(|title| state.folder.shorten(title))}</bdi></span>
                <span class="tool-status">{move || word.get()}</span>
            </summary>
            {fold.content(move || content(place, item))}
        </details>
    }
    .into_any()
}

/// Shows the group of tool calls that begins at a place. It is folded unless the user opened it, or
/// one of its calls before they were a group.
pub(super) fn tools(place: u64) -> AnyView {
    let state = ConversationState::expect();
    let (group, folds) = (state.group(place), FoldStates::expect());
    let first = group.with_untracked(|group| group.places.clone()).take(3);
    let is_open = first.into_iter().any(|place| folds.chosen(&place.to_string()) == Some(true));
    let fold = FoldState::new(format!("group {place}"), move || is_open);
    let toggled = move |event: leptos::ev::Event| fold.toggled(&event);
    let summary = move || {
        let (count, failed) = group.with(|group| group.counts());
        let current = group.with(|group| group.current.clone());
        match (current, failed) {
            (Some(title), _) => format!("{count} steps · {}", state.folder.shorten(&title)),
            (None, 0) => format!("{count} steps"),
            (None, failed) => format!("{count} steps, {failed} failed"),
        }
    };
    let calls = move || {
        let places = group.with_untracked(|group| group.places.clone());
        let from = RwSignal::new(places.end.saturating_sub(SHOWN_CALLS).max(places.start));
        let earlier = move || from.get() - group.with(|group| group.places.start).min(from.get());
        let keys = move || {
            let end = group.with(|group| group.places.end);
            (from.get()..end).map(|place| place.to_string()).collect()
        };
        let show = move |_| from.update(|from| *from -= SHOWN_CALLS.min(untrack(earlier)));
        view! {
            <When condition=move || earlier() != 0>
                <button class="button quiet" data-more="" data-testid="earlier-calls" on:click=show>
                    {move || format!("Show {} earlier", earlier())}
                </button>
            </When>
            <div class="tool-list">
                {each(keys, |place| tool(place.parse().unwrap_or_default()))}
            </div>
        }
        .into_any()
    };
    view! {
        <details class="tool-group" data-testid="tool-group" open=move || fold.is_open() on:toggle=toggled>
            <summary>
                <Icon name=IconName::Stack />
                <span class="tool-title">{summary}</span>
            </summary>
            {fold.content(calls)}
        </details>
    }
    .into_any()
}

/// Reads a tool call; tracked.
fn of_tool<T: Default>(
    item: RwSignal<Arc<ConversationItem>>,
    read: impl FnOnce(&ToolItem) -> T,
) -> T {
    item.with(|item| match &**item {
        ConversationItem::Tool(tool) => read(tool),
        _ => T::default(),
    })
}

/// Returns a part of a tool call that changes less often than the call.
fn part(item: RwSignal<Arc<ConversationItem>>, read: fn(&ToolItem) -> String) -> Memo<String> {
    Memo::new(move |_| of_tool(item, read))
}

/// Returns true if a tool call is open by default. A change of a file is what people look for; of
/// anything else the line is enough. While it waits, the question shows it.
fn opens(tool: &ToolItem) -> bool {
    tool.status != ToolStatus::Pending && tool.content.iter().any(is_diff)
}

fn is_diff(content: &ToolContent) -> bool {
    matches!(content, ToolContent::Known(KnownToolContent::Diff { .. }))
}

fn icon(kind: &str) -> IconName {
    match kind {
        "read" => IconName::Text,
        "edit" => IconName::Pencil,
        "delete" => IconName::Bin,
        "move" => IconName::Folder,
        "search" => IconName::Search,
        "execute" => IconName::Prompt,
        "think" => IconName::Info,
        "fetch" => IconName::Down,
        _ => IconName::Sliders,
    }
}

fn status_name(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Pending => "pending",
        ToolStatus::InProgress => "running",
        ToolStatus::Completed => "done",
        ToolStatus::Failed => "failed",
        ToolStatus::Cancelled => "stopped",
        ToolStatus::Other => "other",
    }
}

fn status_word(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Pending => "waiting",
        ToolStatus::InProgress => "running",
        ToolStatus::Completed | ToolStatus::Other => "",
        ToolStatus::Failed => "failed",
        ToolStatus::Cancelled => "stopped",
    }
}

/// Shows what a tool works on and has produced. Each part is built again only when it changes.
fn content(place: u64, item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    let folder = ConversationState::expect().folder;
    let pieces = move || {
        let count = of_tool(item, |tool| tool.content.len());
        (0..count).map(|number| number.to_string()).collect()
    };
    let numbered = move |number: &str| {
        let (key, number) = (format!("{place} {number}"), number.parse().unwrap_or(usize::MAX));
        let content = Memo::new(move |_| of_tool(item, |tool| tool.content.get(number).cloned()));
        live(move || {
            content.with(|content| content.as_ref().map(|it| piece(it, folder, &key))).into_any()
        })
    };
    let is_cut = move || of_tool(item, |tool| tool.truncated);
    view! {
        <div class="tool-content">
            {places(part(item, places_text), folder)}
            {each(pieces, numbered)}
            // What has content shows its output there.
            {raw_view("Input", part(item, |tool| raw(tool, tool.input.as_ref())))}
            {raw_view("Output", part(item, |tool| raw(tool, tool.output.as_ref())))}
            <When condition=is_cut>
                <p class="row-note">"Part of this was too large to store."</p>
            </When>
        </div>
    }
    .into_any()
}

/// Returns the places in files that a tool works on, a line for each.
pub(super) fn places_text(tool: &ToolItem) -> String {
    let place = |at: &ToolLocation| match at.line {
        Some(line) => format!("{}:{line}", at.path),
        None => at.path.clone(),
    };
    tool.locations.iter().map(place).collect::<Vec<_>>().join("\n")
}

fn places(text: Memo<String>, folder: RelativePaths) -> AnyView {
    let short = move || text.with(|text| folder.shorten(text)).replace('\n', ", ");
    view! {
        <When condition=move || text.with(|text| !text.is_empty())>
            <p class="tool-places" title=move || text.get() data-find="">
                <code><bdi>{short}</bdi></code>
            </p>
        </When>
    }
    .into_any()
}

/// Returns the text of an input or output; empty if there is none, or if there is content.
fn raw(tool: &ToolItem, value: Option<&Value>) -> String {
    value.filter(|_| tool.content.is_empty()).map(raw_text).unwrap_or_default()
}

/// Shows a piece of what a tool has produced. `key` is unique in the conversation.
fn piece(content: &ToolContent, folder: RelativePaths, key: &str) -> AnyView {
    match content {
        ToolContent::Known(known) => known_piece(known, folder, key),
        ToolContent::Other(value) => {
            let text = raw_text(value);
            raw_view("Output", Memo::new(move |_| text.clone()))
        }
    }
}

/// Shows a piece of a known type, in a tool call or in a question about one.
pub(super) fn known_piece(content: &KnownToolContent, folder: RelativePaths, key: &str) -> AnyView {
    match content {
        KnownToolContent::Content { content } => {
            let (content, colours) = (content.clone(), CodeColours::expect());
            let html = long_html("prose", move || block_html(&content, colours).concat());
            view! { <div data-find="" on:click=move |event| press_in_text(&event)>{html}</div> }
                .into_any()
        }
        KnownToolContent::Diff { path, old_text, new_text } => {
            let (path, key) = (path.clone(), key.to_owned());
            let change = ShownChange { path, old: old_text.clone(), new: new_text.clone(), key };
            MoreCode::expect().show(move |views| (views.diff)(&change, folder))
        }
        KnownToolContent::Terminal { session_id } => terminal(session_id),
    }
}

/// Shows the screen of a terminal, once its code is loaded, and a link to its page.
fn terminal(id: &str) -> AnyView {
    let Ok(id) = id.parse::<SessionId>() else { return ().into_any() };
    let address = PageRoute::Terminal(id.clone()).address();
    let code: OnDemand<TerminalView> = OnDemand::new();
    code.load(terminal_part::terminal());
    let screen = move || match code.state() {
        LoadState::Ready => code.get().map(|view| view(id.clone())).into_any(),
        LoadState::Failed(error) => {
            view! { <p class="row-note" role="alert">{error.to_string()}</p> }.into_any()
        }
        _ => ().into_any(),
    };
    view! {
        {live(screen)}
        <a class="button" href=address data-testid="tool-terminal">
            <Icon name=IconName::Prompt />
            <span>"Open terminal"</span>
        </a>
    }
    .into_any()
}

/// Returns an input or output as people read it.
pub(super) fn raw_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

fn raw_view(name: &'static str, text: Memo<String>) -> AnyView {
    let html = move || {
        let html = text.with(|text| escaped(text));
        format!("<pre tabindex=\"0\" aria-label=\"{name}\">{html}</pre>")
    };
    let html = move || long_html("", html);
    view! {
        <When condition=move || text.with(|text| !text.is_empty())>
            <div class="tool-raw">
                <span class="tool-raw-name">{name}</span>
                <div data-find="">{html()}</div>
            </div>
        </When>
    }
    .into_any()
}
