//! A session as it is now, and how far a client has been shown it.

use moorline_shared::agent::content::ContentBlock;
use moorline_shared::event::{AgentMessage, AgentPending, AgentTool, Event, EventKind};
use moorline_shared::fold::{Conversation, ConversationItem, MessageItem};
use moorline_shared::id::{ApprovalId, Cursor, Seq, TurnId};
use moorline_shared::message::{Snapshot, SnapshotReason};
use serde_json::Value;

use super::{difference, updates};

/// The conversation of a session, and how far the client has been shown it.
#[derive(Debug)]
pub(super) struct AcpView {
    /// All that is known of the session.
    pub(super) conversation: Conversation,
    /// What will follow from requests that the session's host has not carried out.
    pub(super) pending: AgentPending,
    /// The conversation as the client was shown it, while entries are only applied: until the
    /// history has arrived, and after the state was replaced. `None` while each event is passed on.
    base: Option<Conversation>,
    /// The last entry that the client was shown, if each event is passed on.
    shown: Seq,
    /// True while the conversation lacks what was before the cursor at which the client resumed.
    is_partial: bool,
}

impl AcpView {
    /// Starts without a cursor: the client is shown nothing until the history is known.
    pub(super) fn new() -> Self {
        Self {
            conversation: Conversation::default(),
            pending: AgentPending::default(),
            base: Some(Conversation::default()),
            shown: Seq::ZERO,
            is_partial: false,
        }
    }

    /// Starts at a cursor of the client, after which each event is passed on.
    pub(super) fn at(cursor: Cursor) -> Self {
        Self { base: None, shown: cursor.seq, is_partial: true, ..Self::new() }
    }

    /// Returns true if the state from before the cursor is still to be asked for.
    pub(super) const fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Returns true if each event is passed on, and all that the client was shown is known here.
    /// `applied` is the last entry that was applied.
    pub(super) fn is_current(&self, applied: Seq) -> bool {
        self.base.is_none() && !self.is_partial && applied >= self.shown
    }

    /// Goes on without the state from before the cursor: the session is over, and tells no more.
    pub(super) const fn give_up_state(&mut self) {
        self.is_partial = false;
    }

    /// Handles that everything before is void. The client keeps what it was shown.
    pub(super) fn cleared(&mut self) {
        let before = std::mem::take(&mut self.conversation);
        self.base.get_or_insert(before);
        (self.shown, self.is_partial) = (Seq::ZERO, false);
    }

    /// Replaces the state by a snapshot.
    pub(super) fn painted(&mut self, snapshot: &Snapshot) {
        // A snapshot that cannot be read leaves the events that follow.
        let mut now = Conversation::from_snapshot(&snapshot.data).unwrap_or_default();
        now.summary.seq = snapshot.seq;
        let before = std::mem::replace(&mut self.conversation, now);
        let was_asked = snapshot.reason == Some(SnapshotReason::Requested);
        if !(self.is_partial && was_asked) {
            self.base.get_or_insert(before);
        }
        self.is_partial = false;
    }

    /// Applies an event. Returns the updates for the client. `is_own` tells the turns of which the
    /// client has sent the prompt itself.
    pub(super) fn event(
        &mut self,
        seq: Seq,
        event: &Event,
        is_own: impl Fn(&TurnId) -> bool,
    ) -> Vec<Value> {
        if self.base.is_some() || seq <= self.shown {
            self.conversation.apply(seq, event);
            return Vec::new();
        }
        self.shown = seq;
        self.pass_on(seq, event, is_own)
    }

    fn pass_on(&mut self, seq: Seq, event: &Event, is_own: impl Fn(&TurnId) -> bool) -> Vec<Value> {
        match event.known_kind() {
            EventKind::AgentMessage => match event.read::<AgentMessage>() {
                Some(message) => self.message(seq, event, &message, is_own),
                None => Vec::new(),
            },
            EventKind::AgentTool => match event.read::<AgentTool>() {
                Some(tool) => self.tool(seq, event, tool).into_iter().collect(),
                None => Vec::new(),
            },
            EventKind::AgentPlan
            | EventKind::AgentConfig
            | EventKind::AgentCommands
            | EventKind::AgentUsage
            | EventKind::AgentInfo => {
                let before = self.state();
                self.conversation.apply(seq, event);
                difference::state_difference(&before, &self.conversation)
            }
            _ => {
                self.conversation.apply(seq, event);
                Vec::new()
            }
        }
    }

    /// Returns a copy of what is not an item.
    fn state(&self) -> Conversation {
        let Conversation { info, plan, config, commands, usage, .. } = &self.conversation;
        let mut state = Conversation::default();
        state.info.clone_from(info);
        state.plan.clone_from(plan);
        state.config.clone_from(config);
        state.commands.clone_from(commands);
        state.usage.clone_from(usage);
        state
    }

    fn message(
        &mut self,
        seq: Seq,
        event: &Event,
        message: &AgentMessage,
        is_own: impl Fn(&TurnId) -> bool,
    ) -> Vec<Value> {
        let id = &message.message_id;
        // Only a replacement needs all that was said before.
        let before =
            message.content.is_some().then(|| item(&self.conversation, id).cloned()).flatten();
        self.conversation.apply(seq, event);
        let Some(now) = item(&self.conversation, id) else { return Vec::new() };
        if difference::is_prompt_of(now, is_own) {
            return Vec::new();
        }
        if message.content.is_some() {
            return difference::message_updates(before.as_ref(), now);
        }
        let delta = message.delta.as_deref().map(ContentBlock::text);
        delta.and_then(|delta| updates::chunk(now, &delta)).into_iter().collect()
    }

    fn tool(&mut self, seq: Seq, event: &Event, tool: AgentTool) -> Option<Value> {
        let id = tool.tool_call_id.clone();
        let is_known = self.conversation.tool_item(&id).is_some();
        self.conversation.apply(seq, event);
        match self.conversation.tool_item(&id) {
            // Before a cursor it may be known although it is not known here.
            Some(ConversationItem::Tool(_)) if self.is_partial && tool.title.is_none() => {
                Some(updates::tool_call_update(tool))
            }
            Some(ConversationItem::Tool(now)) if !is_known => Some(updates::tool_call(now)),
            _ => Some(updates::tool_call_update(tool)),
        }
    }

    /// Begins to pass each event on: the history is complete. Returns what the client was shown
    /// before; `None` if each event is passed on already.
    pub(super) fn complete(&mut self) -> Option<Conversation> {
        let base = self.base.take()?;
        self.shown = self.conversation.summary.seq;
        Some(base)
    }

    /// Returns true if an approval awaits a decision, as far as the log says.
    pub(super) fn is_open_in_log(&self, id: &ApprovalId) -> bool {
        let entry = self.conversation.summary.approvals.get(id);
        entry.is_some_and(|entry| entry.state.is_open())
    }

    /// Returns true if an approval awaits a decision, and none is on its way.
    pub(super) fn is_open(&self, id: &ApprovalId) -> bool {
        let is_decided = self.pending.approvals.iter().any(|it| it.approval_id == *id);
        self.is_open_in_log(id) && !is_decided
    }
}

fn item<'a>(conversation: &'a Conversation, id: &str) -> Option<&'a MessageItem> {
    match conversation.message_item(id) {
        Some(ConversationItem::Message(message)) => Some(message),
        _ => None,
    }
}
