//! A session's stream without a socket, for a connection within the relay.

use std::sync::Arc;

use moorline_core::acp::StreamNews;
use moorline_core::auth::Grant;
use moorline_core::peer::{Peer, PeerOutput, Terms};
use moorline_core::profile::Profile;
use moorline_shared::frame::Frame;
use moorline_shared::message::{Scope, ServerMessage, close};
use tokio::time::{Instant, sleep_until};

use crate::acp::RimSocket;
use crate::auth::{AccessEnd, AccessLease};
use crate::clock::wall_ms;
use crate::session::SessionHandle;

/// A client of a session that is unregistered when this is dropped.
struct AttachedPeer<'a> {
    session: &'a Arc<SessionHandle>,
    peer: Option<Peer>,
}

impl Drop for AttachedPeer<'_> {
    fn drop(&mut self) {
        if let Some(peer) = self.peer.take() {
            let mut state = self.session.lock();
            peer.detach(&mut state.session);
            state.settle();
        }
    }
}

/// Carries the stream of a session until it ends, or nobody hears it any more.
pub(super) async fn follow(
    session: &Arc<SessionHandle>,
    mut end: RimSocket,
    (scope, grant): (Scope, Grant),
    mut lease: AccessLease,
) {
    let clock = session.services().clock;
    let terms = Terms::new(&Profile::NATIVE, scope, true);
    let attached = Peer::attach(&mut session.lock().session, clock.now(), terms);
    let Ok(mut peer) = attached else {
        end.report(StreamNews::Closed(close::OVERLOADED)).await;
        return;
    };
    peer.set_grant(grant);
    let mut attached = AttachedPeer { session, peer: Some(peer) };
    let mut changed = session.subscribe();
    if !end.report(StreamNews::Opened).await {
        return;
    }
    loop {
        changed.mark_unchanged();
        let Some(peer) = &mut attached.peer else { return };
        if let Some((code, reason)) = lease.ending().map(AccessEnd::close) {
            peer.close(code, reason);
        }
        let output = poll(session, peer);
        match output {
            Some(PeerOutput::Load { epoch, after }) => {
                let entries = session.stored_entries(epoch, after).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a stored log cannot be read");
                    Vec::new()
                });
                peer.loaded(&session.lock().session, entries);
            }
            Some(output) => {
                let Some(news) = news(output) else { continue };
                let is_end = matches!(news, StreamNews::Closed(_));
                if !end.report(news).await || is_end {
                    return;
                }
            }
            None => {
                let due = peer.poll_timeout().map(|due| Instant::from_std(clock.instant(due)));
                let timer = async {
                    match due {
                        Some(due) => sleep_until(due).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    text = end.texts.recv() => match text {
                        Some(text) => hear(session, peer, &text),
                        None => return,
                    },
                    _ = changed.changed() => {}
                    () = timer => {}
                    _ = lease.ended() => {}
                }
            }
        }
        // Acknowledgements must not wait for output.
        while let Ok(text) = end.texts.try_recv() {
            let Some(peer) = &mut attached.peer else { return };
            hear(session, peer, &text);
        }
    }
}

fn poll(session: &Arc<SessionHandle>, peer: &mut Peer) -> Option<PeerOutput> {
    let mut state = session.lock();
    let output = peer.poll_output(&mut state.session, session.services().clock.now());
    // Polling a peer can make it request snapshots from the host.
    state.settle_for_one();
    output
}

fn hear(session: &Arc<SessionHandle>, peer: &mut Peer, text: &str) {
    let mut state = session.lock();
    peer.text(&mut state.session, session.services().clock.now(), wall_ms(), text);
    state.settle_for_one();
}

/// Returns what an output says; `None` for signs of life.
fn news(output: PeerOutput) -> Option<StreamNews> {
    Some(match output {
        PeerOutput::Text(text) => {
            let read = std::str::from_utf8(&text).ok().map(ServerMessage::from_json);
            match read {
                Some(Ok(message)) => StreamNews::Message(message),
                _ => {
                    tracing::error!("a message of a stream cannot be read");
                    StreamNews::Closed(close::INTERNAL)
                }
            }
        }
        PeerOutput::Frame(frame) => match Frame::decode(frame) {
            Ok(frame) => StreamNews::Frame(frame.seq(), frame.data_len()),
            Err(_) => StreamNews::Closed(close::INTERNAL),
        },
        PeerOutput::Close { code, .. } => StreamNews::Closed(code),
        PeerOutput::Ping | PeerOutput::Load { .. } => return None,
    })
}
