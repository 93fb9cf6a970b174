//! The data of a conversation's page.

use std::collections::BTreeSet;
use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::agent::content::MessageRole;
use moorline_shared::agent::prompt::TurnState;
use moorline_shared::embed::{EmbedCursor, EmbedKind};
use moorline_shared::event::{
    AgentChanges, AgentCommands, AgentConfig, AgentInfo, AgentPending, AgentPlan, AgentUsage,
};
use moorline_shared::fold::{
    ApprovalEntry, ApprovalList, Conversation, ConversationItem, ReportedState, TurnEntry, TurnList,
};
use moorline_shared::id::{ApprovalId, Cursor, SessionId, TurnId};
use moorline_shared::message::close;
use moorline_shared::rest::SendPrompt;
use serde_json::Value;

use super::paths::RelativePaths;
use super::shown::ShownRows;
use super::tool_group::ToolGroup;
use crate::bindings::clock;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::conversation::kept::KeptRequest;
use crate::session::conversation::{
    ConversationChange, ConversationHooks, ConversationLink, ConversationView, FramedConversation,
    ImagesPlace, LogProgress, PromptImages, UserRequest,
};
use crate::session::embed::{EmbedFrame, HandedView};
use crate::session::login;
use crate::session::view::LinkView;

/// What an agent says of itself, and the state of its turns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ConversationHead {
    pub(super) info: AgentInfo,
    /// The last state that it has reported.
    pub(super) reported: Option<ReportedState>,
    pub(super) turns: TurnList,
    pub(super) plan: AgentPlan,
    pub(super) config: AgentConfig,
    pub(super) commands: AgentCommands,
    pub(super) usage: AgentUsage,
    pub(super) changes: AgentChanges,
    /// The requests that wait for the host of the session.
    pub(super) pending: AgentPending,
}

impl ConversationHead {
    fn of(conversation: &Conversation, pending: &AgentPending) -> Self {
        Self {
            info: conversation.info.clone(),
            reported: conversation.summary.state.clone(),
            turns: conversation.summary.turns.clone(),
            plan: conversation.plan.clone(),
            config: conversation.config.clone(),
            commands: conversation.commands.clone(),
            usage: conversation.usage.clone(),
            changes: conversation.changes.clone(),
            pending: pending.clone(),
        }
    }

    /// Returns the queued prompts, next first. Those that the host does not have yet come last.
    pub(super) fn queued(&self) -> Vec<TurnEntry> {
        let mut queue: Vec<TurnEntry> = self.turns.queued().cloned().collect();
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
        self.turns.active()
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
    approvals: RwSignal<ApprovalList>,
    /// The rows of the page, and their items.
    pub(super) shown: ShownRows,
    /// The progress of reading earlier items from the log; `None` if nobody asked for them.
    pub(super) log: RwSignal<Option<LogProgress>>,
    /// True once the user has scrolled to where earlier items of the log are missing.
    pub(super) wants_log: RwSignal<bool>,
    /// The folder that paths are relative to.
    pub(super) folder: RelativePaths,
    /// The turns whose prompts are messages.
    begun: RwSignal<BTreeSet<TurnId>>,
    /// The turns of the conversation while it has no other items; `None` once it has some.
    only_turns: RwSignal<Option<Vec<TurnId>>>,
    /// The place after the last item that was searched for these.
    taken: StoredValue<u64>,
    /// The first place whose item has changed since a search has read it; `None` if none has.
    pub(super) touched: RwSignal<Option<u64>>,
    /// The images of the prompts.
    pub(super) images: StoredValue<PromptImages, LocalStorage>,
    /// The label of this page's token; empty while it is not known, `None` if nobody asked for it.
    own_label: RwSignal<Option<String>>,
    /// The reason why the last request was refused.
    pub(super) problem: RwSignal<Option<String>>,
    /// Text that the page around has for the draft of the next prompt.
    pub(super) inserted: RwSignal<Option<String>>,
    /// The frame that this page is in, if another page shows it.
    frame: StoredValue<Option<EmbedFrame>>,
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
            approvals: RwSignal::default(),
            shown: ShownRows::new(),
            log: RwSignal::default(),
            wants_log: RwSignal::new(false),
            folder: RelativePaths::of(id.clone()),
            begun: RwSignal::default(),
            only_turns: RwSignal::new(Some(Vec::new())),
            taken: StoredValue::new(0),
            touched: RwSignal::default(),
            images: StoredValue::new_local(PromptImages::default()),
            own_label: RwSignal::default(),
            problem: RwSignal::default(),
            inserted: RwSignal::default(),
            frame: StoredValue::new(use_context()),
        };
        let hooks = ConversationHooks {
            show: Box::new(move |view| state.show(view)),
            changed: Box::new(move |changes| state.changed(&changes)),
        };
        let framed = state.frame.get_value().map(|frame| FramedConversation {
            handed: frame.take_handed(EmbedKind::Agent).map(|handed| {
                let HandedView { cursor: EmbedCursor { epoch, seq, .. }, bytes } = handed;
                (Cursor { epoch, seq }, bytes.to_vec())
            }),
            only_watches: frame.only_watches(),
        });
        let link = ConversationLink::open(id, access.token(), framed, hooks);
        state.link.set_value(Some(link));
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

