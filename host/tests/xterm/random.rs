//! Tests random output, cut anywhere. It contains no character sets, of which xterm.js saves less
//! with a cursor, and no links, which it forgets with the line that they were opened on. Those are
//! covered by the cases.

use super::*;

/// A random number generator that yields the same numbers in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const TEXTS: &[&str] = &[
    "word",
    "two words",
    " ",
    "a",
    "0123456789012345678901234567890123456789",
    "世界",
    "é",
    "e\u{301}",
    "🦀",
    "👩\u{200d}💻",
    "tab\there",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n",
    "\x08",
    "_q~",
];
const FINALS: &[&str] = &[
    "@", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "P", "S", "T", "X", "Z",
    "a", "b", "d", "e", "f", " @", " A", "'}", "'~",
];
const WHOLE: &[&str] = &[
    "\x1b[m",
    "\x1b[1m",
    "\x1b[2;3m",
    "\x1b[4:3m",
    "\x1b[5m",
    "\x1b[25m",
    "\x1b[53m",
    "\x1b[7;31m",
    "\x1b[42m",
    "\x1b[38;5;99m",
    "\x1b[48;2;1;2;3m",
    "\x1b[49m",
    "\x1b[9m",
    "\x1b[21m",
    "\x1b[24m",
    "\x1b7",
    "\x1b8",
    "\x1bD",
    "\x1bE",
    "\x1bM",
    "\x1bH",
    "\x1b[g",
    "\x1b[3g",
    "\x1b[2;6r",
    "\x1b[r",
    "\x1b[20h",
    "\x1b[20l",
    "\x1b[?1h",
    "\x1b[?1l",
    "\x1b[?7h",
    "\x1b[?25l",
    "\x1b[?25h",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "\x1b[?47h",
    "\x1b[?47l",
    "\x1b[?1000h",
    "\x1b[?1003h",
    "\x1b[?1000l",
    "\x1b[?1006h",
    "\x1b[?1004h",
    "\x1b[?2004h",
    "\x1b[?2004l",
    "\x1b[?2026h",
    "\x1b[?2026l",
    "\x1b[?12h",
    "\x1b[3 q",
    "\x1b[0 q",
    "\x1b[!p",
    "\x1bc",
    "\x1b=",
    "\x1b>",
    "\x1b]2;title\x07",
    "\x1b[22t",
    "\x1b[23t",
    "\x1b]4;1;#102030\x07",
    "\x1b]104\x07",
    "\x1b]10;#112233\x07",
    "\x1b[1\"q",
    "\x1b[0\"q",
    "\x1b[?2J",
    "\x1b[?K",
    "\x1b#8",
];

fn step(random: &mut Random) -> Step {
    output(match random.below(10) {
        0..=4 => random.pick(TEXTS).to_owned(),
        5..=6 => {
            let (one, other, end) = (random.below(10), random.below(45), random.pick(FINALS));
            match random.below(3) {
                0 => format!("\x1b[{end}"),
                1 => format!("\x1b[{one}{end}"),
                _ if matches!(end, "H" | "f") => format!("\x1b[{one};{other}{end}"),
                _ => format!("\x1b[{other}{end}"),
            }
        }
        _ => random.pick(WHOLE).to_owned(),
    })
}

/// Compares without regard to whether rows are joined, which xterm.js does not always know.
fn differs(page: &mut Page, before: &[Step], after: &[Step]) -> Option<String> {
    difference_of(page, SIZE, before, after, |line| line.replace('↩', ""))
}

/// Removes the steps that are not needed to see a difference.
fn shrink(page: &mut Page, mut before: Vec<Step>, mut after: Vec<Step>) -> (Vec<Step>, Vec<Step>) {
    loop {
        let length = before.len() + after.len();
        for part in [true, false] {
            let mut at = 0;
            while at < if part { before.len() } else { after.len() } {
                let (mut less_before, mut less_after) = (before.clone(), after.clone());
                if part {
                    less_before.remove(at)
                } else {
                    less_after.remove(at)
                };
                if differs(page, &less_before, &less_after).is_some() {
                    (before, after) = (less_before, less_after);
                } else {
                    at += 1;
                }
            }
        }
        if before.len() + after.len() == length {
            return (before, after);
        }
    }
}

#[test]
fn random_output_is_restored() {
    let seed = std::env::var("MOORLINE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let rounds =
        std::env::var("MOORLINE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(300);
    let mut random = Random(seed);
    let mut page = Page::open();
    for round in 0..rounds {
        let (before, after) = (1 + random.below(40), random.below(10));
        let before: Vec<Step> = (0..before).map(|_| step(&mut random)).collect();
        let after: Vec<Step> = (0..after).map(|_| step(&mut random)).collect();
        if differs(&mut page, &before, &after).is_some() {
            let (before, after) = shrink(&mut page, before, after);
            let found = differs(&mut page, &before, &after).unwrap_or_default();
            panic!("seed {seed}, round {round}: {} | {}\n{found}", script(&before), script(&after));
        }
    }
}
