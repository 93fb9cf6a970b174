//! Pages whose code is loaded when they are first shown.
//!
//! With the feature `split`, each is a WebAssembly module of its own, which the tool `wasm-split-cli`
//! cuts out of the program (see `client/README.md`). Without it, everything is in one module, and
//! nothing has to be loaded.

use leptos::prelude::*;
use moorline_shared::embed::EmbedKind;
use moorline_shared::id::{SessionId, WorkspaceId};
use moorline_shared::session::{AGENT_DRIVER, TMUX_DRIVER};

use crate::bindings::page;
use crate::bindings::part::{LoadError, load_pods_style, load_tmux_style};
use crate::pages::agent::embedded::EmbeddedAgent;
use crate::pages::agent::inbox::ApprovalsPage;
use crate::pages::embed::{EmbedPage, EmbedViews};
use crate::pages::pods::PodTemplates;
use crate::pages::terminal::PaneKnown;
use crate::pages::terminal::embedded::EmbeddedTerminal;
use crate::pages::tmux::TmuxPage;
use crate::pages::tmux::picker::{PickerClose, TmuxPicker};
use crate::pages::workspaces::WorkspaceShown;
use crate::pages::{
    AccessPage, AgentPage, LogInPage, SessionPage, TerminalPage, WorkspacePage, WorkspacesPage,
};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, SessionBrief};
use crate::session::overview::OverviewState;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;

/// Renders the page of a session.
type SessionPageView = fn(SessionId) -> AnyView;

/// Renders a page that is not about one session.
type LonePageView = fn() -> AnyView;

/// The result of loading a page.
type Loaded<View = SessionPageView> = Result<View, LoadError>;

/// The pages that are loaded on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagePart {
    /// The page of a session.
    Session,
    /// The page of a terminal.
    Terminal,
    /// The page of a terminal that is a pane of tmux.
    Tmux,
    /// The conversation of an agent session.
    Agent,
    /// The page of a session in a frame, around its view.
    Embed,
    /// A terminal in a frame.
    EmbeddedTerminal,
    /// A conversation in a frame.
    EmbeddedAgent,
}

impl PagePart {
    /// Loads the code in advance. If that fails, it is loaded when it is needed.
    pub async fn preload(self) {
        let _ = self.load().await;
    }

    async fn load(self) -> Loaded {
        match self {
            Self::Session => code::session().await,
            Self::Terminal => code::terminal().await,
            Self::Tmux => {
                load_tmux_style().await?;
                code::tmux().await
            }
            Self::Agent => code::agent().await,
            Self::Embed => code::embed().await,
            Self::EmbeddedTerminal => code::embedded_terminal().await,
            Self::EmbeddedAgent => code::embedded_agent().await,
        }
    }
}

/// The pages and dialogs that are not about one session, and are loaded on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LonePart {
    Approvals,
    Access,
    LogIn,
    TmuxPicker,
    PodTemplates,
    Workspaces,
    Workspace,
}

impl LonePart {
    async fn load(self) -> Loaded<LonePageView> {
        match self {
            Self::Approvals => code::approvals().await,
            Self::Access => code::access().await,
            Self::LogIn => code::log_in().await,
            Self::TmuxPicker => {
                load_tmux_style().await?;
                code::tmux_picker().await
            }
            Self::PodTemplates => {
                load_pods_style().await?;
                code::pod_templates().await
            }
            Self::Workspaces => code::workspaces().await,
            Self::Workspace => code::workspace().await,
        }
    }

    fn show(self) -> AnyView {
        loaded(move || self.load(), |view: LonePageView| view())
    }
}

/// Shows a page of a session, once its code is loaded.
pub fn session_page(part: PagePart, id: SessionId) -> AnyView {
    loaded(move || part.load(), move |view| view(id.clone()))
}

/// Shows the page of a terminal, or of the tmux session that its pane is in, once its code is loaded.
pub fn terminal_page(id: SessionId) -> AnyView {
    let overview = OverviewState::expect();
    let listed = untrack(|| overview.session(&id));
    let is_pane = RwSignal::new(listed.is_some_and(|session| session.driver == TMUX_DRIVER));
    provide_context(PaneKnown(is_pane));
    let part = Memo::new(move |_| if is_pane.get() { PagePart::Tmux } else { PagePart::Terminal });
    live(move || session_page(part.get(), id.clone()))
}

/// Shows what a user can open from the tmux servers of the hosts, once its code is loaded.
pub fn tmux_picker(close: Callback<()>) -> AnyView {
    provide_context(PickerClose(close));
    LonePart::TmuxPicker.show()
}

