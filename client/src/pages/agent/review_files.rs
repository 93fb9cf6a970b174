//! The files that the agent has changed, to be kept or reverted hunk by hunk. The page loads this part
//! when it is needed.

use leptos::prelude::*;
use moorline_shared::change::{ChangedFile, ChangedHunk, FileFate, ListedChanges, PlannedChange};
use moorline_shared::event::AgentChanges;
use moorline_shared::rest::{ChangesSettled, SessionChangeList, SettleChanges};

use super::review_undo::{self, RevertUndo, RevertedText};
use super::state::ConversationState;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::ui::diff::{DiffSide, LineNumbers};
use crate::ui::markdown::escaped;
use crate::ui::when::{effect, live};

/// The changes, as far as they are loaded.
#[derive(Clone, Copy)]
struct ChangeReview {
    state: ConversationState,
    access: PageAccess,
    /// `None` until they are loaded.
    listed: RwSignal<Option<ListedChanges>>,
    problem: RwSignal<Option<String>>,
    /// True while changes are kept or reverted.
    busy: RwSignal<bool>,
    /// The last revert, while it can be undone.
    undo: RwSignal<Option<RevertUndo>>,
}

impl ChangeReview {
    fn path(self) -> String {
        format!("/api/session/{}/changes", self.state.id())
    }

    fn load(self) {
        api::ask(self.access, ApiRequest::get(self.path()), move |answer| {
            match answer.and_then(|text| api::parse::<SessionChangeList>(&text)) {
                Ok(list) => _ = self.listed.try_set(Some(list.changes)),
                Err(error) => _ = self.problem.try_set(Some(error.to_string())),
            }
        });
    }

    /// Keeps or reverts changes, and shows what is left.
    /// `reverted` is what would undo that.
    fn settle(self, wish: &SettleChanges, reverted: Option<RevertedText>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        self.undo.set(None);
        api::ask(self.access, ApiRequest::post(self.path(), wish), move |answer| {
            let _ = self.busy.try_set(false);
            match answer.and_then(|text| api::parse::<ChangesSettled>(&text)) {
                Ok(settled) => {
                    let failed = settled.results.into_iter().filter(|result| !result.success);
                    let sentence = |result: moorline_shared::change::ChangeResult| {
                        let why = result.message.or(result.code).unwrap_or_default();
                        format!("{}: {why}", result.path)
                    };
                    let problems: Vec<String> = failed.map(sentence).collect();
                    let problem = Some(problems.join(" ")).filter(|text| !text.is_empty());
                    if let (None, Some(reverted)) = (&problem, reverted) {
                        let session = format!("/api/session/{}", self.state.id());
                        review_undo::prepare(self.access, &session, reverted, self.undo);
                    }
                    let _ = self.problem.try_set(problem);
                }
                Err(error) => _ = self.problem.try_set(Some(error.to_string())),
            }
            self.load();
        });
    }

    fn keep_all(self) {
        let files = self.listed.get_untracked().unwrap_or_default().files;
        let keep = files.iter().map(|file| planned(file, None)).collect();
        self.settle(&SettleChanges { keep, ..SettleChanges::default() }, None);
    }
}

fn planned(file: &ChangedFile, hunk: Option<&ChangedHunk>) -> PlannedChange {
    let hunks = hunk.map(|hunk| vec![hunk.id.clone()]);
    PlannedChange { path: file.path.clone(), before: file.before.clone(), hunks }
}

/// Shows the changed files, and reads them again whenever others have changed while `is_open`. `undo` is
/// the last revert.
pub(super) fn files(
    state: ConversationState,
    is_open: RwSignal<bool>,
    told: Memo<AgentChanges>,
    undo: RwSignal<Option<RevertUndo>>,
) -> AnyView {
    let review = ChangeReview {
        state,
        access: PageAccess::expect(),
        listed: RwSignal::default(),
        problem: RwSignal::default(),
        busy: RwSignal::new(false),
        undo,
    };
    effect(move || {
        if is_open.get() && told.with(|told| told.files > 0) {
            review.load();
        }
    });
    view! {
        <p class="problem" role="alert" data-testid="review-problem">{move || review.problem.get()}</p>
        {live(move || match review.listed.get() {
            None => view! { <p class="row-note">"Loading…"</p> }.into_any(),
            Some(listed) => changes(review, &listed),
        })}
    }
    .into_any()
}

