//! The emulator's answers to queries of the program.
//!
//! They equal those of xterm.js in the page, so that a program gets the same from either. Facts
//! that only a page knows (colours that the user chose, sizes in pixels) are the page's defaults.

use std::fmt::Write as _;

use alacritty_terminal::term::TermMode;
use alacritty_terminal::vte::ansi::{CursorShape, NamedColor};
use moorline_shared::terminal;

use super::model::Model;
use super::paint::Pen;
use crate::queries::Query;

/// The size of a cell in the page at its default font size: width and height in pixels.
const CELL: (usize, usize) = (8, 17);

/// The page's dark palette.
const COLORS: [u32; 16] = [
    0x2b353e, 0xee7272, 0x8cc97f, 0xe2b76b, 0x72ace9, 0xc796dd, 0x5fc9be, 0xc6cfd5, 0x6d7a85,
    0xff938f, 0xaae09d, 0xf4d08c, 0x98c6fb, 0xdeb4f0, 0x88e2d8, 0xf3f6f8,
];
/// The dark palette's colours of text, background and cursor.
const TEXT_COLORS: [u32; 3] = [0xd3dade, 0x10151a, 0x63d2c3];

/// DEC's modes by number.
const MODES: [(u16, TermMode); 9] = [
    (1, TermMode::APP_CURSOR),
    (6, TermMode::ORIGIN),
    (7, TermMode::LINE_WRAP),
    (25, TermMode::SHOW_CURSOR),
    (47, TermMode::ALT_SCREEN),
    (1004, TermMode::FOCUS_IN_OUT),
    (1047, TermMode::ALT_SCREEN),
    (1049, TermMode::ALT_SCREEN),
    (2004, TermMode::BRACKETED_PASTE),
];
/// The modes that the model keeps itself.
const OTHER_MODES: [u16; 10] = [9, 12, 45, 1000, 1002, 1003, 1005, 1006, 1015, 1016];
const SYNCHRONIZED_UPDATE: u16 = 2026;

/// Returns the answer to `query` for the current screen.
pub(super) fn to(query: &Query, model: &Model) -> String {
    match query {
        Query::PrimaryAttributes => terminal::PRIMARY_ATTRIBUTES.into(),
        Query::SecondaryAttributes => terminal::SECONDARY_ATTRIBUTES.into(),
        Query::TertiaryAttributes => terminal::TERTIARY_ATTRIBUTES.into(),
        Query::Version => terminal::VERSION.into(),
        Query::Status => "\x1b[0n".into(),
        Query::Cursor { private } => {
            let mark = if *private { "?" } else { "" };
            format!("\x1b[{mark}{};{}R", model.line() + 1, model.column() + 1)
        }
        Query::Mode { private: true, mode } => {
            format!("\x1b[?{mode};{}$y", dec_mode(model, *mode))
        }
        Query::Mode { private: false, mode } => format!("\x1b[{mode};{}$y", mode_of(model, *mode)),
        Query::Setting(name) => setting(model, name)
            .map_or_else(|| "\x1bP0$r\x1b\\".into(), |setting| format!("\x1bP1$r{setting}\x1b\\")),
        Query::Capabilities(names) => terminal::capabilities(names),
        Query::Palette { indexes, bell } => {
            colors(indexes, *bell, |index| (format!("4;{index}"), color(model, usize::from(index))))
        }
        Query::Colors { numbers, bell } => colors(numbers, *bell, |number| {
            // The foreground is 10, the background 11 and the cursor 12. The page has no separate
            // colours for the others.
            let of_text = match number {
                10..=12 => number - 10,
                18 => 2,
                _ => u8::from(matches!(number, 14 | 16 | 19)),
            };
            let index = NamedColor::Foreground as usize + usize::from(of_text);
            (number.to_string(), color(model, index))
        }),
        Query::Window(what) => window(model, *what),
        Query::Keyboard => model.keyboard.report(model.is_alternate()),
        Query::OtherKeys => model.keyboard.report_other_keys(),
        Query::Identify => terminal::PRIMARY_ATTRIBUTES.into(),
        Query::ColorScheme => "\x1b[?997;1n".into(),
        Query::Device { device, label } => self::device(*device, *label),
        Query::EightBit(query) => to(query, model),
    }
}

