//! Everything that was said and done in an agent session.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::items::{ConversationItem, MessageItem, ToolItem};
use super::summary::AgentSummary;
use crate::agent::approval::ApprovalRequest;
use crate::agent::content::ToolStatus;
use crate::event::{
    AgentChanges, AgentCommands, AgentConfig, AgentImage, AgentInfo, AgentMessage, AgentPlan,
    AgentTool, AgentTurn, AgentUpdate, AgentUsage, Event, EventKind,
};
use crate::id::{Seq, TurnId};
use crate::limits::{CONVERSATION_BYTES, CONVERSATION_ITEMS, SNAPSHOT_BYTES};

/// A conversation: its items, oldest first, and the agent's current state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, from = "StoredConversation")]
pub struct Conversation {
    /// The state, the turns and the approvals.
    pub summary: AgentSummary,
    /// The agent.
    pub info: AgentInfo,
    /// Its plan.
    pub plan: AgentPlan,
    /// Its settings.
    pub config: AgentConfig,
    /// Its commands.
    pub commands: AgentCommands,
    /// The context and money that it has used.
    pub usage: AgentUsage,
    /// The files that it has changed.
    pub changes: AgentChanges,
    /// The number of items that are left out at the beginning. The log may have them.
    pub omitted: u64,
    /// The items, oldest first.
    pub items: Vec<ConversationItem>,
    #[serde(skip)]
    places: ItemPlaces,
}

/// Where items are, and how large they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ItemPlaces {
    /// The place of each item that may still change, from the conversation's beginning.
    by_key: BTreeMap<ItemKey, u64>,
    /// The bytes of each item that is not left out.
    bytes: Vec<usize>,
    /// The bytes of all of these.
    total: usize,
}

/// The stored form of a conversation.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StoredConversation {
    summary: AgentSummary,
    info: AgentInfo,
    plan: AgentPlan,
    config: AgentConfig,
    commands: AgentCommands,
    usage: AgentUsage,
    changes: AgentChanges,
    omitted: u64,
    items: Vec<ConversationItem>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ItemKey {
    Turn(String),
    Message(String),
    Tool(String),
    Approval(String),
}

impl From<StoredConversation> for Conversation {
    fn from(stored: StoredConversation) -> Self {
        let StoredConversation { summary, info, plan, config, commands, .. } = stored;
        let StoredConversation { usage, changes, omitted, items, .. } = stored;
        let key = |(place, item)| Some((ItemKey::of(item)?, place));
        let by_key = (omitted..).zip(&items).filter_map(key).collect();
        let bytes: Vec<usize> = items.iter().map(ConversationItem::bytes).collect();
        let places = ItemPlaces { by_key, total: bytes.iter().sum(), bytes };
        Self { summary, info, plan, config, commands, usage, changes, omitted, items, places }
    }
}

impl ItemKey {
    fn of(item: &ConversationItem) -> Option<Self> {
        Some(match item {
            ConversationItem::Turn { turn_id, .. } => Self::Turn(turn_id.to_string()),
            ConversationItem::Message(message) => Self::Message(message.message_id.clone()),
            ConversationItem::Tool(tool) => Self::Tool(tool.tool_call_id.clone()),
            ConversationItem::Approval { approval_id } => Self::Approval(approval_id.to_string()),
            ConversationItem::Update { .. } => return None,
        })
    }
}

impl Conversation {
    /// Applies the event of the entry `seq`. Returns true if that changed anything but the
    /// position.
    pub fn apply(&mut self, seq: Seq, event: &Event) -> bool {
        if seq <= self.summary.seq {
            return false;
        }
        let is_summarized = self.summary.apply(seq, event);
        let is_shown = self.show(seq, event);
        while self.items.len() > CONVERSATION_ITEMS {
            self.leave_out(CONVERSATION_ITEMS / 8);
        }
        if self.places.total > CONVERSATION_BYTES {
            // Of which some go at a time, so that this is seldom.
            self.leave_out(self.places.oldest(CONVERSATION_BYTES / 8));
        }
        is_summarized || is_shown
    }

