//! Tests every state that a terminal can have, one by one.

use super::*;

/// Output after a snapshot. Its effect depends on most of a terminal's state.
const AFTER: &str = "a\tqx\x1b8b\x1b[3;5H~\x1b[2b\x0e{\x0f\r\n\nend\x1b[?1049l.";

fn assert_restored(page: &mut Page, case: &str) {
    let before = [output(case)];
    for after in [&[][..], &[output(AFTER)]] {
        if let Some(difference) = difference(page, SIZE, &before, after) {
            panic!("{}, then {}\n{difference}", case.escape_debug(), script(after));
        }
    }
}

#[test]
fn every_mode_is_restored() {
    let mut page = Page::open();
    let private = [
        1, 6, 7, 9, 12, 25, 45, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1048,
        1049, 2004, 2026,
    ];
    for mode in private {
        for end in ["h", "l"] {
            assert_restored(&mut page, &format!("one\r\ntwo\x1b[?{mode}{end}three"));
            assert_restored(&mut page, &format!("one\x1b[?{mode}h\r\ntwo\x1b[?{mode}{end}"));
        }
    }
    for mode in [4, 20] {
        for end in ["h", "l"] {
            assert_restored(&mut page, &format!("one\x1b[{mode}h\r\ntwo\x1b[2G\x1b[{mode}{end}"));
        }
    }
    for case in [
        "\x1b=",
        "\x1b=\x1b>",
        "\x1b[?1000h\x1b[?1003h",
        "\x1b[?1003h\x1b[?1000l",
        "\x1b[?1006h\x1b[?1016h",
        "\x1b[?1016h\x1b[?1006l",
        "\x1b[?1h\x1b[?2004h\x1b[?7l\x1b[4h\x1b[?25l\x1b[?1002h\x1b[?1006h\x1b[?1004h",
        "\x1b[?25l\x1bc",
        "\x1b[20h\x1b[?12h\x1bcx\n",
    ] {
        assert_restored(&mut page, case);
    }
}

#[test]
fn every_attribute_is_restored() {
    let mut page = Page::open();
    let mut numbers: Vec<String> =
        (0..=9).chain(21..=29).map(|number| number.to_string()).collect();
    numbers.extend((30..=37).chain(39..=47).chain(90..=97).chain(100..=107).map(|n| n.to_string()));
    numbers.extend(
        ["49", "53", "55", "59", "4:0", "4:1", "4:2", "4:3", "4:4", "4:5"].map(String::from),
    );
    let colors = ["5;9", "5;200", "2;1;2;3", ":5:9", ":2::1:2:3", ":2:1:2:3"];
    for base in ["38", "48", "4;58"] {
        numbers.extend(colors.map(|color| match color.strip_prefix(':') {
            Some(color) => format!("{base}:{color}"),
            None => format!("{base};{color}"),
        }));
    }
    for number in &numbers {
        assert_restored(&mut page, &format!("a\x1b[{number}mb c\x1b[Kd"));
        // The attribute is set with all others, and reset alone.
        let all = "1;2;3;4:3;5;7;8;9;53;31;42;58:5:3";
        assert_restored(&mut page, &format!("a\x1b[{all}mb\x1b[{number}mc\r\n\x1b[0md"));
    }
    for case in [
        "\x1b[5mblink\x1b[25m \x1b[53mover\x1b[55m",
        "\x1b[1\"qkept\x1b[0\"q gone\x1b[?2J",
        "\x1b[1\"qkept\x1b[mlost\r\x1b[?K",
        "\x1b[31;1\"qx\x1b[?1K",
        "\x1b]8;id=a;http://example.org/;x\x1b\\link\x1b]8;;\x1b\\ \x1b]8;;http://b.example\x07b",
        "\x1b]8;;http://a.example\x07one\x1b]8;id=1;\x07two",
    ] {
        assert_restored(&mut page, case);
    }
}

