//! The last files of a pod, before it goes.

use std::time::Duration;

use moorline_shared::failure::HostFailure;
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;

use super::{PodMachine, PodOutput, PodStage};
use crate::workspace::NOT_SYNCED;

/// The longest time for which a pod that is to go is kept for its last files.
const FLUSH_LIMIT: Duration = Duration::from_secs(12);
/// Wait before a connection that was lost is made again.
const RETRY: Duration = Duration::from_millis(200);

/// A pod whose last files are being sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PodFlush {
    until: Time,
    /// When the connection is made again, if it was lost.
    retry: Option<Time>,
    then: AfterFlush,
}

/// What happens after the last files of a pod were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AfterFlush {
    /// The pod is lost, or idle: the session is suspended.
    Suspend { code: &'static str, message: String },
    /// The session is over; its volume is deleted, if `claim` is true.
    End { status: ExitStatus, claim: bool },
}

impl PodFlush {
    /// Returns when something is to be done.
    pub(super) fn due(&self) -> Time {
        self.retry.map_or(self.until, |retry| retry.min(self.until))
    }

    /// Takes note that the connection was lost.
    pub(super) fn lost(&mut self, now: Time) {
        self.retry = Some(now + RETRY);
    }
}

impl PodMachine {
    /// Sends the last files of a pod that is to go, if it has some and can. Returns false if there is
    /// nothing to wait for.
    pub(super) fn flush(&mut self, now: Time, then: AfterFlush) -> bool {
        if !self.syncs || self.stage != PodStage::Ready || !self.outlook.is_running_down() {
            return false;
        }
        if let AfterFlush::Suspend { code, message } = &then {
            self.gone(code, message.clone());
        }
        self.stage = PodStage::Flushing(PodFlush { until: now + FLUSH_LIMIT, retry: None, then });
        self.outputs.push_back(PodOutput::Settle);
        self.tell();
        true
    }

    /// Takes note that the last files were sent, as far as that was possible.
    pub(super) fn settled(&mut self, now: Time, problem: Option<HostFailure>) {
        if !matches!(self.stage, PodStage::Flushing(_)) {
            return;
        }
        if let Some(problem) = problem {
            self.miss_files(&problem.message);
        }
        self.flushed(now);
    }

    /// Takes note of the end of the program, whose supervisor has sent the last files before.
    pub(super) fn exited(&mut self, now: Time, status: ExitStatus) {
        match &self.stage {
            PodStage::Flushing(_) if self.is_agent => self.flushed(now),
            PodStage::Suspending | PodStage::Suspended if self.is_agent => {}
            _ if self.is_agent => self.suspend(now, "agent_ended", "the agent has ended"),
            // Whoever deletes a pod ends its program.
            PodStage::Flushing(PodFlush { then: AfterFlush::Suspend { code, .. }, .. })
                if *code != "idle" =>
            {
                self.flushed(now);
            }
            _ => self.end(status),
        }
    }

    /// Ends the session, because a user wants that.
    pub(super) fn close(&mut self, now: Time) {
        let then = AfterFlush::End { status: hung_up(), claim: false };
        if let PodStage::Flushing(flush) = &mut self.stage {
            flush.then = then;
        } else if !self.flush(now, then) {
            self.end(hung_up());
        }
    }

    pub(super) fn elapse_flush(&mut self, now: Time) {
        let PodStage::Flushing(flush) = &mut self.stage else { return };
        if now < flush.until {
            if flush.retry.take().is_some() {
                self.outputs.push_back(PodOutput::Attach);
            }
            return;
        }
        self.miss_files("the relay did not take them in time");
        self.flushed(now);
    }

    /// Goes on after the last files.
    pub(super) fn flushed(&mut self, now: Time) {
        let PodStage::Flushing(flush) = std::mem::replace(&mut self.stage, PodStage::Ready) else {
            return;
        };
        match flush.then {
            AfterFlush::Suspend { code, message } => self.suspend(now, code, &message),
            AfterFlush::End { status, claim } => {
                self.outlook.recover();
                self.finish(status, claim);
            }
        }
    }

    fn miss_files(&mut self, why: &str) {
        let message = format!("The last files of the pod may not be in the workspace: {why}");
        self.say(&message);
        self.outputs.push_back(PodOutput::Report { code: NOT_SYNCED, message });
    }
}

/// The end of a program whose terminal is gone.
pub(super) fn hung_up() -> ExitStatus {
    ExitStatus { signal: Some("SIGHUP".to_owned()), ..ExitStatus::default() }
}
