//! One agent session, without I/O: what users ask and what the agent says becomes lines to the
//! agent and events of the session.
//!
//! **Inputs**: [`AgentMachine::handle`] takes an [`AgentInput`] with the current time and fresh random bits. Times
//! are milliseconds since 1970 by a clock that is never set back while the host runs.
//!
//! **Outputs**: after each input, call [`AgentMachine::poll_output`] until it returns `None`, and
//! carry out each [`AgentOutput`] in order. Then pass in [`AgentInput::Timeout`] at
//! [`AgentMachine::poll_timeout`], which only an input changes. A spurious or late timeout is
//! harmless.
//!
//! **State**: a machine can be stored with serde, with the outputs that nobody has taken, and with
//! [`AgentMachine::contents`] beside it. After [`AgentMachine::fill`], it is continued by another process, as long as the agent's process lives and no line of it is lost or passed in
//! twice.
//!
//! **Order**: the owner starts the agent's process and passes in [`AgentInput::Started`]. After
//! [`AgentOutput::Kill`], and whenever the process ends, [`AgentInput::Exited`] comes last; after
//! that the machine may ask for another with [`AgentOutput::Start`]. [`AgentInput::Close`] leads to
//! [`AgentOutput::End`], after which every input is ignored.
//!
//! **Bounds**: the queue, the questions, the tool calls and the requests that are open, and every
//! event are bounded. The outputs of one input are bounded by its size. A machine that has many
//! outputs that nobody took, see [`AgentMachine::pending_outputs`], should get no more input.
//!
//! ```
//! use moorline_host::driver::agent::{AgentInput, AgentMachine, AgentOutput, AgentSettings};
//! use moorline_shared::time::Time;
//!
//! let settings = AgentSettings { cwd: "/home/me/work".into(), ..AgentSettings::default() };
//! let mut machine = AgentMachine::new(settings);
//! machine.handle(Time::from_ms(1_767_323_045_000), 0, AgentInput::Started);
//! let outputs: Vec<_> = std::iter::from_fn(|| machine.poll_output()).collect();
//! let is_line = |output: &AgentOutput| matches!(output, AgentOutput::Line(line) if line.contains("initialize"));
//! assert!(outputs.iter().any(is_line));
//! ```

mod agent_side;
mod cuts;
mod desk;
mod excerpt;
mod fit;
mod input;
mod kept_prompt;
mod life;
mod outbox;
mod question_size;
mod questions;
mod report;
mod settings;
mod speech;
mod starting;
mod tails;
#[cfg(test)]
mod tests;
mod tools;
mod turns;
mod typed;
mod user_side;
mod watch;

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{AnswerKind, ApprovalDecision};
use moorline_shared::agent::content::{ContentBlock, KnownContent, MessageRole};
use moorline_shared::agent::fault::AgentFault;
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::event::AgentMessage;
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::acp;
use desk::ServiceDesk;
use fit::fit_blocks;
pub use input::{AgentInput, AgentSettings};
use life::{AgentLife, AgentPhase, OpenRequests, RequestPurpose};
pub use outbox::AgentOutput;
use outbox::Outbox;
use questions::{PermissionAnswer, QuestionBook};
use report::StateReport;
use settings::SettingBoard;
use speech::AgentSpeech;
use tools::ToolBoard;
use turns::{AgentTurnEnd, QueuedTurn, TurnBook};
use typed::TypedLine;
use watch::AskWatch;

/// One agent session, without I/O. The documentation of its [module](self) has its inputs, its
/// outputs and the order of calls.
#[derive(Debug, Serialize, Deserialize)]
pub struct AgentMachine {
    spec: AgentSettings,
    life: AgentLife,
    requests: OpenRequests,
    turns: TurnBook,
    questions: QuestionBook,
    #[serde(default)]
    watch: AskWatch,
    speech: AgentSpeech,
    tools: ToolBoard,
    settings: SettingBoard,
    desk: ServiceDesk,
    input: UserSide,
    out: Outbox,
}

/// What users type, and what they were last told.
#[derive(Debug, Default, Serialize, Deserialize)]
struct UserSide {
    line: TypedLine,
    report: StateReport,
}

