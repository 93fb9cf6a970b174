//! The start of the agent's process, and the opening of its session.

use moorline_shared::agent::fault::AgentFault;
use moorline_shared::event::AgentInfo;
use moorline_shared::time::Time;

use super::life::{self, AgentPhase, OpenWay, RequestPurpose};
use super::outbox::AgentOutput;
use super::{AgentMachine, AgentSettings, HISTORY_LOST};
use crate::driver::agent::acp::{self, OpenedSession};

impl AgentMachine {
    /// Asks for another process of the agent.
    pub(super) fn start(&mut self, now: Time) {
        self.life.enter(AgentPhase::Starting, now);
        self.life.process.restarts = false;
        self.out.push(AgentOutput::Start);
    }

    pub(super) fn started(&mut self, now: Time) {
        self.life.count += 1;
        self.life.is_open = false;
        self.life.process = life::ProcessFate { is_up: true, ..Default::default() };
        self.life.enter(AgentPhase::Initializing, now);
        self.info("starting", None);
        self.initialize(acp::NEWEST);
    }

    /// Asks the agent to introduce itself, in this version of the protocol or an older one.
    pub(super) fn initialize(&mut self, version: u64) {
        let purpose = RequestPurpose::Initialize { version };
        self.requests.send(purpose, &acp::initialize(version, !self.spec.in_pod), &mut self.out);
    }

    /// Reports the agent's phase.
    pub(super) fn info(&mut self, phase: &str, message: Option<String>) {
        let name = (self.life.count <= 1 && phase == "starting").then(|| self.spec.name.clone());
        let name = name.filter(|name| !name.is_empty());
        let asks = name.is_some().then_some(self.spec.asks).flatten();
        let phase = phase.to_owned();
        self.out.event(&AgentInfo { phase, message, name, asks, ..AgentInfo::default() });
    }

    /// Opens the session: the one that the agent had before, if it can.
    pub(super) fn open(&mut self, now: Time) {
        let abilities = &self.life.known.abilities;
        let way = match self.life.session_id {
            Some(_) if abilities.resume => OpenWay::Resume,
            Some(_) if abilities.load => OpenWay::Load,
            _ => OpenWay::New,
        };
        if way == OpenWay::New && self.life.session_id.take().is_some() {
            self.out.error(AgentFault::HistoryLost, HISTORY_LOST);
        }
        self.open_by(now, way);
    }

    pub(super) fn open_by(&mut self, now: Time, way: OpenWay) {
        let AgentSettings { cwd, directories, .. } = &self.spec;
        let directories: &[String] = match self.life.known.abilities.directories {
            true => directories,
            false => &[],
        };
        if directories.len() < self.spec.directories.len() && self.life.count <= 1 {
            let sentence = "This agent works in one folder only: it was not told of the others.";
            self.out.error(AgentFault::OneFolder, sentence);
        }
        let session = self.life.session_id.as_deref().unwrap_or_default();
        let asked = match way {
            OpenWay::New => OpenedSession::new_request(cwd, directories),
            OpenWay::Load => OpenedSession::load_request(session, cwd, directories),
            OpenWay::Resume => OpenedSession::resume_request(session, cwd, directories),
        };
        self.life.enter(AgentPhase::Opening, now);
        self.requests.send(RequestPurpose::Open(way), &asked, &mut self.out);
    }

    /// Gives up the start of the agent. The next prompt tries again.
    pub(super) fn fail_start(&mut self, sentence: &str) {
        self.life.settle(AgentPhase::Failed);
        self.requests.clear();
        self.info("failed", Some(sentence.to_owned()));
        self.out.show(|transcript| transcript.error(sentence));
        self.turns.fail_next(AgentFault::AgentFailed, sentence, &mut self.out);
        self.turns.hold(true);
        if self.life.process.is_up {
            self.out.push(AgentOutput::Kill);
        }
    }
}
