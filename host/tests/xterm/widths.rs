//! Tests that page and host give each character the same number of columns.

use moorline_host::screen::columns;

use super::*;

/// Draws each text on a line of its own, followed by a mark far to the right. If one emulator
/// counts differently, the snapshot's mark is in another place.
fn assert_alike(page: &mut Page, texts: impl IntoIterator<Item = String>) {
    let size = Size { cols: 80, rows: 24 };
    let lines: Vec<String> =
        texts.into_iter().map(|text| format!("{text}|{text}\x1b[70G#\r\n")).collect();
    for lines in lines.chunks(1500) {
        let found = difference(page, size, &[output(lines.concat())], &[]);
        assert_eq!(found.map(|found| found.lines().take(2).collect::<Vec<_>>().join("\n")), None);
    }
}

#[test]
fn every_kind_of_character_is_as_wide_in_the_page() {
    // The first and last characters of each run of one width, and one in between.
    let all: Vec<char> = (' '..=char::MAX).filter(|c| !c.is_control()).collect();
    let runs = all.chunk_by(|one, other| columns(*one) == columns(*other));
    let some = runs.flat_map(|run| [run[0], run[run.len() / 2], run[run.len() - 1]]);
    assert_alike(&mut Page::open(), some.map(|character| format!("x{character}y")));
}

#[test]
fn what_combines_takes_no_column() {
    let mut page = Page::open();
    let bases = ["a", "世", "👩", "☝", "1", "क", "த", "🇩", "\u{1100}"];
    let marks = [
        "\u{301}",
        "\u{fe0f}",
        "\u{fe0e}",
        "\u{200d}",
        "\u{20e3}",
        "\u{1f3fd}",
        "\u{1161}",
        "ா",
        "\u{e0067}",
    ];
    let pairs = bases.iter().flat_map(|base| marks.map(|mark| format!("{base}{mark}")));
    assert_alike(&mut page, pairs);
    let sequences = [
        "👩‍💻",
        "👨‍👩‍👧‍👦",
        "1️⃣",
        "#️⃣",
        "🏳️‍🌈",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "🇩🇪🇫🇷",
        "☝🏽",
        "❤️‍🔥",
        "👁️‍🗨️",
        "❤️",
        "❤",
        "⌚",
        "⌚︎",
        "각",
        "நி",
        "क्षि",
        "ｶﾞ",
        "…",
        "①",
        "㉈",
    ];
    assert_alike(&mut page, sequences.map(String::from));
    // At the beginning of a row there is nothing to combine with.
    assert_alike(&mut page, marks.map(|mark| format!("\r\n{mark}x")));
}

#[test]
fn a_prompt_with_an_emoji_is_edited_where_it_is() {
    let mut page = Page::open();
    // This is how readline edits: Ctrl-A moves back by the columns that it counted.
    let edited = "👩\u{200d}💻 $ rm -rf build\x1b[12D\x1b[K\rls";
    let found = difference(&mut page, SIZE, &[output(edited)], &[]);
    assert_eq!(found, None);
    let row =
        |lines: Vec<String>| lines.into_iter().find(|line| line.starts_with("normal 0:")).unwrap();
    let shown = row(page.look(SIZE, &[output("👩\u{200d}💻 $ rm -rf build\x1b[12D\x1b[Kls")]));
    assert!(shown.ends_with("$ ls"), "{shown}");
    let shown = row(page.look(SIZE, &[output("1️⃣ firls\x1b[2D\x1b[2C")]));
    assert!(shown.ends_with("firls"), "{shown}");
}

#[test]
fn widths_are_those_of_wcwidth() {
    let of = |text: &str| text.chars().map(columns).collect::<Vec<_>>();
    assert_eq!(of("aé世"), [1, 1, 2]);
    assert_eq!(of("👩\u{200d}💻"), [2, 0, 2]);
    assert_eq!(of("1\u{fe0f}\u{20e3}"), [1, 0, 0]);
    assert_eq!(of("🇩🇪"), [1, 1]);
    assert_eq!(of("☝\u{1f3fd}"), [1, 2]);
    assert_eq!(of("நா"), [1, 1]);
    assert_eq!(of("\u{ad}\u{200b}\u{ff21}\u{ff71}\u{ac00}\u{1161}"), [1, 0, 2, 1, 2, 0]);
}