/// Shows the templates of pods, and the pods and volumes of sessions, once its code is loaded.
pub fn pod_templates() -> AnyView {
    LonePart::PodTemplates.show()
}

/// Shows the page of all open questions, once its code is loaded.
pub fn approvals_page() -> AnyView {
    LonePart::Approvals.show()
}

/// Shows the page of tokens and what was done with them, once its code is loaded.
pub fn access_page() -> AnyView {
    LonePart::Access.show()
}

/// Shows the page of all workspaces, once its code is loaded.
pub fn workspaces_page() -> AnyView {
    LonePart::Workspaces.show()
}

/// Shows the page of a workspace, once its code is loaded.
pub fn workspace_page(id: WorkspaceId) -> AnyView {
    provide_context(WorkspaceShown(id));
    LonePart::Workspace.show()
}

/// Shows the page that lets in a browser without access, once its code is loaded.
pub fn log_in_page() -> AnyView {
    LonePart::LogIn.show()
}

/// Shows the page of a session in a frame, once its code is loaded. It shows a view of this kind if
/// the relay does not tell the session's.
pub fn embed_page(id: SessionId, kind: EmbedKind) -> AnyView {
    let view = |kind, id| match kind {
        EmbedKind::Terminal => session_page(PagePart::EmbeddedTerminal, id),
        EmbedKind::Agent => session_page(PagePart::EmbeddedAgent, id),
    };
    provide_context(EmbedViews { by_address: kind, view });
    session_page(PagePart::Embed, id)
}

/// Loads a page's code, and shows it. An error is shown with a way to try again.
fn loaded<View, Loading>(
    load: impl Fn() -> Loading + Copy + Send + Sync + 'static,
    show: impl Fn(View) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    View: Copy + 'static,
    Loading: Future<Output = Result<View, LoadError>> + 'static,
{
    let code: OnDemand<View> = OnDemand::new();
    let load = move || code.load(load());
    load();
    live(move || match code.state() {
        LoadState::Ready => code.get().map(&show).into_any(),
        LoadState::Failed(error) => {
            view! { <NotLoaded error again=Callback::new(move |()| load()) /> }.into_any()
        }
        _ => view! { <main class="lone" aria-busy="true">"Opening…"</main> }.into_any(),
    })
}

/// Says that a page's code did not load.
#[component]
fn NotLoaded(error: LoadError, again: Callback<()>) -> impl IntoView {
    view! {
        <main class="lone">
            <div class="card" role="alert" data-testid="page-not-loaded">
                <h1>{error.to_string()}</h1>
                <p>"The network may be down, or the relay may have another version by now."</p>
                <div class="actions centred">
                    <button
                        class="button primary"
                        data-testid="load-page-again"
                        on:click=move |_| again.run(())
                    >
                        "Try again"
                    </button>
                    <button class="button" on:click=move |_| page::reload()>
                        "Reload the page"
                    </button>
                </div>
            </div>
        </main>
    }
}

/// Shows the page of a session: the conversation of an agent, or what is known of any other.
pub fn page_by_driver(id: SessionId) -> AnyView {
    let access = PageAccess::expect();
    let overview = OverviewState::expect();
    let listed = untrack(|| overview.session(&id)).map(|session| session.driver.clone());
    let driver = RwSignal::new(listed);
    if driver.with_untracked(Option::is_none) {
        let request = ApiRequest::get(format!("/api/session/{id}/status"));
        api::ask(access, request, move |answer| {
            // The session's page says why nothing can be shown.
            let known = answer.ok().and_then(|text| api::parse::<SessionBrief>(&text).ok());
            let _ = driver.try_set(Some(known.map(|known| known.driver).unwrap_or_default()));
        });
    }
    live(move || match driver.get().as_deref() {
        None => view! { <main class="lone" aria-busy="true">"Opening…"</main> }.into_any(),
        Some(AGENT_DRIVER) => session_page(PagePart::Agent, id.clone()),
        Some(_) => session_page(PagePart::Session, id.clone()),
    })
}

#[cfg(feature = "split")]
mod code {
    use wasm_split_helpers::wasm_split;

    use super::*;

    impl From<wasm_split_helpers::SplitLoaderError> for LoadError {
        fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
            Self::new("page")
        }
    }

    #[wasm_split(session, fallible)]
    pub(super) fn session() -> Loaded {
        Ok(|id| view! { <SessionPage id /> }.into_any())
    }

    #[wasm_split(terminal, fallible)]
    pub(super) fn terminal() -> Loaded {
        Ok(|id| view! { <TerminalPage id /> }.into_any())
    }

    #[wasm_split(later, fallible)]
    pub(super) fn tmux() -> Loaded {
        Ok(|id| view! { <TmuxPage id /> }.into_any())
    }

    #[wasm_split(later, fallible)]
    pub(super) fn tmux_picker() -> Loaded<LonePageView> {
        Ok(|| view! { <TmuxPicker /> }.into_any())
    }

    #[wasm_split(later, fallible)]
    pub(super) fn pod_templates() -> Loaded<LonePageView> {
        Ok(|| view! { <PodTemplates /> }.into_any())
    }

    #[wasm_split(later, fallible)]
    pub(super) fn workspaces() -> Loaded<LonePageView> {
        Ok(|| view! { <WorkspacesPage /> }.into_any())
    }

    #[wasm_split(later, fallible)]
    pub(super) fn workspace() -> Loaded<LonePageView> {
        Ok(|| view! { <WorkspacePage /> }.into_any())
    }

    #[wasm_split(embed, fallible)]
    pub(super) fn embed() -> Loaded {
        Ok(|id| view! { <EmbedPage id /> }.into_any())
    }

    #[wasm_split(terminal, fallible)]
    pub(super) fn embedded_terminal() -> Loaded {
        Ok(|id| view! { <EmbeddedTerminal id /> }.into_any())
    }

    #[wasm_split(agent, fallible)]
    pub(super) fn embedded_agent() -> Loaded {
        Ok(|id| view! { <EmbeddedAgent id /> }.into_any())
    }

    #[wasm_split(more, fallible)]
    pub(super) fn access() -> Loaded<LonePageView> {
        Ok(|| view! { <AccessPage /> }.into_any())
    }

    #[wasm_split(more, fallible)]
    pub(super) fn log_in() -> Loaded<LonePageView> {
        Ok(|| view! { <LogInPage /> }.into_any())
    }

    // Its cards are loaded behind a conversation, too.
    #[wasm_split(more, fallible)]
    pub(super) fn approvals() -> Loaded<LonePageView> {
        Ok(|| view! { <ApprovalsPage /> }.into_any())
    }

    #[wasm_split(agent, fallible)]
    pub(super) fn agent() -> Loaded {
        Ok(|id| view! { <AgentPage id /> }.into_any())
    }
}

