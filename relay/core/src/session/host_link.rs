//! The messages of a session's host, and their consequences.

use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, HostMessage, WriteRefused};
use moorline_shared::session::{Lifecycle, Size};
use moorline_shared::time::Time;

use super::{HostPresence, PublishError, Requests, Session, Stored};
use crate::last_status::LastStatus;

/// The request numbers reserved per millisecond: more than can be used in that time.
const REQUESTS_PER_MS: u64 = 1000;

impl Session {
    /// Opens the link to a host that has connected.
    pub fn host_arrived(&mut self) {
        self.host = HostPresence::Arrived;
        self.commands.clear();
        self.snapshot_asked = false;
        // A relay that may lose its memory while the link stays open asks from a position that it
        // cannot lose. Then the answer to an earlier question also fits a later one.
        let seq = if self.keeping.forgets { self.durable } else { self.log.head() };
        let cursor = Cursor { epoch: self.log.epoch(), seq };
        self.command(HostCommand::Resume {
            cursor: Some(cursor),
            window: self.keeping.window_bytes,
            times: true,
        });
        for client_id in self.claims.host_is_new() {
            self.commands.push(HostCommand::ClientResumed { client_id });
        }
        self.tell_answerer();
    }

    /// Resumes a link that outlived this relay's memory, which was lost at `now`. `is_asked` is the
    /// earlier result of [`Session::host_is_asked`]. If it is true, the host's answer is on its
    /// way, and its answers to everything since follow. So the host is not asked again: at each
    /// loss a host that floods would send the same once more, and so make the next loss likelier.
    pub fn host_stayed(&mut self, now: Time, is_asked: bool) {
        self.host_arrived();
        if is_asked {
            self.commands.clear();
        }
        // An answer to a request from before the loss must not match a later request.
        self.requests = Requests::after(now.ms * REQUESTS_PER_MS);
    }

    /// Returns true if the host was asked where it begins, and has not answered.
    #[must_use]
    pub fn host_is_asked(&self) -> bool {
        self.host == HostPresence::Arrived
    }

    /// Closes the link to a host that has left. With `for_good`, the session is lost.
    pub fn host_left(&mut self, for_good: bool) {
        self.host = HostPresence::Away;
        self.commands.clear();
        self.requests.refuse_all(WriteRefused::HostAway);
        self.store_held();
        self.snapshot_answers += 1;
        if std::mem::take(&mut self.snapshot_asked) {
            // The request may have broken the link.
            self.snapshot_failed = self.log.head();
        }
        if !self.lifecycle.is_over() {
            self.lifecycle = if for_good { Lifecycle::Lost } else { Lifecycle::Detached };
            self.revision += 1;
        }
    }

    /// Marks the session as expired: its time is up, and it is about to be removed.
    pub const fn expire(&mut self) {
        self.lifecycle = Lifecycle::Expired;
        self.revision += 1;
    }

    /// Handles a message of the host.
    ///
    /// # Errors
    /// [`PublishError`]: the link to that host must be closed.
    pub fn host_message(&mut self, message: HostMessage) -> Result<(), PublishError> {
        // The host repeats what it said before it learned this relay's position.
        if self.host != HostPresence::Linked && !matches!(message, HostMessage::Resumed { .. }) {
            return Ok(());
        }
        match message {
            HostMessage::Resumed { epoch, from, head, size } => {
                self.host_resumed(epoch, from, size)?;
                self.host_head = head;
            }
            HostMessage::Entry(entry) => self.host_entry(entry)?,
            HostMessage::Snapshot(snapshot) => self.host_snapshot(Some(snapshot)),
            HostMessage::SnapshotFailed => self.host_snapshot(None),
            HostMessage::InputAck { client_id, seq } => self.input_accepted(&client_id, seq),
            HostMessage::Written { request, result } => self.requests.answered(request, result),
            HostMessage::Resized { size } => {
                self.size = size;
                self.revision += 1;
            }
            HostMessage::Unknown => {}
            HostMessage::Exited { status } => {
                self.exit = status;
                self.lifecycle = Lifecycle::Exited;
                self.revision += 1;
                self.ask_snapshot();
            }
        }
        Ok(())
    }

    fn host_resumed(&mut self, epoch: Epoch, from: Seq, size: Size) -> Result<(), PublishError> {
        let current = self.log.epoch();
        if epoch < current {
            return Err(PublishError::Fenced { current, got: epoch });
        }
        if epoch > current {
            self.begin_log(epoch, from);
            self.last_status = None;
            self.input_is_void();
        } else if from > self.log.head() {
            // The entries between were acknowledged once and are lost, as after a power failure.
            // Nobody has them, so the session goes on without.
            self.begin_log(epoch, from);
        }
        self.host = HostPresence::Linked;
        self.acknowledged = None;
        self.acknowledge();
        self.size = size;
        self.lifecycle = Lifecycle::Live;
        self.revision += 1;
        Ok(())
    }

    fn begin_log(&mut self, epoch: Epoch, from: Seq) {
        self.log = Log::starting_after(epoch, from);
        self.durable = from;
        self.snapshot = None;
        self.snapshot_failed = Seq::ZERO;
        self.stored = self.stored.take().map(|_| Stored::new(epoch, []));
    }

    fn host_entry(&mut self, entry: Entry) -> Result<(), PublishError> {
        if entry.seq() <= self.log.head() {
            return Ok(());
        }
        self.last_status = LastStatus::of(&entry).or(self.last_status.take());
        self.log.push(entry).map_err(|gap| PublishError::Gap { want: gap.want, got: gap.got })?;
        // After a failure, ask again once as much output has come.
        let since = self.snapshot_seq().max(self.snapshot_failed);
        if self.bytes_after(since) > self.keeping.snapshot_every_bytes {
            self.ask_snapshot();
        }
        self.trim();
        Ok(())
    }

    fn host_snapshot(&mut self, snapshot: Option<Snapshot>) {
        self.snapshot_asked = false;
        self.snapshot_answers += 1;
        let Some(snapshot) = snapshot else {
            self.snapshot_failed = self.log.head();
            return;
        };
        if snapshot.seq >= self.snapshot_seq() && snapshot.seq <= self.log.head() {
            self.snapshot = Some(snapshot);
            self.snapshot_stored = false;
            self.trim();
        }
    }
}
