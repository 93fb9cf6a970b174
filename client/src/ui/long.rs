//! HTML that may be very long. It is shown in pieces, because a browser stops for as long as it
//! takes to lay out all of it.

use leptos::prelude::*;

use super::markdown::COPY_BUTTON;
use super::when::{When, each, live};

/// The size in bytes from which HTML is shown in pieces, and about that of a piece.
const PIECE_BYTES: usize = 32 * 1024;

/// The number of pieces that are added at a time.
const PIECES: usize = 4;

/// Shows HTML in a `div` of a class; what is long, in pieces, of which all but the first wait for a
/// button.
pub fn long_html(
    class: &'static str,
    html: impl Fn() -> String + Send + Sync + 'static,
) -> AnyView {
    blocks_of(class, Memo::new(move |_| html()))
}

fn blocks_of(class: &'static str, html: Memo<String>) -> AnyView {
    let is_long = Memo::new(move |_| html.with(|html| html.len() > PIECE_BYTES));
    live(move || if is_long.get() { pieces(class, html) } else { plain(class, Signal::from(html)) })
}

fn plain(class: &'static str, html: Signal<String>) -> AnyView {
    view! { <div class=class dir="auto" inner_html=move || html.get()></div> }.into_any()
}

fn pieces(class: &'static str, html: Memo<String>) -> AnyView {
    let pieces = Memo::new(move |_| html.with(|html| split(html)));
    let shown = RwSignal::new(1);
    let keys = move || {
        let count = pieces.with(Vec::len).min(shown.get());
        (0..count).map(|number| number.to_string()).collect()
    };
    let piece = move |number: &str| {
        let number: usize = number.parse().unwrap_or_default();
        let html = move || pieces.with(|pieces| pieces.get(number).cloned().unwrap_or_default());
        plain(class, Signal::derive(html))
    };
    let left = Signal::derive(move || {
        let left = |pieces: &Vec<String>| pieces.iter().skip(shown.get()).map(String::len).sum();
        match pieces.with(left) {
            0 => String::new(),
            bytes => format!("{} KB", usize::div_ceil(bytes, 1024)),
        }
    });
    view! {
        {each(keys, piece)}
        <MoreButton left more=Callback::new(move |()| shown.update(|shown| *shown += PIECES)) />
    }
    .into_any()
}

/// Tells what is not shown, and shows more of it.
#[component]
pub fn MoreButton(
    /// What is not shown, as "12 KB"; empty if all is.
    left: Signal<String>,
    /// Called to show more.
    more: Callback<()>,
) -> impl IntoView {
    view! {
        <When condition=move || left.with(|left| !left.is_empty())>
            <button class="button quiet" data-more="" data-testid="show-more" on:click=move |_| more.run(())>
                {move || format!("Show more ({} are not shown)", left.get())}
            </button>
        </When>
    }
}

/// Cuts the HTML of one block into pieces. Each begins with the tags that the one before leaves open,
/// as far as they matter; the browser closes what a piece leaves open.
fn split(html: &str) -> Vec<String> {
    // A button would copy the first piece only.
    let whole = html.replacen(COPY_BUTTON, "", 1);
    let (html, open) = (whole.as_str(), opening(html));
    let mut pieces = Vec::new();
    let mut rest = html;
    while rest.len() > PIECE_BYTES {
        let (piece, next) = rest.split_at(cut(rest));
        pieces.push(format!("{}{piece}", if pieces.is_empty() { "" } else { open }));
        rest = next;
    }
    pieces.push(format!("{}{rest}", if pieces.is_empty() { "" } else { open }));
    pieces
}

/// Returns the tags that make lines look as they do in this block.
fn opening(html: &str) -> &'static str {
    match html {
        html if html.starts_with("<div class=\"code") => "<pre tabindex=\"0\" dir=\"ltr\"><code>",
        html if html.starts_with("<pre") => "<pre>",
        html if html.starts_with("<table") => "<table><tbody>",
        html if html.starts_with("<ul") || html.starts_with("<ol") => "<ul>",
        _ => "<p>",
    }
}

/// Returns where a piece ends: behind a line, or else a word, or else anywhere but in a tag or in a
/// character.
fn cut(html: &str) -> usize {
    let most = html.floor_char_boundary(PIECE_BYTES);
    let piece = &html.as_bytes()[..most];
    let find = |wanted: &[u8]| piece.iter().rposition(|byte| wanted.contains(byte));
    // Text has no `<`, `>` or `&` of its own.
    let is_outside = |at: &usize| {
        let tag = piece[..*at].iter().rposition(|byte| *byte == b'<');
        tag.is_none_or(|tag| piece[tag..*at].contains(&b'>'))
    };
    let line = find(b"\n").filter(is_outside).map(|at| at + 1);
    let word = || find(b" ").filter(is_outside).map(|at| at + 1);
    let tag_or_letter = || find(b"<&");
    line.or_else(word).or_else(tag_or_letter).filter(|at| *at > 0).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::markdown::{self, CodeStyle};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn pieces(text: &str) -> Vec<String> {
        let style = CodeStyle { colour: &|_, _| None, can_copy: false };
        let blocks = markdown::blocks(text, style);
        assert_eq!(blocks.len(), 1);
        let pieces = split(&blocks[0]);
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() < 2 * PIECE_BYTES));
        let open = opening(&blocks[0]).len();
        let whole: String = pieces[1..].iter().map(|piece| &piece[open..]).collect();
        assert_eq!(pieces[0].clone() + &whole, blocks[0]);
        pieces
    }

    #[test]
    fn a_long_block_is_cut_between_its_lines() {
        let code = pieces(&format!("```\n{}```", "let x = \"<&>\";\n".repeat(10_000)));
        assert!(
            code[1].starts_with("<pre tabindex=\"0\" dir=\"ltr\"><code>let x"),
            "{}",
            &code[1][..40]
        );
        let table = pieces(&format!("| a | b |\n|---|---|\n{}", "| c | d |\n".repeat(10_000)));
        assert!(table[1].starts_with("<table><tbody><t"), "{}", &table[1][..40]);
        pieces(&"- item\n".repeat(10_000));
        pieces(&"word ".repeat(20_000));
        pieces(&"ä".repeat(60_000));
        pieces(&"&".repeat(30_000));
        pieces(&"[a](https://example.org/)".repeat(3000));
    }

    #[test]
    fn a_short_block_is_one_piece() {
        assert_eq!(split("<p>a</p>"), ["<p>a</p>"]);
    }
}
