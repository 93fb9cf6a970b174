//! The state from which another host continues a session.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// The state of a driver, as it is written at each step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverCheckpoint {
    /// The state, without the contents that it names.
    pub state: Bytes,
    /// The keys of all contents that the state names. Contents are large and never change, so each
    /// is written once.
    pub contents: BTreeSet<String>,
    /// Those of the contents that are not stored yet.
    pub fresh: Vec<(String, Bytes)>,
}

/// The state of a driver, as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The state.
    pub state: Bytes,
    /// The contents that it names, and perhaps others, by key.
    pub contents: BTreeMap<String, Bytes>,
}

impl From<Bytes> for DriverCheckpoint {
    fn from(state: Bytes) -> Self {
        Self { state, ..Self::default() }
    }
}
