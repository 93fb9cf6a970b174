//! The user's terminal, in raw mode while attached.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use bytes::Bytes;
use moorline_host::queries::Withheld;
use moorline_host::screen::Screen;
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use super::TypedBytes;
use super::restore::Changes;
use crate::console::note;

/// Clears the screen.
pub(super) const CLEAR: &[u8] = b"\x1b[0m\x1b[2J\x1b[H";

/// Limit of the chunks of input that wait to be handled.
const TYPED_CHUNKS: usize = 16;

/// The user's terminal. Dropping it restores the former state.
pub(super) struct Terminal {
    before: Termios,
    changes: Changes,
    /// True once the terminal's scrollback has the session's.
    has_scrollback: bool,
    withheld: Withheld,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        let (changes, withheld) = (Changes::default(), Withheld::new());
        let terminal = Self { before, changes, withheld, has_scrollback: false };
        terminal.write(Changes::begin())?;
        Ok(terminal)
    }

    pub(super) fn size(&self) -> Size {
        let size =
            tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or_else(Size::default, |size| {
            Size { cols: size.ws_col, rows: size.ws_row }.clamped()
        })
    }

    /// Shows a session's output, without queries that this terminal must not answer.
    pub(super) fn show(&mut self, output: &[u8]) -> io::Result<()> {
        let output = self.withheld.pass(output);
        let mut out = io::stdout().lock();
        self.changes.pass(&output, |piece| out.write_all(piece))?;
        out.flush()
    }

    /// Shows a session's screen in place of what is shown. The first time, the user's former screen
    /// scrolls into the terminal's scrollback, followed by the session's own scrollback.
    pub(super) fn paint(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let screen = Screen::new(Size::default());
        screen.restore(snapshot);
        let is_first = !std::mem::replace(&mut self.has_scrollback, true);
        // The snapshot includes a sequence that has not ended.
        self.withheld = Withheld::new();
        let mut begin = self.changes.reset();
        if is_first {
            let rows = self.size().rows;
            begin.extend(format!("\x1b[{rows};1H").into_bytes());
            begin.extend(std::iter::repeat_n(b'\n', rows.into()));
        }
        begin.extend_from_slice(b"\x1b[H\x1b[J");
        self.write(&begin)?;
        self.show(&screen.paint_over(is_first))
    }

    /// Writes to the terminal. Blocks while it is stopped, so that nothing more is read from the
    /// relay.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Prints a line on stderr. Errors are ignored.
    pub(super) fn note(&self, text: &str) {
        note(&format!("\r\n\x1b[2m[moorline: {text}]\x1b[0m\r\n"));
    }

    /// Shows a text on the last line until the screen is repainted, by stderr. Errors are ignored.
    pub(super) fn bar(&self, text: &str) {
        let Size { cols, rows } = self.size();
        let text: String = format!(" moorline: {text}").chars().take(cols.into()).collect();
        note(&format!("\x1b7\x1b[{rows};1H\x1b[0;7m{text}\x1b[K\x1b[0m\x1b8"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Errors cannot be reported any more.
        let undo = self.changes.undo();
        let _ = self.write(&undo);
        let _ = self.write(b"\r\n");
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Reads stdin on a thread of its own, which ends with the process: reading a terminal cannot be
/// cancelled.
pub(super) fn read_stdin() -> io::Result<TypedBytes> {
    let (sender, receiver) = mpsc::channel(TYPED_CHUNKS);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes @ 1..) = io::stdin().read(&mut buffer) {
            if sender.blocking_send(Bytes::copy_from_slice(&buffer[..bytes])).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
