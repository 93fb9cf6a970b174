//! The panes of one tmux session that are open, and the connection that watches them.
//!
//! What tmux reports about changes is only taken as a hint to list all panes again: the list says
//! everything, also what an earlier version of tmux does not report.

mod questions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use moorline_shared::id::SessionId;
use moorline_shared::limits::TMUX_PANES;
use moorline_shared::session::ExitReason;
use moorline_shared::tmux::{TmuxSession, TmuxSpec};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

pub(super) use questions::WindowCreation;

use super::client::{ClientEvent, ControlClient, subscription};
use super::command::{ServerSocket, TmuxError, quoted};
use super::list::{CLIENT_FORMAT, FORMAT, ListedPane, PaneList};
use super::output_connection::OutputConnection;
use super::pane::Pane;
use super::pipe::{PipeFactory, has_reader};
use crate::clock::random_bits;
use crate::driver::{PaneWish, TerminalOpener};

/// Time in which several changes are taken together.
const TOGETHER: Duration = Duration::from_millis(30);
/// Times between attempts to connect again.
const BACKOFF: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];
/// Most events of a connection that wait.
const EVENTS_WAITING: usize = 64;

/// What a group is in: all groups of a driver.
pub(super) trait GroupHome: Debug + Send + Sync {
    /// Forgets a group that has no panes. Returns true if it was forgotten.
    fn retire(&self, group: &Arc<TmuxGroup>) -> bool;

    /// Gives a pane to the group of the tmux session that it is in now.
    fn adopt(&self, server: &ServerSocket, session: &str, open: OpenPane);

    /// Returns true if groups may open panes by themselves.
    fn has_begun(&self) -> bool;
}

/// The open panes of one tmux session.
#[derive(Debug)]
pub(super) struct TmuxGroup {
    pub(super) server: ServerSocket,
    /// The id of the tmux session, such as `$1`.
    pub(super) session: String,
    home: Weak<dyn GroupHome>,
    pipes: Arc<PipeFactory>,
    state: Mutex<GroupState>,
    /// Notified when the panes must be looked at.
    due: Arc<Notify>,
    /// Notified when the panes were listed.
    listed: Notify,
}

#[derive(Debug, Default)]
struct GroupState {
    panes: BTreeMap<String, OpenPane>,
    /// Panes that are not opened by themselves: a user has closed their session, or they are being
    /// opened.
    left_alone: BTreeSet<String>,
    /// Windows whose size Moorline decides.
    fitted: BTreeSet<String>,
    client: Option<Arc<ControlClient>>,
    output_client: Option<Arc<ControlClient>>,
    /// The tmux session, as it was listed last.
    shown: Option<TmuxSession>,
    opener: Option<Arc<dyn TerminalOpener>>,
    /// The panes that a client shows.
    watched: BTreeSet<String>,
    /// The number of windows that are being created for sessions of their own.
    creating: usize,
}

/// A pane with the session that shows it.
#[derive(Debug, Clone)]
pub(super) struct OpenPane {
    pub(super) session_id: SessionId,
    pub(super) pane: Arc<Pane>,
}

impl TmuxGroup {
    pub(super) fn new(
        server: ServerSocket,
        session: String,
        home: Weak<dyn GroupHome>,
        pipes: Arc<PipeFactory>,
    ) -> Arc<Self> {
        let (state, due) = (Mutex::default(), Arc::default());
        let listed = Notify::new();
        Arc::new(Self { server, session, home, pipes, state, due, listed })
    }

    /// Opens a pane for a session. Its task and that of the group must run.
    pub(super) fn open(
        &self,
        listed: &ListedPane,
        session_id: SessionId,
        opener: Option<Arc<dyn TerminalOpener>>,
    ) -> Arc<Pane> {
        let id = listed.shown.id.clone();
        let pane = Pane::new(id.clone(), Arc::clone(&self.pipes), Arc::clone(&self.due));
        if self.has_foreign_pipe(listed) || !self.pipes.is_usable() {
            pane.use_control();
        }
        self.add(OpenPane { session_id, pane: Arc::clone(&pane) });
        let mut state = self.state();
        state.opener = opener.or_else(|| state.opener.take());
        pane
    }

    /// Adds a pane, which may come from another group.
    pub(super) fn add(&self, open: OpenPane) {
        let mut state = self.state();
        open.pane.connected(state.client.as_ref());
        open.pane.output_connected(state.output_client.as_ref());
        state.left_alone.remove(&open.pane.id);
        state.panes.insert(open.pane.id.clone(), open);
        self.due.notify_one();
    }

