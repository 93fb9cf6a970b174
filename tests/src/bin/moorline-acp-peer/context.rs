//! What all sessions of a process share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::dialect::PeerDialect;
use crate::history::HistoryFiles;
use crate::wire::PeerWire;

/// The process's connection and files.
pub(crate) struct PeerContext {
    pub(crate) wire: PeerWire,
    pub(crate) files: Arc<HistoryFiles>,
    /// Whether results carry the `models` of the protocol before config options.
    pub(crate) legacy_models: bool,
    /// Set by `initialize`.
    dialect: OnceLock<PeerDialect>,
    /// Whether the client has authenticated.
    pub(crate) authenticated: AtomicBool,
    /// Told when standard input is to be read no more.
    pub(crate) deaf: Notify,
    /// Number of sessions that this process has made.
    sessions: AtomicUsize,
}

impl PeerContext {
    pub(crate) fn new(wire: PeerWire, files: HistoryFiles, legacy_models: bool) -> Self {
        Self {
            wire,
            files: Arc::new(files),
            legacy_models,
            dialect: OnceLock::new(),
            authenticated: AtomicBool::new(false),
            deaf: Notify::new(),
            sessions: AtomicUsize::new(0),
        }
    }

    /// Sets the protocol of the connection. False if it is set already.
    pub(crate) fn agree(&self, dialect: PeerDialect) -> bool {
        self.dialect.set(dialect).is_ok()
    }

    /// The protocol of the connection; `None` before `initialize`.
    pub(crate) fn dialect(&self) -> Option<&PeerDialect> {
        self.dialect.get()
    }

    /// The id of a new session, which no other process has given.
    pub(crate) fn new_session_id(&self) -> String {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        format!("peer-{}-{number}", std::process::id())
    }
}
