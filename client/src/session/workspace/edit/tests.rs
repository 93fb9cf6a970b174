//! Tests of a text that both sides change.

use super::*;
use moorline_shared::workspace::{ContentHash, EntryKind, WorkspaceFile};
use wasm_bindgen_test::wasm_bindgen_test as test;

fn hash(text: &str) -> String {
    ContentHash::of(text.as_bytes()).to_string()
}

fn open(text: &str) -> TextEdit {
    TextEdit::open(hash(text), text.to_owned(), None)
}

/// What the relay answers if the file has another content.
fn stale(text: Option<&str>) -> FileRefusal {
    let file = text.map(|text| WorkspaceFile {
        path: "a".parse().unwrap(),
        kind: EntryKind::File,
        mode: 0o644,
        size: text.len() as u64,
        hash: Some(ContentHash::of(text.as_bytes())),
        revision: 2,
        changed_at: 0,
        conflict_of: None,
        deleted: false,
    });
    FileRefusal { code: "stale".into(), sentence: String::new(), file: file.map(Box::new) }
}

fn typed(edit: &mut TextEdit, text: &str) {
    edit.touch();
    assert!(edit.is_edited());
    edit.note(text.to_owned());
}

#[test]
fn a_text_is_saved_over_what_it_was_made_from() {
    let mut edit = open("one");
    assert_eq!((edit.view(), edit.save("one".into())), (EditView::Saved, None));
    typed(&mut edit, "two");
    assert_eq!(edit.view(), EditView::Edited);
    let order = edit.save("two".into()).unwrap();
    assert_eq!(order, SaveOrder { text: "two".into(), expected: Some(hash("one")) });
    assert_eq!((edit.view(), edit.save("two".into())), (EditView::Saving, None));
    // Typing goes on, and the event of the own change comes before the answer.
    typed(&mut edit, "three");
    assert_eq!(edit.told(Some(&hash("two"))), EditStep::Nothing);
    assert_eq!(edit.saved(hash("two")), EditStep::Nothing);
    assert_eq!(edit.view(), EditView::Edited);
    assert_eq!(edit.save("three".into()).unwrap().expected, Some(hash("two")));
    edit.saved(hash("three"));
    assert_eq!((edit.view(), edit.draft()), (EditView::Saved, None));
}

#[test]
fn an_unedited_text_follows_the_file() {
    let mut edit = open("one");
    assert_eq!(edit.told(Some(&hash("one"))), EditStep::Nothing);
    assert_eq!(edit.told(Some(&hash("two"))), EditStep::Load);
    assert_eq!(edit.loaded(hash("two"), Some("two".into())), EditStep::Show("two".into()));
    assert_eq!(edit.view(), EditView::Saved);
    edit.told(None);
    assert_eq!(edit.view(), EditView::Gone);
    // It comes back.
    assert_eq!(edit.told(Some(&hash("new"))), EditStep::Load);
    assert_eq!(edit.loaded(hash("new"), Some("new".into())), EditStep::Show("new".into()));
    assert_eq!(edit.view(), EditView::Saved);
}

#[test]
fn an_edited_text_is_never_replaced() {
    let mut edit = open("one");
    typed(&mut edit, "mine");
    assert_eq!(edit.told(Some(&hash("theirs"))), EditStep::Load);
    assert_eq!(edit.loaded(hash("theirs"), Some("theirs".into())), EditStep::Nothing);
    assert_eq!((edit.view(), edit.other_text()), (EditView::Conflict, Some("theirs")));
    assert_eq!(edit.save("mine".into()), None);
    assert_eq!(edit.text(), "mine");
    // It is told again, and changes once more.
    assert_eq!(edit.told(Some(&hash("theirs"))), EditStep::Nothing);
    assert_eq!(edit.told(Some(&hash("newer"))), EditStep::Load);
    edit.loaded(hash("newer"), Some("newer".into()));
    let order = edit.save_over("both".into()).unwrap();
    assert_eq!(order, SaveOrder { text: "both".into(), expected: Some(hash("newer")) });
    edit.saved(hash("both"));
    assert_eq!(edit.view(), EditView::Saved);
}