impl AgentMachine {
    /// Creates the machine of a session whose agent is being started.
    #[must_use]
    pub fn new(mut spec: AgentSettings) -> Self {
        let settings = SettingBoard::new(spec.mode.as_ref(), spec.model.as_ref());
        let mut watch = AskWatch::default();
        if spec.mode.is_some() {
            watch.configured();
        }
        let mut out = Outbox::default();
        if spec.history.is_some() {
            StateReport::disown_changes(&mut out);
        }
        let mut turns = TurnBook::default();
        turns.inherit(std::mem::take(&mut spec.inherited), &mut out);
        let speech = AgentSpeech::new(spec.id_suffix.clone());
        Self {
            spec,
            life: AgentLife::new(),
            requests: OpenRequests::default(),
            turns,
            questions: QuestionBook::default(),
            watch,
            speech,
            tools: ToolBoard::default(),
            settings,
            desk: ServiceDesk::default(),
            input: UserSide::default(),
            out,
        }
    }

    /// Takes an input. `random` must be fresh and unpredictable: the ids of approvals and of typed
    /// turns come from it.
    pub fn handle(&mut self, now: Time, random: u128, input: AgentInput) {
        if self.life.phase == AgentPhase::Closed {
            return;
        }
        match input {
            AgentInput::Started => self.started(now),
            AgentInput::NotStarted { message } => self.fail_start(&message),
            AgentInput::Line(line) => self.line(now, random, &line),
            AgentInput::LineTooLong => self.out.fault(now, "a line is too long"),
            AgentInput::Exited { exit, last_words } => {
                self.exited(now, exit_sentence(&exit, last_words.as_deref()));
            }
            AgentInput::Suspended { message } => {
                // Nobody misses it, unless somebody has just asked for something.
                self.life.process.is_forced |= self.turns.active().is_none();
                self.exited(now, message);
            }
            AgentInput::Action { action, linked } => self.act(now, action, linked),
            AgentInput::Decision { approval_id, decision } => {
                self.decided(&approval_id, decision.as_ref());
            }
            AgentInput::Typed(bytes) => self.typed(now, random, &bytes),
            AgentInput::Served { work, result } => self.desk.served(work, result, &mut self.out),
            AgentInput::Changes(changes) => {
                self.input.report.report_changes(changes, &mut self.out);
            }
            AgentInput::Timeout => {}
            AgentInput::Close => return self.close(),
        }
        self.tick(now);
        self.begin_next();
        self.report();
    }

    /// Records that an action was passed in: [`AgentOutput::Acted`] follows what it has led to.
    pub fn acted(&mut self, number: ActionNumber) {
        self.out.push(AgentOutput::Acted(number));
    }

    /// Outputs what was said and is held back, so that it comes before whatever follows.
    pub fn flush(&mut self) {
        self.speech.tell(&mut self.out);
    }

    /// Returns the files of the prompt that an action sends to the agent.
    pub fn files_of<'a>(&'a self, action: &'a SessionAction) -> &'a [String] {
        match action {
            SessionAction::Prompt { prompt, .. } | SessionAction::EditPrompt { prompt, .. } => {
                &prompt.files
            }
            SessionAction::Retry { turn_id, .. } => {
                self.turns.ended(turn_id).map_or(&[], |prompt| &*prompt.files)
            }
            _ => &[],
        }
    }

    /// Continues in a host that does not have the work of the one before. The agent's requests for
    /// files and commands are answered by an error. What is to become of its process is asked for
    /// again, because the host before may have died while it did so.
    pub fn interrupted(&mut self) {
        self.desk.interrupt(&mut self.out);
        self.out.drop_orders();
        let process = &self.life.process;
        match self.life.phase {
            AgentPhase::Closed => self.out.push(AgentOutput::End),
            AgentPhase::Starting => self.out.push(AgentOutput::Start),
            phase if process.is_up && (process.is_forced || phase == AgentPhase::Failed) => {
                self.out.push(AgentOutput::Kill);
            }
            _ => {}
        }
    }

    /// Returns the contents that the stored form of the machine names, by key.
    pub fn contents(&self) -> impl Iterator<Item = (&str, impl FnOnce() -> Vec<u8>)> {
        self.turns.prompts().map(|prompt| (prompt.key(), || prompt.content()))
    }

