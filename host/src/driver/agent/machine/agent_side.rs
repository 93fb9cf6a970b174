//! What the agent says, and what follows from it.

use moorline_shared::agent::content::MessageRole;
use moorline_shared::agent::fault::AgentFault;
use moorline_shared::agent::prompt::TurnUsage;
use moorline_shared::event::{AgentCommands, AgentInfo, AgentPlan};
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::time::Time;
use serde_json::Value;

use super::fit::{fit_commands, fit_plan, fit_update};
use super::life::{AgentPhase, AgentProfile, OpenWay, RequestPurpose};
use super::questions::{self, QuestionPlace};
use super::speech::SpeechPlace;
use super::turns::AgentTurnEnd;
use super::{AgentMachine, HISTORY_LOST};
use crate::driver::agent::acp::{
    self, AcpVersion, AgentNews, AskedForm, OpenedSession, ServiceRequest, ToolNews, method,
};
use crate::driver::agent::rpc::{self, RpcError, RpcId, RpcMessage};

impl AgentMachine {
    /// Takes a line of the agent. What it leads to is told after what the agent has said before it.
    pub(super) fn line(&mut self, now: Time, random: u128, line: &[u8]) {
        if !self.life.process.is_up {
            return;
        }
        match rpc::read(line) {
            Ok(None) => {}
            Ok(Some(RpcMessage::Response { id, result })) => {
                self.speech.tell(&mut self.out);
                match self.requests.take(id) {
                    Some(purpose) => self.answered(now, purpose, result),
                    None => self.out.fault(now, "it answers what was not asked, or twice"),
                }
            }
            Ok(Some(RpcMessage::Request { id, method, params })) => {
                self.speech.tell(&mut self.out);
                self.asked(now, random, id, &method, &params, line);
            }
            Ok(Some(RpcMessage::Notification { method, params })) => {
                self.noticed(now, &method, params);
            }
            Err(fault) => {
                self.speech.tell(&mut self.out);
                self.out.fault(now, &fault.to_string());
            }
        }
    }

    fn answered(&mut self, now: Time, purpose: RequestPurpose, result: Result<Value, RpcError>) {
        match purpose {
            RequestPurpose::Initialize { version } => self.initialized(now, version, result),
            RequestPurpose::LogIn => match result {
                Ok(_) if self.life.is_open => self.life.settle(AgentPhase::Ready),
                Ok(_) => self.open(now),
                Err(error) => self.need_login(format!("The login failed: {}", error.message)),
            },
            RequestPurpose::Open(way) => self.opened(now, way, result),
            RequestPurpose::Set { id, value } => self.set(&id, &value, result),
            RequestPurpose::Prompt(turn_id) => self.prompt_answered(&turn_id, result),
            RequestPurpose::Close => {}
        }
    }

    fn initialized(&mut self, now: Time, version: u64, result: Result<Value, RpcError>) {
        let hello = match result {
            Ok(answer) => acp::hello(&answer, &self.spec.command),
            // Some agents refuse a version that is newer than theirs.
            Err(_) if version > acp::OLDEST => return self.initialize(acp::OLDEST),
            Err(error) => {
                return self.fail_start(&format!("The agent refused to start: {}", error.message));
            }
        };
        let Some(dialect) = hello.dialect else {
            let version = hello.version;
            return self.fail_start(&format!(
                "The agent speaks version {version} of its protocol, which this host does not."
            ));
        };
        let abilities = hello.abilities;
        self.out.event(&AgentInfo {
            phase: "starting".to_owned(),
            name: hello.name,
            version: hello.program_version,
            protocol: Some(hello.version),
            takes_images: Some(abilities.images),
            can_resume: Some(abilities.load || abilities.resume),
            login: hello.login.clone(),
            ..AgentInfo::default()
        });
        self.life.known = AgentProfile { dialect, abilities, login: hello.login };
        self.open(now);
    }

