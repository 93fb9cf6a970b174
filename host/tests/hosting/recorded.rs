//! Recordings of real agents, replayed: the machine says to each agent what it said then, and the
//! conversation is the one in the file beside the recording.
//!
//! `cargo xtask agents --record` makes the recordings. `MOORLINE_GOLDEN=write cargo test -p
//! moorline-host recorded` writes the conversations anew; read the difference before you commit it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use moorline_host::driver::agent::{
    AgentInput, AgentMachine, AgentOutput, AgentSettings, ServiceAnswer, ServiceRequest,
};
use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalRequest};
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::event::Event;
use moorline_shared::fold::Conversation;
use moorline_shared::id::Seq;
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;
use serde_json::Value;

use super::fake_relay::id;

/// A line of a recording.
enum Recorded {
    /// The host said it.
    ToAgent(Value),
    /// The agent said it.
    FromAgent(Vec<u8>),
    /// The agent was killed.
    Killed,
}

/// A machine between a recorded agent and users who do what was recorded.
struct Replay {
    machine: AgentMachine,
    now: Time,
    steps: u64,
    seq: Seq,
    shown: Conversation,
    /// Lines to the agent that were not compared.
    said: VecDeque<Value>,
    asked: Vec<ApprovalRequest>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/agents")
}

fn read(text: &str) -> Vec<Recorded> {
    let line = |line: &str| match line.split_at(2) {
        ("> ", json) => Recorded::ToAgent(serde_json::from_str(json).unwrap()),
        ("< ", line) => Recorded::FromAgent(line.into()),
        _ => Recorded::Killed,
    };
    text.lines().map(line).collect()
}

/// Returns the text of a prompt, if a line is one.
fn prompt_of(line: &Recorded) -> Option<&str> {
    match line {
        Recorded::ToAgent(line) if line["method"] == "session/prompt" => {
            line["params"]["prompt"][0]["text"].as_str()
        }
        _ => None,
    }
}

/// Returns the mode that the session was started with.
fn mode_of(lines: &[Recorded]) -> Option<String> {
    lines.iter().find_map(|line| match line {
        Recorded::ToAgent(line) if line["params"]["configId"] == "mode" => {
            Some(line["params"]["value"].as_str()?.to_owned())
        }
        _ => None,
    })
}

impl Replay {
    fn new(mode: Option<String>) -> Self {
        let settings = AgentSettings { cwd: "/work".into(), mode, ..AgentSettings::default() };
        Self {
            machine: AgentMachine::new(settings),
            now: Time::from_ms(1_767_225_600_000),
            steps: 0,
            seq: Seq::ZERO,
            shown: Conversation::default(),
            said: VecDeque::new(),
            asked: Vec::new(),
        }
    }

