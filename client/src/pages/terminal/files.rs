//! The files of the session's workspace beside the terminal, if it has one.

use leptos::prelude::*;
use moorline_shared::id::{SessionId, WorkspaceId};

use super::later_code::LaterCode;
use crate::bindings::storage::{self, Area};
use crate::pages::files::files_view;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, SessionBrief};
use crate::session::route::PageRoute;
use crate::ui::{Action, Icon, IconName, When};

/// Notes with this tab that the files are shown.
const OPEN: &str = "moorline.files-open";

/// The files beside the terminal of a page.
#[derive(Debug, Clone, Copy)]
pub struct FilesSide {
    /// The session's workspace; `None` if it has none, or until that is known.
    workspace: RwSignal<Option<String>>,
    is_open: RwSignal<bool>,
}

impl FilesSide {
    /// Asks for the workspace of a session, and provides the side to all components below.
    pub(super) fn provide(id: &SessionId) -> Self {
        let is_open = storage::get(Area::Tab, OPEN).is_some();
        let side = Self { workspace: RwSignal::default(), is_open: RwSignal::new(is_open) };
        provide_context(side);
        let request = ApiRequest::get(format!("/api/session/{id}/status"));
        api::ask(PageAccess::expect(), request, move |answer| {
            // Without an answer, the terminal says what is wrong.
            let brief = answer.and_then(|text| api::parse::<SessionBrief>(&text));
            let _ = side.workspace.try_set(brief.ok().and_then(|brief| brief.workspace));
        });
        side
    }

    /// Returns true if there are files to show; tracked.
    pub(super) fn is_there(self) -> bool {
        self.workspace.with(Option::is_some)
    }

    /// Returns the action that shows the files or hides them, if there are any; tracked.
    pub(super) fn action(self) -> Option<Action> {
        let group = "This terminal".into();
        let act = move || self.toggle();
        self.is_there().then(|| Action::new(&group, "files-beside", IconName::Folder, "Files", act))
    }

    /// Shows the files, or hides them.
    pub(super) fn toggle(self) {
        let is_open = !self.is_open.get_untracked();
        self.is_open.set(is_open);
        if is_open {
            storage::set(Area::Tab, OPEN, "1");
        } else {
            storage::remove(Area::Tab, OPEN);
        }
    }
}

/// The button that shows the files.
#[component]
pub(super) fn FilesButton() -> impl IntoView {
    // A terminal in a frame, or a pane of tmux, has no files beside it.
    let side: Option<FilesSide> = use_context();
    side.map(|side| {
        view! {
            <When condition=move || side.is_there()>
                <button
                    class="icon-button"
                    title="Files"
                    aria-label="Files"
                    aria-pressed=move || side.is_open.get().to_string()
                    data-testid="files-button"
                    on:click=move |_| side.toggle()
                >
                    <Icon name=IconName::Folder />
                </button>
            </When>
        }
    })
}

/// Shows the files, if somebody wants to see them, once their code is loaded.
#[component]
pub(super) fn FilesPanel() -> impl IntoView {
    let (side, later) = (expect_context::<FilesSide>(), LaterCode::expect());
    view! {
        <When condition=move || side.is_there() && side.is_open.get()>
            {later.show(|views| (views.files)())}
        </When>
    }
}

/// Shows the files.
pub(super) fn files_beside() -> AnyView {
    let side: FilesSide = expect_context();
    let id: Option<WorkspaceId> = side.workspace.with_untracked(|id| id.as_ref()?.parse().ok());
    let Some(id) = id else { return ().into_any() };
    let address = PageRoute::Workspace(id.clone()).address();
    view! {
        <aside class="files-beside" aria-label="Files" data-testid="files-beside">
            <div class="files-beside-head">
                <h2>"Files"</h2>
                <a class="button quiet" href=address>"On a page of its own"</a>
                <button
                    class="icon-button"
                    aria-label="Hide the files"
                    title="Hide the files"
                    data-testid="hide-files"
                    on:click=move |_| side.toggle()
                >
                    <Icon name=IconName::Cross />
                </button>
            </div>
            {files_view(id, false)}
        </aside>
    }
    .into_any()
}
