//! Publishing a session that a journal can continue: nothing is said before it is written.

use std::collections::VecDeque;

use moorline_shared::agent::action::ActionNumber;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::log::{Entry, Log, OutOfOrder};
use moorline_shared::publish::HostMessage;
use moorline_shared::session::{ExitStatus, Size};
use serde::{Deserialize, Serialize};

use super::Publisher;

/// The state of a publisher, besides its entries, as a journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherState {
    /// The last entry.
    pub head: Seq,
    /// When the last entry was appended, in milliseconds since 1970.
    pub time_ms: u64,
    /// The last action that was passed to the session.
    pub last_action: ActionNumber,
    /// The last action up to which all were carried out.
    pub acted: ActionNumber,
    /// The last piece of input that was taken from each client.
    pub accepted: Vec<(ClientId, Seq)>,
    /// The terminal's size.
    pub size: Size,
    /// How the session ended; `None` while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitStatus>,
}

/// Holds back what a journal does not have yet.
#[derive(Debug)]
pub(super) struct JournalGate {
    /// The last entry that is in the journal.
    last: Seq,
    /// Acknowledgements of what is not in the journal.
    held: VecDeque<HostMessage>,
}

impl JournalGate {
    /// Returns the last entry that may be sent.
    pub(super) const fn last(&self) -> Seq {
        self.last
    }

    /// Returns the queue for acknowledgements that must wait.
    pub(super) const fn answers(&mut self) -> &mut VecDeque<HostMessage> {
        &mut self.held
    }

    /// Drops acknowledgements: the relay has left, and asks again.
    pub(super) fn relay_left(&mut self) {
        self.held.clear();
    }
}

impl Publisher {
    /// Holds back from now on what [`Publisher::journaled`] does not report.
    pub fn begin_journal(&mut self) {
        self.gate = Some(JournalGate { last: self.log.head(), held: VecDeque::new() });
    }

    /// Returns the publisher of a session that a journal has. `entries` are the last ones of its
    /// log. `begin_journal` holds from the start.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the entries do not end at the head.
    pub fn restored(
        epoch: Epoch,
        state: PublisherState,
        entries: Vec<Entry>,
    ) -> Result<Self, OutOfOrder> {
        let PublisherState { head, time_ms, last_action, acted, accepted, size, exit } = state;
        let before = entries.first().map_or(head, |first| Seq(first.seq().0.saturating_sub(1)));
        let mut log = Log::starting_after(epoch, before);
        for entry in entries {
            log.push(entry)?;
        }
        if log.head() != head {
            return Err(OutOfOrder { want: head, got: log.head() });
        }
        let mut publisher = Self::starting_after(epoch, head, size);
        publisher.log = log;
        publisher.time_ms = time_ms;
        (publisher.last_action, publisher.acted) = (last_action, acted);
        publisher.input.restore(accepted);
        publisher.exit = exit;
        publisher.begin_journal();
        Ok(publisher)
    }

    /// Returns the entries that are not in the journal, and the state after them, to be written
    /// there. Report it with [`Publisher::journaled`] before anything else happens.
    #[must_use]
    pub fn unjournaled(&self) -> (Vec<Entry>, PublisherState) {
        let last = self.gate.as_ref().map_or(Seq::ZERO, JournalGate::last);
        let state = PublisherState {
            head: self.log.head(),
            time_ms: self.time_ms,
            last_action: self.last_action,
            acted: self.acted,
            accepted: self.input.accepted_of_all(),
            size: self.size,
            exit: self.exit.clone(),
        };
        (self.log.after(last).cloned().collect(), state)
    }

    /// Returns true if something is not in the journal, and so cannot be sent.
    #[must_use]
    pub fn has_unjournaled(&self) -> bool {
        let waits = |gate: &JournalGate| gate.last < self.log.head() || !gate.held.is_empty();
        self.gate.as_ref().is_some_and(waits)
    }

    /// Records that everything so far is in the journal, so that the relay may hear of it.
    pub fn journaled(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.last = self.log.head();
            self.answers.append(&mut gate.held);
        }
    }

    /// Returns the last entry that is durable at the relay, or that this host never had.
    #[must_use]
    pub fn acked(&self) -> Seq {
        Seq(self.log.tail().0 - 1)
    }

    /// Says something that must not be heard before the journal has its cause.
    pub(super) fn say_journaled(&mut self, message: HostMessage) {
        match &mut self.gate {
            // After the end, nothing follows that would have to be written.
            Some(gate) if self.exit.is_none() => {
                if self.sender.is_some() {
                    gate.held.push_back(message);
                }
            }
            _ => self.say(message),
        }
    }
}
