//! Attributes as select-graphic-rendition sequences.

use std::io::Write as _;

use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::vte::ansi::Color;

/// What a flag is called; the flags of underlines exclude each other.
const FLAGS: [(Flags, &str); 11] = [
    (Flags::BOLD, ";1"),
    (Flags::DIM, ";2"),
    (Flags::ITALIC, ";3"),
    (Flags::UNDERLINE, ";4"),
    (Flags::DOUBLE_UNDERLINE, ";4:2"),
    (Flags::UNDERCURL, ";4:3"),
    (Flags::DOTTED_UNDERLINE, ";4:4"),
    (Flags::DASHED_UNDERLINE, ";4:5"),
    (Flags::INVERSE, ";7"),
    (Flags::HIDDEN, ";8"),
    (Flags::STRIKEOUT, ";9"),
];

/// The attributes that text gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::screen) struct Pen {
    foreground: Color,
    background: Color,
    flags: Flags,
    underline: Option<Color>,
    link: Option<Hyperlink>,
}

impl Default for Pen {
    fn default() -> Self {
        Self::of(&Cell::default())
    }
}

impl Pen {
    /// The attributes of a cell, or of a cursor's template.
    pub(in crate::screen) fn of(cell: &Cell) -> Self {
        let known = FLAGS.iter().fold(Flags::empty(), |all, (flag, _)| all.union(*flag));
        Self {
            foreground: cell.fg,
            background: cell.bg,
            flags: cell.flags.intersection(known),
            underline: cell.underline_color(),
            link: cell.hyperlink(),
        }
    }

    /// Whether a cell has just these attributes, cheaply.
    pub(super) fn is_of(&self, cell: &Cell) -> bool {
        if cell.extra.is_some() || self.underline.is_some() || self.link.is_some() {
            return *self == Self::of(cell);
        }
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        let ignored = wide | Flags::LEADING_WIDE_CHAR_SPACER | Flags::WRAPLINE;
        self.foreground == cell.fg
            && self.background == cell.bg
            && self.flags == cell.flags.difference(ignored)
    }

    /// Writes what turns the attributes `from` into these.
    pub(super) fn write(&self, from: &Self, out: &mut Vec<u8>) {
        if self.link != from.link {
            match &self.link {
                Some(link) => write_link(link, out),
                None => out.extend_from_slice(b"\x1b]8;;\x1b\\"),
            }
        }
        let changed = (self.foreground, self.background, self.flags, self.underline)
            != (from.foreground, from.background, from.flags, from.underline);
        if !changed {
            return;
        }
        let lost = from.flags.difference(self.flags);
        let anew = !lost.is_empty() || from.underline.is_some() && self.underline.is_none();
        let blank = Self::default();
        let from = if anew { &blank } else { from };
        out.extend_from_slice(b"\x1b[");
        let start = out.len();
        if anew {
            out.extend_from_slice(b";0");
        }
        for (flag, name) in FLAGS {
            if self.flags.contains(flag) && !from.flags.contains(flag) {
                out.extend_from_slice(name.as_bytes());
            }
        }
        if self.foreground != from.foreground {
            write_color(self.foreground, 30, out);
        }
        if self.background != from.background {
            write_color(self.background, 40, out);
        }
        if let Some(color) = self.underline.filter(|_| self.underline != from.underline) {
            write_underline_color(color, out);
        }
        // The first parameter needs no separator.
        out.remove(start);
        out.push(b'm');
    }
}

fn write_link(link: &Hyperlink, out: &mut Vec<u8>) {
    push(out, format_args!("\x1b]8;id={};{}\x1b\\", link.id(), link.uri()));
}

/// `base` is 30 for the foreground and 40 for the background.
fn write_color(color: Color, base: u8, out: &mut Vec<u8>) {
    match color {
        Color::Named(name) => match name as usize {
            low @ 0..=7 => push(out, format_args!(";{}", usize::from(base) + low)),
            high @ 8..=15 => push(out, format_args!(";{}", usize::from(base) + 52 + high)),
            _ => push(out, format_args!(";{}", base + 9)),
        },
        Color::Indexed(index) => push(out, format_args!(";{};5;{index}", base + 8)),
        Color::Spec(rgb) => {
            push(out, format_args!(";{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b));
        }
    }
}

fn write_underline_color(color: Color, out: &mut Vec<u8>) {
    match color {
        Color::Named(name) => push(out, format_args!(";58:5:{}", name as usize)),
        Color::Indexed(index) => push(out, format_args!(";58:5:{index}")),
        Color::Spec(rgb) => push(out, format_args!(";58:2::{}:{}:{}", rgb.r, rgb.g, rgb.b)),
    }
}

/// Writing to memory cannot fail.
pub(super) fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}