#[test]
fn typing_that_is_not_noted_yet_counts() {
    let mut edit = open("one");
    edit.touch();
    assert_eq!(edit.told(Some(&hash("two"))), EditStep::Load);
    // The same as was known of the text, but not of what is typed.
    assert_eq!(edit.loaded(hash("one"), Some("one".into())), EditStep::Nothing);
    assert_eq!(edit.view(), EditView::Conflict);
}

#[test]
fn a_stale_save_shows_both() {
    let mut edit = open("one");
    typed(&mut edit, "mine");
    edit.save("mine".into()).unwrap();
    assert_eq!(edit.refused(&stale(Some("theirs"))), EditStep::Load);
    edit.loaded(hash("theirs"), Some("theirs".into()));
    assert_eq!(edit.view(), EditView::Conflict);
    assert_eq!(edit.draft().unwrap().text, "mine");
    assert_eq!(edit.take_other(), EditStep::Show("theirs".into()));
    assert_eq!((edit.view(), edit.draft()), (EditView::Saved, None));
}

#[test]
fn a_save_without_an_answer_is_repeated() {
    let mut edit = open("one");
    typed(&mut edit, "two");
    edit.save("two".into()).unwrap();
    edit.refused(&FileRefusal::unreachable());
    assert_eq!(edit.view(), EditView::Waiting);
    let order = edit.save_again().unwrap();
    assert_eq!(order.expected, Some(hash("one")));
    assert_eq!(edit.save_again(), None);
    // The first one had been carried out.
    assert_eq!(edit.refused(&stale(Some("two"))), EditStep::Load);
    assert_eq!(edit.loaded(hash("two"), Some("two".into())), EditStep::Nothing);
    assert_eq!(edit.view(), EditView::Saved);
}

#[test]
fn a_text_outlives_its_file() {
    let mut edit = open("one");
    typed(&mut edit, "mine");
    edit.told(None);
    assert_eq!(edit.view(), EditView::Deleted);
    let order = edit.save_over("mine".into()).unwrap();
    assert_eq!(order.expected, None, "a new file");
    // Somebody was faster.
    assert_eq!(edit.refused(&stale(Some("theirs"))), EditStep::Load);
    edit.loaded(hash("theirs"), Some("theirs".into()));
    assert_eq!(edit.view(), EditView::Conflict);
    // A file that is no text any more can be replaced, too.
    assert_eq!(edit.told(Some(&hash("\0"))), EditStep::Load);
    edit.loaded(hash("\0"), None);
    assert_eq!((edit.view(), edit.other_text()), (EditView::Conflict, None));
    assert_eq!(edit.save_over("mine".into()).unwrap().expected, Some(hash("\0")));
    // The save fails because the file is deleted again.
    assert_eq!(edit.refused(&stale(None)), EditStep::Nothing);
    assert_eq!(edit.view(), EditView::Deleted);
}

#[test]
fn a_draft_is_compared_with_the_file() {
    let draft = |base: &str| Some(FileDraft { base: Some(hash(base)), text: "mine".into() });
    let edit = TextEdit::open(hash("one"), "one".into(), draft("one"));
    assert_eq!((edit.view(), edit.text()), (EditView::Edited, "mine"));
    let mut edit = TextEdit::open(hash("two"), "two".into(), draft("one"));
    assert_eq!((edit.view(), edit.other_text()), (EditView::Conflict, Some("two")));
    assert_eq!(edit.draft(), draft("one"));
    assert_eq!(edit.told(Some(&hash("two"))), EditStep::Nothing);
    let edit = TextEdit::open(hash("mine"), "mine".into(), draft("one"));
    assert_eq!(edit.view(), EditView::Saved, "it is saved already");
    let edit = TextEdit::of_draft(draft("one").unwrap());
    assert_eq!((edit.view(), edit.text()), (EditView::Deleted, "mine"));
}
