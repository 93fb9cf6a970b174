//! Writes a session's steps to the host's journal, and continues a session from there.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use moorline_shared::control::Hosted;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::{Entry, OutOfOrder};
use moorline_shared::session::Size;

use super::approvals::HostedApprovals;
use super::view::SnapshotView;
use super::{HostedState, Session, SessionServices};
use crate::clock::wall_ms;
use crate::driver::{DriverCheckpoint, SessionControl, StartedSession, Survival};
use crate::journal::{Journal, JournalStep, JournaledSession};
use crate::publisher::Publisher;

/// The number of entries after which the conversation is written in full, so that entries that it
/// contains are not needed any more.
const FOLD_EVERY: u64 = 1000;

/// A session's part of the journal.
#[derive(Debug)]
pub(super) struct SessionJournal {
    journal: Arc<Journal>,
    /// The entry at which the conversation was written in full.
    folded: u64,
    /// The keys of the driver's contents that are written.
    contents: BTreeSet<String>,
    /// True if the last step could not be written.
    is_failing: bool,
}

impl SessionJournal {
    pub(super) const fn new(journal: Arc<Journal>) -> Self {
        Self { journal, folded: 0, contents: BTreeSet::new(), is_failing: false }
    }
}

/// Writes what is needed to show a session again that goes on without its host.
pub(super) fn remember(
    journal: &Journal,
    hosted: &Hosted,
    publisher: &Publisher,
    control: &dyn SessionControl,
) {
    let (_, publisher) = publisher.unjournaled();
    let driver = control.checkpoint(&BTreeSet::new());
    let step = JournalStep {
        entries: &[],
        publisher: &publisher,
        driver: &driver,
        surplus: &[],
        acked: Seq::ZERO,
    };
    if let Err(error) = journal.begin(hosted, &step) {
        let session = &hosted.session_id;
        tracing::error!(%session, %error, "it will not be shown by a later host");
    }
}