    fn handle(&mut self, input: AgentInput) {
        self.steps += 1;
        self.now = self.now + Duration::from_millis(100);
        self.machine.handle(self.now, u128::from(self.steps), input);
        while let Some(output) = self.machine.poll_output() {
            self.take(output);
        }
        // Everything that waits for a while is told, as it is at the agent's own pace.
        if self.machine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.handle(AgentInput::Timeout);
        }
    }

    fn take(&mut self, output: AgentOutput) {
        let session = id("session1");
        match output {
            AgentOutput::Line(line) => self.said.push_back(serde_json::from_str(&line).unwrap()),
            AgentOutput::Event { kind, fields } => {
                self.show(&Event::of_kind(session, kind, self.now.ms, fields));
            }
            AgentOutput::Ask(request) => {
                self.show(&Event::new(session, self.now.ms, &*request));
                self.asked.push(*request);
            }
            AgentOutput::Withdraw { approval_id, .. } => {
                self.asked.retain(|asked| asked.approval_id != approval_id);
            }
            AgentOutput::Serve { work, request } => {
                assert!(matches!(request, ServiceRequest::WriteFile { .. }), "{request:?}");
                self.handle(AgentInput::Served { work, result: Ok(ServiceAnswer::Done) });
            }
            AgentOutput::Start => self.handle(AgentInput::Started),
            _ => {}
        }
    }

    fn show(&mut self, event: &Event) {
        self.seq = self.seq.next();
        self.shown.apply(self.seq, event);
    }

    fn prompt(&mut self, text: &str) {
        let turn_id = format!("turn_{:04}", self.steps).parse().unwrap();
        let (prompt, by) = (Prompt::text(text), "me".to_owned());
        let action = SessionAction::Prompt { turn_id, prompt, by, steer: false };
        self.handle(AgentInput::Action { action, linked: None });
    }

    /// Does what a user did so that the host said this. `rest` follows in the recording.
    fn lead_to(&mut self, line: &Value, rest: &[Recorded]) {
        match line["method"].as_str() {
            Some("initialize") if self.steps == 0 => self.handle(AgentInput::Started),
            // The next prompt starts the agent again.
            Some("initialize") => {
                let text = rest.iter().find_map(prompt_of).expect("a prompt follows");
                self.prompt(text);
            }
            Some("session/prompt") => {
                self.prompt(line["params"]["prompt"][0]["text"].as_str().unwrap())
            }
            Some("session/close") => self.handle(AgentInput::Close),
            _ => {
                let option = line["result"]["outcome"]["optionId"].as_str();
                let option_id =
                    Some(option.unwrap_or_else(|| panic!("who says {line}?")).to_owned());
                let approval_id = self.asked.remove(0).approval_id;
                let decision =
                    ApprovalDecision { approved: true, option_id, ..ApprovalDecision::default() };
                let decision = Some(decision);
                self.handle(AgentInput::Decision { approval_id, decision });
            }
        }
    }

    /// Checks that the host says this line now.
    fn compare(&mut self, line: &Value, rest: &[Recorded]) {
        while self.said.is_empty()
            && let Some(at) = self.machine.poll_timeout()
        {
            self.now = self.now.max(at);
            self.handle(AgentInput::Timeout);
        }
        if self.said.is_empty() {
            self.lead_to(line, rest);
        }
        let said = self.said.pop_front().unwrap_or_else(|| panic!("nothing instead of {line}"));
        if line["method"] == "initialize" {
            // What the host says of itself changes with its version.
            let version = |line: &Value| line["params"]["protocolVersion"].clone();
            assert_eq!((&said["method"], version(&said)), (&line["method"], version(line)));
        } else {
            assert_eq!(&said, line);
        }
    }

    fn run(&mut self, lines: &[Recorded]) {
        for (place, line) in lines.iter().enumerate() {
            match line {
                Recorded::ToAgent(line) => self.compare(line, &lines[place + 1..]),
                Recorded::FromAgent(line) => self.handle(AgentInput::Line(line.clone())),
                Recorded::Killed => {
                    let exit =
                        ExitStatus { code: None, signal: Some("SIGKILL".into()), reason: None };
                    self.handle(AgentInput::Exited { exit, last_words: None });
                }
            }
        }
        assert!(self.said.is_empty(), "more was said: {:?}", self.said);
    }
}

/// Replays the recording of an agent, and compares its conversation.
fn replay(agent: &str) {
    let text = std::fs::read_to_string(folder().join(format!("{agent}.txt"))).unwrap();
    let lines = read(&text);
    let mut replay = Replay::new(mode_of(&lines));
    replay.run(&lines);
    let shown = serde_json::to_string_pretty(&replay.shown).unwrap() + "\n";
    let golden = folder().join(format!("{agent}.json"));
    if std::env::var_os("MOORLINE_GOLDEN").is_some_and(|word| word == "write") {
        std::fs::write(&golden, &shown).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap();
    let place = shown.lines().zip(wanted.lines()).position(|(ours, golden)| ours != golden);
    let context = |text: &str| {
        let first = place.unwrap_or_default().saturating_sub(5);
        text.lines().skip(first).take(10).collect::<Vec<_>>().join("\n")
    };
    assert!(
        shown == wanted,
        "from line {place:?}: {}\ninstead of {}",
        context(&shown),
        context(&wanted)
    );
}

#[test]
fn claude_code_is_understood() {
    replay("claude-code");
}

#[test]
fn codex_is_understood() {
    replay("codex");
}

#[test]
fn gemini_is_understood() {
    replay("gemini");
}

#[test]
fn opencode_is_understood() {
    replay("opencode");
}

#[test]
fn pi_is_understood() {
    replay("pi");
}
