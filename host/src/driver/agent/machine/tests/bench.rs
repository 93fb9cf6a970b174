//! A machine with the test as its users, its agent and its clock.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalRequest};
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::event::{AgentTurn, EventFields};
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ApprovalId, Seq, TurnId};
use moorline_shared::limits::AGENT_EVENT_BYTES;
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;
use serde_json::{Value, json};

use crate::driver::agent::{AgentInput, AgentMachine, AgentOutput, AgentSettings, ServiceRequest};

/// A machine, and all that it has put out since it was last asked.
pub(super) struct Bench {
    pub(super) machine: AgentMachine,
    pub(super) now: Time,
    random: u128,
    outputs: Vec<AgentOutput>,
    /// What pages would show.
    pub(super) shown: Conversation,
    seq: Seq,
    pub(super) transcript: String,
}

pub(super) fn turn(name: &str) -> TurnId {
    format!("turn_{name:_<4}").parse().unwrap()
}

pub(super) fn prompt(name: &str) -> SessionAction {
    let prompt = Prompt::text(format!("do {name}"));
    SessionAction::Prompt { turn_id: turn(name), prompt, by: "me".into(), steer: false }
}

pub(super) fn stop(force: bool) -> SessionAction {
    SessionAction::Stop { turn_id: None, force }
}

pub(super) fn allow(option: &str) -> ApprovalDecision {
    let option_id = Some(option.to_owned()).filter(|option| !option.is_empty());
    ApprovalDecision { approved: true, option_id, ..ApprovalDecision::default() }
}

pub(super) fn exit_code(code: i32) -> ExitStatus {
    ExitStatus { code: Some(code), signal: None, reason: None }
}

impl Bench {
    pub(super) fn new() -> Self {
        let cwd = "/work".into();
        Self::with(AgentSettings { name: "tester".into(), cwd, ..AgentSettings::default() })
    }

    pub(super) fn with(settings: AgentSettings) -> Self {
        Self {
            machine: AgentMachine::new(settings),
            now: Time::from_ms(1_700_000_000_000),
            random: 0,
            outputs: Vec::new(),
            shown: Conversation::default(),
            seq: Seq::ZERO,
            transcript: String::new(),
        }
    }

    /// Returns a machine whose agent waits for a prompt.
    pub(super) fn ready() -> Self {
        let mut bench = Self::new();
        bench.start(&json!({ "loadSession": true }));
        bench.take();
        bench
    }

    /// Starts the agent, with these capabilities, and opens a session.
    pub(super) fn start(&mut self, capabilities: &Value) {
        self.handle(AgentInput::Started);
        self.answer(
            "initialize",
            &json!({ "protocolVersion": 1, "agentCapabilities": capabilities }),
        );
        self.answer("session/new", &json!({ "sessionId": "s" }));
    }

