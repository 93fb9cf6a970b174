//! The ends of pods: loss, idleness, failure, and the end of the session.

use moorline_shared::pod::WhenIdle;
use moorline_shared::session::{ExitReason, ExitStatus};
use moorline_shared::time::Time;

use super::flush::{AfterFlush, hung_up};
use super::{PodMachine, PodOutput, PodStage};

impl PodMachine {
    /// Does what is to be done with an idle pod.
    pub(super) fn rest(&mut self, now: Time) {
        match self.when_idle {
            WhenIdle::Suspend => {
                let message = match self.idle_limit.unwrap_or_default().as_secs() / 60 {
                    1 => "the session was idle for a minute".to_owned(),
                    minutes => format!("the session was idle for {minutes} minutes"),
                };
                self.lose(now, "idle", message);
            }
            WhenIdle::Delete => {
                self.say("The session was idle for too long, and is deleted.");
                let (status, claim) = (hung_up(), true);
                if !self.flush(now, AfterFlush::End { status: status.clone(), claim }) {
                    self.finish(status, claim);
                }
            }
        }
    }

    /// Takes note that the pod is gone, or is to go.
    pub(super) fn lose(&mut self, now: Time, code: &'static str, message: String) {
        if !self.was_ready {
            return self.fail(code, message);
        }
        let then = AfterFlush::Suspend { code, message: message.clone() };
        if !self.flush(now, then) {
            self.suspend(now, code, &message);
        }
    }

    /// Suspends the session, whose pod is gone, or is to go.
    pub(super) fn suspend(&mut self, now: Time, code: &'static str, message: &str) {
        self.outlook.fail(code, message.to_owned());
        self.running = false;
        self.gone(code, message.to_owned());
        self.outputs.push_back(PodOutput::Detach);
        if !self.is_agent {
            // A mode that a program has set would outlive it.
            self.outputs.push_back(PodOutput::Say(CALM.to_owned()));
        }
        self.say(&format!("The session is suspended: {message}."));
        self.say(match (self.is_agent, self.outlook.has_claim()) {
            (false, true) => "Press a key to go on in a new pod, with the same files.",
            (false, false) => "Press a key to go on in a new pod.",
            (true, true) => "The next prompt starts the agent in a new pod, with the same files.",
            (true, false) => "The next prompt starts the agent in a new pod.",
        });
        if self.outlook.is_absent() {
            return self.suspended(now);
        }
        self.stage = PodStage::Suspending;
        self.outputs.push_back(PodOutput::Delete { claim: false });
        self.tell();
    }

    pub(super) fn suspended(&mut self, now: Time) {
        if std::mem::take(&mut self.wake_wanted) {
            return self.create(now);
        }
        self.warned = None;
        self.stage = PodStage::Suspended;
        self.tell();
    }

    /// Gives up on a pod that did not become ready.
    pub(super) fn fail(&mut self, code: &'static str, message: String) {
        self.outlook.fail(code, message.clone());
        // In the seed's words.
        self.say("Error: Failed to create execution pod");
        self.say(&format!("Details: {message}"));
        self.outputs.push_back(PodOutput::Report { code, message: message.clone() });
        if self.was_ready || self.is_agent {
            self.gone(code, message);
            self.outputs.push_back(PodOutput::Detach);
            self.outputs.push_back(PodOutput::Delete { claim: !self.was_ready });
            self.wake_wanted = false;
            self.warned = None;
            self.stage =
                if self.outlook.is_absent() { PodStage::Suspended } else { PodStage::Suspending };
            return self.tell();
        }
        let reason = Some(ExitReason::PodFailed);
        self.finish(ExitStatus { reason, ..ExitStatus::default() }, true);
    }

    /// Tells once that the agent in the pod has ended.
    pub(super) fn gone(&mut self, code: &str, reason: String) {
        if self.is_agent && !std::mem::replace(&mut self.is_gone, true) {
            self.outputs.push_back(PodOutput::Gone { reason, is_idle: code == "idle" });
        }
    }

    pub(super) fn end(&mut self, status: ExitStatus) {
        self.outlook.recover();
        self.finish(status, false);
    }

    pub(super) fn finish(&mut self, status: ExitStatus, claim: bool) {
        self.stage = PodStage::Over;
        self.outputs.push_back(PodOutput::Detach);
        self.outputs.push_back(PodOutput::Delete { claim });
        self.tell();
        self.outputs.push_back(PodOutput::End(status));
    }
}

/// Leaves the alternate screen, and resets the modes that a program may have set.
const CALM: &str = "\x1b[?1049l\x1b[!p\x1b[?1000;1002;1003;1006;2004l\x1b[?25h\r\n";
