//! What is known of a session's pod, and was told.

use std::time::Duration;

use moorline_shared::pod::{PodPhase, PodStatus, SupervisorWay};
use moorline_shared::time::Time;

use crate::driver::kubernetes::manifest::PodPlan;
use crate::driver::kubernetes::view::{PodNews, PodTrouble, PodView};
use crate::keeper::Vitals;

/// The share of the memory limit by which use must have changed to be told again.
const NOTICEABLE: u64 = 16;
/// Interval between reports of CPU use, at least.
const CPU_INTERVAL: Duration = Duration::from_secs(60);

/// What is free of a volume that is full: so much, or a hundredth of it if that is less.
const FULL_BYTES: u64 = 4 * 1024 * 1024;
/// The code of a volume that is full.
pub(super) const VOLUME_FULL: &str = "volume_full";

/// The code of a reason that only says that a program has failed.
pub(super) const VAGUE: &str = "pod_failed";

/// What is known of a session's pod.
#[derive(Debug)]
pub(super) struct PodOutlook {
    /// The pod; `None` if it does not exist, or nothing is known of it yet.
    view: Option<PodView>,
    /// True if the cluster has said that the pod does not exist.
    is_absent: bool,
    has_claim: bool,
    /// The most memory, in the template's words.
    memory: String,
    /// The reason for a pod that is not ready: a code, and a sentence.
    trouble: Option<(&'static str, String)>,
    /// The events of the cluster that were shown.
    news: Vec<PodNews>,
    /// Events of the cluster about pods, before it is known which is the session's.
    held: Vec<PodNews>,
    usage: PodUsage,
    /// The unchanging part of the status.
    basis: PodStatus,
    told: Option<PodStatus>,
}

/// The resources that a pod uses.
#[derive(Debug, Default)]
struct PodUsage {
    memory: Option<u64>,
    memory_limit: Option<u64>,
    cpu_millis: Option<u64>,
    /// The CPU time at the last report, and when that was.
    cpu: Option<(Time, u64)>,
    /// The size of the volume in bytes, if it is full.
    full: Option<u64>,
}

impl PodOutlook {
    pub(super) fn new(plan: &PodPlan) -> Self {
        let basis = PodStatus {
            pod: plan.name(),
            namespace: plan.namespace.clone(),
            image: plan.template.image.clone(),
            ..PodStatus::default()
        };
        Self {
            view: None,
            is_absent: false,
            has_claim: plan.template.storage.is_some(),
            memory: plan.template.memory.clone(),
            trouble: None,
            news: Vec::new(),
            held: Vec::new(),
            usage: PodUsage::default(),
            basis,
            told: None,
        }
    }

    /// Takes the pod's state. Returns true if it has changed.
    pub(super) fn observe(&mut self, view: Option<PodView>) -> bool {
        self.is_absent = view.is_none();
        let changed = self.view != view;
        self.view = view;
        changed
    }

    pub(super) fn is_absent(&self) -> bool {
        self.is_absent
    }

    pub(super) fn is_running(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.running && !view.is_over())
    }

    /// Returns true if the pod's program may still run, although the pod may be going.
    pub(super) fn is_running_down(&self) -> bool {
        let is_over = |view: &PodView| matches!(&*view.phase, "Succeeded" | "Failed");
        self.view.as_ref().is_some_and(|view| view.running && !is_over(view))
    }

    pub(super) fn has_claim(&self) -> bool {
        self.has_claim
    }

    /// Returns why the pod will not run any more; `None` if it may.
    pub(super) fn loss(&self) -> Option<(&'static str, String)> {
        let Some(view) = &self.view else {
            let deleted = ("pod_deleted", "the pod was deleted".to_owned());
            return self.is_absent.then_some(deleted);
        };
        if !view.is_over() {
            return None;
        }
        // Whoever deletes a pod ends its program.
        let is_cause = |trouble: &&PodTrouble| !(view.deleting && trouble.reason == "Error");
        let trouble = view.trouble.as_ref().filter(is_cause);
        let trouble = trouble.map(|trouble| trouble.explained(&self.memory));
        Some(trouble.unwrap_or_else(|| match view.deleting {
            true => ("pod_deleted", "the pod was deleted".to_owned()),
            false => ("pod_ended", "the pod's program has ended".to_owned()),
        }))
    }

    /// Returns true if the reason for the loss only says that a program has failed.
    pub(super) fn is_vague(&self) -> bool {
        self.trouble.as_ref().is_some_and(|(code, _)| *code == VAGUE)
    }

    /// Takes the trouble that the cluster tells of the pod, if it does.
    pub(super) fn suffer_view(&mut self) {
        if let Some(trouble) = self.view.as_ref().and_then(|view| view.trouble.clone()) {
            self.suffer(&trouble);
        }
    }

