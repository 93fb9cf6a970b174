//! One session that a connection is attached to.

use std::time::Duration;

use moorline_shared::event::AgentPending;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ClientId, Cursor, SessionId, TurnId};
use moorline_shared::link::{ClientStatus, Generation};
use moorline_shared::message::{ClientMessage, DecideMessage, ServerMessage};
use moorline_shared::rest::SessionSummary;
use moorline_shared::rpc::{INVALID_REQUEST, RpcError, RpcId};
use moorline_shared::session::AGENT_DRIVER;
use moorline_shared::time::Time;
use serde_json::{Value, json};

use super::call::{ApiAnswer, CallPurpose, describe};
use super::content;
use super::context::AcpContext;
use super::difference::{difference, state_difference};
use super::failure::{bad_params, ended, failure, not_attached, of_close, unreachable};
use super::link::{LinkNews, SessionLink, StreamNews};
use super::opening::{Opening, OpeningKind};
use super::prompts::PromptBook;
use super::questions::AskedQuestions;
use super::settings::SettingBook;
use super::view::AcpView;

/// The wait before the relay is asked again for a session's description.
const DESCRIBE_AGAIN: Duration = Duration::from_secs(1);
/// Time allowed for turns to stop when the client closes a session.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// A session that a client is attached to.
#[derive(Debug)]
pub(super) struct AttachedSession {
    id: SessionId,
    facts: SessionFacts,
    /// The session's stream; `None` until the session is described.
    link: Option<SessionLink>,
    view: AcpView,
    /// True while the state from before the client's cursor is asked for.
    is_state_asked: bool,
    /// The request to attach, until it is answered.
    opening: Option<Opening>,
    /// The request to detach, and when it is answered at the latest.
    closing: Option<(RpcId, Time)>,
    prompts: PromptBook,
    questions: AskedQuestions,
    settings: SettingBook,
}

/// What the relay says of a session before its stream.
#[derive(Debug, Default)]
struct SessionFacts {
    /// Its folder.
    cwd: Option<String>,
    /// When to ask for its description again, if the relay did not answer.
    again_at: Option<Time>,
}

/// What becomes of a session after an input.
#[derive(Debug)]
pub(super) enum SessionFate {
    /// The client stays attached.
    Stays,
    /// The client is detached, because it asked for it.
    Closed,
    /// The client is detached for this reason.
    Lost(RpcError),
}

impl AttachedSession {
    /// Begins to attach, by asking for the session's description.
    pub(super) fn new(id: SessionId, opening: Opening, context: &mut AcpContext<'_>) -> Self {
        let purpose = CallPurpose::Describe(id.clone());
        context.calls.send(purpose, describe(&id), context.out);
        Self {
            id,
            facts: SessionFacts::default(),
            link: None,
            view: AcpView::new(),
            is_state_asked: false,
            opening: Some(opening),
            closing: None,
            prompts: PromptBook::default(),
            questions: AskedQuestions::default(),
            settings: SettingBook::default(),
        }
    }

    /// Attaches once more, on another request of the client.
    ///
    /// # Errors
    /// The error for the client, if an earlier request is not answered.
    pub(super) fn reopen(
        &mut self,
        opening: Opening,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        if self.opening.is_some() || self.closing.is_some() {
            let message = "Wait until this session is loaded or closed.";
            return Err(failure(INVALID_REQUEST, "busy", message));
        }
        self.questions.cancel_all(context.out);
        if opening.kind != OpeningKind::Resume {
            self.prompts.forget_own();
        }
        self.opening = Some(opening);
        self.dial(context);
        Ok(())
    }

    /// Takes the session's description.
    ///
    /// # Errors
    /// The reason why the client cannot attach.
    pub(super) fn described(
        &mut self,
        answer: &ApiAnswer,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        if *answer == ApiAnswer::Unreachable {
            self.facts.again_at = Some(context.now + DESCRIBE_AGAIN);
            return Ok(());
        }
        let summary: SessionSummary = answer.read()?;
        if summary.driver != AGENT_DRIVER {
            let message = "This session runs no agent: use its terminal instead.";
            return Err(failure(INVALID_REQUEST, "not_an_agent", message));
        }
        self.facts.cwd = summary.cwd;
        self.dial(context);
        Ok(())
    }

