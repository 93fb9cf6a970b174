//! The state of a peer that survives the loss of its relay's memory. The socket stays open
//! meanwhile.

use moorline_shared::id::{ClientId, Cursor, Epoch, Seq};
use moorline_shared::limits::RESUME_DEADLINE;
use moorline_shared::link::{Credit, Sender};
use moorline_shared::message::{Resume, SnapshotReason, close};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::{Peer, PeerInput, PeerPhase, PeerPlace, Terms, Told};
use crate::auth::Grant;
use crate::pending::PendingReport;
use crate::session::{Session, TooManyClients};

/// The saved state of a [`Peer`]: some hundred bytes of JSON, kept beside the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPeer {
    client_id: Option<ClientId>,
    terms: Terms,
    hold: bool,
    #[serde(default)]
    answers: bool,
    #[serde(default)]
    active: u64,
    phase: SavedPhase,
    told_meta: bool,
    epoch: Option<Epoch>,
    sender: Sender,
    told_state: Option<Seq>,
    told_input: Option<Seq>,
    #[serde(default)]
    told_pending: bool,
    #[serde(default)]
    grant: Option<Grant>,
    received_input: Option<Seq>,
    #[serde(default)]
    sent_input: Option<Cursor>,
    refused: bool,
    sent_bytes: u64,
    jumps: bool,
    credit: Credit,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum SavedPhase {
    AwaitingResume,
    Answering(Resume),
    #[serde(alias = "AwaitingPicture")]
    AwaitingSnapshot(SnapshotReason),
    Streaming,
    Closed,
}

impl Peer {
    /// Returns the state that [`Peer::restore`] needs.
    #[must_use]
    pub fn save(&self) -> SavedPeer {
        let phase = match &self.phase {
            PeerPhase::AwaitingResume { .. } => SavedPhase::AwaitingResume,
            PeerPhase::Answering(resume) => SavedPhase::Answering(resume.clone()),
            PeerPhase::AwaitingSnapshot { reason, .. } => SavedPhase::AwaitingSnapshot(*reason),
            PeerPhase::Streaming => {
                self.snapshot_wanted.map_or(SavedPhase::Streaming, SavedPhase::AwaitingSnapshot)
            }
            PeerPhase::Closed => SavedPhase::Closed,
        };
        SavedPeer {
            client_id: self.client_id.clone(),
            terms: self.terms,
            hold: self.input.hold,
            answers: self.input.answers,
            active: self.input.active,
            phase,
            told_meta: self.told.revision.is_some(),
            epoch: self.epoch,
            sender: self.place.sender.clone(),
            told_state: self.told.status,
            told_input: self.told.input,
            grant: self.grant.clone(),
            told_pending: self.told.pending.waits(),
            received_input: self.input.received,
            sent_input: self.input.sent,
            refused: self.input.is_refused,
            sent_bytes: self.place.sent_bytes,
            jumps: self.place.jumps,
            credit: self.place.credit.clone(),
        }
    }

    /// Restores a client whose socket outlived the relay's memory. Restore all peers of a session
    /// before its host arrives again, then call [`Peer::poll_output`].
    ///
    /// # Errors
    /// [`TooManyClients`].
    pub fn restore(
        session: &mut Session,
        now: Time,
        saved: SavedPeer,
    ) -> Result<Self, TooManyClients> {
        let mut peer = Self::attach(session, now, saved.terms)?;
        // A host may have been given everything that the client has sent on this connection.
        let sent = saved.sent_input.map(|sent| {
            let received = saved.received_input.filter(|_| saved.epoch == Some(sent.epoch));
            Cursor { seq: sent.seq.max(received.unwrap_or_default()), ..sent }
        });
        if let Some(client_id) = &saved.client_id {
            session.claim(peer.id, client_id, sent);
            session.was_active(client_id, saved.active);
        }
        // Send the facts again, as they may have changed meanwhile. A client of IC-1 expects them
        // only as the first message.
        let revision = (saved.told_meta && !saved.terms.extended).then_some(0);
        peer.phase = match saved.phase {
            SavedPhase::AwaitingResume => {
                PeerPhase::AwaitingResume { deadline: now + RESUME_DEADLINE }
            }
            SavedPhase::Answering(resume) => PeerPhase::Answering(resume),
            SavedPhase::AwaitingSnapshot(reason) => {
                peer.snapshot_wanted = Some(reason);
                PeerPhase::Streaming
            }
            SavedPhase::Streaming => PeerPhase::Streaming,
            SavedPhase::Closed => PeerPhase::Closed,
        };
        if let Some(client_id) = saved.client_id.as_ref().filter(|_| saved.answers)
            && peer.has_answer()
        {
            session.can_answer(peer.id, client_id);
        }
        if saved.received_input > saved.told_input {
            // Input on its way may be lost. The client sends unacknowledged input again, and the
            // host knows which pieces it has.
            peer.closing = Some((close::GOING_AWAY, "the relay was restarted"));
        }
        peer.grant = saved.grant;
        peer.client_id = saved.client_id;
        peer.epoch = saved.epoch;
        let pending = PendingReport::restored(saved.told_pending);
        peer.told = Told { revision, status: saved.told_state, input: saved.told_input, pending };
        peer.input = PeerInput {
            hold: saved.hold,
            answers: saved.answers,
            active: saved.active,
            received: saved.received_input,
            sent,
            is_refused: saved.refused,
        };
        peer.place = PeerPlace::new(saved.sender, saved.credit, saved.sent_bytes, saved.jumps);
        peer.report(session, now);
        Ok(peer)
    }
}
