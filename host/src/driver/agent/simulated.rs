//! The driver's side of a simulated host: the real machine of a session, between hands that move
//! step by step, and scripted agents that outlive the host.
//!
//! [`AgentHands`] does what the driver's task does. [`Outside`] stands in for the machine with its
//! keepers, which have a simulation of their own.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use moorline_shared::id::TurnId;
use moorline_shared::session::ExitStatus;
use serde_json::{Value, json};

use super::machine::{AgentInput, AgentMachine, AgentOutput, AgentSettings};
use super::rpc::{INTERNAL_ERROR, LineSplitter, RpcError, SplitLine};
use super::session::{AgentControl, ENDED_WITH_HOST};
use super::shared::SharedMachine;
use crate::changes::SessionChanges;
use crate::driver::{
    DriverOutput, OutputSource, SnapshotSource, StartedSession, StoredCheckpoint, Survival,
};

/// A small random number generator: SplitMix64.
#[derive(Debug)]
pub(crate) struct AgentDice(pub(crate) u64);

impl AgentDice {
    /// Returns a number from 0 up to, but not including, `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % bound
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Everything that agents heard and said, over all of their processes.
#[derive(Debug, Default)]
pub(crate) struct AgentRecord {
    /// The texts of the prompts, in order.
    pub(crate) prompts: Vec<String>,
    /// What was said, in order.
    pub(crate) said: String,
    /// The number of words that were said.
    words: u64,
    /// The questions that were asked, by title, each with the answers that it got: the chosen
    /// option, or the word for none.
    pub(crate) answers: BTreeMap<String, Vec<String>>,
}

/// The machine that hosts run on: the processes of agents, which outlive them.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    kept: BTreeMap<PathBuf, KeptProcess>,
    started: u64,
    pub(crate) record: AgentRecord,
    /// True if agents speak on. Otherwise they end their turns.
    pub(crate) is_talkative: bool,
}

/// The process of an agent, and its keeper.
#[derive(Debug, Default)]
struct KeptProcess {
    agent: ScriptedAgent,
    /// Input that is not a whole line.
    input: Vec<u8>,
    /// The offset after the input that was taken.
    taken: u64,
    /// The output that no host has acknowledged, and the offset of its first byte.
    output: BytesMut,
    acknowledged: u64,
    has_exited: bool,
    /// True once a host wants it to end.
    is_killed: bool,
}

/// An agent that speaks, asks, and ends its turns.
#[derive(Debug, Default)]
struct ScriptedAgent {
    /// The request of the prompt that it works on.
    prompt: Option<u64>,
    /// The question that it waits for.
    asked: Option<(u64, String)>,
    requests: u64,
}

impl ScriptedAgent {
    /// Takes a line. Returns what it writes at once.
    fn hear(&mut self, line: &[u8], record: &mut AgentRecord) -> Vec<Value> {
        let line: Value = serde_json::from_slice(line).expect("a host writes lines of JSON");
        let reply = |result: Value| vec![json!({ "id": line["id"], "result": result })];
        match line["method"].as_str() {
            Some("initialize") => reply(json!({
                "protocolVersion": 1,
                "agentCapabilities": { "sessionCapabilities": { "resume": {} } },
            })),
            Some("session/new") => reply(json!({ "sessionId": "s" })),
            Some("session/resume") => reply(Value::Null),
            Some("session/prompt") => {
                assert_eq!(self.prompt, None, "one prompt at a time");
                let text = line["params"]["prompt"][0]["text"].as_str().expect("a prompt has text");
                record.prompts.push(text.to_owned());
                self.prompt = line["id"].as_u64();
                Vec::new()
            }
            Some("session/cancel") => {
                let prompt = self.prompt.take();
                prompt
                    .map(|id| json!({ "id": id, "result": { "stopReason": "cancelled" } }))
                    .into_iter()
                    .collect()
            }
            Some(method) => panic!("the host wants {method}"),
            None => {
                self.answered(&line, record);
                Vec::new()
            }
        }
    }

