//! The life of a session's pod, without the cluster.
//!
//! Call [`PodMachine::handle`] with everything that happens. After that, carry out
//! [`PodMachine::poll_output`] until it returns `None`. At [`PodMachine::poll_timeout`], call
//! `handle` with [`PodInput::Timeout`]. A call too many changes nothing.
//!
//! A pod is created, runs, gets its supervisor, and is attached to. A connection that is lost is made
//! again for as long as the pod runs. A pod that is gone, or idle for long enough, leaves a suspended
//! session behind, whose files are kept: input creates a new pod. Only the end of the program, a
//! user, or a first pod that never became ready ends the session.

mod ending;
mod events;
mod flush;
mod outlook;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use moorline_shared::pod::{PodPhase, SupervisorWay, WhenIdle};
use moorline_shared::time::Time;

use super::error::ClusterError;
use super::manifest::PodPlan;
use super::view::{PodNews, PodTrouble, PodView};
pub(super) use events::{CreatedPod, DeliveryError, PodInput, PodOutput};
use flush::PodFlush;
use outlook::{PodOutlook, VAGUE};

/// Wait before a connection to a pod is made again, if the one before was lost at once; doubled each
/// time, up to [`LONGEST_WAIT`].
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Upper bound of the wait before a connection to a pod is made again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Wait before a request that the cluster has not answered is repeated.
const RETRY_WAIT: Duration = Duration::from_secs(2);
/// The most events of the cluster that are shown while a pod becomes ready.
const NEWS: usize = 64;

/// The state of a session's pod. See the module.
#[derive(Debug)]
pub(super) struct PodMachine {
    ready_limit: Duration,
    idle_limit: Option<Duration>,
    when_idle: WhenIdle,
    way: SupervisorWay,
    /// True if the pod's folder is in sync with a workspace.
    syncs: bool,
    stage: PodStage,
    outlook: PodOutlook,
    /// The last input, output or running command.
    active_at: Time,
    /// True while a command runs.
    running: bool,
    /// True once a pod of the session was ready.
    was_ready: bool,
    /// True if the pod is one that an earlier host has started: a cluster that cannot be asked is no
    /// reason to give it up.
    is_found: bool,
    /// True if a user has typed since the pod was lost.
    wake_wanted: bool,
    /// True if the program is an agent: its end suspends the session, and prompts wake it.
    is_agent: bool,
    /// True once the end of the agent in this pod was told.
    is_gone: bool,
    /// True once somebody was told that the pod is not ready, in this phase.
    warned: Option<PodPhase>,
    outputs: VecDeque<PodOutput>,
}

#[derive(Debug, PartialEq, Eq)]
enum PodStage {
    /// The pod was asked for. `retry` is set while the request is repeated.
    Creating {
        until: Time,
        retry: Option<Time>,
    },
    /// An earlier pod is still being deleted.
    Clearing {
        until: Time,
    },
    /// The pod does not run yet.
    Waiting {
        until: Time,
    },
    /// The supervisor is being sent.
    Delivering {
        until: Time,
        retry: Option<Time>,
    },
    /// The connection is being made. `until` is `None` if the pod was ready before.
    Attaching {
        until: Option<Time>,
        tries: u32,
        retry: Option<Time>,
    },
    Ready,
    /// The pod's last files are sent before it goes.
    Flushing(PodFlush),
    /// The pod is being deleted, or is gone without a deletion.
    Suspending,
    Suspended,
    Over,
}

impl PodMachine {
    /// Creates the state of a session whose pod was just created, or was found.
    pub(super) fn new(plan: &PodPlan, now: Time) -> Self {
        let template = &plan.template;
        let ready_limit = Duration::from_secs(template.ready_seconds.into());
        let mut machine = Self {
            ready_limit,
            idle_limit: template.idle_minutes.map(|minutes| Duration::from_secs(60) * minutes),
            when_idle: template.when_idle,
            way: template.supervisor,
            syncs: plan.workspace.is_some() && template.supervisor != SupervisorWay::None,
            stage: PodStage::Waiting { until: now + ready_limit },
            outlook: PodOutlook::new(plan),
            active_at: now,
            running: false,
            was_ready: false,
            is_found: false,
            wake_wanted: false,
            is_agent: plan.agent,
            is_gone: false,
            warned: None,
            outputs: VecDeque::new(),
        };
        machine.tell();
        machine
    }

