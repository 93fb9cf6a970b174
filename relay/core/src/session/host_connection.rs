//! The session's side of the link to its host.

use moorline_shared::id::{Cursor, Seq};
use moorline_shared::publish::HostCommand;

use super::commands::Commands;
use crate::requests::Requests;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostPresence {
    Away,
    /// It was asked where to begin, and has not answered. Its epoch is unknown, so nothing may be
    /// acknowledged to it.
    Arrived,
    Linked,
}

/// The link to the host: whether it is here, the commands for it, and what it owes.
#[derive(Debug)]
pub(super) struct HostConnection {
    presence: HostPresence,
    /// The last entry that the host is known to have.
    head: Seq,
    /// The last entry that was acknowledged on this link.
    acknowledged: Option<Seq>,
    commands: Commands,
    /// Requests to write, and their answers.
    pub(super) requests: Requests,
}

impl HostConnection {
    /// Returns the state without a host.
    pub(super) fn away() -> Self {
        Self {
            presence: HostPresence::Away,
            head: Seq::ZERO,
            acknowledged: None,
            commands: Commands::default(),
            requests: Requests::default(),
        }
    }

    pub(super) fn is_here(&self) -> bool {
        self.presence != HostPresence::Away
    }

    /// Returns true if the host was asked where it begins, and has not answered.
    pub(super) fn is_asked(&self) -> bool {
        self.presence == HostPresence::Arrived
    }

    pub(super) fn is_linked(&self) -> bool {
        self.presence == HostPresence::Linked
    }

    /// Begins a link, and asks the host to resume after `cursor`.
    pub(super) fn arrived(&mut self, cursor: Cursor, window: u64) {
        self.presence = HostPresence::Arrived;
        self.commands.clear();
        self.command(HostCommand::Resume { cursor: Some(cursor), window, times: true });
    }

    /// Drops the commands of a link that began before this relay lost its memory: they were sent.
    pub(super) fn was_asked(&mut self) {
        self.commands.clear();
    }

    /// Takes the host's answer: it has entries up to `head`.
    pub(super) const fn resumed(&mut self, head: Seq) {
        self.presence = HostPresence::Linked;
        self.head = head;
        self.acknowledged = None;
    }

    pub(super) fn left(&mut self) {
        self.presence = HostPresence::Away;
        self.commands.clear();
    }

    /// Returns the last entry that the log can reach once the host has sent what it has. Without a
    /// linked host, returns the largest number.
    pub(super) fn reachable_head(&self, head: Seq) -> Seq {
        if self.is_linked() { self.head.max(head) } else { Seq(u64::MAX) }
    }

    /// Returns true if the host is known to have no entry after `head`.
    pub(super) fn has_sent_all(&self, head: Seq) -> bool {
        self.is_linked() && self.head <= head
    }

    /// Adds a command; does nothing if the host is away.
    pub(super) fn command(&mut self, command: HostCommand) {
        if self.is_here() {
            self.commands.push(command);
        }
    }

    /// Acknowledges entries up to `seq`, unless that was done.
    pub(super) fn acknowledge(&mut self, seq: Seq) {
        if self.is_linked() && self.acknowledged != Some(seq) {
            self.acknowledged = Some(seq);
            self.commands.push(HostCommand::Ack { seq });
        }
    }

    pub(super) fn poll_command(&mut self) -> Option<HostCommand> {
        self.commands.pop()
    }

    /// Returns true if a command was added since the last call.
    pub(super) const fn has_new_commands(&mut self) -> bool {
        self.commands.take_fresh()
    }

    /// Returns true if too many commands wait, so that the link must be closed.
    pub(super) const fn is_stalled(&self) -> bool {
        self.commands.is_overrun()
    }

    /// Drops input that waits: the session takes no more.
    pub(super) fn drop_input(&mut self) {
        self.commands.drop_input();
    }
}
