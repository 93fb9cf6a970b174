//! Continues the sessions that an earlier host of this machine has left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moorline_shared::control::Hosted;
use moorline_shared::id::{Epoch, SessionId};

use super::{Host, StartError};
use crate::changes::{self, CHANGES};
use crate::clock::{this_boot, wall_ms};
use crate::driver::{SessionSpec, StartedSession, Survival, blocking};
use crate::folder::keep_private;
use crate::journal::{Journal, JournalError, JournaledSession};
use crate::session::Session;

/// The journal's file in the host's folder.
const JOURNAL: &str = "journal.db";

/// Opens the journal in the host's folder. Without it, sessions end with their host.
pub(super) fn open(folder: &Path) -> Option<Arc<Journal>> {
    let path = folder.join(JOURNAL);
    let opened = keep_private(folder).map_err(|error| error.to_string());
    let opened =
        opened.and_then(|()| Journal::open(&path, &this_boot()).map_err(|error| error.to_string()));
    match opened {
        Ok(journal) => Some(Arc::new(journal)),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "sessions will end with this host");
            None
        }
    }
}

impl Host {
    /// Continues all sessions of the journal. One that cannot be continued is forgotten, and so lost
    /// at the relay.
    pub(super) async fn restore_sessions(self: &Arc<Self>) {
        let place = self.config.folder.as_deref().map(|folder| folder.join(CHANGES));
        let Some(journal) = self.journal.clone() else { return };
        let read = Arc::clone(&journal);
        let read_sessions = move || {
            let sessions = read.sessions()?;
            let ids = sessions.iter().flatten().map(|it| it.hosted.session_id.clone()).collect();
            if let Some(place) = place {
                changes::sweep(&place, &ids);
            }
            Ok::<_, JournalError>(sessions)
        };
        let sessions = match blocking(read_sessions).await {
            Ok(Ok(sessions)) => sessions,
            Ok(Err(error)) => return tracing::error!(%error, "no session can be continued"),
            Err(error) => return tracing::error!(%error, "no session can be continued"),
        };
        for journaled in sessions {
            match journaled {
                Ok(journaled) => {
                    self.config.threads.within(self.restore(&journal, journaled)).await
                }
                Err(error) => tracing::error!(%error, "a session cannot be continued"),
            }
        }
        self.drivers.tidy().await;
    }

    async fn restore(self: &Arc<Self>, journal: &Arc<Journal>, journaled: JournaledSession) {
        let id = journaled.hosted.session_id.clone();
        let lost = |error: &dyn std::fmt::Display| {
            tracing::error!(session = %id, %error, "it cannot be continued");
            self.forget_journaled(&id);
        };
        let started = match self.continued(&journaled).await {
            Ok(started) => started,
            Err(error) => return lost(&error),
        };
        let started = match started {
            Some(started) if started.survival == Survival::Reopened => {
                return self.show_again(journaled.hosted, started);
            }
            started => started,
        };
        match Session::restore(journaled, Arc::clone(journal), self.services(), started) {
            Ok(session) => {
                tracing::info!(session = %id, "continued");
                self.publish_session(id, session);
            }
            Err(error) => lost(&error),
        }
    }

    /// Shows a session again that has gone on without a host.
    fn show_again(self: &Arc<Self>, hosted: Hosted, started: StartedSession) {
        // What happened in between is in no log, so the numbers of this one begin anew.
        let epoch = Epoch(wall_ms().max(hosted.epoch.0 + 1));
        let (cwd, pid) = (started.cwd.clone(), started.pid);
        let hosted = Hosted { epoch, cwd, pid, ..hosted };
        let id = hosted.session_id.clone();
        tracing::info!(session = %id, "shown again");
        let session = Session::start(hosted, None, self.services(), started);
        self.publish_session(id, session);
    }

    /// Has the driver continue a session, unless it is over.
    async fn continued(
        self: &Arc<Self>,
        journaled: &JournaledSession,
    ) -> Result<Option<StartedSession>, StartError> {
        if journaled.publisher.exit.is_some() {
            return Ok(None);
        }
        let Hosted { session_id, facts, cwd, .. } = journaled.hosted.clone();
        let driver = self.drivers.find(&facts.driver)?;
        let variables = self.variables(&session_id);
        let cwd = Some(PathBuf::from(cwd));
        let opener = Some(self.opener(&session_id));
        let workspace = self.session_workspace(driver, &facts);
        // The relay may be away: the files follow when it is back.
        let files = match workspace {
            Some(_) => Ok(None),
            None => self.synced(&facts, cwd.as_deref()).await,
        };
        let fork = None;
        let spec = SessionSpec { session_id, facts, cwd, fork, variables, opener, workspace };
        let mut started = driver.restore(spec, journaled.driver.clone()).await?;
        match files {
            Ok(Some(files)) => started.output = files.watch(started.output),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a session goes on without its workspace"),
        }
        Ok(Some(started))
    }

    /// Removes a session from the journal.
    pub(super) fn forget_journaled(&self, id: &SessionId) {
        let Some(journal) = &self.journal else { return };
        if let Err(error) = journal.remove(id) {
            tracing::error!(session = %id, %error, "it stays in the journal");
        }
    }
}