    /// Completes a machine that was read from its stored form with the contents that it names.
    pub fn fill<'a>(&mut self, content: impl Fn(&str) -> Option<&'a [u8]>) {
        self.turns.prompts_mut().for_each(|prompt| prompt.fill(content(prompt.key())));
    }

    /// Returns true if it waits for a process of the agent to be started.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.life.phase == AgentPhase::Starting
    }

    /// Drops the lines for a process that has ended, before its end or another process is reported.
    pub fn drop_lines(&mut self) {
        self.out.drop_lines();
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<AgentOutput> {
        self.out.pop()
    }

    /// Returns the number of outputs that nobody has taken.
    #[must_use]
    pub fn pending_outputs(&self) -> usize {
        self.out.len()
    }

    /// Returns when to pass in [`AgentInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let told = [self.speech.poll_timeout(), self.tools.poll_timeout()];
        let life = [self.turns.stop_until(), self.life.until, self.life.history_ends_at()];
        let times = told.into_iter().chain(life);
        times.flatten().min()
    }

    /// Returns true if this question waits for a decision.
    #[must_use]
    pub fn awaits(&self, approval_id: &ApprovalId) -> bool {
        self.questions.has(approval_id)
    }

    /// Returns the turn that runs.
    #[must_use]
    pub fn active_turn(&self) -> Option<TurnId> {
        self.turns.active_id()
    }

    /// Returns the terminals that the agent has opened and not released.
    #[must_use]
    pub fn open_terminals(&self) -> Vec<String> {
        self.desk.terminals()
    }

    fn tick(&mut self, now: Time) {
        self.speech.tick(now, &mut self.out);
        self.tools.tick(now, &mut self.out);
        if self.turns.stops_late(now) {
            let sentence = "The agent has not stopped within 10 seconds. Stop it by force to end \
                            its process.";
            self.out.error(AgentFault::NotStopping, sentence);
        }
        if self.life.has_all_history(now) {
            self.be_ready();
        }
        if self.life.until.is_some_and(|until| until <= now) {
            self.fail_start("The agent does not answer.");
        }
    }

    /// Reports the state in one word, if it has changed.
    fn report(&mut self) {
        let active = self.turns.active();
        let value = match self.life.phase {
            AgentPhase::Failed | AgentPhase::NeedsLogin => "error",
            _ if !self.questions.is_empty() => "waiting",
            _ if active.is_some() => "working",
            AgentPhase::Exited if !self.life.process.is_forced => "error",
            _ => "idle",
        };
        self.turns.wait(!self.questions.is_empty(), &mut self.out);
        let tool = if value == "working" { self.tools.running() } else { None };
        self.input.report.report(value, tool, &mut self.out);
    }

    fn decided(&mut self, approval_id: &ApprovalId, decision: Option<&ApprovalDecision>) {
        let answer = self.questions.decide(approval_id, decision, &mut self.out);
        let Some(PermissionAnswer { kind, tool }) = answer else { return };
        kind.into_iter().for_each(|kind| self.watch.answered(kind));
        if let Some(tool) = tool {
            self.tools.decided(&tool, kind.is_some_and(AnswerKind::allows), &mut self.out);
        }
    }

    fn exited(&mut self, now: Time, sentence: String) {
        self.speech.close(&mut self.out);
        let was_forced = self.life.process.is_forced;
        self.life.process.is_up = false;
        self.life.is_open = false;
        self.requests.clear();
        self.desk.clear(&mut self.out);
        self.questions.withdraw_all("The agent has ended.", true, &mut self.out);
        let restarts = std::mem::take(&mut self.life.process.restarts);
        match self.life.phase {
            AgentPhase::Failed | AgentPhase::Exited | AgentPhase::Closed => {}
            AgentPhase::Ready | AgentPhase::NeedsLogin => self.die(sentence, was_forced),
            _ if was_forced => self.die(sentence, true),
            _ => self.fail_start(&sentence),
        }
        if restarts && self.life.phase != AgentPhase::Closed {
            self.start(now);
        }
    }

    /// Ends what the agent was doing, because its process has ended.
    fn die(&mut self, sentence: String, was_forced: bool) {
        self.life.settle(AgentPhase::Exited);
        let is_stopping = self.turns.active().is_some_and(|active| active.is_stopping);
        let end = match was_forced || is_stopping {
            true => AgentTurnEnd::cancelled(),
            false => AgentTurnEnd::failed(AgentFault::AgentExited, sentence.clone()),
        };
        if self.turns.active().is_none() || end.message().is_none() {
            self.out.show(|transcript| transcript.error(&sentence));
        }
        self.end_turn(end);
        self.tools.cancel_all(&mut self.out);
        self.turns.hold(true);
        self.info("exited", Some(sentence));
    }

    /// Ends the running turn, and what was open in it.
    fn end_turn(&mut self, end: AgentTurnEnd) {
        self.speech.close(&mut self.out);
        self.questions.withdraw_all("The turn is over.", false, &mut self.out);
        if end.is_done() {
            self.tools.end_turn(&mut self.out);
        } else {
            self.tools.cancel_all(&mut self.out);
        }
        self.questions.all_over(&mut self.out);
        if self.turns.active().is_some() {
            self.out.show(|transcript| match end.message() {
                Some(message) => transcript.error(message),
                None if end.is_cancelled() => transcript.note("stopped"),
                None => transcript.note("done"),
            });
        }
        self.turns.end(end, &mut self.out);
    }

    /// Sends the next prompt, if the agent can take one.
    fn begin_next(&mut self) {
        while self.life.phase == AgentPhase::Ready && !self.requests.is_setting() {
            let Some(turn) = self.turns.next() else { return };
            if !turn.prompt.images.is_empty() && !self.life.known.abilities.images {
                let message = "This agent takes no images.";
                self.turns.fail(turn, AgentFault::NoImages, message, &mut self.out);
                continue;
            }
            let blocks = match &turn.linked {
                Some(file) => Err(format!("Symbolic links are not followed: {file}")),
                None => acp::prompt_blocks(&turn.prompt, &self.spec.cwd)
                    .map_err(|file| format!("The file is not in the session's folder: {file}")),
            };
            match blocks {
                Ok(blocks) => return self.begin(turn, blocks),
                Err(why) => self.turns.fail(turn, AgentFault::BadFile, &why, &mut self.out),
            }
        }
    }

    fn begin(&mut self, mut turn: QueuedTurn, mut blocks: Vec<Value>) {
        let Some(session) = self.life.session_id.clone() else {
            // An agent that is ready has one.
            let message = "The agent has no session.";
            return self.turns.fail(turn, AgentFault::AgentFailed, message, &mut self.out);
        };
        let turn_id = turn.turn_id.clone();
        self.speech.close(&mut self.out);
        let mut untold = turn.message_id.is_none().then(|| shown_prompt(&turn.prompt));
        let truncated = untold.as_mut().is_some_and(fit_blocks);
        if untold.is_some() {
            turn.message_id = Some(self.speech.new_id());
            self.out.show(|transcript| transcript.prompt(&turn.prompt.text));
        }
        let message_id = turn.message_id.clone().unwrap_or_default();
        self.turns.begin(turn, &mut self.out);
        if untold.is_some() {
            self.out.event(&AgentMessage {
                message_id,
                turn_id: Some(turn_id.clone()),
                role: MessageRole::User,
                content: untold,
                truncated,
                ..AgentMessage::default()
            });
        }
        if let Some(history) = self.spec.history.take() {
            blocks.insert(0, acp::text_block(&history));
        }
        let asked = acp::prompt_request(&session, &blocks);
        self.requests.send(RequestPurpose::Prompt(turn_id), &asked, &mut self.out);
    }

    fn close(&mut self) {
        self.speech.close(&mut self.out);
        if let Some(session) = self.life.session_id.clone().filter(|_| self.life.is_open) {
            if self.turns.active().is_some() {
                self.out.notify(&acp::cancel(&session));
            }
            self.end_turn(AgentTurnEnd::cancelled());
            if self.life.known.abilities.close {
                self.requests.send(RequestPurpose::Close, &acp::close(&session), &mut self.out);
            }
        }
        self.questions.withdraw_all("The session has ended.", false, &mut self.out);
        self.turns.withdraw_all(&mut self.out);
        self.life.settle(AgentPhase::Closed);
        self.report();
        self.out.push(AgentOutput::End);
    }
}

