//! Changes of sessions and projects, and what follows from a change.

use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::directory::Effect;
use moorline_shared::control::ToHost;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{
    ChangeProject, Changed, CreateProject, Deleted, Done, MoveSession, Project, ProjectChanged,
    RenameSession,
};
use serde::Serialize;
use worker::console_error;
use worker::wasm_bindgen_futures::spawn_local;

use super::{DirectoryState, ReservedId, now_ms, random};
use crate::asking;
use crate::internal::{APPEND, Append, DELETE, MOVE, Move, RENAME, Rename};
use crate::reply::{Answer, Failure, json};

/// Limit of objects that are asked at the same time.
pub(super) const OBJECTS_AT_ONCE: usize = 32;

impl DirectoryState {
    pub(super) async fn rename(&self, id: &SessionId, wanted: RenameSession) -> Answer {
        let effects = self.decide(|directory| directory.rename(id, &wanted))?;
        self.carry_out(effects).await;
        self.changed(id)
    }

    pub(super) async fn move_to(&self, id: &SessionId, wanted: MoveSession) -> Answer {
        let effects = self.decide(|directory| directory.move_to(id, wanted))?;
        self.carry_out(effects).await;
        self.changed(id)
    }

    fn changed(&self, id: &SessionId) -> Answer {
        let session = self.ask(|directory| directory.summary(id))?;
        json(StatusCode::OK, &Changed { success: true, session })
    }

    /// Ends and removes a session.
    pub(super) async fn delete(self: &Rc<Self>, id: &SessionId, is_terminal: bool) -> Answer {
        self.ask(|directory| directory.summary(id).map(drop))?;
        let Some(reserved) = ReservedId::of(self, id) else {
            return Err(ApiError::no_session(id.as_str()).into());
        };
        // Its clients are told before its host ends its program, and it stays listed if they cannot be.
        asking::post(&asking::session(&self.env, id)?, DELETE, &()).await?;
        let unlisted = self.unlist(id).await;
        drop(reserved);
        unlisted?;
        if is_terminal {
            return json(StatusCode::OK, &Done { success: true });
        }
        let message = "Session deleted".to_owned();
        json(StatusCode::OK, &Deleted { success: true, message, session_id: id.clone() })
    }

    /// Removes a session whose object is gone, or about to go.
    pub(super) async fn unlist(&self, id: &SessionId) -> Result<(), Failure> {
        let mut effects = self.decide(|directory| directory.remove(id, now_ms()))?;
        effects.retain(|effect| !matches!(effect, Effect::End { .. }));
        self.carry_out(effects).await;
        Ok(())
    }

    pub(super) async fn create_project(&self, wanted: CreateProject) -> Answer {
        let id = ProjectId::from_random(random()?);
        let new = id.clone();
        let effects = self.decide(|directory| directory.create_project(wanted, new, now_ms()))?;
        self.carry_out(effects).await;
        project(StatusCode::CREATED, self.ask(|directory| directory.project(&id))?)
    }

    pub(super) async fn change_project(&self, id: &ProjectId, wanted: ChangeProject) -> Answer {
        let effects = self.decide(|directory| directory.change_project(id, wanted))?;
        self.carry_out(effects).await;
        project(StatusCode::OK, self.ask(|directory| directory.project(id))?)
    }

    pub(super) fn delete_project(self: &Rc<Self>, id: &ProjectId) -> Answer {
        let was = self.ask(|directory| directory.project(id))?;
        let effects = self.decide(|directory| directory.remove_project(id))?;
        let state = Rc::clone(self);
        // It may have thousands of sessions. The lists know already.
        spawn_local(async move { state.carry_out(effects).await });
        project(StatusCode::OK, was)
    }

    /// Does what follows from a change. What fails is logged: the change has happened.
    pub(super) async fn carry_out(&self, effects: Vec<Effect>) {
        let carry_out = async |effect: Effect| {
            if let Err(failure) = self.carry_out_one(&effect).await {
                console_error!("what follows from a change failed: {failure}: {effect:?}");
            }
        };
        stream::iter(effects).for_each_concurrent(OBJECTS_AT_ONCE, carry_out).await;
    }

    async fn carry_out_one(&self, effect: &Effect) -> Result<(), Failure> {
        match effect {
            Effect::ListsChanged => self.changed.ring(),
            Effect::Forget { session, host } => {
                let session_id = session.clone();
                self.tell(host, &ToHost::Forget { session_id });
            }
            Effect::Rename { session, name } => {
                self.post(session, RENAME, &Rename { name: name.clone() }).await?;
            }
            Effect::Move { session, project } => {
                self.post(session, MOVE, &Move { project: project.clone() }).await?;
            }
            Effect::End { session } => self.post(session, DELETE, &()).await?,
            Effect::Append { session, event } => {
                match self.post(session, APPEND, &Append { event: event.clone() }).await {
                    // It was deleted meanwhile.
                    Err(Failure::Passed(_)) => {}
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
    ) -> Result<(), Failure> {
        asking::post(&asking::session(&self.env, session)?, path, body).await.map(drop)
    }
}

fn project(status: StatusCode, project: Project) -> Answer {
    json(status, &ProjectChanged { success: true, project })
}
