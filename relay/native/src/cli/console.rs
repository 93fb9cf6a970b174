//! What the commands say on stdout and stderr. Nobody may be reading: a pipe's other end is closed,
//! or its reader waits, or the disk behind it is full. A relay and a host serve on all the same.

use std::io::{self, ErrorKind, Write};

use anyhow::Context as _;

/// Nobody reads what a command prints: it ends, and nothing is wrong.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads this")]
pub struct NobodyReads;

/// Prints the result of a command that then ends.
///
/// # Errors
/// [`NobodyReads`], or that it cannot be written.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match write(io::stdout().lock(), text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        written => written.context("cannot write to stdout"),
    }
}

/// Prints on stdout what a program tells that serves on, whether that can be written or not. Waits
/// for nobody to read it. `otherwise` says how to learn it if it was not written.
pub(super) fn announce(text: String, otherwise: &'static str) {
    let write = move || {
        if let Err(error) = write(io::stdout().lock(), &text) {
            tracing::warn!(%error, "stdout cannot be written to: {otherwise}");
        }
    };
    // Without a thread it is not printed, and the log says so.
    if let Err(error) = std::thread::Builder::new().name("stdout".into()).spawn(write) {
        tracing::warn!(%error, "nothing is printed on stdout");
    }
}

/// Tells a person something on stderr, if it can be written.
pub fn note(text: &str) {
    // There is no other place to tell of a failure.
    let _ = write(io::stderr().lock(), text);
}

fn write(mut out: impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
