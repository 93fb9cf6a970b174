//! Tests recordings of real programs, made with `examples/record.rs`, cut at many places.

use super::*;

const RECORDINGS: [(&str, Size, &[u8]); 8] = [
    ("a coloured build log", SIZE, include_bytes!("../../../tests/recordings/build.bin")),
    ("htop", TALL, include_bytes!("../../../tests/recordings/htop.bin")),
    ("less", SIZE, include_bytes!("../../../tests/recordings/less.bin")),
    ("a shell", SHELL, include_bytes!("../../../tests/recordings/shell.bin")),
    ("tmux", SIZE, include_bytes!("../../../tests/recordings/tmux.bin")),
    ("top", TALL, include_bytes!("../../../tests/recordings/top.bin")),
    ("wide and combining characters", ODD, include_bytes!("../../../tests/recordings/unicode.bin")),
    ("vim", SIZE, include_bytes!("../../../tests/recordings/vim.bin")),
];
const TALL: Size = Size { cols: 100, rows: 30 };
const SHELL: Size = Size { cols: 60, rows: 20 };
const ODD: Size = Size { cols: 41, rows: 12 };

/// Cuts of each recording, in addition to the last 64 bytes, where programs exit.
const CUTS: usize = 150;

#[test]
fn a_snapshot_and_the_rest_of_a_recording_are_as_good_as_all_of_it() {
    for (name, size, recording) in RECORDINGS {
        assert!(recording.len() > 500, "{name} was not recorded");
        let expected = describe(&mut fed(size, recording));
        let step = recording.len() / CUTS + 1;
        let end = recording.len().saturating_sub(64)..=recording.len();
        let mut followed = Emulator::new(size);
        let mut from = 0;
        for cut in (0..recording.len()).step_by(step).chain(end) {
            if cut >= from {
                followed.feed(&recording[from..cut]);
                from = cut;
            } else {
                continue;
            }
            let mut again = repainted(&mut followed);
            let context = format!("{name} cut at {cut}");
            assert_same(&describe(&mut followed), &describe(&mut again), &context);
            again.feed(&recording[cut..]);
            assert_same(&expected, &describe(&mut again), &context);
        }
    }
}

#[test]
fn a_recording_may_be_resized() {
    for (name, size, recording) in RECORDINGS {
        let (first, second) = recording.split_at(recording.len() / 2);
        let mut whole = fed(size, first);
        let mut again = repainted(&mut whole);
        for size in [ODD, TALL, SHELL, Size { cols: 2, rows: 1 }, size] {
            whole.resize(size);
            again.resize(size);
            assert_same(&describe(&mut whole), &describe(&mut repainted(&mut whole)), name);
        }
        whole.feed(second);
        again.feed(second);
        assert_same(&describe(&mut whole), &describe(&mut again), name);
    }
}
