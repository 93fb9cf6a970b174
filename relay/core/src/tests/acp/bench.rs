//! Clients of the Agent Client Protocol, a relay's session and its host, without a network.

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::event::Event;
use moorline_shared::fold::Conversation;
use moorline_shared::id::SessionId;
use moorline_shared::link::Generation;
use serde_json::{Value, json};

use super::super::agent::{AT, Disk};
use super::super::agent_requests::asked;
use super::super::*;
use crate::acp::{AcpInput, AcpOutput, AcpServer, AcpTerms, ApiAnswer, ApiCall, StreamNews};
use crate::auth::Access;

pub(super) const SESSION: &str = "session_1";

/// A relay with one session of an agent, its host, and clients.
pub(super) struct AcpBench {
    pub(super) disk: Disk,
    host: BenchHost,
    pub(super) clients: Vec<BenchClient>,
    /// The time, which the tests pass on.
    pub(super) now: Time,
    /// False while the relay does not answer.
    pub(super) is_up: bool,
}

/// The session's host, which carries out what it is told.
#[derive(Default)]
struct BenchHost {
    conversation: Conversation,
    /// Actions that it was told, and has not carried out.
    waiting: Vec<(ActionNumber, SessionAction)>,
    /// True if actions wait until the test carries them out.
    is_slow: bool,
}

/// A client and its connection.
pub(super) struct BenchClient {
    server: AcpServer,
    peer: Option<(Generation, Peer)>,
    /// What it was told and the test has not read.
    pub(super) told: Vec<Value>,
    /// The requests to the API that were made.
    pub(super) calls: Vec<ApiCall>,
    pub(super) closed: Option<u16>,
    scope: Scope,
    last_id: u64,
}

impl AcpBench {
    pub(super) fn new() -> Self {
        let mut disk = Disk::new();
        disk.link(1, 0);
        let (host, now) = (BenchHost::default(), Time::from_ms(1000));
        Self { disk, host, clients: Vec::new(), now, is_up: true }
    }

    /// Connects a client that is bound to the session, and initializes it. Returns its number.
    pub(super) fn client(&mut self) -> usize {
        self.client_with(&bound("admin"), &json!({}))
    }

    pub(super) fn client_with(&mut self, terms: &AcpTerms, abilities: &Value) -> usize {
        let scope = terms.access.scope_of(&id(), None).unwrap_or(Scope::Read);
        let seed = self.clients.len() as u128 + 0xabc;
        let server = AcpServer::new(terms.clone(), seed);
        let (told, calls) = (Vec::new(), Vec::new());
        let client =
            BenchClient { server, peer: None, told, calls, closed: None, scope, last_id: 0 };
        self.clients.push(client);
        let number = self.clients.len() - 1;
        let params = json!({ "protocolVersion": 1, "clientCapabilities": abilities });
        let answer = self.ask(number, "initialize", &params);
        assert_eq!(answer["result"]["protocolVersion"], 1, "{answer}");
        number
    }

