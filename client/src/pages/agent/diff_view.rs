//! A change of a file.

use std::ops::Range;

use leptos::prelude::*;

use super::folds::FoldState;
use super::more_code::ShownChange;
use super::paths::RelativePaths;
use crate::ui::diff::{DiffSide, LineDiff, LineNumbers};
use crate::ui::long::MoreButton;
use crate::ui::markdown::escaped;
use crate::ui::visible::visible;
use crate::ui::when::each;

/// The number of lines of a difference that are shown at first.
const SHOWN_LINES: usize = 20;
/// The number of lines that each further step shows.
const STEP_LINES: usize = 500;

/// Shows a change of a file. Of a long one, the first lines are shown, and more on demand.
pub(super) fn file_diff(change: &ShownChange, folder: RelativePaths) -> AnyView {
    let ShownChange { path, old, new, key } = change;
    let diff = LineDiff::of(old.as_deref().unwrap_or_default(), new);
    let (added, removed, count) = (diff.added, diff.removed, diff.lines.len());
    // Of an old file, the agent may have told a part only, so its lines have no known numbers.
    let is_new = old.is_none();
    let head = html(&diff, 0..count.min(SHOWN_LINES), is_new);
    let rest = (count > SHOWN_LINES).then(|| rest(diff, format!("{key} rest"), is_new));
    let (full, path) = (path.clone(), path.clone());
    view! {
        <figure class="diff" data-testid="diff">
            <figcaption title=full>
                <code data-find=""><bdi>{move || visible(&folder.shorten(&path)).into_owned()}</bdi></code>
                {old.is_none().then(|| view! { <span class="diff-new">"new"</span> })}
                <span class="diff-count" data-side="added">{format!("+{added}")}</span>
                <span class="diff-count" data-side="removed">{format!("−{removed}")}</span>
            </figcaption>
            <pre class="diff-lines" tabindex="0" aria-label="Changed lines" data-find="" inner_html=head></pre>
            {rest}
        </figure>
    }
    .into_any()
}

/// Shows the lines after the first ones, folded.
fn rest(diff: LineDiff, key: String, is_new: bool) -> AnyView {
    let count = diff.lines.len();
    let diff = StoredValue::new(diff);
    let fold = FoldState::new(key, || false);
    let toggled = move |event: leptos::ev::Event| fold.toggled(&event);
    let lines = move || {
        let shown = RwSignal::new(1);
        let end = move |steps: usize| count.min(SHOWN_LINES + steps * STEP_LINES);
        let piece = move |number: &str| {
            let number: usize = number.parse().unwrap_or_default();
            let html = diff.with_value(|diff| html(diff, end(number)..end(number + 1), is_new));
            view! { <pre class="diff-lines" data-find="" inner_html=html></pre> }.into_any()
        };
        let left = Signal::derive(move || match count - end(shown.get()) {
            0 => String::new(),
            lines => format!("{lines} lines"),
        });
        view! {
            {each(move || (0..shown.get()).map(|number| number.to_string()).collect(), piece)}
            <MoreButton left more=Callback::new(move |()| shown.update(|shown| *shown += 1)) />
        }
        .into_any()
    };
    view! {
        <details class="diff-rest" open=move || fold.is_open() on:toggle=toggled>
            <summary data-testid="more-lines">{format!("{} more lines", count - SHOWN_LINES)}</summary>
            {fold.content(lines)}
        </details>
    }
    .into_any()
}

/// Returns lines of a difference as HTML, in one text: there may be thousands.
fn html(diff: &LineDiff, lines: Range<usize>, is_new: bool) -> String {
    let mut html = String::new();
    let mut numbers =
        is_new.then(|| LineNumbers::new(1, lines.start + 1, diff.lines.len() - lines.start));
    for line in &diff.lines[lines] {
        let (side, sign) = match line.side {
            DiffSide::Both => ("both", ' '),
            DiffSide::Removed => ("removed", '−'),
            DiffSide::Added => ("added", '+'),
            DiffSide::Omitted => ("omitted", '⋯'),
        };
        html.push_str("<span data-side=\"");
        html.push_str(side);
        html.push('"');
        if let Some(numbers) = &mut numbers {
            html.push_str(&numbers.attributes(line.side));
        }
        html.push('>');
        html.push(sign);
        html.push(' ');
        html.push_str(&escaped(&line.text));
        html.push_str("\n</span>");
    }
    html
}
