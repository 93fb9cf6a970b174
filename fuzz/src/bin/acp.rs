//! Runs an agent's machine against any agent and its users. The input has the form of a recording of
//! an agent, so that recordings are its seeds. Checks that the machine never panics, always comes to
//! rest, speaks in whole lines of JSON, and keeps its bounds.
#![no_main]
#![expect(dead_code, reason = "the process around the machine uses more of its modules")]

use std::time::Duration;

use driver::agent::machine::{AgentInput, AgentMachine, AgentOutput, AgentSettings};
use libfuzzer_sys::fuzz_target;
use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::event::Event;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ApprovalId, Seq, SessionId, TurnId};
use moorline_shared::limits::{AGENT_EVENT_BYTES, APPROVAL_BYTES, OPEN_APPROVALS};
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;

// Includes only these modules: the host's whole crate would build a terminal emulator, SQLite and
// TLS with counters.
#[path = "../../../host/src/driver"]
mod driver {
    pub(super) mod agent {
        mod acp;
        pub(crate) mod machine;
        mod rpc;
        mod transcript;
    }
}

/// Far more outputs than one line can cause.
const MAX_OUTPUTS: usize = 10_000;
/// What an event has besides the fields that are bounded.
const ENVELOPE_BYTES: usize = 4096;

struct World {
    machine: AgentMachine,
    now: Time,
    steps: u128,
    asked: Vec<ApprovalId>,
    session: SessionId,
    shown: Conversation,
}

impl World {
    fn new() -> Self {
        let settings = AgentSettings { cwd: "/work".into(), ..AgentSettings::default() };
        Self {
            machine: AgentMachine::new(settings),
            now: Time::from_ms(1_767_225_600_000),
            steps: 0,
            asked: Vec::new(),
            session: SessionId::from_random(1),
            shown: Conversation::default(),
        }
    }

    fn step(&mut self, line: &str) {
        match (line.get(..2), line.get(2..).unwrap_or_default()) {
            (Some("< "), said) => self.handle(AgentInput::Line(said.into())),
            (Some("> "), line) => self.lead_to(line),
            (Some("= "), "killed") => {
                let exit = ExitStatus { code: None, signal: Some("SIGKILL".into()), reason: None };
                self.handle(AgentInput::Exited { exit, last_words: None });
            }
            (Some("= "), "stored") => {
                let stored = serde_json::to_vec(&self.machine).expect("a machine can be stored");
                self.machine = serde_json::from_slice(&stored).expect("and be read again");
            }
            (Some("= "), "interrupted") => self.machine.interrupted(),
            (Some("= "), typed) => self.handle(AgentInput::Typed(typed.into())),
            _ => {}
        }
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= self.now) {
            self.handle(AgentInput::Timeout);
            assert!(self.machine.poll_timeout() != Some(at), "a time does not pass");
        }
        self.now = self.now + Duration::from_millis(100);
    }

    /// Does what a user could do so that the host says this.
    fn lead_to(&mut self, line: &str) {
        if line.contains("session/prompt") {
            let (turn_id, prompt) = (TurnId::from_random(self.steps), Prompt::text(line));
            let action = SessionAction::Prompt { turn_id, prompt, by: "me".into(), steer: false };
            self.handle(AgentInput::Action { action, linked: None });
        } else if line.contains("outcome") && !self.asked.is_empty() {
            let approved = !line.contains("cancel");
            let decision = Some(ApprovalDecision { approved, ..ApprovalDecision::default() });
            let approval_id = self.asked.remove(0);
            self.handle(AgentInput::Decision { approval_id, decision });
        } else if line.contains("session/cancel") {
            let action = SessionAction::Stop { turn_id: None, force: false };
            self.handle(AgentInput::Action { action, linked: None });
        } else if line.contains("session/close") {
            self.handle(AgentInput::Close);
        }
    }

    fn handle(&mut self, input: AgentInput) {
        self.steps += 1;
        self.machine.handle(self.now, self.steps, input);
        for _ in 0..MAX_OUTPUTS {
            let Some(output) = self.machine.poll_output() else {
                assert!(self.asked.len() <= OPEN_APPROVALS);
                return;
            };
            self.take(output);
        }
        panic!("the machine does not come to rest");
    }

    fn take(&mut self, output: AgentOutput) {
        match output {
            AgentOutput::Line(line) => {
                assert!(!line.contains('\n'), "a line is two");
                serde_json::from_str::<serde_json::Value>(&line).expect("a line is JSON");
            }
            AgentOutput::Event { kind, fields } => {
                let event = Event::of_kind(self.session.clone(), kind, self.now.ms, fields);
                assert!(event.to_json().len() <= AGENT_EVENT_BYTES + ENVELOPE_BYTES);
                self.show(&event);
            }
            AgentOutput::Ask(request) => {
                let event = Event::new(self.session.clone(), self.now.ms, &*request);
                assert!(event.to_json().len() <= APPROVAL_BYTES + ENVELOPE_BYTES);
                self.show(&event);
                self.asked.push(request.approval_id);
            }
            AgentOutput::Withdraw { approval_id, .. } => {
                self.asked.retain(|asked| *asked != approval_id);
            }
            AgentOutput::Start => self.machine.handle(self.now, self.steps, AgentInput::Started),
            _ => {}
        }
    }

    fn show(&mut self, event: &Event) {
        self.shown.apply(Seq(self.shown.summary.seq.0 + 1), event);
    }
}

fuzz_target!(|text: &str| {
    let mut world = World::new();
    world.handle(AgentInput::Started);
    text.lines().for_each(|line| world.step(line));
});