#[test]
fn cursors_sets_tabs_and_regions_are_restored() {
    let mut page = Page::open();
    for style in 0..=7 {
        assert_restored(&mut page, &format!("\x1b[3 q\x1b[{style} q"));
    }
    for case in [
        "\x1b[3;4H\x1b7\x1b[31mx",
        "\x1b[3;4H\x1b[31;1m\x1b[s\x1b[mx",
        "\x1b[2;6r\x1b[5;3H",
        "\x1b[2;6r\x1b[?6h\x1b[2;3Hx",
        "\x1b[2;6r\x1b[?6h\x1b[2;3H\x1b7\x1b[?6l",
        "\x1b[3g\x1b[5G\x1bH\x1b[20G\x1bH\r",
        "\x1b[9G\x1b[g\r",
        "\x1b(0lqk\x1b(Bx\x1b)0\x0eabc",
        "\x1b*0\x1bnabc",
        "\x1b+0\x1boabc\x1b~x",
        "\x1b)0\x0eabc\x1b%Gabc",
        "\x1b-0\x1b.0\x1b}abc",
        "main\x1b[?1049halternate\x1b[3;4H\x1b7\x1b[31mx",
        "main\x1b[44m\x1b[?1049h\x1b[mx",
        "main\x1b[?47halternate\x1b[5;5H\x1b[?47lx",
        "main\x1b[?1047h\x1b[2;2Hx\x1b[31m\x1b[?1047ly",
        "\x1b[3;3H\x1b7\x1b[5;5H\x1b[?47hx",
        "\x1b]2;title\x07\x1b[22t\x1b]2;other\x1b\\",
        "\x1b]0;a\x07\x1b[22;2t\x1b]2;b\x07\x1b[22;1t\x1b]2;c\x07\x1b[23;1t",
        "\x1b]2;a\x07\x1b[22;0t\x1b]2;b\x07\x1b[23;0t",
        "\x1b]4;1;rgb:11/22/33;200;#102030\x07\x1b]10;#ffffff;rgb:1/2/3\x07\x1b]12;rgb:a/b/c\x07",
        "\x1b]4;1;#111111;2;#222222\x07\x1b]104;1\x07\x1b]11;#123456\x07\x1b]111\x07",
        "\x1b[?2026hhalf",
    ] {
        assert_restored(&mut page, case);
    }
}

#[test]
fn resets_are_resets() {
    let mut page = Page::open();
    let everything = "text\x1b[31;5;53mred\x1b7\x1b[2;6r\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1004h\
                      \x1b[?25l\x1b[4h\x1b[?7l\x1b[?45h\x1b[?6h\x1b[5 q\x1b(0\x1b)0\x0e\x1b[3g\x1b[?2026h\x1b[?12h";
    for reset in [
        "\x1b[!p",
        "\x1bc",
        "\x1b[!p\x1b[?3;4l\x1b[4l\x1b>",
        "\x1b[?1049h\x1b[!p",
        "\x1b[?1049h\x1bc",
    ] {
        assert_restored(&mut page, &format!("{everything}{reset}"));
        assert_restored(&mut page, &format!("{everything}{reset}after\x1b8restored"));
    }
}

#[test]
fn what_is_erased_and_moved_is_the_same() {
    let mut page = Page::open();
    let full: String =
        (1..=8).map(|line| format!("\x1b[{line};1H{}", "0123456789".repeat(4))).collect();
    let edits = [
        "@", "3@", "99@", "P", "3P", "99P", "X", "3X", "99X", "K", "1K", "2K", "J", "1J", "2J",
        "3J", "L", "2L", "99L", "M", "2M", "99M", "S", "2S", "99S", "T", "2T", "99T", "2 @", "2 A",
        "2'}", "2'~", "?K", "?1J",
    ];
    for edit in edits {
        for (place, region) in
            [("4;7", ""), ("1;1", ""), ("8;40", ""), ("4;7", "2;6"), ("7;1", "2;6")]
        {
            let region = if region.is_empty() { String::new() } else { format!("\x1b[{region}r") };
            // Rows that begin with a wide character, and rows with one in the middle.
            let edit = format!("{region}\x1b[44m\x1b[{place}H\x1b[{edit}");
            assert_restored(&mut page, &format!("{full}{edit}"));
            // Here xterm.js may leave a second half alone, which it later counts as no column.
            let case = format!("{full}\x1b[4;6H世世世\x1b[4;39H世{edit}");
            assert_eq!(
                difference(&mut page, SIZE, &[output(&case)], &[]),
                None,
                "{}",
                case.escape_debug()
            );
        }
        // The cursor is about to wrap.
        assert_restored(&mut page, &format!("{full}\x1b[3;40Hx\x1b[{edit}y"));
    }
    for edit in [
        "\x1bD", "\x1bM", "\x1bE", "\n", "\r\n", "\x08", "\x0b", "\x1b#8", "\t", "\x1b[Z",
        "\x1b[2I",
    ] {
        for place in ["1;1", "8;40", "6;3"] {
            assert_restored(&mut page, &format!("{full}\x1b[2;6r\x1b[41m\x1b[{place}H{edit}"));
            assert_restored(&mut page, &format!("{full}\x1b[41m\x1b[{place}Hx{edit}"));
        }
    }
    for case in [
        "0123456789".repeat(4) + "\x1b[?45h0\x08\x08\x08x",
        "世".repeat(21) + "\x1b[?45h\x08\x08\x08\x08x",
        "a\u{301}\u{302}b\x1b[3b".into(),
        "世\u{301}\x1b[2b".into(),
        "\u{301}x\r\n\u{200d}y".into(),
        "e\x1b[31m\u{301}x".into(),
    ] {
        assert_restored(&mut page, &case);
    }
}