    fn show(&mut self, seq: Seq, event: &Event) -> bool {
        match event.known_kind() {
            EventKind::AgentInfo => set(event, |info| self.merge_info(info)),
            EventKind::AgentPlan => set(event, |plan| self.plan = plan),
            EventKind::AgentConfig => set(event, |config| self.config = config),
            EventKind::AgentCommands => set(event, |commands| self.commands = commands),
            EventKind::AgentUsage => set(event, |usage| self.usage = usage),
            EventKind::AgentChanges => set(event, |changes| self.changes = changes),
            EventKind::AgentTurn => set(event, |turn: AgentTurn| {
                let turn_id = turn.turn_id;
                self.change(ConversationItem::Turn { turn_id, images: None }, |_| {});
            }),
            EventKind::AgentImage => set(event, |image| self.image(image, seq)),
            EventKind::ApprovalRequest => set(event, |request: ApprovalRequest| {
                let approval_id = request.approval_id;
                self.change(ConversationItem::Approval { approval_id }, |_| {});
            }),
            EventKind::SessionForked => self.end_tools(),
            EventKind::AgentMessage => {
                set(event, |message| self.message(message, seq, event.timestamp))
            }
            EventKind::AgentTool => set(event, |tool| self.tool(tool, event.timestamp)),
            EventKind::AgentUpdate => set(event, |AgentUpdate { update }| {
                self.change(ConversationItem::Update { update }, |_| {});
            }),
            _ => false,
        }
    }

    /// Ends the tool calls that are not over: another agent goes on, which does not have them. Returns
    /// true if there were some.
    fn end_tools(&mut self) -> bool {
        let mut has_ended = false;
        for item in &mut self.items {
            if let ConversationItem::Tool(tool) = item
                && !tool.status.is_over()
            {
                tool.status = ToolStatus::Cancelled;
                has_ended = true;
            }
        }
        has_ended
    }

    fn merge_info(&mut self, info: AgentInfo) {
        let old = std::mem::take(&mut self.info);
        self.info = AgentInfo {
            phase: if info.phase.is_empty() { old.phase } else { info.phase },
            message: info.message,
            name: info.name.or(old.name),
            version: info.version.or(old.version),
            protocol: info.protocol.or(old.protocol),
            title: info.title.or(old.title),
            takes_images: info.takes_images.or(old.takes_images),
            can_resume: info.can_resume.or(old.can_resume),
            asks: info.asks.or(old.asks),
            login: if info.login.is_empty() { old.login } else { info.login },
        };
    }

    fn message(&mut self, event: AgentMessage, seq: Seq, timestamp: u64) {
        let (message_id, first_seq) = (event.message_id.clone(), Some(seq));
        let new = MessageItem { message_id, at: timestamp, first_seq, ..MessageItem::default() };
        self.change(ConversationItem::Message(new), |item| {
            if let ConversationItem::Message(message) = item {
                message.update(event, seq);
            }
        });
    }

    /// Notes where the images of a prompt begin.
    fn image(&mut self, event: AgentImage, seq: Seq) {
        let AgentImage { turn_id, image, piece, .. } = event;
        // A turn that is left out does not come back as a new one.
        if (image, piece) == (0, 0) && self.turn_place(&turn_id).is_some() {
            self.change(ConversationItem::Turn { turn_id, images: None }, |item| {
                if let ConversationItem::Turn { images, .. } = item {
                    *images = Some(seq);
                }
            });
        }
    }

    fn tool(&mut self, event: AgentTool, timestamp: u64) {
        let tool_call_id = event.tool_call_id.clone();
        let new = ToolItem { tool_call_id, at: timestamp, ..ToolItem::default() };
        self.change(ConversationItem::Tool(new.into()), |item| {
            if let ConversationItem::Tool(tool) = item {
                tool.update(event, timestamp);
            }
        });
    }

    /// Changes the item with the key of `new`, which is added if there is none. Does nothing if it
    /// is left out.
    fn change(&mut self, new: ConversationItem, change: impl FnOnce(&mut ConversationItem)) {
        let end = self.end();
        let key = ItemKey::of(&new);
        let known = key.as_ref().and_then(|key| self.places.by_key.get(key).copied());
        let place = known.unwrap_or(end);
        if known.is_none() {
            self.places.by_key.extend(key.map(|key| (key, place)));
            self.items.push(new);
            self.places.bytes.push(0);
        }
        let Some(at) = place.checked_sub(self.omitted).map(|at| at as usize) else { return };
        if let (Some(item), Some(bytes)) = (self.items.get_mut(at), self.places.bytes.get_mut(at)) {
            change(item);
            self.places.total -= *bytes;
            *bytes = item.bytes();
            self.places.total += *bytes;
        }
    }

