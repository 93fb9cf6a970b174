//! Renaming, moving and removing sessions.

use std::rc::Rc;

use http::StatusCode;
use moorline_core::api::{ApiError, name};
use moorline_shared::control::ToHost;
use moorline_shared::event::{Event, kind};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{Changed, Deleted, Done, MoveSession, RenameSession};
use serde_json::json;
use worker::console_error;

use super::{Claim, Directory, now_ms};
use crate::asking;
use crate::internal::{APPEND, Append, DELETE, MOVE, Move, RENAME, Rename};
use crate::reply::{Answer, Failure, json as answer};

impl Directory {
    pub(super) async fn rename(&self, id: &SessionId, wanted: RenameSession) -> Answer {
        let name = name(Some(&wanted.name))?;
        self.with(|known| {
            let listed = known.session(id)?;
            listed.record.name.clone_from(&name);
            let record = listed.record.clone();
            Ok(known.database.put_session(&record)?)
        })?;
        self.list_changed();
        asking::post(&asking::session(&self.env, id)?, RENAME, &Rename { name }).await?;
        self.changed(id)
    }

    pub(super) async fn move_to(&self, id: &SessionId, wanted: MoveSession) -> Answer {
        let project = wanted.project_id;
        self.with(|known| {
            // Who asks for a session that is not there is told so first.
            known.session(id)?;
            known.check_project(project.as_ref())?;
            let listed = known.session(id)?;
            listed.record.project.clone_from(&project);
            let record = listed.record.clone();
            Ok(known.database.put_session(&record)?)
        })?;
        self.list_changed();
        asking::post(&asking::session(&self.env, id)?, MOVE, &Move { project }).await?;
        self.changed(id)
    }

    fn changed(&self, id: &SessionId) -> Answer {
        let session = self.with(|known| Ok(known.session(id)?.summary()))?;
        answer(StatusCode::OK, &Changed { success: true, session })
    }

    /// Ends and forgets a session.
    pub(super) async fn delete(self: &Rc<Self>, id: &SessionId, is_terminal: bool) -> Answer {
        self.with(|known| Ok(known.session(id).map(drop)?))?;
        let claim = Claim::of(self, id);
        let Some(claim) = claim else { return Err(ApiError::no_session(id.as_str()).into()) };
        // Its clients are told before its host closes their program.
        asking::post(&asking::session(&self.env, id)?, DELETE, &()).await?;
        let was_listed = self.unlist(id).await;
        drop(claim);
        if !was_listed? {
            return Err(ApiError::no_session(id.as_str()).into());
        }
        if is_terminal {
            return answer(StatusCode::OK, &Done { success: true });
        }
        let message = "Session deleted".to_owned();
        answer(StatusCode::OK, &Deleted { success: true, message, session_id: id.clone() })
    }

    /// Lists a session no more, has its host forget it, and tells the session that it was started
    /// beside. False where it was not listed.
    pub(super) async fn unlist(&self, id: &SessionId) -> Result<bool, Failure> {
        let listed = self.with(|known| Ok(known.remove(id, now_ms())?))?;
        let Some(listed) = listed else { return Ok(false) };
        self.list_changed();
        if let Some(host) = &listed.record.host {
            self.tell(host, &ToHost::Forget { session_id: id.clone() });
        }
        if let Some(parent) = &listed.beside {
            let fields = json!({ "terminalId": id });
            self.append(parent, kind::TERMINAL_CLOSED, fields).await;
        }
        Ok(true)
    }

    /// Has a session's log tell something, where the session is still there.
    pub(super) async fn append(&self, id: &SessionId, kind: &str, fields: serde_json::Value) {
        if self.with(|known| Ok(known.session(id).map(drop)?)).is_err() {
            return;
        }
        let event = Event::new(id.clone(), kind, now_ms(), fields);
        let appended = async {
            let object = asking::session(&self.env, id)?;
            asking::post(&object, APPEND, &Append { event }).await.map(drop)
        };
        match appended.await {
            Ok(()) | Err(Failure::Passed(_)) => {}
            Err(failure) => console_error!("a session's log was not told of {kind}: {failure}"),
        }
    }
}
