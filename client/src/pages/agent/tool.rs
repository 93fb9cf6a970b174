//! Tool calls, alone and in groups.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::agent::content::{KnownToolContent, ToolContent, ToolStatus};
use moorline_shared::fold::{ConversationItem, ToolItem};

use super::diff_view::file_diff;
use super::message::{block_html, copy_code};
use super::state::ConversationState;
use crate::session::route::PageRoute;
use crate::ui::highlight::CodeColours;
use crate::ui::markdown::escaped;
use crate::ui::when::live;
use crate::ui::{Icon, IconName};

/// The most characters of a tool's input or output that are shown.
const RAW_CHARACTERS: usize = 20_000;

/// Renders one tool call.
pub(super) fn tool(item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    let known = Memo::new(move |_| item.with(|item| of_tool(item).cloned().unwrap_or_default()));
    let status = move || known.with(|tool| status_name(tool.status));
    // A change of a file is what people look for; of anything else the line is enough. While it
    // waits, the question shows it.
    let is_open = Memo::new(move |_| {
        known.with(|tool| tool.status != ToolStatus::Pending && tool.content.iter().any(is_diff))
    });
    view! {
        <details class="tool" data-status=status data-testid="tool" open=move || is_open.get()>
            <summary>
                {live(move || view! { <Icon name=known.with(|tool| icon(&tool.kind)) /> }.into_any())}
                <span class="tool-title"><bdi>{move || known.with(title)}</bdi></span>
                <span class="tool-status">{move || known.with(|tool| status_word(tool.status))}</span>
            </summary>
            {live(move || known.with(content))}
        </details>
    }
    .into_any()
}

/// Renders tool calls that follow each other, folded except for the one that runs.
pub(super) fn tools(keys: &[String]) -> AnyView {
    let state = ConversationState::expect();
    let items: Vec<_> = keys.iter().filter_map(|key| state.item(key)).collect();
    let counted = items.clone();
    let summary = move || {
        let running = counted.iter().find_map(|item| {
            item.with(|item| of_tool(item).filter(|tool| !tool.status.is_over()).map(title))
        });
        let failed = counted.iter().filter(|item| {
            item.with(|item| of_tool(item).is_some_and(|tool| tool.status == ToolStatus::Failed))
        });
        let (count, failed) = (counted.len(), failed.count());
        match (running, failed) {
            (Some(title), _) => format!("{count} steps · {title}"),
            (None, 0) => format!("{count} steps"),
            (None, failed) => format!("{count} steps, {failed} failed"),
        }
    };
    view! {
        <details class="tool-group" data-testid="tool-group">
            <summary>
                <Icon name=IconName::Stack />
                <span class="tool-title">{summary}</span>
            </summary>
            <div class="tool-list">{items.into_iter().map(tool).collect_view()}</div>
        </details>
    }
    .into_any()
}

fn of_tool(item: &ConversationItem) -> Option<&ToolItem> {
    match item {
        ConversationItem::Tool(tool) => Some(tool),
        _ => None,
    }
}

fn is_diff(content: &ToolContent) -> bool {
    matches!(content, ToolContent::Known(KnownToolContent::Diff { .. }))
}

fn title(tool: &ToolItem) -> String {
    if tool.title.is_empty() { "Use a tool".to_owned() } else { tool.title.clone() }
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

/// Renders what a tool works on and has produced.
fn content(tool: &ToolItem) -> AnyView {
    let places = (!tool.locations.is_empty()).then(|| {
        let place = |at: &moorline_shared::agent::content::ToolLocation| match at.line {
            Some(line) => format!("{}:{line}", at.path),
            None => at.path.clone(),
        };
        let places: Vec<String> = tool.locations.iter().map(place).collect();
        view! { <p class="tool-places"><code><bdi>{places.join(", ")}</bdi></code></p> }
    });
    let contents = tool.content.iter().map(piece).collect_view();
    // What has content shows its output there.
    let raw = tool.content.is_empty();
    let input = tool.input.as_ref().filter(|_| raw).map(|input| raw_view("Input", input));
    let output = tool.output.as_ref().filter(|_| raw).map(|output| raw_view("Output", output));
    let cut = tool.truncated.then(|| {
        view! { <p class="row-note">"A part was too large to be recorded."</p> }
    });
    view! { <div class="tool-content">{places}{contents}{input}{output}{cut}</div> }.into_any()
}

/// Renders a piece of what a tool has produced.
pub(super) fn piece(content: &ToolContent) -> AnyView {
    match content {
        ToolContent::Known(known) => known_piece(known),
        ToolContent::Other(value) => raw_view("Output", value),
    }
}

/// Renders a piece of a known type.
pub(super) fn known_piece(content: &KnownToolContent) -> AnyView {
    match content {
        KnownToolContent::Content { content } => {
            let (content, colours) = (content.clone(), CodeColours::expect());
            let html = move || block_html(&content, colours).concat();
            view! { <div class="prose" inner_html=html on:click=move |event| copy_code(&event)></div> }
                .into_any()
        }
        KnownToolContent::Diff { path, old_text, new_text } => {
            file_diff(path, old_text.as_deref(), new_text)
        }
        KnownToolContent::Terminal { session_id } => terminal_link(session_id),
    }
}

fn terminal_link(id: &str) -> AnyView {
    match id.parse() {
        Ok(id) => {
            let address = PageRoute::Terminal(id).address();
            view! {
                <a class="button" href=address data-testid="tool-terminal">
                    <Icon name=IconName::Prompt />
                    <span>"Open its terminal"</span>
                </a>
            }
            .into_any()
        }
        Err(_) => ().into_any(),
    }
}

fn raw_view(name: &'static str, value: &serde_json::Value) -> AnyView {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    let shown: String = text.chars().take(RAW_CHARACTERS).collect();
    let html = escaped(&shown);
    view! {
        <div class="tool-raw">
            <span class="tool-raw-name">{name}</span>
            <pre tabindex="0" aria-label=name inner_html=html></pre>
        </div>
    }
    .into_any()
}
