//! Tests that a snapshot and the output after it make the same screen as all output from the
//! beginning.

mod bounds;
mod describe;
mod flood;
mod random;
mod recorded;

use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::SNAPSHOT_BYTES;
use moorline_shared::session::Size;
use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

use super::Screen;
use super::emulator::Emulator;
use describe::describe;

/// Configures the same cases for each run, so that a check only fails because of a change.
/// `PROPTEST_RNG_SEED=<n>` tries others.
fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

const SIZE: Size = Size { cols: 80, rows: 24 };

fn fed(size: Size, output: &[u8]) -> Emulator {
    let mut emulator = Emulator::new(size);
    emulator.feed(output);
    emulator
}

/// Creates an emulator that was fed nothing but a snapshot of this one.
fn repainted(emulator: &mut Emulator) -> Emulator {
    fed(emulator.size(), &emulator.paint(SNAPSHOT_BYTES))
}

/// Compares line by line, so that a failure shows only the difference.
fn assert_same(one: &[String], other: &[String], context: &str) {
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "{context}");
    }
    assert_eq!(one.len(), other.len(), "{context}");
}

fn assert_repaints(output: &[u8]) {
    let mut emulator = fed(SIZE, output);
    let mut again = repainted(&mut emulator);
    let context = output.escape_ascii().to_string();
    assert_same(&describe(&mut emulator), &describe(&mut again), &context);
    let mut over = fed(SIZE, &emulator.paint_over(true));
    assert_same(&describe(&mut emulator), &describe(&mut over), &context);
}

#[test]
fn what_a_snapshot_has_to_keep() {
    let cases: &[&[u8]] = &[
        b"",
        b"plain\r\ntext",
        b"\x1b[31;1mred\x1b[0m \x1b[4:3;58:2::1:2:3mcurly\x1b[m \x1b[38;5;9;48;2;9;8;7mx",
        b"\x1b]8;id=a;http://example.org/\x1b\\link\x1b]8;;\x1b\\ \x1b]8;;http://b.example\x07b",
        "wide 世界 marks e\u{301} o\u{308}\u{323}".as_bytes(),
        b"\x1b]2;title\x07\x1b[22t\x1b]2;other\x1b\\",
        b"main\x1b[?1049halternate\x1b[3;4H\x1b7\x1b[31mx",
        b"\x1b[44mmain\x1b[?1049h\x1b[mx\x1b[?1049l",
        b"\x1b[5;10r\x1b[?6h\x1b[2;3Hin the region",
        b"\x1b[3g\x1b[5G\x1bH\x1b[40G\x1bH\r",
        b"\x1b(0lqk\x1b(Bx\x1b)0\x0eabc",
        b"\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1004h\x1b[?25l\x1b[4h\x1b[?7l",
        b"\x1b[5 q\x1b[?2026hhalf",
        b"\x1b]4;1;rgb:11/22/33\x07\x1b]11;rgb:aa/bb/cc\x07",
        b"\x1b[44m\x1b[2Jbackground\x1b[K\r\n\x1b[41m\x1b[K",
    ];
    for case in cases {
        assert_repaints(case);
    }
}

#[test]
fn rows_that_wrap_stay_joined() {
    let long = "0123456789".repeat(8);
    assert_repaints(long.as_bytes());
    assert_repaints(format!("{long}{long}x").as_bytes());
    assert_repaints(format!("{long}\r\nnot joined").as_bytes());
    // The wide character does not fit; its continuation is erased or overwritten later.
    let odd = format!("x{}", "世".repeat(60));
    assert_repaints(odd.as_bytes());
    assert_repaints(format!("{odd}\x1b[2;1H\x1b[2K").as_bytes());
    assert_repaints(format!("{odd}\x1b[2;1Hab").as_bytes());
    assert_repaints(format!("{long}yy\r\x1b[2K").as_bytes());
    // The cursor is about to wrap, now or when it is restored.
    assert_repaints(format!("{long}\x1b7more").as_bytes());
    assert_repaints(format!("{long}\x1b[31m\x1b7more\x1b8").as_bytes());
}

#[test]
fn a_sequence_may_be_cut_anywhere() {
    let whole = "a\x1b[31mb\x1b]2;ti\u{e9}tle\x1b\\c世\x1b(0q\x1b[\n5;6Hd\x1bP1$qm\x1b\\e\
                 \x1b[?1049hf\x1bXnothing\x07\x1b\\g\x18h\x1b]2;x\x07i\x1b[38;2;1\x1a;2;3mj";
    let whole = whole.as_bytes();
    let expected = describe(&mut fed(SIZE, whole));
    for cut in 0..=whole.len() {
        let mut half = repainted(&mut fed(SIZE, &whole[..cut]));
        half.feed(&whole[cut..]);
        assert_same(&expected, &describe(&mut half), &format!("cut at {cut}"));
    }
}

