//! Runs the steps of a script and answers the request that they belong to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::context::PeerContext;
use crate::rpc::{AUTH_REQUIRED, Answered, REQUEST_CANCELLED, RpcFailure};
use crate::script::ScriptStep;
use crate::session::PeerSession;
use crate::steps::{approvals, client, faults, process, reports};
use crate::turn::{MESSAGE, PeerTurn, Stepped, StepsEnd, THOUGHT};
use crate::updates;

/// What answers the request.
#[derive(Debug)]
pub(crate) enum PlayedRequest {
    /// A prompt: the end of the turn.
    Prompt {
        /// Whether the prompt is answered by an error before it is accepted, in version 2.
        is_refused: bool,
    },
    /// A request with this result.
    Other(Value),
    /// No request: the process ends.
    None,
}

/// Steps while they run.
pub(crate) struct ScriptPlayer {
    turn: PeerTurn,
    request: PlayedRequest,
    /// The stop reason of a prompt.
    stop_reason: String,
    /// Whether the request was answered before the steps are done.
    answered: bool,
    /// Number of times that the request is answered.
    times: usize,
    /// Delays of updates after the answer.
    late: Vec<Duration>,
}

impl ScriptPlayer {
    pub(crate) fn new(turn: PeerTurn, request: PlayedRequest) -> Self {
        let stop_reason = "end_turn".to_owned();
        Self { turn, request, stop_reason, answered: false, times: 1, late: Vec::new() }
    }

