//! Tests every query, cut into pieces anywhere.

use super::*;

fn found(pieces: &[&[u8]]) -> Vec<(usize, usize, Query)> {
    let mut queries = Queries::new();
    let mut all = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        queries.push(piece, |end, query| all.push((number, end, query)));
    }
    all
}

fn known() -> Vec<(&'static str, Query)> {
    let mode = |private, mode| Query::Mode { private, mode };
    vec![
        ("\x1b[c", Query::PrimaryAttributes),
        ("\x1b[0c", Query::PrimaryAttributes),
        ("\x1b[>c", Query::SecondaryAttributes),
        ("\x1b[=c", Query::TertiaryAttributes),
        ("\x1b[>q", Query::Version),
        ("\x1b[>0q", Query::Version),
        ("\x1b[5n", Query::Status),
        ("\x1b[6n", Query::Cursor { private: false }),
        ("\x1b[?6n", Query::Cursor { private: true }),
        ("\x1b[\r6n", Query::Cursor { private: false }),
        ("\x1b[4$p", mode(false, 4)),
        ("\x1b[?2026$p", mode(true, 2026)),
        ("\x1b[14t", Query::Window(14)),
        ("\x1b[18t", Query::Window(18)),
        ("\x1b[?u", Query::Keyboard),
        ("\x1b[?4m", Query::OtherKeys),
        ("\x1bP$qm\x1b\\", Query::Setting("m".into())),
        ("\x1bP$q q\x1b\\", Query::Setting(" q".into())),
        ("\x1bP+q436f;524742\x1b\\", Query::Capabilities("436f;524742".into())),
        ("\x1b]4;7;?\x07", Query::Palette { indexes: vec![7], bell: true }),
        ("\x1b]4;1;?;2;red;3;?\x1b\\", Query::Palette { indexes: vec![1, 3], bell: false }),
        ("\x1b]10;?\x1b\\", Query::Colors { numbers: vec![10], bell: false }),
        ("\x1b]11;?\x07", Query::Colors { numbers: vec![11], bell: true }),
        ("\x1b]10;?;?\x07", Query::Colors { numbers: vec![10, 11], bell: true }),
    ]
}

/// Returns the queries that only the host answers.
fn for_host() -> Vec<(&'static str, Query)> {
    let device = |device, label| Query::Device { device, label };
    vec![
        ("\x1bZ", Query::Identify),
        ("\x1b[?996n", Query::ColorScheme),
        ("\x1b[?15n", device(15, 0)),
        ("\x1b[?63;7n", device(63, 7)),
        ("\x1b[11t", Query::Window(11)),
        ("\x1b[13t", Query::Window(13)),
        ("\x1b[15t", Query::Window(15)),
        ("\x1b[19t", Query::Window(19)),
        ("\x1b]17;?\x07", Query::Colors { numbers: vec![17], bell: true }),
        ("\x1b]19;?\x1b\\", Query::Colors { numbers: vec![19], bell: false }),
        ("\u{9b}c", Query::EightBit(Box::new(Query::PrimaryAttributes))),
    ]
}

/// Queries that nobody answers.
const SILENT: [&str; 12] = [
    "\x05",
    "\x1b]52;c;?\x07",
    "\x1b]52;;?\x1b\\",
    "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
    "\x1b[?1;1;0S",
    "\x1b[1;1;1;1;1;1*y",
    "\x1b[x",
    "\x1b[1$w",
    "\x1b[&u",
    "\x1b[21t",
    "\x1b]5;0;?\x07",
    "\x1b]21;foreground=?\x1b\\",
];

/// Returns what passes of `output`, in two pieces and byte by byte.
fn passed(output: &str, cut: usize) -> [String; 2] {
    let (first, second) = output.as_bytes().split_at(cut);
    let pass = |pieces: Vec<&[u8]>| {
        let mut withheld = Withheld::new();
        let all: Vec<Vec<u8>> = pieces.into_iter().map(|piece| withheld.pass(piece)).collect();
        String::from_utf8(all.concat()).unwrap()
    };
    [pass(vec![first, second]), pass(output.as_bytes().chunks(1).collect())]
}

#[test]
fn what_a_terminal_is_not_to_answer_is_withheld_from_it() {
    let for_host: Vec<_> = for_host().into_iter().map(|(sequence, _)| sequence).collect();
    for sequence in for_host.into_iter().chain(SILENT) {
        let output = format!("a\x1b[1m{sequence}z");
        for cut in 0..=output.len() {
            assert_eq!(passed(&output, cut), ["a\x1b[1mz"; 2], "{sequence:?} cut at {cut}");
        }
    }
}

#[test]
fn all_else_passes_as_it_is() {
    let known: Vec<_> = known().into_iter().map(|(sequence, _)| sequence).collect();
    let others = [
        "\x1b]52;c;aGk=\x07 \x1b]5;0;red\x07\x1b]17;red\x07\x1b]99;i=1;text\x1b\\",
        "\x1b_Ga=T,f=100;AAAA\x1b\\\x1b_Xa=q\x1b\\ caf\u{e9} 5\u{a0}\u{b0}\u{9b}1mred\x1b[2S\x1b[2x",
        "\x1b]8;;https://example.com/?\x1b\\x\x1b[22;0t\x1b[2*x",
    ];
    for output in known.into_iter().chain(others) {
        for cut in 0..=output.len() {
            assert_eq!(passed(output, cut), [output; 2], "cut at {cut}");
        }
    }
}