    /// Leaves out the oldest items.
    fn leave_out(&mut self, count: usize) {
        let count = count.clamp(1, self.items.len());
        for item in self.items.drain(..count) {
            if let Some(key) = ItemKey::of(&item) {
                self.places.by_key.remove(&key);
            }
        }
        self.places.total -= self.places.bytes.drain(..count).sum::<usize>();
        self.omitted += count as u64;
    }

    /// Returns the place after the last item. Places count from the conversation's beginning, so that
    /// an item keeps its own.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.omitted + self.items.len() as u64
    }

    /// Returns the item at a place; `None` if it is left out, or does not exist yet.
    #[must_use]
    pub fn item_at(&self, place: u64) -> Option<&ConversationItem> {
        self.items.get(usize::try_from(place.checked_sub(self.omitted)?).ok()?)
    }

    fn turn_place(&self, id: &TurnId) -> Option<u64> {
        self.places.by_key.get(&ItemKey::Turn(id.to_string())).copied()
    }

    /// Returns the entry with which the images of a turn's prompt begin; `None` if the log has none,
    /// or if the beginning of the turn is left out.
    #[must_use]
    pub fn images_of(&self, turn: &TurnId) -> Option<Seq> {
        match self.item_at(self.turn_place(turn)?)? {
            ConversationItem::Turn { images, .. } => *images,
            _ => None,
        }
    }

    /// Returns the place of the message with this id.
    #[must_use]
    pub fn message_place(&self, id: &str) -> Option<u64> {
        self.places.by_key.get(&ItemKey::Message(id.to_owned())).copied()
    }

    /// Returns the place of the tool call with this id.
    #[must_use]
    pub fn tool_place(&self, id: &str) -> Option<u64> {
        self.places.by_key.get(&ItemKey::Tool(id.to_owned())).copied()
    }

    /// Returns the message with this id.
    #[must_use]
    pub fn message_item(&self, id: &str) -> Option<&ConversationItem> {
        self.item_at(self.message_place(id)?)
    }

    /// Returns the tool call with this id.
    #[must_use]
    pub fn tool_item(&self, id: &str) -> Option<&ConversationItem> {
        self.item_at(self.tool_place(id)?)
    }

    /// Encodes the conversation as a snapshot of at most [`SNAPSHOT_BYTES`], without its oldest
    /// items if it is larger. `None` if even that is too large.
    #[must_use]
    pub fn snapshot(&self) -> Option<Vec<u8>> {
        let surplus = self.places.total.saturating_sub(SNAPSHOT_BYTES);
        let mut fitting = self.without(if surplus > 0 { self.places.oldest(surplus) } else { 0 });
        loop {
            // Texts, numbers and JSON values always encode.
            let json = serde_json::to_vec(&fitting).ok()?;
            if json.len() <= SNAPSHOT_BYTES {
                return Some(json);
            }
            if fitting.items.is_empty() {
                return None;
            }
            fitting.leave_out(fitting.items.len().div_ceil(4));
        }
    }

    /// Returns a copy without the oldest items, to be encoded.
    fn without(&self, count: usize) -> Self {
        let bytes = self.places.bytes[count..].to_vec();
        Self {
            summary: self.summary.clone(),
            info: self.info.clone(),
            plan: self.plan.clone(),
            config: self.config.clone(),
            commands: self.commands.clone(),
            usage: self.usage.clone(),
            changes: self.changes.clone(),
            omitted: self.omitted + count as u64,
            items: self.items[count..].to_vec(),
            places: ItemPlaces { total: bytes.iter().sum(), bytes, ..ItemPlaces::default() },
        }
    }

    /// Decodes a snapshot.
    ///
    /// # Errors
    /// An error if it is not one.
    pub fn from_snapshot(data: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(data)
    }
}

impl ItemPlaces {
    /// Returns the number of the oldest items that have this many bytes together.
    fn oldest(&self, bytes: usize) -> usize {
        let mut sum = 0;
        let reaches = |own: &usize| {
            sum += own;
            sum >= bytes
        };
        self.bytes.iter().position(reaches).map_or(self.bytes.len(), |last| last + 1)
    }
}

/// Passes the fields of an event on. Returns false if they cannot be read.
fn set<F: crate::event::EventFields>(event: &Event, apply: impl FnOnce(F)) -> bool {
    event.read::<F>().map(apply).is_some()
}