impl Session {
    /// Writes the session's first step. A fork begins with a conversation that its own entries do
    /// not contain, so the conversation is written in full.
    pub(super) fn begin_journal(&self, state: &mut HostedState) {
        if let Some(own) = &state.journal {
            let driver = state.control.checkpoint(&own.contents);
            let (head, fold) = (state.publisher.head(), state.view.folded(state.publisher.head()));
            let begin = |journal: &Journal, step: &JournalStep<'_>| {
                journal.begin(&self.hosted, step)?;
                match fold.flatten() {
                    Some(fold) => journal.fold(self.id(), head, &fold.data),
                    None => Ok(()),
                }
            };
            self.write(state, begin, driver);
        }
    }

    /// Writes a step: everything since the last one, with the driver's state now. Then the relay
    /// and the driver may go on.
    pub(super) fn write_step(&self, state: &mut HostedState) {
        if let Some(own) = &state.journal {
            let driver = state.control.checkpoint(&own.contents);
            self.write(state, |journal, step| journal.step(self.id(), step), driver);
        }
        state.control.journaled();
    }

    fn write(
        &self,
        state: &mut HostedState,
        write: impl FnOnce(&Journal, &JournalStep<'_>) -> Result<(), crate::journal::JournalError>,
        driver: DriverCheckpoint,
    ) {
        let Some(own) = &mut state.journal else { return };
        let (entries, publisher) = state.publisher.unjournaled();
        let acked = state.publisher.acked();
        let surplus: Vec<_> = own.contents.difference(&driver.contents).cloned().collect();
        let step = JournalStep {
            entries: &entries,
            publisher: &publisher,
            driver: &driver,
            surplus: &surplus,
            acked,
        };
        let head = publisher.head;
        let mut written = write(&own.journal, &step);
        if written.is_ok() {
            own.contents = driver.contents;
        }
        if written.is_ok()
            && head.0 >= own.folded + FOLD_EVERY
            && let Some(Some(snapshot)) = state.view.folded(head)
        {
            written = own.journal.fold(self.id(), head, &snapshot.data);
            own.folded = head.0;
        }
        if let Err(error) = &written
            && !own.is_failing
        {
            // The session goes on: it only would not survive the death of its host.
            tracing::error!(session = %self.id(), %error, "a step was not written");
        }
        own.is_failing = written.is_err();
        state.publisher.journaled();
    }

    /// Writes what relays know of the session, whose epoch or process may have changed.
    fn describe(&self, state: &HostedState) {
        let Some(own) = &state.journal else { return };
        if let Err(error) = own.journal.describe(&self.hosted) {
            tracing::error!(session = %self.id(), %error, "it was not described");
        }
    }

    /// Begins another life of the log, after a power failure. Relays forget the earlier one, so the
    /// turns that are not over are reported again.
    fn begin_anew(&self, state: &mut HostedState, head: Seq, conversation: &Conversation) {
        if let Some(own) = &state.journal
            && let fold = conversation.snapshot()
            && let Err(error) = own.journal.begin_anew(&self.hosted, head, fold.as_deref())
        {
            tracing::error!(session = %self.id(), %error, "its new epoch was not written");
        }
        let turns = &conversation.summary.turns;
        for turn in turns.active().into_iter().chain(turns.queued()) {
            self.record(state, &turn.event());
        }
    }

    /// Writes the last step: the session is over, and its driver is not needed any more.
    pub(super) fn end_journal(&self, state: &mut HostedState) {
        self.write(
            state,
            |journal, step| journal.step(self.id(), step),
            DriverCheckpoint::default(),
        );
    }

    /// Continues a session that an earlier host has left behind. One that is over has no driver: it
    /// is only published.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the journal lacks entries.
    pub(crate) fn restore(
        journaled: JournaledSession,
        journal: Arc<Journal>,
        services: SessionServices,
        started: Option<StartedSession>,
    ) -> Result<Arc<Self>, OutOfOrder> {
        let is_of_earlier_boot = journaled.is_of_earlier_boot;
        let JournaledSession { mut hosted, publisher, driver, entries, fold, folded, .. } =
            journaled;
        let conversation = conversation(fold, &entries);
        let head = publisher.head;
        let view = SnapshotView::continued(conversation.clone());
        let restored_action = Some(publisher.last_action);
        let publisher = if is_of_earlier_boot {
            // Clients may have entries that are lost. So their numbers must not be used again.
            hosted.epoch = Epoch(wall_ms().max(hosted.epoch.0 + 1));
            Publisher::restored(hosted.epoch, publisher, Vec::new())?
        } else {
            Publisher::restored(hosted.epoch, publisher, entries)?
        };
        let (output, control, pid) = match started {
            Some(StartedSession { output, control, pid, .. }) => (Some(output), control, pid),
            None => (None, Arc::new(EndedControl) as Arc<dyn SessionControl>, None),
        };
        hosted.pid = pid;
        let folded = if is_of_earlier_boot { head } else { folded };
        let contents = driver.contents.into_keys().collect();
        let own = SessionJournal { folded: folded.0, contents, ..SessionJournal::new(journal) };
        let SessionServices { painters, book, journal: _ } = services;
        let approvals = HostedApprovals::new(book);
        let mut state = HostedState::new(publisher, control, view, Some(own), approvals);
        state.restored_action = restored_action;
        let session = Self::with(hosted, state, painters, Survival::Journaled);
        {
            let mut state = session.lock();
            if is_of_earlier_boot {
                session.begin_anew(&mut state, head, &conversation);
            } else {
                session.describe(&state);
            }
            session.restore_approvals(&mut state, &conversation);
            session.write_step(&mut state);
            state.settle();
        }
        if let Some(output) = output {
            tokio::spawn(Arc::clone(&session).follow(output));
        }
        Ok(session)
    }
}

/// The control of a session that was over when it was restored.
#[derive(Debug)]
struct EndedControl;

impl SessionControl for EndedControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        Ok(input.len())
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }

    fn resize(&self, _: Size) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) {}
}

/// Returns the conversation after these entries.
fn conversation(fold: Option<Bytes>, entries: &[Entry]) -> Conversation {
    let stored = fold.and_then(|fold| Conversation::from_snapshot(&fold).ok());
    let mut conversation = stored.unwrap_or_default();
    for entry in entries {
        if let Entry::Event(entry) = entry
            && let Some(event) = entry.event()
        {
            conversation.apply(entry.seq(), &event);
        }
    }
    conversation
}