    /// Reads the conversation; `None` while it changes, or once the page is gone.
    pub(super) fn read<T>(self, read: impl FnOnce(&Conversation) -> T) -> Option<T> {
        self.link()?.read(|conversation, _| read(conversation))
    }

    /// Returns the item at a place. It changes while the agent works on it.
    pub(super) fn item(self, place: u64) -> Option<RwSignal<Arc<ConversationItem>>> {
        self.read(|conversation| self.shown.item(place, conversation)).flatten()
    }

    /// Returns the group with the tool call at a place.
    pub(super) fn group(self, place: u64) -> RwSignal<ToolGroup> {
        self.read(|conversation| self.shown.group(place, conversation)).unwrap_or_default()
    }

    /// Returns a turn that is shown though the agent never got its prompt; tracked. It has ended
    /// otherwise than by being withdrawn.
    pub(super) fn unbegun(self, id: &TurnId) -> Option<TurnEntry> {
        let turn = self.turn(id)?;
        let is_shown = matches!(turn.state, TurnState::Failed | TurnState::Cancelled);
        (is_shown && !self.begun.with(|begun| begun.contains(id))).then_some(turn)
    }

    /// Returns true if the conversation is known and has nothing to show; tracked.
    pub(super) fn is_empty(self) -> bool {
        self.view.with(|view| view.is_known)
            && self.only_turns.with(|turns| {
                turns.as_ref().is_some_and(|all| all.iter().all(|id| self.unbegun(id).is_none()))
            })
    }

    /// Returns an approval; tracked.
    pub(super) fn approval(self, id: &ApprovalId) -> Option<ApprovalEntry> {
        self.approvals.with(|approvals| approvals.get(id).cloned())
    }

    /// Returns the number of questions that wait for a decision; tracked.
    pub(super) fn open_approvals(self) -> usize {
        self.approvals.with(|approvals| approvals.open(clock::wall_ms() as u64).count())
    }

    /// Returns a turn; tracked.
    pub(super) fn turn(self, id: &TurnId) -> Option<TurnEntry> {
        self.head.with(|head| head.turns.get(id).cloned())
    }

    /// Returns the link to the conversation, until the page is gone.
    pub(super) fn link(self) -> Option<ConversationLink> {
        self.link.try_get_value().flatten()
    }

    pub(super) fn token(self) -> Option<String> {
        self.access.token()
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
        // Cloned, because an answer may come at once, and read the link.
        if let Some(link) = self.link() {
            link.request(request, self.shown_answer(then));
        }
    }

