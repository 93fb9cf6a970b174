//! A session's link to its relay, while it is open.

use std::sync::Arc;
use std::time::Duration;

use moorline_shared::limits::RESUME_DEADLINE;
use moorline_shared::link::Redial;
use moorline_shared::message::close;
use moorline_shared::publish::{HostCommand, HostMessage, RefusedReason};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Session;
use crate::clock::wall_ms;
use crate::dial::{PublishWire, WireItem};

/// The most replies that may wait to be sent. Beyond that, the relay's commands are not read until
/// it has read some.
const WAITING_ANSWERS: usize = 256;
/// Time for which a link stays open after the relay was told everything and has made its last
/// request. It may still want a snapshot.
const LINGER: Duration = Duration::from_secs(2);
/// Time for which acknowledgements of input wait for the output that most input causes. If they
/// were sent at once, the relay and the client would be busy with them when the echo comes.
const ACK_DELAY: Duration = Duration::from_millis(2);

/// The reason why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkEnd {
    /// The session is over, and the relay has all of it.
    Over,
    /// The relay does not accept the session.
    Refused(RefusedReason),
    /// The link was closed or broke, with this close code.
    Closed(u16),
}

/// The next step of an open link.
#[derive(Debug, Clone, Copy)]
struct LinkTurn {
    /// Read the relay's commands.
    hears: bool,
    /// Do nothing unless the relay asks: it has everything.
    settled: bool,
    /// Close the link.
    cut: bool,
    /// There is nothing to send but acknowledgements of input.
    only_acks: bool,
}

/// Holds back acknowledgements of input for a moment.
#[derive(Debug, Default)]
struct AckDelay(Option<Instant>);

impl AckDelay {
    /// Returns the time until which to wait; `None` if what there is must be sent.
    fn until(&mut self, only_acks: bool) -> Option<Instant> {
        if !only_acks {
            self.0 = None;
            return None;
        }
        let until = *self.0.get_or_insert_with(|| Instant::now() + ACK_DELAY);
        (Instant::now() < until).then_some(until)
    }
}

impl Session {
    /// Publishes on an open link until that ends. Dropping the future closes the link.
    pub(crate) async fn publish(
        self: &Arc<Self>,
        wire: PublishWire,
        redial: &mut Redial,
    ) -> LinkEnd {
        let _leaving = LinkGuard(self);
        let PublishWire { sender, mut receiver } = wire;
        // `sends` is true if there may be something to send, `reads` if the relay still reads.
        let (mut sends, mut reads) = (false, true);
        let mut quiet_until = Instant::now() + RESUME_DEADLINE;
        let (mut resumed, mut delay) = (false, AckDelay::default());
        loop {
            let LinkTurn { hears, settled, cut, only_acks } = self.turn();
            if cut {
                tracing::warn!(session = %self.id(), "the relay sent more input than it may");
                return LinkEnd::Closed(close::OVERLOADED);
            }
            let wait = delay.until(only_acks);
            tokio::select! {
                biased;
                item = receiver.recv(), if hears || !reads => {
                    match item {
                        Some(WireItem::Message(HostCommand::Refused { reason })) => {
                            return LinkEnd::Refused(reason);
                        }
                        Some(WireItem::Message(command)) => {
                            if matches!(command, HostCommand::Resume { .. }) {
                                resumed = true;
                                redial.settled();
                            }
                            self.command(command);
                        }
                        Some(WireItem::Closed(close::NORMAL)) if settled => return LinkEnd::Over,
                        Some(WireItem::Closed(code)) => return LinkEnd::Closed(code),
                        None => return LinkEnd::Closed(close::ABNORMAL),
                    }
                    quiet_until = Instant::now() + LINGER;
                }
                permit = sender.reserve(), if sends && reads && wait.is_none() => match permit {
                    Ok(permit) => {
                        sends = self.send(permit, &sender);
                        quiet_until = Instant::now() + LINGER;
                    }
                    // Commands that the relay sent before it left are handled first.
                    Err(_) => reads = false,
                },
                () = self.changed.notified(), if !sends || wait.is_some() => sends = true,
                () = sleep_until(wait.unwrap_or(quiet_until)), if wait.is_some() => {}
                () = sleep_until(quiet_until), if settled => {
                    _ = sender.try_send(WireItem::Closed(close::NORMAL));
                    return LinkEnd::Over;
                }
                () = sleep_until(quiet_until), if !resumed => return LinkEnd::Closed(close::ABNORMAL),
            }
        }
    }

    fn turn(self: &Arc<Self>) -> LinkTurn {
        let state = self.lock();
        LinkTurn {
            hears: state.publisher.waiting_answers() < WAITING_ANSWERS,
            settled: state.publisher.is_settled() && state.view.is_idle(),
            cut: state.cuts_link,
            only_acks: state.publisher.has_only_acks(),
        }
    }

    pub(super) fn command(self: &Arc<Self>, command: HostCommand) {
        let frees = matches!(command, HostCommand::Ack { .. });
        let mut state = self.lock();
        state.publisher.command(wall_ms(), command);
        state.settle();
        if frees {
            self.room.notify_one();
        }
    }

    /// Sends as many messages as the wire takes. Returns false if there are no more.
    fn send(
        self: &Arc<Self>,
        permit: mpsc::Permit<'_, WireItem<HostMessage>>,
        sender: &mpsc::Sender<WireItem<HostMessage>>,
    ) -> bool {
        let mut permit = Some(permit);
        while let Some(room) = permit {
            let Some(message) = self.lock().publisher.poll_message() else { return false };
            room.send(WireItem::Message(message));
            permit = sender.try_reserve().ok();
        }
        true
    }
}

/// Records the link's end at the publisher, whatever ended it.
struct LinkGuard<'a>(&'a Arc<Session>);

impl Drop for LinkGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.cuts_link = false;
        state.publisher.relay_left();
        state.settle();
    }
}
