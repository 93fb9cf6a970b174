//! The page of a session in a frame on another page: the session and nothing around it.

use leptos::prelude::*;
use moorline_shared::embed::EmbedKind;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_shared::session::AGENT_DRIVER;
use serde::Deserialize;

use crate::bindings::{page, parent};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::embed::hub::EmbedHub;
use crate::session::words;
use crate::ui::when::live;

/// The style of pages in frames. Others need not load it.
const STYLE: &str = include_str!("../style/embed.css");

/// The views of a page in a frame.
#[derive(Debug, Clone, Copy)]
pub struct EmbedViews {
    /// The kind to show if the relay does not tell the session's.
    pub by_address: EmbedKind,
    /// Renders the view of a session of a kind.
    pub view: fn(EmbedKind, SessionId) -> AnyView,
}

/// Shows a session as its kind is, once the page around has sent a token.
#[component]
pub fn EmbedPage(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let access = PageAccess::expect();
    let hub = EmbedHub::provide(id.clone());
    page::set_root_attribute("data-embed", Some(""));
    let refusal = Memo::new(move |_| {
        let by_api = access.is_refused().then_some(close::UNAUTHORIZED);
        hub.refusal().or(by_api)
    });
    let run = Memo::new(move |_| hub.run());
    let shown = move || match (refusal.get(), run.get()) {
        (Some(code), _) => {
            hub.close(code);
            refused(code, &id)
        }
        (None, 0) => waiting(),
        (None, _) => by_kind(hub, id.clone()),
    };
    view! {
        <div
            class="embed"
            data-testid="embed"
            data-ignored=move || hub.ignored().to_string()
            data-run=move || hub.run().to_string()
        >
            <style>{STYLE}</style>
            {live(shown)}
        </div>
    }
}

/// Says that nothing of the session is shown any more, and why.
fn refused(code: u16, id: &SessionId) -> AnyView {
    let (title, text) = match code {
        close::POLICY | close::UNAUTHORIZED => (
            "Access has ended",
            "The relay does not accept this page's token any more, or never did.".to_owned(),
        ),
        code => words::refusal(code, id.as_str()),
    };
    view! {
        <main class="embed-verdict" role="alert" data-testid="embed-refused">
            <h1>{title}</h1>
            <p>{text}</p>
        </main>
    }
    .into_any()
}

fn waiting() -> AnyView {
    let text = if parent::is_there() {
        "Waiting for access…"
    } else {
        "This page is made to be shown in another one, which sends its token."
    };
    view! {
        <main class="embed-verdict" aria-busy="true" data-testid="embed-waiting">
            <p role="status">{text}</p>
        </main>
    }
    .into_any()
}

/// The driver of a session, as far as an answer of the relay tells it.
#[derive(Deserialize)]
struct EmbedDriver {
    driver: String,
}

/// Shows a session as what it is. What an earlier frame handed on tells it without a request.
fn by_kind(hub: EmbedHub, id: SessionId) -> AnyView {
    let EmbedViews { by_address, view } = expect_context();
    let access = PageAccess::expect();
    let kind = RwSignal::new(hub.handed_kind());
    if kind.with_untracked(Option::is_none) {
        let request = ApiRequest::get(format!("/api/session/{id}/status"));
        api::ask(access, request, move |answer| {
            let known = answer.ok().and_then(|text| api::parse::<EmbedDriver>(&text).ok());
            // The view says why nothing can be shown.
            let _ = kind.try_set(Some(known.map_or(by_address, |known| {
                if known.driver == AGENT_DRIVER { EmbedKind::Agent } else { EmbedKind::Terminal }
            })));
        });
    }
    live(move || match kind.get() {
        None => view! {
            <main class="embed-verdict" aria-busy="true"><p role="status">"Connecting…"</p></main>
        }
        .into_any(),
        Some(kind) => view(kind, id.clone()),
    })
}
