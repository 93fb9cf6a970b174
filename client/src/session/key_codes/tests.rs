//! Tests that follow the tables of the protocol.

use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// Parses a key with modifiers before it, such as `C-S-a`, at its position on a US layout.
fn press(keys: &str) -> Press {
    let mut press = Press::default();
    let mut rest = keys;
    while let Some((modifier, after)) = rest.split_once('-').filter(|(m, _)| m.len() == 1) {
        match modifier {
            "C" => press.ctrl = true,
            "S" => press.shift = true,
            "A" => press.alt = true,
            "M" => press.meta = true,
            "L" => press.caps_lock = true,
            "N" => press.num_lock = true,
            "K" => press.keypad = true,
            _ => panic!("{keys}"),
        }
        rest = after;
    }
    press.key = rest.to_owned();
    if let Some(character) = character(&press) {
        let codes = ('A'..='Z').map(|letter| format!("Key{letter}"));
        let codes = codes.chain(('0'..='9').map(|digit| format!("Digit{digit}")));
        let symbols = ["Minus", "Equal", "Slash", "Space", "Comma", "BracketLeft"];
        let found = codes.chain(symbols.map(str::to_owned)).find(|code| {
            place(code).is_some_and(|(plain, shifted)| [plain, shifted].contains(&character))
        });
        press.code = found.unwrap_or_default();
    }
    press
}

fn with(bits: u16) -> KeyModes {
    KeyModes { flags: KeyFlags::from_bits(bits), other_keys: 0 }
}

fn sent(keys: &str, bits: u16) -> Option<String> {
    encode(&press(keys), with(bits))
}

#[track_caller]
fn all_sent(bits: u16, table: &[(&str, &str)]) {
    for (keys, bytes) in table {
        let sent = sent(keys, bits).unwrap_or_else(|| "left to the emulator".into());
        assert_eq!(&sent, bytes, "{keys} with flags {bits}");
    }
}

const LEFT: &str = "left to the emulator";

#[test]
fn without_a_request_keys_are_sent_as_ever() {
    for keys in ["a", "A-a", "C-c", "Enter", "S-Enter", "C-Enter", "A-Enter", "ArrowUp", "F3", "S"]
    {
        assert_eq!(sent(keys, 0), None, "{keys}");
    }
    all_sent(0, &[("C-/", "\x1f"), ("C-A-/", "\x1b\x1f")]);
}

#[test]
fn control_characters_are_those_of_xterm() {
    let rows: [(&str, &[&str]); 7] = [
        ("\0", &["C-2", "C-S-@", "C- ", "C-S- ", "C-`"]),
        ("\x1b", &["C-3", "C-[", "C-S-{"]),
        ("\x1c", &["C-4", "C-\\", "C-S-|"]),
        ("\x1d", &["C-5", "C-]", "C-S-}"]),
        ("\x1e", &["C-6", "C-S-^", "C-S-~"]),
        ("\x1f", &["C-7", "C-S-_", "C-/"]),
        ("\x7f", &["C-8", "C-S-?"]),
    ];
    for (bytes, keys) in rows {
        for keys in keys {
            all_sent(0, &[(keys, bytes)]);
        }
    }
    // The browser's own shortcuts, and keys without a control character.
    for keys in ["C--", "C-=", "C-S-+", "C-0", "C-1", "C-9", "C-;", "C-.", "C-S-A", "C-S-R"] {
        assert_eq!(sent(keys, 0), None, "{keys}");
    }
}

#[test]
fn keys_that_could_be_confused_are_told_apart() {
    all_sent(
        1,
        &[
            ("a", LEFT),
            ("S-A", LEFT),
            ("S- ", LEFT),
            ("Enter", LEFT),
            ("L-Enter", LEFT),
            ("Tab", LEFT),
            ("Backspace", LEFT),
            ("S-Enter", "\x1b[13;2u"),
            ("C-Enter", "\x1b[13;5u"),
            ("A-Enter", "\x1b[13;3u"),
            ("C-S-Enter", "\x1b[13;6u"),
            ("S-Tab", "\x1b[9;2u"),
            ("C-Backspace", "\x1b[127;5u"),
            ("Escape", "\x1b[27u"),
            ("C-c", "\x1b[99;5u"),
            ("C-S-C", "\x1b[99;6u"),
            ("A-a", "\x1b[97;3u"),
            ("A-S-A", "\x1b[97;4u"),
            ("C-/", "\x1b[47;5u"),
            ("C-1", "\x1b[49;5u"),
            ("C- ", "\x1b[32;5u"),
            ("C-L-a", "\x1b[97;5u"),
            ("M-c", LEFT),
        ],
    );
}

