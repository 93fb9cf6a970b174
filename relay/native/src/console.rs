//! Output of the commands on stdout and stderr. It may fail or block: a pipe's reader may have gone
//! or may be slow, or the disk behind it may be full. A relay and a host keep serving in any case.

use std::io::{self, ErrorKind, Write};

use anyhow::Context as _;

/// The reader of stdout has gone: the command ends, without an error.
#[derive(Debug, thiserror::Error)]
#[error("the reader of stdout has closed it")]
pub struct NobodyReads;

/// Prints the result of a command that then ends.
///
/// # Errors
/// [`NobodyReads`], or the error of a write.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match write(io::stdout().lock(), text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        written => written.context("cannot write to stdout"),
    }
}

/// Prints the announcement of a program that keeps running, and does not wait until it is read. If
/// it cannot be printed, the log says so and adds `otherwise`, another way to learn it.
pub(crate) fn announce(text: String, otherwise: &'static str) {
    let write = move || {
        if let Err(error) = write(io::stdout().lock(), &text) {
            tracing::warn!(%error, "stdout cannot be written to: {otherwise}");
        }
    };
    // Without a thread nothing is printed, and the log says so.
    if let Err(error) = std::thread::Builder::new().name("stdout".into()).spawn(write) {
        tracing::warn!(%error, "nothing is printed on stdout");
    }
}

/// Prints a message for people on stderr. Errors are ignored.
pub fn note(text: &str) {
    // There is no other place to report a failure.
    let _ = write(io::stderr().lock(), text);
}

fn write(mut out: impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
