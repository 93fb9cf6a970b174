//! Work that follows from each event: messages to the host and the clients, storing what is due,
//! and saving what must survive hibernation.

use std::mem;

use moorline_core::audit::AuditRecord;
use moorline_core::peer::PeerOutput;
use moorline_core::profile::Profile;
use moorline_core::session::{Session, SessionEffect, SessionInput};
use moorline_core::stored::SegmentRow;
use moorline_shared::id::Seq;
use moorline_shared::log::Entry;
use moorline_shared::time::Time;
use worker::console_error;

use super::expiry::SAFETY;
use super::sockets::{self, Buffers, SocketOwner};
use super::state::SessionState;
use crate::sql::{ObjectDatabase, SqlError};

/// Work that is left after an event.
#[derive(Debug)]
pub(super) struct Due {
    /// Time at which the session needs attention without an event.
    pub(super) wake_at: Option<Time>,
    /// Time for the alarm, in case the memory is lost before then.
    pub(super) alarm_at: Option<Time>,
    /// True if the directory must be told of a change.
    pub(super) tell: bool,
    /// True if readers without a socket may have something to read.
    pub(super) rings: bool,
    /// What clients have done, for the directory to record.
    pub(super) audit: Vec<AuditRecord>,
}

impl SessionState {
    /// Carries out what follows from an event.
    pub(super) fn settle(&mut self, now: Time) -> Result<Due, SqlError> {
        self.check_answer(now);
        self.cut_expired(now);
        self.session.handle(now, SessionInput::Timeout);
        loop {
            let before = self.session.action_revision();
            self.serve_all(now);
            self.follow_up(now)?;
            // Clients are told of what is stored now.
            if self.session.action_revision() == before {
                break;
            }
        }
        self.keep_asked();
        self.answer_writes();
        for client in self.clients.values_mut().filter(|client| client.has_moved) {
            client.keep();
        }
        let (tell, rings) = (self.tells_directory(now), self.visible.changed(&self.session));
        let audit = mem::take(&mut self.audit);
        Ok(Due { wake_at: self.wake_at(), alarm_at: self.alarm_at(now), tell, rings, audit })
    }

