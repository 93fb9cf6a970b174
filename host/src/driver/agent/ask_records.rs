//! What was seen of agents: whether each version asks before it changes files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::state_file::StateFile;

/// The name of the file in the host's folder.
const FILE_NAME: &str = "agents.json";
/// Largest size of the file in bytes.
const FILE_BYTES: u64 = 64 * 1024;

/// The records of agents by their ids in the catalogue, which bounds their number.
type Records = BTreeMap<String, AskRecord>;

/// What was seen of all agents. The same for all sessions of a host.
#[derive(Debug, Default)]
pub(super) struct AskRecords {
    records: Mutex<Records>,
    /// The file; `None` if records are not kept.
    file: Option<StateFile<Records>>,
}

/// What was seen of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AskRecord {
    /// The version that it was seen of, if the agent says.
    version: Option<String>,
    /// True if it has asked before it changed a file, the last time that it did.
    asks: bool,
}

impl AskRecords {
    /// Reads the records in a host's folder. Blocks.
    pub(super) fn open(folder: &Path) -> Self {
        let (file, records) = StateFile::open(folder.join(FILE_NAME), FILE_BYTES);
        Self { records: Mutex::new(records), file: Some(file) }
    }

    /// Returns whether an agent asks, if that was seen of its present version. `version` is only
    /// called if there is a record.
    pub(super) fn get(&self, id: &str, version: impl FnOnce() -> Option<String>) -> Option<bool> {
        let record = self.lock().get(id).cloned()?;
        (record.version == version()).then_some(record.asks)
    }

    /// Records what was seen. Blocks.
    ///
    /// # Errors
    /// The system's error if it is not kept.
    pub(super) fn record(&self, id: &str, version: Option<String>, asks: bool) -> io::Result<()> {
        let record = AskRecord { version, asks };
        let before = self.lock().insert(id.to_owned(), record.clone());
        match &self.file {
            Some(file) if before != Some(record) => file.save(|| self.lock().clone()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        // Every change is a single insertion.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_of_a_version_and_outlive_the_host() {
        let version = |version: &str| Some(version.to_owned());
        let folder = tempfile::tempdir().unwrap();
        let records = AskRecords::open(folder.path());
        assert_eq!(records.get("codex", || unreachable!()), None);
        records.record("codex", version("2.6.0"), false).unwrap();
        records.record("pi", None, true).unwrap();
        for records in [records, AskRecords::open(folder.path())] {
            assert_eq!(records.get("codex", || version("2.6.0")), Some(false));
            assert_eq!(records.get("codex", || version("2.7.0")), None);
            assert_eq!(records.get("pi", || None), Some(true));
        }
    }
}
