//! The groups of all tmux sessions with open panes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use moorline_shared::id::SessionId;
use moorline_shared::tmux::TmuxServer;

use super::command::{ServerSocket, sockets};
use super::group::{GroupHome, OpenPane, TmuxGroup};
use super::list::PaneList;
use super::pipe::PipeFactory;

/// The groups of all tmux sessions with open panes, by their server and id.
#[derive(Debug)]
pub(super) struct TmuxServers {
    pipes: Arc<PipeFactory>,
    own: Weak<Self>,
    groups: Mutex<BTreeMap<(ServerSocket, String), Arc<TmuxGroup>>>,
    /// False while sessions of an earlier host may still be shown again. Until then, groups open no
    /// panes by themselves: those may have a session already.
    has_begun: AtomicBool,
}

impl TmuxServers {
    pub(super) fn new(pipes: Arc<PipeFactory>) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            pipes,
            own: own.clone(),
            groups: Mutex::default(),
            has_begun: AtomicBool::new(false),
        })
    }

    /// Lets groups open panes by themselves from now on.
    pub(super) fn begin(&self) {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.groups().values().for_each(|group| group.look());
        }
    }

    /// Calls `add` with the group of a tmux session, which must get a pane from it. The group runs as
    /// long as it has panes.
    pub(super) fn join<T>(
        &self,
        server: &ServerSocket,
        session: &str,
        add: impl FnOnce(&Arc<TmuxGroup>) -> T,
    ) -> T {
        let mut groups = self.groups();
        let key = (server.clone(), session.to_owned());
        let mut is_new = false;
        let group = groups.entry(key).or_insert_with(|| {
            is_new = true;
            let (server, session) = (server.clone(), session.to_owned());
            let home: Weak<dyn GroupHome> = self.own.clone();
            TmuxGroup::new(server, session, home, Arc::clone(&self.pipes))
        });
        let added = add(group);
        if is_new {
            tokio::spawn(Arc::clone(group).run());
        }
        added
    }

    /// Returns the group of a tmux session, if it has open panes.
    pub(super) fn group(&self, server: &ServerSocket, session: &str) -> Option<Arc<TmuxGroup>> {
        self.groups().get(&(server.clone(), session.to_owned())).cloned()
    }

    /// Returns the group that has a pane open, and the session that shows it.
    pub(super) fn find(
        &self,
        server: &ServerSocket,
        pane: &str,
    ) -> Option<(Arc<TmuxGroup>, SessionId)> {
        let groups = self.groups();
        groups.values().filter(|group| group.server == *server).find_map(|group| {
            let session_id = group.session_of(pane)?;
            Some((Arc::clone(group), session_id))
        })
    }

    /// Lists the servers of this user with their sessions, windows and panes. One that does not answer
    /// is left out.
    pub(super) async fn list(&self) -> Vec<TmuxServer> {
        let mut sockets = sockets();
        // Sessions may show servers elsewhere.
        let known: Vec<_> = self.groups().keys().map(|(server, _)| server.clone()).collect();
        for server in known {
            if !sockets.contains(&server) {
                sockets.push(server);
            }
        }
        let mut servers = Vec::new();
        for server in sockets {
            let Ok(mut list) = PaneList::of(&server).await else { continue };
            if list.count_clients_of(&server).await.is_err() {
                continue;
            }
            let mut sessions = list.sessions;
            for pane in
                sessions.iter_mut().flat_map(|it| &mut it.windows).flat_map(|it| &mut it.panes)
            {
                pane.session_id = self.find(&server, &pane.id).map(|(_, session_id)| session_id);
            }
            servers.push(TmuxServer { socket: server.socket, sessions });
        }
        TmuxServer::cleaned(servers)
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<(ServerSocket, String), Arc<TmuxGroup>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupHome for TmuxServers {
    fn retire(&self, group: &Arc<TmuxGroup>) -> bool {
        let mut groups = self.groups();
        // No pane can be added while the lock is held.
        let is_over = group.is_empty();
        if is_over {
            groups.retain(|_, other| !Arc::ptr_eq(other, group));
        }
        is_over
    }

    fn adopt(&self, server: &ServerSocket, session: &str, open: OpenPane) {
        self.join(server, session, |group| group.add(open));
    }

    fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }
}
