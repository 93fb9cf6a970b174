//! Commands to the host that its link has not taken.

use std::collections::VecDeque;

use moorline_shared::id::Seq;
use moorline_shared::limits::HOST_COMMANDS_WAITING;
use moorline_shared::publish::HostCommand;

/// Commands in order. A command replaces earlier ones of which only the last counts. The senders of
/// input bound its size; the number of commands is bounded here.
#[derive(Debug, Default)]
pub(super) struct Commands {
    waiting: VecDeque<HostCommand>,
    /// The last acknowledgement, sent after all other commands.
    ack: Option<Seq>,
    /// True if a command was added since [`Commands::take_fresh`].
    is_fresh: bool,
    /// True if the host's link takes too little and must be closed.
    is_overrun: bool,
}

impl Commands {
    pub(super) fn push(&mut self, command: HostCommand) {
        if self.is_overrun {
            return;
        }
        self.is_fresh = true;
        match (command, self.waiting.back_mut()) {
            (HostCommand::Ack { seq }, _) => self.ack = Some(seq),
            // Only adjacent sizes merge: input between two sizes was typed at the first of them.
            (resize @ HostCommand::Resize { .. }, Some(last @ HostCommand::Resize { .. })) => {
                *last = resize;
            }
            (HostCommand::SnapshotRequest, Some(HostCommand::SnapshotRequest)) => {}
            (command, _) => self.waiting.push_back(command),
        }
        if self.waiting.len() > HOST_COMMANDS_WAITING {
            self.clear();
            self.is_overrun = true;
        }
    }

    pub(super) fn pop(&mut self) -> Option<HostCommand> {
        let command = self.waiting.pop_front();
        command.or_else(|| self.ack.take().map(|seq| HostCommand::Ack { seq }))
    }

    /// Returns true if a command was added since the last call.
    pub(super) const fn take_fresh(&mut self) -> bool {
        std::mem::replace(&mut self.is_fresh, false)
    }

    pub(super) const fn is_overrun(&self) -> bool {
        self.is_overrun
    }

    /// Drops all commands: a link has ended, or another one has begun.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops input: the session takes no more.
    pub(super) fn drop_input(&mut self) {
        self.waiting.retain(|command| {
            !matches!(command, HostCommand::Input { .. } | HostCommand::Write { .. })
        });
        self.waiting.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::session::Size;

    fn resize(cols: u16) -> HostCommand {
        HostCommand::Resize { size: Size { cols, rows: 24 } }
    }

    fn taken(commands: &mut Commands) -> Vec<HostCommand> {
        std::iter::from_fn(|| commands.pop()).collect()
    }

    #[test]
    fn only_the_last_of_what_replaces_each_other_waits() {
        let mut commands = Commands::default();
        for number in 1..=50_000_u16 {
            commands.push(HostCommand::Ack { seq: Seq(u64::from(number)) });
            commands.push(resize(number));
        }
        commands.push(HostCommand::Close);
        commands.push(resize(80));
        assert!(commands.take_fresh() && !commands.take_fresh());
        let ack = HostCommand::Ack { seq: Seq(50_000) };
        assert_eq!(taken(&mut commands), [resize(50_000), HostCommand::Close, resize(80), ack]);
    }

    #[test]
    fn a_link_that_takes_nothing_is_overrun() {
        let mut commands = Commands::default();
        let client_id: moorline_shared::id::ClientId = "client_1".parse().unwrap();
        for _ in 0..=HOST_COMMANDS_WAITING {
            assert!(!commands.is_overrun());
            commands.push(HostCommand::ClientResumed { client_id: client_id.clone() });
        }
        commands.push(HostCommand::Close);
        assert_eq!((commands.is_overrun(), commands.pop()), (true, None));
        commands.clear();
        commands.push(HostCommand::Close);
        assert_eq!((commands.is_overrun(), commands.pop()), (false, Some(HostCommand::Close)));
    }
}
