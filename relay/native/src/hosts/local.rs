//! A host in the relay's own process: its links are channels.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moorline_host::dial::{ControlWire, Dial, DialError, Dialing, PublishWire, Wire};
use moorline_shared::control::local_host;
use moorline_shared::id::SessionId;

use super::link::Local;
use super::{keep_control, receive};
use crate::registry::Registry;

/// Messages on their way from one side to the other.
const CAPACITY: usize = 64;
/// The relay is always here.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub struct InProcess {
    /// The relay outlives its host.
    registry: Weak<Registry>,
}

impl InProcess {
    /// Reaches this relay.
    #[must_use]
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::downgrade(registry) }
    }

    fn registry(&self) -> Result<Arc<Registry>, DialError> {
        let gone = || DialError::Unreachable("the relay has ended".to_owned());
        self.registry.upgrade().ok_or_else(gone)
    }
}

impl Dial for InProcess {
    fn control(&self) -> Dialing<'_, ControlWire> {
        Box::pin(async {
            let registry = self.registry()?;
            let (host, relay) = Wire::pair(CAPACITY);
            let parting = registry.parting();
            tokio::spawn(keep_control(Local::new(relay), local_host(), registry, parting));
            Ok(host)
        })
    }

    fn publish<'a>(&'a self, session: &'a SessionId) -> Dialing<'a, PublishWire> {
        Box::pin(async {
            let registry = self.registry()?;
            let found = registry.publishing(session, Some(&local_host())).await;
            let handle = found.map_err(|error| DialError::Unreachable(error.to_string()))?;
            let (host, relay) = Wire::pair(CAPACITY);
            let parting = registry.parting();
            tokio::spawn(receive(Local::new(relay), handle.host_arrived(), parting));
            Ok(host)
        })
    }

    fn longest_wait(&self) -> Duration {
        LONGEST_WAIT
    }
}
