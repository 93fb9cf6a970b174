//! The readable form of an agent session: what `attach` and the plain-text socket show.
//!
//! It is terminal output with the least of formatting: lines that end in CR LF, and a few colours.
//! Control characters of the agent and of its user do not get into it.

use serde::{Deserialize, Serialize};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// The characters of a line that are shown of a title or sentence.
const LINE_CHARS: usize = 400;

/// The place at which the transcript ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Transcript {
    /// The message that is being said; empty between messages.
    speaking: String,
    /// True if the last line has not ended.
    is_in_line: bool,
}

impl Transcript {
    /// Returns a user's prompt.
    pub(super) fn prompt(&mut self, text: &str) -> String {
        let mut shown = self.new_line();
        for (place, line) in safe(text).split("\r\n").enumerate() {
            let mark = if place == 0 { "> " } else { "  " };
            shown.push_str(&format!("{BOLD}{mark}{line}{PLAIN}\r\n"));
        }
        shown
    }

    /// Returns more of a message.
    pub(super) fn speech(&mut self, message_id: &str, is_thought: bool, delta: &str) -> String {
        let mut shown = String::new();
        if self.speaking != message_id {
            shown = self.new_line();
            message_id.clone_into(&mut self.speaking);
        }
        let text = safe(delta);
        if text.is_empty() {
            return shown;
        }
        self.is_in_line = !text.ends_with('\n');
        if is_thought {
            shown.push_str(&format!("{DIM}{text}{PLAIN}"));
        } else {
            shown.push_str(&text);
        }
        shown
    }

    /// Returns a line about something that the agent does.
    pub(super) fn deed(&mut self, text: &str) -> String {
        let line = self.new_line();
        format!("{line}• {}\r\n", one_line(text))
    }

    /// Returns a line that is less important than the others.
    pub(super) fn note(&mut self, text: &str) -> String {
        let line = self.new_line();
        format!("{line}{DIM}{}{PLAIN}\r\n", one_line(text))
    }

    /// Returns a line that asks for something.
    pub(super) fn question(&mut self, text: &str) -> String {
        let line = self.new_line();
        format!("{line}{YELLOW}? {}{PLAIN}\r\n", one_line(text))
    }

    /// Returns a line about a failure.
    pub(super) fn error(&mut self, text: &str) -> String {
        let line = self.new_line();
        format!("{line}{RED}! {}{PLAIN}\r\n", one_line(text))
    }

    /// Ends the last line, if it has not ended.
    fn new_line(&mut self) -> String {
        self.speaking.clear();
        let ends = std::mem::take(&mut self.is_in_line);
        if ends { "\r\n".to_owned() } else { String::new() }
    }
}

/// Returns the text without control characters, and with CR LF at the end of each line.
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\n' => safe.push_str("\r\n"),
            '\t' => safe.push('\t'),
            letter if letter.is_control() || is_direction(letter) => {}
            letter => safe.push(letter),
        }
    }
    safe
}

/// Returns true for the invisible characters that change the direction of text, with which a line
/// can be made to read as another.
const fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line: String = safe(&words).chars().take(LINE_CHARS).collect();
    if words.chars().count() > LINE_CHARS {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_reads_from_top_to_bottom() {
        let mut transcript = Transcript::default();
        let shown = [
            transcript.prompt("do\nit"),
            transcript.speech("m1", false, "I "),
            transcript.speech("m1", false, "will."),
            transcript.deed("Edit  a.rs\nok"),
            transcript.speech("m2", true, "hm\n"),
            transcript.error("no"),
        ];
        let plain = shown.concat().replace(['\x1b'], "");
        let want =
            "[1m> do[0m\r\n[1m  it[0m\r\nI will.\r\n• Edit a.rs ok\r\n[2mhm\r\n[0m[31m! no[0m\r\n";
        assert_eq!(plain, want);
    }

    #[test]
    fn an_agent_cannot_control_the_terminal() {
        let mut transcript = Transcript::default();
        let shown = transcript.speech("m", false, "a\x1b[2Jb\r\u{9b}c\u{202e}d\x07\n");
        assert_eq!(shown, "a[2Jbcd\r\n");
        assert_eq!(transcript.deed("x\x1b]0;y\x07"), "• x]0;y\r\n");
        assert!(transcript.note(&"word ".repeat(1000)).chars().count() < LINE_CHARS + 20);
    }
}
