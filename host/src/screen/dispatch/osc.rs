//! Operating system commands: titles, colours and links.

use alacritty_terminal::vte::ansi::{Handler as _, Hyperlink, NamedColor, Rgb};

use crate::screen::model::Model;

/// The number of colours in the palette.
const PALETTE: usize = 256;

pub(super) fn dispatch(model: &mut Model, params: &[&[u8]]) {
    let [number, rest @ ..] = params else { return };
    match (*number, rest) {
        (b"0" | b"2", [_, ..]) => model.set_title(Some(joined(rest))),
        (b"4", _) => {
            for pair in rest.chunks_exact(2) {
                if let (Some(index), Some(color)) = (palette_index(pair[0]), color(pair[1])) {
                    model.set_color(index, color);
                }
            }
        }
        (b"8", [parameters, uri @ ..]) if !uri.is_empty() => link(model, parameters, &joined(uri)),
        (b"10", _) => set_from(model, NamedColor::Foreground, rest),
        (b"11", _) => set_from(model, NamedColor::Background, rest),
        (b"12", _) => set_from(model, NamedColor::Cursor, rest),
        (b"104", [] | [b""]) => (0..PALETTE).for_each(|index| model.reset_color(index)),
        (b"104", _) => {
            let indices = rest.iter().filter_map(|index| palette_index(index));
            indices.for_each(|index| model.reset_color(index));
        }
        (b"110", _) => model.reset_color(NamedColor::Foreground as usize),
        (b"111", _) => model.reset_color(NamedColor::Background as usize),
        (b"112", _) => model.reset_color(NamedColor::Cursor as usize),
        _ => {}
    }
}

/// Rejoins a text that contains semicolons.
fn joined(parts: &[&[u8]]) -> String {
    String::from_utf8_lossy(&parts.join(&b';')).into_owned()
}

fn link(model: &mut Model, parameters: &[u8], uri: &str) {
    if uri.is_empty() {
        // With parameters it does not end a link.
        if parameters.trim_ascii().is_empty() {
            model.set_hyperlink(None);
        }
        return;
    }
    let id = parameters.split(|byte| *byte == b':').find_map(|part| part.strip_prefix(b"id="));
    let id = id.filter(|id| !id.is_empty()).map(|id| String::from_utf8_lossy(id).into_owned());
    model.set_hyperlink(Some(Hyperlink { id, uri: uri.to_owned() }));
}

/// Sets the colours of foreground, background and cursor, from `first` on.
fn set_from(model: &mut Model, first: NamedColor, colors: &[&[u8]]) {
    let indices = first as usize..=NamedColor::Cursor as usize;
    for (index, spec) in indices.zip(colors) {
        if let Some(color) = color(spec) {
            model.set_color(index, color);
        }
    }
}

fn palette_index(digits: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(digits).ok()?;
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|index| all_digits && *index < PALETTE)
}

/// Parses a colour like `XParseColor`: `rgb:` with one to four digits each, or `#`.
fn color(spec: &[u8]) -> Option<Rgb> {
    let spec = std::str::from_utf8(spec).ok()?.to_ascii_lowercase();
    let hex = |digits: &str| {
        let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| valid)
    };
    let [r, g, b] = if let Some(parts) = spec.strip_prefix("rgb:") {
        let parts: Vec<&str> = parts.split('/').collect();
        let [r, g, b] = parts[..] else { return None };
        if r.len() != g.len() || g.len() != b.len() || !(1..=4).contains(&r.len()) {
            return None;
        }
        let most = (1_u32 << (4 * r.len())) - 1;
        [r, g, b].map(|part| Some((hex(part)? * 510 / most).div_ceil(2)))
    } else {
        let digits = spec.strip_prefix('#')?;
        let each = digits.len() / 3;
        if !matches!(digits.len(), 3 | 6 | 9 | 12) || hex(digits.get(..each)?).is_none() {
            return None;
        }
        [0, 1, 2].map(|at| {
            let value = hex(digits.get(at * each..(at + 1) * each)?)?;
            Some(if each == 1 { value << 4 } else { value >> (4 * (each - 2)) })
        })
    };
    let byte = |part: Option<u32>| u8::try_from(part?).ok();
    Some(Rgb { r: byte(r)?, g: byte(g)?, b: byte(b)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_these_forms() {
        let read = |spec: &str| color(spec.as_bytes()).map(|Rgb { r, g, b }| (r, g, b));
        assert_eq!(read("rgb:01/02/03"), Some((1, 2, 3)));
        assert_eq!(read("rgb:f/0/8"), Some((255, 0, 136)));
        assert_eq!(read("RGB:ffff/8000/0001"), Some((255, 128, 0)));
        assert_eq!(read("#abc"), Some((0xa0, 0xb0, 0xc0)));
        assert_eq!(read("#0a0b0c"), Some((10, 11, 12)));
        assert_eq!(read("#111222333"), Some((0x11, 0x22, 0x33)));
        for wrong in ["", "#", "#12", "#1234", "rgb:1/22/3", "rgb:1/2", "red", "#+1+2+3", "?"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
