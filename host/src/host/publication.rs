//! Keeps a session published.

use std::sync::Arc;

use moorline_shared::link::Redial;
use moorline_shared::message::close;
use moorline_shared::publish::RefusedReason;
use tokio::time::sleep;

use super::Host;
use crate::clock::monotonic;
use crate::dial::{DialError, PublishWire, in_time};
use crate::session::{LinkEnd, Session};

/// Publishes a session until it is over and the relay has all of it, or until a later epoch
/// replaces it.
///
/// A relay that does not know the session does not end it: it may have restarted and not have
/// received this host's hello yet. Nor does one that refuses the token, which can be replaced.
pub(super) async fn keep_published(host: Arc<Host>, session: Arc<Session>) {
    let seed = host.config.seed ^ session.hosted().epoch.0;
    let mut redial = Redial::new(seed, host.dial.longest_wait());
    loop {
        // Registered before dialling, so that a welcome in the meantime ends the wait below.
        let arrived = host.arrived.notified();
        let end = match open(&host, &session).await {
            Ok(wire) => session.publish(wire, &mut redial).await,
            Err(error) => LinkEnd::Closed(error.code()),
        };
        let code = match end {
            LinkEnd::Over => break,
            LinkEnd::Refused(RefusedReason::Fenced) => {
                tracing::warn!(session = %session.id(), "it runs on another host: ended here");
                session.let_go();
                break;
            }
            LinkEnd::Refused(RefusedReason::NotFound) => close::NOT_FOUND,
            LinkEnd::Refused(reason) => {
                tracing::error!(session = %session.id(), ?reason, "the relay refused it");
                close::FORBIDDEN
            }
            LinkEnd::Closed(code) => code,
        };
        let wait = redial.wait_after(monotonic(), code);
        tracing::debug!(session = %session.id(), code, ?wait, "not published");
        tokio::select! {
            () = sleep(wait) => {}
            () = arrived => {}
        }
    }
    host.retire(&session);
}

async fn open(host: &Host, session: &Session) -> Result<PublishWire, DialError> {
    let _turn = host.dials.acquire().await;
    in_time(host.dial.publish(session.id())).await
}
