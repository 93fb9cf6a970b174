//! Renders Markdown as HTML that is safe to show, whoever wrote it.
//!
//! HTML in the text is shown as text. Links lead only to web pages and mail addresses, and images
//! become links. Nothing is loaded from elsewhere.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::visible::{visible, visible_prose};
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Size in bytes up to which a text is formatted. A larger one is shown as it is.
const FORMATTED_BYTES: usize = 512 * 1024;

const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_FOOTNOTES);

/// The button that copies a piece of code.
pub(super) const COPY_BUTTON: &str =
    r#"<button type="button" class="copy-code" data-copy>Copy</button>"#;

/// How code is shown.
#[derive(Clone, Copy)]
pub struct CodeStyle<'a> {
    /// Returns code in a language as safe HTML with colours, or `None` to show it without.
    pub colour: &'a dyn Fn(&str, &str) -> Option<String>,
    /// True if code has a button with the attribute `data-copy`, before the element with the code.
    pub can_copy: bool,
}

/// Returns the HTML of each block of a text: paragraphs, lists, code and so on. More text only
/// changes the last block and what follows it, except if it defines a link that was used before.
#[must_use]
pub fn blocks(text: &str, style: CodeStyle<'_>) -> Vec<String> {
    placed_blocks(text, style).into_iter().map(|(_, html)| html).collect()
}

/// Returns the HTML of each block of a text, with the byte at which the block's first line begins.
#[must_use]
pub fn placed_blocks(text: &str, style: CodeStyle<'_>) -> Vec<(usize, String)> {
    if text.len() > FORMATTED_BYTES {
        return vec![(0, format!("<pre>{}</pre>", escaped(text)))];
    }
    let mut blocks = Vec::new();
    let mut block = MarkdownBlock::default();
    let mut start = None;
    for (event, range) in Parser::new_ext(text, OPTIONS).into_offset_iter() {
        let begins = *start.get_or_insert(range.start);
        block.push(event, style);
        if block.depth == 0 {
            // An indented block begins behind its indentation.
            let line = text[..begins].rfind('\n').map_or(0, |end| end + 1);
            blocks.push((line, std::mem::take(&mut block).html()));
            start = None;
        }
    }
    blocks
}

/// Returns the words of a text without its formatting, as its HTML shows them.
#[must_use]
pub fn plain(text: &str) -> String {
    if text.len() > FORMATTED_BYTES {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    // The address of each open link, and where its words begin.
    let mut links = Vec::new();
    for (event, _) in Parser::new_ext(text, OPTIONS).into_offset_iter() {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                plain.push_str(&text);
            }
            Event::SoftBreak | Event::HardBreak => plain.push('\n'),
            Event::FootnoteReference(name) | Event::Start(Tag::FootnoteDefinition(name)) => {
                plain.push_str(&name);
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push((dest_url, plain.len()));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                let Some((address, start)) = links.pop() else { continue };
                plain.push_str(&told_address(&address, &plain[start..]).unwrap_or_default());
            }
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => {}
            Event::End(_) => plain.push('\n'),
            _ => {}
        }
    }
    plain
}

