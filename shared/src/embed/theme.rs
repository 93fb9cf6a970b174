//! The part of another page's look that a frame takes over.

use std::fmt;

use serde_json::{Map, Value};

use super::colour::{Colour, InvalidColour};

/// Most fonts of a list.
const FONTS: usize = 16;
/// Most characters of a font's name.
const FONT_CHARACTERS: usize = 64;
/// The sizes of a terminal's text, in CSS pixels.
const FONT_SIZES: std::ops::RangeInclusive<f64> = 6.0..=40.0;
/// The number of a terminal's named colours.
const ANSI: usize = 16;

/// Families that style sheets name without quotes.
const GENERIC: &[&str] = &[
    "serif",
    "sans-serif",
    "monospace",
    "system-ui",
    "ui-serif",
    "ui-sans-serif",
    "ui-monospace",
    "ui-rounded",
    "-apple-system",
    "BlinkMacSystemFont",
];

/// The error for a theme that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTheme {
    /// A field is not a colour.
    #[error("`{0}` of the theme is not a colour: {InvalidColour}")]
    Colour(&'static str),
    /// A field is not a list of fonts.
    #[error("`{0}` of the theme is not a list of fonts: names of letters, digits, spaces and -_.")]
    Fonts(&'static str),
    /// The list of a terminal's colours is too short or too long.
    #[error("`ansi` of the theme needs {ANSI} colours: black to white, then the bright ones")]
    Ansi,
    /// The size is out of range.
    #[error("`fontSize` of the theme is not between 6 and 40 pixels")]
    FontSize,
    /// The scheme is neither dark nor light.
    #[error("`scheme` of the theme is not \"dark\" or \"light\"")]
    Scheme,
    /// It is not an object.
    #[error("the theme is not an object")]
    Shape,
}

/// A dark or a light scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedScheme {
    /// Light text on a dark background.
    Dark,
    /// Dark text on a light background.
    Light,
}

/// A look, as far as it was given. Everything else stays as the scheme has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbedTheme {
    /// The scheme; `None` follows the system's.
    pub scheme: Option<EmbedScheme>,
    /// The background.
    pub background: Option<Colour>,
    /// The text.
    pub foreground: Option<Colour>,
    /// Links, main buttons and the focus.
    pub accent: Option<Colour>,
    /// The terminal's cursor.
    pub cursor: Option<Colour>,
    /// Selected text in the terminal.
    pub selection: Option<Colour>,
    /// The terminal's named colours: empty, or black to white and the bright ones.
    pub ansi: Vec<Colour>,
    /// The fonts of text.
    pub text_font: Option<FontList>,
    /// The fonts of code and of the terminal.
    pub terminal_font: Option<FontList>,
    /// The size of the terminal's text, in CSS pixels.
    pub font_size: Option<u8>,
}

impl EmbedTheme {
    /// Reads a theme: an object whose fields all may be left out. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`InvalidTheme`], which names the field. Then nothing of the theme is to be used.
    pub fn read(value: &Value) -> Result<Self, InvalidTheme> {
        let fields = ThemeFields(value.as_object().ok_or(InvalidTheme::Shape)?);
        Ok(Self {
            scheme: fields.scheme()?,
            background: fields.colour("background")?,
            foreground: fields.colour("foreground")?,
            accent: fields.colour("accent")?,
            cursor: fields.colour("cursor")?,
            selection: fields.colour("selection")?,
            ansi: fields.ansi()?,
            text_font: fields.fonts("textFont")?,
            terminal_font: fields.fonts("terminalFont")?,
            font_size: fields.font_size()?,
        })
    }
}

/// The fields of a theme as they arrive. One that is `null` is left out. They are read by hand,
/// because code that is derived for that would be a tenth of what a frame loads.
struct ThemeFields<'a>(&'a Map<String, Value>);

