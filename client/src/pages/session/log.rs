//! Draws the timeline, the newest row first.

use leptos::prelude::*;
use moorline_shared::id::Seq;

use super::record::Record;
use super::timeline::{MOST_ROWS, ShellCommand, Timeline, TimelineRow, What};
use crate::bindings::clock;
use crate::session::actions::Actions;
use crate::session::words;
use crate::ui::when::each;
use crate::ui::{Icon, IconName, When};

/// The number of rows drawn at first, and the number that each request for more adds.
const SHOWN_AT_FIRST: usize = 40;
const SHOWN_MORE: usize = 120;

/// Shows the timeline, the newest row first.
#[component]
pub fn Log() -> impl IntoView {
    let record = Record::expect();
    let shown = RwSignal::new(SHOWN_AT_FIRST);
    let count = Memo::new(move |_| record.book.with(|book| book.timeline.rows().count()));
    let rows = move || {
        let newest = |timeline: &Timeline| {
            timeline.rows().rev().take(shown.get()).map(|row| row.seq.to_string()).collect()
        };
        record.book.with(|book| newest(&book.timeline))
    };
    let empty = move || count.get() == 0;
    let dropped = Memo::new(move |_| record.book.with(|book| book.timeline.has_dropped()));
    let hidden = move || count.get() > shown.get();
    let earlier = move || record.has_earlier.get() && !dropped.get() && record.caught_up.get();
    let more = move |_| {
        if !untrack(hidden) {
            record.reach_further();
        }
        shown.update(|shown| *shown += SHOWN_MORE);
    };
    view! {
        <section class="panel log" aria-labelledby="log-heading">
            <div class="panel-head">
                <h2 id="log-heading">"Timeline"</h2>
            </div>
            <When condition=empty>
                <p class="panel-hint">
                    {move || if record.caught_up.get() { "Nothing has happened yet." } else { "Reading…" }}
                </p>
            </When>
            <ol class="events" data-testid="timeline">
                {each(
                    rows,
                    |seq| {
                        let seq = Seq(seq.parse().unwrap_or_default());
                        view! { <Entry seq /> }.into_any()
                    },
                )}
            </ol>
            <When condition=move || hidden() || earlier()>
                <button class="button quiet log-more" data-testid="earlier" on:click=more>
                    "Show earlier entries"
                </button>
            </When>
            <When condition=move || dropped.get() && !hidden()>
                <p class="panel-hint">{format!("Only the newest {MOST_ROWS} are shown.")}</p>
            </When>
        </section>
    }
}

#[component]
fn Entry(seq: Seq) -> impl IntoView {
    let record = Record::expect();
    let actions = Actions::expect();
    let row = Memo::new(move |_| record.book.with(|book| book.timeline.row(seq).cloned()));
    let at = move || row.with(|row| row.as_ref()?.at);
    let ago = move || {
        record.beat.track();
        at().map(|at| words::ago(clock::wall_ms() - at as f64))
    };
    let moment = move || at().map(|at| clock::local_date_time(at as f64));
    let fork = move |_| {
        if let Some(row) = row.get_untracked() {
            actions.fork(&record.id(), Some(row.last));
        }
    };
    view! {
        <li class="event" data-tone=move || row.with(|row| row.as_ref().map(tone)) data-testid="event">
            <div class="event-text">{move || row.get().map(|row| text(row.what))}</div>
            <time class="event-time" title=moment>{move || ago()}</time>
            <button
                class="icon-button"
                title="Fork from here: a new session with all output up to this entry"
                aria-label=move || row.with(|row| row.as_ref().map(|row| format!("Fork from {}", name(row))))
                data-testid="fork-here"
                on:click=fork
            >
                <Icon name=IconName::Fork />
            </button>
        </li>
    }
}

fn tone(row: &TimelineRow) -> &'static str {
    match &row.what {
        What::Output(_) => "faint",
        What::Command(ShellCommand { took: None, .. }) => "live",
        What::Command(ShellCommand { code: Some(0), .. }) => "good",
        What::Command(ShellCommand { code: Some(_), .. }) => "bad",
        What::Command(_) => "plain",
        What::Note { tone, .. } => tone,
    }
}

/// Describes a row in a few words, for a screen reader.
fn name(row: &TimelineRow) -> String {
    match &row.what {
        What::Output(bytes) => format!("{} of output", size(*bytes)),
        What::Command(command) => command.line.clone(),
        What::Note { title, detail, .. } => format!("{title} {detail}"),
    }
}

fn text(what: What) -> AnyView {
    match what {
        What::Output(bytes) => {
            view! { <span class="event-faint">{size(bytes)} " of output"</span> }.into_any()
        }
        What::Note { title, detail, .. } => view! {
            <span>{title}</span>
            <span class="event-detail">{detail}</span>
        }
        .into_any(),
        What::Command(command) => {
            let failed = command.code.filter(|code| *code != 0);
            let mut facts: Vec<String> = Vec::new();
            match command.took {
                Some(took) => facts.push(duration(took)),
                None => facts.push("running".to_owned()),
            }
            if command.bytes > 0 {
                facts.push(size(command.bytes));
            }
            if command.prompted {
                facts.push("by prompt".to_owned());
            }
            view! {
                <code class="event-command" title=command.line.clone()>{command.line.clone()}</code>
                {failed.map(|code| view! { <span class="event-code">{format!("exit {code}")}</span> }.into_any())}
                <span class="event-faint">{facts.join(" · ")}</span>
            }
            .into_any()
        }
    }
}

fn size(bytes: u64) -> String {
    words::bytes(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Formats a duration: `40 ms`, `3.2 s`, `2 min 5 s`, `1 h 4 min`.
fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn durations_are_short() {
        let shown = [40, 3_250, 125_000, 3_840_000].map(duration);
        assert_eq!(shown, ["40 ms", "3.2 s", "2 min 5 s", "1 h 4 min"]);
    }

    #[test]
    fn a_row_says_how_it_went() {
        let row = |code, took| {
            let what = What::Command(ShellCommand {
                line: "make".into(),
                code,
                took,
                ..ShellCommand::default()
            });
            TimelineRow { seq: Seq(1), last: Seq(1), at: None, what }
        };
        let tones =
            [row(None, None), row(Some(0), Some(1)), row(Some(2), Some(1)), row(None, Some(1))];
        assert_eq!(tones.map(|row| tone(&row)), ["live", "good", "bad", "plain"]);
        assert_eq!(name(&row(None, None)), "make");
    }
}