/// Returns a text that HTML shows as it is, with hidden characters written out.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// One block, as far as it was read.
#[derive(Default)]
struct MarkdownBlock<'a> {
    events: Vec<Event<'a>>,
    /// The number of elements that are open.
    depth: usize,
    /// For each open link and image, its address and the number of events before it.
    links: Vec<(CowStr<'a>, usize)>,
    /// The language and the text of the code that is open.
    code: Option<(CowStr<'a>, String)>,
}

impl<'a> MarkdownBlock<'a> {
    fn push(&mut self, event: Event<'a>, style: CodeStyle<'_>) {
        match (event, &mut self.code) {
            (Event::End(TagEnd::CodeBlock), Some(_)) => {
                self.depth = self.depth.saturating_sub(1);
                if let Some((info, text)) = self.code.take() {
                    self.events.push(Event::Html(code_html(&info, &text, style).into()));
                }
            }
            (Event::Text(text), Some((_, code))) => code.push_str(&text),
            (event, _) => self.push_other(event),
        }
    }

    fn push_other(&mut self, event: Event<'a>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                self.depth += 1;
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info,
                    CodeBlockKind::Indented => CowStr::Borrowed(""),
                };
                self.code = Some((info, String::new()));
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.depth += 1;
                if is_safe(&dest_url) {
                    let mut link = String::new();
                    // Writing to a text cannot fail.
                    let _ = write!(
                        link,
                        r#"<a href="{}" target="_blank" rel="noopener noreferrer">"#,
                        escaped(&dest_url)
                    );
                    self.events.push(Event::InlineHtml(link.into()));
                }
                self.links.push((dest_url, self.events.len()));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                self.depth = self.depth.saturating_sub(1);
                let Some((address, start)) = self.links.pop() else { return };
                if is_safe(&address) {
                    return self.events.push(Event::InlineHtml(CowStr::Borrowed("</a>")));
                }
                let words = self.events[start..].iter().filter_map(|event| match event {
                    Event::Text(text) | Event::Code(text) => Some(&**text),
                    _ => None,
                });
                let told = told_address(&address, &words.collect::<String>());
                self.events.extend(told.map(|told| Event::Text(told.into())));
            }
            Event::Html(text) | Event::InlineHtml(text) | Event::Text(text) => {
                self.events.push(Event::Text(shown(text, visible_prose)));
            }
            Event::Code(text) => self.events.push(Event::Code(shown(text, visible))),
            // The parser's own HTML would name elements by words of the text.
            Event::FootnoteReference(name) => {
                let name = escaped(&name);
                self.events.push(Event::InlineHtml(
                    format!(
                        "<button type=\"button\" class=\"footnote-mark\" \
                         aria-label=\"Footnote {name}\" data-note=\"{name}\">{name}</button>"
                    )
                    .into(),
                ));
            }
            Event::Start(Tag::FootnoteDefinition(name)) => {
                self.depth += 1;
                let name = escaped(&name);
                let begin = format!(
                    "<div class=\"footnote\" tabindex=\"-1\" data-note-text=\"{name}\">\
                     <span>{name}</span><div>"
                );
                self.events.push(Event::Html(begin.into()));
            }
            Event::End(TagEnd::FootnoteDefinition) => {
                self.depth = self.depth.saturating_sub(1);
                self.events.push(Event::Html(CowStr::Borrowed("</div></div>\n")));
            }
            // Blocks of HTML are paragraphs of text.
            Event::Start(Tag::HtmlBlock) => {
                self.depth += 1;
                self.events.push(Event::Start(Tag::Paragraph));
            }
            Event::End(TagEnd::HtmlBlock) => {
                self.depth = self.depth.saturating_sub(1);
                self.events.push(Event::End(TagEnd::Paragraph));
            }
            event => {
                match &event {
                    Event::Start(_) => self.depth += 1,
                    Event::End(_) => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.events.push(event);
            }
        }
    }

    fn html(self) -> String {
        let mut text = String::new();
        html::push_html(&mut text, self.events.into_iter());
        text
    }
}

/// Returns the HTML of code; `info` begins with the name of its language.
fn code_html(info: &str, text: &str, style: CodeStyle<'_>) -> String {
    let language = info.split([' ', ',', '{']).next().unwrap_or_default();
    let text = &*visible(text);
    let code = (style.colour)(language, text).unwrap_or_else(|| escaped(text));
    let copy = if style.can_copy { COPY_BUTTON } else { "" };
    format!(
        r#"<div class="code" dir="ltr">{copy}<pre tabindex="0"><code>{code}</code></pre></div>"#
    )
}

/// Returns a text with some characters written out.
fn shown<'a>(text: CowStr<'a>, write_out: fn(&str) -> Cow<'_, str>) -> CowStr<'a> {
    match write_out(&text) {
        Cow::Owned(shown) => shown.into(),
        Cow::Borrowed(_) => text,
    }
}

/// Returns what follows the words of a link that leads nowhere, such as a file of the session's folder:
/// its address, unless the words are that.
fn told_address(address: &str, words: &str) -> Option<String> {
    let is_told = is_safe(address) || address.is_empty() || words == address;
    (!is_told).then(|| format!(" ({})", visible(address)))
}

