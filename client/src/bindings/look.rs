//! The appearance that the user chooses: theme, font size and the terminal's palette.

use std::cell::RefCell;

/// A dark or a light theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Light text on a dark background.
    Dark,
    /// Dark text on a light background.
    Light,
}

/// The user's choice of a theme.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThemeChoice {
    /// Follows the system's preference.
    #[default]
    System,
    /// Always uses this theme.
    Always(Theme),
}

impl ThemeChoice {
    /// Returns the name under which the choice is stored and appears in the page's `data-theme`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Always(Theme::Dark) => "dark",
            Self::Always(Theme::Light) => "light",
        }
    }

    /// Returns the choice with this name, or `System` for any other name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "dark" => Self::Always(Theme::Dark),
            "light" => Self::Always(Theme::Light),
            _ => Self::System,
        }
    }

    /// Returns the next choice, for a button that cycles through all of them.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::System => Self::Always(Theme::Light),
            Self::Always(Theme::Light) => Self::Always(Theme::Dark),
            Self::Always(Theme::Dark) => Self::System,
        }
    }

    /// Returns the effective theme on a system that prefers `system`.
    #[must_use]
    pub const fn resolve(self, system: Theme) -> Theme {
        match self {
            Self::System => system,
            Self::Always(theme) => theme,
        }
    }
}

/// The terminal's font size in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FontSize(u8);

impl FontSize {
    const LEAST: u8 = 8;
    const MOST: u8 = 32;

    /// Returns the size in CSS pixels.
    #[must_use]
    pub const fn pixels(self) -> u8 {
        self.0
    }

    /// Returns a size of this many pixels, clamped to the allowed range.
    #[must_use]
    pub fn of_pixels(pixels: u8) -> Self {
        Self(pixels.clamp(Self::LEAST, Self::MOST))
    }

    /// Returns the size changed by `step` pixels, kept within the allowed range.
    #[must_use]
    pub fn stepped(self, step: i8) -> Self {
        Self(self.0.saturating_add_signed(step).clamp(Self::LEAST, Self::MOST))
    }

    /// Parses a stored size and clamps it to the allowed range. Returns the default for anything
    /// else.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        text.parse().map_or(Self::default(), |px: u8| Self(px.clamp(Self::LEAST, Self::MOST)))
    }
}

impl Default for FontSize {
    fn default() -> Self {
        Self(14)
    }
}

thread_local! {
    /// The look that the page around this one gives a terminal; empty on a page of its own.
    static OWN_LOOK: RefCell<TerminalLook> = const { RefCell::new(TerminalLook::PLAIN) };
}

/// Colours and fonts of a terminal that take the place of the theme's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TerminalLook {
    /// Colours by xterm.js's names.
    pub colours: Vec<(&'static str, String)>,
    /// The value of `font-family`.
    pub fonts: Option<String>,
}

impl TerminalLook {
    const PLAIN: Self = Self { colours: Vec::new(), fonts: None };
}

/// Gives all terminals of the page a look. They take it over when their theme is set again.
pub fn set_terminal_look(look: TerminalLook) {
    OWN_LOOK.set(look);
}

/// Calls `each` with the colours that take the place of a theme's.
pub(super) fn each_own_colour(each: impl Fn(&str, &str)) {
    OWN_LOOK.with_borrow(|look| look.colours.iter().for_each(|(name, colour)| each(name, colour)));
}

/// Returns the terminal's font stack. The first installed font is used.
#[must_use]
pub fn terminal_fonts() -> String {
    OWN_LOOK.with_borrow(|look| look.fonts.clone()).unwrap_or_else(|| TERMINAL_FONTS.to_owned())
}

/// The names of a terminal's 16 colours in xterm.js, in the order of their numbers.
pub const ANSI_COLOURS: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "brightBlack",
    "brightRed",
    "brightGreen",
    "brightYellow",
    "brightBlue",
    "brightMagenta",
    "brightCyan",
    "brightWhite",
];

