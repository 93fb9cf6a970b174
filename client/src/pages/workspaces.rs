//! The page of all workspaces, and the page of one.

pub mod dialogs;
pub mod list;
mod state;

use leptos::prelude::*;
use moorline_shared::id::WorkspaceId;
use moorline_shared::rest::CreateSession;

use crate::bindings::page;
use crate::pages::files::{files_view, with_style};
use crate::pages::frame::back::BackLink;
use crate::pages::frame::menu::AppMenu;
use crate::session::actions::Actions;
use crate::session::overview::OverviewState;
use crate::ui::menu::MenuButton;
use crate::ui::when::effect;
use crate::ui::{Icon, IconName, ReloadButton, When};
use dialogs::WorkspaceDialogs;
use list::WorkspaceRows;
use state::{WorkspaceDialog, WorkspacesState};

/// The workspace that the page below shows.
#[derive(Debug, Clone)]
pub struct WorkspaceShown(pub WorkspaceId);

/// Lists the workspaces, and makes, renames and deletes them.
#[component]
pub fn WorkspacesPage() -> impl IntoView {
    // Workspaces are shown with the names of their projects, and sessions come and go.
    OverviewState::expect().follow();
    let state = WorkspacesState::provide();
    page::set_title("Workspaces");
    view! {
        <div class="page">
            <header class="bar">
                <BackLink hint="All sessions" />
                <h1>"Workspaces"</h1>
                <span class="bar-fill"></span>
                <ReloadButton load=Callback::new(move |()| state.load()) />
                <When condition=move || state.may_write()>
                    <button
                        class="button primary"
                        data-testid="new-workspace"
                        on:click=move |_| state.dialog.set(Some(WorkspaceDialog::Create))
                    >
                        "New workspace…"
                    </button>
                </When>
                <MenuButton />
            </header>
            <AppMenu />
            <main class="workspaces" data-testid="workspaces-page">
                {with_style(|_| view! { <WorkspaceRows /> }.into_any())}
            </main>
            <WorkspaceDialogs />
        </div>
    }
}

/// Shows the files of a workspace.
#[component]
pub fn WorkspacePage() -> impl IntoView {
    let WorkspaceShown(id) = expect_context();
    let (state, actions) = (WorkspacesState::provide(), Actions::expect());
    let overview = OverviewState::expect();
    let own = id.clone();
    let workspace = Memo::new(move |_| state.workspace(&own));
    let (shown, started) = (id.to_string(), id.clone());
    let name = Signal::derive(move || {
        workspace.get().map_or_else(|| shown.clone(), |workspace| workspace.name)
    });
    effect(move || page::set_title(&name.get()));
    let ask = move |dialog: fn(_) -> WorkspaceDialog| {
        if let Some(workspace) = workspace.get_untracked() {
            state.dialog.set(Some(dialog(workspace)));
        }
    };
    let start = move |_| {
        let host = untrack(|| overview.usual_host());
        let project = workspace.get_untracked().and_then(|it| it.project);
        let workspace = Some(started.clone());
        actions.create(CreateSession { workspace, host, project, ..CreateSession::default() });
    };
    view! {
        <div class="page">
            <header class="bar">
                <a href="/workspaces" class="icon-button" title="All workspaces" aria-label="All workspaces">
                    <Icon name=IconName::Back />
                </a>
                <h1 class="bar-title"><bdi data-testid="workspace-name">{name}</bdi></h1>
                <span class="bar-fill"></span>
                <When condition=move || state.may_write() && workspace.with(Option::is_some)>
                    <button class="icon-button" title="Rename the workspace" aria-label="Rename the workspace"
                        data-testid="rename-workspace" on:click=move |_| ask(WorkspaceDialog::Rename)>
                        <Icon name=IconName::Pencil />
                    </button>
                    <button class="icon-button" title="Delete the workspace" aria-label="Delete the workspace"
                        data-testid="delete-workspace" on:click=move |_| ask(WorkspaceDialog::Delete)>
                        <Icon name=IconName::Bin />
                    </button>
                    <button class="button" data-testid="start-here" title="Start a shell with these files"
                        on:click=start.clone()>
                        <Icon name=IconName::Prompt />
                        "Shell"
                    </button>
                </When>
                <MenuButton />
            </header>
            <AppMenu />
            <main class="files-page">{files_view(id, true)}</main>
            <WorkspaceDialogs />
        </div>
    }
}
