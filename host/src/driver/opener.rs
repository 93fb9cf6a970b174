//! Sessions that a session of a driver opens beside itself.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::ready;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use moorline_shared::frame::Frame;
use moorline_shared::id::SessionId;
use moorline_shared::session::ExitStatus;
use moorline_shared::tmux::TmuxSpec;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{DriverOutput, OutputSource, SessionControl};

/// Opens sessions beside the one that it was given to.
pub trait TerminalOpener: Debug + Send + Sync {
    /// Starts a program on a terminal, as a session of its own. The error is a sentence. If the
    /// future is dropped, the session is closed.
    fn open(&self, wish: TerminalWish) -> BoxFuture<'static, Result<OpenedTerminal, String>>;

    /// Shows a pane of tmux, as a session of its own. The error is a sentence. The session is opened
    /// even if the future is dropped.
    fn open_pane(&self, _wish: PaneWish) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(ready(Err("Panes of tmux cannot be opened from here.".to_owned())))
    }
}

/// A program to run on a terminal.
#[derive(Debug, Clone)]
pub struct TerminalWish {
    /// The id of the new session.
    pub session_id: SessionId,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables to set in addition to the host's own.
    pub env: BTreeMap<String, String>,
    /// The folder to start in.
    pub cwd: PathBuf,
    /// The most bytes of output to keep.
    pub output_bytes: usize,
}

/// A pane of tmux to show.
#[derive(Debug, Clone)]
pub struct PaneWish {
    /// The id of the new session.
    pub session_id: SessionId,
    /// The pane.
    pub spec: TmuxSpec,
}

/// A session that was opened. It goes on if this is dropped.
#[derive(Debug)]
pub struct OpenedTerminal {
    /// The end of its output.
    pub tail: Arc<TerminalTail>,
    /// Takes requests to the session.
    pub control: Arc<dyn SessionControl>,
}

impl OpenedTerminal {
    /// Ends the session, if it runs.
    pub fn close(&self) {
        // Without a runtime, the process ends, and its sessions with it.
        if self.tail.exit().is_none() && Handle::try_current().is_ok() {
            self.control.close();
        }
    }
}

/// The end of what a session has put out, and how it has ended.
#[derive(Debug)]
pub struct TerminalTail {
    output: Mutex<OutputTail>,
    exit: watch::Sender<Option<ExitStatus>>,
}

/// The end of a session's output.
#[derive(Debug)]
struct OutputTail {
    bytes: Vec<u8>,
    most: usize,
    is_cut: bool,
}

impl TerminalTail {
    /// Keeps at most this many bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let output = Mutex::new(OutputTail { bytes: Vec::new(), most, is_cut: false });
        Self { output, exit: watch::Sender::new(None) }
    }

    /// Returns the output, and true if its beginning is missing. The line breaks of the terminal
    /// are plain ones; everything else is as the program has written it.
    #[must_use]
    pub fn output(&self) -> (String, bool) {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        (String::from_utf8_lossy(&output.bytes).replace("\r\n", "\n"), output.is_cut)
    }

    /// Returns how the session has ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        self.exit.borrow().clone()
    }

    /// Waits for the end of the session.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.subscribe();
        let exit = exit.wait_for(Option::is_some).await;
        exit.ok().and_then(|exit| exit.clone()).unwrap_or_default()
    }

    /// Has the output of a session pass by.
    pub(crate) fn watch(self: &Arc<Self>, inner: Box<dyn OutputSource>) -> Box<dyn OutputSource> {
        Box::new(WatchedOutput { inner, tail: Arc::clone(self) })
    }
}

impl OutputTail {
    /// Takes output, and drops the beginning of what is too much, at a character.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > self.most {
            self.is_cut = true;
            let mut surplus = self.bytes.len() - self.most;
            while self.bytes.get(surplus).is_some_and(|byte| byte & 0xc0 == 0x80) {
                surplus += 1;
            }
            self.bytes.drain(..surplus);
        }
    }
}

/// The output of a session that passes by a tail.
#[derive(Debug)]
struct WatchedOutput {
    inner: Box<dyn OutputSource>,
    tail: Arc<TerminalTail>,
}

impl OutputSource for WatchedOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(async {
            let output = self.inner.next().await;
            match &output {
                DriverOutput::Bytes(buffer) => {
                    let mut tail = self.tail.output.lock().unwrap_or_else(PoisonError::into_inner);
                    tail.push(buffer.get(Frame::DATA_START..).unwrap_or_default());
                }
                DriverOutput::End(exit) => {
                    self.tail.exit.send_replace(Some(exit.clone()));
                }
                _ => {}
            }
            output
        })
    }
}

impl Drop for WatchedOutput {
    fn drop(&mut self) {
        self.tail.exit.send_if_modified(|exit| {
            let is_unknown = exit.is_none();
            exit.get_or_insert_default();
            is_unknown
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_kept() {
        let tail = TerminalTail::new(8);
        let push = |bytes: &[u8]| tail.output.lock().unwrap().push(bytes);
        push(b"one\r\n");
        assert_eq!(tail.output(), ("one\n".to_owned(), false));
        push("twoéé".as_bytes());
        assert_eq!(tail.output(), ("\ntwoéé".to_owned(), true));
        push("üüüü".as_bytes());
        push(b"1");
        assert_eq!(tail.output(), ("üüü1".to_owned(), true));
        assert_eq!(tail.exit(), None);
    }
}
