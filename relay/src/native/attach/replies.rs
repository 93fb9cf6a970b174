//! What a terminal answers by itself. Answers to a replay are stale: the program that asked got
//! them when it did.

/// The bytes without the answers among them: cursor and status reports, attributes, modes, and
/// device control and system strings.
pub(super) fn without_replies(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let reply = if first == 0x1b { reply_len(rest) } else { None };
        if let Some(length) = reply {
            rest = &rest[length..];
        } else {
            kept.push(first);
            rest = tail;
        }
    }
    kept
}

/// How long the answer is that begins here.
fn reply_len(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'[' => {
            let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte))? + 2;
            let has_number = bytes[2..end].iter().any(u8::is_ascii_digit);
            // `R` is F3 without numbers, and with modifiers it is `1;5R`: no report has row 1
            // right after a replay but by chance, and F3 with modifiers is rarer still.
            matches!(bytes[end], b'R' | b'c' | b'n' | b'y' | b't')
                .then_some(end + 1)
                .filter(|_| has_number)
        }
        b'P' | b']' => string_end(bytes),
        _ => None,
    }
}

/// The end of a string that BEL or ST ends.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let bell = bytes.iter().position(|&byte| byte == 0x07).map(|at| at + 1);
    let terminator = bytes.windows(2).position(|pair| pair == b"\x1b\\").map(|at| at + 2);
    [bell, terminator].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_out_and_keys_are_kept() {
        for reply in [
            "\x1b[24;80R",
            "\x1b[?62;22c",
            "\x1b[>0;276;0c",
            "\x1b[0n",
            "\x1b[?2026;2$y",
            "\x1b]11;rgb:0000/0000/0000\x07",
            "\x1bP>|xterm(390)\x1b\\",
        ] {
            assert_eq!(without_replies(reply.as_bytes()), b"", "{reply:?}");
            let mixed = format!("a{reply}b");
            assert_eq!(without_replies(mixed.as_bytes()), b"ab", "{reply:?}");
        }
        for keys in [
            "ls\r",
            "\x1b",
            "\x1b[A",
            "\x1bOR",
            "\x1b[1;5A",
            "\x1b[3~",
            "\x1bd",
            "\x1b[200~x\x1b[201~",
        ] {
            assert_eq!(without_replies(keys.as_bytes()), keys.as_bytes(), "{keys:?}");
        }
    }
}
