//! The content of messages and tools, as HTML.

use std::sync::Arc;

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::agent::content::{ContentBlock, KnownContent};
use moorline_shared::fold::{ConversationItem, MessageItem};

use crate::bindings::{clipboard, page};
use crate::ui::growing::GrowingText;
use crate::ui::highlight::CodeColours;
use crate::ui::long::long_html;
use crate::ui::markdown;
use crate::ui::when::{each, effect};

/// The bytes of HTML that are added to the page in one frame.
const FRAME_BYTES: usize = 48 * 1024;

/// The blocks of a message as HTML. While the agent speaks, only the last ones change; those of a
/// long message come in several frames.
#[component]
pub fn Blocks(
    /// The item of the message. It changes while the agent speaks.
    item: RwSignal<Arc<ConversationItem>>,
) -> impl IntoView {
    let colours = CodeColours::expect();
    let message = StoredValue::new(GrowingMessage::default());
    let blocks = Memo::new(move |_| {
        let mut blocks = Vec::new();
        let item = item.get();
        message.update_value(|message| blocks = message.follow(&item, colours));
        blocks
    });
    let drawn = RwSignal::new(blocks.with_untracked(|blocks| fitting(blocks, 0)));
    effect(move || {
        let before = drawn.get();
        let next = blocks.with(|blocks| fitting(blocks, before));
        if next > before {
            request_animation_frame(move || _ = drawn.try_set(next));
        }
    });
    let keys = move || {
        let count = blocks.with(Vec::len).min(drawn.get());
        (0..count).map(|place| place.to_string()).collect()
    };
    let block = move |place: &str| {
        let place: usize = place.parse().unwrap_or_default();
        let html = move || blocks.with(|all| all.get(place).cloned()).unwrap_or_default();
        long_html("block", html)
    };
    view! {
        <div class="prose" data-find="" on:click=move |event| press_in_text(&event)>{each(keys, block)}</div>
    }
}

/// Copies a piece of code, if its button was pressed, or goes to a footnote, if its mark was.
pub(super) fn press_in_text(event: &MouseEvent) {
    page::follow_footnote(event);
    if let Some(code) = clipboard::pressed(event) {
        spawn_local(async move {
            if clipboard::write(&code.text).await {
                code.confirm();
            }
        });
    }
}

/// Returns the number of blocks that are drawn once those of the next frame are added.
fn fitting(blocks: &[String], drawn: usize) -> usize {
    let mut bytes = 0;
    let fits = |html: &&String| {
        let is_first = bytes == 0;
        bytes += html.len();
        is_first || bytes <= FRAME_BYTES
    };
    drawn + blocks.iter().skip(drawn).take_while(fits).count()
}

/// The HTML of a message that grows.
#[derive(Default)]
struct GrowingMessage {
    /// The item as it was, to see what is new.
    before: Option<Arc<ConversationItem>>,
    /// The last of its texts, which is the one that grows.
    last: GrowingText,
    /// True if its code has colours.
    is_coloured: bool,
}

impl GrowingMessage {
    /// Returns the HTML of each block; tracked, because the colours of code come later.
    fn follow(&mut self, item: &Arc<ConversationItem>, colours: CodeColours) -> Vec<String> {
        let was_coloured = std::mem::replace(&mut self.is_coloured, colours.is_ready());
        let before = self.before.replace(Arc::clone(item));
        let before = before.filter(|_| was_coloured == self.is_coloured);
        let Some((last, others)) = contents(item).split_last() else { return Vec::new() };
        let block_html = |content| block_html(content, colours);
        let mut blocks: Vec<String> = others.iter().flat_map(block_html).collect();
        let Some(text) = last.as_text() else {
            blocks.extend(block_html(last));
            return blocks;
        };
        let before = before.as_deref().and_then(|before| contents(before).last());
        let before = before.and_then(ContentBlock::as_text).unwrap_or_default();
        self.last.follow(before, text, |text| colours.placed_markdown(text));
        blocks.extend_from_slice(self.last.blocks());
        blocks
    }
}

fn contents(item: &ConversationItem) -> &[ContentBlock] {
    match item {
        ConversationItem::Message(MessageItem { content, .. }) => content,
        _ => &[],
    }
}

/// Returns the HTML of a piece of content.
pub(super) fn block_html(content: &ContentBlock, colours: CodeColours) -> Vec<String> {
    match content {
        ContentBlock::Known(KnownContent::Text { text }) => colours.markdown(text),
        ContentBlock::Known(KnownContent::Image { mime_type, data, .. }) => {
            vec![image_html(mime_type, data)]
        }
        ContentBlock::Known(KnownContent::ResourceLink { uri, name, .. }) => {
            let name = if name.is_empty() { uri } else { name };
            vec![format!("<p><code>{}</code></p>", markdown::escaped(name))]
        }
        ContentBlock::Other(value) => {
            vec![format!("<pre>{}</pre>", markdown::escaped(&value.to_string()))]
        }
    }
}

/// Returns the HTML of an image.
fn image_html(mime_type: &str, data: &str) -> String {
    match image_address(mime_type, data) {
        Some(address) => {
            format!("<img alt=\"Image from the agent\" src=\"{address}\" decoding=\"async\">")
        }
        None => format!("<p>[Image, {}]</p>", markdown::escaped(mime_type)),
    }
}

/// Returns the address of an image; `None` unless it is of a format that cannot hold scripts.
pub(super) fn image_address(mime_type: &str, data: &str) -> Option<String> {
    let is_shown = matches!(mime_type, "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    let is_base64 = data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let is_image = is_shown && is_base64 && !data.is_empty();
    is_image.then(|| format!("data:{mime_type};base64,{data}"))
}