/// Returns true if a link may lead there: a web page, or a mail address.
fn is_safe(address: &str) -> bool {
    let scheme = address.split(':').next().unwrap_or_default();
    address.contains(':')
        && ["http", "https", "mailto"].iter().any(|safe| scheme.eq_ignore_ascii_case(safe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn blocks(text: &str) -> Vec<String> {
        super::blocks(text, CodeStyle { colour: &|_, _| None, can_copy: false })
    }

    fn html(text: &str) -> String {
        blocks(text).concat()
    }

    #[test]
    fn text_is_formatted_by_blocks() {
        let text = "# Title\n\nSome *text*.\n\n- a\n- b\n\n```rust\nfn main() {}\n```\n";
        let blocks = blocks(text);
        assert_eq!(blocks.len(), 4);
        assert_eq!(blocks[0], "<h1>Title</h1>\n");
        assert!(blocks[3].contains("<code>fn main() {}"));
        // More text leaves the blocks before the last as they are.
        let longer = self::blocks(&format!("{text}\nMore"));
        assert_eq!(longer[..4], blocks[..]);
    }

    #[test]
    fn code_is_coloured_by_its_language() {
        let colour = |language: &str, text: &str| Some(format!("<b>{language}:{}</b>", text.len()));
        let style = CodeStyle { colour: &colour, can_copy: true };
        let text = "- a\n\n  ```rust,ignore {x}\n  <i>\n  ```\n\n    indented\n\n`inline`";
        let html = super::blocks(text, style).concat();
        assert!(
            html.contains(
                "data-copy>Copy</button><pre tabindex=\"0\"><code><b>rust:4</b></code></pre>"
            ),
            "{html}"
        );
        assert!(html.contains("<code>inline</code>"), "{html}");
        let plain = CodeStyle { colour: &|_, _| None, can_copy: false };
        let html = super::blocks("```\n<i>&\n```", plain).concat();
        assert_eq!(
            html,
            "<div class=\"code\" dir=\"ltr\"><pre tabindex=\"0\"><code>&lt;i&gt;&amp;\n</code></pre></div>"
        );
    }

    #[test]
    fn the_words_of_a_text_are_without_its_formatting() {
        let text = "# A *b*\n\n- `c`\n- [d](https://e.org)\n\n| f |\n|---|\n| g |\n\n```\nh\n```\n\n<i>j\nk";
        let plain = super::plain(text);
        let words: Vec<&str> = plain.split_whitespace().collect();
        assert_eq!(words, ["A", "b", "c", "d", "f", "g", "h", "<i>j", "k"]);
        assert_eq!(super::plain("a **b**c"), "a bc\n");
    }

    #[test]
    fn nothing_in_a_text_is_run_or_loaded() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](\u{1}javascript:alert(1))",
            "![x](https://example.org/a.png)",
            "![x](javascript:alert(1))",
            "[x](data:text/html,hi)",
            "<a href='javascript:alert(1)'>x</a>",
            "[a\"b](https://example.org/\"onmouseover=alert(1))",
            "```\"><script>alert(1)</script>\n```",
            "| a |\n|---|\n| <script>x</script> |",
        ] {
            let html = html(text);
            for bad in ["<script", "<img", "href=\"java", "href=\"data", "\" onmouse", "\"onmouse"]
            {
                assert!(!html.to_lowercase().contains(bad), "{text}: {html}");
            }
        }
        let link = html("[x](https://example.org/?a=1&b=2)");
        assert!(link.contains("href=\"https://example.org/?a=1&amp;b=2\""), "{link}");
    }

    #[test]
    fn footnotes_name_nothing_of_the_page() {
        let text = "See[^a].\n\n[^a]: The *note*.\n\nOn.";
        let html = html(text);
        assert!(html.contains("<p>See<button type=\"button\" class=\"footnote-mark\""), "{html}");
        assert!(html.contains("data-note=\"a\">a</button>.</p>"), "{html}");
        let note =
            "data-note-text=\"a\"><span>a</span><div>\n<p>The <em>note</em>.</p>\n</div></div>";
        assert!(html.contains(note) && html.ends_with("<p>On.</p>\n"), "{html}");
        assert!(!html.contains("id=") && !html.contains("href"), "{html}");
        let words: String = html.split('<').filter_map(|it| it.split('>').nth(1)).collect();
        let shown = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(shown(&words), shown(&super::plain(text)));
        let bad = super::blocks(
            "x[^\"><b>]\n\n[^\"><b>]: y",
            CodeStyle { colour: &|_, _| None, can_copy: false },
        );
        assert!(!bad.concat().contains("<b>"), "{bad:?}");
    }

    #[test]
    fn a_link_that_leads_nowhere_tells_its_address() {
        assert_eq!(html("[file](src/main.rs)"), "<p>file (src/main.rs)</p>\n");
        assert_eq!(html("[`a.rs`](a.rs)"), "<p><code>a.rs</code></p>\n");
        for text in ["[**a** b](c.rs#L3) d", "[a](a)", "[x](https://e.org)", "![i](i.png)"] {
            let shown = html(text);
            let words: String = shown.split('<').filter_map(|it| it.split('>').nth(1)).collect();
            assert_eq!(words, super::plain(text), "{shown}");
        }
    }

    #[test]
    fn what_reads_backwards_is_written_out() {
        assert_eq!(html("a\u{202e}b `c\u{200b}`"), "<p>a⟨U+202E⟩b <code>c⟨U+200B⟩</code></p>\n");
    }

    #[test]
    fn broken_and_large_texts_are_shown() {
        assert!(html("```\nnever closed").contains("never closed"));
        assert!(html("**open").contains("**open"));
        let large = "<b>".repeat(FORMATTED_BYTES);
        assert!(html(&large).starts_with("<pre>&lt;b&gt;"));
        assert!(blocks("").is_empty());
        assert_eq!(blocks(&"> ".repeat(5000)).len(), 1);
    }
}
