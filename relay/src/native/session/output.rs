//! The task that reads a session's terminal.

use std::sync::Arc;

use bytes::BytesMut;
use moorline_host::pty::{PtyReader, PtyWriter};
use moorline_shared::session::ExitStatus;

use super::host::HANG_UP_GRACE;
use super::{SessionHandle, State};

/// The terminal is not read while more than this is neither stored nor painted: the program waits,
/// as it does before a slow terminal.
const AHEAD_BYTES: u64 = 32 * 1024 * 1024;

impl SessionHandle {
    /// Reads the terminal until the program has ended and everything that it wrote is in the log.
    pub async fn follow(self: Arc<Self>, mut reader: PtyReader, terminal: PtyWriter) {
        loop {
            match reader.read().await {
                Ok(Some(buffer)) => {
                    let mut full = self.put_out(buffer);
                    while full {
                        self.room.notified().await;
                        full = self.lock().is_far_ahead();
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(session = %self.id, %error, "the terminal cannot be read");
                    // What nobody can see must not go on.
                    terminal.kill(HANG_UP_GRACE).await;
                    break;
                }
            }
        }
        let status = terminal.wait().await;
        self.exited(status);
    }

    /// True where the terminal should not be read for now.
    fn put_out(self: &Arc<Self>, buffer: BytesMut) -> bool {
        let mut state = self.lock();
        state.append(buffer);
        let full = state.is_far_ahead();
        state.settle();
        full
    }

    fn exited(self: &Arc<Self>, status: ExitStatus) {
        tracing::info!(session = %self.id, code = status.code, signal = status.signal, "ended");
        let mut state = self.lock();
        state.tell_exited(&status);
        if let Some(host) = &mut state.host {
            host.publisher.exited(status);
        }
        state.active();
        state.settle();
    }
}

impl State {
    pub(super) fn append(&mut self, buffer: BytesMut) {
        self.active();
        let Some(host) = &mut self.host else { return };
        match host.publisher.append(buffer) {
            Ok(frame) => {
                self.storing.put_out(frame.data_len());
                host.painter.push(&frame);
                if host.hear_shell(frame.data()) {
                    self.tell_status();
                }
            }
            Err(error) => tracing::error!(%error, "output was dropped"),
        }
    }

    fn is_far_ahead(&self) -> bool {
        let unpainted = self.host.as_ref().map_or(0, |host| host.painter.pending_bytes());
        self.session.unstored_bytes().max(unpainted) > AHEAD_BYTES
    }
}
