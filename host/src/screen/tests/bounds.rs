//! Tests that a snapshot of any screen stays within its limit and shows the text.

use moorline_shared::limits::{COLUMNS, ROWS};

use super::*;
use crate::screen::attributes::combining;

const LARGEST: Size = Size { cols: *COLUMNS.end(), rows: *ROWS.end() };

/// Returns the text of a snapshot's screen, row by row.
fn shown(size: Size, snapshot: &[u8]) -> Vec<String> {
    let emulator = fed(size, snapshot);
    let grid = emulator.model.term.grid();
    let rows = 0..i32::from(size.rows);
    let text = |line| -> String {
        let row = &grid[alacritty_terminal::index::Line(line)][..];
        row.iter().map(|cell| if cell.c == '\t' { ' ' } else { cell.c }).collect()
    };
    rows.map(|line| text(line).trim_end().to_owned()).collect()
}

/// Returns a snapshot within the limit, its text, and the text of the screen itself.
fn painted(size: Size, output: &str) -> (Vec<u8>, Vec<String>, Vec<String>) {
    let screen = Screen::new(size);
    for data in output.as_bytes().chunks(moorline_shared::limits::FRAME_DATA_BYTES) {
        screen.push(&entry(1, data));
        screen.catch_up();
    }
    let snapshot = screen.snapshot().data.to_vec();
    assert!(snapshot.len() <= SNAPSHOT_BYTES, "{} bytes", snapshot.len());
    let mut whole = Emulator::new(size);
    whole.feed(output.as_bytes());
    let everything = whole.paint(usize::MAX);
    (snapshot.clone(), shown(size, &snapshot), shown(size, &everything))
}

/// Returns output that fills a screen with `cell`, which gets a different number each time.
fn full(size: Size, cell: impl Fn(usize) -> String) -> String {
    let cells = usize::from(size.cols) * usize::from(size.rows);
    (0..cells).map(cell).collect()
}

fn color(at: usize) -> String {
    let [_, r, g, b] = ((at * 2_654_435_761) as u32).to_be_bytes();
    format!("\x1b[38;2;{r};{g};{b};48;2;{b};{r};{g}m")
}

#[test]
fn links_go_first() {
    let link = |at: usize| {
        format!("\x1b]8;;http://{at}.example/{}\x1b\\{at:>5}\x1b]8;;\x1b\\\r\n", "x".repeat(2500))
    };
    let output: String = (0..1500).map(|at| format!("\x1b[31m{}", link(at))).collect();
    let (snapshot, shown, whole) = painted(SIZE, &output);
    assert_eq!(shown, whole);
    // All of the scrollback is there, with its colours.
    let mut again = fed(SIZE, &snapshot);
    let lines = describe(&mut again);
    assert!(lines.iter().any(|line| line.contains("    0") && line.contains("Red")));
}

#[test]
fn then_the_scrollback_goes_and_then_colours() {
    let wide = Size { cols: 640, rows: 180 };
    let snapshot_of = |rows: u16| {
        let size = Size { rows, ..wide };
        full(size, |at| format!("{}▀", color(at)))
    };
    let (snapshot, shown, whole) = painted(wide, &snapshot_of(180));
    assert_eq!(shown, whole);
    assert!(snapshot.len() < SNAPSHOT_BYTES / 2, "{} bytes", snapshot.len());
    // A smaller screen that follows much text keeps its colours.
    let lines = "a line of the scrollback\r\n".repeat(1000);
    let coloured = format!("{lines}{}", snapshot_of(30));
    let (snapshot, shown, whole) = painted(wide, &coloured);
    assert_eq!(shown, whole);
    assert!(String::from_utf8_lossy(&snapshot).contains("\x1b[38;2;"));
}

#[test]
fn the_largest_screen_shows_its_text() {
    let texts: [fn(usize) -> String; 4] = [
        |at| char::from(b'!' + (at % 90) as u8).to_string(),
        |at| format!("{}{}", color(at), char::from(b'!' + (at % 90) as u8)),
        |at| if at % 2 == 0 { "世".into() } else { String::new() },
        |at| format!("a{}", if at % 3 == 0 { "\u{301}\u{302}\u{303}" } else { "" }),
    ];
    for text in texts {
        let (_, shown, whole) = painted(LARGEST, &full(LARGEST, text));
        assert_eq!(shown, whole);
    }
}

#[test]
fn what_takes_more_than_a_snapshot_has_loses_its_upper_rows() {
    // Each character takes three or four bytes, and no two neighbours are the same.
    let braille =
        |at: usize| char::from_u32(0x2800 + (at * 7 % 255) as u32 + 1).unwrap().to_string();
    let (_, shown, whole) = painted(LARGEST, &full(LARGEST, braille));
    let kept = shown.iter().zip(&whole).rev().take_while(|(shown, whole)| shown == whole).count();
    assert!(kept > 300, "{kept} rows");
    assert!(shown[..500 - kept].iter().all(String::is_empty));
}

#[test]
fn the_screen_below_the_alternate_one_goes_before_its_text() {
    let text = |at: usize| if at.is_multiple_of(2) { "界".into() } else { String::new() };
    let main = full(LARGEST, text);
    let output = format!("{main}\x1b[?1049h\x1b[H{main}");
    let (snapshot, shown, whole) = painted(LARGEST, &output);
    assert_eq!(shown, whole);
    let left = fed(LARGEST, &[&snapshot[..], b"\x1b[?1049l"].concat());
    assert!(!left.model.is_alternate());
}

#[test]
fn links_are_bounded_in_memory_too() {
    let mut emulator = Emulator::new(Size { cols: 200, rows: 50 });
    let one = |at: usize| format!("\x1b]8;;http://{at}.example/{}\x1b\\x", "y".repeat(4000));
    for at in 0..20_000 {
        emulator.feed(one(at).as_bytes());
    }
    let grid = emulator.model.term.grid();
    let linked = grid.iter_from(alacritty_terminal::index::Point::new(
        alacritty_terminal::grid::Dimensions::topmost_line(grid),
        alacritty_terminal::index::Column(0),
    ));
    let linked = linked.filter(|cell| cell.hyperlink().is_some()).count();
    assert!((100..2000).contains(&linked), "{linked} links are kept");
}

#[test]
fn combining_characters_are_bounded() {
    let mut emulator = fed(SIZE, "a".as_bytes());
    for _ in 0..1000 {
        emulator.feed("\u{301}".as_bytes());
    }
    let grid = emulator.model.term.grid();
    let cell = &grid[alacritty_terminal::index::Line(0)][alacritty_terminal::index::Column(0)];
    assert_eq!(combining(cell).len(), 16);
}
