//! The connection that gets the output of panes whose pipe is the user's.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::client::{ClientEvent, ControlClient};
use super::command::ServerSocket;
use super::pane::Pane;

/// Most events of the connection that wait.
const EVENTS_WAITING: usize = 64;
/// Output that is older is thrown away by tmux, which says so.
const FLAGS: &str = "pause-after=5";

/// A further connection to a tmux session, which gets the output of all of its panes.
#[derive(Debug, Default)]
pub(super) struct OutputConnection {
    /// What it reports; `None` while there is no connection.
    events: Option<mpsc::Receiver<ClientEvent>>,
}

impl OutputConnection {
    /// Returns true if there is a connection.
    pub(super) const fn is_open(&self) -> bool {
        self.events.is_some()
    }

    /// Connects. `None` if that fails.
    pub(super) fn open(&mut self, server: &ServerSocket, session: &str) -> Option<ControlClient> {
        let (sender, events) = mpsc::channel(EVENTS_WAITING);
        match ControlClient::attach(server, session, FLAGS, sender) {
            Ok(client) => {
                self.events = Some(events);
                Some(client)
            }
            Err(error) => {
                tracing::warn!(%error, "tmux gives no output");
                None
            }
        }
    }

    /// Disconnects.
    pub(super) fn close(&mut self) {
        self.events = None;
    }

    /// Hands on the output to its panes, until the connection has ended. Waits forever if there is
    /// none. The future may be dropped.
    pub(super) async fn ended(&mut self, find: impl Fn(&str) -> Option<Arc<Pane>>) {
        let Some(events) = &mut self.events else { return std::future::pending().await };
        while let Some(event) = events.recv().await {
            match event {
                ClientEvent::Output { pane, data } => {
                    find(&pane).iter().for_each(|pane| pane.control_output(&data));
                }
                ClientEvent::Captured { pane, replies } => {
                    find(&pane).iter().for_each(|pane| pane.control_captured(&replies));
                }
                ClientEvent::Paused { pane } => {
                    find(&pane).iter().for_each(|pane| pane.control_paused());
                }
                ClientEvent::Notice => {}
                ClientEvent::Ended { .. } => break,
            }
        }
        self.events = None;
    }
}
