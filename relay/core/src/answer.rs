//! The relay's decision on a client's `resume`.

use moorline_shared::id::Seq;
use moorline_shared::limits::BACKLOG_BYTES;
use moorline_shared::message::{CatchUp, Outcome, Resume};

use super::session::Session;

/// The decision on a `resume`: its outcome, and where the stream continues.
pub(super) struct ResumeAnswer {
    pub(super) outcome: Outcome,
    pub(super) from: Seq,
    pub(super) snapshot_first: bool,
}

/// Decides how the stream goes on. Returns `None` while the client is ahead of a log that can still
/// catch up with it. `extended` is false for a client that knows only IC-1.
pub(super) fn answer(session: &Session, resume: &Resume, extended: bool) -> Option<ResumeAnswer> {
    let log = session.log();
    let last = resume.last_seq.unwrap_or_default();
    let known = resume.epoch.is_none_or(|epoch| epoch == log.epoch());
    let snapshot =
        |outcome| ResumeAnswer { outcome, from: session.last_snapshot().seq, snapshot_first: true };
    if session.lifecycle().is_over() {
        // If the session is over, an extended client that asks for no mode gets the snapshot.
        let replays = match resume.catch_up {
            Some(CatchUp::Replay) => !resume.jump,
            Some(CatchUp::Snapshot) => false,
            None => !extended,
        };
        let has_begun = last > Seq::ZERO || replays;
        let usable = known && has_begun && session.reaches_back_to(last);
        let rest = ResumeAnswer { outcome: Outcome::Ended, from: last, snapshot_first: false };
        return Some(if usable { rest } else { snapshot(Outcome::Ended) });
    }
    if !known || last > session.reachable_head() {
        return Some(snapshot(Outcome::Reset));
    }
    if last > log.head() {
        return None;
    }
    let is_far = extended && resume.jumps() && session.bytes_after(last) > BACKLOG_BYTES;
    let wants_snapshot = resume.catch_up == Some(CatchUp::Snapshot);
    if wants_snapshot || is_far || !session.reaches_back_to(last) {
        return Some(snapshot(Outcome::Snapshot));
    }
    Some(ResumeAnswer { outcome: Outcome::Continue, from: last, snapshot_first: false })
}
