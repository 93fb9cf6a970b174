//! Cuts texts.

use serde::Serialize;

/// Bytes that are kept of both ends of a command, or of the title of a tool call, which may be one.
pub(super) const COMMAND_ENDS: (usize, usize) = (4 * 1024, 2 * 1024);
/// Most bytes that [`cut_middle`] puts instead of what it cuts.
const GAP_BYTES: usize = 64;

/// Returns the number of bytes of a value as JSON.
pub(super) fn json_bytes(value: &impl Serialize) -> usize {
    // A value that cannot be encoded is too large for everything.
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// Cuts a text at a character near a number of bytes. Returns true if anything is missing.
pub(super) fn cut(text: &mut String, bytes: usize) -> bool {
    let is_long = text.len() > bytes;
    if is_long {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    is_long
}

/// Cuts the middle out of a text, so that both ends are seen, and says there how much is missing.
/// Returns true if anything is. A text that was cut is not cut again.
pub(super) fn cut_middle(text: &mut String, head_bytes: usize, tail_bytes: usize) -> bool {
    let is_long = text.len() > head_bytes + tail_bytes + GAP_BYTES;
    if is_long {
        let head = text.floor_char_boundary(head_bytes);
        let tail = text.ceil_char_boundary(text.len() - tail_bytes);
        let gap = format!(" … ({} bytes are not shown) … ", tail - head);
        text.replace_range(head..tail, &gap);
    }
    is_long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_text_is_cut_at_characters_and_once() {
        let mut text = format!("head {} tail", "ö".repeat(1000));
        let whole = text.len();
        assert!(cut_middle(&mut text, 100, 50));
        assert!(text.starts_with("head ö") && text.ends_with("ö tail"), "{text}");
        let gap = text.find(" … (").unwrap();
        let missing = whole - gap - (text.len() - text.find(") … ").unwrap() - ") … ".len());
        assert!(text.contains(&format!("({missing} bytes are not shown)")), "{text} {missing}");
        assert!(!cut_middle(&mut text, 100, 50));
    }
}