/// Answers like an xterm without printer, locator, macros or other sessions, and with no fault.
fn device(device: u16, label: u16) -> String {
    match device {
        15 => "\x1b[?13n".into(),
        25 => "\x1b[?20n".into(),
        26 => "\x1b[?27;1;0;0n".into(),
        55 => "\x1b[?50n".into(),
        56 => "\x1b[?57;0n".into(),
        62 => "\x1b[0*{".into(),
        63 => format!("\x1bP{label}!~0000\x1b\\"),
        75 => "\x1b[?70n".into(),
        _ => "\x1b[?83n".into(),
    }
}

fn window(model: &Model, what: u16) -> String {
    let (columns, rows) = (model.columns(), model.rows());
    let (width, height) = CELL;
    match what {
        11 => "\x1b[1t".into(),
        13 => "\x1b[3;0;0t".into(),
        14 => format!("\x1b[4;{};{}t", rows * height, columns * width),
        15 => format!("\x1b[5;{};{}t", rows * height, columns * width),
        16 => format!("\x1b[6;{height};{width}t"),
        18 => format!("\x1b[8;{rows};{columns}t"),
        _ => format!("\x1b[9;{rows};{columns}t"),
    }
}

/// Returns 1 for a mode that is set, 2 for one that is not, and 0 for an unknown one.
fn dec_mode(model: &Model, mode: u16) -> u8 {
    let known = MODES.iter().find(|(number, _)| *number == mode).map(|(_, mode)| model.has(*mode));
    let other = || OTHER_MODES.contains(&mode).then(|| model.modes.on().any(|on| on == mode));
    let known = known.or_else(other);
    let known = known.or((mode == SYNCHRONIZED_UPDATE).then_some(model.synchronised));
    known.map_or(0, |is_set| if is_set { 1 } else { 2 })
}

fn mode_of(model: &Model, mode: u16) -> u8 {
    let known = match mode {
        4 => TermMode::INSERT,
        20 => TermMode::LINE_FEED_NEW_LINE,
        _ => return 0,
    };
    if model.has(known) { 1 } else { 2 }
}

/// Returns the sequence that makes a setting, without the introducer.
fn setting(model: &Model, name: &str) -> Option<String> {
    Some(match name {
        "m" => Pen::of(&model.term.grid().cursor.template).rendition(),
        "r" => format!("{};{}r", model.region.start + 1, model.region.end),
        " q" => {
            let style = model.cursor_style.unwrap_or_default();
            let steady = match style.shape {
                CursorShape::Underline => 4,
                CursorShape::Beam => 6,
                _ => 2,
            };
            format!("{} q", steady - u8::from(style.blinking))
        }
        "\"q" => "0\"q".into(),
        "\"p" => "61;1\"p".into(),
        _ => return None,
    })
}

fn colors(asked: &[u8], bell: bool, told: impl Fn(u8) -> (String, [u8; 3])) -> String {
    let end = if bell { "\x07" } else { "\x1b\\" };
    let mut answer = String::new();
    for asked in asked {
        let (name, [r, g, b]) = told(*asked);
        // Writing to a string cannot fail.
        let _ = write!(answer, "\x1b]{name};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}{end}");
    }
    answer
}

