//! A change of a file.

use leptos::prelude::*;

use crate::ui::diff::{DiffSide, LineDiff};
use crate::ui::markdown::escaped;

/// The number of lines of a difference that are shown at first.
const SHOWN_LINES: usize = 20;
/// The number of lines that are shown at all. The file itself has the others.
const MOST_LINES: usize = 4000;

/// Renders a change of a file from its old text, `None` for a new file, to its new one. Long ones are
/// shown in part at first.
pub(super) fn file_diff(path: &str, old: Option<&str>, new: &str) -> AnyView {
    let diff = LineDiff::of(old.unwrap_or_default(), new);
    let path = path.to_owned();
    let is_new = old.is_none();
    let count = diff.lines.len();
    let head = html(&diff, 0..count.min(SHOWN_LINES));
    let rest = (count > SHOWN_LINES).then(|| {
        let hidden = count - SHOWN_LINES;
        let rest = html(&diff, SHOWN_LINES..count.min(MOST_LINES));
        let beyond = count.saturating_sub(MOST_LINES);
        view! {
            <details class="diff-rest">
                <summary data-testid="more-lines">{format!("{hidden} more lines")}</summary>
                <pre class="diff-lines" inner_html=rest></pre>
                {(beyond > 0).then(|| format!("{beyond} further lines are not shown."))}
            </details>
        }
    });
    view! {
        <figure class="diff" data-testid="diff">
            <figcaption>
                <code><bdi>{path}</bdi></code>
                {is_new.then(|| view! { <span class="diff-new">"new"</span> })}
                <span class="diff-count" data-side="added">{format!("+{}", diff.added)}</span>
                <span class="diff-count" data-side="removed">{format!("−{}", diff.removed)}</span>
            </figcaption>
            <pre class="diff-lines" tabindex="0" aria-label="Changed lines" inner_html=head></pre>
            {rest}
        </figure>
    }
    .into_any()
}

/// Returns lines of a difference as HTML, in one text: there may be thousands.
fn html(diff: &LineDiff, lines: std::ops::Range<usize>) -> String {
    let mut html = String::new();
    for line in &diff.lines[lines] {
        let (side, sign) = match line.side {
            DiffSide::Both => ("both", ' '),
            DiffSide::Removed => ("removed", '−'),
            DiffSide::Added => ("added", '+'),
            DiffSide::Omitted => ("omitted", '⋯'),
        };
        html.push_str("<span data-side=\"");
        html.push_str(side);
        html.push_str("\">");
        html.push(sign);
        html.push(' ');
        html.push_str(&escaped(&line.text));
        html.push_str("\n</span>");
    }
    html
}
