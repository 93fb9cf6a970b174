//! Changes that are requested: stored first, then made.

use std::sync::Arc;

use moorline_core::api::ApiError;
use moorline_core::directory::{Change, Directory};
use moorline_core::routes::{Answer, Decision, Reply, Request};
use moorline_shared::id::SessionId;

use super::Registry;
use crate::clock::wall_ms;

impl Registry {
    /// Decides on a change that a request asks for, stores it, carries it out, and answers.
    ///
    /// # Errors
    /// Why it is not made.
    pub async fn change(
        self: &Arc<Self>,
        decide: fn(&Directory, &Request) -> Result<Decision, ApiError>,
        request: Request,
    ) -> Result<Reply, ApiError> {
        let asked = request.clone();
        let decide = move |directory: &Directory| {
            let Decision { change, answer } = decide(directory, &asked)?;
            Ok((change, answer))
        };
        match self.store_and_apply(decide).await? {
            Answer::Known(reply) => Ok(reply),
            Answer::Read(read) => read(&self.refreshed().directory, &request),
        }
    }

    /// Ends and removes a session. Its host forgets it now, or when it is back.
    ///
    /// # Errors
    /// `not_found`, or why its rows are not removed: it goes on then.
    pub async fn delete(self: &Arc<Self>, id: &SessionId) -> Result<(), ApiError> {
        let id = id.clone();
        self.store_and_apply(move |directory| Ok((directory.remove(&id, wall_ms())?, ()))).await?;
        drop(self.services.writer.run(|store| {
            if let Err(error) = store.give_back_space() {
                tracing::debug!(%error, "the database's file stays as large as it is");
            }
            Ok(())
        }));
        Ok(())
    }

    /// Decides on a change, stores it and makes it, all on the writer's thread: nothing else is stored meanwhile, a
    /// change that cannot be stored does not happen, and one that is answered is kept.
    async fn store_and_apply<T: Send + 'static>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Directory) -> Result<(Change, T), ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let registry = Arc::clone(self);
        let changed = self.services.writer.run(move |store| {
            let decided = decide(&registry.refreshed().directory);
            let (change, answer) = match decided {
                Ok(decided) => decided,
                Err(error) => return Ok(Err(error)),
            };
            store.write_change(&change)?;
            registry.apply(change);
            Ok(Ok(answer))
        });
        changed.await?
    }
}