/// Returns a colour that the program has set, or else the page's.
fn color(model: &Model, index: usize) -> [u8; 3] {
    if let Some(rgb) = model.term.colors()[index] {
        return [rgb.r, rgb.g, rgb.b];
    }
    let known = |color: u32| {
        let [_, r, g, b] = color.to_be_bytes();
        [r, g, b]
    };
    let text = NamedColor::Foreground as usize;
    // The index is at most 255, or one of three.
    match index {
        0..16 => known(COLORS[index]),
        16..232 => {
            let level = |step: usize| if step == 0 { 0 } else { (55 + 40 * step) as u8 };
            let cube = index - 16;
            [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
        }
        232..256 => [(8 + 10 * (index - 232)) as u8; 3],
        _ => known(TEXT_COLORS[(index - text).min(2)]),
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::session::Size;

    use super::*;
    use crate::queries::Queries;
    use crate::screen::emulator::Emulator;

    /// Returns the answers to output, on a screen of 80 × 24.
    fn answers(output: &str) -> String {
        let mut emulator = Emulator::new(Size::default());
        let (mut queries, mut before, mut all) = (Queries::new(), 0, String::new());
        queries.push(output.as_bytes(), |end, query| {
            emulator.feed(&output.as_bytes()[before..end]);
            before = end;
            all += &to(&query, &emulator.model);
        });
        all
    }

    #[test]
    fn each_query_is_answered_for_the_screen_as_it_was_there() {
        for (output, answer) in [
            ("\x1b[c", "\x1b[?1;2c"),
            ("\x1b[>c", "\x1b[>0;276;0c"),
            ("\x1b[5n", "\x1b[0n"),
            ("ab\x1b[6n\r\n\x1b[?6nc", "\x1b[1;3R\x1b[?2;1R"),
            ("\x1b[?2004h\x1b[?2004$p\x1b[?2004l\x1b[?2004$p", "\x1b[?2004;1$y\x1b[?2004;2$y"),
            ("\x1b[?2026$p\x1b[?9999$p", "\x1b[?2026;2$y\x1b[?9999;0$y"),
            ("\x1b[?1000h\x1b[?1003h\x1b[?1000$p\x1b[?1003$p", "\x1b[?1000;2$y\x1b[?1003;1$y"),
            ("\x1b[4h\x1b[4$p\x1b[20$p\x1b[7$p", "\x1b[4;1$y\x1b[20;2$y\x1b[7;0$y"),
            ("\x1bP$qm\x1b\\", "\x1bP1$r0m\x1b\\"),
            ("\x1b[1;31m\x1bP$qm\x1b\\", "\x1bP1$r0;1;31m\x1b\\"),
            ("\x1b[3;9r\x1bP$qr\x1b\\", "\x1bP1$r3;9r\x1b\\"),
            ("\x1b[5 q\x1bP$q q\x1b\\", "\x1bP1$r5 q\x1b\\"),
            ("\x1bP$qz\x1b\\", "\x1bP0$r\x1b\\"),
            ("\x1bP+q436f\x1b\\", "\x1bP1+r436f=323536\x1b\\"),
            ("\x1b]11;?\x07", "\x1b]11;rgb:1010/1515/1a1a\x07"),
            ("\x1b]11;#102030\x07\x1b]11;?\x1b\\", "\x1b]11;rgb:1010/2020/3030\x1b\\"),
            ("\x1b]10;?;?\x07", "\x1b]10;rgb:d3d3/dada/dede\x07\x1b]11;rgb:1010/1515/1a1a\x07"),
            (
                "\x1b]4;1;?;196;?;255;?\x07",
                "\x1b]4;1;rgb:eeee/7272/7272\x07\x1b]4;196;rgb:ffff/0000/0000\x07\x1b]4;255;rgb:eeee/eeee/eeee\x07",
            ),
            ("\x1b[?u\x1b[>5u\x1b[?u\x1b[?1049h\x1b[?u", "\x1b[?0u\x1b[?5u\x1b[?0u"),
            ("\x1b[=3u\x1b[=1;3u\x1b[?u\x1b[<u\x1b[?u", "\x1b[?2u\x1b[?0u"),
            ("\x1b[>4;2m\x1b[?4m\x1bc\x1b[?4m", "\x1b[>4;2m\x1b[>4;0m"),
            ("\x1b[18t\x1b[16t", "\x1b[8;24;80t\x1b[6;17;8t"),
            ("\x1b[11t\x1b[13t", "\x1b[1t\x1b[3;0;0t"),
            ("\x1b[15t\x1b[19t", "\x1b[5;408;640t\x1b[9;24;80t"),
            ("\x1bZ\u{9b}c", "\x1b[?1;2c\x1b[?1;2c"),
            ("\x1b[?996n", "\x1b[?997;1n"),
            ("\x1b[?15n\x1b[?25n\x1b[?55n", "\x1b[?13n\x1b[?20n\x1b[?50n"),
            ("\x1b[?62n\x1b[?63;7n", "\x1b[0*{\x1bP7!~0000\x1b\\"),
            (
                "\x1b]17;?\x07\x1b]19;?\x1b\\",
                "\x1b]17;rgb:d3d3/dada/dede\x07\x1b]19;rgb:1010/1515/1a1a\x1b\\",
            ),
            ("\x1b]52;c;?\x07\x05\x1b[?1;1;0S\x1b[1;1;1;1;1;1*y", ""),
        ] {
            assert_eq!(answers(output), answer, "{output:?}");
        }
    }
}
