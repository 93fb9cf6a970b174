//! Takes the output of a session's driver into the log.

use std::sync::Arc;

use bytes::BytesMut;
use moorline_shared::agent::approval::ApprovalState;
use moorline_shared::limits::HOST_KEEPS_BYTES;
use moorline_shared::message::Snapshot;
use moorline_shared::session::ExitStatus;

use super::view::{SnapshotStep, SnapshotView};
use super::{HostedState, Session};
use crate::clock::wall_ms;
use crate::driver::{DriverOutput, DriverSnapshot, OutputSource};

impl Session {
    /// Reads the driver's output until its end.
    pub(super) async fn follow(self: Arc<Self>, mut output: Box<dyn OutputSource>) {
        loop {
            let mut full = match output.next().await {
                DriverOutput::End(status) => break self.end(status),
                output => self.take(output),
            };
            while full {
                self.room.notified().await;
                full = self.lock().is_far_ahead();
            }
        }
    }

    /// Takes one output. Returns true if the driver should not be read for now.
    pub(super) fn take(self: &Arc<Self>, output: DriverOutput) -> bool {
        let mut state = self.lock();
        match output {
            DriverOutput::Bytes(buffer) => state.append(buffer),
            DriverOutput::Status(status) => self.record_status(&mut state, status),
            DriverOutput::Event { kind, fields } => self.record_other(&mut state, kind, fields),
            DriverOutput::Ask(request) => self.ask_for_driver(&mut state, *request),
            DriverOutput::Withdraw { approval_id, reason } => {
                state.approvals.withdraw(&approval_id, &reason);
            }
            DriverOutput::Done(approval_id) => {
                self.record_progress(&mut state, approval_id, ApprovalState::Done, None);
            }
            DriverOutput::Size(size) => {
                state.view.resize(size);
                state.publisher.terminal_resized(size);
            }
            DriverOutput::Typed(bytes) => state.publisher.input_confirmed(bytes),
            DriverOutput::Acted(number) => state.approvals.acted(number),
            DriverOutput::Checkpoint => {
                // Others are decisions for programs that are gone.
                if let Some(number) = state.restored_action.take() {
                    state.approvals.acted(number);
                }
                self.write_step(&mut state);
            }
            DriverOutput::Snapshot(snapshot) => state.take_snapshot(snapshot),
            DriverOutput::End(_) => {}
        }
        let full = state.is_far_ahead();
        if full && state.publisher.has_unjournaled() {
            // The relay gets nothing of this, and so makes no room, before it is stored.
            self.write_step(&mut state);
        }
        state.settle();
        full
    }

    pub(super) fn end(self: &Arc<Self>, status: ExitStatus) {
        tracing::info!(session = %self.id(), code = status.code, signal = status.signal, "ended");
        let mut state = self.lock();
        self.end_approvals(&mut state);
        self.record_exit(&mut state, &status);
        state.publisher.exited(status);
        if let SnapshotView::Driven(snapshots) = &mut state.view {
            let step = snapshots.end();
            state.follow_step(step);
        }
        self.end_journal(&mut state);
        state.settle();
    }
}

impl HostedState {
    /// Appends output to the log.
    pub(super) fn append(&mut self, buffer: BytesMut) {
        if self.abandoned {
            return;
        }
        match self.publisher.append(wall_ms(), buffer) {
            Ok(frame) => self.view.push(&frame, &mut self.publisher),
            Err(error) => tracing::error!(%error, "output was dropped"),
        }
    }

    /// Returns true if so much is not durable at the relay, or not parsed by the emulator, that the
    /// driver must not be read. The session then waits, as a program does for a slow terminal.
    pub(super) fn is_far_ahead(&self) -> bool {
        let ahead = self.publisher.unacked_bytes().max(self.view.pending_bytes());
        !self.abandoned && ahead > HOST_KEEPS_BYTES
    }

    /// Requests a snapshot for the relay.
    pub(super) fn want_snapshot(&mut self) {
        match &mut self.view {
            SnapshotView::Emulated { painter, .. } => painter.want(),
            SnapshotView::Driven(snapshots) => {
                let step = snapshots.want();
                self.follow_step(step);
            }
            SnapshotView::Folded(_) => {
                let snapshot = self.view.folded(self.publisher.head());
                self.publisher.snapshot(snapshot.flatten());
            }
        }
    }

    /// Takes a snapshot of the driver. All output before it is in the log already.
    fn take_snapshot(&mut self, made: Option<DriverSnapshot>) {
        let seq = self.publisher.head();
        let snapshot = made.map(|DriverSnapshot { data, size }| {
            let (cols, rows) = (size.map(|size| size.cols), size.map(|size| size.rows));
            Snapshot { seq, data, cols, rows, reason: None }
        });
        match &mut self.view {
            SnapshotView::Driven(snapshots) => {
                let step = snapshots.made(snapshot);
                self.follow_step(step);
            }
            SnapshotView::Emulated { .. } | SnapshotView::Folded(_) => {
                tracing::error!("an unexpected snapshot was dropped")
            }
        }
    }

    fn follow_step(&mut self, step: SnapshotStep) {
        match step {
            SnapshotStep::Request => self.control.request_snapshot(),
            SnapshotStep::Wait => {}
            SnapshotStep::Answer(snapshot) => self.publisher.snapshot(snapshot),
        }
    }
}
