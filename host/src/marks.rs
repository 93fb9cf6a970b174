//! Shell marks: the sequences with which a shell's integration describes the shell in its output.
//!
//! A shell with integration marks its prompts and commands with OSC sequences, which terminals do
//! not show: OSC 133 for prompts, commands and exit codes, and OSC 7 for the folder. [`Marks`]
//! finds them in output that is cut anywhere. [`ShellState`] folds them into what a user wants to
//! know: whether a command runs and which, the shell's folder, and how the last command ended.
//!
//! The scripts of this crate add `aid=` with the shell's process id to their marks, so that
//! [`ShellState`] can tell them from marks that other programs print.
//!
//! Marks are hints. Any program can print them, and so can any file that is displayed. Do not base
//! anything on them that matters more than display.
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

pub use state::{COMMAND_LINE_CHARS, Foreground, ShellActivity, ShellState, Speaker, this_host};

const BELL: u8 = 0x07;
const ESCAPE: u8 = 0x1b;

/// The start of an OSC sequence.
static BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\x1b]"));

/// The sequences that are examined; any other is skipped at its first byte.
const WANTED: [&[u8]; 3] = [b"7;", b"133;", b"633;"];

/// The most bytes of a mark that are kept. The longest folder fits, percent-encoded; the rest of a
/// longer command line does not matter.
const KEPT_BYTES: usize = 16 * 1024;

/// A mark of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// The beginning of a prompt.
    PromptStart,
    /// The prompt ends, and the user types.
    InputStart,
    /// The command line that the next [`Mark::CommandStart`] starts.
    CommandLine(String),
    /// The start of a command.
    CommandStart {
        /// The command line as it was typed, if the shell reports it.
        command_line: Option<String>,
    },
    /// The end of a command.
    CommandEnd {
        /// The exit code; `None` if the line was given up before it started.
        exit_code: Option<i32>,
    },
    /// The shell is in this folder.
    Folder {
        /// The machine of the path; empty if the mark does not name it.
        host: String,
        /// The absolute path. Bytes that are not UTF-8 are replaced.
        path: String,
    },
}

/// Finds marks in output that arrives in pieces. Holds at most 16 KiB, and only within a mark.
#[derive(Debug, Default)]
pub struct Marks {
    place: GrammarPlace,
    /// The part of the unfinished sequence that earlier pieces contained.
    begun: Vec<u8>,
}

/// The position in the output's grammar at which a piece ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum GrammarPlace {
    /// Outside of a mark.
    #[default]
    Text,
    /// After an escape character.
    Escape,
    /// Within a sequence that may be a mark.
    Sequence,
    /// Within such a sequence, after an escape character.
    SequenceEscape,
}

impl Marks {
    /// Creates a finder for the beginning of a session's output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `found` with each mark that this piece completes, in order, and with the process that
    /// it names as its origin. Malformed marks are skipped.
    pub fn push(&mut self, output: &[u8], mut found: impl FnMut(Mark, Option<u32>)) {
        let mut rest = output;
        while !rest.is_empty() {
            rest = match self.place {
                GrammarPlace::Text => self.text(rest),
                GrammarPlace::Escape if rest[0] == b']' => self.begin(&rest[1..]),
                GrammarPlace::Escape => self.leave(rest),
                GrammarPlace::Sequence => self.sequence(rest, &mut found),
                GrammarPlace::SequenceEscape => match rest[0] {
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

    /// Consumes text up to a sequence. This and the next methods each return the remaining output.
    fn text<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        if let Some(at) = BEGIN.find(rest) {
            return self.begin(&rest[at + 2..]);
        }
        if rest.last() == Some(&ESCAPE) {
            self.place = GrammarPlace::Escape;
        }
        &[]
    }

    fn begin<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        self.begun.clear();
        self.place = if may_be_mark(rest) { GrammarPlace::Sequence } else { GrammarPlace::Text };
        rest
    }

    fn leave<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        self.place = GrammarPlace::Text;
        // A rare long mark must not hold memory for the rest of the session.
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
        // Marks contain no control characters. An unfinished one ends at the next line.
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
                self.place = GrammarPlace::SequenceEscape;
                &[]
            }
            // This escape character may begin a mark of its own.
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

/// Returns true if a sequence that begins like this, after `\x1b]`, can be a mark.
fn may_be_mark(begun: &[u8]) -> bool {
    WANTED.iter().any(|wanted| begun.starts_with(wanted) || wanted.starts_with(begun))
}