#[test]
fn a_character_may_be_repeated_in_insert_mode() {
    let wide = format!("{}世", "x".repeat(78));
    let cases = [
        "abc\r\x1b[4h=".to_owned(),
        "\x1b[4h=".to_owned(),
        "abc\r\x1b[1;44m\x1b[4h世".to_owned(),
        format!("{wide}\r\x1b[2C\x1b[4h="),
        format!("{wide}\x1b[1;78H\x1b[4h世"),
        format!("{wide}yz\x1b[1;80H\x1b[4h="),
        format!("{wide}yz\x1b[1;5H\x1b[4h="),
    ];
    for case in cases {
        let mut whole = fed(SIZE, case.as_bytes());
        let mut again = repainted(&mut whole);
        assert_same(&describe(&mut whole), &describe(&mut again), &case);
        for emulator in [&mut whole, &mut again] {
            emulator.feed(b"\x1b[7bz");
        }
        assert_same(&describe(&mut whole), &describe(&mut again), &case);
    }
}

#[test]
fn a_string_without_end_is_bounded() {
    let mut emulator = fed(SIZE, b"before\x1b]2;");
    for _ in 0..100 {
        emulator.feed(&[b'x'; 10_000]);
    }
    assert!(emulator.paint(SNAPSHOT_BYTES).len() < 1000);
    emulator.feed(b"\x07after");
    assert_eq!(emulator.model.title, None);
    assert!(describe(&mut emulator).iter().any(|line| line.contains("beforeafter")));
}

#[test]
fn the_oldest_scrollback_is_dropped_first() {
    let lines: String =
        (0..3000).map(|line| format!("line {line} {}\r\n", "x".repeat(50))).collect();
    let mut emulator = fed(SIZE, lines.as_bytes());
    let all = describe(&mut emulator);
    let snapshot = emulator.paint(20_000);
    assert!(snapshot.len() <= 20_000 && snapshot.len() > 19_000);
    let less = describe(&mut fed(SIZE, &snapshot));
    // The screen and everything else is there, and the most recent scrollback.
    let screen = all.len() - 24 - 3;
    assert_same(&all[screen..], &less[less.len() - 24 - 3..], "the screen");
    let scrolled = less.iter().filter(|line| line.contains("line 29")).count();
    assert!(scrolled > 90, "{scrolled}");
}

fn entry(seq: u64, data: &[u8]) -> Frame {
    Frame::copy(Seq(seq), data).unwrap()
}

#[test]
fn a_snapshot_tells_the_last_entry_and_the_size() {
    let screen = Screen::new(SIZE);
    screen.push(&entry(7, b"hello"));
    screen.resize(Size { cols: 100, rows: 30 });
    screen.push(&entry(8, b""));
    let snapshot = screen.snapshot();
    assert_eq!((snapshot.seq, snapshot.cols, snapshot.rows), (Seq(8), Some(100), Some(30)));
    assert_eq!(screen.pending_bytes(), 0);

    let other = Screen::new(SIZE);
    other.restore(&snapshot);
    assert_eq!(other.snapshot(), snapshot);
    other.push(&entry(9, b" world"));
    screen.push(&entry(9, b" world"));
    assert_eq!(other.snapshot(), screen.snapshot());
}

#[test]
fn no_emulator_is_kept_that_is_not_needed() {
    let screen = Screen::new(SIZE);
    let flood = "the quick brown fox\r\n".repeat(3000);
    for seq in 1..100 {
        screen.push(&entry(seq, flood.as_bytes()));
        screen.catch_up();
        assert_eq!(screen.pending_bytes(), 0);
    }
    assert!(!screen.canvas().has_emulator());
    let before = screen.snapshot();
    assert!(screen.canvas().has_emulator());
    screen.park();
    assert!(!screen.canvas().has_emulator());
    assert_eq!(screen.snapshot(), before);
    assert!(!screen.canvas().has_emulator());
}

#[test]
fn pushing_does_not_wait_for_the_emulator() {
    let screen = Screen::new(SIZE);
    let _busy = screen.canvas();
    screen.push(&entry(1, b"x"));
    screen.resize(SIZE);
    assert!(screen.pending_bytes() > 0);
}
