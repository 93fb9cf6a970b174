//! The list of workspaces, and the requests that change it.

use leptos::prelude::*;
use moorline_shared::id::{ProjectId, WorkspaceId};
use moorline_shared::rest::{
    CreateWorkspace, LoginStatus, RenameWorkspace, WorkspaceChanged, WorkspaceList,
    WorkspaceSummary,
};

use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::route::{PageRoute, Router};
use crate::session::words;

/// A dialog about workspaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WorkspaceDialog {
    /// Asks for the name of a new one.
    Create,
    /// Asks for another name.
    Rename(WorkspaceSummary),
    /// Asks whether to delete it.
    Delete(WorkspaceSummary),
}

/// The workspaces that this browser's token reaches.
#[derive(Clone, Copy)]
pub(super) struct WorkspacesState {
    access: PageAccess,
    router: Router,
    /// The workspaces, by name; `None` until the relay has answered.
    pub(super) list: RwSignal<Option<Vec<WorkspaceSummary>>>,
    /// The reason why the last request failed.
    pub(super) problem: RwSignal<Option<String>>,
    /// A sentence about the last change.
    pub(super) note: RwSignal<Option<String>>,
    /// The dialog that is open.
    pub(super) dialog: RwSignal<Option<WorkspaceDialog>>,
    may_write: RwSignal<Option<bool>>,
}

impl WorkspacesState {
    /// Loads the workspaces, and provides them to all components below.
    pub(super) fn provide() -> Self {
        let state = Self {
            access: PageAccess::expect(),
            router: Router::expect(),
            list: RwSignal::default(),
            problem: RwSignal::default(),
            note: RwSignal::default(),
            dialog: RwSignal::default(),
            may_write: RwSignal::default(),
        };
        provide_context(state);
        state.load();
        state
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Loads the list, and what this browser may do.
    pub(super) fn load(self) {
        api::ask(self.access, ApiRequest::get("/api/workspaces".to_owned()), move |answer| {
            match answer.and_then(|text| api::parse::<WorkspaceList>(&text)) {
                Ok(list) => {
                    let _ = self.list.try_set(Some(list.workspaces));
                    let _ = self.problem.try_set(None);
                }
                Err(error) => _ = self.problem.try_set(Some(error.to_string())),
            }
        });
        api::ask(self.access, ApiRequest::get("/api/login".to_owned()), move |answer| {
            let status = answer.and_then(|text| api::parse::<LoginStatus>(&text));
            let _ = self.may_write.try_set(status.ok().map(|it| !it.scope.ends_with(":read")));
        });
    }

    /// Returns true if this browser may change workspaces; tracked.
    pub(super) fn may_write(self) -> bool {
        self.may_write.get() == Some(true)
    }

    /// Returns a workspace, if it is known; tracked.
    pub(super) fn workspace(self, id: &WorkspaceId) -> Option<WorkspaceSummary> {
        self.list.with(|list| list.iter().flatten().find(|it| it.id == *id).cloned())
    }

    /// Creates a workspace and shows it, or calls `failed`.
    pub(super) fn create(
        self,
        name: Option<String>,
        project: Option<ProjectId>,
        failed: impl FnOnce(RequestError) + 'static,
    ) {
        let wanted = CreateWorkspace { id: None, name, project };
        self.change(ApiRequest::post("/api/workspaces".to_owned(), &wanted), failed, move |made| {
            self.router.go(&PageRoute::Workspace(made.id));
        });
    }

    /// Renames a workspace, or calls `failed`.
    pub(super) fn rename(
        self,
        id: &WorkspaceId,
        name: String,
        failed: impl FnOnce(RequestError) + 'static,
    ) {
        let request = ApiRequest::patch(format!("/api/workspaces/{id}"), &RenameWorkspace { name });
        self.change(request, failed, move |renamed| {
            let text = format!("The workspace is called {} now.", words::plain(&renamed.name));
            let _ = self.note.try_set(Some(text));
            self.load();
        });
    }

    /// Deletes a workspace, or calls `failed`.
    pub(super) fn delete(self, id: &WorkspaceId, failed: impl FnOnce(RequestError) + 'static) {
        let request = ApiRequest::delete(format!("/api/workspaces/{id}"));
        self.change(request, failed, move |was| {
            let text = format!("{} is deleted.", words::plain(&was.name));
            let _ = self.note.try_set(Some(text));
            if untrack(|| self.router.route()) == PageRoute::Workspace(was.id) {
                self.router.go(&PageRoute::Workspaces);
            } else {
                self.load();
            }
        });
    }

    fn change(
        self,
        request: ApiRequest,
        failed: impl FnOnce(RequestError) + 'static,
        done: impl FnOnce(WorkspaceSummary) + 'static,
    ) {
        api::ask(self.access, request, move |answer| {
            match answer.and_then(|text| api::parse::<WorkspaceChanged>(&text)) {
                Ok(changed) => {
                    let _ = self.dialog.try_set(None);
                    done(changed.workspace);
                }
                Err(error) => failed(error),
            }
        });
    }
}
