//! Tests that skipping output that has scrolled away changes nothing.

use proptest::prelude::*;

use super::*;
use crate::screen::canvas::{Canvas, Haste};
use crate::screen::fast_forward::stretch;
use crate::screen::{QueuedOperation, model::SCROLLBACK};

/// Generates about one line of a flood; most are plain.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        20 => "[a-z ]{0,30}",
        3 => "[a-z]{70,200}",
        4 => "\x1b\\[(0|1|31|4;42|0;7|38;5;3|)m[a-z]{1,5}",
        2 => "\x1b\\[[0-9]{0,2}[KGCDXP@]",
        2 => "[世界é🦀\t\x08\x07]{1,4}",
    ];
    let end =
        prop_oneof![20 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r"), 1 => Just("\x1b[m\r\n")];
    (part, end).prop_map(|(part, end)| [part.as_bytes(), end.as_bytes()].concat())
}

fn odd() -> impl Strategy<Value = Vec<u8>> {
    let odd: Vec<&[u8]> = vec![
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[5;9r",
        b"\x1b[r",
        b"\x1b[4h",
        b"\x1b[4l",
        b"\x1b[A",
        b"\x1b]2;t\x07",
        b"\x0e",
        b"\x0f",
        b"\x1b(0",
        b"\x1b(B",
        b"\x1b[H",
        b"\x1b[?6h",
        b"\x1b[?6l",
        b"\x1b7",
        b"\x1b8",
        b"\x1bc",
        b"\x1b[3g",
        b"\x1b[?7l",
        b"\x1b[?7h",
        b"\x1b[2J",
        b"\xe4\xb8",
    ];
    prop::sample::select(odd).prop_map(<[u8]>::to_vec)
}

/// Generates random lines, repeated many times, with odd ones in between.
fn flood() -> impl Strategy<Value = Vec<u8>> {
    let stretch = (prop::collection::vec(line(), 5..40), 0..150_usize, odd(), any::<bool>());
    prop::collection::vec(stretch, 1..5).prop_map(|stretches| {
        let mut all = Vec::new();
        for (lines, times, odd, is_odd) in stretches {
            all.extend(lines.concat().repeat(times));
            if is_odd {
                all.extend(odd);
            }
        }
        all
    })
}

fn operations(output: &[u8]) -> Vec<QueuedOperation> {
    vec![QueuedOperation::Output(output.to_vec().into())]
}

proptest! {
    #![proptest_config(super::cases(60))]

    #[test]
    fn a_flood_skipped_is_a_flood_read(
        flood in flood(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<bool>()), 0..6),
        size in (2..100_u16, 1..30_u16),
    ) {
        let size = Size { cols: size.0, rows: size.1 };
        let mut cuts: Vec<_> = cuts.iter().map(|(at, now, park)| (at.index(flood.len() + 1), *now, *park)).collect();
        cuts.sort_unstable();
        let mut canvas = Canvas::blank(size);
        let mut from = 0;
        for (at, now, park) in cuts {
            canvas.advance(operations(&flood[from..at]), if now { Haste::Now } else { Haste::Later });
            from = at;
            if park {
                canvas.park();
            }
        }
        canvas.advance(operations(&flood[from..]), Haste::Now);
        let (painted, _) = canvas.paint();
        let expected = describe(&mut fed(size, &flood));
        assert_same(&expected, &describe(&mut fed(size, &painted)), "skipped");
    }
}

#[test]
fn a_flood_is_skipped_up_to_what_can_be_seen() {
    let flood = "\x1b[31mline of the flood\x1b[0m\r\n".repeat(10_000);
    let found = stretch(flood.as_bytes(), 24);
    let skip = found.skip.unwrap();
    assert!(found.is_all);
    assert_eq!(skip.attributes, b"\x1b[0m");
    let left = flood[skip.bytes..].matches('\n').count();
    assert_eq!(left, SCROLLBACK + 2 * 24 + 1);
}

#[test]
fn what_is_not_plain_ends_the_stretch() {
    let plain = "a\tb\x08\x07 é世\r\n\x1b[1;38:5:3mx\x1b[K";
    for (odd, is_all) in [
        ("\x1b[A", false),
        ("\x0e", false),
        ("\x1b]", false),
        ("\x1b[3", true),
        ("\x1b", true),
        ("\x7f", false),
    ] {
        let output = format!("{plain}{odd}");
        let found = stretch(output.as_bytes(), 24);
        assert_eq!((found.end, found.is_all, found.skip), (plain.len(), is_all, None), "{odd:?}");
    }
    assert_eq!(stretch(plain.as_bytes(), 24).end, plain.len());
}