    fn opened(&mut self, now: Time, way: OpenWay, result: Result<Value, RpcError>) {
        let answer = match result {
            Ok(answer) => answer,
            Err(error) if error.code == rpc::AUTH_REQUIRED => {
                return self.need_login(error.message);
            }
            Err(_) if way != OpenWay::New => {
                self.life.session_id = None;
                self.out.error(AgentFault::HistoryLost, HISTORY_LOST);
                return self.open_by(now, OpenWay::New);
            }
            Err(error) => {
                let sentence = format!("The agent cannot open a session: {}", error.message);
                return self.fail_start(&sentence);
            }
        };
        let OpenedSession { session_id, options } = OpenedSession::read(&answer);
        if way == OpenWay::New {
            self.life.session_id = session_id;
        }
        if self.life.session_id.is_none() {
            return self.fail_start("The agent has opened a session without an id.");
        }
        if let Some(options) = options {
            self.settings.replace(options, &mut self.out);
        }
        if let Some(commands) = acp::commands(&answer) {
            self.commands(AgentCommands { commands });
        }
        self.life.is_open = true;
        match way {
            OpenWay::Load => self.life.await_history(now),
            OpenWay::New | OpenWay::Resume => self.be_ready(),
        }
    }

    /// Takes prompts from now on.
    pub(super) fn be_ready(&mut self) {
        self.life.settle(AgentPhase::Ready);
        self.info("ready", None);
        self.apply_settings();
    }

    fn need_login(&mut self, message: String) {
        self.life.settle(AgentPhase::NeedsLogin);
        let message = if message.is_empty() { "Log in to the agent.".to_owned() } else { message };
        self.out.show(|transcript| transcript.error(&message));
        self.info("needs-login", Some(message));
    }

    fn set(&mut self, id: &str, value: &str, result: Result<Value, RpcError>) {
        match result {
            Ok(answer) => match acp::offered(&answer) {
                Some(options) => self.settings.replace(options, &mut self.out),
                None => self.settings.record(id, value, &mut self.out),
            },
            Err(error) => {
                let sentence = format!("The agent did not set {id}: {}", error.message);
                self.out.error(AgentFault::SettingRefused, sentence);
            }
        }
    }

    fn prompt_answered(&mut self, turn_id: &TurnId, result: Result<Value, RpcError>) {
        let Some(active) = self.turns.active().filter(|it| it.turn.turn_id == *turn_id) else {
            return;
        };
        let is_stopping = active.is_stopping;
        let end = match result {
            // In version 2, this only says that the agent has the prompt.
            Ok(_) if self.life.known.dialect == AcpVersion::V2 => return self.turns.accept(),
            Ok(answer) => AgentTurnEnd::stopped(acp::stop_reason(&answer))
                .with_usage(acp::turn_usage(&answer)),
            Err(error) if error.code == rpc::AUTH_REQUIRED && !is_stopping => {
                self.speech.close(&mut self.out);
                self.turns.put_back(&mut self.out);
                return self.need_login(error.message);
            }
            Err(error) => failed(error, is_stopping),
        };
        self.end_turn(end);
    }

    /// Takes a request of the agent, which came as `line`.
    fn asked(
        &mut self,
        now: Time,
        random: u128,
        id: RpcId,
        method: &str,
        params: &Value,
        line: &[u8],
    ) {
        if self.questions.has_request(&id) || self.desk.has(&id) {
            return self.out.fault(now, "two of its requests have the same id");
        }
        let is_permission = method == method::PERMISSION;
        if let Some(request) = acp::service(method, params) {
            match request {
                _ if !self.is_ours(params) => self.refuse_session(&id),
                Ok(request) => self.serve(id, request),
                Err(()) => self.refuse_params(&id),
            }
        } else if !is_permission && method != method::ELICITATION {
            self.out.refuse(&id, rpc::METHOD_NOT_FOUND, "This method is unknown here.");
        } else if !self.is_ours(params) {
            self.refuse_session(&id);
        } else if self.answers_alone(is_permission) {
            self.out.answer(&id, &Ok(questions::cancelled(is_permission)));
        } else {
            let place = QuestionPlace {
                now,
                approval_id: ApprovalId::from_random(random),
                turn_id: self.turns.active_id(),
                cwd: self.spec.cwd.to_string_lossy().into_owned(),
            };
            match is_permission {
                true => self.ask_permission(id, params, place),
                false => self.ask_form(id, params, acp::form_order(line), place),
            }
        }
    }

