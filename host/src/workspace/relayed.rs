//! Requests that somebody else passes on to the relay.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use moorline_shared::workspace::wire::{WorkspaceAnswer, WorkspaceRequest};
use tokio::sync::{mpsc, oneshot};

use super::{RemoteFailure, WorkspaceRemote};

/// The first byte of a reply: what the rest is.
const ANSWER: u8 = 0;
const AWAY: u8 = 1;
const REFUSED: u8 = 2;

/// A remote whose requests somebody else passes on, in their encoded form. A sync waits for one
/// answer at a time: a newer request means that nobody waits for the answer to the one before.
#[derive(Debug)]
pub(crate) struct RelayedRemote(mpsc::Sender<RelayedAsk>);

/// A request to pass on.
#[derive(Debug)]
pub(crate) struct RelayedAsk {
    /// The encoded request.
    pub(crate) request: Bytes,
    /// Takes the reply, as [`encode_reply`] returns it.
    pub(crate) reply: oneshot::Sender<Bytes>,
}

impl RelayedRemote {
    /// Creates a remote, and the queue of its requests.
    pub(crate) fn new() -> (Self, mpsc::Receiver<RelayedAsk>) {
        let (sender, asks) = mpsc::channel(1);
        (Self(sender), asks)
    }
}

impl WorkspaceRemote for RelayedRemote {
    fn ask(
        &self,
        request: WorkspaceRequest,
    ) -> BoxFuture<'_, Result<WorkspaceAnswer, RemoteFailure>> {
        Box::pin(async move {
            let gone = || RemoteFailure::Away("nobody passes on requests any more".to_owned());
            let (reply, answer) = oneshot::channel();
            let ask = RelayedAsk { request: request.encode(), reply };
            self.0.send(ask).await.map_err(|_| gone())?;
            decode_reply(answer.await.map_err(|_| gone())?)
        })
    }
}

/// Encodes the reply to a request: a byte that says what it is, and the rest.
pub(crate) fn encode_reply(reply: &Result<WorkspaceAnswer, RemoteFailure>) -> Bytes {
    let (kind, rest) = match reply {
        Ok(answer) => (ANSWER, answer.encode()),
        Err(RemoteFailure::Away(why)) => (AWAY, Bytes::copy_from_slice(why.as_bytes())),
        Err(RemoteFailure::Refused(refused)) => {
            (REFUSED, serde_json::to_vec(refused).unwrap_or_default().into())
        }
    };
    let mut encoded = BytesMut::with_capacity(1 + rest.len());
    encoded.put_u8(kind);
    encoded.put_slice(&rest);
    encoded.freeze()
}

/// Decodes a reply.
///
/// # Errors
/// The failure that it tells of. Whatever cannot be decoded counts as one that may pass.
pub(crate) fn decode_reply(mut reply: Bytes) -> Result<WorkspaceAnswer, RemoteFailure> {
    let unclear = |error: &dyn std::fmt::Display| RemoteFailure::Away(error.to_string());
    let kind = reply.split_to(reply.len().min(1));
    match kind.first() {
        Some(&ANSWER) => WorkspaceAnswer::decode(reply).map_err(|error| unclear(&error)),
        Some(&AWAY) => Err(RemoteFailure::Away(String::from_utf8_lossy(&reply).into_owned())),
        Some(&REFUSED) => Err(match serde_json::from_slice(&reply) {
            Ok(refused) => RemoteFailure::Refused(refused),
            Err(error) => unclear(&error),
        }),
        _ => Err(unclear(&"the host answers something else")),
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::failure::HostFailure;

    use super::*;

    #[test]
    fn a_reply_is_an_answer_or_a_failure() {
        let refused = HostFailure::new("no_such_workspace", "It does not exist.");
        for reply in [
            Ok(WorkspaceAnswer::Contents { contents: Vec::new() }),
            Err(RemoteFailure::Away("no relay".to_owned())),
            Err(RemoteFailure::Refused(refused)),
        ] {
            assert_eq!(decode_reply(encode_reply(&reply)), reply);
        }
        for unclear in [&b""[..], b"\0", b"\x02x", b"\x07"] {
            let decoded = decode_reply(Bytes::from_static(unclear));
            assert!(matches!(decoded, Err(RemoteFailure::Away(_))), "{unclear:?}");
        }
    }
}