impl ThemeFields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn scheme(&self) -> Result<Option<EmbedScheme>, InvalidTheme> {
        match self.get("scheme").map(Value::as_str) {
            None => Ok(None),
            Some(Some("dark")) => Ok(Some(EmbedScheme::Dark)),
            Some(Some("light")) => Ok(Some(EmbedScheme::Light)),
            Some(_) => Err(InvalidTheme::Scheme),
        }
    }

    fn colour(&self, name: &'static str) -> Result<Option<Colour>, InvalidTheme> {
        let colour = self.get(name).map(colour).transpose();
        colour.map_err(|InvalidColour| InvalidTheme::Colour(name))
    }

    fn ansi(&self) -> Result<Vec<Colour>, InvalidTheme> {
        let Some(list) = self.get("ansi") else { return Ok(Vec::new()) };
        let list = list.as_array().filter(|list| list.len() == ANSI).ok_or(InvalidTheme::Ansi)?;
        let colours: Result<_, _> = list.iter().map(colour).collect();
        colours.map_err(|InvalidColour| InvalidTheme::Colour("ansi"))
    }

    fn fonts(&self, name: &'static str) -> Result<Option<FontList>, InvalidTheme> {
        let read = |value: &Value| {
            value.as_str().and_then(FontList::read).ok_or(InvalidTheme::Fonts(name))
        };
        self.get(name).map(read).transpose()
    }

    fn font_size(&self) -> Result<Option<u8>, InvalidTheme> {
        let read = |value: &Value| {
            let pixels = value.as_f64().filter(|pixels| FONT_SIZES.contains(pixels));
            // A fraction is rounded: the page draws whole pixels.
            pixels.map(|pixels| pixels.round() as u8).ok_or(InvalidTheme::FontSize)
        };
        self.get("fontSize").map(read).transpose()
    }
}

fn colour(value: &Value) -> Result<Colour, InvalidColour> {
    value.as_str().ok_or(InvalidColour)?.parse()
}

/// A list of fonts, the preferred one first. Its text is a value of the CSS property `font-family`
/// and cannot be anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontList {
    names: Vec<String>,
}

impl FontList {
    /// Reads names with commas between them, with or without quotes. Returns `None` if a name has
    /// other characters than letters, digits, spaces and `-_.`, or if there are too many.
    fn read(text: &str) -> Option<Self> {
        let names: Vec<String> = text.split(',').map(font).collect::<Option<_>>()?;
        (names.len() <= FONTS).then_some(Self { names })
    }
}

fn font(name: &str) -> Option<String> {
    let name = name.trim();
    let quoted = |quote| name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
    let name = quoted('"').or_else(|| quoted('\'')).unwrap_or(name).trim();
    let is_plain = |it: char| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_' | '.');
    let fits = !name.is_empty() && name.chars().count() <= FONT_CHARACTERS;
    (fits && name.chars().all(is_plain)).then(|| name.to_owned())
}

impl fmt::Display for FontList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            if GENERIC.contains(&name.as_str()) {
                f.write_str(name)?;
            } else {
                write!(f, "\"{name}\"")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_theme_is_read_as_far_as_it_is_given() {
        let theme = EmbedTheme::read(&json!({
            "scheme": "dark",
            "background": "#1e1e1e",
            "ansi": vec!["#010203"; 16],
            "terminalFont": "'Fira Code', ui-monospace,monospace",
            "fontSize": 13.4,
            "unknown": [1],
        }))
        .unwrap();
        assert_eq!(theme.scheme, Some(EmbedScheme::Dark));
        assert_eq!(theme.background.unwrap().to_string(), "#1e1e1e");
        assert_eq!((theme.ansi.len(), theme.font_size), (16, Some(13)));
        let fonts = theme.terminal_font.unwrap().to_string();
        assert_eq!(fonts, "\"Fira Code\", ui-monospace, monospace");
        assert_eq!(theme.foreground, None);
        assert_eq!(EmbedTheme::read(&json!({})), Ok(EmbedTheme::default()));
    }

    #[test]
    fn a_theme_that_is_not_one_is_refused_by_field() {
        for (theme, error) in [
            (json!({ "accent": "url(x)" }), InvalidTheme::Colour("accent")),
            (json!({ "ansi": ["#000"] }), InvalidTheme::Ansi),
            (json!({ "ansi": vec!["x"; 16] }), InvalidTheme::Colour("ansi")),
            (json!({ "textFont": "a;}body{" }), InvalidTheme::Fonts("textFont")),
            (json!({ "textFont": "a\"; x" }), InvalidTheme::Fonts("textFont")),
            (json!({ "terminalFont": "a, ,b" }), InvalidTheme::Fonts("terminalFont")),
            (json!({ "terminalFont": "a,".repeat(17) + "a" }), InvalidTheme::Fonts("terminalFont")),
            (json!({ "fontSize": 400 }), InvalidTheme::FontSize),
        ] {
            assert_eq!(EmbedTheme::read(&theme), Err(error), "{theme}");
        }
        for (theme, error) in [
            (json!(1), InvalidTheme::Shape),
            (json!([]), InvalidTheme::Shape),
            (json!({ "scheme": "mauve" }), InvalidTheme::Scheme),
            (json!({ "accent": 1 }), InvalidTheme::Colour("accent")),
            (json!({ "fontSize": "13" }), InvalidTheme::FontSize),
        ] {
            assert_eq!(EmbedTheme::read(&theme), Err(error), "{theme}");
        }
        assert_eq!(EmbedTheme::read(&json!({ "accent": null })), Ok(EmbedTheme::default()));
    }
}
