//! Moves messages between a link and its party on the relay's side.
//!
//! The host's messages are read while messages to it are written: a host that waits for room on its
//! own side would otherwise block both.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use moorline_shared::limits::SILENT;
use moorline_shared::link::Liveness;
use moorline_shared::message::close;
use tokio::time::{Instant, Sleep, sleep_until};

use super::link::{Link, LinkGone, LinkInput};
use crate::auth::{AccessEnd, AccessLease};

/// Limit of the messages read at once.
const BATCH: usize = 64;

/// The reason that a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkClose {
    /// The link is closed or broken.
    Gone,
    /// The relay closes it.
    Close {
        /// The close code, one of [`close`].
        code: u16,
        /// A text for people.
        reason: &'static str,
    },
}

impl From<LinkGone> for LinkClose {
    fn from(_: LinkGone) -> Self {
        Self::Gone
    }
}

/// The relay's side of a link.
pub(super) trait LinkHandler<In, Out> {
    /// Takes messages that arrived.
    fn hear(&mut self, said: &mut Vec<In>) -> Result<(), LinkClose>;

    /// Appends the messages to send now. Returns an error if they are the last and the link then
    /// ends.
    fn say(&mut self, saying: &mut Vec<Out>) -> Result<(), LinkClose>;

    /// Ready when there may be something to send.
    fn poll_woken(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

/// An open link, and its host's signs of life.
#[derive(Debug)]
pub(super) struct LinkDriver<L: Link> {
    link: L,
    said: Vec<L::In>,
    liveness: Liveness<Instant>,
    /// Ready when the host may be dead. It is moved only then, not for each message.
    dead: Pin<Box<Sleep>>,
}

impl<L: Link> LinkDriver<L> {
    pub(super) fn new(link: L) -> Self {
        let liveness = Liveness::new(Instant::now());
        let dead = Box::pin(sleep_until(liveness.dead_at()));
        Self { link, said: Vec::new(), liveness, dead }
    }

    pub(super) async fn close(self, code: u16, reason: &'static str) {
        self.link.close(code, reason).await;
    }

    /// Serves the link until it ends, or until its lease has ended.
    pub(super) async fn run(
        &mut self,
        party: &mut impl LinkHandler<L::In, L::Out>,
        lease: &mut AccessLease,
    ) -> LinkClose {
        match self.converse(party, lease).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn converse(
        &mut self,
        party: &mut impl LinkHandler<L::In, L::Out>,
        lease: &mut AccessLease,
    ) -> Result<std::convert::Infallible, LinkClose> {
        let (mut saying, mut signal) = (Vec::new(), lease.signal());
        loop {
            let over = party.say(&mut saying);
            let sent = async {
                for message in saying.drain(..) {
                    self.writing(party, L::poll_ready).await?;
                    self.link.start_send(message)?;
                }
                self.writing(party, L::poll_flush).await
            };
            tokio::select! {
                sent = sent => sent?,
                ending = signal.not_allowed() => {
                    let (code, reason) = ending.close();
                    return Err(LinkClose::Close { code, reason });
                }
            }
            over?;
            if let Some((code, reason)) = lease.ending().map(AccessEnd::close) {
                return Err(LinkClose::Close { code, reason });
            }
            let woken = poll_fn(|context| match self.poll_heard(party, context) {
                Poll::Pending => party.poll_woken(context).map(Ok),
                heard => heard,
            });
            tokio::select! {
                woken = woken => woken?,
                _ = lease.ended() => {}
            }
        }
    }

    /// Waits until `write` is done, and reads messages meanwhile.
    async fn writing(
        &mut self,
        party: &mut impl LinkHandler<L::In, L::Out>,
        mut write: impl FnMut(&mut L, &mut Context<'_>) -> Poll<Result<(), LinkGone>>,
    ) -> Result<(), LinkClose> {
        poll_fn(|context| {
            loop {
                if let Poll::Ready(result) = write(&mut self.link, context) {
                    return Poll::Ready(result.map_err(LinkClose::from));
                }
                match self.poll_heard(party, context) {
                    Poll::Ready(Ok(())) => {}
                    over => return over,
                }
            }
        })
        .await
    }

    /// Reads the messages that are available. Pending if there are none; an error if the link has
    /// ended.
    fn poll_heard(
        &mut self,
        party: &mut impl LinkHandler<L::In, L::Out>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), LinkClose>> {
        let (mut alive, mut over) = (false, None);
        while self.said.len() < BATCH && over.is_none() {
            let Poll::Ready(heard) = self.link.poll_hear(context) else { break };
            alive = true;
            match heard {
                LinkInput::Message(message) => self.said.push(message),
                LinkInput::Alive => {}
                LinkInput::Bad(error) => {
                    tracing::warn!(%error, "a host broke the protocol");
                    let reason = "not a message of this protocol";
                    over = Some(LinkClose::Close { code: close::PROTOCOL, reason });
                }
                LinkInput::Closed => over = Some(LinkClose::Gone),
            }
        }
        if !self.said.is_empty() {
            party.hear(&mut self.said)?;
        }
        match over {
            Some(over) => Poll::Ready(Err(over)),
            None if alive => {
                self.liveness.heard(Instant::now());
                Poll::Ready(Ok(()))
            }
            None => self.poll_dead(context),
        }
    }

    fn poll_dead(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkClose>> {
        while L::CAN_DIE && self.dead.as_mut().poll(context).is_ready() {
            if self.liveness.is_dead(Instant::now()) {
                let (code, reason) = (close::PROTOCOL, SILENT);
                return Poll::Ready(Err(LinkClose::Close { code, reason }));
            }
            self.dead.as_mut().reset(self.liveness.dead_at());
        }
        Poll::Pending
    }
}