    fn serve(&mut self, id: RpcId, request: ServiceRequest) {
        if let ServiceRequest::CreateTerminal { command, args, .. } = &request {
            let line = format!("$ {command} {}", args.join(" "));
            self.out.show(|transcript| transcript.note(&line));
        }
        self.desk.take(id, request, &mut self.out);
    }

    /// Returns true if nobody is asked now: history is loaded, or the turn is being stopped.
    fn answers_alone(&mut self, is_permission: bool) -> bool {
        let may_ask = match self.life.phase {
            AgentPhase::Ready => !self.turns.active().is_some_and(|active| active.is_stopping),
            AgentPhase::LoggingIn => !is_permission,
            _ => false,
        };
        if may_ask && self.questions.is_full() {
            let sentence = "The agent asks too much at a time.";
            self.out.error(AgentFault::TooManyQuestions, sentence);
        }
        !may_ask || self.questions.is_full()
    }

    fn ask_permission(&mut self, id: RpcId, params: &Value, place: QuestionPlace) {
        let Some(mut asked) = acp::permission(self.life.known.dialect, params) else {
            return self.refuse_params(&id);
        };
        self.speech.close(&mut self.out);
        let tool = asked.tool.take();
        let wire_id = tool.as_ref().map(|tool| tool.event.tool_call_id.clone());
        if let Some(tool) = tool {
            self.tool(tool);
        }
        let kind = wire_id.as_deref().and_then(|id| self.tools.asked(id));
        self.watch.asked(kind, &mut self.out);
        let known = wire_id.as_deref().and_then(|id| self.tools.get(id));
        let request = questions::permission_request(place, asked, known);
        self.questions.ask(id, wire_id, request, &mut self.out);
    }

    fn ask_form(&mut self, id: RpcId, params: &Value, order: Vec<String>, place: QuestionPlace) {
        let asked = acp::form(params).map(|asked| AskedForm { order, ..asked });
        match asked.and_then(|asked| questions::form_request(place, asked)) {
            Some(request) => {
                self.speech.close(&mut self.out);
                self.questions.ask(id, None, request, &mut self.out);
            }
            None => self.refuse_params(&id),
        }
    }

    fn refuse_params(&mut self, id: &RpcId) {
        self.out.refuse(id, rpc::INVALID_PARAMS, "The parameters cannot be understood.");
    }

    fn refuse_session(&mut self, id: &RpcId) {
        self.out.refuse(id, rpc::NOT_FOUND, "The session is unknown here.");
    }

    /// Returns true if a message is about this session, as far as it says.
    fn is_ours(&self, params: &Value) -> bool {
        match (&self.life.session_id, acp::session_of(params)) {
            (Some(ours), Some(session)) => ours == session,
            _ => true,
        }
    }

    fn noticed(&mut self, now: Time, method: &str, mut params: Value) {
        match method {
            method::UPDATE if !self.is_ours(&params) => {
                self.out.fault(now, "an update is about an unknown session");
            }
            method::UPDATE => {
                self.life.hear_history(now);
                let update = params.get_mut("update").map(Value::take).unwrap_or_default();
                let news = acp::news(self.life.known.dialect, update);
                self.news(now, news);
            }
            method::CANCEL_REQUEST => {
                if let Some(id) = params.get("requestId").and_then(RpcId::of)
                    && !self.questions.cancel(&id, &mut self.out)
                {
                    self.desk.cancel(&id, &mut self.out);
                }
            }
            // Agents send notifications of their own, which may be ignored.
            _ => {}
        }
    }

    fn news(&mut self, now: Time, news: AgentNews) {
        match news {
            AgentNews::Commands(commands) => self.commands(AgentCommands { commands }),
            AgentNews::Mode(mode) => self.settings.record_mode(&mode, &mut self.out),
            AgentNews::Options(options) => self.settings.replace(options, &mut self.out),
            AgentNews::Usage(usage) => self.out.event(&usage),
            AgentNews::Title(Some(title)) => {
                self.out.event(&AgentInfo { title: Some(title), ..AgentInfo::default() });
            }
            AgentNews::Title(None) | AgentNews::Nothing | AgentNews::Replayed => {}
            // Everything else that comes while a session is opened is its history.
            _ if self.life.phase != AgentPhase::Ready => {}
            news => self.live_news(now, news),
        }
    }

