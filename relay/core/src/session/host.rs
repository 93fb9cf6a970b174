//! The host's messages, and their consequences.

use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::log::Entry;
use moorline_shared::publish::{HostCommand, HostMessage, WriteRefused};
use moorline_shared::session::{Lifecycle, Size};
use moorline_shared::time::Time;

use super::Session;
use crate::last_status::LastStatus;
use crate::requests::Requests;

/// The request numbers reserved per millisecond: more than can be used in that time.
const REQUESTS_PER_MS: u64 = 1000;

/// The error for a message that a host may not publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A later epoch was published before.
    #[error("fenced: epoch {got} is older than {current}")]
    Fenced {
        /// The relay's epoch.
        current: Epoch,
        /// The host's epoch.
        got: Epoch,
    },
    /// Entries are missing.
    #[error("entry {got} cannot follow: entry {want} is next")]
    Gap {
        /// The next number.
        want: Seq,
        /// The number that came.
        got: Seq,
    },
}

impl Session {
    pub(super) fn host_arrived(&mut self) {
        let policy = *self.log.policy();
        // A relay that may lose its memory while the link stays open asks from a position that it
        // cannot lose. Then the answer to an earlier question also fits a later one.
        let log = self.log.newest();
        let seq = if policy.forgets { self.log.durable() } else { log.head() };
        let (cursor, head) = (Cursor { epoch: log.epoch(), seq }, log.head());
        self.host.arrived(cursor, policy.window_bytes);
        self.snapshots.host_arrived();
        self.agent.link_began();
        for client_id in self.clients.table.host_is_new() {
            self.host.command(HostCommand::ClientResumed { client_id });
        }
        self.host.command(self.clients.choose_answerer(head));
        self.tell_watched(true);
    }

    /// Resumes a link that outlived this relay's memory, which was lost at `now`. If `is_asked`,
    /// the host's answer is on its way, and its answers to everything since follow. So the host is
    /// not asked again: at each loss a host that floods would send the same once more, and so make
    /// the next loss likelier.
    pub(super) fn host_stayed(&mut self, now: Time, is_asked: bool) {
        self.host_arrived();
        if self.storing.is_live() {
            self.record.lifecycle = Lifecycle::Live;
        }
        if is_asked {
            self.host.was_asked();
        }
        // An answer to a request from before the loss must not match a later request.
        self.host.requests = Requests::after(now.ms * REQUESTS_PER_MS);
    }

    /// Closes the link to a host that has left. A session that is not over is in `then`.
    pub(super) fn host_left(&mut self, then: Lifecycle) {
        self.host.left();
        self.clients.table.unqueue();
        self.host.requests.refuse_all(WriteRefused::HostAway);
        self.store_held();
        self.snapshots.host_left(self.log.newest().head());
        if !self.record.lifecycle.is_over() {
            self.record.lifecycle = then;
            self.revision += 1;
        }
        if self.record.lifecycle.is_over() {
            self.agent.end();
        }
    }

    pub(super) fn expired(&mut self) {
        self.record.lifecycle = Lifecycle::Expired;
        self.revision += 1;
        self.agent.end();
    }

    /// Returns true if the host may have entries that this relay does not have. After a restart of the
    /// relay, these include some that readers have seen.
    #[must_use]
    pub fn may_lack_entries(&self) -> bool {
        !self.lifecycle().is_over() && !self.host.has_sent_all(self.log.newest().head())
    }

    /// Handles a message of the host. `wall_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`PublishError`]: the link must be closed. Pass in [`SessionInput::HostLeft`](super::SessionInput::HostLeft) as
    /// well.
    pub fn host_message(&mut self, message: HostMessage, wall_ms: u64) -> Result<(), PublishError> {
        // The host repeats what it said before it learned this relay's position.
        if !self.host.is_linked() && !matches!(message, HostMessage::Resumed { .. }) {
            return Ok(());
        }
        match message {
            HostMessage::Resumed { epoch, from, head, size } => {
                self.host_resumed(epoch, from, size)?;
                self.host.resumed(head);
                self.send_actions();
                self.acknowledge();
            }
            HostMessage::Entry(entry) => self.host_entry(entry, wall_ms)?,
            HostMessage::Snapshot(snapshot) => self.snapshot_came(Some(snapshot)),
            HostMessage::SnapshotFailed => self.snapshot_came(None),
            HostMessage::InputAck { client_id, seq } => self.input_accepted(&client_id, seq),
            HostMessage::Written { request, result } => {
                self.host.requests.answered(request, result);
            }
            HostMessage::Resized { size } => {
                self.record.size = size;
                self.revision += 1;
            }
            HostMessage::Acted { number, seq } => {
                self.agent.acted(number, seq, self.log.newest().head());
            }
            HostMessage::Unknown => {}
            HostMessage::Exited { status } => {
                self.record.exit = Some(status);
                self.record.lifecycle = Lifecycle::Exited;
                self.revision += 1;
                self.agent.end();
                self.note_activity(wall_ms);
                self.ask_snapshot();
            }
        }
        Ok(())
    }

    fn host_resumed(&mut self, epoch: Epoch, from: Seq, size: Size) -> Result<(), PublishError> {
        let current = self.log.newest().epoch();
        if epoch < current {
            return Err(PublishError::Fenced { current, got: epoch });
        }
        if epoch > current {
            self.begin_log(epoch, from);
            self.last_status = None;
            self.agent.log_began();
            self.input_is_void(current);
        } else if from > self.log.newest().head() {
            // The entries between were acknowledged once and are lost, as after a power failure.
            // Nobody has them, so the session goes on without.
            self.begin_log(epoch, from);
        }
        self.record.size = size;
        self.record.lifecycle = Lifecycle::Live;
        self.revision += 1;
        Ok(())
    }

    fn begin_log(&mut self, epoch: Epoch, from: Seq) {
        self.record.epoch = epoch;
        self.log.begin(epoch, from);
        self.snapshots.clear();
        self.storing.log_began();
    }

    fn host_entry(&mut self, entry: Entry, wall_ms: u64) -> Result<(), PublishError> {
        if entry.seq() <= self.log.newest().head() {
            return Ok(());
        }
        let entry = entry.or_at(wall_ms);
        if let Entry::Output(frame) = &entry {
            // A host whose clock is ahead must not make the session look active in the future.
            self.note_activity(frame.time_ms().min(wall_ms));
        }
        self.last_status = LastStatus::of(&entry).or(self.last_status.take());
        let applied = entry.clone();
        self.log.push(entry).map_err(|gap| PublishError::Gap { want: gap.want, got: gap.got })?;
        self.agent.apply(&applied);
        self.pane_reported(&applied);
        self.pod_reported(&applied);
        let since = self.snapshots.counted_from();
        if self.log.bytes_after(since) > self.log.policy().snapshot_every_bytes {
            self.ask_snapshot();
        }
        Ok(())
    }
}
