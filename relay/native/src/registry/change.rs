//! Changes that requests ask for: each is stored before it is applied.

use std::sync::Arc;

use moorline_core::api::ApiError;
use moorline_core::directory::{Change, Directory};
use moorline_core::routes::{Decision, DecisionAnswer, Reply, Request};
use moorline_shared::id::SessionId;

use super::Registry;
use crate::clock::wall_ms;

impl Registry {
    /// Decides on a requested change, stores it, applies it, and answers.
    ///
    /// # Errors
    /// The reason that the change is refused.
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
            DecisionAnswer::Known(reply) => Ok(reply),
            DecisionAnswer::Read(read) => read(&self.refreshed().directory, &request),
        }
    }

    /// Ends and removes a session. Its host forgets it now, or when it reconnects.
    ///
    /// # Errors
    /// `not_found`, or the reason that its rows were not removed; the session then continues.
    pub async fn delete(self: &Arc<Self>, id: &SessionId) -> Result<(), ApiError> {
        let id = id.clone();
        self.store_and_apply(move |directory| Ok((directory.remove(&id, wall_ms())?, ()))).await?;
        drop(self.services.writer.run(|store| {
            if let Err(error) = store.give_back_space() {
                tracing::debug!(%error, "the database's file could not be made smaller");
            }
            Ok(())
        }));
        Ok(())
    }

    /// Decides on a change, stores it and applies it on the writer's thread, so that nothing else is stored
    /// meanwhile. A change that cannot be stored is not applied, and an answered change is durable.
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