    /// Forgets a pane whose session is over. It is not opened again by itself.
    pub(super) fn forget(&self, pane: &Arc<Pane>) {
        let mut state = self.state();
        if state.panes.get(&pane.id).is_some_and(|open| Arc::ptr_eq(&open.pane, pane)) {
            state.panes.remove(&pane.id);
            state.watched.remove(&pane.id);
            state.left_alone.insert(pane.id.clone());
            self.due.notify_one();
        }
    }

    /// Returns the session that shows a pane.
    pub(super) fn session_of(&self, pane: &str) -> Option<SessionId> {
        self.state().panes.get(pane).map(|open| open.session_id.clone())
    }

    /// Makes the group look at its panes.
    pub(super) fn look(&self) {
        self.due.notify_one();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().panes.is_empty()
    }

    /// Returns true if a pane's output goes to a pipe that is neither this host's nor left behind by
    /// a host that has died.
    fn has_foreign_pipe(&self, listed: &ListedPane) -> bool {
        listed.has_pipe && listed.own_pipe.as_deref().is_none_or(has_reader)
    }

    /// Watches the tmux session until no pane of it is open.
    pub(super) async fn run(self: Arc<Self>) {
        let mut failures = 0;
        while !self.is_over() {
            let (sender, events) = mpsc::channel(EVENTS_WAITING);
            match ControlClient::attach(&self.server, &self.session, "no-output", sender) {
                Ok(client) => {
                    let has_worked = self.watch(Arc::new(client), events).await;
                    failures = if has_worked { 0 } else { failures + 1 };
                }
                Err(error) => {
                    tracing::warn!(%error, "tmux cannot be watched");
                    failures += 1;
                }
            }
            self.connected(None);
            if self.is_over() {
                break;
            }
            self.look_from_outside().await;
            sleep(BACKOFF[failures.min(BACKOFF.len() - 1)]).await;
        }
    }

    /// Returns true if no pane is open, so that the group is not needed any more.
    fn is_over(self: &Arc<Self>) -> bool {
        self.home.upgrade().is_none_or(|home| home.retire(self))
    }

    fn connected(&self, client: Option<Arc<ControlClient>>) {
        let mut state = self.state();
        state.client = client;
        for open in state.panes.values() {
            open.pane.connected(state.client.as_ref());
        }
    }

    /// Follows a connection to its end. Returns true if it has worked.
    async fn watch(
        self: &Arc<Self>,
        client: Arc<ControlClient>,
        mut events: mpsc::Receiver<ClientEvent>,
    ) -> bool {
        let mut has_worked = false;
        let mut is_due = true;
        let mut output = OutputConnection::default();
        // Replies only come while the events are taken.
        let (refreshed, mut refreshes) = mpsc::channel::<Result<(), TmuxError>>(1);
        let mut is_refreshing = false;
        loop {
            if is_due && !is_refreshing {
                (is_due, is_refreshing) = (false, true);
                let (group, client, refreshed) =
                    (Arc::clone(self), Arc::clone(&client), refreshed.clone());
                let is_first = !has_worked;
                tokio::spawn(async move {
                    if !is_first {
                        sleep(TOGETHER).await;
                    }
                    let result = group.refresh(&client, is_first).await;
                    _ = refreshed.send(result).await;
                });
            }
            tokio::select! {
                event = events.recv() => match event {
                    Some(ClientEvent::Notice) => is_due = true,
                    Some(ClientEvent::Ended { reason }) => {
                        tracing::debug!(reason, session = self.session, "tmux has disconnected");
                        return has_worked;
                    }
                    Some(_) => {}
                    None => return has_worked,
                },
                Some(result) = refreshes.recv() => {
                    is_refreshing = false;
                    match result {
                        Ok(()) => has_worked = true,
                        Err(error) => {
                            tracing::debug!(%error, "the panes cannot be listed");
                            return has_worked;
                        }
                    }
                    if self.is_empty() {
                        return has_worked;
                    }
                    self.settle_output(&mut output);
                }
                () = self.due.notified() => {
                    if self.is_empty() {
                        return has_worked;
                    }
                    self.settle_output(&mut output);
                    is_due = true;
                }
                () = output.ended(|id| self.pane(id)) => {
                    // It is opened again with the next look.
                    let due = Arc::clone(&self.due);
                    tokio::spawn(async move {
                        sleep(BACKOFF[1]).await;
                        due.notify_one();
                    });
                }
            }
        }
    }

    fn pane(&self, id: &str) -> Option<Arc<Pane>> {
        self.state().panes.get(id).map(|open| Arc::clone(&open.pane))
    }

    /// Opens the connection for output if a pane needs it, and closes it if none does.
    fn settle_output(&self, output: &mut OutputConnection) {
        let mut state = self.state();
        let is_needed = state.panes.values().any(|open| open.pane.uses_control());
        if is_needed == output.is_open() {
            return;
        }
        state.output_client = None;
        if is_needed {
            state.output_client = output.open(&self.server, &self.session).map(Arc::new);
        } else {
            output.close();
        }
        for open in state.panes.values() {
            open.pane.output_connected(state.output_client.as_ref());
        }
    }

