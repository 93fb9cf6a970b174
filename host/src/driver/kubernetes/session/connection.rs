//! The connection of a session to the terminal or the agent in its pod.

use moorline_shared::event::{Activity, Status};
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::ExitStatus;
use tokio::time::{Duration, Instant};

use super::PodSession;
use crate::driver::DriverOutput;
use crate::driver::kubernetes::items::PodItem;
use crate::driver::kubernetes::link::{LinkFailure, OpenLink, PodLink};
use crate::driver::kubernetes::machine::PodInput;
use crate::driver::kubernetes::outputs;
use crate::keeper::{KeptEvent, NotTaken, RefusalCode};

/// Interval of pings of a supervisor.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Silence after which the connection to a supervisor counts as lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// The most bytes of input on their way to the pod: a connection that is cut again and again must
/// get some of it through each time.
const UNTAKEN_BYTES: usize = 8 * 1024;
/// The words at the beginning of a later shell of a pod without a supervisor.
const NEW_SHELL: &str = "\r\nThe connection to the pod was lost, and the shell with it. A new one \
                         begins.\r\n";

impl PodSession {
    pub(super) fn open(&mut self, link: PodLink) {
        if self.plan.agent && !link.has_pipes() {
            let reason = "it runs no agents".to_owned();
            return self.tell(LinkFailure::OtherVersion(reason).into());
        }
        let (taken, end) = link.offsets();
        let is_first = self.read.is_none();
        if link.is_direct() {
            if self.begun {
                self.put_bytes(NEW_SHELL.as_bytes());
            }
            self.requests.renew();
        }
        if let Some(problem) = self.files.connected(link.syncs(), link.is_direct()) {
            self.say(&problem.message);
            self.put(outputs::error(&problem));
        }
        self.count.linked();
        self.begun = true;
        self.read = Some(self.read.unwrap_or(end));
        let written = self.requests.resume(taken, is_first);
        link.resize(self.requests.size());
        let now = Instant::now();
        self.link = Some(OpenLink { link, written, ping_at: now, heard_at: now });
        self.news = None;
        self.tell(PodInput::Attached);
        if self.requests.is_busy() {
            self.tell(PodInput::Active { running: true });
        }
    }

    pub(super) fn take_event(&mut self, event: KeptEvent) {
        let Some(open) = &mut self.link else { return };
        open.heard_at = Instant::now();
        match event {
            KeptEvent::Output { offset, data } => {
                let end = offset + data.len() as u64;
                self.read = Some(end);
                self.put_program(&data, end);
            }
            KeptEvent::Snapshot(data) => {
                for piece in data.chunks(FRAME_DATA_BYTES) {
                    self.put_bytes(piece);
                }
            }
            KeptEvent::Written(offset) => self.requests.taken(offset),
            KeptEvent::Status(status) => {
                let running = status.status == Activity::Running;
                self.put(DriverOutput::Status(Status { pid: None, ..*status }));
                self.tell(PodInput::Active { running });
            }
            KeptEvent::Pong(vitals) => self.tell(PodInput::Vitals(vitals)),
            KeptEvent::Exited(status) => {
                self.exit = Some(status.clone());
                self.tell(PodInput::Exited(status));
            }
            KeptEvent::Errors(text) => {
                if self.plan.agent && !self.machine.is_gone() {
                    self.waiting.push_back(PodItem::Errors(text));
                }
            }
            KeptEvent::Files(piece) => {
                if let Err(error) = self.files.receive(&piece) {
                    self.lose_link(error.to_string());
                }
            }
            KeptEvent::Folder(report) => {
                let (settled, problem) = self.files.report(*report);
                problem.iter().for_each(|problem| self.put(outputs::error(problem)));
                if let Some(problem) = settled {
                    self.tell(PodInput::Settled(problem));
                }
            }
            KeptEvent::Lost(reason) => {
                let reason = match reason {
                    Some(RefusalCode::Replaced) => "another host has connected to the pod",
                    _ => "the connection to the pod was lost",
                };
                self.lose_link(reason.to_owned());
            }
        }
    }

    fn lose_link(&mut self, reason: String) {
        self.link = None;
        self.count.lost_link();
        self.files.disconnected();
        self.tell(PodInput::Lost(reason));
    }

    pub(super) fn take_requests(&mut self) {
        let news = self.requests.take();
        if let Some(open) = &self.link {
            news.size.into_iter().for_each(|size| open.link.resize(size));
            // What was read is at most what has arrived in this pod's life.
            let read = news.read.filter(|_| !self.machine.is_gone()).min(self.read);
            read.into_iter().for_each(|read| open.link.read(read));
        }
        if let Some(running) = news.busy {
            self.tell(PodInput::Active { running });
        }
        if news.kill {
            match &self.link {
                Some(open) => open.link.kill(),
                None => self.tell(PodInput::Exited(ExitStatus::default())),
            }
        }
        if news.typed {
            self.tell(PodInput::Typed);
        }
        if news.close {
            self.tell(PodInput::Close);
        }
    }

    /// Writes as much input as the connection takes now.
    pub(super) fn write_input(&mut self) {
        let Some(open) = &mut self.link else { return };
        while let Some(piece) = self.requests.input_from(open.written, UNTAKEN_BYTES) {
            let count = piece.len() as u64;
            match open.link.write(open.written, piece) {
                Ok(()) => open.written += count,
                // The next report of what was taken makes room; or the connection is lost.
                Err(NotTaken::Full | NotTaken::Gap { .. } | NotTaken::Closed) => return,
            }
        }
    }

    /// Sends the pod what it has asked for, as far as may be on its way.
    pub(super) fn send_files(&mut self) {
        let Some(open) = &self.link else { return };
        while let Some(piece) = self.files.poll_piece() {
            open.link.files(piece);
        }
    }

    pub(super) fn ping(&mut self) {
        let Some(open) = &mut self.link else { return };
        if open.heard_at.elapsed() > SILENCE_LIMIT && self.waiting.len() < super::WAITING_OUTPUTS {
            return self.lose_link("the pod does not answer".to_owned());
        }
        open.ping_at = Instant::now() + PING_INTERVAL;
        if !open.link.ping() {
            // Nothing tells whether it is silent or lost.
            open.heard_at = Instant::now();
        }
    }
}
