//! Compares the sessions of a host that connects with those that the relay knows.

use std::collections::BTreeSet;

use moorline_shared::control::{Hello, Hosted, PROTOCOL};
use moorline_shared::id::SessionId;

/// The outcome of a host's hello: the sessions that the relay and the host must bring into line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reconciliation<'a> {
    /// Sessions that the relay did not know, to be listed now.
    pub adopt: Vec<&'a Hosted>,
    /// Deleted sessions that the host still has.
    pub forget: Vec<SessionId>,
    /// Deleted sessions that the host no longer has: their rows can go.
    pub forgotten: Vec<SessionId>,
    /// Running sessions that the host no longer has.
    pub lost: Vec<SessionId>,
}

impl<'a> Reconciliation<'a> {
    /// Compares the two sides. `is_known` returns true if the relay has a session, on any host;
    /// `running` are the host's sessions that are not over; `deleted` are those that it must
    /// forget.
    pub fn of<'k>(
        hello: &'a Hello,
        is_known: impl Fn(&SessionId) -> bool,
        running: impl Iterator<Item = &'k SessionId>,
        deleted: Vec<SessionId>,
    ) -> Self {
        let has: BTreeSet<_> = hello.sessions.iter().map(|hosted| &hosted.session_id).collect();
        let (forget, forgotten): (Vec<_>, Vec<_>) =
            deleted.into_iter().partition(|id| has.contains(id));
        let is_new = |hosted: &&Hosted| {
            !is_known(&hosted.session_id) && !forget.contains(&hosted.session_id)
        };
        let adopt = hello.sessions.iter().filter(is_new).collect();
        let lost = running.filter(|id| !has.contains(id)).cloned().collect();
        Self { adopt, forget, forgotten, lost }
    }
}

/// Returns the advice for a host that speaks another protocol than this relay; `None` if it speaks
/// the same. `version` is the relay's.
#[must_use]
pub fn other_protocol(hello: &Hello, version: &str) -> Option<String> {
    let (theirs, host) = (hello.protocol, &hello.version);
    let sides = format!(
        "the host is moorline {host} with protocol {theirs}, \
         the relay moorline {version} with protocol {PROTOCOL}"
    );
    match theirs.cmp(&PROTOCOL) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(format!(
            "{sides}: the host is older. `moorline host stop` ends it and its sessions; then start \
             it from the newer program"
        )),
        std::cmp::Ordering::Greater => Some(format!(
            "{sides}: the relay is older. Start or deploy it from the newer program, or end the \
             host and its sessions with `moorline host stop`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::control::Facts;
    use moorline_shared::id::Epoch;

    use super::*;

    fn hello(protocol: u32, sessions: &[&str]) -> Hello {
        let hosted = |id: &&str| Hosted {
            session_id: id.parse().unwrap(),
            epoch: Epoch(1),
            facts: Facts::default(),
            cwd: "/".into(),
            pid: None,
            created_at: 1,
        };
        Hello {
            protocol,
            version: "0.1.0".into(),
            name: "box".into(),
            drivers: vec![],
            missing: vec![],
            sessions: sessions.iter().map(hosted).collect(),
        }
    }

    #[test]
    fn each_session_is_adopted_kept_forgotten_or_lost() {
        let id = |text: &str| text.parse::<SessionId>().unwrap();
        let hello = hello(PROTOCOL, &["new_one_1", "known_one", "deleted_1"]);
        let running = [id("known_one"), id("lost_one1")];
        let deleted = vec![id("deleted_1"), id("deleted_2")];
        let meeting =
            Reconciliation::of(&hello, |id| id.as_str() == "known_one", running.iter(), deleted);
        let adopted: Vec<_> = meeting.adopt.iter().map(|it| it.session_id.as_str()).collect();
        assert_eq!(adopted, ["new_one_1"]);
        assert_eq!(meeting.forget, [id("deleted_1")]);
        assert_eq!(meeting.forgotten, [id("deleted_2")]);
        assert_eq!(meeting.lost, [id("lost_one1")]);
    }

    #[test]
    fn who_is_older_is_said() {
        assert_eq!(other_protocol(&hello(PROTOCOL, &[]), "1"), None);
        assert!(other_protocol(&hello(0, &[]), "1").unwrap().contains("the host is older"));
        let newer = other_protocol(&hello(PROTOCOL + 1, &[]), "1").unwrap();
        assert!(newer.contains("the relay is older"));
    }
}