    /// Lists all panes, and acts on what has changed.
    async fn refresh(
        self: &Arc<Self>,
        client: &Arc<ControlClient>,
        is_first: bool,
    ) -> Result<(), TmuxError> {
        if is_first {
            client.ask_one(subscription()).await?;
            self.state().fitted.clear();
        }
        let line = format!(
            "list-panes -a -F {} ; list-clients -F {}",
            quoted(FORMAT),
            quoted(CLIENT_FORMAT)
        );
        let replies = client.ask(line, 2).await?;
        let [panes, clients] = &replies[..] else {
            return Err(TmuxError::Refused(
                replies.first().map(|reply| reply.text()).unwrap_or_default(),
            ));
        };
        let mut list = PaneList::read(&panes.lines);
        list.count_clients(&clients.lines);
        if is_first {
            self.connected(Some(Arc::clone(client)));
        }
        self.apply(&list);
        self.open_others(&list);
        Ok(())
    }

    /// Finds out why the connection has ended, and what has become of the panes.
    async fn look_from_outside(self: &Arc<Self>) {
        match PaneList::of(&self.server).await {
            Ok(list) => self.apply(&list),
            Err(TmuxError::Refused(reason)) => {
                tracing::info!(reason, "the tmux server has ended");
                for open in self.state().panes.values() {
                    open.pane.close(ExitReason::ServerEnded);
                }
            }
            // It may answer later.
            Err(error) => tracing::warn!(%error, "the tmux server is not reached"),
        }
    }

    /// Tells each pane what has become of it.
    fn apply(self: &Arc<Self>, list: &PaneList) {
        let mut moved = Vec::new();
        {
            let mut state = self.state();
            let windows = |id: &String| {
                list.sessions.iter().flat_map(|it| &it.windows).any(|window| window.id == *id)
            };
            state.fitted.retain(windows);
            let shown = list.sessions.iter().find(|session| session.id == self.session);
            let shown = shown.map(|session| state.described(session));
            let alive = |id: &String| list.pane(id, None).is_some();
            state.left_alone.retain(alive);
            for open in state.panes.values() {
                match (list.pane(&open.pane.id, Some(&self.session)), &shown) {
                    (None, _) => open.pane.close(ExitReason::PaneClosed),
                    (Some(listed), Some(shown)) if listed.session == self.session => {
                        open.pane.listed(listed, shown);
                    }
                    (Some(listed), _) => moved.push((listed.session.clone(), open.clone())),
                }
            }
            state.shown = shown;
            for (_, open) in &moved {
                state.panes.remove(&open.pane.id);
            }
        }
        self.listed.notify_waiters();
        let Some(home) = self.home.upgrade() else { return };
        for (session, open) in moved {
            home.adopt(&self.server, &session, open);
        }
    }

    /// Opens the panes of the tmux session that no session shows yet.
    fn open_others(self: &Arc<Self>, list: &PaneList) {
        if !self.home.upgrade().is_some_and(|home| home.has_begun()) {
            return;
        }
        let mut state = self.state();
        let Some(opener) = state.opener.clone().filter(|_| state.creating == 0) else { return };
        let others = list.panes.iter().filter(|listed| listed.session == self.session);
        let others: Vec<_> = others
            .map(|listed| listed.shown.clone())
            .filter(|pane| !pane.dead && !state.panes.contains_key(&pane.id))
            .filter(|pane| !state.left_alone.contains(&pane.id))
            .take(TMUX_PANES.saturating_sub(state.panes.len()))
            .collect();
        for pane in others {
            state.left_alone.insert(pane.id.clone());
            let spec = TmuxSpec {
                socket: self.server.socket.clone(),
                pane: Some(pane.id.clone()),
                session: state.shown.as_ref().map(|shown| shown.name.clone()),
                new_window: false,
            };
            let session_id = SessionId::from_random(random_bits());
            let opener = Arc::clone(&opener);
            tokio::spawn(async move {
                if let Err(error) = opener.open_pane(PaneWish { session_id, spec }).await {
                    tracing::warn!(pane = pane.id, error, "a pane cannot be opened");
                }
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, GroupState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupState {
    /// Returns the tmux session with what only the host knows of it.
    fn described(&self, session: &TmuxSession) -> TmuxSession {
        let mut session = session.clone();
        for window in &mut session.windows {
            window.fitted = self.fitted.contains(&window.id);
            for pane in &mut window.panes {
                pane.session_id = self.panes.get(&pane.id).map(|open| open.session_id.clone());
            }
        }
        session.cleaned()
    }
}
