//! A host of one session that follows the protocol: after the relay forgets something, it sends
//! that again.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, HostId, Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::session::Size;

use super::{ControlLink, Heard, PublishLink, hosted};
use crate::relay::Relay;

/// A host that is driven by hand and follows the protocol. It acts only while one of its methods is
/// awaited.
pub struct Honest {
    link: PublishLink,
    _control: ControlLink,
    epoch: Epoch,
    /// The whole log, from the first entry on.
    log: Vec<Frame>,
    /// Input that was taken from each client.
    taken: BTreeMap<ClientId, Vec<Frame>>,
    asked: u64,
    acked: Seq,
}

impl Honest {
    /// Connects a host that has one session, and publishes that.
    ///
    /// # Errors
    /// If the relay does not accept the host or the session.
    pub async fn publish(
        relay: &Relay,
        host: &HostId,
        session: &SessionId,
        epoch: u64,
    ) -> Result<Self> {
        let sessions = vec![hosted(session, epoch)];
        let control = ControlLink::welcomed(relay, host, sessions).await?;
        let link = PublishLink::open(relay, session).await?;
        let mut honest = Self {
            link,
            _control: control,
            epoch: Epoch(epoch),
            log: Vec::new(),
            taken: BTreeMap::new(),
            asked: 0,
            acked: Seq::ZERO,
        };
        honest.until_asked(1).await?;
        Ok(honest)
    }

    /// Number of times that the relay has asked where to begin: once each time that it knew
    /// nothing.
    #[must_use]
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// Input that was taken from a client.
    #[must_use]
    pub fn typed(&self, client_id: &ClientId) -> Vec<u8> {
        let pieces = self.taken.get(client_id).into_iter().flatten();
        pieces.flat_map(|piece| piece.data().to_vec()).collect()
    }

    /// Publishes an entry of output, after the last one.
    ///
    /// # Errors
    /// If the link is gone.
    pub async fn put_out(&mut self, data: &str) -> Result<()> {
        let frame = Frame::copy(self.head().next(), data.as_bytes())?;
        self.log.push(frame.clone());
        self.link.say(HostMessage::Entry(Entry::Output(frame))).await
    }

    /// Follows the relay's commands until it has asked this often where to begin.
    ///
    /// # Errors
    /// If the link ends first.
    pub async fn until_asked(&mut self, times: u64) -> Result<()> {
        while self.asked < times {
            self.obey().await?;
        }
        Ok(())
    }

    /// Follows the relay's commands until it has all output on disk.
    ///
    /// # Errors
    /// If the link ends first.
    pub async fn until_durable(&mut self) -> Result<()> {
        while self.acked < self.head() {
            self.obey().await?;
        }
        Ok(())
    }

    /// Follows the relay's commands until this client's input is exactly `data`.
    ///
    /// # Errors
    /// If the link ends first.
    pub async fn until_typed(&mut self, client_id: &ClientId, data: &[u8]) -> Result<()> {
        while self.typed(client_id) != data {
            self.obey().await?;
        }
        Ok(())
    }

    /// Follows the relay's commands for ever. Race it with whatever needs a working host.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn serve(&mut self) -> Result<()> {
        loop {
            self.obey().await?;
        }
    }

    fn head(&self) -> Seq {
        Seq(self.log.len() as u64)
    }

    async fn obey(&mut self) -> Result<()> {
        match self.link.next().await? {
            Heard::Message(command) => self.obey_command(command).await,
            Heard::Closed(code) => bail!("the relay closed the link with {code}"),
        }
    }

    async fn obey_command(&mut self, command: HostCommand) -> Result<()> {
        match command {
            HostCommand::Resume { cursor, .. } => {
                self.asked += 1;
                let cursor = cursor.filter(|cursor| cursor.epoch == self.epoch);
                let from = cursor.map_or(Seq::ZERO, |cursor| cursor.seq);
                let (epoch, head, size) = (self.epoch, self.head(), Size::default());
                self.link.say(HostMessage::Resumed { epoch, from, head, size }).await?;
                for frame in self.log.iter().filter(|frame| frame.seq() > from) {
                    self.link.say(HostMessage::Entry(Entry::Output(frame.clone()))).await?;
                }
                Ok(())
            }
            HostCommand::Ack { seq } => {
                self.acked = self.acked.max(seq);
                Ok(())
            }
            HostCommand::ClientResumed { client_id } => self.tell_taken(client_id).await,
            HostCommand::Input { client_id, piece } => {
                let taken = self.taken.entry(client_id.clone()).or_default();
                if piece.seq().0 == taken.len() as u64 + 1 {
                    taken.push(piece);
                }
                self.tell_taken(client_id).await
            }
            HostCommand::SnapshotRequest => {
                self.link.say(HostMessage::Snapshot(self.snapshot())).await
            }
            HostCommand::Refused { reason } => bail!("the relay does not take it: {reason:?}"),
            _ => Ok(()),
        }
    }

    async fn tell_taken(&mut self, client_id: ClientId) -> Result<()> {
        let seq = Seq(self.taken.get(&client_id).map_or(0, Vec::len) as u64);
        self.link.say(HostMessage::InputAck { client_id, seq }).await
    }

    /// A snapshot with all output, on an empty screen.
    fn snapshot(&self) -> Snapshot {
        let mut data = b"\x1bc".to_vec();
        self.log.iter().for_each(|frame| data.extend_from_slice(frame.data()));
        let Size { cols, rows } = Size::default();
        let (cols, rows) = (Some(cols), Some(rows));
        Snapshot { seq: self.head(), data: Bytes::from(data), cols, rows, reason: None }
    }
}