    pub(super) fn handle(&mut self, input: AgentInput) {
        self.random += 1;
        let random = self.random.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);
        self.machine.handle(self.now, random, input);
        while let Some(output) = self.machine.poll_output() {
            self.show(&output);
            self.outputs.push(output);
        }
    }

    fn show(&mut self, output: &AgentOutput) {
        let id = "session_1".parse().unwrap();
        let event = match output {
            AgentOutput::Event { kind, fields } => {
                let event = moorline_shared::event::Event::of_kind(id, kind, self.now.ms, fields);
                let bytes = serde_json::to_vec(&event).unwrap().len();
                assert!(bytes <= AGENT_EVENT_BYTES, "{kind} has {bytes} bytes");
                event
            }
            AgentOutput::Ask(request) => {
                moorline_shared::event::Event::new(id, self.now.ms, &**request)
            }
            AgentOutput::Transcript(text) => return self.transcript.push_str(text),
            _ => return,
        };
        self.seq = self.seq.next();
        self.shown.apply(self.seq, &event);
    }

    pub(super) fn act(&mut self, action: SessionAction) {
        self.handle(AgentInput::Action { action, linked: None });
    }

    /// Says a line as the agent.
    pub(super) fn say(&mut self, line: &Value) {
        self.handle(AgentInput::Line(line.to_string().into_bytes()));
    }

    /// Sends an update as the agent.
    pub(super) fn update(&mut self, kind: &str, fields: &Value) {
        let mut update = fields.clone();
        update["sessionUpdate"] = kind.into();
        let params = json!({ "sessionId": "s", "update": update });
        self.say(&json!({ "method": "session/update", "params": params }));
    }

    /// Says some text as the agent.
    pub(super) fn chunk(&mut self, text: &str) {
        self.update("agent_message_chunk", &json!({ "content": { "type": "text", "text": text } }));
    }

    /// Asks something as the agent.
    pub(super) fn ask(&mut self, id: u64, method: &str, params: &Value) {
        let mut params = params.clone();
        params["sessionId"] = "s".into();
        self.say(&json!({ "id": id, "method": method, "params": params }));
    }

    /// Asks for the usual permission.
    pub(super) fn ask_permission(&mut self, id: u64, tool: &Value) -> ApprovalId {
        self.ask(
            id,
            "session/request_permission",
            &json!({ "toolCall": tool, "options": options() }),
        );
        self.asked().expect("nobody was asked").approval_id
    }

    /// Answers the last request with this method as the agent.
    pub(super) fn answer(&mut self, method: &str, result: &Value) {
        let id = self.request(method)["id"].clone();
        self.say(&json!({ "id": id, "result": result }));
    }

    pub(super) fn refuse(&mut self, method: &str, code: i64, message: &str) {
        let id = self.request(method)["id"].clone();
        self.say(&json!({ "id": id, "error": { "code": code, "message": message } }));
    }

    /// Ends the running turn as the agent.
    pub(super) fn finish(&mut self, reason: &str) {
        self.answer("session/prompt", &json!({ "stopReason": reason }));
    }

    pub(super) fn decide(&mut self, approval_id: &ApprovalId, decision: Option<ApprovalDecision>) {
        let approval_id = approval_id.clone();
        self.handle(AgentInput::Decision { approval_id, decision });
    }

    pub(super) fn exit(&mut self, code: i32) {
        let last_words = Some("out of luck".to_owned());
        self.handle(AgentInput::Exited { exit: exit_code(code), last_words });
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.handle(AgentInput::Timeout);
        }
        self.now = until;
    }

    /// Stores the machine, and continues with the stored one.
    pub(super) fn restore(&mut self) {
        let stored = serde_json::to_string(&self.machine).unwrap();
        let contents = self.machine.contents().map(|(key, content)| (key.to_owned(), content()));
        let contents: BTreeMap<String, Vec<u8>> = contents.collect();
        self.machine = serde_json::from_str(&stored).unwrap();
        self.machine.fill(|key| contents.get(key).map(|content| &**content));
    }

    /// Takes everything that was put out.
    pub(super) fn take(&mut self) -> Vec<AgentOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// Takes everything that was put out, but the lines to the agent.
    pub(super) fn forget_events(&mut self) {
        self.outputs.retain(|output| matches!(output, AgentOutput::Line(_)));
    }

    pub(super) fn outputs(&self) -> &[AgentOutput] {
        &self.outputs
    }

    /// Returns the lines to the agent.
    pub(super) fn lines(&self) -> Vec<Value> {
        let line = |output: &AgentOutput| match output {
            AgentOutput::Line(line) => serde_json::from_str(line).ok(),
            _ => None,
        };
        self.outputs.iter().filter_map(line).collect()
    }

    /// Returns the last request or notification to the agent with this method.
    pub(super) fn request(&self, method: &str) -> Value {
        let lines = self.lines();
        let found = lines.into_iter().rev().find(|line| line["method"] == method);
        found.unwrap_or_else(|| panic!("no {method}"))
    }

    pub(super) fn has_request(&self, method: &str) -> bool {
        self.lines().iter().any(|line| line["method"] == method)
    }

    /// Returns the answers to a request of the agent.
    pub(super) fn answers(&self, id: u64) -> Vec<Value> {
        let is_answer = |line: &Value| line["id"] == id && line.get("method").is_none();
        self.lines().into_iter().filter(is_answer).collect()
    }

    /// Returns the events of a kind.
    pub(super) fn events<F: EventFields>(&self) -> Vec<F> {
        let event = |output: &AgentOutput| match output {
            AgentOutput::Event { kind, fields } if *kind == F::KIND.as_str() => {
                Some(serde_json::from_value(Value::Object(fields.clone())).unwrap())
            }
            _ => None,
        };
        self.outputs.iter().filter_map(event).collect()
    }

    /// Returns the states of all turns that were reported, with their names.
    pub(super) fn turns(&self) -> Vec<String> {
        let turns = self.events::<AgentTurn>();
        let state = |turn: &AgentTurn| {
            let state = serde_json::to_value(turn.state).unwrap();
            let id = turn.turn_id.as_str().trim_start_matches("turn_").trim_end_matches('_');
            format!("{id} {}", state.as_str().unwrap())
        };
        turns.iter().map(state).collect()
    }

    /// Returns the codes of the errors that were reported.
    pub(super) fn errors(&self) -> Vec<String> {
        let errors = self.events::<moorline_shared::event::SessionError>();
        errors.into_iter().filter_map(|error| error.code).collect()
    }

    /// Returns the last question.
    pub(super) fn asked(&self) -> Option<ApprovalRequest> {
        self.outputs.iter().rev().find_map(|output| match output {
            AgentOutput::Ask(request) => Some((**request).clone()),
            _ => None,
        })
    }

    /// Returns the last work for the agent.
    pub(super) fn work(&self) -> Option<(u64, ServiceRequest)> {
        self.outputs.iter().rev().find_map(|output| match output {
            AgentOutput::Serve { work, request } => Some((*work, request.clone())),
            _ => None,
        })
    }
}

/// The usual answers to a permission, with ids of an agent's own.
pub(super) fn options() -> Value {
    json!([
        { "optionId": "yes", "name": "Allow", "kind": "allow_once" },
        { "optionId": "always", "name": "Always", "kind": "allow_always" },
        { "optionId": "no", "name": "Reject", "kind": "reject_once" },
    ])
}
