//! Has the session's files looked at when turns begin and end.

use std::sync::Arc;
use std::time::Duration;

use moorline_shared::id::TurnId;
use tokio::sync::watch;
use tokio::time::timeout;

use super::machine::AgentInput;
use super::shared::SharedMachine;
use crate::changes::SessionChanges;
use crate::driver::blocking;

/// Time that a prompt waits for the files of its session to be looked at.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the session's files looked at when turns begin and end. Dropping it ends its task.
#[derive(Debug)]
pub(super) struct TurnWatch {
    /// The turn that runs. Looks are taken one after another, and one that is not needed any more is
    /// left out.
    wanted: watch::Sender<Option<TurnId>>,
    /// The files; `None` if they are not on this machine.
    changes: Option<SessionChanges>,
    shared: Arc<SharedMachine>,
}

impl TurnWatch {
    /// Begins with the turn that runs now, which an earlier host may have begun. Without `changes`,
    /// nothing is looked at.
    pub(super) fn start(shared: Arc<SharedMachine>, changes: Option<SessionChanges>) -> Self {
        let active = shared.active_turn();
        let (wanted, turns) = watch::channel(active.clone());
        match &changes {
            Some(changes) => {
                drop(tokio::spawn(follow(turns, Arc::clone(&shared), changes.clone())))
            }
            None => active.iter().for_each(|turn| shared.let_go(turn)),
        }
        Self { wanted, changes, shared }
    }

    /// Looks at the files before the agent has the prompt of a turn, and then lets it go.
    pub(super) fn begin(&self, turn: TurnId) {
        if self.changes.is_none() {
            return self.shared.let_go(&turn);
        }
        self.wanted.send_replace(Some(turn));
    }

    /// Looks at the files after a turn.
    pub(super) fn end(&self, turn: &TurnId) {
        self.wanted.send_if_modified(|wanted| {
            let is_same = wanted.as_ref() == Some(turn);
            if is_same {
                *wanted = None;
            }
            is_same
        });
    }

    /// Forgets the changes, because the session is over. A look that is being taken may end later.
    pub(super) fn forget(&self) {
        if let Some(changes) = self.changes.clone() {
            tokio::spawn(blocking(move || changes.remove()));
        }
    }
}

async fn follow(
    mut turns: watch::Receiver<Option<TurnId>>,
    shared: Arc<SharedMachine>,
    changes: SessionChanges,
) {
    loop {
        let wanted = turns.borrow_and_update().clone();
        look(wanted, &shared, &changes).await;
        if turns.changed().await.is_err() {
            return;
        }
    }
}

async fn look(wanted: Option<TurnId>, shared: &SharedMachine, changes: &SessionChanges) {
    let (own, turn) = (changes.clone(), wanted.clone());
    let mut looking = Box::pin(blocking(move || own.reach(turn.as_ref())));
    let (looked, is_late) = match timeout(PATIENCE, &mut looking).await {
        Ok(looked) => (looked, false),
        Err(_) => {
            if let Some(turn) = &wanted {
                shared.let_go(turn);
            }
            (looking.await, true)
        }
    };
    let (report, has_failed) = match looked {
        Ok(Ok(report)) => (report, false),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the changes of an agent are not known");
            (None, true)
        }
        Err(error) => {
            tracing::error!(%error, "the changes of an agent are not known");
            (None, true)
        }
    };
    if let Some(turn) = &wanted {
        if is_late || has_failed {
            let own = changes.clone();
            _ = blocking(move || own.be_late()).await;
        }
        shared.let_go(turn);
    }
    if let Some(report) = report {
        shared.handle(AgentInput::Changes(report));
    }
}
