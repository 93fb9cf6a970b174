//! The data of a conversation's page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::agent::content::MessageRole;
use moorline_shared::agent::prompt::TurnState;
use moorline_shared::event::{
    AgentChanges, AgentCommands, AgentConfig, AgentInfo, AgentPending, AgentPlan, AgentUsage,
};
use moorline_shared::fold::{
    AgentSummary, ApprovalEntry, Conversation, ConversationItem, TurnEntry,
};
use moorline_shared::id::{ApprovalId, SessionId, TurnId};
use moorline_shared::message::close;

use super::rows::{ConversationRow, RowList, key_of};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::conversation::{
    ConversationChange, ConversationHooks, ConversationLink, ConversationView, UserRequest,
};
use crate::session::view::LinkView;

/// The number of rows that a page shows at first, and that each step back adds.
const STEP: usize = 60;

/// What an agent says of itself, and the state of its turns and approvals.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ConversationHead {
    pub(super) info: AgentInfo,
    pub(super) summary: AgentSummary,
    pub(super) plan: AgentPlan,
    pub(super) config: AgentConfig,
    pub(super) commands: AgentCommands,
    pub(super) usage: AgentUsage,
    pub(super) changes: AgentChanges,
    /// The requests that wait for the host of the session.
    pub(super) pending: AgentPending,
    /// The number of items that are left out at the beginning.
    pub(super) omitted: u64,
}

impl ConversationHead {
    fn of(conversation: &Conversation, pending: &AgentPending) -> Self {
        Self {
            info: conversation.info.clone(),
            summary: conversation.summary.clone(),
            plan: conversation.plan.clone(),
            config: conversation.config.clone(),
            commands: conversation.commands.clone(),
            usage: conversation.usage.clone(),
            changes: conversation.changes.clone(),
            pending: pending.clone(),
            omitted: conversation.omitted,
        }
    }

    /// Returns the queued prompts, next first. Those that the host does not have yet come last.
    pub(super) fn queued(&self) -> Vec<TurnEntry> {
        let mut queue: Vec<TurnEntry> = self.summary.turns.queued().cloned().collect();
        for turn in &self.pending.turns {
            match queue.iter().position(|known| known.turn_id == turn.turn_id) {
                Some(place) if turn.state == TurnState::Queued => {
                    let known = &mut queue[place];
                    if let Some(prompt) = turn.prompt.clone() {
                        (known.prompt, known.truncated) = (prompt, turn.truncated);
                    }
                }
                Some(place) => _ = queue.remove(place),
                None if turn.state == TurnState::Queued => queue.push(TurnEntry {
                    turn_id: turn.turn_id.clone(),
                    state: turn.state,
                    prompt: turn.prompt.clone().unwrap_or_default(),
                    by: turn.by.clone(),
                    queued_at: 0,
                    changed_at: 0,
                    stop_reason: None,
                    usage: None,
                    error: None,
                    retry_of: turn.retry_of.clone(),
                    truncated: turn.truncated,
                    pending: true,
                }),
                None => {}
            }
        }
        let place = |turn: &TurnEntry| {
            self.pending.order.iter().position(|id| *id == turn.turn_id).unwrap_or(usize::MAX)
        };
        queue.sort_by_key(place);
        queue
    }

    /// Returns the turn that runs.
    pub(super) fn active(&self) -> Option<&TurnEntry> {
        self.summary.turns.active()
    }
}

/// The data of a conversation's page.
#[derive(Clone, Copy)]
pub(super) struct ConversationState {
    access: PageAccess,
    id: StoredValue<SessionId>,
    link: StoredValue<Option<ConversationLink>, LocalStorage>,
    pub(super) view: RwSignal<ConversationView>,
    pub(super) head: RwSignal<Arc<ConversationHead>>,
    /// All rows, oldest first.
    rows: RwSignal<RowList>,
    /// The place of the first row that is shown.
    first: RwSignal<usize>,
    /// The items by their keys.
    items: StoredValue<BTreeMap<String, RwSignal<Arc<ConversationItem>>>>,
    /// The turns whose prompts are messages.
    begun: RwSignal<BTreeSet<TurnId>>,
    /// The reason why the last request was refused.
    pub(super) problem: RwSignal<Option<String>>,
}

