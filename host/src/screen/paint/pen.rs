//! Attributes as SGR sequences (select graphic rendition).

use std::io::Write as _;

use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::vte::ansi::Color;

use super::Detail;
use crate::screen::attributes::Attributes;

/// The parameter of each flag. The flags of underlines exclude each other.
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

/// The attributes of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::screen) struct Pen {
    foreground: Color,
    background: Color,
    flags: Flags,
    underline: Option<Color>,
    others: Attributes,
    link: Option<Hyperlink>,
}

/// Attributes that are set like the flags.
const OTHERS: [(Attributes, &str); 2] = [(Attributes::BLINK, ";5"), (Attributes::OVERLINE, ";53")];

impl Default for Pen {
    fn default() -> Self {
        Self::of(&Cell::default())
    }
}

impl Pen {
    /// Returns the attributes of a cell, or of a cursor's template.
    pub(in crate::screen) fn of(cell: &Cell) -> Self {
        let known = FLAGS.iter().fold(Flags::empty(), |all, (flag, _)| all.union(*flag));
        Self {
            foreground: cell.fg,
            background: cell.bg,
            flags: cell.flags.intersection(known),
            underline: cell.underline_color(),
            others: Attributes::of(cell),
            link: cell.hyperlink(),
        }
    }

    /// Returns the attributes that a smaller snapshot keeps.
    pub(super) fn reduced(mut self, detail: Detail) -> Self {
        if !detail.links {
            self.link = None;
        }
        if !detail.colors {
            self = Self { flags: self.flags, link: self.link, ..Self::default() };
        }
        if !detail.attributes {
            self = Self { link: self.link, ..Self::default() };
        }
        self
    }

    /// Returns the attributes of a cell that was erased: it only has a background colour.
    pub(super) fn erased_to(background: Color) -> Self {
        Self { background, ..Self::default() }
    }

    /// Returns true if a cell has exactly these attributes. Cheap in the common case.
    pub(super) fn is_of(&self, cell: &Cell) -> bool {
        let has_extra = self.underline.is_some() || self.link.is_some() || !self.others.is_empty();
        if cell.extra.is_some() || has_extra {
            return *self == Self::of(cell);
        }
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        let ignored = wide | Flags::LEADING_WIDE_CHAR_SPACER | Flags::WRAPLINE;
        self.foreground == cell.fg
            && self.background == cell.bg
            && self.flags == cell.flags.difference(ignored)
    }

    /// Returns the parameters and the final byte of the sequence that sets these attributes.
    pub(in crate::screen) fn rendition(&self) -> String {
        let mut sequence = Vec::new();
        Self { link: None, ..self.clone() }.write(&Self::default(), &mut sequence);
        let sequence = String::from_utf8_lossy(&sequence);
        sequence.strip_prefix("\x1b[").map_or_else(|| "0m".into(), |set| format!("0;{set}"))
    }

    /// Writes the sequences that change the attributes `from` to these.
    pub(super) fn write(&self, from: &Self, out: &mut Vec<u8>) {
        if self.link != from.link {
            match &self.link {
                Some(link) => write_link(link, out),
                None => out.extend_from_slice(b"\x1b]8;;\x1b\\"),
            }
        }
        let shown = |pen: &Self| {
            let others = pen.others.without(Attributes::PROTECTED);
            (pen.foreground, pen.background, pen.flags, pen.underline, others)
        };
        let anew = !from.flags.difference(self.flags).is_empty()
            || !from.others.without(self.others).is_empty()
            || from.underline.is_some() && self.underline.is_none();
        let had = from.others;
        let blank = Self::default();
        let from = if anew { &blank } else { from };
        if anew || shown(self) != shown(from) {
            self.write_rendition(from, anew, out);
        }
        if self.others.without(from.others).contains(Attributes::PROTECTED) {
            out.extend_from_slice(b"\x1b[1\"q");
        } else if had.without(self.others).contains(Attributes::PROTECTED) {
            // Resetting the rendition resets this too, but only in some terminals.
            out.extend_from_slice(b"\x1b[\"q");
        }
    }

    fn write_rendition(&self, from: &Self, anew: bool, out: &mut Vec<u8>) {
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
        for (attribute, name) in OTHERS {
            if self.others.contains(attribute) && !from.others.contains(attribute) {
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

/// Writes a colour. `base` is 30 for the foreground and 40 for the background.
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

/// Appends formatted text. Writing to memory cannot fail.
pub(super) fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}