    /// Creates the state of a session that another host has started. Its pod may be gone.
    pub(super) fn restored(plan: &PodPlan, now: Time) -> Self {
        Self { was_ready: true, is_found: true, ..Self::new(plan, now) }
    }

    /// Creates the state of a session whose agent does not run. If another host has left a pod
    /// behind, it is deleted.
    pub(super) fn resting(plan: &PodPlan, now: Time) -> Self {
        let mut machine = Self { was_ready: true, is_gone: true, ..Self::new(plan, now) };
        machine.stage = PodStage::Suspending;
        machine.outputs.clear();
        machine.outputs.push_back(PodOutput::Delete { claim: false });
        machine
    }

    /// Takes note of what has happened. See the module.
    pub(super) fn handle(&mut self, now: Time, input: PodInput) {
        if self.stage == PodStage::Over {
            return;
        }
        match input {
            PodInput::Created(created) => self.created(now, created),
            PodInput::Observed(view) => self.observed(now, view),
            PodInput::News(news) => self.news(&news),
            PodInput::Delivered(delivered) => self.delivered(now, delivered),
            PodInput::Attached => self.attached(now),
            PodInput::Lost(reason) => self.lost_connection(now, "reconnecting", reason),
            PodInput::OtherVersion(reason) => {
                self.lost_connection(now, "supervisor_version", reason);
            }
            PodInput::Exited(status) => self.exited(now, status),
            PodInput::Settled(problem) => self.settled(now, problem),
            PodInput::Vitals(vitals) => {
                if vitals.busy {
                    self.active_at = now;
                }
                let (full, is_news) = self.outlook.use_volume(vitals);
                if let Some((code, message)) = full {
                    self.outputs.push_back(PodOutput::Report { code, message });
                }
                if self.outlook.use_resources(now, vitals) || is_news {
                    self.tell();
                }
            }
            PodInput::Active { running } => {
                self.active_at = now;
                self.running = running;
            }
            PodInput::Typed => self.typed(now),
            PodInput::Close => self.close(now),
            PodInput::Timeout => self.elapse(now),
        }
    }

    /// Returns the next action. Changes only after [`PodMachine::handle`].
    pub(super) fn poll_output(&mut self) -> Option<PodOutput> {
        self.outputs.pop_front()
    }

