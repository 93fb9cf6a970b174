//! Shell marks: what a shell's integration says about itself within its output.
//!
//! A shell with integration marks its prompts and commands by OSC sequences, which terminals do
//! not show: OSC 133 for prompts, commands and exit codes, OSC 7 for the folder. [`Marks`] finds
//! them, whatever the output's pieces; [`ShellState`] folds them into what a user wants to know:
//! whether a command runs and which, where the shell is, how the last command ended.
//!
//! The scripts of this crate add `aid=` with the shell's process to their marks, so that
//! [`ShellState`] tells them from what other programs print.
//!
//! Marks are hints. Any program can print them, and so can any file that is shown: nothing may be
//! decided by them that matters more than what is displayed.
//!
//! Sources: <https://per.bothner.com/blog/2019/shell-integration-proposal/> (OSC 133, from
//! FinalTerm), <https://sw.kovidgoyal.net/kitty/shell-integration/#notes-for-shell-developers>
//! (command lines), <https://code.visualstudio.com/docs/terminal/shell-integration> (OSC 633).

mod payload;
mod state;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use memchr::memmem::Finder;

pub use state::{Activity, COMMAND_LINE_CHARS, Foreground, ShellState, Speaker, this_host};

const BELL: u8 = 0x07;
const ESCAPE: u8 = 0x1b;

/// What begins an OSC sequence.
static BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\x1b]"));

/// The sequences that are looked into; every other is skipped at its first byte.
const WANTED: [&[u8]; 3] = [b"7;", b"133;", b"633;"];

/// As much of a mark is kept. The longest folder fits, percent-encoded; of a longer command line
/// the rest does not matter.
const KEPT_BYTES: usize = 16 * 1024;

/// What a shell says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A prompt begins.
    PromptStart,
    /// The prompt is over and the user types.
    InputStart,
    /// What the next [`Mark::CommandStart`] starts.
    CommandLine(String),
    /// A command starts.
    CommandStart {
        /// As it was typed, where the shell tells.
        command_line: Option<String>,
    },
    /// The command ended.
    CommandEnd {
        /// `None` where it was given up before it started.
        exit_code: Option<i32>,
    },
    /// The shell is in this folder.
    Folder {
        /// The machine of the path; empty where the mark doesn't tell.
        host: String,
        /// Absolute. What is no UTF-8 is replaced.
        path: String,
    },
}

/// Finds marks in output that comes in pieces. Holds at most 16 KiB, and that only within a mark.
#[derive(Debug, Default)]
pub struct Marks {
    place: Place,
    /// What earlier pieces had of the sequence that is unfinished.
    begun: Vec<u8>,
}

/// Where in the output's grammar a piece ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of marks.
    #[default]
    Text,
    /// After an escape character.
    Escape,
    /// Within a sequence that may be a mark.
    Sequence,
    /// Within one, after an escape character.
    SequenceEscape,
}

impl Marks {
    /// At the beginning of a session's output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `found` with each mark that is complete with this piece, in order, and with the process
    /// that it names as its origin. What is malformed is passed over.
    pub fn push(&mut self, output: &[u8], mut found: impl FnMut(Mark, Option<u32>)) {
        let mut rest = output;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Text => self.text(rest),
                Place::Escape if rest[0] == b']' => self.begin(&rest[1..]),
                Place::Escape => self.leave(rest),
                Place::Sequence => self.sequence(rest, &mut found),
                Place::SequenceEscape => match rest[0] {
                    b'\\' => {
                        self.complete(&[], &mut found);
                        self.leave(&rest[1..])
                    }
                    b']' => self.begin(&rest[1..]),
                    _ => self.leave(rest),
                },
            };
        }
    }

    /// Each of these takes something off the beginning and gives what is left.
    fn text<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        if let Some(at) = BEGIN.find(rest) {
            return self.begin(&rest[at + 2..]);
        }
        if rest.last() == Some(&ESCAPE) {
            self.place = Place::Escape;
        }
        &[]
    }

    fn begin<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        self.begun.clear();
        self.place = if may_be_mark(rest) { Place::Sequence } else { Place::Text };
        rest
    }

    fn leave<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        self.place = Place::Text;
        // A rare long mark shall not hold memory for the rest of the session.
        if self.begun.capacity() > 0 {
            self.begun = Vec::new();
        }
        rest
    }

    fn sequence<'a>(
        &mut self,
        rest: &'a [u8],
        found: &mut impl FnMut(Mark, Option<u32>),
    ) -> &'a [u8] {
        // No mark has a control character in it. An unfinished one ends at the next line.
        let Some(end) = rest.iter().position(u8::is_ascii_control) else {
            self.keep(rest);
            if !may_be_mark(&self.begun) {
                return self.leave(&[]);
            }
            return &[];
        };
        match (rest[end], rest.get(end + 1)) {
            (BELL, _) => {
                self.complete(&rest[..end], found);
                self.leave(&rest[end + 1..])
            }
            (ESCAPE, Some(b'\\')) => {
                self.complete(&rest[..end], found);
                self.leave(&rest[end + 2..])
            }
            (ESCAPE, None) => {
                self.keep(&rest[..end]);
                self.place = Place::SequenceEscape;
                &[]
            }
            // What begins with this escape character may be a mark itself.
            (ESCAPE, Some(_)) => self.leave(&rest[end..]),
            _ => self.leave(&rest[end + 1..]),
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = KEPT_BYTES.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn complete(&mut self, part: &[u8], found: &mut impl FnMut(Mark, Option<u32>)) {
        let payload = if self.begun.is_empty() {
            &part[..part.len().min(KEPT_BYTES)]
        } else {
            self.keep(part);
            &self.begun
        };
        if let Some(mark) = payload::mark(payload) {
            found(mark, payload::origin(payload));
        }
    }
}

/// Whether a sequence that begins so, after `\x1b]`, can be a mark.
fn may_be_mark(begun: &[u8]) -> bool {
    WANTED.iter().any(|wanted| begun.starts_with(wanted) || wanted.starts_with(begun))
}
