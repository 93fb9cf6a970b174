//! Distinguishes a terminal's automatic answers from what people type.

/// Returns the length of the control sequence or string that begins with the escape character here.
/// `None` if it is incomplete, or something else.
#[must_use]
pub fn sequence_len(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'[' => {
            let end = bytes.iter().skip(2).position(|byte| !(0x20..=0x3f).contains(byte))? + 2;
            (0x40..=0x7e).contains(&bytes[end]).then_some(end + 1)
        }
        b'P' | b']' => string_end(bytes),
        _ => None,
    }
}

/// Returns true if all of this is automatic answers, one after another, as a terminal emulator
/// sends them. Keys, and reports of the mouse and of the focus, do not count.
#[must_use]
pub fn is_only_replies(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(length) = sequence_len(rest).filter(|length| is_reply(&rest[..*length])) else {
            return false;
        };
        rest = &rest[length..];
    }
    !bytes.is_empty()
}

/// Returns true if a whole sequence is an answer.
fn is_reply(sequence: &[u8]) -> bool {
    let [0x1b, kind, parameters @ .., end] = sequence else { return false };
    if *kind != b'[' {
        // People do not type strings.
        return true;
    }
    let private = matches!(parameters.first(), Some(b'?' | b'>'));
    match end {
        b'R' => private || is_position(parameters),
        b'c' | b'u' => private,
        b'n' => parameters.first().is_some_and(|byte| private || byte.is_ascii_digit()),
        b'y' => parameters.ends_with(b"$"),
        b't' => matches!(parameters.first(), Some(b'4' | b'6' | b'8')),
        _ => false,
    }
}

/// Returns true if these are a row and a column. F3 with modifiers has the same form: `1;2` to
/// `1;8`.
fn is_position(parameters: &[u8]) -> bool {
    let numbers = std::str::from_utf8(parameters).ok().and_then(|text| text.split_once(';'));
    let parsed = numbers.and_then(|(row, column)| Some((row.parse().ok()?, column.parse().ok()?)));
    parsed.is_some_and(|(row, column): (u16, u16)| row != 1 || !(2..=8).contains(&column))
}

/// Returns the length of a string that ends in BEL or ST.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let bell = bytes.iter().position(|&byte| byte == 0x07).map(|at| at + 1);
    let terminator = bytes.windows(2).position(|pair| pair == b"\x1b\\").map(|at| at + 2);
    [bell, terminator].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_keys_and_reports() {
        for reply in [
            "\x1b[24;80R",
            "\x1b[1;1R",
            "\x1b[?1;2R",
            "\x1b[?62;22c",
            "\x1b[>0;276;0c",
            "\x1b[0n",
            "\x1b[?2026;2$y",
            "\x1b[?5u",
            "\x1b[8;24;80t",
            "\x1b]11;rgb:0000/0000/0000\x07",
            "\x1bP>|xterm(390)\x1b\\",
            "\x1bP1+r436f=323536\x1b\\\x1bP0+r52\x1b\\",
        ] {
            assert!(is_only_replies(reply.as_bytes()), "{reply:?}");
            assert!(!is_only_replies(format!("{reply}a").as_bytes()), "{reply:?}");
        }
        for typed in [
            "",
            "ls\r",
            "\x1b",
            "\x1b[",
            "\x1b[A",
            "\x1bOR",
            "\x1b[1;5R",
            "\x1b[1;5A",
            "\x1b[3~",
            "\x1b[I",
            "\x1b[O",
            "\x1b[<0;3;4M",
            "\x1b[97;5u",
            "\x1bd",
            "\x1b[200~\x1b[0n\x1b[201~",
        ] {
            assert!(!is_only_replies(typed.as_bytes()), "{typed:?}");
        }
    }
}
