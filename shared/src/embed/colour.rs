//! Colours that other pages choose.

use std::fmt;
use std::str::FromStr;

/// Most characters of a colour.
const CHARACTERS: usize = 64;

/// The error for a text that is not a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a colour is #rrggbb, rgb(…), hsl(…) or color(srgb …), with numbers only")]
pub struct InvalidColour;

/// A colour with its opacity. It is parsed into numbers, so its text can stand in any style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Red, green, blue and opacity.
    channels: [u8; 4],
}

impl Colour {
    /// Returns black or white, whichever is easier to read on this colour.
    #[must_use]
    pub fn readable(self) -> Self {
        // The relative luminance of WCAG 2.2, with squares in place of powers of 2.4: a page loads
        // no code for powers. Both have the same contrast at about 0.18.
        let [red, green, blue] = [0, 1, 2].map(|channel| {
            let share = f32::from(self.channels[channel]) / 255.0;
            share * share
        });
        let is_bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18;
        Self { channels: if is_bright { [0, 0, 0, 255] } else { [255, 255, 255, 255] } }
    }
}

/// Writes `#rrggbb`, or `#rrggbbaa` for a colour that is not opaque.
impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.channels[3] == u8::MAX { 3 } else { 4 };
        f.write_str("#")?;
        self.channels[..shown].iter().try_for_each(|channel| write!(f, "{channel:02x}"))
    }
}

impl FromStr for Colour {
    type Err = InvalidColour;

    fn from_str(text: &str) -> Result<Self, InvalidColour> {
        let text = text.trim();
        if text.len() > CHARACTERS || !text.is_ascii() {
            return Err(InvalidColour);
        }
        let channels = match text.strip_prefix('#') {
            Some(digits) => hex(digits),
            None => function(&text.to_ascii_lowercase()),
        };
        channels.map(|channels| Self { channels }).ok_or(InvalidColour)
    }
}

fn hex(digits: &str) -> Option<[u8; 4]> {
    let values: Option<Vec<u8>> =
        digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    match values?[..] {
        [r, g, b] => Some([r * 17, g * 17, b * 17, 255]),
        [r, g, b, a] => Some([r * 17, g * 17, b * 17, a * 17]),
        [r, s, g, h, b, c] => Some([r * 16 + s, g * 16 + h, b * 16 + c, 255]),
        [r, s, g, h, b, c, a, d] => Some([r * 16 + s, g * 16 + h, b * 16 + c, a * 16 + d]),
        _ => None,
    }
}

/// Parses the forms in which browsers compute and style sheets write colours.
fn function(text: &str) -> Option<[u8; 4]> {
    let (name, rest) = text.split_once('(')?;
    let mut parts = rest.strip_suffix(')')?.split([',', ' ', '/']).filter(|part| !part.is_empty());
    if name == "color" && parts.next() != Some("srgb") {
        return None;
    }
    let parts: Vec<&str> = parts.collect();
    let (first, second, third, opacity) = match parts[..] {
        [first, second, third] => (first, second, third, "1"),
        [first, second, third, opacity] => (first, second, third, opacity),
        _ => return None,
    };
    let opacity = share(opacity, 1.0)?;
    let [red, green, blue] = match name {
        "rgb" | "rgba" => [share(first, 255.0)?, share(second, 255.0)?, share(third, 255.0)?],
        "color" => [share(first, 1.0)?, share(second, 1.0)?, share(third, 1.0)?],
        "hsl" | "hsla" => {
            let hue = number(first.strip_suffix("deg").unwrap_or(first))?;
            of_hue(hue, share(second, 100.0)?, share(third, 100.0)?)
        }
        _ => return None,
    };
    Some([red, green, blue, opacity].map(|share| (share * 255.0).round() as u8))
}

/// Parses a part of `whole`, or a percentage, and clamps it to 0 to 1.
fn share(text: &str, whole: f32) -> Option<f32> {
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent)? / 100.0,
        None => number(text)? / whole,
    };
    Some(share.clamp(0.0, 1.0))
}

/// Parses a number of digits with at most one point. The standard library's parser takes other forms
/// too, and has 10 KB of tables.
fn number(text: &str) -> Option<f32> {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + part.len() == 0 || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    let digit = |byte: u8| f32::from(byte - b'0');
    let whole = whole.bytes().fold(0.0, |sum, byte| sum * 10.0 + digit(byte));
    let part = part.bytes().rev().fold(0.0, |sum, byte| (sum + digit(byte)) / 10.0);
    Some(sign * (whole + part)).filter(|number| number.is_finite())
}

/// Converts hue (in degrees), saturation and lightness (CSS Color 4 § 7.1).
fn of_hue(hue: f32, saturation: f32, lightness: f32) -> [f32; 3] {
    let reach = saturation * lightness.min(1.0 - lightness);
    let turns = hue / 360.0;
    let hue = turns - turns.floor();
    [0.0, 8.0, 4.0].map(|offset| {
        let place = offset + hue * 12.0;
        let place = if place < 12.0 { place } else { place - 12.0 };
        lightness - reach * (place - 3.0).min(9.0 - place).clamp(-1.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        text.parse::<Colour>().ok().map(|colour| colour.to_string())
    }

    #[test]
    fn every_form_of_a_colour_becomes_digits() {
        for (text, colour) in [
            ("#1a2", "#11aa22"),
            ("#11AA2280", "#11aa2280"),
            (" #112233ff ", "#112233"),
            ("rgb(17, 34, 51)", "#112233"),
            ("rgba(17,34,51,.5)", "#11223380"),
            ("rgb(100% 0% 50% / 25%)", "#ff008040"),
            ("hsl(120, 100%, 25%)", "#008000"),
            ("hsl(-120deg 100% 50%)", "#0000ff"),
            ("HSLA(0, 0%, 100%, 1)", "#ffffff"),
            ("color(srgb 1 0.5 0)", "#ff8000"),
            ("rgb(999, -5, 10.0)", "#ff000a"),
            ("color(srgb 0.12345678 .5 1)", "#1f80ff"),
        ] {
            assert_eq!(read(text).as_deref(), Some(colour), "{text}");
        }
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        for text in [
            "",
            "#12345",
            "#ggg",
            "red",
            "var(--x)",
            "url(https://evil.example)",
            "rgb(1,2)",
            "rgb(1,2,3,4,5)",
            "rgb(inf,0,0)",
            "rgb(1e1,0,0)",
            "rgb(.,0,0)",
            "rgb(1,2,3);background:url(x)",
            "color(display-p3 1 1 1)",
            "#fff;}body{display:none",
            "rgb(１,2,3)",
            &"#".repeat(65),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn text_on_a_colour_can_be_read() {
        let readable = |text: &str| text.parse::<Colour>().unwrap().readable().to_string();
        assert_eq!(readable("#63d2c3"), "#000000");
        assert_eq!(readable("#0d766c"), "#ffffff");
    }
}
