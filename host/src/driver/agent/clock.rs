//! The clock of agent sessions.

use std::time::Duration;

use moorline_shared::time::Time;

use crate::clock::{monotonic, wall_ms};

/// A clock that begins at the wall-clock time, and is never set back.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentClock {
    began_at: u64,
    began: Time,
}

impl AgentClock {
    pub(super) fn new() -> Self {
        Self { began_at: wall_ms(), began: monotonic() }
    }

    /// Returns the time in milliseconds since 1970.
    pub(super) fn now(&self) -> Time {
        Time::from_ms(self.began_at) + (monotonic() - self.began)
    }

    /// Waits until a time; forever without one.
    pub(super) async fn wait(&self, until: Option<Time>) {
        match until {
            // A timer fires within a millisecond of its time, and must not fire before.
            Some(until) => {
                tokio::time::sleep(until - self.now() + Duration::from_millis(1)).await;
            }
            None => std::future::pending().await,
        }
    }
}
