//! The host's link.

use std::rc::Rc;

use bytes::Bytes;
use moorline_relay::core::session::PublishError;
use moorline_shared::log::Entry;
use moorline_shared::message::close;
use moorline_shared::publish::{
    BadPacket, HostCommand, HostMessage, Packet, RefusedReason, SUBPROTOCOL,
};
use worker::{
    Result, WebSocket, WebSocketIncomingMessage, WebSocketPair, console_error, console_warn,
};

use super::clients::upgraded;
use super::loaded::{HostLink, Loaded};
use super::object::{Fault, Object, now};
use super::sockets::{self, Attachment, Buffers};
use crate::reply::Answer;

/// Why a host's link is closed.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Packet(#[from] BadPacket),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Opens the host's link. An older one is replaced.
pub(super) fn open(object: &Rc<Object>) -> Answer {
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    match object.with(|loaded| loaded.link(object, &server)) {
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

impl Loaded {
    fn link(&mut self, object: &Object, socket: &WebSocket) -> Result<()> {
        sockets::accept(&object.state, socket)?;
        let mut since = now().ms;
        if let Some(older) = self.host.take() {
            since = since.max(older.since + 1);
            self.owners.remove(&older.socket);
            sockets::close(&older.socket, close::REPLACED, "a later link took its place");
        }
        let host = HostLink { socket: socket.clone(), since, listed: None };
        host.keep();
        self.put_host(host);
        Ok(())
    }

    /// The host says something.
    pub(super) fn host_says(&mut self, message: WebSocketIncomingMessage) {
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
            WebSocketIncomingMessage::Binary(packet) => {
                HostMessage::from_binary(Bytes::from(packet))?
            }
            WebSocketIncomingMessage::String(text) => {
                match HostMessage::from_text(&Bytes::from(text))? {
                    Some(message) => message,
                    None => return Ok(()),
                }
            }
        };
        if matches!(message, HostMessage::Entry(Entry::Output(_))) {
            self.active(now());
        }
        Ok(self.session.host_message(message)?)
    }

    /// The host's socket is gone.
    pub(super) fn unlink(&mut self) {
        if let Some(host) = self.host.take() {
            self.owners.remove(&host.socket);
            self.session.host_left(false);
        }
    }

    /// Sends the host what it must do.
    pub(super) fn command_host(&mut self) {
        let mut buffers = Buffers::default();
        while let Some(command) = self.session.poll_command() {
            let Some(host) = &self.host else { continue };
            match command.encode() {
                Packet::Text(text) => sockets::send_text(&host.socket, &text),
                Packet::Binary(packet) => buffers.send(&host.socket, &packet),
            }
        }
    }
}

impl HostLink {
    /// Keeps what must survive beside the socket.
    pub(super) fn keep(&self) {
        let Self { since, listed, .. } = *self;
        sockets::keep(&self.socket, &Attachment::Host { since, listed });
    }
}

fn refuse(socket: &WebSocket, reason: RefusedReason, code: u16) {
    if let Packet::Text(text) = (HostCommand::Refused { reason }).encode() {
        sockets::send_text(socket, &text);
    }
    sockets::close(socket, code, "this link is not taken");
    if code == close::INTERNAL {
        console_error!("a host could not be served");
    }
}