/// The terminal's font stack. The first installed font is used.
const TERMINAL_FONTS: &str = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'JetBrains Mono', \
    'Roboto Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono', monospace";

/// A terminal's colours, keyed by xterm.js's names.
pub type Palette = [(&'static str, &'static str); 25];

/// Returns the terminal's colours in `theme`.
#[must_use]
pub const fn palette(theme: Theme) -> &'static Palette {
    match theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

const DARK: Palette = [
    ("background", "#10151a"),
    ("foreground", "#d3dade"),
    ("cursor", "#63d2c3"),
    ("cursorAccent", "#10151a"),
    ("selectionBackground", "#63d2c340"),
    ("selectionInactiveBackground", "#63d2c359"),
    ("scrollbarSliderBackground", "#d3dade1f"),
    ("scrollbarSliderHoverBackground", "#d3dade3d"),
    ("scrollbarSliderActiveBackground", "#d3dade57"),
    ("black", "#2b353e"),
    ("red", "#ee7272"),
    ("green", "#8cc97f"),
    ("yellow", "#e2b76b"),
    ("blue", "#72ace9"),
    ("magenta", "#c796dd"),
    ("cyan", "#5fc9be"),
    ("white", "#c6cfd5"),
    ("brightBlack", "#6d7a85"),
    ("brightRed", "#ff938f"),
    ("brightGreen", "#aae09d"),
    ("brightYellow", "#f4d08c"),
    ("brightBlue", "#98c6fb"),
    ("brightMagenta", "#deb4f0"),
    ("brightCyan", "#88e2d8"),
    ("brightWhite", "#f3f6f8"),
];

const LIGHT: Palette = [
    ("background", "#fcfbf8"),
    ("foreground", "#22303a"),
    ("cursor", "#0d766c"),
    ("cursorAccent", "#fcfbf8"),
    ("selectionBackground", "#0d766c33"),
    ("selectionInactiveBackground", "#0d766c4d"),
    ("scrollbarSliderBackground", "#22303a1f"),
    ("scrollbarSliderHoverBackground", "#22303a3d"),
    ("scrollbarSliderActiveBackground", "#22303a57"),
    ("black", "#22303a"),
    ("red", "#b8332d"),
    ("green", "#2c7a35"),
    ("yellow", "#8a6206"),
    ("blue", "#1f62b5"),
    ("magenta", "#8d3fa3"),
    ("cyan", "#0b747a"),
    ("white", "#66747e"),
    ("brightBlack", "#55636d"),
    ("brightRed", "#cf4a41"),
    ("brightGreen", "#3c8f46"),
    ("brightYellow", "#a1760f"),
    ("brightBlue", "#3378cc"),
    ("brightMagenta", "#a256b8"),
    ("brightCyan", "#1c8a90"),
    ("brightWhite", "#8a969e"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn choices_survive_storage() {
        let mut choice = ThemeChoice::System;
        for _ in 0..3 {
            assert_eq!(ThemeChoice::from_name(choice.name()), choice);
            choice = choice.next();
        }
        assert_eq!(choice, ThemeChoice::System);
        assert_eq!(ThemeChoice::from_name("mauve"), ThemeChoice::System);
    }

    #[test]
    fn font_sizes_stay_within_reason() {
        assert_eq!(FontSize::from_text("200").pixels(), 32);
        assert_eq!(FontSize::from_text("-4"), FontSize::default());
        assert_eq!(FontSize::from_text("8").stepped(-1).pixels(), 8);
        assert_eq!(FontSize::from_text("31").stepped(5).pixels(), 32);
    }

    #[test]
    fn palettes_name_the_same_colours() {
        assert!(DARK.iter().zip(LIGHT).all(|(dark, light)| dark.0 == light.0));
        let named = |name: &str| DARK.iter().any(|(known, _)| *known == name);
        assert!(ANSI_COLOURS.into_iter().all(named));
    }
}