#[test]
fn a_long_string_is_held_back_only_so_far() {
    let mut withheld = Withheld::new();
    let long = format!("\x1b]52;c;{}", "A".repeat(100_000));
    assert_eq!(withheld.pass(long.as_bytes()).len(), long.len());
    let unending = format!("\x1b]17;{}", "?".repeat(QUERY_BYTES));
    assert_eq!(withheld.pass(unending.as_bytes()), unending.as_bytes());
}

#[test]
fn every_query_is_found_with_its_end_however_the_output_is_cut() {
    for (sequence, query) in known().into_iter().chain(for_host()) {
        let output = format!("a\x1b[1m{sequence}z");
        let end = output.len() - 1;
        for cut in 0..=output.len() {
            let (first, second) = output.as_bytes().split_at(cut);
            let expected = if cut >= end { (0, end) } else { (1, end - cut) };
            let expected = (expected.0, expected.1, query.clone());
            assert_eq!(found(&[first, second]), [expected], "{sequence:?} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = output.as_bytes().chunks(1).collect();
        assert_eq!(found(&bytes).len(), 1, "{sequence:?} byte by byte");
    }
}

#[test]
fn what_asks_nothing_is_no_query() {
    for output in [
        "\x1b[31mred\x1b[0m\x1b[2J\x1b[1;1H",
        "\x1b[>1u\x1b[<u\x1b[=1;2u\x1b[u\x1b[>4;2m\x1b[?1m\x1b[>1q\x1b[1c\x1b[2 q\x1b[!p\x1b[22;0t\x1b[8;24;80t\x1b[7n",
        "\x1b]8;;https://example.com/?\x1b\\x\x1b]0;4;?\x07\x1b]133;A\x07",
        "\x1b]4;1;red\x07\x1b]11;#000000\x07\x1b]52;c;?\x07\x1b]104;?\x07\x1b]20;?\x07\x05\x1b_Ga=q;\x1b\\",
        // A sequence that was cancelled, and a string of another kind that contains the text of
        // one.
        "\x1b[6\x18n\x1b]11;?\x1a",
        "\x1bPtmux;[6n\x1b\\",
        "^[[6n [6n",
    ] {
        assert_eq!(found(&[output.as_bytes()]), [], "{output:?}");
        let bytes: Vec<&[u8]> = output.as_bytes().chunks(1).collect();
        assert_eq!(found(&bytes), [], "{output:?} byte by byte");
    }
}

#[test]
fn a_sequence_that_breaks_another_off_counts() {
    for output in ["\x1b[\x1b[6n", "\x1b\x1b[6n", "\x1b]11;\x1b[6n", "\x1bP+q\x1b[6n"] {
        let expected = Query::Cursor { private: false };
        let pieces: Vec<&[u8]> = output.as_bytes().chunks(1).collect();
        for found in [found(&[output.as_bytes()]), found(&pieces)] {
            assert_eq!(found.len(), 1, "{output:?}");
            assert_eq!(found[0].2, expected, "{output:?}");
        }
    }
}

#[test]
fn what_never_ends_holds_little_and_hides_nothing_behind_it() {
    let mut queries = Queries::new();
    let mut count = 0;
    queries.push(b"\x1b]11;", |_, _| count += 1);
    for _ in 0..100 {
        queries.push(&[b'x'; 1000], |_, _| count += 1);
        assert!(queries.begun.capacity() <= 3 * QUERY_BYTES, "{}", queries.begun.capacity());
    }
    queries.push(b"\x1b[6n", |_, _| count += 1);
    assert_eq!(count, 1);
}

#[test]
fn answers_are_told_apart() {
    let answers = [
        ("\x1b[?1;2c", Query::PrimaryAttributes),
        ("\x1b[>0;276;0c", Query::SecondaryAttributes),
        ("\x1b[0n", Query::Status),
        ("\x1b[3;4R", Query::Cursor { private: false }),
        ("\x1b[?3;4R", Query::Cursor { private: true }),
        ("\x1b[?7;1$y", Query::Mode { private: true, mode: 7 }),
        ("\x1bP1$r0m\x1b\\", Query::Setting("m".into())),
        ("\x1b]4;1;rgb:0/0/0\x07", Query::Palette { indexes: vec![1], bell: true }),
        ("\x1b]11;rgb:0/0/0\x07", Query::Colors { numbers: vec![11], bell: true }),
        ("\x1b[8;24;80t", Query::Window(18)),
        ("\x1b[?5u", Query::Keyboard),
        ("\x1b[>4;2m", Query::OtherKeys),
    ];
    for (index, (_, query)) in answers.iter().enumerate() {
        for (other, (reply, _)) in answers.iter().enumerate() {
            assert_eq!(
                query.is_answered_by(reply.as_bytes()),
                index == other,
                "{query:?} {reply:?}"
            );
        }
    }
}