    fn answered(&mut self, line: &Value, record: &mut AgentRecord) {
        let is_asked = self.asked.take_if(|(id, _)| line["id"].as_u64() == Some(*id));
        if let Some((_, title)) = is_asked {
            let outcome = &line["result"]["outcome"];
            let chosen = outcome["optionId"].as_str().or(outcome["outcome"].as_str());
            let chosen = chosen.unwrap_or("an error").to_owned();
            record.answers.entry(title).or_default().push(chosen);
        } else {
            let is_known = line["id"].as_u64().is_some_and(|id| id <= self.requests);
            assert!(is_known && line["error"].is_object(), "an answer to nothing: {line}");
        }
    }

    /// Does a part of its work. Returns what it writes.
    fn work(&mut self, outside: (&mut AgentRecord, bool), dice: &mut AgentDice) -> Vec<Value> {
        let (record, is_talkative) = outside;
        let Some(prompt) = self.prompt.filter(|_| self.asked.is_none()) else { return Vec::new() };
        let update = |update: Value| json!({ "method": "session/update", "params": { "sessionId": "s", "update": update } });
        let choice = if is_talkative { dice.below(12) } else { 11 };
        let said = match choice {
            0..=5 => {
                record.words += 1;
                let text = format!("w{} ", record.words);
                record.said.push_str(&text);
                let content = json!({ "type": "text", "text": text });
                update(json!({ "sessionUpdate": "agent_message_chunk", "content": content }))
            }
            6..=7 => update(json!({
                "sessionUpdate": "tool_call", "toolCallId": format!("t{}", dice.below(5)),
                "title": "Look", "status": "completed",
            })),
            8..=9 => {
                self.requests += 1;
                let title = format!("question {}", record.answers.len() + 1);
                record.answers.insert(title.clone(), Vec::new());
                self.asked = Some((self.requests, title.clone()));
                let tool =
                    json!({ "toolCallId": format!("q{title}"), "title": title, "kind": "edit" });
                let options = json!([
                    { "optionId": "go", "name": "Allow", "kind": "allow_once" },
                    { "optionId": "no", "name": "Deny", "kind": "reject_once" },
                ]);
                let params = json!({ "sessionId": "s", "toolCall": tool, "options": options });
                let method = "session/request_permission";
                json!({ "id": self.requests, "method": method, "params": params })
            }
            10 => {
                self.requests += 1;
                let params = json!({ "sessionId": "s", "path": "/srv/notes" });
                json!({ "id": self.requests, "method": "fs/read_text_file", "params": params })
            }
            _ => {
                self.prompt = None;
                json!({ "id": prompt, "result": { "stopReason": "end_turn" } })
            }
        };
        vec![said]
    }
}

impl KeptProcess {
    /// Takes the bytes of input that it has not taken.
    fn take(&mut self, offset: u64, data: &[u8], record: &mut AgentRecord) {
        let known = self.taken.checked_sub(offset).expect("no input is missing");
        let fresh = data.get(known as usize..).unwrap_or_default();
        self.taken += fresh.len() as u64;
        if self.has_exited {
            return;
        }
        self.input.extend_from_slice(fresh);
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let written = self.agent.hear(&line, record);
            self.write(&written);
        }
    }

    fn write(&mut self, lines: &[Value]) {
        for line in lines {
            self.output.extend_from_slice(line.to_string().as_bytes());
            self.output.extend_from_slice(b"\n");
        }
    }
}

impl Outside {
    /// Has all agents work.
    pub(crate) fn work(&mut self, dice: &mut AgentDice) {
        for process in self.kept.values_mut().filter(|process| !process.has_exited) {
            if process.is_killed && dice.once_in(3) {
                process.has_exited = true;
                continue;
            }
            if dice.once_in(2) {
                let written = process.agent.work((&mut self.record, self.is_talkative), dice);
                process.write(&written);
            }
        }
    }

    /// Ends all agents that run, of which each writes what it has written.
    pub(crate) fn end_agents(&mut self) {
        self.kept.values_mut().for_each(|process| process.has_exited = true);
    }

    /// Loses all processes, as a power failure does.
    pub(crate) fn lose_power(&mut self) {
        self.kept.clear();
    }

    /// Returns true if no agent works.
    pub(crate) fn is_idle(&self) -> bool {
        self.kept.values().all(|process| process.has_exited || process.agent.prompt.is_none())
    }

    fn start(&mut self) -> PathBuf {
        self.started += 1;
        let socket = PathBuf::from(format!("/agents/{}.sock", self.started));
        self.kept.insert(socket.clone(), KeptProcess::default());
        socket
    }
}

