//! The terminal's description of itself. The host's emulator and the page's answer programs'
//! queries alike, so that a program learns the same from either.

use std::fmt::Write as _;

/// The answer to DA1 (`CSI c`): a VT100 with advanced video, as xterm.js answers.
pub const PRIMARY_ATTRIBUTES: &str = "\x1b[?1;2c";
/// The answer to DA2 (`CSI > c`).
pub const SECONDARY_ATTRIBUTES: &str = "\x1b[>0;276;0c";
/// The answer to DA3 (`CSI = c`): a unit without a serial number.
pub const TERTIARY_ATTRIBUTES: &str = "\x1bP!|00000000\x1b\\";
/// The answer to XTVERSION (`CSI > q`).
pub const VERSION: &str = concat!("\x1bP>|Moorline(", env!("CARGO_PKG_VERSION"), ")\x1b\\");

/// Terminfo capabilities that are reported by name; `TN` and `name` are the terminal's name.
const CAPABILITIES: [(&str, &str); 6] = [
    ("TN", "xterm-256color"),
    ("name", "xterm-256color"),
    ("Co", "256"),
    ("colors", "256"),
    ("RGB", "8"),
    ("indn", "\x1b[%p1%dS"),
];
/// Most names of one query that are answered.
const NAMES: usize = 64;

/// Returns the answer to XTGETTCAP (`DCS + q Pt ST`): one string for each name. `names` are in
/// hexadecimal digits, separated by semicolons.
#[must_use]
pub fn capabilities(names: &str) -> String {
    let mut answer = String::new();
    for name in names.split(';').take(NAMES).filter(|name| is_hexadecimal(name)) {
        let known =
            CAPABILITIES.iter().find(|(known, _)| hexadecimal(known).eq_ignore_ascii_case(name));
        answer += &match known {
            Some((_, value)) => format!("\x1bP1+r{name}={}\x1b\\", hexadecimal(value)),
            None => format!("\x1bP0+r{name}\x1b\\"),
        };
    }
    answer
}

fn is_hexadecimal(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02X}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_told_by_their_hexadecimal_names() {
        // "Co", "indn" and "query-os-name".
        assert_eq!(capabilities("436f"), "\x1bP1+r436f=323536\x1b\\");
        assert_eq!(
            capabilities("696e646e;71756572792D6F732D6E616D65"),
            "\x1bP1+r696e646e=1B5B25703125645 3\x1b\\\x1bP0+r71756572792D6F732D6E616D65\x1b\\"
                .replace(' ', "")
        );
        assert_eq!(capabilities(""), "");
        assert_eq!(capabilities("\x1b[c"), "", "nothing is echoed but digits");
    }
}
