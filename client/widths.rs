//! The table of character widths as text, for the page's script (`src/bindings/as_host.js`).
//!
//! The client's build generates it, and so does the test that compares the two emulators.

use std::fmt::Write as _;

/// Returns the runs of characters of the same width, from U+0000 on: the length in base 36, then
/// the width.
pub(crate) fn table(columns: impl Fn(char) -> usize) -> String {
    let mut table = String::new();
    let (mut length, mut of) = (0_u32, 1);
    for code in 0..=u32::from(char::MAX) {
        let width = char::from_u32(code).map_or(1, &columns);
        if width != of && length > 0 {
            write(&mut table, length, of);
            length = 0;
        }
        of = width;
        length += 1;
    }
    write(&mut table, length, of);
    table
}

fn write(table: &mut String, mut length: u32, width: usize) {
    let mut digits = Vec::new();
    while length > 0 {
        digits.extend(char::from_digit(length % 36, 36));
        length /= 36;
    }
    let digits: String = digits.iter().rev().collect();
    // Writing to a string cannot fail.
    let _ = write!(table, "{}{digits}{width}", if table.is_empty() { "" } else { " " });
}