impl ConversationState {
    /// Follows the conversation, and provides it to all components below.
    pub(super) fn provide(id: SessionId) -> Self {
        let access = PageAccess::expect();
        let state = Self {
            access,
            id: StoredValue::new(id.clone()),
            link: StoredValue::new_local(None),
            view: RwSignal::default(),
            head: RwSignal::default(),
            rows: RwSignal::default(),
            first: RwSignal::new(0),
            items: StoredValue::default(),
            begun: RwSignal::default(),
            problem: RwSignal::default(),
        };
        let hooks = ConversationHooks {
            show: Box::new(move |view| state.show(view)),
            changed: Box::new(move |changes| state.changed(&changes)),
        };
        state.link.set_value(Some(ConversationLink::open(id, access.token(), hooks)));
        provide_context(state);
        state
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Returns the session's id.
    pub(super) fn id(self) -> SessionId {
        self.id.get_value()
    }

    /// Returns the keys of the rows that are shown; tracked.
    pub(super) fn shown(self) -> Vec<ConversationRow> {
        let first = self.first.get();
        self.rows.with(|rows| rows.from(first).to_vec())
    }

    /// Returns the row with this key, if it is shown; tracked.
    pub(super) fn row(self, key: &str) -> Option<ConversationRow> {
        let first = self.first.get();
        self.rows.with(|rows| rows.from(first).iter().find(|row| row.key() == key).cloned())
    }

    /// Returns true if there are rows before those that are shown; tracked.
    pub(super) fn has_earlier(self) -> bool {
        self.first.get() > 0
    }

    /// Shows more rows of the past.
    pub(super) fn show_earlier(self) {
        self.first.update(|first| *first = first.saturating_sub(STEP));
    }

    /// Returns an item. It changes while the agent works on it.
    pub(super) fn item(self, key: &str) -> Option<RwSignal<Arc<ConversationItem>>> {
        self.items.with_value(|items| items.get(key).copied())
    }

    /// Returns true if the prompt of a turn is a message, because the agent got it; tracked.
    pub(super) fn has_begun(self, id: &TurnId) -> bool {
        self.begun.with(|begun| begun.contains(id))
    }

    /// Returns an approval; tracked.
    pub(super) fn approval(self, id: &ApprovalId) -> Option<ApprovalEntry> {
        self.head.with(|head| head.summary.approvals.get(id).cloned())
    }

    /// Returns a turn; tracked.
    pub(super) fn turn(self, id: &TurnId) -> Option<TurnEntry> {
        self.head.with(|head| head.summary.turns.get(id).cloned())
    }

    /// Dials at once.
    pub(super) fn retry(self) {
        self.link.with_value(|link| link.iter().for_each(ConversationLink::retry));
    }

    /// Sends a request until it is answered. A refusal is shown.
    pub(super) fn request(
        self,
        request: UserRequest,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) {
        let _ = self.problem.try_set(None);
        let answered = move |answer: Result<(), String>| {
            if let Err(sentence) = &answer {
                let _ = self.problem.try_set(Some(sentence.clone()));
            }
            then(answer);
        };
        // Cloned, because an answer may come at once, and read the link.
        if let Some(link) = self.link.try_get_value().flatten() {
            link.request(request, answered);
        }
    }

    /// Sends a request about the session to the REST API, at `path` beneath it. A refusal is shown.
    pub(super) fn ask(self, request: impl FnOnce(String) -> ApiRequest, path: &str) {
        self.problem.set(None);
        let request = request(format!("/api/session/{}/{path}", self.id()));
        api::ask(self.access, request, move |answer| {
            if let Err(error) = answer {
                let _ = self.problem.try_set(Some(error.to_string()));
            }
        });
    }

    /// Tells the relay that a question is on the screen. Nobody minds if that fails.
    pub(super) fn seen(self, id: &ApprovalId) {
        if !self.view.with_untracked(|view| view.read_only) {
            report_seen(self.access, &self.id(), id);
        }
    }

    fn show(self, view: ConversationView) {
        if view.link == (LinkView::Refused { code: close::UNAUTHORIZED }) {
            self.access.refuse();
        }
        let _ = self.view.try_set(view);
    }

    fn changed(self, changes: &BTreeSet<ConversationChange>) {
        let Some(link) = self.link.try_get_value().flatten() else { return };
        link.read(|conversation, pending| self.take(changes, conversation, pending));
    }

    fn take(
        self,
        changes: &BTreeSet<ConversationChange>,
        conversation: &Conversation,
        pending: &AgentPending,
    ) {
        let is_new = changes.contains(&ConversationChange::All);
        if is_new {
            self.items.update_value(BTreeMap::clear);
            self.begun.update(BTreeSet::clear);
            self.rows.update_untracked(|rows| *rows = RowList::default());
        }
        let before = self.rows.with_untracked(RowList::taken);
        self.items.update_value(|items| {
            let known = before.saturating_sub(conversation.omitted) as usize;
            let new = conversation.items.get(known..).unwrap_or_default();
            for (place, item) in (conversation.omitted + known as u64..).zip(new) {
                items.insert(key_of(item, place), RwSignal::new(Arc::new(item.clone())));
                if let Some(turn) = begun_turn(item) {
                    self.begun.update(|begun| _ = begun.insert(turn));
                }
            }
        });
        for item in changes.iter().filter_map(|change| changed_item(change, conversation)) {
            // The place matters for updates only, which do not change.
            if let Some(known) = self.item(&key_of(item, 0)) {
                known.set(Arc::new(item.clone()));
            }
        }
        self.head.set(Arc::new(ConversationHead::of(conversation, pending)));
        if conversation.omitted + conversation.items.len() as u64 != before || is_new {
            self.rows.update(|rows| rows.extend(conversation));
        }
        if is_new {
            let last = self.rows.with_untracked(RowList::len).saturating_sub(STEP);
            self.first.set(last);
        }
    }
}

/// Tells the relay that a question of a session is on the screen. Nobody minds if that fails.
pub(super) fn report_seen(access: PageAccess, session: &SessionId, id: &ApprovalId) {
    let path = format!("/api/session/{session}/approvals/{id}/seen");
    api::ask(access, ApiRequest::post_nothing(path), |_| ());
}

/// Returns the turn that a message is the prompt of.
fn begun_turn(item: &ConversationItem) -> Option<TurnId> {
    match item {
        ConversationItem::Message(message) if message.role == MessageRole::User => {
            message.turn_id.clone()
        }
        _ => None,
    }
}

fn changed_item<'a>(
    change: &ConversationChange,
    conversation: &'a Conversation,
) -> Option<&'a ConversationItem> {
    match change {
        ConversationChange::Message(id) => conversation.message_item(id),
        ConversationChange::Tool(id) => conversation.tool_item(id),
        ConversationChange::All | ConversationChange::State => None,
    }
}
