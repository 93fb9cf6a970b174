//! The link on which a host publishes a session.

use std::task::{Context, Poll};

use moorline_shared::message::close;
use moorline_shared::publish::{HostCommand, HostMessage, RefusedReason};
use tracing::Instrument as _;

use super::link::Link;
use super::link_driver::{LinkClose, LinkDriver, LinkHandler};
use crate::auth::AccessLease;
use crate::session::{CloseReason, PublisherLease};
use moorline_core::session::PublishError;

/// The relay's side of the link.
struct Receiving {
    seat: PublisherLease,
    refused: Option<PublishError>,
}

/// Receives what a host publishes of a session, until the link ends.
pub async fn receive<L>(link: L, seat: PublisherLease, mut lease: AccessLease)
where
    L: Link<In = HostMessage, Out = HostCommand>,
{
    let span = tracing::info_span!("publish", session = %seat.session().id());
    async {
        let mut receiving = Receiving { seat, refused: None };
        let mut talk = LinkDriver::new(link);
        let end = talk.run(&mut receiving, &mut lease).await;
        tracing::debug!(?end, "a publishing host left");
        drop(receiving);
        if let LinkClose::Close { code, reason } = end {
            talk.close(code, reason).await;
        }
    }
    .instrument(span)
    .await;
}

impl LinkHandler<HostMessage, HostCommand> for Receiving {
    fn hear(&mut self, said: &mut Vec<HostMessage>) -> Result<(), LinkClose> {
        if self.refused.is_some() {
            said.clear();
        } else if let Err(error) = self.seat.hear(said.drain(..)) {
            tracing::warn!(%error, "refused");
            self.refused = Some(error);
        }
        Ok(())
    }

    fn say(&mut self, commands: &mut Vec<HostCommand>) -> Result<(), LinkClose> {
        let (reason, code, why) = match self.refused {
            None => return self.seat.take(commands).map_err(end),
            Some(PublishError::Fenced { .. }) => {
                (RefusedReason::Fenced, close::REPLACED, "a later epoch has been published")
            }
            Some(PublishError::Gap { .. }) => {
                (RefusedReason::BadMessage, close::PROTOCOL, "entries are missing")
            }
        };
        commands.push(HostCommand::Refused { reason });
        Err(LinkClose::Close { code, reason: why })
    }

    fn poll_woken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.seat.poll_woken(context)
    }
}

const fn end(leave: CloseReason) -> LinkClose {
    let (code, reason) = match leave {
        CloseReason::Replaced => (close::REPLACED, "another link publishes the session"),
        CloseReason::Deleted => (close::NOT_FOUND, "the session was deleted"),
        CloseReason::Stalled => (close::OVERLOADED, "the host did not read its messages"),
        CloseReason::Done => (close::NORMAL, "all of it is stored"),
    };
    LinkClose::Close { code, reason }
}
