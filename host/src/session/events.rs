//! The events that the host itself adds to a session's log.

use std::sync::Arc;

use moorline_shared::agent::approval::ApprovalState;
use moorline_shared::event::{
    Activity, AgentState, ApprovalProgress, Event, EventFields, SessionCreated, SessionForked,
    Status,
};
use moorline_shared::fold::FORKED_APPROVAL;
use moorline_shared::frame::Frame;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::ExitStatus;
use moorline_shared::session::ForkedFrom;
use serde::Serialize;

use super::view::SnapshotView;
use super::{HostedState, Session};
use crate::clock::wall_ms;

/// Resets what a program may have changed on a terminal, without moving the cursor, and then starts
/// a new line. In order: an unfinished sequence (CAN); the alternate screen (the cursor that
/// leaving it restores is saved right before, in case it is not shown); origin mode and margins
/// (which move the cursor home); everything that a soft reset resets; character sets and
/// attributes; then the modes of keys, mouse, focus, paste and synchronized output.
const PLAIN_SCREEN: &[u8] =
    b"\x18\x1b7\x1b[?1049l\x1b7\x1b[?6l\x1b[r\x1b8\x1b[!p\x1b(B\x0f\x1b[m\x1b[4l\x1b[20l\
    \x1b[?1;9;1000;1002;1003;1004;1005;1006;1015;2004;2026l\x1b[?7;25h\x1b>\x1b[=0u\r\n";

impl Session {
    /// Records the log's own first entries; copied entries end before them.
    /// For a fork, `from` is its origin, with the approvals that were open there.
    pub(super) fn record_begin(self: &Arc<Self>, from: Option<(ForkedFrom, Vec<ApprovalId>)>) {
        let mut state = self.lock();
        if let Some((from, open)) = from {
            self.record_fork(&mut state, &from);
            for approval_id in open {
                let reason = Some(FORKED_APPROVAL.to_owned());
                let withdrawn = ApprovalState::Withdrawn;
                self.record_progress(&mut state, approval_id, withdrawn, reason);
            }
        }
        self.record_created(&mut state);
        self.record_status(&mut state, Status::default());
        state.settle();
    }

    /// Records that the session's status changed.
    pub(super) fn record_status(&self, state: &mut HostedState, status: Status) {
        state.cwd.clone_from(&status.cwd);
        let pid = status.pid.or(self.hosted.pid);
        self.record(state, &Status { pid, uptime: self.uptime_ms(), ..status });
    }

    /// Records that the session ended; no entry follows.
    pub(super) fn record_exit(&self, state: &mut HostedState, exit: &ExitStatus) {
        let status = Status {
            status: Activity::Exited,
            exit_code: exit.code,
            signal: exit.signal.clone(),
            reason: exit.reason,
            cwd: state.cwd.take(),
            uptime: self.uptime_ms(),
            ..Status::default()
        };
        self.record(state, &status);
    }

    /// Adds an event to the log, at the current time.
    pub(super) fn record<F: EventFields>(&self, state: &mut HostedState, fields: &F) {
        self.append(state, Event::new(self.id().clone(), wall_ms(), fields));
    }

    /// Records that the state of an approval changed.
    pub(super) fn record_progress(
        &self,
        state: &mut HostedState,
        approval_id: ApprovalId,
        to: ApprovalState,
        reason: Option<String>,
    ) {
        self.record(state, &ApprovalProgress { approval_id, state: to, reason });
    }

    /// Adds an event of the driver's own to the log.
    pub(super) fn record_other(&self, state: &mut HostedState, kind: &str, fields: impl Serialize) {
        let event = Event::of_kind(self.id().clone(), kind, wall_ms(), fields);
        if let Some(reported) = event.read::<AgentState>() {
            state.approvals.state_recorded(reported);
        }
        self.append(state, event);
    }

    fn append(&self, state: &mut HostedState, event: Event) {
        if !state.abandoned {
            let seq = state.publisher.event(event);
            state.view.appended(&state.publisher, seq);
        }
    }

    fn record_created(&self, state: &mut HostedState) {
        let facts = &self.hosted.facts;
        let created = SessionCreated {
            mode: facts.driver.clone(),
            working_dir: self.hosted.cwd.clone(),
            name: facts.name.clone(),
            command: facts.command.clone(),
            agent: facts.agent.clone(),
        };
        self.record(state, &created);
    }

    /// Records a fork, and resets the screen: the program of the original log may have left it in
    /// any state.
    fn record_fork(&self, state: &mut HostedState, from: &ForkedFrom) {
        self.record(state, &SessionForked { from: from.clone() });
        if let SnapshotView::Emulated { .. } = state.view {
            let mut reset = Frame::buffer(PLAIN_SCREEN.len());
            reset.extend_from_slice(PLAIN_SCREEN);
            state.append(reset);
        }
    }

    fn uptime_ms(&self) -> u64 {
        wall_ms().saturating_sub(self.hosted.created_at)
    }
}
