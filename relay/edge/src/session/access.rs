//! The access of open connections: each is closed when its caller's token expires, is revoked, or
//! allows less.

use std::rc::Rc;

use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_shared::rest::AuditKind;
use moorline_shared::time::Time;

use super::object::{Fault, Object};
use super::readers::has_expired;
use super::sockets;
use super::state::SessionState;
use crate::internal::{ACCESS_ENDED, Caller, Held, STILL};
use crate::object_client;
use crate::reply::RequestFailure;

/// Closes the connections whose callers are no longer allowed what they were, as the directory says.
pub(super) async fn recheck(object: &Rc<Object>) -> Result<(), RequestFailure> {
    let mut callers = match object.peek(|loaded| loaded.callers()) {
        Ok(callers) => callers,
        Err(Fault::NoSession(_)) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let readers = object.readers.all();
    for reader in &readers {
        push(&mut callers, &reader.caller());
    }
    if callers.is_empty() {
        return Ok(());
    }
    let session: Option<SessionId> = object.name().parse().ok();
    let directory = object_client::directory(&object.env)?;
    let held = Held { session, callers, is_request: false };
    let now: Vec<Option<Caller>> = object_client::ask(&directory, STILL, &held).await?;
    let answers: Vec<_> = held.callers.into_iter().zip(now).collect();
    let answer_of = |caller: &Caller| answers.iter().find(|(asked, _)| asked == caller);
    object.with(|loaded| {
        for client in loaded.clients.values_mut() {
            match client.caller.as_ref().and_then(answer_of) {
                Some((_, Some(caller))) => client.renew(caller),
                Some((_, None)) => client.peer.close(close::UNAUTHORIZED, ACCESS_ENDED),
                None => {}
            }
        }
        let host = loaded.host.as_ref().and_then(|host| host.caller.as_ref());
        match host.and_then(answer_of) {
            Some((_, Some(caller))) => loaded.renew_host(caller),
            Some((_, None)) => loaded.cut_host_access(),
            None => {}
        }
        for (caller, _) in answers.iter().filter(|(_, now)| now.is_none()) {
            loaded.audit.push(caller.event(AuditKind::Cut).about(loaded.session.id()));
        }
    })?;
    for reader in &readers {
        match answer_of(&reader.caller()) {
            Some((_, Some(caller))) => reader.renew(caller),
            Some((_, None)) => reader.is_cut.set(true),
            None => {}
        }
    }
    object.ring();
    Ok(())
}

fn push(callers: &mut Vec<Caller>, caller: &Caller) {
    if !callers.contains(caller) {
        callers.push(caller.clone());
    }
}

impl SessionState {
    /// The callers whose sockets are open.
    fn callers(&self) -> Vec<Caller> {
        let mut callers = Vec::new();
        let clients = self.clients.values().filter_map(|client| client.caller.as_ref());
        let host = self.host.iter().filter_map(|host| host.caller.as_ref());
        clients.chain(host).for_each(|caller| push(&mut callers, caller));
        callers
    }

    /// When the first of the open sockets' tokens and cookies expires.
    pub(super) fn access_ends_at(&self) -> Option<Time> {
        let clients = self.clients.values().filter_map(|client| client.caller.as_ref());
        let host = self.host.iter().filter_map(|host| host.caller.as_ref());
        clients.chain(host).filter_map(Caller::ends_at).min()
    }

    /// Closes the sockets whose tokens or cookies have expired.
    pub(super) fn cut_expired(&mut self, now: Time) {
        for client in self.clients.values_mut() {
            if client.caller.as_ref().is_some_and(|caller| has_expired(caller, now)) {
                client.peer.close(close::UNAUTHORIZED, ACCESS_ENDED);
            }
        }
        let host = self.host.as_ref().and_then(|host| host.caller.as_ref());
        if host.is_some_and(|caller| has_expired(caller, now)) {
            self.cut_host_access();
        }
    }

    fn renew_host(&mut self, now: &Caller) {
        if let Some(host) = &mut self.host
            && let Some(caller) = host.caller.as_mut().filter(|caller| *caller != now)
        {
            *caller = now.clone();
            host.keep();
        }
    }

    fn cut_host_access(&mut self) {
        if let Some(host) = &self.host {
            sockets::close(&host.socket, close::UNAUTHORIZED, ACCESS_ENDED);
        }
        self.unlink();
    }
}

impl super::state::Client {
    /// Takes over what the caller's token and cookie give now, such as a later expiry.
    fn renew(&mut self, now: &Caller) {
        if let Some(caller) = &mut self.caller
            && caller != now
        {
            *caller = now.clone();
            self.peer.set_grant(now.grant.clone());
            self.has_moved = true;
        }
    }
}
