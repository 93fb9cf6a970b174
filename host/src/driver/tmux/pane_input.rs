//! The input of a pane, on its way to tmux.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::client::{ControlClient, InputOwner};

/// Most bytes of input that tmux has not typed yet.
const INPUT_BYTES: usize = 64 * 1024;

/// The input of a pane, and the connection that types it.
#[derive(Debug)]
pub(super) struct PaneInput {
    /// The pane's id.
    pane: String,
    state: Mutex<PaneInputState>,
    /// Notified when the connection has changed, or the session is over.
    changed: Notify,
    /// Notified when [`PaneInput::poll_typed`] may return more.
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct PaneInputState {
    /// The connection to the pane's tmux session; `None` while there is none.
    client: Option<Arc<ControlClient>>,
    /// Input that was taken, but that the last connection has not typed. It goes before all else.
    untyped: Vec<u8>,
    /// Bytes that tmux has typed.
    typed: u64,
    /// The result of the last [`PaneInput::poll_typed`].
    told: u64,
    is_over: bool,
}

impl PaneInput {
    pub(super) fn new(pane: String, news: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { pane, state: Mutex::default(), changed: Notify::new(), news })
    }

    /// Sets the connection to the pane's tmux session.
    pub(super) fn connected(self: &Arc<Self>, client: Option<&Arc<ControlClient>>) {
        {
            let mut state = self.state();
            state.client = client.cloned();
            self.type_rest(&mut state);
        }
        self.changed.notify_waiters();
    }

    /// Returns the connection to the pane's tmux session.
    pub(super) fn client(&self) -> Option<Arc<ControlClient>> {
        self.state().client.clone()
    }

    /// Takes as much input as there is room for, and returns the number of bytes.
    pub(super) fn write(self: &Arc<Self>, input: &[u8]) -> usize {
        let mut state = self.state();
        self.type_rest(&mut state);
        let Some(client) = state.client.as_ref().filter(|_| state.untyped.is_empty()) else {
            return 0;
        };
        // The connection may have ended just now; there will be another, or the session ends.
        client.type_into(&self.owner(), input, INPUT_BYTES).unwrap_or(0)
    }

    /// Waits until there may be room for input. Returns false if the session is over.
    pub(super) async fn writable(&self) -> bool {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let (client, is_over) = {
                let state = self.state();
                (state.client.clone(), state.is_over)
            };
            match client {
                _ if is_over => return false,
                Some(client) => {
                    client.room(INPUT_BYTES).await;
                    if client.is_connected() {
                        return true;
                    }
                    // Wait for the next connection.
                    changed.await;
                }
                None => changed.await,
            }
        }
    }

    /// Returns how many bytes tmux has typed in all, if that has changed since the last call.
    pub(super) fn poll_typed(&self) -> Option<u64> {
        let mut state = self.state();
        let typed = state.typed;
        (std::mem::replace(&mut state.told, typed) != typed).then_some(typed)
    }

    /// Takes no more input, because the session is over.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_waiters();
    }

    /// Types what the last connection has not typed.
    fn type_rest(self: &Arc<Self>, state: &mut PaneInputState) {
        let Some(client) = state.client.as_ref().filter(|_| !state.untyped.is_empty()) else {
            return;
        };
        let typed = client.type_into(&self.owner(), &state.untyped, INPUT_BYTES).unwrap_or(0);
        state.untyped.drain(..typed);
    }

    fn owner(self: &Arc<Self>) -> Arc<dyn InputOwner> {
        Arc::clone(self) as Arc<dyn InputOwner>
    }

    fn state(&self) -> MutexGuard<'_, PaneInputState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InputOwner for PaneInput {
    fn pane(&self) -> &str {
        &self.pane
    }

    fn typed(&self, bytes: usize) {
        self.state().typed += bytes as u64;
        self.news.notify_one();
    }

    fn untyped(self: Arc<Self>, bytes: &[u8]) {
        let mut state = self.state();
        state.untyped.extend_from_slice(bytes);
        // A pane that was moved to another tmux session has another connection by now.
        self.type_rest(&mut state);
    }
}
