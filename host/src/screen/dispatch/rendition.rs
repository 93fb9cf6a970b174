//! Select graphic rendition (SGR): the appearance of text.

use alacritty_terminal::vte::Params;
use alacritty_terminal::vte::ansi::{Attr, Color, Handler as _, NamedColor, Rgb};

use crate::screen::attributes::Attributes;
use crate::screen::model::Model;

const COLORS: [NamedColor; 16] = [
    NamedColor::Black,
    NamedColor::Red,
    NamedColor::Green,
    NamedColor::Yellow,
    NamedColor::Blue,
    NamedColor::Magenta,
    NamedColor::Cyan,
    NamedColor::White,
    NamedColor::BrightBlack,
    NamedColor::BrightRed,
    NamedColor::BrightGreen,
    NamedColor::BrightYellow,
    NamedColor::BrightBlue,
    NamedColor::BrightMagenta,
    NamedColor::BrightCyan,
    NamedColor::BrightWhite,
];

pub(super) fn dispatch(model: &mut Model, params: &Params) {
    let mut params = params.iter();
    while let Some(param) = params.next() {
        let [first, subparameters @ ..] = param else { continue };
        match first {
            38 | 48 | 58 => {
                let color = if subparameters.is_empty() {
                    color(&mut params.by_ref().map(|param| param[0]))
                } else {
                    // A colour space precedes red; xterm.js skips whatever is in its place.
                    let skip = usize::from(subparameters[0] == 2);
                    let values = subparameters[1..].iter().skip(skip).copied();
                    color(&mut std::iter::once(subparameters[0]).chain(values))
                };
                let Some(color) = color else { continue };
                model.terminal_attribute(match first {
                    38 => Attr::Foreground(color),
                    48 => Attr::Background(color),
                    _ => Attr::UnderlineColor(Some(color)),
                });
            }
            4 => model.terminal_attribute(underline(subparameters.first().copied())),
            0 => {
                model.terminal_attribute(Attr::Reset);
                model.attributes(|_| Attributes::default());
            }
            5 => model.attributes(|attributes| attributes | Attributes::BLINK),
            25 => model.attributes(|attributes| attributes.without(Attributes::BLINK)),
            53 => model.attributes(|attributes| attributes | Attributes::OVERLINE),
            55 => model.attributes(|attributes| attributes.without(Attributes::OVERLINE)),
            number => simple(*number).into_iter().for_each(|attr| model.terminal_attribute(attr)),
        }
    }
}

fn simple(number: u16) -> Option<Attr> {
    let named = |index: u16| Color::Named(COLORS[usize::from(index)]);
    Some(match number {
        1 => Attr::Bold,
        2 => Attr::Dim,
        3 => Attr::Italic,
        7 => Attr::Reverse,
        8 => Attr::Hidden,
        9 => Attr::Strike,
        21 => Attr::DoubleUnderline,
        22 => Attr::CancelBoldDim,
        23 => Attr::CancelItalic,
        24 => Attr::CancelUnderline,
        27 => Attr::CancelReverse,
        28 => Attr::CancelHidden,
        29 => Attr::CancelStrike,
        30..=37 => Attr::Foreground(named(number - 30)),
        39 => Attr::Foreground(Color::Named(NamedColor::Foreground)),
        40..=47 => Attr::Background(named(number - 40)),
        49 => Attr::Background(Color::Named(NamedColor::Background)),
        59 => Attr::UnderlineColor(None),
        90..=97 => Attr::Foreground(named(number - 90 + 8)),
        100..=107 => Attr::Background(named(number - 100 + 8)),
        _ => return None,
    })
}

const fn underline(style: Option<u16>) -> Attr {
    match style {
        Some(0) => Attr::CancelUnderline,
        Some(2) => Attr::DoubleUnderline,
        Some(3) => Attr::Undercurl,
        Some(4) => Attr::DottedUnderline,
        Some(5) => Attr::DashedUnderline,
        _ => Attr::Underline,
    }
}

/// Parses what follows 38, 48 or 58. A missing value is 0.
fn color(values: &mut dyn Iterator<Item = u16>) -> Option<Color> {
    let kind = values.next()?;
    let mut value = || values.next().unwrap_or(0).to_be_bytes()[1];
    match kind {
        2 => Some(Color::Spec(Rgb { r: value(), g: value(), b: value() })),
        5 => Some(Color::Indexed(value())),
        _ => None,
    }
}