    /// Stores what is due, and carries out what the session asks for.
    fn follow_up(&mut self, now: Time) -> Result<(), SqlError> {
        if self.store.due().is_some_and(|due| now >= due) {
            self.store_all(now)?;
        }
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionEffect::Held(change) => self.store.write_held(change)?,
                SessionEffect::Commands => self.command_host(now),
                SessionEffect::ListChanged => self.report.changed(&self.session),
                SessionEffect::Audit(record) => self.audit.push(*record),
                SessionEffect::Store(urgency) => {
                    self.store.ask(now, urgency, self.session.unstored_bytes());
                    if self.store.due() == Some(now) {
                        self.store_all(now)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Stores everything that waits.
    pub(super) fn store_all(&mut self, now: Time) -> Result<(), SqlError> {
        while let Some(batch) = self.session.store_batch(Profile::EDGE.batch_bytes) {
            let rows = self.store.write(self.session.id(), &batch, now)?;
            self.session.handle(now, SessionInput::Stored { batch, rows });
        }
        self.store.wrote_all(now);
        Ok(())
    }

    /// Returns true if the directory is to be told now, and assumes that it is.
    fn tells_directory(&mut self, now: Time) -> bool {
        let hash = self.report.poll(&self.session, now);
        if let (Some(hash), Some(host)) = (hash, &mut self.host) {
            host.listed = Some(hash);
            host.keep();
        }
        hash.is_some()
    }

    /// Time to set the alarm for; `None` if no alarm is needed or an earlier one is set.
    fn alarm_at(&mut self, now: Time) -> Option<Time> {
        let unfinished =
            [self.store.due(), self.report.due(), self.ack_due()].iter().any(Option::is_some);
        let wanted = unfinished
            .then(|| now + SAFETY)
            .into_iter()
            .chain(self.ends_at())
            .chain(self.access_ends_at())
            .min();
        self.expiry.alarm_at(wanted)
    }

    /// Time at which the session expires or is removed; `None` while it is live.
    pub(super) fn ends_at(&self) -> Option<Time> {
        self.expiry.ends_at(self.session.lifecycle(), self.store.since())
    }

    /// Sends every client all that it may get now.
    fn serve_all(&mut self, now: Time) {
        let mut round = Round::default();
        let owners: Vec<_> = self.clients.keys().copied().collect();
        for owner in owners {
            self.serve(owner, now, &mut round);
        }
    }

    fn serve(&mut self, owner: SocketOwner, now: Time, round: &mut Round) {
        let Some(client) = self.clients.get_mut(&owner) else { return };
        if let Some(plain) = &mut client.plain {
            plain.advance(&mut self.session);
        }
        while let Some(output) = client.peer.poll_output(&mut self.session, now) {
            client.has_moved = true;
            if let PeerOutput::Load { after, .. } = output {
                let entries = round.load(&self.store.database, &self.session, after);
                client.peer.loaded(&self.session, entries);
                continue;
            }
            let outputs = match &mut client.plain {
                Some(plain) => plain.outgoing(output),
                None => [Some(output), None],
            };
            for output in outputs.into_iter().flatten() {
                match output {
                    PeerOutput::Text(text) => sockets::send_text(&client.socket, &text),
                    PeerOutput::Frame(frame) => round.buffers.send(&client.socket, &frame),
                    PeerOutput::Close { code, reason } => {
                        sockets::close(&client.socket, code, reason);
                        return self.remove_client(owner);
                    }
                    PeerOutput::Load { .. } | PeerOutput::Ping => {}
                }
            }
        }
    }

    /// Removes a client, whose socket is gone or was closed.
    pub(super) fn remove_client(&mut self, owner: SocketOwner) {
        if let Some(client) = self.clients.remove(&owner) {
            self.owners.remove(&client.socket);
            client.peer.detach(&mut self.session);
        }
    }

    /// Answers requests to type something once the host has answered, or the session is deleted.
    fn answer_writes(&mut self) {
        for (request, asker) in mem::take(&mut self.writing) {
            if asker.is_canceled() {
                self.session.forget_request(request);
                continue;
            }
            match self.session.written(request) {
                // The caller may have gone away.
                Some(answer) => drop(asker.send(answer)),
                None => self.writing.push((request, asker)),
            }
        }
    }

    /// Time at which something is due even if no event comes.
    fn wake_at(&self) -> Option<Time> {
        let clients = self.clients.values().filter_map(|client| client.peer.poll_timeout());
        let own = [
            self.store.due(),
            self.report.due(),
            self.host_deadline(),
            self.ack_due(),
            self.session.poll_timeout(),
            self.access_ends_at(),
        ];
        clients.chain(own.into_iter().flatten()).min()
    }
}

/// State shared by the clients that are served in one go.
#[derive(Debug, Default)]
struct Round {
    buffers: Buffers,
    /// The row that was read last, with its entries.
    read: Option<(SegmentRow, Vec<Entry>)>,
}

impl Round {
    /// The stored entries after `after`, up to the end of their row.
    fn load(&mut self, database: &ObjectDatabase, session: &Session, after: Seq) -> Vec<Entry> {
        let Some(row) = session.stored_rows().row_after(after) else {
            return Vec::new();
        };
        if self.read.as_ref().is_none_or(|(read, _)| *read != row) {
            // Entries that cannot be read are a gap, which the reader is told of.
            let entries = database.segment(session.id(), row.first).unwrap_or_else(|error| {
                console_error!("a stored log cannot be read: {error}");
                Vec::new()
            });
            self.read = Some((row, entries));
        }
        let entries = self.read.iter().flat_map(|(_, entries)| entries);
        entries.filter(|entry| entry.seq() > after).cloned().collect()
    }
}
