//! The page of an agent session: its conversation.

mod approval;
mod approval_card;
pub mod blocks;
pub mod composer;
mod decider;
mod diff_view;
mod earlier;
pub mod embedded;
pub mod find;
mod find_bar;
mod find_text;
mod folds;
mod fork_prompt;
mod form;
pub mod inbox;
mod message;
mod message_tools;
mod more_code;
mod parts;
mod paths;
pub mod queue;
mod queued;
pub mod review;
mod review_files;
mod review_undo;
mod rows;
mod sent_images;
pub mod settings;
mod shown;
mod state;
mod terminal_part;
mod tool;
mod tool_group;
mod tool_title;
pub mod view;

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::session::Lifecycle;

use composer::{Composer, PROMPT};
use find::{Find, find_title};
use folds::FoldStates;
use queue::{Activity, Plan, Queue};
use review::Review;
use state::ConversationState;
use view::Conversation;

use crate::bindings::keyboard::{self, Keys, Press};
use crate::bindings::page;
use crate::pages::frame::back::BackLink;
use crate::pages::frame::menu::AppMenu;
use crate::session::actions::Actions;
use crate::session::overview::OverviewState;
use crate::session::route::PageRoute;
use crate::session::view::LinkView;
use crate::session::words;
use crate::ui::highlight::CodeColours;
use crate::ui::menu::{MenuButton, MenuItem, MenuLink};
use crate::ui::when::{effect, live};
use crate::ui::{Action, Icon, IconName, When};

/// Shows the conversation of an agent session, and takes prompts and decisions.
#[component]
pub fn AgentPage(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let state = ConversationState::provide(id.clone());
    CodeColours::provide();
    FoldStates::provide();
    parts::provide();
    let overview = OverviewState::expect();
    overview.follow();
    let session = Memo::new({
        let id = id.clone();
        move |_| overview.session(&id)
    });
    let name = Memo::new(move |_| {
        let title = state.head.with(|head| head.info.title.clone());
        let given = session.get().and_then(|session| words::given_name(&session));
        given.or(title).unwrap_or_else(|| "Agent".to_owned())
    });
    effect(move || page::set_title(&name.get()));
    let is_finding = RwSignal::new(false);
    let place = NodeRef::<html::Div>::new();
    let keys = keyboard::page_keys(shortcut);
    let _: StoredValue<Keys, LocalStorage> = StoredValue::new_local(keys);
    let transcript = PageRoute::Terminal(id).address();
    let actions = Actions::expect();
    let more = move || {
        let session = session.get();
        let all = session.map(|session| actions.of_session(&session)).unwrap_or_default();
        all.into_iter().filter(|action| action.name != "open").map(entry).collect_view().into_any()
    };
    view! {
        <div class="page agent-page">
            <header class="bar">
                <BackLink />
                <h1 class="agent-name" data-testid="title"><bdi>{move || name.get()}</bdi></h1>
                <span class="bar-fill"></span>
                <Usage />
                <LinkPill />
                <button
                    class="icon-button"
                    title=find_title()
                    aria-label="Search"
                    data-testid="search-button"
                    on:click=move |_| is_finding.set(true)
                >
                    <Icon name=IconName::Search />
                </button>
                <MenuButton />
            </header>
            <AppMenu>
                <MenuLink icon=IconName::Text address=transcript name="transcript">"Transcript"</MenuLink>
                {live(more)}
                <hr />
            </AppMenu>
            <main class="conversation" data-testid="agent-page">
                <Find is_open=is_finding view=place />
                <Conversation place />
                <div class="conversation-foot">
                    <FootParts />
                </div>
            </main>
        </div>
    }
}

/// Handles the keys of the page.
fn shortcut(press: &Press) -> bool {
    if !press.plain() {
        return false;
    }
    match press.latin().as_str() {
        "p" => page::focus_id(PROMPT),
        "a" => page::move_focus("[data-testid=approval]", 1),
        "l" => page::load("/sessions"),
        _ => return false,
    }
    true
}

fn entry(action: Action) -> AnyView {
    let Action { name, title, icon, run, .. } = action;
    view! { <MenuItem icon name on_pick=Callback::new(move |()| run.run(()))>{title}</MenuItem> }
        .into_any()
}

/// The parts below the conversation, on a page of its own and in a frame.
#[component]
fn FootParts() -> impl IntoView {
    view! {
        <Plan />
        <Review />
        <Activity />
        <Queue />
        <Foot />
    }
}

/// The field for prompts, unless the session is over or may only be read.
#[component]
fn Foot() -> impl IntoView {
    let state = ConversationState::expect();
    let over = move || state.view.with(|view| matches!(view.link, LinkView::Ended(_)));
    let reads = move || state.view.with(|view| view.read_only);
    let away = move || state.view.with(|view| view.lifecycle == Some(Lifecycle::Detached));
    let waits =
        move || state.view.with(|view| !view.unanswered.is_empty() && !view.link.is_connected());
    view! {
        <When condition=move || away() && !over()>
            <p class="row-note" data-testid="host-away">
                "The agent's host is offline. What you send is kept, and delivered when it is back."
            </p>
        </When>
        <When condition=waits>
            <p class="row-note" data-testid="unsent">"Not sent yet. It will be sent when the connection is back."</p>
        </When>
        <When condition=over>
            <p class="row-note" data-testid="over">"This session has ended."</p>
        </When>
        <When condition=move || reads() && !over()>
            <p class="row-note">"You can only watch this session."</p>
        </When>
        <When condition=move || !over() && !reads()>
            <Composer />
        </When>
    }
}

/// The context and money that the agent has used.
#[component]
fn Usage() -> impl IntoView {
    let state = ConversationState::expect();
    let text = Memo::new(move |_| {
        state.head.with(|head| {
            let usage = &head.usage;
            let context = usage.used.zip(usage.size).filter(|(_, size)| *size > 0);
            let context = context.map(|(used, size)| format!("{} % of context", used * 100 / size));
            let cost = usage.cost.as_ref().map(|cost| {
                format!("{cost} {}", usage.currency.as_deref().unwrap_or_default())
                    .trim()
                    .to_owned()
            });
            [context, cost].into_iter().flatten().collect::<Vec<_>>().join(" · ")
        })
    });
    view! { <span class="usage" data-testid="usage">{move || text.get()}</span> }
}

/// The state of the link to the relay.
#[component]
fn LinkPill() -> impl IntoView {
    let state = ConversationState::expect();
    let link = Memo::new(move |_| state.view.with(|view| view.link.clone()));
    let shown = move || match link.get() {
        LinkView::Live => ("live", "Live"),
        LinkView::Connecting => ("busy", "Connecting…"),
        LinkView::CatchingUp { .. } => ("busy", "Catching up…"),
        LinkView::Silent => ("away", "Relay not answering"),
        LinkView::Waiting { .. } => ("away", "Offline"),
        LinkView::Ended(_) => ("good", "Ended"),
        LinkView::Refused { .. } => ("bad", "Refused"),
    };
    let waits = move || matches!(link.get(), LinkView::Waiting { .. });
    view! {
        <div class="status" data-testid="link" data-tone=move || shown().0>
            <span class="status-text" role="status">{move || shown().1}</span>
            <When condition=waits>
                <button class="status-button" on:click=move |_| state.retry()>"Retry now"</button>
            </When>
        </div>
    }
}
