//! Tests random output that is cut anywhere, with resizes in it.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Output(Vec<u8>),
    Resize(Size),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[ac-z ]{1,12}",
        2 => "[ac-z0-9]{20,90}",
        2 => "[世界字あ한]{1,9}",
        1 => "[ac-z]\u{301}?[o世]\u{308}?\u{323}?",
        1 => "[🦀👩éß✓→]{1,4}",
    ]
    .prop_map(String::into_bytes)
}

fn number() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0..12_u16, 2 => 0..90_u16, 1 => Just(999), 1 => Just(65535)]
}

/// Generates a sequence with up to two numbers.
fn sequence() -> impl Strategy<Value = Vec<u8>> {
    let finals = prop::sample::select(b"@ABCDEFGHIJKLMPSTXZ`adefgrsu".to_vec());
    (prop::collection::vec(number(), 0..3), finals).prop_map(|(numbers, end)| {
        let numbers: Vec<_> = numbers.iter().map(u16::to_string).collect();
        format!("\x1b[{}{}", numbers.join(";"), end as char).into_bytes()
    })
}

fn rendition() -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![
        prop::sample::select(vec!["0", "", "1", "2", "3", "4", "4:2", "4:3", "4:5", "7", "8", "9"]),
        prop::sample::select(vec!["22", "23", "24", "27", "28", "29", "39", "49", "59"]),
        prop::sample::select(vec!["31", "42", "97", "103", "38;5;200", "48;5;3", "58:5:7"]),
        prop::sample::select(vec!["38;2;1;2;3", "48:2::9:8:7", "58:2::4:5:6", "58;5;1"]),
    ];
    prop::collection::vec(one, 1..4).prop_map(|all| format!("\x1b[{}m", all.join(";")).into_bytes())
}

fn mode() -> impl Strategy<Value = Vec<u8>> {
    let modes = vec![
        "?1", "?6", "?7", "?12", "?25", "?47", "?1047", "?1048", "?1049", "?1000", "?1002",
        "?1003", "?1004", "?1005", "?1006", "?1007", "?2004", "?2026", "4", "20", "?3", "?1049",
    ];
    (prop::sample::select(modes), any::<bool>())
        .prop_map(|(mode, on)| format!("\x1b[{mode}{}", if on { 'h' } else { 'l' }).into_bytes())
}

fn other() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<&[u8]> = vec![
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\t",
        b"\x08",
        b"\x07",
        b"\x0e",
        b"\x0f",
        b"\x0b",
        b"\x1b7",
        b"\x1b8",
        b"\x1bD",
        b"\x1bE",
        b"\x1bM",
        b"\x1bH",
        b"\x1b=",
        b"\x1b>",
        b"\x1bc",
        b"\x1b(0",
        b"\x1b(B",
        b"\x1b)0",
        b"\x1b*0",
        b"\x1b#8",
        b"\x1b[3g",
        b"\x1b[2J",
        b"\x1b[3J",
        b"\x1b]2;title\x07",
        b"\x1b]0;a;b\x1b\\",
        b"\x1b[22;0t",
        b"\x1b[23;0t",
        b"\x1b[5 q",
        b"\x1b]8;;http://x.example/?a;b\x07",
        b"\x1b]8;id=1;http://y.example\x1b\\",
        b"\x1b]8;;\x1b\\",
        b"\x1b]4;3;rgb:01/02/03\x07",
        b"\x1b]104\x07",
        b"\x1b]10;#102030\x07",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_apc\x1b\\",
        b"\x1b",
        b"\x1b[",
        b"\x1b]",
        b"\x18",
        b"\xe4\xb8",
        b"\xff",
        b"\x80",
        b"\xc2\x85",
        b"\x1b[!p",
        b"\x1b[>4;1m",
        b"\x1b[>5u",
        b"\x1b[=3;2u",
        b"\x1b[<u",
        b"\x7f",
    ];
    prop::sample::select(all).prop_map(<[u8]>::to_vec)
}

fn step() -> impl Strategy<Value = Step> {
    let size = (2..100_u16, 1..40_u16).prop_map(|(cols, rows)| Size { cols, rows });
    prop_oneof![
        30 => text().prop_map(Step::Output),
        20 => other().prop_map(Step::Output),
        20 => sequence().prop_map(Step::Output),
        10 => rendition().prop_map(Step::Output),
        8 => mode().prop_map(Step::Output),
        1 => prop::collection::vec(any::<u8>().prop_filter("repeats", |byte| *byte != b'b'), 1..20).prop_map(Step::Output),
        // A sequence that repeats a character directly follows it.
        1 => Just(Step::Output(b"\x18=\x1b[7b".to_vec())),
        1 => size.prop_map(Step::Resize),
    ]
}

/// Splits the steps at `at`, within that step's output.
fn cut(
    steps: &[Step],
    at: prop::sample::Index,
    byte: prop::sample::Index,
) -> (Vec<Step>, Vec<Step>) {
    let at = at.index(steps.len());
    let (mut before, mut after) = (steps[..at].to_vec(), steps[at..].to_vec());
    if let Step::Output(output) = &steps[at] {
        let byte = byte.index(output.len() + 1);
        before.push(Step::Output(output[..byte].to_vec()));
        after[0] = Step::Output(output[byte..].to_vec());
    }
    (before, after)
}

fn take(emulator: &mut Emulator, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Output(output) => emulator.feed(output),
            Step::Resize(size) => emulator.resize(*size),
        }
    }
}

fn script(steps: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Output(output) => output.escape_ascii().to_string(),
        Step::Resize(size) => format!("<{}x{}>", size.cols, size.rows),
    };
    steps.iter().map(step).collect()
}

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn a_snapshot_and_the_rest_are_as_good_as_everything(
        steps in prop::collection::vec(step(), 1..60),
        at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        size in (2..60_u16, 1..20_u16),
    ) {
        let size = Size { cols: size.0, rows: size.1 };
        let (before, after) = cut(&steps, at, byte);
        let context = format!("{size:?} {} | {}", script(&before), script(&after));

        let mut first = Emulator::new(size);
        take(&mut first, &before);
        let mut second = repainted(&mut first);
        assert_same(&describe(&mut first), &describe(&mut second), &context);

        let mut whole = Emulator::new(size);
        take(&mut whole, &before);
        take(&mut whole, &after);
        take(&mut second, &after);
        assert_same(&describe(&mut whole), &describe(&mut second), &context);
    }
}
