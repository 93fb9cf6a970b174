//! The page of an agent session: its conversation.

mod approval;
pub mod composer;
mod diff_view;
mod form;
pub mod inbox;
mod message;
mod message_tools;
pub mod queue;
pub mod review;
mod rows;
pub mod settings;
mod state;
mod tool;

use leptos::html;
use leptos::prelude::*;
use moorline_shared::fold::ConversationItem;
use moorline_shared::id::SessionId;
use moorline_shared::session::Lifecycle;

use composer::{Composer, PROMPT};
use queue::{Activity, Plan, Queue};
use review::Review;
use rows::ConversationRow;
use state::ConversationState;

use crate::bindings::keyboard::{self, Keys, Press};
use crate::bindings::observe::{self, SizeWatch};
use crate::bindings::{page, scrolling};
use crate::pages::frame::back::BackLink;
use crate::pages::frame::menu::AppMenu;
use crate::session::actions::Actions;
use crate::session::overview::OverviewState;
use crate::session::route::PageRoute;
use crate::session::view::LinkView;
use crate::session::words;
use crate::ui::markdown::escaped;
use crate::ui::menu::{MenuButton, MenuItem, MenuLink};
use crate::ui::when::{each, effect, live};
use crate::ui::{Action, Icon, IconName, When};

/// Shows the conversation of an agent session, and takes prompts and decisions.
#[component]
pub fn AgentPage(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let state = ConversationState::provide(id.clone());
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
                <MenuButton />
            </header>
            <AppMenu>
                <MenuLink icon=IconName::Text address=transcript name="transcript">"Transcript"</MenuLink>
                {live(more)}
                <hr />
            </AppMenu>
            <main class="conversation" data-testid="agent-page">
                <Conversation />
                <div class="conversation-foot">
                    <Plan />
                    <Review />
                    <Activity />
                    <Queue />
                    <Foot />
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

/// The field for prompts, unless the session is over or may only be read.
#[component]
fn Foot() -> impl IntoView {
    let state = ConversationState::expect();
    let over = move || state.view.with(|view| matches!(view.link, LinkView::Ended(_)));
    let reads = move || state.view.with(|view| view.read_only);
    let away = move || state.view.with(|view| view.lifecycle == Some(Lifecycle::Detached));
    let waits = move || state.view.with(|view| view.unanswered > 0 && !view.link.is_connected());
    view! {
        <When condition=move || away() && !over()>
            <p class="row-note" data-testid="host-away">
                "The agent's machine is away. What you send is kept, and delivered when it is back."
            </p>
        </When>
        <When condition=waits>
            <p class="row-note" data-testid="unsent">"Not sent yet: it goes out once the relay answers."</p>
        </When>
        <When condition=over>
            <p class="row-note" data-testid="over">"This session is over."</p>
        </When>
        <When condition=move || reads() && !over()>
            <p class="row-note">"You can read this session only."</p>
        </When>
        <When condition=move || !over() && !reads()>
            <Composer />
        </When>
    }
}

/// The rows of the conversation. The view stays at the end while it is there, and at its place
/// otherwise.
#[component]
fn Conversation() -> impl IntoView {
    let state = ConversationState::expect();
    let place = NodeRef::<html::Div>::new();
    let content = NodeRef::<html::Div>::new();
    let at_end = RwSignal::new(true);
    let watch = StoredValue::new_local(None::<SizeWatch>);
    content.on_load(move |content| {
        let follow = move || {
            if let Some(place) = place.get_untracked().filter(|_| at_end.get_untracked()) {
                scrolling::to_end(&place);
            }
        };
        watch.set_value(Some(observe::size(&content, follow)));
    });
    let earlier = move || {
        let Some(place) = place.get_untracked() else { return };
        let from_end = scrolling::from_end(&place);
        state.show_earlier();
        request_animation_frame(move || scrolling::to_distance(&place, from_end));
    };
    let scrolled = move |_| {
        let Some(place) = place.get_untracked() else { return };
        at_end.set(scrolling::is_at_end(&place));
        if scrolling::is_near_start(&place) && untrack(|| state.has_earlier()) {
            earlier();
        }
    };
    let to_end = move |_| {
        at_end.set(true);
        if let Some(place) = place.get_untracked() {
            scrolling::to_end(&place);
        }
    };
    let keys = move || state.shown().iter().map(ConversationRow::key).collect();
    let omitted = move || state.head.with(|head| head.omitted);
    let empty = move || state.view.with(|view| view.is_known) && state.shown().is_empty();
    view! {
        <div class="conversation-view" node_ref=place on:scroll=scrolled tabindex="0" role="log" aria-label="Conversation">
            <div class="conversation-rows" node_ref=content data-testid="conversation">
                <When condition=move || state.has_earlier()>
                    <button class="button quiet" data-testid="show-earlier" on:click=move |_| earlier()>"Show earlier"</button>
                </When>
                <When condition=move || !state.has_earlier() && omitted() != 0>
                    <p class="row-note">{move || omitted()} " earlier steps are in the transcript only."</p>
                </When>
                <When condition=empty>
                    <p class="conversation-empty">"Nothing was said yet."</p>
                </When>
                {each(keys, move |key| row(state, key))}
            </div>
        </div>
        <When condition=move || !at_end.get()>
            <div class="to-end-place">
                <button class="to-end" aria-label="Go to the end" title="Go to the end" data-testid="to-end" on:click=to_end>
                    <Icon name=IconName::Down />
                </button>
            </div>
        </When>
    }
}

/// Renders the row with this key.
fn row(state: ConversationState, key: &str) -> AnyView {
    let Some(row) = untrack(|| state.row(key)) else { return ().into_any() };
    match row {
        ConversationRow::Item(key) => state.item(&key).map(item).unwrap_or_else(|| ().into_any()),
        ConversationRow::Tools(_) => {
            let key = key.to_owned();
            // The group grows while the agent works.
            let keys = Memo::new(move |_| match state.row(&key) {
                Some(ConversationRow::Tools(keys)) => keys,
                _ => Vec::new(),
            });
            live(move || keys.with(|keys| tool::tools(keys)))
        }
    }
}

fn item(item: RwSignal<std::sync::Arc<ConversationItem>>) -> AnyView {
    let known = item.get_untracked();
    match &*known {
        ConversationItem::Message(_) => message::message(item),
        ConversationItem::Tool(_) => tool::tool(item),
        ConversationItem::Approval { approval_id } => approval::approval(approval_id),
        ConversationItem::Update { update } => {
            let text = serde_json::to_string_pretty(update).unwrap_or_default();
            view! {
                <details class="tool" data-testid="unknown-update">
                    <summary><span class="tool-title">"Something that this page does not know"</span></summary>
                    <pre inner_html=escaped(&text)></pre>
                </details>
            }
            .into_any()
        }
        ConversationItem::Turn { turn_id } => message::unbegun_turn(turn_id.clone()),
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
