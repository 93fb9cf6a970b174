//! When a keeper ends its program, and itself.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_shared::time::Time;

use super::super::{EXITED_LIMIT, HOSTLESS_LIMIT, KILL_GRACE};
use super::{GroupSignal, KeeperOutput};

/// The exit code or the signal with which the program ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExitNumbers {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
}

/// The timers of a keeper, and the end of its program.
#[derive(Debug)]
pub(super) struct KeeperLife {
    /// The end of the program; `None` while it runs.
    exit: Option<ExitNumbers>,
    kill: KillStage,
    /// True if the keeper ends as soon as the program has.
    leaving: bool,
    /// The time since when no host is connected, or since the program's end if that was later;
    /// `None` while a host is.
    alone_since: Option<Time>,
    /// Time without a host after which the program is ended; `None` if never.
    hostless_limit: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq)]
enum KillStage {
    None,
    /// SIGTERM was sent, and SIGKILL follows at this time.
    Asked(Time),
    /// SIGKILL was sent.
    Forced,
}

impl KeeperLife {
    pub(super) fn new(now: Time) -> Self {
        Self {
            exit: None,
            kill: KillStage::None,
            leaving: false,
            alone_since: Some(now),
            hostless_limit: Some(HOSTLESS_LIMIT),
        }
    }

    /// Lets the program run without a host for as long as it likes.
    pub(super) fn run_alone(&mut self) {
        self.hostless_limit = None;
    }

    pub(super) fn exit(&self) -> Option<ExitNumbers> {
        self.exit
    }

    pub(super) fn host_came(&mut self) {
        self.alone_since = None;
    }

    pub(super) fn host_left(&mut self, now: Time) {
        self.alone_since = self.alone_since.or(Some(now));
    }

    pub(super) fn exited(
        &mut self,
        now: Time,
        exit: ExitNumbers,
        actions: &mut VecDeque<KeeperOutput>,
    ) {
        self.exit = Some(exit);
        self.alone_since = self.alone_since.map(|_| now);
        if self.leaving {
            actions.push_back(KeeperOutput::Leave);
        }
    }

    /// Ends the program, if it runs: by SIGTERM first, or by force.
    pub(super) fn kill(&mut self, now: Time, force: bool, actions: &mut VecDeque<KeeperOutput>) {
        if self.exit.is_some() || self.kill == KillStage::Forced {
            return;
        }
        if force {
            self.kill = KillStage::Forced;
            actions.push_back(KeeperOutput::Signal(GroupSignal::Kill));
        } else if self.kill == KillStage::None {
            self.kill = KillStage::Asked(now + KILL_GRACE);
            actions.push_back(KeeperOutput::Signal(GroupSignal::Terminate));
        }
    }

    /// Ends the program, if it runs, and then the keeper.
    pub(super) fn leave(&mut self, now: Time, force: bool, actions: &mut VecDeque<KeeperOutput>) {
        let is_first = !std::mem::replace(&mut self.leaving, true);
        if self.exit.is_none() {
            self.kill(now, force, actions);
        } else if is_first {
            actions.push_back(KeeperOutput::Leave);
        }
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        let alone = |limit| self.alone_since.map(|since| since + limit);
        match (&self.exit, &self.kill) {
            (Some(_), _) if self.leaving => None,
            (Some(_), _) => alone(EXITED_LIMIT),
            (None, KillStage::Asked(at)) => Some(*at),
            (None, KillStage::None) => self.hostless_limit.and_then(alone),
            (None, KillStage::Forced) => None,
        }
    }

    pub(super) fn elapse(&mut self, now: Time, actions: &mut VecDeque<KeeperOutput>) {
        if self.timeout().is_none_or(|due| now < due) {
            return;
        }
        match (&self.exit, &self.kill) {
            (Some(_), _) => self.leave(now, true, actions),
            (None, KillStage::Asked(_)) => self.kill(now, true, actions),
            (None, _) => self.kill(now, false, actions),
        }
    }
}
