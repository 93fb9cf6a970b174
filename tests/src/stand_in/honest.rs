//! A session's host by hand that keeps to the rules: whatever the relay forgets it is told again.

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

/// See the module. It does nothing unless it is waited for.
pub struct Honest {
    link: PublishLink,
    _control: ControlLink,
    epoch: Epoch,
    /// The whole log: nothing is forgotten.
    log: Vec<Frame>,
    /// What each client typed.
    taken: BTreeMap<ClientId, Vec<Frame>>,
    asked: u64,
    acked: Seq,
}

impl Honest {
    /// A host that has one session, and publishes it.
    ///
    /// # Errors
    /// Where the relay does not take it.
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

    /// How often the relay has asked where to begin: once for each time that it knew nothing.
    #[must_use]
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// What a client typed, as far as it was taken.
    #[must_use]
    pub fn typed(&self, client_id: &ClientId) -> Vec<u8> {
        let pieces = self.taken.get(client_id).into_iter().flatten();
        pieces.flat_map(|piece| piece.data().to_vec()).collect()
    }

    /// Publishes an entry of output.
    ///
    /// # Errors
    /// Where the link is gone.
    pub async fn put_out(&mut self, data: &str) -> Result<()> {
        let frame = Frame::copy(self.head().next(), data.as_bytes())?;
        self.log.push(frame.clone());
        self.link.say(HostMessage::Entry(Entry::Output(frame))).await
    }

    /// Does what it is told until the relay has asked so often where to begin.
    ///
    /// # Errors
    /// Where the link ends before.
    pub async fn until_asked(&mut self, times: u64) -> Result<()> {
        while self.asked < times {
            self.obey().await?;
        }
        Ok(())
    }

    /// Does what it is told until the relay has all output on disk.
    ///
    /// # Errors
    /// Where the link ends before.
    pub async fn until_durable(&mut self) -> Result<()> {
        while self.acked < self.head() {
            self.obey().await?;
        }
        Ok(())
    }

    /// Does what it is told until this client has typed this.
    ///
    /// # Errors
    /// Where the link ends before.
    pub async fn until_typed(&mut self, client_id: &ClientId, data: &[u8]) -> Result<()> {
        while self.typed(client_id) != data {
            self.obey().await?;
        }
        Ok(())
    }

    /// Does what it is told, for ever: to be raced with what needs that.
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
                self.link.say(HostMessage::Snapshot(self.picture())).await
            }
            HostCommand::Refused { reason } => bail!("the relay does not take it: {reason:?}"),
            _ => Ok(()),
        }
    }

    async fn tell_taken(&mut self, client_id: ClientId) -> Result<()> {
        let seq = Seq(self.taken.get(&client_id).map_or(0, Vec::len) as u64);
        self.link.say(HostMessage::InputAck { client_id, seq }).await
    }

    /// All output, on an empty screen.
    fn picture(&self) -> Snapshot {
        let mut data = b"\x1bc".to_vec();
        self.log.iter().for_each(|frame| data.extend_from_slice(frame.data()));
        let Size { cols, rows } = Size::default();
        let (cols, rows) = (Some(cols), Some(rows));
        Snapshot { seq: self.head(), data: Bytes::from(data), cols, rows, reason: None }
    }
}
