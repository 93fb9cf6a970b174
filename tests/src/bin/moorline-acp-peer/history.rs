//! Histories of sessions, as files of JSON lines that outlive the process.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of a history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HistoryEntry {
    /// The session was created, loaded or resumed.
    Opened {
        /// The working directory that the client named.
        cwd: String,
    },
    /// An update, or a part of a prompt as the update that replays it.
    Update(Value),
    /// A config option was changed.
    Setting {
        /// Id of the option.
        id: String,
        /// Its new value.
        value: Value,
    },
    /// A prompt with an idempotency key was accepted.
    #[serde(rename_all = "camelCase")]
    Accepted {
        /// The key.
        key: String,
        /// Id of the user's message.
        message_id: String,
    },
}

/// A folder with one file for each session; without a folder nothing is kept.
#[derive(Debug)]
pub(crate) struct HistoryFiles {
    folder: Option<PathBuf>,
}

impl HistoryFiles {
    /// Uses the folder, which is created if necessary.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self> {
        if let Some(folder) = &folder {
            let made = std::fs::create_dir_all(folder);
            made.with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(Self { folder })
    }

    /// Appends an entry with one call, so that a kill leaves no half of it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn append(&self, session: &str, entry: &HistoryEntry) -> Result<()> {
        let Some(path) = self.path(session) else { return Ok(()) };
        let line = format!("{}\n", serde_json::to_string(entry)?);
        let mut file = File::options().create(true).append(true).open(&path)?;
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The entries of a session; `None` if it has no file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(&self, session: &str) -> Result<Option<Vec<HistoryEntry>>> {
        let Some(path) = self.path(session) else { return Ok(None) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let entries = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        Ok(Some(entries.with_context(|| path.display().to_string())?))
    }

    /// The ids of all sessions that have a file, in order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn sessions(&self) -> Result<Vec<String>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            ids.extend(id.map(str::to_owned));
        }
        ids.sort();
        Ok(ids)
    }

    /// Deletes the file of a session, if there is one.
    ///
    /// # Errors
    /// If it cannot be deleted.
    pub(crate) fn remove(&self, session: &str) -> Result<()> {
        let Some(path) = self.path(session) else { return Ok(()) };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The file of a session. Ids of other characters than ours have none.
    fn path(&self, session: &str) -> Option<PathBuf> {
        let ours = |char: char| char.is_ascii_alphanumeric() || char == '-';
        let valid = !session.is_empty() && session.chars().all(ours);
        let folder = self.folder.as_ref().filter(|_| valid)?;
        Some(folder.join(format!("{session}.jsonl")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_back_and_other_ids_have_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = HistoryFiles::open(Some(folder.path().to_owned())).unwrap();
        let opened = HistoryEntry::Opened { cwd: "/".to_owned() };
        files.append("peer-1", &opened).unwrap();
        files.append("peer-1", &HistoryEntry::Update("x".into())).unwrap();
        let read = files.read("peer-1").unwrap().unwrap();
        assert!(matches!(&read[..], [HistoryEntry::Opened { .. }, HistoryEntry::Update(_)]));
        assert_eq!(files.sessions().unwrap(), ["peer-1"]);
        files.append("../peer-2", &opened).unwrap();
        assert!(files.read("../peer-2").unwrap().is_none());
        assert!(!folder.path().join("../peer-2.jsonl").exists());
        files.remove("peer-1").unwrap();
        assert!(files.read("peer-1").unwrap().is_none());
    }
}
