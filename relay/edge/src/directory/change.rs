//! Changes of sessions and projects, and the effects that follow.

use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use moorline_core::api::ApiError;
use moorline_core::directory::{Directory, Effect};
use moorline_core::routes::{self, Decision, Request};
use moorline_shared::control::ToHost;
use moorline_shared::id::SessionId;
use serde::Serialize;
use worker::console_error;
use worker::wasm_bindgen_futures::spawn_local;

use super::{DirectoryState, ReservedId, now_ms};
use crate::internal::{APPEND, Append, DELETE, MOVE, Move, RENAME, Rename, WorkspaceWanted};
use crate::object_client;
use crate::reply::{self, Answer, RequestFailure};

/// Maximum number of objects that are asked at the same time.
pub(super) const OBJECTS_AT_ONCE: usize = 32;

impl DirectoryState {
    /// Decides on a change that a request asks for, stores it, carries it out, and answers.
    pub(super) async fn change(
        self: &Rc<Self>,
        decide: fn(&Directory, &Request) -> Result<Decision, ApiError>,
        request: &Request,
    ) -> Answer {
        let (effects, answer) = self.with(|memory| {
            let Decision { change, answer } = decide(&memory.directory, request)?;
            Ok((memory.make(change)?, answer))
        })?;
        match answer {
            routes::DecisionAnswer::Known(reply) => {
                let state = Rc::clone(self);
                // A project may have thousands of sessions. The lists are already up to date.
                spawn_local(async move { state.carry_out(effects).await });
                reply::answer(reply)
            }
            routes::DecisionAnswer::Read(read) => {
                self.carry_out(effects).await;
                reply::answer(self.ask(|directory| read(directory, request))?)
            }
        }
    }

    /// Ends and removes a session.
    pub(super) async fn delete(self: &Rc<Self>, id: &SessionId) -> Result<(), RequestFailure> {
        self.ask(|directory| directory.summary(id).map(drop))?;
        let Some(reserved) = ReservedId::of(self, id) else {
            return Err(ApiError::no_session(id.as_str()).into());
        };
        // Clients hear of it before the host ends the program. If the object fails, the session
        // stays listed.
        object_client::post(&object_client::session(&self.env, id)?, DELETE, &()).await?;
        let unlisted = self.unlist(id).await;
        drop(reserved);
        unlisted
    }

    /// Removes a session whose object is gone or about to go, without ending it there.
    pub(super) async fn unlist(&self, id: &SessionId) -> Result<(), RequestFailure> {
        let mut effects = self.decide(|directory| directory.remove(id, now_ms()))?;
        effects.retain(|effect| !matches!(effect, Effect::End { .. }));
        self.carry_out(effects).await;
        Ok(())
    }

    /// Carries out the effects of a change. A failure is only logged: the change has already
    /// happened.
    pub(super) async fn carry_out(&self, effects: Vec<Effect>) {
        let carry_out = async |effect: Effect| {
            if let Err(failure) = self.carry_out_one(&effect).await {
                console_error!("an effect of a change failed: {failure}: {effect:?}");
            }
        };
        stream::iter(effects).for_each_concurrent(OBJECTS_AT_ONCE, carry_out).await;
    }

    async fn carry_out_one(&self, effect: &Effect) -> Result<(), RequestFailure> {
        match effect {
            Effect::ListsChanged => self.changed.ring(),
            Effect::Forget { session, host } => {
                let session_id = session.clone();
                self.tell(host, ToHost::Forget { session_id });
            }
            Effect::Rename { session, name } => {
                self.post(session, RENAME, &Rename { name: name.clone() }).await?;
            }
            Effect::Move { session, project } => {
                self.post(session, MOVE, &Move { project: project.clone() }).await?;
            }
            Effect::WorkspaceRemoved { workspace } => {
                let object = object_client::workspace(&self.env, workspace)?;
                let wanted = WorkspaceWanted { id: workspace.clone() };
                object_client::post(&object, DELETE, &wanted).await?;
            }
            Effect::End { session } => self.post(session, DELETE, &()).await?,
            Effect::Append { session, event } => {
                match self.post(session, APPEND, &Append { event: event.clone() }).await {
                    // The session was deleted in the meantime.
                    Err(RequestFailure::Passed(_)) => {}
                    appended => appended?,
                }
            }
        }
        Ok(())
    }

    async fn post(
        &self,
        session: &SessionId,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), RequestFailure> {
        object_client::post(&object_client::session(&self.env, session)?, path, body)
            .await
            .map(drop)
    }
}
