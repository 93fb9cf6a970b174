//! The link to the session's host.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use moorline_core::session::{PublishError, SessionInput};
use moorline_shared::link::Liveness;
use moorline_shared::message::close;
use moorline_shared::packet::{BadPacket, Decode as _, Encode as _, Packet};
use moorline_shared::publish::{HostCommand, HostMessage, RefusedReason, SUBPROTOCOL};
use moorline_shared::time::Time;
use worker::{
    Result, State, WebSocket, WebSocketIncomingMessage, WebSocketPair, console_error, console_warn,
};

use super::clients::upgraded;
use super::clock::{now, wall_ms};
use super::object::{Fault, Object};
use super::sockets::{self, Attachment, Buffers};
use super::state::{HostLink, SessionState};
use crate::internal::Caller;
use crate::reply::Answer;

/// Time allowed for a host to answer where its log begins.
const PATIENCE: Duration = Duration::from_secs(10);

/// Error that breaks a host's link.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Packet(#[from] BadPacket),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Opens the host's link, which replaces an older one.
pub(super) fn open(object: &Rc<Object>, caller: Caller) -> Answer {
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    match object.with(|loaded| loaded.link(object, &server, caller)) {
        Ok(linked) => linked?,
        Err(fault) => {
            server.accept()?;
            let (reason, code) = match fault {
                Fault::NoSession(_) => (RefusedReason::NotFound, close::NOT_FOUND),
                Fault::Sql(_) => (RefusedReason::Other, close::INTERNAL),
            };
            refuse(&server, reason, code);
        }
    }
    Ok(upgraded(client, Some(SUBPROTOCOL))?)
}

impl SessionState {
    fn link(&mut self, object: &Object, socket: &WebSocket, caller: Caller) -> Result<()> {
        sockets::accept(&object.state, socket)?;
        let mut since = now().ms;
        if let Some(older) = self.host.take() {
            since = since.max(older.since + 1);
            self.owners.remove(&older.socket);
            sockets::close(&older.socket, close::REPLACED, "a newer link replaced this one");
        }
        let (socket, heard) = (socket.clone(), now());
        let host = HostLink {
            socket,
            since,
            listed: None,
            heard,
            is_asked: false,
            withheld: None,
            caller: Some(caller),
        };
        host.keep();
        self.session.handle(heard, SessionInput::HostArrived);
        self.put_host(host);
        Ok(())
    }

    /// Drops a host that is dead, as [`Liveness`] defines it. Nothing wakes the object to
    /// check that, so it is checked when someone needs the host.
    pub(super) fn check_host(&mut self, state: &State) {
        let now = now();
        let is_dead = |host: &HostLink| Liveness::new(host.heard).is_dead(now);
        let Some(host) = self.host.as_mut().filter(|host| is_dead(host)) else { return };
        let answered = sockets::answered_at(state, &host.socket).map(Time::from_ms);
        host.heard = answered.unwrap_or_default().max(host.heard);
        if is_dead(host) {
            self.cut_host();
        }
    }

    /// Time by which a host that was asked where to begin must have answered; `None` if it was not
    /// asked.
    pub(super) fn host_deadline(&self) -> Option<Time> {
        self.host
            .as_ref()
            .filter(|_| self.session.host_is_asked())
            .map(|host| host.heard + PATIENCE)
    }

    /// Drops a host that has not answered in time.
    pub(super) fn check_answer(&mut self, now: Time) {
        if self.host_deadline().is_some_and(|deadline| now >= deadline) {
            self.cut_host();
        }
    }

    fn cut_host(&mut self) {
        if let Some(host) = &self.host {
            sockets::close(&host.socket, close::PROTOCOL, "nothing was heard from the host");
        }
        self.unlink();
    }

