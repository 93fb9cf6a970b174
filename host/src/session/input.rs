//! Passes input to a session's driver, and watches over the answers to its program's queries.

use std::sync::Arc;

use super::{HostedState, Session, TaskState};
use crate::clock::monotonic;
use crate::driver::SessionControl;

impl HostedState {
    /// Writes as much input to the driver as it takes.
    pub(super) fn write_input(&mut self) {
        while let Some(input) = self.publisher.input() {
            let taken = match self.control.write(input) {
                Ok(0) => {
                    self.input.ask();
                    return;
                }
                Ok(taken) => taken,
                // Nobody will ever read this input.
                Err(error) => {
                    tracing::debug!(%error, "input was dropped");
                    input.len()
                }
            };
            self.publisher.input_taken(taken);
        }
    }
}

/// Starts the tasks that are due.
pub(super) fn start_tasks(session: &Arc<Session>, state: &mut HostedState) {
    if state.input.start() {
        tokio::spawn(wait_for_input_room(Arc::clone(session), Arc::clone(&state.control)));
    }
    start_patience(session, state);
}

async fn wait_for_input_room(session: Arc<Session>, control: Arc<dyn SessionControl>) {
    let ready = control.writable().await;
    let mut state = session.lock();
    if ready {
        state.input = TaskState::No;
    }
    state.settle();
}

/// Starts a task that makes the publisher check for queries that a client did not answer in time.
fn start_patience(session: &Arc<Session>, state: &mut HostedState) {
    let Some(until) = state.publisher.poll_timeout().filter(|_| !state.is_patient) else { return };
    state.is_patient = true;
    let session = Arc::downgrade(session);
    tokio::spawn(async move {
        tokio::time::sleep(until - monotonic()).await;
        let Some(session) = session.upgrade() else { return };
        let mut state = session.lock();
        state.is_patient = false;
        state.publisher.tick(monotonic());
        state.settle();
    });
}
