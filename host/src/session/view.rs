//! The source of a session's snapshots and of the answers to its program's queries.

use bytes::Bytes;
use moorline_shared::fold::Conversation;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;

use super::SessionPainter;
use crate::clock::monotonic;
use crate::driver::SnapshotSource;
use crate::publisher::Publisher;
use crate::queries::Queries;

/// The source of snapshots for clients that have not followed a session from the beginning.
#[derive(Debug)]
pub(super) enum SnapshotView {
    /// An emulator parses the output. It makes the snapshots. If `queries` looks for queries, it also
    /// answers them.
    Emulated { painter: SessionPainter, queries: Option<Queries> },
    /// The session's driver makes the snapshots. The host does not look for queries.
    Driven(DriverSnapshots),
    /// The session's events add up to the snapshot.
    Folded(Box<Conversation>),
}

impl SnapshotView {
    /// Creates the view. `painter` has the screen that the session begins with, or `conversation`
    /// what was said before.
    pub(super) fn new(
        source: SnapshotSource,
        painter: SessionPainter,
        conversation: Conversation,
    ) -> Self {
        match source {
            SnapshotSource::Emulator => Self::Emulated { painter, queries: Some(Queries::new()) },
            SnapshotSource::Mirror => Self::Emulated { painter, queries: None },
            SnapshotSource::Driver => Self::Driven(DriverSnapshots::default()),
            SnapshotSource::Conversation => Self::continued(conversation),
        }
    }

    /// Returns the painter, if there is an emulator.
    pub(super) const fn painter(&mut self) -> Option<&mut SessionPainter> {
        match self {
            Self::Emulated { painter, .. } => Some(painter),
            Self::Driven(_) | Self::Folded(_) => None,
        }
    }

    /// Takes an output entry, and registers the queries that end in it at the publisher.
    pub(super) fn push(&mut self, frame: &Frame, publisher: &mut Publisher) {
        let Self::Emulated { painter, queries } = self else { return };
        let mut asked = Vec::new();
        if let Some(queries) = queries {
            queries.push(frame.data(), |end, query| {
                let (now, seq) = (monotonic(), frame.seq());
                let id = if query.is_for_host() {
                    publisher.asked_of_host(now, seq)
                } else {
                    publisher.asked(now, seq)
                };
                if let Some(id) = id {
                    asked.push((end, id, query));
                }
            });
        }
        painter.push(frame, asked);
    }

    /// Takes the entry of an event that the publisher has appended.
    pub(super) fn appended(&mut self, publisher: &Publisher, seq: Seq) {
        match self {
            Self::Emulated { painter, .. } => painter.count(seq),
            Self::Driven(_) => {}
            Self::Folded(conversation) => {
                if let Some(event) = publisher.event_at(seq) {
                    conversation.apply(seq, &event);
                }
            }
        }
    }

    /// Creates the view of a conversation that was folded before.
    pub(super) fn continued(conversation: Conversation) -> Self {
        Self::Folded(Box::new(conversation))
    }

    /// Returns the snapshot of a conversation at `head`; `None` if there is another source.
    pub(super) fn folded(&self, head: Seq) -> Option<Option<Snapshot>> {
        let Self::Folded(conversation) = self else { return None };
        let data = conversation.snapshot().map(Bytes::from);
        let snapshot = |data| Snapshot { seq: head, data, cols: None, rows: None, reason: None };
        Some(data.map(snapshot))
    }

    pub(super) fn resize(&mut self, size: Size) {
        if let Some(painter) = self.painter() {
            painter.resize(size);
        }
    }

    pub(super) const fn want_answers(&mut self) {
        if let Some(painter) = self.painter() {
            painter.want_answers();
        }
    }

    /// Returns the bytes of output that the emulator has not parsed.
    pub(super) fn pending_bytes(&self) -> u64 {
        match self {
            Self::Emulated { painter, .. } => painter.pending_bytes(),
            Self::Driven(_) | Self::Folded(_) => 0,
        }
    }

    /// Returns true if no snapshot is being made or waited for.
    pub(super) const fn is_idle(&self) -> bool {
        match self {
            Self::Emulated { painter, .. } => painter.is_idle(),
            Self::Driven(snapshots) => !snapshots.wanted,
            Self::Folded(_) => true,
        }
    }
}

/// The snapshots of a driver.
#[derive(Debug, Default)]
pub(super) struct DriverSnapshots {
    /// True if the relay waits for a snapshot, and the driver was asked for it.
    wanted: bool,
    /// The last unrequested snapshot, which is the final one once the session is over.
    last: Option<Snapshot>,
    /// True if the session is over, so that its driver makes no more.
    ended: bool,
}

/// The next step of a request for a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SnapshotStep {
    /// Ask the driver.
    Request,
    /// Wait: the driver was asked already.
    Wait,
    /// Answer with this snapshot; `None` if there is none.
    Answer(Option<Snapshot>),
}

impl DriverSnapshots {
    pub(super) fn want(&mut self) -> SnapshotStep {
        if self.ended {
            return SnapshotStep::Answer(self.last.clone());
        }
        match std::mem::replace(&mut self.wanted, true) {
            true => SnapshotStep::Wait,
            false => SnapshotStep::Request,
        }
    }

    /// Takes a snapshot that the driver has made.
    pub(super) fn made(&mut self, snapshot: Option<Snapshot>) -> SnapshotStep {
        if std::mem::take(&mut self.wanted) {
            return SnapshotStep::Answer(snapshot);
        }
        self.last = snapshot.or_else(|| self.last.take());
        SnapshotStep::Wait
    }

    /// Records that the driver makes no more.
    pub(super) fn end(&mut self) -> SnapshotStep {
        self.ended = true;
        match std::mem::take(&mut self.wanted) {
            true => SnapshotStep::Answer(self.last.clone()),
            false => SnapshotStep::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(seq: u64) -> Option<Snapshot> {
        let data = bytes::Bytes::from_static(b"shown");
        Some(Snapshot { seq: Seq(seq), data, cols: None, rows: None, reason: None })
    }

    #[test]
    fn a_driver_is_asked_once_for_each_snapshot() {
        let mut snapshots = DriverSnapshots::default();
        assert_eq!(snapshots.want(), SnapshotStep::Request);
        assert_eq!(snapshots.want(), SnapshotStep::Wait);
        assert_eq!(snapshots.made(snapshot(1)), SnapshotStep::Answer(snapshot(1)));
        assert_eq!(snapshots.want(), SnapshotStep::Request);
        assert_eq!(snapshots.made(None), SnapshotStep::Answer(None));
    }

    #[test]
    fn the_last_snapshot_that_nobody_asked_for_is_that_of_the_end() {
        let mut snapshots = DriverSnapshots::default();
        assert_eq!(snapshots.made(snapshot(1)), SnapshotStep::Wait);
        assert_eq!(snapshots.made(snapshot(2)), SnapshotStep::Wait);
        assert_eq!(snapshots.made(None), SnapshotStep::Wait);
        assert_eq!(snapshots.want(), SnapshotStep::Request);
        assert_eq!(snapshots.end(), SnapshotStep::Answer(snapshot(2)));
        assert_eq!(snapshots.want(), SnapshotStep::Answer(snapshot(2)));
    }
}