    /// Returns when [`PodInput::Timeout`] is due, if ever.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        match &self.stage {
            PodStage::Creating { until, retry } | PodStage::Delivering { until, retry } => {
                Some(retry.map_or(*until, |retry| retry.min(*until)))
            }
            PodStage::Clearing { until } | PodStage::Waiting { until } => Some(*until),
            PodStage::Attaching { until, retry, .. } => retry.iter().chain(until).min().copied(),
            PodStage::Flushing(flush) => Some(flush.due()),
            PodStage::Ready if !self.running => self.idle_limit.map(|limit| self.active_at + limit),
            PodStage::Ready | PodStage::Suspending | PodStage::Suspended | PodStage::Over => None,
        }
    }

    /// Returns true if input can reach the terminal now.
    pub(super) fn is_ready(&self) -> bool {
        self.stage == PodStage::Ready
    }

    /// Returns true from [`PodOutput::Gone`] until the agent's next pod is asked for.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    fn created(&mut self, now: Time, created: Result<CreatedPod, ClusterError>) {
        let PodStage::Creating { until, .. } = self.stage else { return };
        match created {
            Ok(CreatedPod::Exists) => {
                self.stage = PodStage::Waiting { until };
                self.tell();
                self.go_on(now);
            }
            Ok(CreatedPod::Deleting) => self.stage = PodStage::Clearing { until },
            Err(error) if error.may_pass() => {
                self.outlook.fail(error.code(), error.to_string());
                self.stage = PodStage::Creating { until, retry: Some(now + RETRY_WAIT) };
                self.tell();
            }
            Err(error) => self.fail(error.code(), error.to_string()),
        }
    }

    fn observed(&mut self, now: Time, view: Option<PodView>) {
        let was_vague = self.outlook.is_vague();
        let changed = self.outlook.observe(view);
        for news in self.outlook.take_held() {
            self.news(&news);
        }
        match &self.stage {
            PodStage::Clearing { .. } if self.outlook.is_absent() => return self.create(now),
            PodStage::Suspending if self.outlook.is_absent() => return self.suspended(now),
            PodStage::Suspending => {
                // A node tells that a program has ended before it tells why.
                let reason = self.outlook.loss().filter(|(code, _)| was_vague && *code != VAGUE);
                if let Some((code, message)) = reason {
                    self.say(&format!("The reason: {message}."));
                    self.outlook.fail(code, message);
                    self.tell();
                }
                return;
            }
            PodStage::Waiting { .. }
            | PodStage::Delivering { .. }
            | PodStage::Attaching { .. }
            | PodStage::Ready => {
                if let Some((code, message)) = self.outlook.loss() {
                    return self.lose(now, code, message);
                }
            }
            PodStage::Flushing(_) if !self.outlook.is_running_down() => return self.flushed(now),
            _ => {}
        }
        if changed {
            // Later, trouble only follows from the end that was told already.
            if matches!(self.stage, PodStage::Creating { .. } | PodStage::Waiting { .. }) {
                self.outlook.suffer_view();
            }
            self.tell();
        }
        self.go_on(now);
    }

    /// Takes the next step to a terminal, if the pod runs.
    fn go_on(&mut self, now: Time) {
        let PodStage::Waiting { until } = self.stage else { return };
        if !self.outlook.is_running() {
            return;
        }
        if self.way == SupervisorWay::Exec {
            self.stage = PodStage::Delivering { until, retry: None };
            self.outputs.push_back(PodOutput::Deliver);
        } else {
            self.attach(now, Some(until));
        }
        self.tell();
    }

    fn news(&mut self, news: &PodNews) {
        let is_early = matches!(self.stage, PodStage::Creating { .. } | PodStage::Waiting { .. });
        if is_early && self.outlook.is_news(news, NEWS) {
            self.show(news);
        }
    }

    fn show(&mut self, news: &PodNews) {
        if news.is_warning {
            let trouble = PodTrouble { reason: news.reason.clone(), message: news.message.clone() };
            self.outlook.suffer(&trouble);
            self.tell();
        }
        self.say(&format!("{}: {}", news.reason, news.message));
    }

    fn delivered(&mut self, now: Time, delivered: Result<(), DeliveryError>) {
        let PodStage::Delivering { until, .. } = self.stage else { return };
        match delivered {
            Ok(()) => self.attach(now, Some(until)),
            Err(DeliveryError::Lost(reason)) => {
                self.outlook.fail("not_delivered", reason);
                self.stage = PodStage::Delivering { until, retry: Some(now + RETRY_WAIT) };
            }
            Err(DeliveryError::Impossible(reason)) => self.fail("no_supervisor", reason),
        }
    }

    fn attach(&mut self, _now: Time, until: Option<Time>) {
        self.stage = PodStage::Attaching { until, tries: 0, retry: None };
        self.outputs.push_back(PodOutput::Attach);
    }

    fn attached(&mut self, now: Time) {
        if let PodStage::Flushing(_) = self.stage {
            return self.outputs.push_back(PodOutput::Settle);
        }
        if !matches!(self.stage, PodStage::Attaching { .. }) {
            return;
        }
        self.stage = PodStage::Ready;
        self.was_ready = true;
        self.is_found = false;
        self.wake_wanted = false;
        self.warned = None;
        self.active_at = now;
        self.outlook.recover();
        self.tell();
    }

    fn lost_connection(&mut self, now: Time, code: &'static str, reason: String) {
        let (until, tries) = match self.stage {
            PodStage::Ready => (None, 0),
            PodStage::Attaching { until, tries, .. } => (until, tries + 1),
            PodStage::Flushing(ref mut flush) => return flush.lost(now),
            _ => return,
        };
        let wait = match tries {
            0 => Duration::ZERO,
            tries => LONGEST_WAIT.min(SHORTEST_WAIT * 2_u32.saturating_pow(tries.min(16) - 1)),
        };
        self.stage = PodStage::Attaching { until, tries, retry: Some(now + wait) };
        // Most losses are over at once.
        if tries == 1 || code != "reconnecting" {
            self.outlook.fail(code, reason);
            self.tell();
        }
    }

    fn typed(&mut self, now: Time) {
        self.active_at = now;
        match self.stage {
            PodStage::Suspended => self.create(now),
            PodStage::Suspending | PodStage::Flushing(_) => self.wake_wanted = true,
            PodStage::Ready => return,
            _ => {}
        }
        let phase = self.phase();
        let is_waited_for = phase != PodPhase::Reconnecting && !self.is_agent;
        if is_waited_for && self.warned.replace(phase) != Some(phase) {
            // In the seed's words.
            let phase = phase.title();
            self.say(&format!("Error: Pod is not ready yet. Current status: {phase}"));
            self.say("Please wait...");
        }
    }

    fn elapse(&mut self, now: Time) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.stage {
            PodStage::Creating { until, ref mut retry } if now < until => {
                *retry = None;
                self.outputs.push_back(PodOutput::Create);
            }
            PodStage::Delivering { until, ref mut retry } if now < until => {
                *retry = None;
                self.outputs.push_back(PodOutput::Deliver);
            }
            PodStage::Attaching { until, ref mut retry, .. } if until.is_none_or(|it| now < it) => {
                *retry = None;
                self.outputs.push_back(PodOutput::Attach);
            }
            PodStage::Flushing(_) => self.elapse_flush(now),
            PodStage::Ready => self.rest(now),
            _ if self.is_found => self.wait_on(now),
            _ => {
                let limit = self.ready_limit.as_secs();
                let unknown = || {
                    let message = format!("the pod was not ready within {limit} seconds");
                    ("not_ready", message)
                };
                let (code, message) = self.outlook.trouble().unwrap_or_else(unknown);
                self.fail(code, message);
            }
        }
    }

    /// Goes on with a pod that an earlier host has started, for another while.
    fn wait_on(&mut self, now: Time) {
        let later = now + self.ready_limit;
        match &mut self.stage {
            PodStage::Waiting { until } => *until = later,
            PodStage::Delivering { until, retry } => {
                (*until, *retry) = (later, None);
                self.outputs.push_back(PodOutput::Deliver);
            }
            PodStage::Attaching { until, retry, .. } => {
                (*until, *retry) = (Some(later), None);
                self.outputs.push_back(PodOutput::Attach);
            }
            _ => {}
        }
    }

    /// Asks for a pod, when the session had none.
    fn create(&mut self, now: Time) {
        self.stage = PodStage::Creating { until: now + self.ready_limit, retry: None };
        self.is_found = false;
        self.is_gone = false;
        self.outlook.renew();
        self.outputs.push_back(PodOutput::Create);
        self.tell();
    }

    fn say(&mut self, line: &str) {
        let clean: String = line.chars().filter(|character| !character.is_control()).collect();
        self.outputs.push_back(PodOutput::Say(format!("{clean}\r\n")));
    }

    fn tell(&mut self) {
        let phase = self.phase();
        if let Some(status) = self.outlook.status(phase, self.way) {
            self.outputs.push_back(PodOutput::Tell(Box::new(status)));
        }
    }

    fn phase(&self) -> PodPhase {
        match self.stage {
            PodStage::Creating { .. } | PodStage::Clearing { .. } | PodStage::Waiting { .. } => {
                PodPhase::Pending
            }
            PodStage::Attaching { until: None, .. } => PodPhase::Reconnecting,
            PodStage::Delivering { .. } | PodStage::Attaching { .. } => PodPhase::Starting,
            PodStage::Ready => PodPhase::Ready,
            PodStage::Flushing(_) | PodStage::Suspending => PodPhase::Suspending,
            PodStage::Suspended => PodPhase::Suspended,
            PodStage::Over => PodPhase::Ended,
        }
    }
}
