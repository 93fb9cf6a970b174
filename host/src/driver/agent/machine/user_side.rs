//! What users ask, and what follows from it.

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::fault::AgentFault;
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::event::CommandSent;
use moorline_shared::id::TurnId;
use moorline_shared::time::Time;

use super::AgentMachine;
use super::life::{AgentPhase, RequestPurpose};
use super::outbox::AgentOutput;
use super::turns::QueuedTurn;
use super::typed::TypedEvent;
use crate::driver::agent::acp;

/// Most requests to the agent that are not answered. Beyond this, settings are not changed.
const REQUESTS: usize = 64;

impl AgentMachine {
    /// Carries out an action of a user. `linked` is as in
    /// [`AgentInput::Action`](super::AgentInput::Action).
    pub(super) fn act(&mut self, now: Time, action: SessionAction, linked: Option<String>) {
        match action {
            SessionAction::Prompt { turn_id, prompt, by, steer } => {
                self.out.event(&CommandSent::of(&prompt.text));
                let turn = QueuedTurn::new(turn_id, prompt, by);
                self.queue(now, QueuedTurn { linked, ..turn }, steer);
            }
            SessionAction::EditPrompt { turn_id, prompt } => {
                self.turns.edit(&turn_id, prompt, linked, &mut self.out);
            }
            SessionAction::Withdraw { turn_id } => self.turns.withdraw(&turn_id, &mut self.out),
            SessionAction::Reorder { order } => self.turns.reorder(&order, &mut self.out),
            SessionAction::Retry { turn_id, new_turn_id, by } => {
                match self.turns.ended(&turn_id).cloned() {
                    Some(prompt) => {
                        let retry_of = Some(turn_id);
                        let turn = QueuedTurn::new(new_turn_id, prompt, by);
                        self.queue(now, QueuedTurn { retry_of, linked, ..turn }, false);
                    }
                    None => self.out.error(
                        AgentFault::UnknownTurn,
                        "The turn is not over, or too old to be retried: send its prompt again.",
                    ),
                }
            }
            SessionAction::Stop { turn_id, force } => self.stop(now, turn_id.as_ref(), force),
            SessionAction::Configure { option, value } => self.configure(now, &option, &value),
            SessionAction::LogIn { method } => self.log_in(now, &method),
            // Decisions come as inputs of their own.
            SessionAction::Decide { .. } | SessionAction::Unknown => {}
        }
    }

    fn queue(&mut self, now: Time, turn: QueuedTurn, steer: bool) {
        let is_late = steer && self.turns.active().is_some();
        self.turns.queue(turn, steer, &mut self.out);
        if is_late {
            self.out.show(|transcript| {
                transcript.note("this agent takes no prompt while it works: it is the next one")
            });
        }
        self.wake(now);
    }

    /// Takes bytes that a user types.
    pub(super) fn typed(&mut self, now: Time, random: u128, bytes: &[u8]) {
        for (place, byte) in bytes.iter().enumerate() {
            match self.input.line.take(*byte) {
                Some(TypedEvent::Line(text)) => {
                    let turn_id = TurnId::from_random(bits(random, place));
                    let (prompt, by) = (Prompt::text(text), "terminal".to_owned());
                    self.queue(now, QueuedTurn::new(turn_id, prompt, by), false);
                }
                Some(TypedEvent::Interrupt) => self.stop(now, None, false),
                None => {}
            }
        }
    }

    /// Goes on after the agent has ended or a user had to log in, because a user wants something.
    fn wake(&mut self, now: Time) {
        self.turns.hold(false);
        match self.life.phase {
            AgentPhase::Exited | AgentPhase::Failed if self.life.process.is_up => {
                self.life.process.restarts = true;
            }
            AgentPhase::Exited | AgentPhase::Failed => self.start(now),
            // They may have logged in elsewhere.
            AgentPhase::NeedsLogin if self.life.is_open => self.life.settle(AgentPhase::Ready),
            AgentPhase::NeedsLogin => self.open(now),
            _ => {}
        }
    }

    fn stop(&mut self, now: Time, turn_id: Option<&TurnId>, force: bool) {
        if turn_id.is_some() && turn_id != self.turns.active_id().as_ref() {
            return;
        }
        if self.turns.stop(now)
            && let Some(session) = &self.life.session_id
        {
            self.out.notify(&acp::cancel(session));
        }
        self.questions.withdraw_all("The turn was stopped.", false, &mut self.out);
        if force && self.life.process.is_up {
            self.life.process.is_forced = true;
            self.out.push(AgentOutput::Kill);
        }
    }

    fn configure(&mut self, now: Time, id: &str, value: &str) {
        let is_ready = self.life.phase == AgentPhase::Ready;
        let is_busy = self.requests.len() >= REQUESTS;
        let offered = self.settings.settable(id, value);
        if is_busy || (is_ready && offered.is_none()) {
            let sentence = format!("The agent cannot set {id} to {value} now.");
            self.out.error(AgentFault::SettingRefused, sentence);
            return;
        }
        self.settings.choose(id, value);
        self.watch.configured();
        if is_ready {
            self.apply_settings();
        }
        self.wake(now);
    }

    /// Sets what was chosen and differs from what the agent has.
    pub(super) fn apply_settings(&mut self) {
        let Some(session) = self.life.session_id.clone() else { return };
        let (due, refused) = self.settings.due();
        for (offered, value) in due {
            let asked = acp::set_option(self.life.known.dialect, &session, &offered, &value);
            let purpose = RequestPurpose::Set { id: offered.option.id, value };
            self.requests.send(purpose, &asked, &mut self.out);
        }
        for choice in refused {
            let sentence = format!("The agent does not offer {choice}.");
            self.out.error(AgentFault::SettingRefused, sentence);
        }
    }

    fn log_in(&mut self, now: Time, method: &str) {
        let known = self.life.known.login.iter().find(|login| login.id == method);
        if known.is_some_and(|login| login.command.is_some()) {
            // The user has run the command, and the agent has heard nothing of it.
            self.wake(now);
        } else if self.life.phase == AgentPhase::NeedsLogin && known.is_some() {
            self.life.settle(AgentPhase::LoggingIn);
            let asked = acp::log_in(self.life.known.dialect, method);
            self.requests.send(RequestPurpose::LogIn, &asked, &mut self.out);
        } else {
            self.wake(now);
            let sentence = "The agent does not wait for this login: see the ways that it names.";
            self.out.error(AgentFault::LoginRefused, sentence);
        }
    }
}

/// Returns other random bits for each place.
fn bits(random: u128, place: usize) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&random.to_le_bytes()).update(&(place as u64).to_le_bytes());
    let mut bits = [0; 16];
    bits.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(bits)
}
