//! A session: its history, its settings, and whether a turn runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::history::{HistoryEntry, HistoryFiles};
use crate::settings::PeerSettings;

/// Entries of a history that are kept for replays. Later ones are not.
const HISTORY_ENTRIES: usize = 100_000;

/// A session that was created or loaded.
#[derive(Debug)]
pub(crate) struct PeerSession {
    pub(crate) id: String,
    files: Arc<HistoryFiles>,
    data: Mutex<PeerSessionData>,
}

/// What changes in a session.
#[derive(Debug, Default)]
struct PeerSessionData {
    cwd: String,
    title: Option<String>,
    /// Updates, in the order in which they are replayed.
    updates: Vec<Value>,
    settings: PeerSettings,
    /// The messages of idempotency keys.
    accepted: HashMap<String, String>,
    /// How often the session was created, loaded or resumed: a part of new ids, so that they are
    /// unique across processes.
    opened: usize,
    /// Number of ids that were made since then.
    ids: usize,
    /// The tool call that was reported last.
    last_tool: Option<String>,
    /// Cancels the running turn. It is `None` while none runs.
    turn: Option<watch::Sender<bool>>,
}

impl PeerSession {
    /// A session with this history, which is empty for a new one.
    pub(crate) fn new(id: String, files: Arc<HistoryFiles>, history: Vec<HistoryEntry>) -> Self {
        let mut data = PeerSessionData::default();
        history.into_iter().for_each(|entry| data.apply(entry));
        Self { id, files, data: Mutex::new(data) }
    }

    /// Notes an entry in memory and in the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn record(&self, entry: HistoryEntry) -> Result<()> {
        self.files.append(&self.id, &entry)?;
        self.data().apply(entry);
        Ok(())
    }

    pub(crate) fn cwd(&self) -> String {
        self.data().cwd.clone()
    }

    pub(crate) fn updates(&self) -> Vec<Value> {
        self.data().updates.clone()
    }

    pub(crate) fn settings(&self) -> PeerSettings {
        self.data().settings.clone()
    }

    /// The message of a prompt that was accepted before with this idempotency key.
    pub(crate) fn accepted(&self, key: &str) -> Option<String> {
        self.data().accepted.get(key).cloned()
    }

    /// What `session/list` says of it.
    pub(crate) fn info(&self) -> Value {
        let data = self.data();
        json!({"sessionId": self.id, "cwd": data.cwd, "title": data.title})
    }

    /// Makes an id that no other of this session has, in any process.
    pub(crate) fn new_id(&self, prefix: &str) -> String {
        let mut data = self.data();
        data.ids += 1;
        format!("{prefix}-{}-{}", data.opened, data.ids)
    }

    /// The tool call that was reported last.
    pub(crate) fn last_tool(&self) -> Option<String> {
        self.data().last_tool.clone()
    }

    /// Starts a turn. The receiver becomes true when it is cancelled. `None` if one runs.
    pub(crate) fn start_turn(&self) -> Option<watch::Receiver<bool>> {
        let mut data = self.data();
        if data.turn.is_some() {
            return None;
        }
        let (sender, receiver) = watch::channel(false);
        data.turn = Some(sender);
        Some(receiver)
    }

    /// Ends the running turn.
    pub(crate) fn end_turn(&self) {
        self.data().turn = None;
    }

    /// Cancels the running turn. The sender tells when its last step is done; `None` if no turn runs.
    pub(crate) fn cancel(&self) -> Option<watch::Sender<bool>> {
        let turn = self.data().turn.clone()?;
        turn.send_replace(true);
        Some(turn)
    }

    fn data(&self) -> MutexGuard<'_, PeerSessionData> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerSessionData {
    fn apply(&mut self, entry: HistoryEntry) {
        match entry {
            HistoryEntry::Opened { cwd } => {
                self.cwd = cwd;
                self.opened += 1;
                self.ids = 0;
            }
            HistoryEntry::Update(update) => self.apply_update(update),
            HistoryEntry::Setting { id, value } => {
                // It was checked before it was recorded.
                let _ = self.settings.set(&id, &value);
            }
            HistoryEntry::Accepted { key, message_id } => {
                self.accepted.insert(key, message_id);
            }
        }
    }

    fn apply_update(&mut self, update: Value) {
        match update["sessionUpdate"].as_str() {
            Some("session_info_update") => {
                self.title = update["title"].as_str().map(str::to_owned);
            }
            Some("tool_call" | "tool_call_update") => {
                self.last_tool = update["toolCallId"].as_str().map(str::to_owned);
            }
            _ => {}
        }
        if self.updates.len() < HISTORY_ENTRIES {
            self.updates.push(update);
        }
    }
}
