//! Random agents and users: whatever comes in whatever order, the machine keeps its promises.

use std::collections::BTreeMap;

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::event::AgentTurn;
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::limits::{APPROVAL_BYTES, OPEN_APPROVALS, QUEUED_PROMPTS};
use moorline_shared::time::Time;
use serde_json::{Value, json};

use super::bench::{exit_code, options, prompt, turn};
use crate::driver::agent::{AgentInput, AgentMachine, AgentOutput, AgentSettings, ServiceAnswer};

/// A small generator: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let sides = of.len() as u64;
        (sides > 0).then(|| of[self.roll(sides) as usize].clone())
    }
}

/// A world around a machine, which remembers what must hold.
struct World {
    dice: Dice,
    machine: AgentMachine,
    now: Time,
    /// The requests to the agent that it has not answered.
    requests: Vec<Value>,
    /// The lines that the agent has said, to be repeated.
    said: Vec<Vec<u8>>,
    open: Vec<ApprovalId>,
    work: Vec<u64>,
    /// The final states of each turn.
    ends: BTreeMap<TurnId, usize>,
    queued: BTreeMap<TurnId, usize>,
    /// Requests of the agent, by id: those that are open, and the answers to all.
    asked: BTreeMap<u64, usize>,
    answered: BTreeMap<u64, usize>,
    next_id: u64,
    is_up: bool,
    is_over: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let settings = AgentSettings { cwd: "/work".into(), ..AgentSettings::default() };
        Self {
            dice: Dice(seed),
            machine: AgentMachine::new(settings),
            now: Time::from_ms(1_700_000_000_000),
            requests: Vec::new(),
            said: Vec::new(),
            open: Vec::new(),
            work: Vec::new(),
            ends: BTreeMap::new(),
            queued: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
            next_id: 0,
            is_up: false,
            is_over: false,
        }
    }

    fn handle(&mut self, input: AgentInput) {
        let random =
            u128::from(self.dice.roll(u64::MAX)) << 64 | u128::from(self.dice.roll(u64::MAX));
        self.machine.handle(self.now, random, input);
        let mut starts = false;
        while let Some(output) = self.machine.poll_output() {
            starts |= output == AgentOutput::Start;
            self.check(output);
        }
        assert!(self.open.len() <= OPEN_APPROVALS);
        if starts {
            self.is_up = true;
            self.handle(AgentInput::Started);
        }
        if self.dice.roll(20) == 0 {
            let stored = serde_json::to_vec(&self.machine).unwrap();
            self.machine = serde_json::from_slice(&stored).unwrap();
        }
    }

    fn check(&mut self, output: AgentOutput) {
        assert!(!self.is_over, "{output:?} after the end");
        match output {
            AgentOutput::Line(line) => self.hear(serde_json::from_str(&line).unwrap()),
            AgentOutput::Event { kind: "agent-turn", fields } => {
                let event: AgentTurn = serde_json::from_value(Value::Object(fields)).unwrap();
                *self.queued.entry(event.turn_id.clone()).or_default() += 1;
                let ends = self.ends.entry(event.turn_id).or_default();
                assert_eq!(*ends, 0, "a turn goes on after its end");
                *ends += usize::from(event.state.is_over());
            }
            AgentOutput::Ask(request) => {
                assert!(serde_json::to_vec(&request).unwrap().len() <= APPROVAL_BYTES);
                self.open.push(request.approval_id);
            }
            AgentOutput::Withdraw { approval_id, .. } => {
                assert!(self.open.contains(&approval_id));
                self.open.retain(|open| *open != approval_id);
            }
            AgentOutput::Serve { work, .. } => self.work.push(work),
            AgentOutput::Forget { work } => self.work.retain(|open| *open != work),
            AgentOutput::End => self.is_over = true,
            _ => {}
        }
    }

    /// Hears a line as the agent.
    fn hear(&mut self, line: Value) {
        match (line.get("method"), line["id"].as_u64()) {
            (Some(_), Some(_)) => self.requests.push(line),
            (None, Some(id)) => {
                *self.answered.entry(id).or_default() += 1;
                assert!(self.answered[&id] <= self.asked[&id], "an answer too many: {line}");
            }
            _ => {}
        }
    }

    fn say(&mut self, line: &Value) {
        let mut line = line.to_string().into_bytes();
        match self.dice.roll(24) {
            0 => line.truncate(self.dice.roll(line.len() as u64 + 1) as usize),
            1 => {
                let place = self.dice.roll(line.len() as u64) as usize;
                line[place] = self.dice.roll(256) as u8;
            }
            _ => {}
        }
        self.said.push(line.clone());
        if self.said.len() > 20 {
            self.said.remove(0);
        }
        self.say_line(line);
    }

    fn say_line(&mut self, line: Vec<u8>) {
        // What the machine will take for a request must be answered at most as often.
        if let Ok(Value::Object(fields)) = serde_json::from_slice(&line)
            && fields.contains_key("method")
            && let Some(id) = fields.get("id").and_then(Value::as_u64)
        {
            *self.asked.entry(id).or_default() += 1;
        }
        self.handle(AgentInput::Line(line));
    }

    fn step(&mut self) {
        self.now.ms += self.dice.roll(40);
        match self.dice.roll(32) {
            0..8 => self.answer(),
            8..13 => self.update(),
            13..17 => self.ask(),
            17..19 => {
                if let Some(line) = self.dice.pick(&self.said.clone()) {
                    self.say_line(line);
                }
            }
            19..27 => self.user(),
            27 => {
                if let Some(work) = self.dice.pick(&self.work.clone()) {
                    self.work.retain(|open| *open != work);
                    self.handle(AgentInput::Served { work, result: Ok(ServiceAnswer::Done) });
                }
            }
            28 if self.dice.roll(4) == 0 => {
                self.is_up = false;
                self.requests.clear();
                self.handle(AgentInput::Exited { exit: exit_code(1), last_words: None });
                assert!(self.open.is_empty());
            }
            29 => {
                self.now.ms += self.dice.roll(200_000);
                self.handle(AgentInput::Timeout);
            }
            _ => self.handle(AgentInput::Timeout),
        }
    }

    fn answer(&mut self) {
        let Some(request) = self.requests.pop() else { return };
        let result = match request["method"].as_str().unwrap() {
            "initialize" => json!({ "protocolVersion": 1 + self.dice.roll(2),
                "agentCapabilities": { "loadSession": self.dice.roll(2) == 0 },
                "authMethods": [{ "id": "key" }] }),
            "session/prompt" => {
                let reasons = ["end_turn", "cancelled", "refusal", "x"];
                json!({ "stopReason": self.dice.pick(&reasons) })
            }
            _ => json!({ "sessionId": "s", "modes": { "currentModeId": "a",
                "availableModes": [{ "id": "a" }, { "id": "b" }] } }),
        };
        let id = &request["id"];
        match self.dice.roll(12) {
            0 => self.say(&json!({ "id": id, "error": { "code": -32000, "message": "log in" } })),
            1 => self.say(&json!({ "id": id, "error": { "code": -32603 } })),
            _ => self.say(&json!({ "id": id, "result": result })),
        }
    }

    fn update(&mut self) {
        let id = self.dice.roll(4).to_string();
        let text = json!({ "type": "text", "text": "word " });
        let updates = [
            json!({ "sessionUpdate": "agent_message_chunk", "content": text }),
            json!({ "sessionUpdate": "agent_thought_chunk", "messageId": id, "content": text }),
            json!({ "sessionUpdate": "tool_call", "toolCallId": id, "title": "T", "status": "in_progress" }),
            json!({ "sessionUpdate": "tool_call_update", "toolCallId": id, "status": "completed" }),
            json!({ "sessionUpdate": "agent_message", "messageId": id, "content": [text] }),
            json!({ "sessionUpdate": "state_update", "state": "idle", "stopReason": "end_turn" }),
            json!({ "sessionUpdate": "state_update", "state": "running" }),
            json!({ "sessionUpdate": "plan", "entries": [{}, 5] }),
            json!({ "sessionUpdate": "current_mode_update", "modeId": "b" }),
            json!(null),
        ];
        let update = self.dice.pick(&updates);
        let params = json!({ "sessionId": "s", "update": update });
        self.say(&json!({ "method": "session/update", "params": params }));
    }

    fn ask(&mut self) {
        self.next_id += 1;
        let id = if self.dice.roll(8) == 0 { self.next_id / 2 } else { self.next_id };
        let form = json!({ "mode": "form", "requestedSchema": {} });
        let requests = [
            (
                "session/request_permission",
                json!({ "toolCall": { "toolCallId": "1" }, "options": options() }),
            ),
            ("session/request_permission", json!({ "title": "x", "options": options() })),
            ("elicitation/create", form),
            ("fs/read_text_file", json!({ "path": "/work/x" })),
            ("no/such", json!(null)),
        ];
        match self.dice.roll(6) {
            0 => {
                let params = json!({ "requestId": self.dice.roll(self.next_id + 1) });
                self.say(&json!({ "method": "$/cancel_request", "params": params }));
            }
            _ => {
                if let Some((method, params)) = self.dice.pick(&requests) {
                    self.say(&json!({ "id": id, "method": method, "params": params }));
                }
            }
        }
    }

    fn user(&mut self) {
        self.next_id += 1;
        let name = self.next_id.to_string();
        let some = turn(&self.dice.roll(self.next_id).to_string());
        let action = match self.dice.roll(12) {
            0..4 => prompt(&name),
            4 => SessionAction::Withdraw { turn_id: some },
            5 => SessionAction::Retry { turn_id: some, new_turn_id: turn(&name), by: "me".into() },
            6 => SessionAction::Reorder { order: vec![some] },
            7 => SessionAction::Stop { turn_id: None, force: self.dice.roll(3) == 0 },
            8 => SessionAction::Configure { option: "mode".into(), value: "b".into() },
            9 => SessionAction::LogIn { method: "key".into() },
            _ => {
                let Some(approval_id) = self.dice.pick(&self.open.clone()) else { return };
                assert!(self.machine.awaits(&approval_id));
                self.open.retain(|open| *open != approval_id);
                let approved = self.dice.roll(2) == 0;
                let decision = ApprovalDecision { approved, ..ApprovalDecision::default() };
                let decision = Some(decision).filter(|_| self.dice.roll(4) > 0);
                return self.handle(AgentInput::Decision { approval_id, decision });
            }
        };
        self.handle(AgentInput::Action { action, linked: None });
    }
}

#[test]
fn whatever_comes_the_machine_keeps_its_promises() {
    let mut ended = 0;
    for seed in 0..150 {
        let mut world = World::new(seed);
        world.is_up = true;
        world.handle(AgentInput::Started);
        for _ in 0..400 {
            world.step();
            let open = world.ends.values().filter(|ends| **ends == 0).count();
            assert!(open <= QUEUED_PROMPTS + 2);
        }
        world.handle(AgentInput::Close);
        assert!(world.is_over && world.open.is_empty());
        for (turn, ends) in &world.ends {
            assert_eq!(*ends, 1, "seed {seed}: {turn:?}");
        }
        ended += world.ends.len();
    }
    assert!(ended > 2000, "too few turns to mean much: {ended}");
}
