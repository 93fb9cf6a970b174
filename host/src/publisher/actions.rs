//! Actions of users, each carried out once, and events that the relay has the host append.

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::event::Event;
use moorline_shared::id::Seq;
use moorline_shared::limits::HOST_KEEPS_BYTES;
use moorline_shared::log::Entry;
use moorline_shared::publish::HostMessage;

use super::{Publisher, PublisherTask};

impl Publisher {
    /// Passes an action to the owner, once. One that comes again is acknowledged if it was carried
    /// out; otherwise that follows.
    pub(super) fn act(&mut self, number: ActionNumber, action: SessionAction) {
        if number <= self.acted || self.exit.is_some() {
            self.acted(number);
        } else if number > self.last_action {
            self.last_action = number;
            self.tasks.push_back(PublisherTask::Act(number, Box::new(action)));
        }
    }

    /// Records that all actions up to `number` were carried out, and that what follows from them is
    /// in the log.
    pub fn acted(&mut self, number: ActionNumber) {
        self.acted = self.acted.max(number);
        let seq = self.log.head();
        self.say_journaled(HostMessage::Acted { number, seq });
    }

    /// Returns true if so much waits to become durable that no event may be added.
    pub(super) fn is_full(&self) -> bool {
        self.log.bytes() > 2 * HOST_KEEPS_BYTES
    }

    /// Appends an event, unless the session has ended or too much is not durable.
    pub(super) fn append_told(&mut self, event: Event) {
        if self.exit.is_none() && !self.is_full() {
            let seq = self.event(event);
            self.tasks.push_back(PublisherTask::Appended(seq));
        }
    }

    /// Returns the event of an entry that is retained.
    pub fn event_at(&self, seq: Seq) -> Option<Event> {
        match self.log.get(seq)? {
            Entry::Event(entry) => entry.event(),
            Entry::Output(_) => None,
        }
    }
}
