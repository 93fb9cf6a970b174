//! Pages whose code is loaded when they are first shown.
//!
//! With the feature `split`, each is a WebAssembly module of its own, which the tool `wasm-split-cli`
//! cuts out of the program (see `client/README.md`). Without it, everything is in one module, and
//! nothing has to be loaded.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::bindings::page;
use crate::bindings::part::LoadError;
use crate::pages::{SessionPage, TerminalPage};
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;

/// Renders the page of a session.
type SessionView = fn(SessionId) -> AnyView;

/// The result of loading a page.
type Loaded = Result<SessionView, LoadError>;

/// The pages that are loaded on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagePart {
    /// The page of a session.
    Session,
    /// The page of a terminal.
    Terminal,
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
        }
    }
}

/// Shows a page of a session, once its code is loaded.
pub fn session_page(part: PagePart, id: SessionId) -> AnyView {
    let loaded: OnDemand<SessionView> = OnDemand::new();
    let load = move || loaded.load(part.load());
    load();
    live(move || match loaded.state() {
        LoadState::Ready => loaded.get().map(|view| view(id.clone())).into_any(),
        LoadState::Failed(error) => view! {
            <main class="lone">
                <div class="card" role="alert" data-testid="page-not-loaded">
                    <h1>{error.to_string()}</h1>
                    <p>"The network may be down, or the relay may have another version by now."</p>
                    <div class="actions centred">
                        <button
                            class="button primary"
                            data-testid="load-page-again"
                            on:click=move |_| load()
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
        .into_any(),
        _ => view! { <main class="lone" aria-busy="true">"Opening…"</main> }.into_any(),
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
}
