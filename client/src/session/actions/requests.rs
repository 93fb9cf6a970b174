//! The requests behind actions. Each asks the relay, and shows the reason if the relay refuses.

use leptos::prelude::*;
use moorline_shared::id::{ProjectId, Seq, SessionId};
use moorline_shared::rest::{
    ChangeProject, CreateProject, CreateSession, DuplicateSession, ForkSession, MoveSession,
    RenameSession,
};

use super::Actions;
use crate::bindings::measure;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::catalogue::{self, Piece};
use crate::session::route::{PageRoute, Shelf};

/// Called with a session that was started, before its page opens.
pub(super) type BeginHook = Box<dyn FnOnce(&SessionId)>;

impl Actions {
    /// Starts a login shell in the project that is shown.
    pub fn new_shell(self) {
        let project = untrack(|| self.router.shelf().project().cloned());
        let host = untrack(|| self.overview.usual_host());
        self.create(CreateSession { project, host, ..CreateSession::default() });
    }

    /// Starts a session at the size that its terminal will have in this page, and opens it.
    pub fn create(self, wish: CreateSession) {
        let (cols, rows) = self.size();
        let wish = CreateSession { cols, rows, ..wish };
        self.start(ApiRequest::post("/api/sessions".to_owned(), &wish));
    }

    /// Starts another session like this one, and opens it. Without `name`, its name is derived from
    /// the first one's.
    pub fn duplicate(self, id: &SessionId, name: Option<String>) {
        let path = format!("/api/sessions/{id}/duplicate");
        let (cols, rows) = self.size();
        self.start(ApiRequest::post(path, &DuplicateSession { name, cols, rows }));
    }

    /// Starts a session that continues from another one's output, up to entry `seq` or all of it,
    /// and opens it.
    pub fn fork(self, id: &SessionId, seq: Option<Seq>) {
        self.fork_with(id, seq, None);
    }

    /// Like [`Actions::fork`]. `begin` is called with the new session before its page opens.
    pub fn fork_with(self, id: &SessionId, seq: Option<Seq>, begin: Option<BeginHook>) {
        let path = format!("/api/sessions/{id}/fork");
        let (cols, rows) = self.size();
        let request = ApiRequest::post(path, &ForkSession { seq, name: None, cols, rows });
        self.start_with(request, begin);
    }

    /// Returns the columns and rows of a terminal in this page. A program that starts with them is
    /// not resized at once.
    fn size(self) -> (Option<u16>, Option<u16>) {
        let (font, key_bar) = untrack(|| (self.preferences.font(), self.preferences.key_bar()));
        let size = measure::terminal(font, key_bar);
        (size.map(|size| size.cols), size.map(|size| size.rows))
    }

    fn start(self, request: ApiRequest) {
        self.start_with(request, None);
    }

    fn start_with(self, request: ApiRequest, begin: Option<BeginHook>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let here = untrack(|| self.router.page());
        api::ask(self.access, request, move |answer| {
            self.busy.set(false);
            let Some(Piece { session: Some(session), .. }) = self.take(answer) else { return };
            if let Some(begin) = begin {
                begin(&session.session_id);
            }
            // A user who has left the page meanwhile is not taken to the new session.
            if untrack(|| self.router.page()) == here {
                self.router.go(&PageRoute::of_session(&session));
            }
        });
    }

    /// Renames a session. An empty name removes the name that it was given.
    pub fn rename(self, id: &SessionId, name: String) {
        self.change(ApiRequest::patch(format!("/api/sessions/{id}"), &RenameSession { name }));
    }

    /// Moves sessions to a project, or out of all projects.
    pub fn move_to(self, ids: &[SessionId], project: Option<ProjectId>) {
        self.done.update(|done| *done += 1);
        let body = MoveSession { project_id: project };
        for id in ids {
            self.change(ApiRequest::post(format!("/api/sessions/{id}/move"), &body));
        }
    }

    fn change(self, request: ApiRequest) {
        api::ask(self.access, request, move |answer| {
            if let Some(Piece { session: Some(session), .. }) = self.take(answer) {
                self.overview.put(session);
                self.applied.update(|applied| *applied += 1);
            }
        });
    }

    /// Deletes sessions, and leaves the page of one that is deleted.
    pub fn delete(self, doomed: Vec<SessionId>) {
        self.done.update(|done| *done += 1);
        for id in doomed {
            let request = ApiRequest::delete(format!("/api/session/{id}"));
            api::ask(self.access, request, move |answer| {
                if self.take(gone(answer)).is_none() {
                    return;
                }
                self.overview.remove(&id);
                self.applied.update(|applied| *applied += 1);
                let here = untrack(|| self.router.route());
                if matches!(here, PageRoute::Session(at) | PageRoute::Terminal(at) if at == id) {
                    self.router.go(&PageRoute::Sessions { shelf: Shelf::All });
                }
            });
        }
    }

    /// Creates a project and shows it, or changes an existing one.
    pub fn save_project(self, id: Option<ProjectId>, name: String, directory: String) {
        let request = match &id {
            Some(id) => {
                let change = ChangeProject { name: Some(name), directory: Some(directory) };
                ApiRequest::patch(format!("/api/projects/{id}"), &change)
            }
            None => {
                let directory = Some(directory).filter(|directory| !directory.is_empty());
                ApiRequest::post("/api/projects".to_owned(), &CreateProject { name, directory })
            }
        };
        api::ask(self.access, request, move |answer| {
            let Some(Piece { project: Some(project), .. }) = self.take(answer) else { return };
            let project = catalogue::shown_project(project);
            let made = project.id.clone();
            self.overview.projects.update(|all| catalogue::put_project(all, project));
            if id.is_none() && self.router.is_list() {
                self.router.go(&PageRoute::Sessions { shelf: Shelf::Project(made) });
            }
        });
    }

    /// Deletes a project and leaves its list. Its sessions stay.
    pub fn delete_project(self, id: ProjectId) {
        let request = ApiRequest::delete(format!("/api/projects/{id}"));
        api::ask(self.access, request, move |answer| {
            if self.take(gone(answer)).is_none() {
                return;
            }
            self.overview.projects.update(|all| all.retain(|project| project.id != id));
            if self.router.is_at(&Shelf::Project(id)) {
                self.router.go(&PageRoute::Sessions { shelf: Shelf::All });
            }
        });
    }

    /// Returns the content of an answer, or shows the reason why there is none.
    fn take(self, answer: Result<String, RequestError>) -> Option<Piece> {
        let piece = answer.and_then(|text| api::parse(&text));
        self.problem.set(piece.as_ref().err().map(ToString::to_string));
        piece.ok()
    }
}

/// Turns a missing target into a success: it is gone already.
fn gone(answer: Result<String, RequestError>) -> Result<String, RequestError> {
    match answer {
        Err(RequestError::Missing(_)) => Ok("{}".to_owned()),
        other => other,
    }
}