    /// Sends a request, and returns the id of its answer.
    pub(super) fn send(&mut self, client: usize, method: &str, params: &Value) -> u64 {
        let it = &mut self.clients[client];
        it.last_id += 1;
        let id = it.last_id;
        self.say(
            client,
            &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }),
        );
        id
    }

    /// Sends a request, and returns its answer, which must come at once.
    pub(super) fn ask(&mut self, client: usize, method: &str, params: &Value) -> Value {
        let id = self.send(client, method, params);
        self.answer(client, id).unwrap_or_else(|| panic!("{method} is not answered"))
    }

    /// Attaches to the session. Returns the answer.
    pub(super) fn open(&mut self, client: usize, method: &str, meta: &Value) -> Value {
        let params = json!({ "sessionId": SESSION, "cwd": "/", "mcpServers": [], "_meta": meta });
        self.ask(client, method, &params)
    }

    /// Sends a prompt of this text, and returns the id of its answer.
    pub(super) fn prompt(&mut self, client: usize, text: &str) -> u64 {
        let prompt = json!([{ "type": "text", "text": text }]);
        self.send(client, "session/prompt", &json!({ "sessionId": SESSION, "prompt": prompt }))
    }

    /// Sends prompts before anything of the session moves. Returns their requests.
    pub(super) fn burst(&mut self, client: usize, count: u64) -> Vec<u64> {
        let prompt = json!([{ "type": "text", "text": "go" }]);
        let params = json!({ "sessionId": SESSION, "prompt": prompt });
        let requests: Vec<u64> = (1000..1000 + count).collect();
        for id in &requests {
            let message = json!({ "id": id, "method": "session/prompt", "params": params });
            let input = AcpInput::Client(message.to_string());
            self.clients[client].server.handle(self.now, input);
        }
        self.run();
        requests
    }

    /// Returns the number of turns that the host has got.
    pub(super) fn turns(&self) -> usize {
        self.host.conversation.summary.turns.entries().len()
    }

    pub(super) fn say(&mut self, client: usize, message: &Value) {
        let input = AcpInput::Client(message.to_string());
        self.clients[client].server.handle(self.now, input);
        self.run();
    }

    /// Takes the answer to a request from what the client was told.
    pub(super) fn answer(&mut self, client: usize, id: u64) -> Option<Value> {
        let told = &mut self.clients[client].told;
        let is_answer = |it: &Value| it["id"] == id && it.get("method").is_none();
        let place = told.iter().position(is_answer)?;
        Some(told.remove(place))
    }

    /// Takes all updates that the client was told: their kinds and, of chunks, the text.
    pub(super) fn updates(&mut self, client: usize) -> Vec<(String, String)> {
        let told = std::mem::take(&mut self.clients[client].told);
        let (updates, rest): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|it| it["method"] == "session/update");
        self.clients[client].told = rest;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let brief = |it: Value| {
            let update = &it["params"]["update"];
            let text = [&update["content"]["text"], &update["title"], &update["toolCallId"]];
            let text = text.into_iter().find(|text| text.is_string()).map(word);
            (word(&update["sessionUpdate"]), text.unwrap_or_default())
        };
        updates.into_iter().map(brief).collect()
    }

    /// Takes the requests and notifications of this method.
    pub(super) fn told(&mut self, client: usize, method: &str) -> Vec<Value> {
        let told = std::mem::take(&mut self.clients[client].told);
        let (found, rest): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|it| it["method"] == method);
        self.clients[client].told = rest;
        found
    }

    /// Has the host report an event.
    pub(super) fn event(&mut self, kind: &str, fields: Value) {
        self.report(kind, fields);
        self.run();
    }

    fn report(&mut self, kind: &str, fields: Value) {
        self.host.apply(self.disk.session.log().head().next(), kind, fields.clone());
        self.disk.event(kind, fields);
    }

    /// Has the agent say something.
    pub(super) fn says(&mut self, message: &str, text: &str) {
        self.event(
            "agent-message",
            json!({ "messageId": message, "role": "agent", "delta": text }),
        );
    }

    /// Has the agent ask for a permission.
    pub(super) fn asks(&mut self, approval: &str) {
        let options = json!([
            { "optionId": "yes", "name": "Yes", "kind": "allow_once" },
            { "optionId": "no", "name": "No", "kind": "reject_once" },
        ]);
        let request = json!({
            "approvalId": approval, "command": "Edit a", "digest": "d1", "kind": "tool",
            "options": options, "subject": { "toolCallId": "tool_1", "tool": "edit" },
        });
        self.event("approval-request", request);
    }

    /// Ends the turn that runs.
    pub(super) fn ends(&mut self, turn: &str, fields: &Value) {
        let mut event = json!({ "turnId": turn });
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.event("agent-turn", event);
    }

    /// Has the host begin with what it is told only when [`AcpBench::host_works`] is called.
    pub(super) fn host_is_slow(&mut self) {
        self.host.is_slow = true;
    }

    pub(super) fn host_works(&mut self) {
        self.host.is_slow = false;
        self.run();
    }

    /// Has the host come back in another epoch, with the conversation that it has.
    pub(super) fn restart_in_epoch(&mut self, epoch: u64) {
        let data = self.host.conversation.snapshot().unwrap();
        self.host.conversation = Conversation::from_snapshot(&data).unwrap();
        self.host.conversation.summary.seq = Seq::ZERO;
        self.disk.link(epoch, 0);
        self.run();
    }

    /// Cuts the socket of a client's stream.
    pub(super) fn cut(&mut self, client: usize, code: u16) {
        let it = &mut self.clients[client];
        let (generation, peer) = it.peer.take().expect("a socket is open");
        peer.detach(&mut self.disk.session);
        let news = StreamNews::Closed(code);
        it.server.handle(self.now, AcpInput::Stream(id(), generation, news));
        self.run();
    }

    /// Passes on the time.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now = Time::from_ms(self.now.ms + ms);
        for client in &mut self.clients {
            client.server.tick(self.now);
        }
        self.run();
    }

    /// Carries out everything until nothing is left.
    pub(super) fn run(&mut self) {
        loop {
            let mut has_moved = false;
            for client in 0..self.clients.len() {
                has_moved |= self.perform(client);
                has_moved |= self.stream(client);
            }
            self.disk.store();
            has_moved |= self.host_turn();
            if !has_moved {
                return;
            }
        }
    }

    fn perform(&mut self, client: usize) -> bool {
        let Self { disk, clients, now, is_up, .. } = self;
        let BenchClient { server, peer, told, calls, closed, scope, .. } = &mut clients[client];
        let mut has_moved = false;
        while let Some(output) = server.poll_output() {
            has_moved = true;
            match output {
                AcpOutput::Client(text) => {
                    assert!(!text.contains('\n'), "{text}");
                    told.push(serde_json::from_str(&text).unwrap());
                }
                AcpOutput::Dial(_, generation) => {
                    if let Some((_, peer)) = peer.take() {
                        peer.detach(&mut disk.session);
                    }
                    let news = if *is_up {
                        let terms = Terms::new(&Profile::NATIVE, *scope, true);
                        let new = Peer::attach(&mut disk.session, *now, terms).unwrap();
                        *peer = Some((generation, new));
                        StreamNews::Opened
                    } else {
                        StreamNews::Closed(close::ABNORMAL)
                    };
                    server.handle(*now, AcpInput::Stream(id(), generation, news));
                }
                AcpOutput::HangUp(_) => {
                    if let Some((_, peer)) = peer.take() {
                        peer.detach(&mut disk.session);
                    }
                }
                AcpOutput::Send(_, text) => {
                    if let Some((_, peer)) = peer {
                        peer.text(&mut disk.session, *now, AT, &text);
                    }
                }
                AcpOutput::Call(call) => {
                    let answer =
                        if *is_up { api_answer(disk, &call) } else { ApiAnswer::Unreachable };
                    server.handle(*now, AcpInput::Answer(call.number, answer));
                    calls.push(call);
                }
                AcpOutput::Close(code, _) => *closed = Some(code),
            }
        }
        has_moved
    }

    fn stream(&mut self, client: usize) -> bool {
        let Self { disk, clients, now, .. } = self;
        let BenchClient { server, peer: place, .. } = &mut clients[client];
        let Some((generation, peer)) = place else { return false };
        if !server.takes_news() {
            return false;
        }
        let generation = *generation;
        let Some(output) = peer.poll_output(&mut disk.session, *now) else { return false };
        let news = match output {
            PeerOutput::Text(text) => {
                let text = std::str::from_utf8(&text).unwrap();
                StreamNews::Message(ServerMessage::from_json(text).unwrap())
            }
            PeerOutput::Frame(frame) => {
                let frame = Frame::decode(frame).unwrap();
                StreamNews::Frame(frame.seq(), frame.data_len())
            }
            PeerOutput::Close { code, .. } => {
                if let Some((_, peer)) = place.take() {
                    peer.detach(&mut disk.session);
                }
                StreamNews::Closed(code)
            }
            PeerOutput::Ping | PeerOutput::Load { .. } => return true,
        };
        server.handle(*now, AcpInput::Stream(id(), generation, news));
        true
    }

    fn host_turn(&mut self) -> bool {
        let commands = commands(&mut self.disk.session);
        let mut has_moved = !commands.is_empty();
        for command in commands {
            match command {
                HostCommand::ClientResumed { client_id } => {
                    let seq = Seq::ZERO;
                    hear(&mut self.disk.session, HostMessage::InputAck { client_id, seq });
                }
                HostCommand::SnapshotRequest => {
                    let (seq, data) =
                        (self.disk.session.log().head(), self.host.conversation.snapshot());
                    let data = data.unwrap().into();
                    let snapshot = Snapshot { seq, data, cols: None, rows: None, reason: None };
                    hear(&mut self.disk.session, HostMessage::Snapshot(snapshot));
                }
                HostCommand::Act { number, action } => self.host.waiting.push((number, action)),
                HostCommand::Append { event } => {
                    self.report(&event.kind, Value::Object(event.fields));
                }
                _ => {}
            }
        }
        if !self.host.is_slow {
            for (number, action) in std::mem::take(&mut self.host.waiting) {
                has_moved = true;
                for (kind, fields) in self.host.effects(action) {
                    self.report(kind, fields);
                }
                let seq = self.disk.session.log().head();
                hear(&mut self.disk.session, HostMessage::Acted { number, seq });
            }
        }
        has_moved
    }
}