    fn dial(&mut self, context: &mut AcpContext<'_>) {
        let cursor = self.opening.as_ref().and_then(|opening| opening.cursor);
        self.view = cursor.map_or_else(AcpView::new, AcpView::at);
        self.is_state_asked = false;
        let bits = context.ids.next();
        let names = (ClientId::from_random(bits), (bits >> 64) as u64);
        let life = context.ids.next_life();
        let mut link = SessionLink::new(self.id.clone(), life, names, cursor, context.now);
        if let Some(earlier) = self.link.take() {
            link.take_requests(earlier);
        }
        self.link = Some(link);
    }

    /// Handles an event of the session's stream. Call [`AttachedSession::progress`] next.
    pub(super) fn stream(
        &mut self,
        generation: Generation,
        news: StreamNews,
        context: &mut AcpContext<'_>,
    ) {
        let Some(link) = &mut self.link else { return };
        let mut said = Vec::new();
        if matches!(news, StreamNews::Closed(_)) {
            self.is_state_asked = false;
        }
        link.handle(context.now, generation, news, &mut said);
        link.perform(context.now, context.out, &mut said);
        for news in said {
            self.hear(news, context);
        }
    }

    fn hear(&mut self, news: LinkNews, context: &mut AcpContext<'_>) {
        match news {
            LinkNews::Continues(continues) => self.continues(continues, context),
            LinkNews::Cleared => self.view.cleared(),
            LinkNews::Painted(snapshot) => self.view.painted(&snapshot),
            LinkNews::Event(seq, event) => {
                let prompts = &self.prompts;
                let updates = self.view.event(seq, &event, |turn| prompts.is_own(turn));
                let epoch = self.link.as_ref().and_then(SessionLink::position);
                let cursor = epoch.map(|Cursor { epoch, .. }| Cursor { epoch, seq });
                self.tell(updates, cursor, context);
            }
            LinkNews::Done(done) => {
                self.prompts.done(&done, context.out);
                self.questions.done(&done);
            }
            LinkNews::Pending(message) => {
                if let ServerMessage::Pending { pending } = message {
                    let pending = serde_json::from_value(Value::Object(pending));
                    self.view.pending = pending.unwrap_or_else(|_| AgentPending::default());
                }
            }
        }
    }

    fn continues(&mut self, continues: bool, context: &mut AcpContext<'_>) {
        let Some(opening) = &mut self.opening else { return };
        opening.continues = Some(continues);
        if !continues {
            self.view = AcpView::new();
        } else if opening.kind == OpeningKind::Resume {
            // What was missed follows the answer.
            self.answer_opening(context);
        }
    }

    fn answer_opening(&mut self, context: &mut AcpContext<'_>) {
        if let Some(opening) = self.opening.take() {
            let position = self.link.as_ref().and_then(SessionLink::position);
            let position = position.filter(|_| !self.view.is_partial());
            let answer = opening.answer(&self.id, &self.view.conversation, position);
            context.out.answer(&opening.id, &Ok(answer));
        }
    }

    /// Sends updates. The last one names the cursor after all of them.
    fn tell(&self, updates: Vec<Value>, cursor: Option<Cursor>, context: &mut AcpContext<'_>) {
        let last = updates.len().saturating_sub(1);
        for (place, update) in updates.into_iter().enumerate() {
            let mut params = json!({ "sessionId": self.id, "update": update });
            if let Some(cursor) = cursor.filter(|_| place == last) {
                params["_meta"] = json!({ "moorline": { "cursor": cursor } });
            }
            context.out.notify("session/update", &params);
        }
    }

    /// Goes on as far as possible. Call it after every other method.
    pub(super) fn progress(&mut self, context: &mut AcpContext<'_>) -> SessionFate {
        let now = context.now;
        if self.opening.as_ref().is_some_and(|opening| now >= opening.until) {
            return SessionFate::Lost(unreachable());
        }
        let Some(link) = &self.link else { return SessionFate::Stays };
        let status = link.status();
        if let ClientStatus::Refused { code } = status {
            return SessionFate::Lost(of_close(code, self.id.as_str()));
        }
        let is_over = matches!(status, ClientStatus::Ended(_));
        if is_over || status == ClientStatus::Live {
            self.catch_up(is_over, context);
        }
        self.progress_requests(is_over, context);
        self.perform(context);
        match &self.closing {
            Some((_, until)) if self.prompts.len() == 0 || now >= *until => SessionFate::Closed,
            _ => SessionFate::Stays,
        }
    }

