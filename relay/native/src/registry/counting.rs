//! How many there are of what.

use std::collections::BTreeMap;

use moorline_shared::id::SessionId;
use moorline_shared::session::Lifecycle;

use super::{Registry, Slot};

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Sessions.
    pub lifecycles: BTreeMap<&'static str, usize>,
    /// Clients of all sessions.
    pub clients: usize,
    /// Event streams, of the sessions that have some.
    pub streams: BTreeMap<SessionId, usize>,
}

impl Registry {
    /// What there is now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let all = [
            Lifecycle::Live,
            Lifecycle::Detached,
            Lifecycle::Exited,
            Lifecycle::Lost,
            Lifecycle::Expired,
        ];
        let mut lifecycles: BTreeMap<_, _> = all.map(|lifecycle| (word(lifecycle), 0)).into();
        let (mut clients, mut streams) = (0, BTreeMap::new());
        for (id, slot) in &self.known().slots {
            let mut lifecycle = match slot {
                Slot::Running(_) => Lifecycle::Live,
                Slot::Stored { record, .. } => record.lifecycle,
            };
            if let Some(handle) = slot.handle() {
                let state = handle.lock();
                lifecycle = state.session.lifecycle();
                clients += state.session.clients();
                if state.session.streams() > 0 {
                    streams.insert(id.clone(), state.session.streams());
                }
            }
            *lifecycles.entry(word(lifecycle)).or_default() += 1;
        }
        Counts { lifecycles, clients, streams }
    }
}

/// As on the wire.
const fn word(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Live => "live",
        Lifecycle::Detached => "detached",
        Lifecycle::Exited => "exited",
        Lifecycle::Lost => "lost",
        Lifecycle::Expired => "expired",
    }
}
