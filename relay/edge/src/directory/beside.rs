//! Terminals of their own beside other sessions.

use std::rc::Rc;

use http::StatusCode;
use moorline_core::api::{check_size, name};
use moorline_core::plan;
use moorline_shared::event::kind;
use moorline_shared::rest::{CreateSession, CreateTerminal, TerminalCreated};
use serde_json::json;

use super::Directory;
use crate::reply::{Answer, json as answer};

impl Directory {
    /// Starts a terminal; beside another session that one's log tells of it.
    pub(super) async fn create_terminal(self: &Rc<Self>, wanted: CreateTerminal) -> Answer {
        check_size(wanted.cols, wanted.rows)?;
        let mode = name(wanted.mode.as_deref())?;
        let CreateTerminal { working_dir: cwd, cols, rows, .. } = wanted.clone();
        let session = CreateSession { cwd, cols, rows, ..CreateSession::default() };
        let parent = wanted.session_id;
        let session = match &parent {
            Some(parent) => {
                let summary = self.with(|known| Ok(known.session(parent)?.summary()))?;
                plan::beside(&summary, session)
            }
            None => session,
        };
        let terminal = self.run(self.plan(session, parent.clone())?).await?;
        let terminal_id = terminal.session_id;
        if let Some(parent) = &parent {
            let fields = json!({
                "terminalId": terminal_id,
                "workingDir": terminal.cwd,
                "mode": mode.unwrap_or(terminal.driver),
            });
            self.append(parent, kind::TERMINAL_CREATED, fields).await;
        }
        answer(StatusCode::OK, &TerminalCreated { success: true, terminal_id })
    }
}