    fn perform(&mut self, context: &mut AcpContext<'_>) {
        let Some(link) = &mut self.link else { return };
        let mut said = Vec::new();
        link.perform(context.now, context.out, &mut said);
        for news in said {
            self.hear(news, context);
        }
    }

    /// Tells the client what it lacks, as the stream has arrived at the end of the log.
    fn catch_up(&mut self, is_over: bool, context: &mut AcpContext<'_>) {
        if let Some(base) = self.view.complete() {
            return self.tell_history(&base, context);
        }
        let Some(link) = &mut self.link else { return };
        if self.view.is_partial() && is_over {
            self.view.give_up_state();
            self.is_state_asked = true;
        } else if self.view.is_partial() && !self.is_state_asked {
            link.ask_state(context.now);
            self.is_state_asked = true;
        }
        let position = link.position();
        if self.is_state_asked && self.view.is_current(link.applied()) {
            self.is_state_asked = false;
            let state = state_difference(&Conversation::default(), &self.view.conversation);
            self.tell(state, position, context);
            self.answer_opening(context);
        }
    }

    fn tell_history(&mut self, base: &Conversation, context: &mut AcpContext<'_>) {
        let position = self.link.as_ref().and_then(SessionLink::position);
        let now = &self.view.conversation;
        let (kind, all) = match &self.opening {
            Some(opening) => (Some(opening.kind), opening.starts_over()),
            None => (None, false),
        };
        let updates = match kind {
            Some(OpeningKind::Resume) if !all => state_difference(base, now),
            _ => difference(base, now, |turn| self.prompts.is_own(turn)),
        };
        if kind == Some(OpeningKind::Load) {
            self.tell(updates, position, context);
            return self.answer_opening(context);
        }
        if kind.is_none() {
            self.prompts.after_gap(&self.view);
        }
        self.answer_opening(context);
        self.tell(updates, position, context);
    }

    /// Goes on with what is open between the client and the session.
    fn progress_requests(&mut self, is_over: bool, context: &mut AcpContext<'_>) {
        let Some(link) = &mut self.link else { return };
        if !self.view.is_current(link.applied()) {
            return;
        }
        self.prompts.progress(&self.view, link, context, &self.id);
        let options = &self.view.conversation.config.options;
        self.settings.progress(options, context.now, context.out);
        if is_over {
            self.prompts.fail_all(&ended(), context.out);
            self.settings.fail_all(&ended(), context.out);
            self.questions.cancel_all(context.out);
        } else if self.opening.is_none() && self.closing.is_none() && link.can_decide() {
            self.questions.progress(&self.view, &self.id, context);
        }
    }

    /// Handles the passing of time. Call [`AttachedSession::progress`] next.
    pub(super) fn tick(&mut self, context: &mut AcpContext<'_>) {
        if self.facts.again_at.is_some_and(|at| context.now >= at) {
            self.facts.again_at = None;
            let purpose = CallPurpose::Describe(self.id.clone());
            context.calls.send(purpose, describe(&self.id), context.out);
        }
        if let Some(link) = &mut self.link {
            link.tick(context.now);
        }
        self.perform(context);
    }

    /// Returns when to call [`AttachedSession::tick`].
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let link = self.link.as_ref().and_then(SessionLink::poll_timeout);
        let opening = self.opening.as_ref().map(|opening| opening.until);
        let closing = self.closing.as_ref().map(|(_, until)| *until);
        let timeouts = [link, opening, closing, self.facts.again_at, self.settings.poll_timeout()];
        timeouts.into_iter().flatten().min()
    }
}

/// The requests of the client. Call [`AttachedSession::progress`] next.
impl AttachedSession {
    /// Returns the number of requests that are not answered.
    pub(super) fn waiting(&self) -> usize {
        let own = usize::from(self.opening.is_some()) + usize::from(self.closing.is_some());
        own + self.prompts.len() + self.settings.len()
    }