    /// Handles a message from the host.
    pub(super) fn host_says(&mut self, message: WebSocketIncomingMessage) {
        if let Some(host) = &mut self.host {
            host.heard = now();
        }
        if let Err(error) = self.hear_host(message) {
            console_warn!("the host's link is broken: {error}");
            let (reason, code) = match error {
                Broken::Publish(PublishError::Fenced { .. }) => {
                    (RefusedReason::Fenced, close::REPLACED)
                }
                _ => (RefusedReason::BadMessage, close::PROTOCOL),
            };
            if let Some(host) = &self.host {
                refuse(&host.socket, reason, code);
            }
            self.unlink();
        }
    }

    fn hear_host(&mut self, message: WebSocketIncomingMessage) -> std::result::Result<(), Broken> {
        let message = match message {
            WebSocketIncomingMessage::Binary(packet) => Packet::Binary(Bytes::from(packet)),
            WebSocketIncomingMessage::String(text) => Packet::Text(Bytes::from(text)),
        };
        let head = self.session.log().head();
        self.session.host_message(HostMessage::decode(message)?, wall_ms())?;
        if let Some(entry) = self.session.log().get(head.next()) {
            self.report.counts(entry);
        }
        Ok(())
    }

    /// Removes the host's link, whose socket is gone.
    pub(super) fn unlink(&mut self) {
        if let Some(host) = self.host.take() {
            self.owners.remove(&host.socket);
            self.session.handle(now(), SessionInput::HostLeft);
        }
    }

    /// Sends the host its pending commands.
    ///
    /// The runtime reads a socket for as long as it has data, and handles no other event meanwhile.
    /// So the acknowledgements to a host that floods are withheld until a timer fires, which
    /// happens once nothing is left to read: by then the host's window is used up, or others were
    /// served in between.
    pub(super) fn command_host(&mut self, now: Time) {
        let mut buffers = Buffers::default();
        while let Some(command) = self.session.poll_command() {
            let Some(host) = &mut self.host else { continue };
            if let HostCommand::Ack { seq } = command
                && self.store.is_flooded()
            {
                let since = host.withheld.map_or(now, |(_, since)| since);
                host.withheld = Some((seq, since));
                continue;
            }
            host.send(command, &mut buffers);
        }
    }

    /// Saves whether the host owes an answer, if that has changed.
    pub(super) fn keep_asked(&mut self) {
        let is_asked = self.session.host_is_asked();
        if let Some(host) = self.host.as_mut().filter(|host| host.is_asked != is_asked) {
            host.is_asked = is_asked;
            host.keep();
        }
    }

    /// Time at which a withheld acknowledgement is due; `None` if none is withheld.
    pub(super) fn ack_due(&self) -> Option<Time> {
        self.host.as_ref()?.withheld.map(|(_, since)| since)
    }

    /// Sends the withheld acknowledgement; called by a timer.
    pub(super) fn wake(&mut self) {
        let Some(host) = &mut self.host else { return };
        if let Some((seq, _)) = host.withheld.take() {
            host.send(HostCommand::Ack { seq }, &mut Buffers::default());
        }
    }
}

impl HostLink {
    fn send(&self, command: HostCommand, buffers: &mut Buffers) {
        match command.encode() {
            Packet::Text(text) => sockets::send_text(&self.socket, &text),
            Packet::Binary(packet) => buffers.send(&self.socket, &packet),
        }
    }

    /// Saves the link's lasting state as the socket's attachment.
    pub(super) fn keep(&self) {
        let Self { since, listed, is_asked: asked, .. } = *self;
        let caller = self.caller.clone().map(Box::new);
        sockets::keep(&self.socket, &Attachment::Host { since, listed, asked, caller });
    }
}

fn refuse(socket: &WebSocket, reason: RefusedReason, code: u16) {
    if let Packet::Text(text) = (HostCommand::Refused { reason }).encode() {
        sockets::send_text(socket, &text);
    }
    sockets::close(socket, code, "this link was refused");
    if code == close::INTERNAL {
        console_error!("a host could not be served");
    }
}