#[test]
fn bytes_that_are_no_text_are_the_same() {
    let mut page = Page::open();
    let cases: [&[u8]; 8] = [
        b"a\xffb\xc0\x80c\xed\xa0\x80d",
        b"a\xe4\xb8",
        b"\xc2\x9b31mred\xc2\x85next\xc2\x8dx",
        b"\xc2\x9d2;title\xc2\x9cx",
        b"a\xef\xbb\xbfb",
        b"a\x7fb\x00c\x1ad",
        b"a\x1b[3\x18b\x1b]2;x\x1by",
        b"\x1bP1$qm\x1b\\x\x1b_apc\x1b\\y\x1b^pm\x1b\\z\x1bXsos\x1b\\",
    ];
    for case in cases {
        for after in [&[][..], &[output(b"\xadx\x1b[2;2Hy")]] {
            let found = difference(&mut page, SIZE, &[output(case)], after);
            assert_eq!(found, None, "{}", case.escape_ascii());
        }
    }
}

#[test]
fn a_snapshot_undoes_whatever_was_there() {
    let mut page = Page::open();
    let mess = "mess\x1b]4;1;#123456\x07\x1b]11;#654321\x07\x1b[?25l\x1b[?12h\x1b[20h\x1b[4h\x1b[?7l\x1b[?45h\x1b[?1h\x1b=\
                \x1b[?2004h\x1b[?1003h\x1b[?1016h\x1b[?1004h\x1b[2;5r\x1b[?6h\x1b[5 q\x1b)0\x0e\x1b[3g\x1b[5;53;31;1\"qx\
                \x1b]8;;http://a.example\x07\x1b7\x1b[?1049h\x1b7\x1b[?2026h\x1b]2;half";
    for case in ["", "plain\r\ntext", "\x1b[?1049halternate\x1b[5;5H\x1b[?25l"] {
        let (data, size) = snapshot(SIZE, &[output(case)]);
        let clean = page.look(size, &[output(&data)]);
        let over = page.look(size, &[output(mess), output(&data)]);
        // A snapshot does not contain the absence of a title.
        let telling = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|line| !line.starts_with("title")).cloned().collect()
        };
        assert_eq!(first_difference(&telling(&clean), &telling(&over)), None, "{case:?}");
    }
}

#[test]
fn a_narrower_window_wraps_the_same() {
    let mut page = Page::open();
    let bar = "\x1b[44m prompt \x1b[K\x1b[0m\r\n";
    let cases = [
        format!("one\r\n{bar}two\r\n{bar}{bar}$ "),
        format!("{}\r\n{bar}$ ", "\x1b[41mlong \x1b[0mwords ".repeat(6)),
        format!("\x1b[44m{}\x1b[K\x1b[m\r\n$ ", "written ".repeat(4)),
        "\x1b[42m\x1b[2J\x1b[Habc\x1b[0m\r\n$ ".to_owned(),
        format!("\x1b[44m{}\x1b[m\r\n$ ", " ".repeat(40)),
    ];
    for case in cases {
        let narrow = Step::Resize(Size { cols: 25, rows: 8 });
        let wide = Step::Resize(Size { cols: 60, rows: 8 });
        for resizes in [vec![narrow.clone()], vec![wide.clone()], vec![narrow, wide]] {
            let before = [vec![output(&case)], resizes.clone()].concat();
            let found = difference(&mut page, SIZE, &before, &[]);
            // The position of a saved cursor among lines that are rewrapped is left to xterm.js.
            let found = found.filter(|found| !found.starts_with("whole:    normal saved"));
            assert_eq!(found, None, "{}", script(&before));
            // The window is resized after the reload.
            let found = difference(&mut page, SIZE, &[output(&case)], &resizes);
            assert_eq!(found, None, "{} | {}", case.escape_debug(), script(&resizes));
        }
    }
}
