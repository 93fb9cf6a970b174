//! Changes that are requested: stored first, then made.

use std::sync::Arc;

use moorline_core::api::ApiError;
use moorline_core::directory::{Change, Directory};
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{
    ChangeProject, CreateProject, MoveSession, Project, RenameSession, SessionSummary,
};

use super::Registry;
use super::start::random;
use crate::clock::wall_ms;

impl Registry {
    /// Gives a session another name; an empty one takes its name away.
    ///
    /// # Errors
    /// As [`Directory::rename`], or why it is not stored.
    pub async fn rename(
        self: &Arc<Self>,
        id: &SessionId,
        wanted: RenameSession,
    ) -> Result<SessionSummary, ApiError> {
        let session = id.clone();
        self.change(move |directory| directory.rename(&session, &wanted)).await?;
        self.summary(id)
    }

    /// Moves a session to a project, or out of all.
    ///
    /// # Errors
    /// As [`Directory::move_to`], or why it is not stored.
    pub async fn move_to(
        self: &Arc<Self>,
        id: &SessionId,
        wanted: MoveSession,
    ) -> Result<SessionSummary, ApiError> {
        let session = id.clone();
        self.change(move |directory| directory.move_to(&session, wanted)).await?;
        self.summary(id)
    }

    /// Ends and removes a session. Its host forgets it now, or when it is back.
    ///
    /// # Errors
    /// `not_found`, or why its rows are not removed: it goes on then.
    pub async fn delete(self: &Arc<Self>, id: &SessionId) -> Result<(), ApiError> {
        let id = id.clone();
        self.change(move |directory| directory.remove(&id, wall_ms())).await?;
        drop(self.services.writer.run(|store| {
            if let Err(error) = store.give_back_space() {
                tracing::debug!(%error, "the database's file stays as large as it is");
            }
            Ok(())
        }));
        Ok(())
    }

    /// Makes a project.
    ///
    /// # Errors
    /// As [`Directory::create_project`], or why it is not stored.
    pub async fn create_project(
        self: &Arc<Self>,
        wanted: CreateProject,
    ) -> Result<Project, ApiError> {
        let id = ProjectId::from_random(random()?);
        let new = id.clone();
        self.change(move |directory| directory.create_project(wanted, new, wall_ms())).await?;
        self.project(&id)
    }

    /// Gives a project another name or folder.
    ///
    /// # Errors
    /// As [`Directory::change_project`], or why it is not stored.
    pub async fn change_project(
        self: &Arc<Self>,
        id: &ProjectId,
        wanted: ChangeProject,
    ) -> Result<Project, ApiError> {
        let project = id.clone();
        self.change(move |directory| directory.change_project(&project, wanted)).await?;
        self.project(id)
    }

    /// Removes a project, and returns it as it was. Its sessions belong to none from then on.
    ///
    /// # Errors
    /// As [`Directory::remove_project`], or why it is not stored.
    pub async fn delete_project(self: &Arc<Self>, id: &ProjectId) -> Result<Project, ApiError> {
        let project = self.project(id)?;
        let id = id.clone();
        self.change(move |directory| directory.remove_project(&id)).await?;
        Ok(project)
    }

    /// Decides on a change, stores it and makes it, all on the writer's thread: nothing else is stored meanwhile, a
    /// change that cannot be stored does not happen, and one that is answered is kept.
    async fn change(
        self: &Arc<Self>,
        decide: impl FnOnce(&Directory) -> Result<Change, ApiError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let registry = Arc::clone(self);
        let changed = self.services.writer.run(move |store| {
            let decided = decide(&registry.refreshed().directory);
            let change = match decided {
                Ok(change) => change,
                Err(error) => return Ok(Err(error)),
            };
            store.write_change(&change)?;
            registry.apply(change);
            Ok(Ok(()))
        });
        changed.await?
    }
}
