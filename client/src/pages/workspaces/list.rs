//! The list of workspaces.

use leptos::prelude::*;
use moorline_shared::rest::WorkspaceSummary;

use super::state::{WorkspaceDialog, WorkspacesState};
use crate::bindings::clock;
use crate::session::overview::OverviewState;
use crate::session::route::PageRoute;
use crate::session::words;
use crate::ui::When;
use crate::ui::when::live;

/// Shows the workspaces, or why there are none.
#[component]
pub fn WorkspaceRows() -> impl IntoView {
    let state = WorkspacesState::expect();
    // An answer that says the same leaves the rows and the focus as they are.
    let list = Memo::new(move |_| state.list.get());
    view! {
        <div class="workspaces-column">
            <p class="problem" role="alert" data-testid="workspaces-problem">{move || state.problem.get()}</p>
            <p class="files-note" role="status" data-testid="workspaces-note">{move || state.note.get()}</p>
            {live(move || match list.get() {
                None => ().into_any(),
                Some(list) if list.is_empty() => empty(state),
                Some(list) => {
                    let rows = list.iter().map(|workspace| row(state, workspace));
                    view! { <ul class="workspaces-list" data-testid="workspaces">{rows.collect_view()}</ul> }.into_any()
                }
            })}
        </div>
    }
}

fn empty(state: WorkspacesState) -> AnyView {
    view! {
        <section class="workspaces-empty" data-testid="no-workspaces">
            <h2>"No workspaces yet"</h2>
            <p>
                "A workspace is a set of files that the relay keeps in sync with the folders of the sessions that \
                 use it. Several sessions, on several machines, can use the same one."
            </p>
            <When condition=move || state.may_write()>
                <button class="button primary" on:click=move |_| state.dialog.set(Some(WorkspaceDialog::Create))>
                    "New workspace…"
                </button>
            </When>
        </section>
    }
    .into_any()
}

fn row(state: WorkspacesState, workspace: &WorkspaceSummary) -> AnyView {
    let overview = OverviewState::expect();
    let name = words::plain(&workspace.name);
    let address = PageRoute::Workspace(workspace.id.clone()).address();
    let project = workspace.project.clone();
    let age = clock::parse_rfc3339(&workspace.created_at).map(|at| {
        match words::ago(clock::wall_ms() - at) {
            now if now == "now" => "made just now".to_owned(),
            age => format!("made {age} ago"),
        }
    });
    let sessions = match workspace.sessions {
        0 => "no session uses it".to_owned(),
        1 => "1 session uses it".to_owned(),
        count => format!("{count} sessions use it"),
    };
    let about = move || {
        let project = project.as_ref().and_then(|id| overview.project_name(id));
        let parts = [project, Some(sessions.clone()), age.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    };
    let (renamed, deleted) =
        (StoredValue::new(workspace.clone()), StoredValue::new(workspace.clone()));
    let labels = [format!("Rename {name}"), format!("Delete {name}")];
    let [rename_label, delete_label] = labels;
    view! {
        <li class="workspaces-row" data-testid="workspace-row" data-id=workspace.id.to_string()>
            <a class="workspaces-about" href=address data-testid="open-workspace">
                <bdi class="workspaces-name">{name}</bdi>
                <span class="row-note">{about}</span>
            </a>
            <When condition=move || state.may_write()>
                <div class="workspaces-actions">
                    <button class="button" aria-label=rename_label.clone() data-testid="rename-workspace"
                        on:click=move |_| state.dialog.set(Some(WorkspaceDialog::Rename(renamed.get_value())))>
                        "Rename…"
                    </button>
                    <button class="button quiet bad" aria-label=delete_label.clone() data-testid="delete-workspace"
                        on:click=move |_| state.dialog.set(Some(WorkspaceDialog::Delete(deleted.get_value())))>
                        "Delete…"
                    </button>
                </div>
            </When>
        </li>
    }
    .into_any()
}
