//! Programs whose output is known in advance, byte for byte.

use std::fmt::Write as _;

/// A program that waits for a line, then puts out numbered lines.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// Number of lines to put out.
    pub lines: u64,
}

impl Flood {
    /// Text printed after the last line.
    pub const END: &str = "that was all";

    /// The session's command. It prints `ready`, waits for a line, and stays when it is done.
    #[must_use]
    pub fn command(self) -> Vec<String> {
        let lines = self.lines;
        let end = Self::END;
        let script =
            format!("stty -echo; printf ready; read go; seq 1 {lines}; printf '{end}'; read end");
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }

    /// The same in equal parts, each of which waits for a line of its own.
    #[must_use]
    pub fn command_in_parts(self, parts: u64) -> Vec<String> {
        let (lines, part, end) = (self.lines, self.lines / parts, Self::END);
        let script = format!(
            "stty -echo; printf ready; n=0; while [ $n -lt {lines} ]; do \
             read go; seq $((n+1)) $((n+{part})); n=$((n+{part})); done; \
             printf '{end}'; read end"
        );
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }

    /// All output of the program after `ready`, as a terminal puts it out.
    #[must_use]
    pub fn output(self) -> Vec<u8> {
        let mut output = String::new();
        for line in 1..=self.lines {
            let written = write!(output, "{line}\r\n");
            debug_assert!(written.is_ok(), "a String takes everything");
        }
        output.push_str(Self::END);
        output.into_bytes()
    }
}

/// A program that prints `ready`, then `<n>:<line>` for each line that is typed into it.
#[must_use]
pub fn counter() -> Vec<String> {
    let script = "stty -echo; n=0; printf 'ready\\n'; \
                  while read -r line; do n=$((n+1)); printf '%s:%s\\n' \"$n\" \"$line\"; done";
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

/// Output of [`counter`] for these lines, after `ready`.
#[must_use]
pub fn counted(lines: &[String]) -> String {
    let mut output = String::new();
    for (index, line) in lines.iter().enumerate() {
        let written = write!(output, "{}:{line}\r\n", index + 1);
        debug_assert!(written.is_ok(), "a String takes everything");
    }
    output
}

/// A shell with a fixed prompt, which reads no file of the user's.
#[must_use]
pub fn shell() -> Vec<String> {
    ["env", "PS1=moor> ", "ENV=", "sh", "-i"].map(str::to_owned).to_vec()
}