/// The output of a session that the simulation takes itself.
#[derive(Debug)]
struct TakenByHand;

impl OutputSource for TakenByHand {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(std::future::pending())
    }
}

/// The driver's side of a session in one host.
#[derive(Debug)]
pub(crate) struct AgentHands {
    shared: Arc<SharedMachine>,
    process: Option<AttachedProcess>,
    /// The work that is being done for the agent.
    served: VecDeque<u64>,
    /// The turn for which the files of the session are looked at.
    looking: Option<TurnId>,
    /// Processes that have ended, each with the change that reports it.
    ended: Vec<(PathBuf, u64)>,
    ends: bool,
}

/// The connection to an agent's process.
#[derive(Debug)]
struct AttachedProcess {
    socket: PathBuf,
    splitter: LineSplitter,
    read: BytesMut,
    received: u64,
    /// Input on its way to the keeper.
    sent: VecDeque<(u64, Bytes)>,
}

impl AttachedProcess {
    fn new(socket: PathBuf, handled: u64) -> Self {
        let (splitter, read, sent) = (LineSplitter::default(), BytesMut::new(), VecDeque::new());
        Self { socket, splitter, read, received: handled, sent }
    }

    /// Returns the next whole line, and the offset after it.
    fn take_line(&mut self) -> Option<(Vec<u8>, u64)> {
        let mut rest = &*self.read;
        let line = self.splitter.next(&mut rest);
        let taken = self.read.len() - rest.len();
        self.read.advance(taken);
        match line? {
            SplitLine::Whole(line) => Some((line, self.received - self.read.len() as u64)),
            SplitLine::TooLong => panic!("the lines of the agent are short"),
        }
    }
}

impl AgentHands {
    /// Starts a session.
    pub(crate) fn start(outside: &mut Outside) -> (Self, StartedSession) {
        let settings = AgentSettings { cwd: "/srv".into(), ..AgentSettings::default() };
        let shared = SharedMachine::new(AgentMachine::new(settings));
        let socket = outside.start();
        _ = shared.process_changed(Some(socket.clone()), AgentInput::Started);
        Self::with(shared, Some(AttachedProcess::new(socket, 0)))
    }

    /// Continues a session from a checkpoint.
    pub(crate) fn restore(
        outside: &Outside,
        checkpoint: &StoredCheckpoint,
    ) -> (Self, StartedSession) {
        let shared = SharedMachine::restored(checkpoint).expect("it was written by a machine");
        let attached = match shared.keeper().filter(|socket| outside.kept.contains_key(socket)) {
            Some(socket) => Ok(AttachedProcess::new(socket, shared.handled())),
            None => Err(ENDED_WITH_HOST.to_owned()),
        };
        let process = shared.continued(attached);
        Self::with(shared, process)
    }

    fn with(shared: SharedMachine, process: Option<AttachedProcess>) -> (Self, StartedSession) {
        let shared = Arc::new(shared);
        let session = "session_1".parse().expect("it is an id");
        let changes = SessionChanges::new(&session, Vec::new(), None, None);
        let started = StartedSession {
            output: Box::new(TakenByHand),
            control: Arc::new(AgentControl {
                shared: Arc::clone(&shared),
                changes: Some(changes),
                folder: Some("/srv".into()),
            }),
            snapshots: SnapshotSource::Conversation,
            cwd: "/srv".into(),
            pid: None,
            survival: Survival::Journaled,
        };
        let (served, ended, looking) = (VecDeque::new(), Vec::new(), shared.active_turn());
        (Self { shared, process, served, looking, ended, ends: false }, started)
    }

    /// Returns the next output for the session's log, if there is one.
    pub(crate) fn output(&self) -> Option<DriverOutput> {
        self.shared.try_output()
    }

    /// Does one part of what the driver's task does, at random.
    pub(crate) fn step(&mut self, outside: &mut Outside, dice: &mut AgentDice) {
        match dice.below(7) {
            0 => self.work(outside),
            1 => self.pump(outside),
            2 => self.pass_on(outside, dice),
            3 | 4 => self.read(outside, dice),
            5 => {
                if let Some(work) = self.served.pop_front() {
                    let result = Err(RpcError::new(INTERNAL_ERROR, "The file is not there."));
                    self.shared.handle(AgentInput::Served { work, result });
                }
            }
            _ => self.shared.handle(AgentInput::Timeout),
        }
    }

