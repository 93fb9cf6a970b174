//! The process of an agent in a pod.

use std::sync::Arc;
use std::time::Duration;

use moorline_shared::frame::Frame;
use moorline_shared::session::ExitStatus;
use tokio::time::timeout;

use super::kept_output::KeptOutput;
use super::process::ProcessEvent;
use super::shared::SharedMachine;
use crate::driver::kubernetes::{PodAgent, PodItem, PodPosition};

/// Time allowed for a pod to send its last files and be given up, when its session ends. What comes
/// later goes on without the session.
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

/// The process of an agent in a pod, from the request for it to its end.
#[derive(Debug)]
pub(super) struct PodProcess {
    pod: Arc<PodAgent>,
    /// The number of its pod.
    life: u64,
    output: KeptOutput,
    /// The offset after the input that its pipe has taken, and whether it takes more.
    progress: (u64, bool),
    end: Option<PodEnd>,
}

/// The end of a process.
#[derive(Debug, Clone)]
enum PodEnd {
    /// Its pod is gone, or goes.
    Gone { exit: Option<ExitStatus>, reason: String, is_idle: bool },
    /// Its session is over.
    Over,
}

impl PodProcess {
    /// Creates the process in the pod of this number, whose output before `handled` was handled.
    pub(super) fn new(pod: Arc<PodAgent>, life: u64, handled: u64) -> Self {
        Self { pod, life, output: KeptOutput::new(handled), progress: (0, false), end: None }
    }

    /// Continues with the process that an earlier host has left behind.
    pub(super) fn left_behind(pod: Arc<PodAgent>, position: PodPosition) -> Self {
        let life = pod.life();
        Self { progress: (position.input, false), ..Self::new(pod, life, position.output) }
    }

    /// Passes input on, and acknowledges output, as far as both are allowed.
    pub(super) fn pump(&self, shared: &SharedMachine) {
        self.pod.set_busy(shared.active_turn().is_some());
        shared.write(|offset, input| self.pod.write(self.life, offset, input));
        self.pod.acknowledge(self.life, self.output.acknowledged(shared.handled()));
    }

    /// Waits for what the process does next. Its output is only read if `reads`. Dropping the future
    /// loses nothing.
    pub(super) async fn next(&mut self, reads: bool) -> ProcessEvent {
        loop {
            if reads {
                if let Some(event) = self.output.take_line() {
                    return event;
                }
                if let Some(end) = &self.end {
                    return self.ended(end.clone());
                }
            }
            let takes = self.end.is_none() && (reads || !self.output.is_full());
            tokio::select! {
                item = self.pod.next(), if takes => self.take(item),
                progress = self.pod.progress(self.life, self.progress) => {
                    self.progress = progress;
                    return ProcessEvent::Written(progress.0);
                }
            }
        }
    }

    fn take(&mut self, item: PodItem) {
        match item {
            PodItem::Program { buffer, end, life } if life == self.life => {
                self.output.push(&buffer[Frame::DATA_START..], end);
            }
            PodItem::Gone { life, exit, reason, is_idle } if life == self.life => {
                self.end = Some(PodEnd::Gone { exit, reason, is_idle });
            }
            PodItem::Errors(text) => self.output.push_errors(&text),
            PodItem::Over(_) => self.end = Some(PodEnd::Over),
            // Of an earlier pod.
            PodItem::Program { .. } | PodItem::Gone { .. } | PodItem::Terminal(_) => {}
        }
    }

    fn ended(&self, end: PodEnd) -> ProcessEvent {
        match end {
            PodEnd::Gone { reason, is_idle: true, .. } => {
                ProcessEvent::Suspended(format!("The agent is suspended: {reason}."))
            }
            // How a program ends whose pod is deleted says nothing.
            PodEnd::Gone { exit, reason, .. } => {
                let words = exit.is_some().then(|| self.output.last_words()).flatten();
                let words = words.unwrap_or(reason);
                ProcessEvent::Exited(exit.unwrap_or_default(), Some(words))
            }
            PodEnd::Over => ProcessEvent::Over,
        }
    }

    /// Asks the process to end, and its pod with it.
    pub(super) fn kill(&self) {
        self.pod.kill(self.life);
    }

    /// Ends the session's pod.
    pub(super) async fn close(self) -> ExitStatus {
        match self.end {
            Some(PodEnd::Over) => ExitStatus::default(),
            _ => close(&self.pod).await,
        }
    }
}

/// Ends a session's pod. The rest of its output is dropped.
pub(super) async fn close(pod: &PodAgent) -> ExitStatus {
    pod.close();
    let over = async {
        loop {
            if let PodItem::Over(status) = pod.next().await {
                return status;
            }
        }
    };
    timeout(CLOSE_LIMIT, over).await.unwrap_or_default()
}
