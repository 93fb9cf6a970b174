//! Doing it: each asks the relay, and shows why where it refuses.

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::{ProjectId, Seq, SessionId};
use moorline_shared::rest::{
    ChangeProject, CreateProject, CreateSession, Created, ForkSession, ProjectChanged,
};

use super::Actions;
use crate::api::{self, ApiError};
use crate::catalogue;
use crate::route::{Route, Shelf};

impl Actions {
    /// Starts a login shell, in the project that is shown.
    pub fn new_shell(self) {
        let project = untrack(|| self.router.shelf().project().cloned());
        self.create(CreateSession { project, ..CreateSession::default() });
    }

    /// Starts a session and opens it.
    pub fn create(self, wish: CreateSession) {
        self.start(async move |token| api::create(token, &wish).await);
    }

    /// Starts what a session runs once more, and opens it.
    pub fn duplicate(self, id: SessionId) {
        self.start(async move |token| api::duplicate(token, &id).await);
    }

    /// Starts a session that goes on from what another one has shown, up to an entry or all of it,
    /// and opens it.
    pub fn fork(self, id: SessionId, seq: Option<Seq>) {
        let from = ForkSession { seq, name: None };
        self.start(async move |token| api::fork(token, &id, &from).await);
    }

    fn start(self, start: impl AsyncFnOnce(Option<&str>) -> Result<Created, ApiError> + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let here = untrack(|| self.router.page());
        spawn_local(async move {
            let answer = start(self.access.token().as_deref()).await;
            self.busy.set(false);
            let Some(created) = self.take(answer) else { return };
            // Who has left the page meanwhile is not taken to the new session.
            if untrack(|| self.router.page()) == here {
                self.router.go(&Route::Terminal(created.session_id));
            }
        });
    }

    /// Gives a session another name; an empty one takes the name away.
    pub fn rename(self, id: SessionId, name: String) {
        spawn_local(async move {
            let answer = api::rename(self.access.token().as_deref(), &id, name).await;
            if let Some(changed) = self.take(answer) {
                self.overview.put(changed.session);
            }
        });
    }

    /// Moves sessions to a project, or out of all.
    pub fn move_to(self, ids: Vec<SessionId>, project: Option<ProjectId>) {
        self.done.update(|done| *done += 1);
        spawn_local(async move {
            for id in ids {
                let token = self.access.token();
                let answer = api::move_to(token.as_deref(), &id, project.clone()).await;
                let Some(changed) = self.take(answer) else { return };
                self.overview.put(changed.session);
            }
        });
    }

    /// Deletes sessions, one after the other, and leaves their pages.
    pub fn delete(self, doomed: Vec<SessionId>) {
        self.done.update(|done| *done += 1);
        spawn_local(async move {
            for id in doomed {
                let answer = api::delete(self.access.token().as_deref(), &id).await;
                if self.take(answer).is_none() {
                    return;
                }
                self.overview.remove(&id);
                let here = untrack(|| self.router.page());
                if matches!(here, Route::Session(at) | Route::Terminal(at) if at == id) {
                    self.router.go(&Route::Sessions { shelf: Shelf::All });
                }
            }
        });
    }

    /// Makes a project and shows it, or changes one.
    pub fn save_project(self, id: Option<ProjectId>, name: String, directory: String) {
        spawn_local(async move {
            let answer = self.send_project(id.as_ref(), name, directory).await;
            let Some(changed) = self.take(answer) else { return };
            let made = changed.project.id.clone();
            self.overview.projects.update(|all| catalogue::put_project(all, changed.project));
            if id.is_none() && self.router.is_list() {
                self.router.go(&Route::Sessions { shelf: Shelf::Project(made) });
            }
        });
    }

    async fn send_project(
        self,
        id: Option<&ProjectId>,
        name: String,
        directory: String,
    ) -> Result<ProjectChanged, ApiError> {
        let token = self.access.token();
        match id {
            Some(id) => {
                let change = ChangeProject { name: Some(name), directory: Some(directory) };
                api::change_project(token.as_deref(), id, &change).await
            }
            None => {
                let directory = Some(directory).filter(|directory| !directory.is_empty());
                api::create_project(token.as_deref(), &CreateProject { name, directory }).await
            }
        }
    }

    /// Removes a project and leaves its shelf; its sessions stay.
    pub fn delete_project(self, id: ProjectId) {
        spawn_local(async move {
            let answer = api::delete_project(self.access.token().as_deref(), &id).await;
            if self.take(answer).is_none() {
                return;
            }
            self.overview.projects.update(|all| all.retain(|project| project.id != id));
            if self.router.is_at(&Shelf::Project(id)) {
                self.router.go(&Route::Sessions { shelf: Shelf::All });
            }
        });
    }

    /// What was asked for; otherwise shows why not.
    fn take<T>(self, answer: Result<T, ApiError>) -> Option<T> {
        match api::noting_refusal(self.access, answer) {
            Ok(answer) => {
                self.problem.set(None);
                Some(answer)
            }
            Err(error) => {
                self.problem.set(Some(error));
                None
            }
        }
    }
}
