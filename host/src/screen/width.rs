//! The width of characters in columns. This is the only table: the host's emulator uses it, and
//! `client/build.rs` generates the page's from this file.
//!
//! A program measures its own output with `wcwidth`: character by character, without regard to what
//! characters form together. `unicode-width` knows which are wide, but it considers graphemes, and
//! so gives some characters no width that do take a column. For these, `wcwidth` takes precedence.

use unicode_width::UnicodeWidthChar as _;

/// The characters for which `wcwidth` differs from `unicode-width`: first character, last
/// character, and columns. Most are vowel signs and length marks of Indic scripts, which stand
/// beside their letter.
const OTHERWISE: [(u32, u32, usize); 60] = [
    (0x00ad, 0x00ad, 1),
    (0x0605, 0x0605, 1),
    (0x070f, 0x070f, 1),
    (0x0890, 0x0891, 1),
    (0x08e2, 0x08e2, 1),
    (0x09be, 0x09be, 1),
    (0x09d7, 0x09d7, 1),
    (0x0b3e, 0x0b3e, 1),
    (0x0b57, 0x0b57, 1),
    (0x0bbe, 0x0bbe, 1),
    (0x0bd7, 0x0bd7, 1),
    (0x0cc0, 0x0cc0, 1),
    (0x0cc2, 0x0cc2, 1),
    (0x0cc7, 0x0cc8, 1),
    (0x0cca, 0x0ccb, 1),
    (0x0cd5, 0x0cd6, 1),
    (0x0d3e, 0x0d3e, 1),
    (0x0d4e, 0x0d4e, 1),
    (0x0d57, 0x0d57, 1),
    (0x0dcf, 0x0dcf, 1),
    (0x0ddf, 0x0ddf, 1),
    (0x1715, 0x1715, 1),
    (0x1734, 0x1734, 1),
    (0x17a4, 0x17a4, 1),
    (0x17d8, 0x17d8, 1),
    (0x1b35, 0x1b35, 1),
    (0x1b3b, 0x1b3b, 1),
    (0x1b3d, 0x1b3d, 1),
    (0x1b43, 0x1b44, 1),
    (0x1baa, 0x1baa, 1),
    (0x1bf2, 0x1bf3, 1),
    (0x2d7f, 0x2d7f, 0),
    (0x302e, 0x302f, 2),
    (0x3164, 0x3164, 2),
    (0x3248, 0x324f, 2),
    (0xa8fa, 0xa8fa, 1),
    (0xa953, 0xa953, 1),
    (0xa9c0, 0xa9c0, 1),
    (0xffa0, 0xffa0, 1),
    (0xfff9, 0xfffb, 0),
    (0x111c0, 0x111c0, 1),
    (0x111c2, 0x111c3, 1),
    (0x11235, 0x11235, 1),
    (0x1133e, 0x1133e, 1),
    (0x1134d, 0x1134d, 1),
    (0x11357, 0x11357, 1),
    (0x114b0, 0x114b0, 1),
    (0x114bd, 0x114bd, 1),
    (0x115af, 0x115af, 1),
    (0x116b6, 0x116b6, 1),
    (0x1171e, 0x1171e, 0),
    (0x11930, 0x11930, 1),
    (0x1193d, 0x1193d, 1),
    (0x1193f, 0x11941, 1),
    (0x11a84, 0x11a89, 1),
    (0x11d46, 0x11d46, 1),
    (0x13430, 0x13438, 0),
    (0x16ff0, 0x16ff1, 2),
    (0x1d165, 0x1d166, 1),
    (0x1d16d, 0x1d172, 1),
];

/// Returns the number of columns that a character takes: 0 for one that combines with the one
/// before, or else 1 or 2.
#[must_use]
pub fn columns(character: char) -> usize {
    // Nearly all text consists of these.
    if matches!(character, ' '..='~') {
        return 1;
    }
    let code = u32::from(character);
    let at = OTHERWISE.partition_point(|(_, last, _)| *last < code);
    match OTHERWISE.get(at) {
        Some((first, _, columns)) if *first <= code => *columns,
        _ => character.width().unwrap_or(0).min(2),
    }
}
