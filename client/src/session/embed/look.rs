//! Applies the look of the page around a frame.

use moorline_shared::embed::{Colour, EmbedScheme, EmbedTheme};

use crate::bindings::look::{
    ANSI_COLOURS, FontSize, TerminalLook, Theme, ThemeChoice, set_terminal_look,
};
use crate::bindings::page;
use crate::ui::preferences::Preferences;

/// The opacity of the scroll bar: at rest, under the pointer and pressed.
const SCROLL_BAR: [(&str, &str); 3] = [
    ("scrollbarSliderBackground", "1f"),
    ("scrollbarSliderHoverBackground", "3d"),
    ("scrollbarSliderActiveBackground", "57"),
];

/// Gives the page and its terminal the look of a theme. Everything that an earlier theme set and
/// this one does not returns to the scheme's own.
pub(super) fn apply(preferences: Preferences, theme: &EmbedTheme) {
    set_terminal_look(TerminalLook {
        colours: terminal_colours(theme),
        fonts: theme.terminal_font.as_ref().map(ToString::to_string),
    });
    // Text must stay readable, so these two count only together.
    let ground = theme.background.zip(theme.foreground);
    let text = |colour: Option<Colour>| colour.map(|colour| colour.to_string());
    let accent_text = theme.accent.map(Colour::readable);
    page::set_root_styles([
        ("--own-ground", text(ground.map(|(background, _)| background))),
        ("--own-text", text(ground.map(|(_, foreground)| foreground))),
        ("--own-accent", text(theme.accent)),
        ("--own-accent-text", text(accent_text)),
        ("--own-sans", theme.text_font.as_ref().map(ToString::to_string)),
        ("--own-mono", theme.terminal_font.as_ref().map(ToString::to_string)),
    ]);
    let has = |is_there: bool| is_there.then_some("");
    page::set_root_attribute("data-own-colours", has(ground.is_some()));
    page::set_root_attribute("data-own-accent", has(theme.accent.is_some()));
    page::set_root_attribute("data-own-sans", has(theme.text_font.is_some()));
    page::set_root_attribute("data-own-mono", has(theme.terminal_font.is_some()));
    preferences.choose_font(theme.font_size.map(FontSize::of_pixels).unwrap_or_default());
    // Last, because it has terminals take over what was set above.
    preferences.choose_theme(match theme.scheme {
        Some(EmbedScheme::Dark) => ThemeChoice::Always(Theme::Dark),
        Some(EmbedScheme::Light) => ThemeChoice::Always(Theme::Light),
        None => ThemeChoice::System,
    });
}

fn terminal_colours(theme: &EmbedTheme) -> Vec<(&'static str, String)> {
    let mut colours = Vec::new();
    if let Some((background, foreground)) = theme.background.zip(theme.foreground) {
        let cursor = theme.cursor.or(theme.accent).unwrap_or(foreground);
        colours.extend([
            ("background", background.to_string()),
            ("foreground", foreground.to_string()),
            ("cursor", cursor.to_string()),
            ("cursorAccent", background.to_string()),
        ]);
        let opaque = foreground.to_string();
        let opaque = opaque.get(..7).unwrap_or(&opaque);
        colours.extend(SCROLL_BAR.map(|(name, opacity)| (name, format!("{opaque}{opacity}"))));
    }
    if let Some(selection) = theme.selection {
        let selection = selection.to_string();
        colours.push(("selectionBackground", selection.clone()));
        colours.push(("selectionInactiveBackground", selection));
    }
    let ansi = ANSI_COLOURS.into_iter().zip(&theme.ansi);
    colours.extend(ansi.map(|(name, colour)| (name, colour.to_string())));
    colours
}