const HISTORY_LOST: &str = "The agent cannot go on with its earlier conversation, and begins a new \
                            one: it knows nothing of what was said before.";

/// Returns a prompt as content of a message, without the data of images.
fn shown_prompt(prompt: &Prompt) -> Vec<ContentBlock> {
    let text = ContentBlock::text(&*prompt.text);
    let file = |file: &String| {
        let (uri, name) = (file.clone(), file.clone());
        ContentBlock::Known(KnownContent::ResourceLink { uri, name, mime_type: None })
    };
    let images = prompt.images.iter().map(|image| {
        let (mime_type, data) = (image.mime_type.clone(), String::new());
        ContentBlock::Known(KnownContent::Image { mime_type, data, uri: None })
    });
    std::iter::once(text).chain(prompt.files.iter().map(file)).chain(images).collect()
}

/// Returns the sentence about the end of an agent's process.
fn exit_sentence(exit: &ExitStatus, last_words: Option<&str>) -> String {
    let how = match exit {
        ExitStatus { signal: Some(signal), .. } => format!("The agent was ended by {signal}"),
        ExitStatus { code: Some(code), .. } => format!("The agent exited with code {code}"),
        _ => "The agent has ended".to_owned(),
    };
    match last_words {
        Some(words) => format!("{how}: {words}"),
        None => format!("{how}."),
    }
}