    /// Does the work that may be done, and lets go of what has ended, once that is stored.
    fn work(&mut self, outside: &mut Outside) {
        if let Some(turn) = self.looking.take() {
            self.shared.let_go(&turn);
        }
        while let Some(work) = self.shared.next_work() {
            match work {
                AgentOutput::Serve { work, .. } => self.served.push_back(work),
                AgentOutput::Forget { work } => self.served.retain(|served| *served != work),
                AgentOutput::Start => {
                    let socket = outside.start();
                    _ = self.shared.process_changed(Some(socket.clone()), AgentInput::Started);
                    self.process = Some(AttachedProcess::new(socket, 0));
                }
                AgentOutput::Kill => {
                    if let Some(kept) = self.kept(outside) {
                        kept.is_killed = true;
                    }
                }
                AgentOutput::TurnBegins { turn_id } => self.looking = Some(turn_id),
                AgentOutput::End => self.ends = true,
                _ => {}
            }
        }
        for (socket, _) in self.ended.extract_if(.., |(_, it)| self.shared.has_stored(*it)) {
            outside.kept.remove(&socket);
        }
        if std::mem::take(&mut self.ends) {
            if let Some(process) = self.process.take() {
                outside.kept.remove(&process.socket);
            }
            self.shared.end(ExitStatus::default());
        }
    }

    /// Passes on what may be written, and acknowledges what was handled.
    fn pump(&mut self, outside: &mut Outside) {
        let handled = self.shared.handled();
        if let Some(process) = &mut self.process {
            self.shared.write(|offset, input| {
                process.sent.push_back((offset, Bytes::copy_from_slice(input)));
                true
            });
        }
        if let Some(kept) = self.kept(outside)
            && let Some(count) = handled.checked_sub(kept.acknowledged)
        {
            kept.output.advance(count as usize);
            kept.acknowledged = handled;
        }
    }

    /// Lets some of the input arrive.
    fn pass_on(&mut self, outside: &mut Outside, dice: &mut AgentDice) {
        let Some(process) = &mut self.process else { return };
        let Some(kept) = outside.kept.get_mut(&process.socket) else { return };
        if let Some((offset, data)) = process.sent.front_mut() {
            let some = if dice.once_in(2) { data.len() } else { 1 + dice.below(data.len()) };
            kept.take(*offset, &data.split_to(some), &mut outside.record);
            *offset += some as u64;
        }
        process.sent.pop_front_if(|(_, data)| data.is_empty());
        if dice.once_in(2) {
            self.shared.written(kept.taken);
        }
    }

    /// Reads some of the agent's output, and passes in at most one line of it, or its end.
    fn read(&mut self, outside: &mut Outside, dice: &mut AgentDice) {
        let Some(process) = &mut self.process else { return };
        if !self.shared.has_room() {
            return;
        }
        if let Some((line, end)) = process.take_line() {
            return self.shared.handle_line(AgentInput::Line(line), end);
        }
        let Some(kept) = outside.kept.get_mut(&process.socket) else { return };
        let unread = &kept.output[(process.received - kept.acknowledged) as usize..];
        if unread.is_empty() && kept.has_exited {
            let exit = ExitStatus { code: Some(1), signal: None, reason: None };
            let input = AgentInput::Exited { exit, last_words: None };
            let change = self.shared.process_changed(None, input);
            let ended = self.process.take().map(|process| (process.socket, change));
            self.ended.extend(ended);
            return;
        }
        let some = dice.below(unread.len() + 1);
        process.read.extend_from_slice(&unread[..some]);
        process.received += some as u64;
    }

    fn kept<'a>(&self, outside: &'a mut Outside) -> Option<&'a mut KeptProcess> {
        outside.kept.get_mut(&self.process.as_ref()?.socket)
    }

    /// Returns true if nothing waits to be passed on, in either direction.
    pub(crate) fn is_idle(&self, outside: &Outside) -> bool {
        let Some(process) = &self.process else { return self.served.is_empty() };
        let received = outside.kept.get(&process.socket).is_none_or(|kept| {
            kept.acknowledged + kept.output.len() as u64 == process.received && !kept.has_exited
        });
        let waits = process.sent.is_empty() && process.read.is_empty() && self.served.is_empty();
        received && waits && self.shared.unwritten() == 0
    }
}