fn changes(review: ChangeReview, listed: &ListedChanges) -> AnyView {
    let gaps = listed.gaps.iter().map(|gap| {
        let text = gap.message.clone();
        view! { <p class="row-note">{text}</p> }
    });
    let beyond = listed.truncated.then(|| {
        let text = format!("{} files have changed; the first are shown.", listed.count);
        view! { <p class="row-note">{text}</p> }
    });
    let files = listed.files.iter().map(|file| changed_file(review, file)).collect_view();
    view! {
        {gaps.collect_view()}
        {beyond}
        <div class="review-files">{files}</div>
        <button
            class="button"
            data-testid="keep-all"
            disabled=move || review.busy.get()
            on:click=move |_| review.keep_all()
        >
            "Keep all"
        </button>
    }
    .into_any()
}

fn changed_file(review: ChangeReview, file: &ChangedFile) -> AnyView {
    let fate = match file.state {
        FileFate::Added => "new",
        FileFate::Modified => "",
        FileFate::Deleted => "deleted",
    };
    let note = match (&file.message, file.binary, file.truncated) {
        (Some(message), ..) => Some(message.clone()),
        (None, true, _) => Some("This file is not text.".to_owned()),
        (None, false, true) => Some("Not all of its changes are shown.".to_owned()),
        _ => None,
    };
    let hunks = file.hunks.iter().map(|hunk| {
        let html = hunk_html(hunk);
        let at = format!("line {}", first_changed_line(hunk));
        view! {
            <div class="review-hunk" data-testid="hunk">
                <div class="review-row">
                    <span class="row-note">{at}</span>
                    <span class="bar-fill"></span>
                    {buttons(review, file, Some(hunk))}
                </div>
                <pre class="diff-lines" tabindex="0" aria-label="Changed lines" inner_html=html></pre>
            </div>
        }
    });
    view! {
        <section class="diff" data-testid="changed-file">
            <div class="review-row review-head">
                <code title=file.path.clone()><bdi>{review.state.folder.shorten(&file.path)}</bdi></code>
                <span class="diff-new">{fate}</span>
                <span class="bar-fill"></span>
                {buttons(review, file, None)}
            </div>
            {note.map(|note| view! { <p class="row-note review-note">{note}</p> })}
            {hunks.collect_view()}
        </section>
    }
    .into_any()
}

fn buttons(review: ChangeReview, file: &ChangedFile, hunk: Option<&ChangedHunk>) -> AnyView {
    let change = planned(file, hunk);
    let reverted = RevertedText::of(file, hunk);
    let kept = change.clone();
    let keep = move |_| {
        let keep = vec![kept.clone()];
        review.settle(&SettleChanges { keep, ..SettleChanges::default() }, None);
    };
    let revert = move |_| {
        let revert = vec![change.clone()];
        review.settle(&SettleChanges { revert, ..SettleChanges::default() }, reverted.clone());
    };
    let line = hunk.map(|hunk| format!(", line {}", first_changed_line(hunk)));
    let place = format!("{}{}", file.path, line.unwrap_or_default());
    let (keep_label, revert_label) = (format!("Keep {place}"), format!("Revert {place}"));
    view! {
        <button class="button quiet" data-testid="keep" aria-label=keep_label disabled=move || review.busy.get() on:click=keep>"Keep"</button>
        <button class="button quiet bad" data-testid="revert" aria-label=revert_label disabled=move || review.busy.get() on:click=revert>"Revert"</button>
    }
    .into_any()
}

/// Returns the number that a hunk's first changed line has in the file now.
fn first_changed_line(hunk: &ChangedHunk) -> usize {
    let before = hunk.text.lines().take_while(|line| line.starts_with(' ')).count();
    (hunk.new_start + before).max(1)
}

/// Returns the lines of a hunk as HTML.
fn hunk_html(hunk: &ChangedHunk) -> String {
    let lines = hunk.old_lines.max(hunk.new_lines);
    let mut numbers = LineNumbers::new(hunk.old_start, hunk.new_start, lines);
    let line = |line: &str| {
        let (name, side) = match line.as_bytes().first() {
            Some(b'+') => ("added", DiffSide::Added),
            Some(b'-') => ("removed", DiffSide::Removed),
            Some(b'\\') => ("both", DiffSide::Omitted),
            _ => ("both", DiffSide::Both),
        };
        let numbers = numbers.attributes(side);
        format!("<span data-side=\"{name}\"{numbers}>{}\n</span>", escaped(line))
    };
    hunk.text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_hunk_is_named_by_its_first_changed_line() {
        let hunk = |text: &str| ChangedHunk {
            new_start: 10,
            text: text.to_owned(),
            ..ChangedHunk::default()
        };
        assert_eq!(first_changed_line(&hunk(" a\n b\n-c\n+d\n")), 12);
        assert_eq!(first_changed_line(&hunk("+a\n b\n")), 10);
        assert_eq!(first_changed_line(&ChangedHunk::default()), 1);
    }
}