    /// Takes the events that were held, once the pod is known.
    pub(super) fn take_held(&mut self) -> Vec<PodNews> {
        if self.view.is_none() { Vec::new() } else { std::mem::take(&mut self.held) }
    }

    /// Returns the reason for a pod that is not ready, if there is one.
    pub(super) fn trouble(&self) -> Option<(&'static str, String)> {
        self.trouble.clone()
    }

    pub(super) fn suffer(&mut self, trouble: &PodTrouble) {
        self.trouble = Some(trouble.explained(&self.memory));
    }

    pub(super) fn fail(&mut self, code: &'static str, message: String) {
        self.trouble = Some((code, message));
    }

    pub(super) fn recover(&mut self) {
        self.trouble = None;
    }

    /// Forgets the last pod, because there will be another.
    pub(super) fn renew(&mut self) {
        (self.view, self.is_absent, self.trouble) = (None, false, None);
        self.news.clear();
        self.usage = PodUsage::default();
    }

    /// Returns true if an event of the cluster is to be shown now: it is about this pod and not an
    /// earlier one of the same name, was not shown yet, and there were not `most` others. One whose
    /// pod is not known yet is held until it is.
    pub(super) fn is_news(&mut self, news: &PodNews, most: usize) -> bool {
        if let Some(uid) = &news.pod_uid {
            let Some(view) = &self.view else {
                if self.held.len() < most {
                    self.held.push(news.clone());
                }
                return false;
            };
            if *uid != view.uid {
                return false;
            }
        }
        let is_new = !self.news.contains(news) && self.news.len() < most;
        if is_new {
            self.news.push(news.clone());
        }
        is_new
    }

    /// Takes the resources that the pod uses. Returns true if they are worth telling.
    pub(super) fn use_resources(&mut self, now: Time, vitals: Vitals) -> bool {
        let usage = &mut self.usage;
        let limit = vitals.memory_limit_bytes;
        let step = limit.unwrap_or(1 << 28) / NOTICEABLE;
        let (old, new) = (usage.memory.unwrap_or(0), vitals.memory_bytes.unwrap_or(0));
        let mut worth = old.abs_diff(new) >= step || usage.memory.is_none() && new > 0;
        if let Some(cpu_ms) = vitals.cpu_ms {
            let (since, before) = *usage.cpu.get_or_insert((now, cpu_ms));
            let passed = now - since;
            if passed >= CPU_INTERVAL {
                let millis = cpu_ms.saturating_sub(before) * 1000 / passed.as_millis() as u64;
                worth |= usage.cpu_millis.unwrap_or(0).abs_diff(millis) >= 100;
                (usage.cpu, usage.cpu_millis) = (Some((now, cpu_ms)), Some(millis));
            }
        }
        if worth {
            (usage.memory, usage.memory_limit) = (vitals.memory_bytes, limit);
        }
        worth
    }

    /// Takes what the volume has. Returns the reason, if it has become full, and true if that has
    /// changed.
    pub(super) fn use_volume(&mut self, vitals: Vitals) -> (Option<(&'static str, String)>, bool) {
        let (size, free) = (vitals.volume_bytes, vitals.volume_free_bytes);
        let is_full = |size: &u64| free.is_some_and(|free| free <= FULL_BYTES.min(*size / 100));
        let full = size.filter(|_| self.has_claim).filter(is_full);
        let before = std::mem::replace(&mut self.usage.full, full);
        let is_news = before.is_some() != full.is_some();
        (self.volume_reason().filter(|_| is_news), is_news)
    }

    fn volume_reason(&self) -> Option<(&'static str, String)> {
        let size = self.usage.full? >> 20;
        let message = format!(
            "the volume is full ({size} MiB): delete files in it, or start a session with a larger \
             `storage`"
        );
        Some((VOLUME_FULL, message))
    }

    /// Returns the state to tell; `None` if it was told already.
    pub(super) fn status(&mut self, phase: PodPhase, way: SupervisorWay) -> Option<PodStatus> {
        let lives = !matches!(phase, PodPhase::Suspended | PodPhase::Ended);
        let full = || self.volume_reason().filter(|_| lives);
        let (reason, message) = self.trouble.clone().or_else(full).unzip();
        let status = PodStatus {
            phase,
            reason: reason.map(str::to_owned),
            message,
            node: self.view.as_ref().filter(|_| lives).and_then(|view| view.node.clone()),
            memory_bytes: self.usage.memory.filter(|_| lives),
            memory_limit_bytes: self.usage.memory_limit.filter(|_| lives),
            cpu_millis: self.usage.cpu_millis.filter(|_| lives),
            direct: way == SupervisorWay::None,
            ..self.basis.clone()
        };
        let is_new = self.told.as_ref() != Some(&status);
        self.told = Some(status.clone());
        is_new.then_some(status)
    }
}