    /// Returns a callback that shows a refusal before it calls `then`.
    fn shown_answer(
        self,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) -> impl FnOnce(Result<(), String>) + 'static {
        move |answer| {
            if let Err(sentence) = &answer {
                let _ = self.problem.try_set(Some(sentence.clone()));
            }
            then(answer);
        }
    }

    fn keep_images(self, turn: &TurnId, prompt: &SendPrompt) {
        self.images.with_value(|images| images.keep(turn.clone(), prompt.images.as_slice().into()));
    }

    /// Sends a prompt as a new turn, until it is answered. A refusal is shown.
    pub(super) fn prompt(
        self,
        prompt: SendPrompt,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) {
        let turn = TurnId::from_random(clock::random_bits());
        self.keep_images(&turn, &prompt);
        self.request(UserRequest::Prompt(turn, prompt), then);
    }

    /// Sends a prompt or a decision that an earlier page has kept, until it is answered. A refusal is
    /// shown.
    pub(super) fn request_again(
        self,
        kept: KeptRequest,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) {
        if let UserRequest::Prompt(turn, prompt) = &kept.request {
            self.keep_images(turn, prompt);
        }
        if let Some(link) = self.link() {
            link.request_again(kept, self.shown_answer(then));
        }
    }

    /// Returns the decision about an approval, while it is not sent or has no answer and the relay does
    /// not answer; tracked.
    pub(super) fn unsent_decision(self, id: &ApprovalId) -> Option<bool> {
        self.view.with(|view| {
            let mut all = view.unanswered.iter().filter(|_| !view.link.is_connected());
            all.find_map(|unanswered| match &*unanswered.request {
                UserRequest::Decide(of, decision) if of == id => {
                    Some(decision.approved == Some(true))
                }
                _ => None,
            })
        })
    }

    /// Asks for the label of this page's token, unless that was done.
    pub(super) fn learn_own_label(self) {
        if self.own_label.with_untracked(Option::is_none) {
            self.own_label.set(Some(String::new()));
            api::ask(self.access, ApiRequest::get("/api/login".to_owned()), move |answer| {
                let login = answer.ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
                let field = |name: &str| login.as_ref()?.get(name)?.as_str();
                // As others see it: a token without a label is named by its scope.
                let label = field("label").or_else(|| field("scope"));
                let _ = self.own_label.try_set(Some(label.unwrap_or_default().to_owned()));
            });
        }
    }

    /// Says who has decided or sent something, by the label of their token: "you" for this page's own;
    /// tracked.
    pub(super) fn who(self, label: &str) -> String {
        match label {
            _ if label.starts_with("rule ") => "a rule".to_owned(),
            _ if self.own_label.with(|own| own.as_deref() == Some(label)) => "you".to_owned(),
            _ => label.to_owned(),
        }
    }

    /// Returns the place of a prompt's images in the log; tracked. `None` if the conversation does not
    /// have it.
    pub(super) fn images_place(self, turn: &TurnId) -> Option<ImagesPlace> {
        self.head.track();
        let seq = self.read(|conversation| conversation.images_of(turn)).flatten()?;
        let epoch = self.link()?.cursor()?.epoch;
        Some(ImagesPlace { turn: turn.clone(), first: Cursor { epoch, seq } })
    }

    /// Sends a request about the session to the REST API, at `path` beneath it. A refusal is shown.
    pub(super) fn ask(self, request: impl FnOnce(String) -> ApiRequest, path: &str) {
        self.ask_then(request, path, || ());
    }

    /// Like [`ConversationState::ask`], and calls `then` once the relay has done it.
    pub(super) fn ask_then(
        self,
        request: impl FnOnce(String) -> ApiRequest,
        path: &str,
        then: impl FnOnce() + 'static,
    ) {
        if self.frame.get_value().is_some_and(EmbedFrame::only_watches) {
            return self.problem.set(Some("This page can only watch the session.".to_owned()));
        }
        self.problem.set(None);
        let request = request(format!("/api/session/{}/{path}", self.id()));
        api::ask(self.access, request, move |answer| match answer {
            Ok(_) => then(),
            Err(error) => _ = self.problem.try_set(Some(error.to_string())),
        });
    }

    /// Gets something of the session from the REST API, at `path` beneath it.
    pub(super) fn get(self, path: &str, then: impl FnOnce(Result<String, RequestError>) + 'static) {
        let request = ApiRequest::get(format!("/api/session/{}/{path}", self.id()));
        api::ask(self.access, request, then);
    }

    /// Tells the relay that a question is on the screen. Nobody minds if that fails.
    pub(super) fn seen(self, id: &ApprovalId) {
        if !self.view.with_untracked(|view| view.read_only) {
            report_seen(self.access, &self.id(), id);
        }
    }

    fn show(self, view: ConversationView) {
        if view.link == (LinkView::Refused { code: close::UNAUTHORIZED }) {
            login::check(self.access);
        }
        let _ = self.view.try_set(view);
    }

    fn changed(self, changes: &BTreeSet<ConversationChange>) {
        if let Some(frame) = self.frame.try_get_value().flatten() {
            frame.changed();
        }
        let Some(link) = self.link() else { return };
        link.read(|conversation, pending| self.take(changes, conversation, pending));
    }

    fn take(
        self,
        changes: &BTreeSet<ConversationChange>,
        conversation: &Conversation,
        pending: &AgentPending,
    ) {
        let is_new = changes.contains(&ConversationChange::All);
        if is_new || changes.contains(&ConversationChange::State) {
            self.head.set(Arc::new(ConversationHead::of(conversation, pending)));
        }
        if is_new || changes.contains(&ConversationChange::Approvals) {
            self.approvals.set(conversation.summary.approvals.clone());
        }
        if is_new {
            self.begun.update(BTreeSet::clear);
            self.only_turns.set(Some(Vec::new()));
            self.taken.set_value(0);
        }
        self.begin_turns(conversation);
        let item = |change: &ConversationChange| match change {
            ConversationChange::Item(place) => Some(*place),
            _ => None,
        };
        let changed: Vec<u64> = changes.iter().filter_map(item).collect();
        self.touch(if is_new { Some(0) } else { changed.iter().copied().min() });
        self.shown.follow(conversation, &changed, is_new);
    }

    /// Notes the first place of a change for whoever searches.
    fn touch(self, place: Option<u64>) {
        let known = self.touched.get_untracked();
        if let Some(place) = place.filter(|place| known.is_none_or(|known| *place < known)) {
            self.touched.set(Some(place));
        }
    }

    /// Notes the turns whose prompts are among the new messages, and whether there is anything but
    /// turns.
    fn begin_turns(self, conversation: &Conversation) {
        let new = self.taken.get_value().max(conversation.omitted)..conversation.end();
        self.taken.set_value(conversation.end());
        if new.is_empty() {
            return;
        }
        let items = || new.clone().filter_map(|place| conversation.item_at(place));
        if let Some(mut turns) = self.only_turns.get_untracked() {
            let turn = |item: &ConversationItem| match item {
                ConversationItem::Turn { turn_id, .. } => Some(turn_id.clone()),
                _ => None,
            };
            turns.extend(items().map_while(turn));
            let has_others = conversation.omitted > 0 || items().any(|item| turn(item).is_none());
            self.only_turns.set(Some(turns).filter(|_| !has_others));
        }
        let begun: Vec<TurnId> = items().filter_map(begun_turn).collect();
        if !begun.is_empty() {
            self.begun.update(|known| known.extend(begun));
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