    /// Checks that the client is attached, and the session is not over.
    fn usable(&self) -> Result<(), RpcError> {
        match &self.link {
            Some(link) if matches!(link.status(), ClientStatus::Ended(_)) => Err(ended()),
            Some(_) if self.opening.is_none() && self.closing.is_none() => Ok(()),
            _ => Err(not_attached(self.id.as_str())),
        }
    }

    /// Sends a prompt.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn prompt(
        &mut self,
        id: RpcId,
        params: &Value,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        self.usable()?;
        let turn_id = match params.pointer("/_meta/moorline/turnId") {
            None | Some(Value::Null) => TurnId::from_random(context.ids.next()),
            Some(id) => {
                let id = id.as_str().and_then(|id| id.parse().ok());
                id.ok_or_else(|| bad_params("`_meta.moorline.turnId` must be the id of a turn."))?
            }
        };
        let takes_images = self.view.conversation.info.takes_images.unwrap_or(true);
        let prompt = content::prompt(&params["prompt"], self.facts.cwd.as_deref(), takes_images)?;
        let Some(link) = &mut self.link else { return Err(not_attached(self.id.as_str())) };
        self.prompts.send(link, id, turn_id, prompt)
    }

    /// Stops the client's turns.
    pub(super) fn stop_all(&mut self) {
        self.prompts.stop_all();
    }

    /// Stops the turn of one prompt. Returns false if the request is not one of this session.
    pub(super) fn stop(&mut self, id: &RpcId) -> bool {
        self.prompts.stop(id)
    }

    /// Takes the answer to the withdrawal of a prompt.
    pub(super) fn withdrawn(&mut self, turn: &TurnId, is_stored: bool) {
        self.prompts.withdrawn(turn, is_stored);
    }

    /// Changes the mode.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn set_mode(
        &mut self,
        id: RpcId,
        params: &Value,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        self.usable()?;
        let mode = params.get("modeId").and_then(Value::as_str).unwrap_or_default();
        let options = &self.view.conversation.config.options;
        self.settings.set_mode(id, mode, options, &self.id, context)
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn set_option(
        &mut self,
        id: RpcId,
        params: &Value,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        self.usable()?;
        let options = &self.view.conversation.config.options;
        self.settings.set_option(id, params, options, &self.id, context)
    }

    /// Takes the relay's refusal of a change of a setting.
    pub(super) fn not_configured(
        &mut self,
        id: &RpcId,
        error: RpcError,
        context: &mut AcpContext<'_>,
    ) {
        self.settings.refused(id, error, context.out);
    }

    /// Takes the client's answer to a question. Returns false if the request is not one of this
    /// session.
    pub(super) fn answered(
        &mut self,
        number: u64,
        answer: &Result<Value, RpcError>,
        context: &mut AcpContext<'_>,
    ) -> bool {
        let key = TurnId::from_random(context.ids.next()).to_string();
        let Some(decision) = self.questions.answer(number, answer, key) else { return false };
        if let (Some((approval_id, decision)), Some(link)) = (decision, &mut self.link) {
            let id = approval_id.clone();
            let request = link.request(|request| {
                ClientMessage::Decide(DecideMessage { request, approval_id, decision })
            });
            self.questions.decided(&id, request);
        }
        true
    }

    /// Detaches the client, once its turns are stopped.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn close(&mut self, id: RpcId, now: Time) -> Result<(), RpcError> {
        if self.closing.is_some() || self.opening.is_some() {
            return Err(not_attached(self.id.as_str()));
        }
        self.prompts.stop_all();
        self.closing = Some((id, now + CLOSE_PATIENCE));
        Ok(())
    }

    /// Answers all that is open, because the client is detached: with an error, if there is one.
    pub(super) fn detach(mut self, error: Option<&RpcError>, context: &mut AcpContext<'_>) {
        self.questions.cancel_all(context.out);
        if let Some(error) = error {
            self.prompts.fail_all(error, context.out);
        }
        self.prompts.give_up(context.out);
        self.settings.fail_all(error.unwrap_or(&not_attached(self.id.as_str())), context.out);
        if let (Some(opening), Some(error)) = (&self.opening, error) {
            context.out.refuse(&opening.id, error.clone());
        }
        if let Some((id, _)) = &self.closing {
            context.out.answer(id, &Ok(json!({})));
        }
    }
}