    fn live_news(&mut self, now: Time, news: AgentNews) {
        if !matches!(news, AgentNews::Chunk { .. } | AgentNews::Message { .. }) {
            self.speech.close(&mut self.out);
        }
        let is_running = self.turns.active().is_some();
        match news {
            // The prompt is told when it is sent.
            AgentNews::Chunk { role: MessageRole::User, .. }
            | AgentNews::Message { role: MessageRole::User, .. }
                if is_running => {}
            AgentNews::Chunk { role, message_id, content } => {
                let place = self.place(now, message_id.as_deref());
                self.speech.chunk(&place, role, message_id.as_deref(), content, &mut self.out);
            }
            AgentNews::Message { role, message_id, content: Some(content) } => {
                let place = self.place(now, Some(&message_id));
                let id = place.message_id.clone();
                self.speech.whole(&place, role, id, content, &mut self.out);
            }
            AgentNews::Tool(tool) => self.tool(*tool),
            AgentNews::ToolChunk { tool_call_id, content } => {
                for piece in content {
                    self.tools.add(&tool_call_id, piece, &mut self.out);
                }
            }
            AgentNews::Terminal(news) => self.tools.terminal(now, news, &mut self.out),
            AgentNews::Plan(entries) => self.plan(AgentPlan { entries }),
            AgentNews::Running => self.turns.accept(),
            AgentNews::Idle { stop_reason, error, usage } => {
                self.idle(stop_reason, error, usage);
            }
            AgentNews::Unknown(update) => self.out.event(&fit_update(update)),
            _ => {}
        }
    }

    fn place(&self, now: Time, message_id: Option<&str>) -> SpeechPlace {
        let message_id = message_id.map(|id| self.life.scoped(id, &self.spec.id_suffix));
        SpeechPlace { now, turn_id: self.turns.active_id(), message_id }
    }

    fn tool(&mut self, tool: ToolNews) {
        let wire_id = tool.event.tool_call_id.clone();
        let (id, turn_id) =
            (self.life.scoped(&wire_id, &self.spec.id_suffix), self.turns.active_id());
        if let Some(ended) = self.tools.take(tool, id, turn_id, &mut self.out) {
            self.questions.tool_over(&wire_id, &mut self.out);
            if ended.changed_unasked() {
                self.watch.changed_unasked(&mut self.out);
            }
        }
    }

    fn commands(&mut self, mut commands: AgentCommands) {
        let is_cut = fit_commands(&mut commands);
        self.out.event_cut(&commands, is_cut);
    }

    fn plan(&mut self, mut plan: AgentPlan) {
        let is_cut = fit_plan(&mut plan);
        let done = plan.entries.iter().filter(|entry| entry.status == "completed").count();
        let line = format!("plan: {done} of {} done", plan.entries.len());
        self.out.show(|transcript| transcript.note(&line));
        self.out.event_cut(&plan, is_cut);
    }

    /// Ends the turn of an agent of version 2, whose session has become idle.
    fn idle(
        &mut self,
        stop_reason: Option<String>,
        error: Option<RpcError>,
        usage: Option<TurnUsage>,
    ) {
        let Some(active) = self.turns.active() else { return };
        // A session that is idle before it has the prompt says nothing about the turn.
        if !active.is_accepted && stop_reason.is_none() {
            return;
        }
        let is_stopping = active.is_stopping;
        let end = match error {
            Some(error) => failed(error, is_stopping),
            None => AgentTurnEnd::stopped(stop_reason),
        };
        let end = end.with_usage(usage);
        self.end_turn(end);
    }
}

/// Returns the end of a turn that the agent has answered with an error.
fn failed(error: RpcError, is_stopping: bool) -> AgentTurnEnd {
    if is_stopping || error.code == rpc::CANCELLED {
        return AgentTurnEnd::cancelled();
    }
    let message = error.message;
    let message = if message.is_empty() { format!("Error {}.", error.code) } else { message };
    AgentTurnEnd::failed(AgentFault::AgentError, message)
}