#[cfg(not(feature = "split"))]
mod code {
    use super::*;

    pub(super) async fn session() -> Loaded {
        Ok(|id| view! { <SessionPage id /> }.into_any())
    }

    pub(super) async fn terminal() -> Loaded {
        Ok(|id| view! { <TerminalPage id /> }.into_any())
    }

    pub(super) async fn tmux() -> Loaded {
        Ok(|id| view! { <TmuxPage id /> }.into_any())
    }

    pub(super) async fn tmux_picker() -> Loaded<LonePageView> {
        Ok(|| view! { <TmuxPicker /> }.into_any())
    }

    pub(super) async fn pod_templates() -> Loaded<LonePageView> {
        Ok(|| view! { <PodTemplates /> }.into_any())
    }

    pub(super) async fn embed() -> Loaded {
        Ok(|id| view! { <EmbedPage id /> }.into_any())
    }

    pub(super) async fn embedded_terminal() -> Loaded {
        Ok(|id| view! { <EmbeddedTerminal id /> }.into_any())
    }

    pub(super) async fn embedded_agent() -> Loaded {
        Ok(|id| view! { <EmbeddedAgent id /> }.into_any())
    }

    pub(super) async fn workspaces() -> Loaded<LonePageView> {
        Ok(|| view! { <WorkspacesPage /> }.into_any())
    }

    pub(super) async fn workspace() -> Loaded<LonePageView> {
        Ok(|| view! { <WorkspacePage /> }.into_any())
    }

    pub(super) async fn access() -> Loaded<LonePageView> {
        Ok(|| view! { <AccessPage /> }.into_any())
    }

    pub(super) async fn log_in() -> Loaded<LonePageView> {
        Ok(|| view! { <LogInPage /> }.into_any())
    }

    pub(super) async fn approvals() -> Loaded<LonePageView> {
        Ok(|| view! { <ApprovalsPage /> }.into_any())
    }

    pub(super) async fn agent() -> Loaded {
        Ok(|id| view! { <AgentPage id /> }.into_any())
    }
}