impl BenchHost {
    fn apply(&mut self, seq: Seq, kind: &str, fields: Value) {
        self.conversation.apply(seq, &Event::of_kind(id(), kind, 1000, fields));
    }

    /// Returns the events that follow from an action.
    fn effects(&self, action: SessionAction) -> Vec<(&'static str, Value)> {
        match action {
            SessionAction::Prompt { turn_id, prompt, by, .. } => {
                let queued = json!({
                    "turnId": turn_id, "state": "queued", "prompt": prompt, "by": by,
                });
                let mut events = vec![("agent-turn", queued)];
                if self.conversation.summary.turns.active().is_none() {
                    let running = json!({ "turnId": turn_id, "state": "running" });
                    let content = json!([{ "type": "text", "text": prompt.text }]);
                    let message = json!({
                        "messageId": format!("of {turn_id}"), "turnId": turn_id, "role": "user",
                        "content": content,
                    });
                    events.extend([("agent-turn", running), ("agent-message", message)]);
                }
                events
            }
            SessionAction::Stop { turn_id, .. } => {
                vec![("agent-turn", json!({ "turnId": turn_id, "state": "cancelled" }))]
            }
            SessionAction::Withdraw { turn_id } => {
                vec![("agent-turn", json!({ "turnId": turn_id, "state": "withdrawn" }))]
            }
            SessionAction::Decide { approval_id, decision } => {
                let fields = json!({
                    "approvalId": approval_id, "approved": decision.approved, "decision": decision,
                });
                vec![("approval-confirmed", fields)]
            }
            SessionAction::Configure { value, .. } => vec![("agent-config", modes(&value))],
            _ => Vec::new(),
        }
    }
}

