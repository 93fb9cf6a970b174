//! What the agent says: groups pieces into messages, and tells them at a steady pace.

use std::time::Duration;

use moorline_shared::agent::content::{ContentBlock, MessageRole};
use moorline_shared::event::AgentMessage;
use moorline_shared::id::TurnId;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::fit::fit_blocks;
use super::life::with_suffix;
use super::outbox::Outbox;
use crate::driver::agent::acp::block_text;

/// Least time between two events about the same message.
const PACE: Duration = Duration::from_millis(50);
/// Most bytes of text in one event. Escaped as JSON, it may be six times as long.
const DELTA_BYTES: usize = 16 * 1024;
/// Most bytes of a message that are kept, to find out whether its final content is already told.
const SAID_BYTES: usize = 256 * 1024;

/// The agent's messages.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AgentSpeech {
    /// The number of messages that have an id of the host's.
    named: u64,
    /// Distinguishes these ids from those of a conversation that the session continues.
    #[serde(default)]
    suffix: String,
    /// The message that is being said.
    open: Option<OpenMessage>,
    /// The earliest time of the next event about it.
    next_at: Time,
}

/// A message that is being said.
#[derive(Debug, Serialize, Deserialize)]
struct OpenMessage {
    message_id: String,
    /// The agent's own id, if it has one.
    wire_id: Option<String>,
    role: MessageRole,
    turn_id: Option<TurnId>,
    /// The text that was not told yet.
    untold: String,
    /// The text that was said so far; `None` if it is too long to keep.
    said: Option<String>,
}

/// The context of what is said.
#[derive(Debug, Clone)]
pub(super) struct SpeechPlace {
    pub(super) now: Time,
    /// The turn in which it is said.
    pub(super) turn_id: Option<TurnId>,
    /// The id of a message of the agent, unique in the session.
    pub(super) message_id: Option<String>,
}

impl AgentSpeech {
    pub(super) fn new(suffix: String) -> Self {
        Self { suffix, ..Self::default() }
    }

    /// Returns a message id of the host's.
    pub(super) fn new_id(&mut self) -> String {
        self.named += 1;
        with_suffix(&format!("moorline-{}", self.named), &self.suffix)
    }

    /// Takes a piece of a message. `wire_id` is the message's id in the agent's words.
    pub(super) fn chunk(
        &mut self,
        place: &SpeechPlace,
        role: MessageRole,
        wire_id: Option<&str>,
        content: ContentBlock,
        out: &mut Outbox,
    ) {
        let text = match content.as_text() {
            Some(text) => text,
            None => return self.whole(place, role, None, vec![content], out),
        };
        let continues = self.open.as_ref().is_some_and(|open| {
            open.role == role && open.wire_id.as_deref() == wire_id && open.turn_id == place.turn_id
        });
        if !continues {
            self.close(out);
            let message_id = place.message_id.clone().unwrap_or_else(|| self.new_id());
            self.open = Some(OpenMessage {
                message_id,
                wire_id: wire_id.map(str::to_owned),
                role,
                turn_id: place.turn_id.clone(),
                untold: String::new(),
                said: Some(String::new()),
            });
        }
        if let Some(open) = &mut self.open {
            open.untold.push_str(text);
            open.said.take_if(|said| said.len() + text.len() > SAID_BYTES);
            if let Some(said) = &mut open.said {
                said.push_str(text);
            }
            if place.now >= self.next_at || open.untold.len() >= DELTA_BYTES {
                self.tell(out);
                self.next_at = place.now + PACE;
            }
        }
    }

    /// Takes all of a message. Without an id of the agent, it is a new one.
    pub(super) fn whole(
        &mut self,
        place: &SpeechPlace,
        role: MessageRole,
        message_id: Option<String>,
        mut content: Vec<ContentBlock>,
        out: &mut Outbox,
    ) {
        let is_same = message_id.is_some() && self.is_said(message_id.as_deref(), &content);
        self.close(out);
        if is_same {
            return;
        }
        let message_id = message_id.unwrap_or_else(|| self.new_id());
        let shown: String = content.iter().map(|block| block_text(block) + "\n").collect();
        let is_thought = role == MessageRole::Thought;
        out.show(|transcript| transcript.speech(&message_id, is_thought, &shown));
        let truncated = fit_blocks(&mut content);
        let (turn_id, content) = (place.turn_id.clone(), Some(content));
        let event =
            AgentMessage { message_id, turn_id, role, content, truncated, ..<_>::default() };
        out.event(&event);
    }

    /// Returns true if the open message is this one, and has this content.
    fn is_said(&self, message_id: Option<&str>, content: &[ContentBlock]) -> bool {
        let Some(open) = self.open.as_ref() else { return false };
        let texts: Option<String> = content.iter().map(ContentBlock::as_text).collect();
        message_id == Some(&*open.message_id) && texts.is_some() && open.said == texts
    }

    /// Ends the message that is being said, so that the next piece begins another. All of it is
    /// told, so call it before whatever readers must see after it.
    pub(super) fn close(&mut self, out: &mut Outbox) {
        self.tell(out);
        self.open = None;
    }

    /// Returns when more is to be told.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let is_untold = self.open.as_ref().is_some_and(|open| !open.untold.is_empty());
        is_untold.then_some(self.next_at)
    }

    /// Tells what was said, if it is time.
    pub(super) fn tick(&mut self, now: Time, out: &mut Outbox) {
        if self.poll_timeout().is_some_and(|at| now >= at) {
            self.tell(out);
            self.next_at = now + PACE;
        }
    }

    /// Tells all that was said, before the message goes on.
    pub(super) fn tell(&mut self, out: &mut Outbox) {
        let Some(open) = &mut self.open else { return };
        let untold = std::mem::take(&mut open.untold);
        let mut rest = &*untold;
        while !rest.is_empty() {
            let (delta, more) = rest.split_at(rest.floor_char_boundary(DELTA_BYTES));
            rest = more;
            let is_thought = open.role == MessageRole::Thought;
            out.show(|transcript| transcript.speech(&open.message_id, is_thought, delta));
            out.event(&AgentMessage {
                message_id: open.message_id.clone(),
                turn_id: open.turn_id.clone(),
                role: open.role,
                delta: Some(delta.to_owned()),
                ..AgentMessage::default()
            });
        }
    }
}
