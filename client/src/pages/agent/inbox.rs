//! The page of all open questions, over all sessions.

use std::sync::Arc;

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use moorline_shared::rest::{ApprovalCard, ApprovalCards};
use serde_json::Value;

use super::decider::Decider;
use super::folds::FoldStates;
use super::paths::RelativePaths;
use super::{approval_card, parts};
use crate::bindings::{clock, page};
use crate::pages::frame::back::BackLink;
use crate::pages::frame::menu::AppMenu;
use crate::pages::frame::stream_status::StreamPill;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::overview::OverviewState;
use crate::session::route::PageRoute;
use crate::ui::When;
use crate::ui::highlight::CodeColours;
use crate::ui::menu::MenuButton;
use crate::ui::when::{each, effect};

/// The open questions, as far as they are known.
#[derive(Clone, Copy)]
struct ApprovalInbox {
    access: PageAccess,
    /// `None` until the relay has answered.
    cards: RwSignal<Option<Vec<ApprovalCard>>>,
    problem: RwSignal<Option<String>>,
    now: RwSignal<f64>,
    /// True once it is known that the page's token only reads.
    only_reads: RwSignal<bool>,
}

impl ApprovalInbox {
    fn learn_rights(self) {
        api::ask(self.access, ApiRequest::get("/api/login".to_owned()), move |answer| {
            let login = answer.and_then(|text| api::parse::<Value>(&text)).unwrap_or_default();
            let scope = login.get("scope").and_then(Value::as_str).unwrap_or_default();
            let _ = self.only_reads.try_set(scope.ends_with(":read"));
        });
    }

    fn load(self) {
        let request = ApiRequest::get("/api/approvals".to_owned());
        api::ask(self.access, request, move |answer| {
            match answer.and_then(|text| api::parse::<ApprovalCards>(&text)) {
                Ok(open) => {
                    let _ = self.problem.try_set(None);
                    let focused = page::place_of_focus("[data-testid=inbox-card]");
                    let _ = self.cards.try_set(Some(open.approvals));
                    if let Some(place) = focused {
                        keep_focus(place);
                    }
                }
                Err(error) => _ = self.problem.try_set(Some(error.to_string())),
            }
        });
    }

    fn card(self, id: &str) -> Option<ApprovalCard> {
        self.cards.with_untracked(|cards| {
            let mut all = cards.iter().flatten();
            all.find(|card| card.approval.request.approval_id.as_str() == id).cloned()
        })
    }
}

/// Moves the focus, if its card is gone, to the name of the session of the card that took its place.
/// The card itself would take keys that were meant for the one before.
fn keep_focus(place: u32) {
    request_animation_frame(move || page::focus_place(".inbox-session", place));
    page::focus_main_soon();
}

/// Shows all open questions, oldest first, each with what will be done and the possible answers.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    let overview = OverviewState::expect();
    overview.follow();
    CodeColours::provide();
    FoldStates::provide();
    parts::provide();
    let inbox = ApprovalInbox {
        access: PageAccess::expect(),
        cards: RwSignal::default(),
        problem: RwSignal::default(),
        now: RwSignal::new(clock::wall_ms()),
        only_reads: RwSignal::new(false),
    };
    inbox.learn_rights();
    let timer = Interval::new(1000, move || inbox.now.set(clock::wall_ms()));
    let _: StoredValue<Interval, LocalStorage> = StoredValue::new_local(timer);
    page::set_title("Approvals");
    // The list of sessions tells when a question came or went.
    let asked = Memo::new(move |_| {
        overview.sessions.with(|sessions| {
            let all = sessions.iter().flat_map(|sessions| sessions.iter());
            let of = |session: &Arc<moorline_shared::rest::SessionSummary>| {
                let open = session.agent.as_ref().map_or(0, |agent| agent.approvals);
                (open > 0)
                    .then(|| (session.session_id.clone(), open, session.last_activity.clone()))
            };
            all.filter_map(of).collect::<Vec<_>>()
        })
    });
    effect(move || {
        // Read, because a memo that nobody reads follows nothing.
        asked.with(|_| ());
        inbox.load();
    });
    let keys = move || {
        inbox.cards.with(|cards| {
            let all = cards.iter().flatten();
            all.map(|card| card.approval.request.approval_id.to_string()).collect()
        })
    };
    let is_empty = move || inbox.cards.with(|cards| cards.as_ref().is_some_and(Vec::is_empty));
    let retry = Callback::new(move |()| overview.retry());
    view! {
        <div class="page agent-page">
            <header class="bar">
                <BackLink hint="All sessions" />
                <h1 class="agent-name">"Approvals"</h1>
                <span class="bar-fill"></span>
                <StreamPill status=overview.status retry />
                <MenuButton />
            </header>
            <AppMenu />
            <main class="conversation-view" data-testid="approvals">
                <div class="conversation-rows">
                    <p class="problem" role="alert">{move || inbox.problem.get()}</p>
                    <When condition=is_empty>
                        <p class="conversation-empty" data-testid="no-approvals">"Nothing needs your approval."</p>
                    </When>
                    {each(keys, move |id| card(inbox, id))}
                </div>
            </main>
        </div>
    }
}

fn card(inbox: ApprovalInbox, id: &str) -> AnyView {
    let Some(ApprovalCard { session_id, session_name, approval }) = inbox.card(id) else {
        return ().into_any();
    };
    let address = PageRoute::Session(session_id.clone()).address();
    let name = if session_name.is_empty() { session_id.to_string() } else { session_name };
    let folder = RelativePaths::of(session_id.clone());
    let decider = Decider::Request(inbox.access, StoredValue::new(session_id), inbox.only_reads);
    view! {
        <section class="inbox-card" data-testid="inbox-card">
            <a class="inbox-session" href=address><bdi>{name}</bdi></a>
            {approval_card::card(&Arc::new(approval.request), inbox.now, decider, folder)}
        </section>
    }
    .into_any()
}
