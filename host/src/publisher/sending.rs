//! The messages to the relay.

use moorline_shared::id::Seq;
use moorline_shared::link::Next;
use moorline_shared::log::Entry;
use moorline_shared::publish::HostMessage;

use super::Publisher;
use super::gate::JournalGate;

impl Publisher {
    /// Returns the next message to the relay. Call it if there is room for one: it counts as sent.
    pub fn poll_message(&mut self) -> Option<HostMessage> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let sender = self.sender.as_mut()?;
        if let Some(snapshot) = self.snapshot.take_if(|snapshot| snapshot.seq <= sender.position())
        {
            return Some(HostMessage::Snapshot(snapshot));
        }
        let last = self.gate.as_ref().map_or(Seq(u64::MAX), JournalGate::last);
        match sender.next(&self.log) {
            Next::Entry(entry) if entry.seq() > last => None,
            Next::Entry(entry) => {
                sender.sent(entry);
                Some(HostMessage::Entry(match entry.clone() {
                    Entry::Output(frame) if !self.tells_times => Entry::Output(frame.at(0)),
                    entry => entry,
                }))
            }
            Next::CaughtUp if !self.exit_told => {
                let status = self.exit.clone()?;
                self.exit_told = true;
                Some(HostMessage::Exited { status })
            }
            Next::CaughtUp | Next::NoCredit | Next::Behind | Next::Missing => None,
        }
    }

    /// Returns true if there is something to send, but only acknowledgements of input. Nobody waits
    /// for one, so an owner may hold them back for a moment: what the program puts out is then sent
    /// with them, at the cost of one message.
    #[must_use]
    pub fn has_only_acks(&self) -> bool {
        let is_ack = |answer: &HostMessage| matches!(answer, HostMessage::InputAck { .. });
        let is_exit_due = self.exit.is_some() && !self.exit_told;
        let next = || self.sender.as_ref().map(|sender| sender.next(&self.log));
        !self.answers.is_empty()
            && self.answers.iter().all(is_ack)
            && self.snapshot.is_none()
            && !is_exit_due
            && !matches!(next(), Some(Next::Entry(_)))
    }

    /// Returns the number of replies that wait to be sent. An owner bounds them by handling no
    /// commands while there are many.
    #[must_use]
    pub fn waiting_answers(&self) -> usize {
        self.answers.len()
    }

    /// Returns true if the connected relay was told everything, including the process's end, and
    /// has made it durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let silent = self.answers.is_empty() && self.snapshot.is_none();
        self.exit_told && silent && self.unacked_bytes() == 0
    }
}