    /// Runs the steps and answers: at once without steps, otherwise in a task of its own, because
    /// steps may need answers that the caller reads. The task ends by itself, or with the process.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn start(self, steps: Vec<ScriptStep>) -> anyhow::Result<()> {
        if steps.is_empty() {
            return self.play(steps).await;
        }
        tokio::spawn(async move {
            if let Err(error) = self.play(steps).await {
                eprintln!("moorline-acp-peer: {error:#}");
            }
        });
        Ok(())
    }

    /// Runs the steps and answers.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn play(mut self, steps: Vec<ScriptStep>) -> anyhow::Result<()> {
        let mut end = Ok(());
        for step in steps {
            // A cancel that comes just before it is ignored like any other.
            let ignores_cancel = step == ScriptStep::Hang;
            end = if ignores_cancel { Ok(()) } else { self.turn.check() };
            if end.is_ok() {
                end = self.step(step).await;
            }
            if end.is_err() {
                break;
            }
        }
        let answer = match end {
            Ok(()) => Ok(self.stop_reason.clone()),
            Err(StepsEnd::Cancelled) => Ok("cancelled".to_owned()),
            Err(StepsEnd::Refused(error)) => Err(error),
        };
        self.answer(answer).await?;
        self.send_late();
        Ok(())
    }

    async fn step(&mut self, step: ScriptStep) -> Stepped {
        use ScriptStep as Step;
        let turn = &mut self.turn;
        match step {
            Step::Echo(text) => turn.say(MESSAGE, &format!("echo: {text}")).await,
            Step::Say(text) => turn.say(MESSAGE, &text).await,
            Step::More(text) => turn.say_more(&text).await,
            Step::Think(text) => turn.say(THOUGHT, &text).await,
            Step::Chunks(chunks) => set(&mut turn.chunks, chunks),
            Step::Tool(fields) => reports::tool(turn, fields).await,
            Step::ToolUpdate(fields) => reports::tool_update(turn, fields).await,
            Step::Plan(plan) => turn.update(updates::plan(turn.dialect.version, plan)).await,
            Step::Commands(list) => {
                turn.update(updates::commands(turn.dialect.version, &list)).await
            }
            Step::Mode(mode) => reports::setting(turn, "mode", mode.into()).await,
            Step::Config { id, value } => reports::setting(turn, &id, value).await,
            Step::ConfigList(options) => {
                let kind = "config_option_update";
                turn.update(json!({"sessionUpdate": kind, "configOptions": options})).await
            }
            Step::Usage(fields) => turn.update(updates::of_fields("usage_update", fields)).await,
            Step::Title(title) => {
                turn.update(json!({"sessionUpdate": "session_info_update", "title": title})).await
            }
            Step::Ask { params, waits } => approvals::ask(turn, params, waits).await,
            Step::Answers => approvals::answers(turn).await,
            Step::Form(params) => approvals::form(turn, params).await,
            Step::Edit { path, content } => approvals::edit(turn, &path, &content).await,
            Step::Read(path) => client::read(turn, &path).await,
            Step::Write { path, content } => client::write(turn, &path, &content).await,
            Step::Run(command) => client::run(turn, &command).await,
            Step::Request { method, params } => client::request(turn, &method, params).await,
            Step::Notify { method, params } => {
                Ok(turn.context.wire.notify(&method, params).await?)
            }
            Step::Raw(line) => faults::raw(turn, &line).await,
            Step::UpdateUnknown(fields) => faults::unknown_update(turn, fields).await,
            Step::Garbage(text) => Ok(turn.context.wire.line(&text).await?),
            Step::Half => faults::half(turn).await,
            Step::Flood(bytes) => faults::flood(turn, bytes).await,
            Step::HugeLine(bytes) => faults::huge_line(turn, bytes).await,
            Step::Sleep(time) => turn.unless_cancelled(tokio::time::sleep(time)).await,
            Step::Wait(path) => process::wait(turn, &path).await,
            Step::Touch(path) => process::touch(&path),
            Step::Hang => std::future::pending().await,
            Step::Deaf => {
                turn.context.deaf.notify_one();
                Ok(())
            }
            Step::Twice => set(&mut self.times, 2),
            Step::Unanswered => {
                self.times = 0;
                Ok(self.answer(Ok(self.stop_reason.clone())).await?)
            }
            Step::Late(delay) => {
                self.late.push(delay);
                Ok(())
            }
            Step::Reorder => Ok(self.answer(Ok(self.stop_reason.clone())).await?),
            Step::Error { code, message } => Err(StepsEnd::Refused(RpcFailure::new(code, message))),
            Step::Auth => self.authenticated(),
            Step::Stop(reason) => set(&mut self.stop_reason, reason),
            Step::Exit(code) => std::process::exit(code),
            Step::Kill => process::kill(),
            Step::Stubborn => process::stubborn(),
            Step::Child { holds_output } => process::child(turn, holds_output).await,
            Step::Env(name) => process::env(turn, &name).await,
            Step::Cwd => process::cwd(turn).await,
            Step::Images => turn.say(MESSAGE, &turn.prompt.images()).await,
            Step::Resources => turn.say(MESSAGE, &turn.prompt.resources()).await,
            Step::Stderr(text) => {
                eprintln!("{text}");
                Ok(())
            }
        }
    }

    fn authenticated(&self) -> Stepped {
        if self.turn.context.authenticated.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StepsEnd::Refused(RpcFailure::new(AUTH_REQUIRED, "Authentication required")))
    }

    /// Answers the request, unless that was done or the script forbids it.
    async fn answer(&mut self, end: Result<String, RpcFailure>) -> anyhow::Result<()> {
        if self.answered {
            return Ok(());
        }
        self.answered = true;
        // Before the answer: the next prompt may follow it at once.
        if let (PlayedRequest::Prompt { .. }, Ok(session)) = (&self.request, self.turn.session()) {
            session.end_turn();
        }
        for _ in 0..self.times {
            let answer: Answered = match (&self.request, end.clone()) {
                (PlayedRequest::None, _) => return Ok(()),
                (PlayedRequest::Prompt { is_refused: false }, end)
                    if self.turn.dialect.version > 1 =>
                {
                    self.report_idle(end).await?;
                    continue;
                }
                (PlayedRequest::Prompt { .. }, Ok(reason)) => Ok(json!({"stopReason": reason})),
                (PlayedRequest::Other(_), Ok(reason)) if reason == "cancelled" => {
                    Err(RpcFailure::new(REQUEST_CANCELLED, "Request cancelled"))
                }
                (PlayedRequest::Other(result), Ok(_)) => Ok(result.clone()),
                (_, Err(error)) => Err(error),
            };
            self.turn.context.wire.answer(&self.turn.request, &answer).await?;
        }
        Ok(())
    }

    /// Ends a turn of version 2, whose prompt was answered when it was accepted.
    async fn report_idle(&self, end: Result<String, RpcFailure>) -> anyhow::Result<()> {
        let mut update = json!({"sessionUpdate": "state_update", "state": "idle"});
        match end {
            Ok(reason) => update["stopReason"] = reason.into(),
            Err(error) => {
                update["stopReason"] = "error".into();
                update["error"] = json!({"code": error.code, "message": error.message});
            }
        }
        let params = json!({"sessionId": self.turn.session()?.id, "update": update});
        self.turn.context.wire.notify("session/update", params).await
    }

    /// Starts the updates after the answer. The tasks end by themselves, or with the process.
    fn send_late(&self) {
        let Ok(session) = self.turn.session() else { return };
        for delay in &self.late {
            let id = session.new_id("msg");
            let content = updates::text(&format!("late {}", delay.as_millis()));
            let update = updates::chunk(MESSAGE, self.turn.message_id(&id), &content);
            tokio::spawn(late(self.turn.context.clone(), session.clone(), *delay, update));
        }
    }
}

async fn late(
    context: Arc<PeerContext>,
    session: Arc<PeerSession>,
    delay: Duration,
    update: Value,
) -> anyhow::Result<()> {
    tokio::time::sleep(delay).await;
    let params = json!({"sessionId": session.id, "update": update});
    context.wire.notify("session/update", params).await
}

fn set<T>(field: &mut T, value: T) -> Stepped {
    *field = value;
    Ok(())
}
