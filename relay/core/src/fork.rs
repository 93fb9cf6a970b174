//! The end of a log from which the host of a fork restores a session.

use bytes::Bytes;
use moorline_shared::control::{Fork, ForkedEvent, Output};
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::limits::{FORK_OUTPUT_BYTES, FORK_TOO_FAR, SEGMENT_BYTES};
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::session::{AGENT_DRIVER, ForkedFrom};

use crate::api::ApiError;
use crate::session::AgentDocument;

/// Returns the last entry that a fork copies: the wanted one, or else the newest, `head`.
///
/// # Errors
/// `bad_request` if the log has no such entry.
pub fn last_copied(wanted: Option<Seq>, head: Seq) -> Result<Seq, ApiError> {
    let seq = wanted.unwrap_or(head);
    if seq == Seq::ZERO || seq > head {
        let message = format!("The entry {seq} does not exist: the last one is {head}.");
        return Err(ApiError::bad_request(message));
    }
    Ok(seq)
}

/// Collects the entries after a snapshot: the events for an agent, the output for any other
/// session. Call [`ForkTail::push`] for each entry of the log in order, then [`ForkTail::finish`].
#[derive(Debug)]
pub struct ForkTail {
    /// True if the session continues a conversation, and has no screen.
    has_conversation: bool,
    snapshot: Option<Snapshot>,
    /// The bytes of all output and events so far.
    bytes: u64,
    output: Vec<Output>,
    /// The output that follows `output`, at most [`SEGMENT_BYTES`].
    piece: Vec<u8>,
    events: Vec<ForkedEvent>,
}

impl ForkTail {
    /// Begins with the snapshot, for a session of this driver.
    #[must_use]
    pub fn new(driver: &str, snapshot: Option<Snapshot>) -> Self {
        let has_conversation = driver == AGENT_DRIVER;
        let (output, piece, events) = (Vec::new(), Vec::new(), Vec::new());
        Self { has_conversation, snapshot, bytes: 0, output, piece, events }
    }

    /// Takes the next entry. Entries that the snapshot contains are ignored.
    ///
    /// # Errors
    /// `trimmed` if all entries together are more than a host gets.
    pub fn push(&mut self, entry: &Entry) -> Result<(), ApiError> {
        if self.snapshot.as_ref().is_some_and(|snapshot| entry.seq() <= snapshot.seq) {
            return Ok(());
        }
        match entry {
            Entry::Output(frame) if !self.has_conversation => {
                self.count(frame.data().len())?;
                if self.piece.len() + frame.data().len() > SEGMENT_BYTES {
                    self.end_piece();
                }
                self.piece.extend_from_slice(frame.data());
            }
            Entry::Event(entry) if self.has_conversation => {
                self.count(entry.message().len())?;
                let forked = |event| ForkedEvent { seq: entry.seq(), event };
                self.events.extend(entry.event().map(forked));
            }
            Entry::Output(_) | Entry::Event(_) => {}
        }
        Ok(())
    }

    /// Returns the fork whose log has this epoch and comes from `from`. `agent` is what
    /// [`Session::agent_at`](crate::session::Session::agent_at) has returned for its entry.
    #[must_use]
    pub fn finish(mut self, epoch: Epoch, from: ForkedFrom, agent: &AgentDocument) -> Fork {
        self.end_piece();
        let Self { has_conversation, snapshot, output, events, .. } = self;
        let asked = agent.summary.approvals.entries().iter();
        let open = asked.filter(|entry| entry.state.is_open() && !has_conversation);
        let approvals = open.map(|entry| entry.request.approval_id.clone()).collect();
        Fork { epoch, from, snapshot, output, events, approvals }
    }

    fn count(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes as u64;
        if self.bytes > FORK_OUTPUT_BYTES {
            return Err(ApiError::trimmed(FORK_TOO_FAR));
        }
        Ok(())
    }