#[test]
fn functional_keys_keep_their_form_and_get_modifiers() {
    all_sent(
        1,
        &[
            ("ArrowUp", "\x1b[A"),
            ("S-ArrowDown", "\x1b[1;2B"),
            ("C-ArrowRight", "\x1b[1;5C"),
            ("A-ArrowLeft", "\x1b[1;3D"),
            ("Home", "\x1b[H"),
            ("C-End", "\x1b[1;5F"),
            ("Insert", "\x1b[2~"),
            ("S-Delete", "\x1b[3;2~"),
            ("PageUp", "\x1b[5~"),
            ("F1", "\x1b[P"),
            ("S-F1", "\x1b[1;2P"),
            ("F3", "\x1b[13~"),
            ("C-F3", "\x1b[13;5~"),
            ("F4", "\x1b[S"),
            ("F5", "\x1b[15~"),
            ("F12", "\x1b[24~"),
            ("F13", "\x1b[57376u"),
            ("L-ArrowUp", "\x1b[1;65A"),
            ("N-ArrowUp", "\x1b[1;129A"),
            ("ContextMenu", "\x1b[57363u"),
            ("K-ArrowUp", "\x1b[57419u"),
            ("K-Enter", "\x1b[57414u"),
            ("K-5", LEFT),
            ("C-K-5", "\x1b[57404;5u"),
            ("Shift", LEFT),
        ],
    );
}

#[test]
fn all_keys_are_told_with_their_text() {
    all_sent(
        8,
        &[
            ("a", "\x1b[97u"),
            ("S-A", "\x1b[97;2u"),
            ("L-a", "\x1b[97;65u"),
            ("Enter", "\x1b[13u"),
            ("Tab", "\x1b[9u"),
            ("K-5", "\x1b[57404u"),
        ],
    );
    all_sent(
        8 | 16,
        &[
            ("a", "\x1b[97;;97u"),
            ("S-A", "\x1b[97;2;65u"),
            ("S-!", "\x1b[49;2;33u"),
            ("C-a", "\x1b[97;5u"),
            ("ä", "\x1b[228;;228u"),
            ("Enter", "\x1b[13u"),
        ],
    );
    let shift = Press { key: "Shift".into(), code: "ShiftRight".into(), ..Press::default() };
    let shift = Press { shift: true, ..shift };
    assert_eq!(encode(&shift, with(8)).as_deref(), Some("\x1b[57447;2u"));
}

#[test]
fn repetition_and_release_are_told_where_they_are_asked_for() {
    let of = |keys: &str, kind, bits| encode(&Press { kind, ..press(keys) }, with(bits));
    let (repeat, release) = (KeyKind::Repeat, KeyKind::Release);
    assert_eq!(of("C-a", repeat, 3).as_deref(), Some("\x1b[97;5:2u"));
    assert_eq!(of("C-a", repeat, 1).as_deref(), Some("\x1b[97;5u"));
    assert_eq!(of("a", release, 3).as_deref(), Some("\x1b[97;1:3u"));
    assert_eq!(of("a", release, 1), None);
    assert_eq!(of("ArrowUp", release, 3).as_deref(), Some("\x1b[1;1:3A"));
    assert_eq!(of("Enter", release, 3), None);
    assert_eq!(of("Enter", release, 10).as_deref(), Some("\x1b[13;1:3u"));
    assert_eq!(of("a", release, 26).as_deref(), Some("\x1b[97;1:3u"), "no text");
}

#[test]
fn other_scripts_are_told_with_the_key_at_their_place() {
    let cyrillic = Press { key: "с".into(), code: "KeyC".into(), ctrl: true, ..Press::default() };
    let sent = |bits| encode(&cyrillic, with(bits));
    assert_eq!(sent(0).as_deref(), Some("\x03"));
    assert_eq!(sent(1).as_deref(), Some("\x1b[1089;5u"));
    assert_eq!(sent(5).as_deref(), Some("\x1b[1089::99;5u"));
    let shifted = Press { key: "С".into(), shift: true, ..cyrillic };
    assert_eq!(encode(&shifted, with(5)).as_deref(), Some("\x1b[1089:1057:99;6u"));
    assert_eq!(self::sent("C-S-A", 5).as_deref(), Some("\x1b[97:65;6u"));
}

#[test]
fn what_composes_text_is_left_alone() {
    let accent = Press { key: "Dead".into(), code: "Quote".into(), ..Press::default() };
    assert_eq!(encode(&accent, with(31)), None);
    let third = Press { key: "@".into(), alt_graph: true, ctrl: true, alt: true, ..accent };
    assert_eq!(encode(&third, with(1)), None);
    let method = Press { key: "a".into(), composing: true, ..Press::default() };
    assert_eq!(encode(&method, with(31)), None);
}

#[test]
fn xterms_older_way_tells_modified_keys_apart() {
    let sent = |keys: &str, other_keys| {
        encode(&press(keys), KeyModes { other_keys, ..KeyModes::default() })
    };
    for (keys, first, second) in [
        ("a", None, None),
        ("S-A", None, None),
        ("Enter", None, None),
        ("ArrowUp", None, None),
        ("C-ArrowUp", None, None),
        ("S-Enter", Some("\x1b[27;2;13~"), Some("\x1b[27;2;13~")),
        ("C-Tab", Some("\x1b[27;5;9~"), Some("\x1b[27;5;9~")),
        ("C-1", Some("\x1b[27;5;49~"), Some("\x1b[27;5;49~")),
        ("C-i", None, Some("\x1b[27;5;105~")),
        ("A-a", None, Some("\x1b[27;3;97~")),
        ("C-S-A", Some("\x1b[27;6;65~"), Some("\x1b[27;6;65~")),
    ] {
        assert_eq!(sent(keys, 1).as_deref(), first, "{keys}");
        assert_eq!(sent(keys, 2).as_deref(), second, "{keys}");
    }
}
