//! Cuts a question to the size that relays take, so that it still shows what it asks for.

use moorline_shared::agent::approval::ApprovalRequest;
use moorline_shared::agent::content::{ContentBlock, KnownContent, KnownToolContent};
use moorline_shared::limits::APPROVAL_BYTES;
use serde_json::Value;

use super::cuts::{COMMAND_ENDS, cut, cut_middle, json_bytes};
use super::excerpt::reduced;

/// Most bytes of the command as JSON. Escapes can make it several times as long.
const COMMAND_JSON_BYTES: usize = 8 * 1024;
/// Bytes that are kept of both ends of a command that has many escapes, and of a long text of an
/// input that does not fit.
const SHORT_ENDS: (usize, usize) = (700, 300);
/// Most bytes of the explanation, and of the folder.
const SENTENCE_BYTES: usize = 1024;
/// Most bytes of the label of an answer.
const LABEL_BYTES: usize = 200;
/// Bytes that are kept for the sentence about missing pieces, and for the answers that the host adds.
const RESERVED_BYTES: usize = 1024;
/// Most bytes of that sentence.
const MISSING_BYTES: usize = 400;
/// Bytes that are kept for each piece that follows, so that its file is named. Together they get half
/// of the room at most.
const PIECE_BYTES: usize = 320;

/// Cuts a question to [`APPROVAL_BYTES`], except for its form. What is missing is said where it is
/// missing and by `truncated`, and the digest stays that of the whole.
///
/// A change of a file is reduced to the lines that differ first, of which nothing is missing. The
/// input is cut next, because it repeats what the content shows, if there is some.
pub(super) fn fit_request(request: &mut ApprovalRequest) {
    fit_lines(request);
    if !fits(request) {
        for content in &mut request.subject.content {
            reduce(content, usize::MAX);
        }
    }
    fit_input(request);
    if !fits(request) {
        fit_content(request);
    }
    if !fits(request) {
        request.explanation.clear();
        request.subject.content = vec![note("All of this is too large to show.")];
        request.truncated = true;
    }
}

fn fits(request: &ApprovalRequest) -> bool {
    json_bytes(request) <= APPROVAL_BYTES
}

/// Cuts the texts that are lines.
fn fit_lines(request: &mut ApprovalRequest) {
    let whole = request.command.clone();
    let (head, tail) = COMMAND_ENDS;
    request.truncated |= cut_middle(&mut request.command, head, tail);
    if json_bytes(&request.command) > COMMAND_JSON_BYTES {
        request.command = whole;
        let (head, tail) = SHORT_ENDS;
        request.truncated |= cut_middle(&mut request.command, head, tail);
    }
    cut(&mut request.explanation, SENTENCE_BYTES);
    if let Some(cwd) = &mut request.subject.cwd {
        request.truncated |= cut(cwd, SENTENCE_BYTES);
    }
    request.options.iter_mut().for_each(|option| _ = cut(&mut option.name, LABEL_BYTES));
}

/// Cuts the input, or leaves it out.
fn fit_input(request: &mut ApprovalRequest) {
    if fits(request) || request.subject.input.is_none() {
        return;
    }
    // What has content shows there what will be done.
    request.truncated |= request.subject.content.is_empty();
    request.subject.input.iter_mut().for_each(cut_texts);
    if !fits(request) {
        request.subject.input = None;
    }
}

/// Cuts the long texts of a value in their middle.
fn cut_texts(value: &mut Value) {
    let (head, tail) = SHORT_ENDS;
    match value {
        Value::String(text) => _ = cut_middle(text, head, tail),
        Value::Array(values) => values.iter_mut().for_each(cut_texts),
        Value::Object(fields) => fields.values_mut().for_each(cut_texts),
        _ => {}
    }
}

/// Keeps as much as fits of each piece of the content, the first ones before the others.
fn fit_content(request: &mut ApprovalRequest) {
    let contents = std::mem::take(&mut request.subject.content);
    let mut room = APPROVAL_BYTES.saturating_sub(json_bytes(request) + RESERVED_BYTES);
    let mut missing = Vec::new();
    let mut following = contents.len();
    for mut content in contents {
        following -= 1;
        let share = room - following.saturating_mul(PIECE_BYTES).min(room / 2);
        let lines = lines_of(&content);
        let is_cut = reduce(&mut content, share);
        match room.checked_sub(json_bytes(&content) + 1) {
            Some(rest) => {
                room = rest;
                request.truncated |= is_cut;
                request.subject.content.push(content);
            }
            None => missing.push(lines),
        }
    }
    if !missing.is_empty() {
        let mut sentence = format!("Too large to show: {}.", missing.join(", "));
        if cut(&mut sentence, MISSING_BYTES) {
            sentence.push_str(&format!(" ({} in all)", missing.len()));
        }
        request.subject.content.push(note(sentence));
        request.truncated = true;
    }
}

/// Reduces a piece to about `room` bytes of JSON. Returns true if a part of it is missing.
fn reduce(content: &mut KnownToolContent, room: usize) -> bool {
    match content {
        KnownToolContent::Diff { path, old_text, new_text } => {
            // The names of the fields take some.
            let room = room.saturating_sub(json_bytes(path) + 64);
            let change = reduced(path.clone(), old_text.as_deref(), new_text, room);
            *content = change.content;
            change.is_cut
        }
        KnownToolContent::Content { content: ContentBlock::Known(KnownContent::Text { text }) } => {
            let (whole, mut bytes) = (text.clone(), room.saturating_sub(64));
            let mut is_cut = false;
            // Half as much each time always comes to an end.
            while json_bytes(text) + 64 > room && bytes > 0 {
                bytes /= 2;
                text.clone_from(&whole);
                is_cut |= cut_middle(text, bytes / 3 * 2, bytes / 3);
            }
            is_cut
        }
        _ => false,
    }
}

/// Returns how many lines a piece has, in words.
fn lines_of(content: &KnownToolContent) -> String {
    match content {
        KnownToolContent::Diff { path, old_text, new_text } => {
            let change = reduced(path.clone(), old_text.as_deref(), new_text, 0);
            format!("{} changed lines of {path}", change.missing)
        }
        _ => "a piece of content".to_owned(),
    }
}

fn note(text: impl Into<String>) -> KnownToolContent {
    KnownToolContent::Content { content: ContentBlock::text(text) }
}