    fn end_piece(&mut self) {
        if !self.piece.is_empty() {
            self.output.push(Output(Bytes::from(std::mem::take(&mut self.piece))));
        }
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::event::Event;
    use moorline_shared::frame::Frame;
    use moorline_shared::id::SessionId;
    use moorline_shared::limits::FRAME_DATA_BYTES;
    use moorline_shared::log::EventEntry;
    use serde_json::json;

    use super::*;

    fn id() -> SessionId {
        "abcdefgh".parse().unwrap()
    }

    fn from(seq: u64) -> ForkedFrom {
        ForkedFrom { session_id: id(), epoch: Epoch(1), seq: Seq(seq) }
    }

    fn snapshot(seq: u64) -> Option<Snapshot> {
        let data = Bytes::from_static(b"shown");
        Some(Snapshot { seq: Seq(seq), data, cols: None, rows: None, reason: None })
    }

    fn output(seq: u64, data: &[u8]) -> Entry {
        Entry::Output(Frame::copy(Seq(seq), data).unwrap())
    }

    fn event(seq: u64, text: &str) -> Entry {
        let event = Event::of_kind(id(), "agent-update", 7, json!({"update": {"text": text}}));
        Entry::Event(EventEntry::new(Seq(seq), event))
    }

    fn fork(driver: &str, snapshot: Option<Snapshot>, entries: &[Entry]) -> Fork {
        let mut tail = ForkTail::new(driver, snapshot);
        entries.iter().for_each(|entry| tail.push(entry).unwrap());
        tail.finish(Epoch(2), from(entries.len() as u64), &AgentDocument::default())
    }

    #[test]
    fn a_fork_copies_entries_that_exist() {
        let at = |seq: Option<u64>, head| last_copied(seq.map(Seq), Seq(head)).ok();
        assert_eq!(
            (at(None, 5), at(Some(1), 5), at(Some(5), 5)),
            (Some(Seq(5)), Some(Seq(1)), Some(Seq(5)))
        );
        assert_eq!((at(Some(0), 5), at(Some(6), 5), at(None, 0)), (None, None, None));
    }

    #[test]
    fn a_screen_is_restored_from_output_and_a_conversation_from_events() {
        let entries = [event(1, "a"), output(2, b"b"), event(3, "c"), output(4, b"d")];
        let seqs = |fork: &Fork| fork.events.iter().map(|it| it.seq.0).collect::<Vec<_>>();
        let bytes =
            |fork: &Fork| fork.output.iter().flat_map(|it| it.0.to_vec()).collect::<Vec<_>>();
        let shell = fork("pty", None, &entries);
        assert_eq!((seqs(&shell), bytes(&shell)), (vec![], b"bd".to_vec()));
        let agent = fork(AGENT_DRIVER, None, &entries);
        assert_eq!((seqs(&agent), bytes(&agent)), (vec![1, 3], vec![]));
        assert_eq!(agent.events[1].event.fields["update"]["text"], "c");
        // The entries that the snapshot contains are left out.
        let shell = fork("pty", snapshot(2), &entries);
        assert_eq!((bytes(&shell), shell.snapshot), (b"d".to_vec(), snapshot(2)));
        assert_eq!(seqs(&fork(AGENT_DRIVER, snapshot(2), &entries)), [3]);
    }

    #[test]
    fn output_is_in_pieces_of_at_most_a_segment() {
        let data = [7; FRAME_DATA_BYTES];
        let entries: Vec<_> = (1..=20).map(|seq| output(seq, &data)).collect();
        let fork = fork("pty", None, &entries);
        let lengths: Vec<_> = fork.output.iter().map(|it| it.0.len()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), 20 * FRAME_DATA_BYTES);
        assert!(lengths.iter().all(|length| *length <= SEGMENT_BYTES), "{lengths:?}");
        assert!(lengths.len() < 4, "{lengths:?}");
    }

    #[test]
    fn what_a_host_gets_is_bounded() {
        let data = [7; FRAME_DATA_BYTES];
        let text = "x".repeat(FRAME_DATA_BYTES);
        let most = FORK_OUTPUT_BYTES / FRAME_DATA_BYTES as u64;
        let (output, event) = (output(2, &data), event(2, &text));
        for (driver, large, ignored) in [("pty", &output, &event), (AGENT_DRIVER, &event, &output)]
        {
            let mut tail = ForkTail::new(driver, snapshot(1));
            let pushed = (0..=most).map(|_| tail.push(large)).find_map(Result::err);
            let error = pushed.expect("it is too much");
            assert_eq!((error.status().as_u16(), &*error.body().code), (409, "trimmed"));
            let mut tail = ForkTail::new(driver, snapshot(1));
            assert!((0..=most).all(|_| tail.push(ignored).is_ok()));
        }
    }
}