/// Returns the fields of an event about an agent that is in this mode.
pub(super) fn modes(mode: &str) -> Value {
    let choices = json!([{ "value": "ask", "name": "Ask" }, { "value": "act", "name": "Act" }]);
    json!({ "options": [{
        "id": "mode", "name": "Mode", "category": "mode", "value": mode, "choices": choices,
    }] })
}

/// Returns the terms of a connection to the session.
pub(super) fn bound(access: &str) -> AcpTerms {
    AcpTerms { session: Some(id()), ..free(access) }
}

/// Returns the terms of a connection to all sessions.
pub(super) fn free(access: &str) -> AcpTerms {
    let access: Access = access.parse().unwrap();
    AcpTerms { session: None, access, agent: None, receipts: false, version: "1.2.3" }
}

pub(super) fn id() -> SessionId {
    SESSION.parse().unwrap()
}

fn api_answer(disk: &mut Disk, call: &ApiCall) -> ApiAnswer {
    let own = format!("/api/session/{SESSION}/");
    let (status, body) = match call.path.strip_prefix(&own) {
        Some("status") => {
            let mut summary = serde_json::to_value(disk.session.summary(AT)).unwrap();
            summary["cwd"] = json!("/home/me");
            (200, summary)
        }
        Some(rest) => {
            let body = call.body.as_deref().unwrap_or("{}");
            let body = serde_json::from_str(body).unwrap();
            match asked(disk, &call.method, rest, &body) {
                Ok(reply) => (200, serde_json::from_slice(&reply.body).unwrap()),
                Err(error) => (error.status().as_u16(), json!(error.body())),
            }
        }
        None if call.path.starts_with("/api/sessions?") => {
            let summary = disk.session.summary(AT);
            let list = json!({ "sessions": [summary], "total": 1, "nextCursor": null });
            (200, list)
        }
        None if call.path == "/api/sessions" => {
            let mut summary = serde_json::to_value(disk.session.summary(AT)).unwrap();
            summary["sessionId"] = json!(SESSION);
            (201, json!({ "success": true, "sessionId": SESSION, "session": summary }))
        }
        None => (404, json!({ "error": "Session not found", "code": "not_found" })),
    };
    ApiAnswer::Answered { status, body: serde_json::to_vec(&body).unwrap() }
}
