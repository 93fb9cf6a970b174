//! What host and relay say to each other about all of a host's sessions: `/hosts/:id/control`.
//!
//! The host dials, says [`ToRelay::Hello`] and is welcomed, or refused. Then the relay asks: each
//! request is answered once, in any order. A host that has started a session of its own accord
//! closes the link and dials again, so that its hello tells of it; so a request whose link was lost
//! may have been done, and then the next hello has the session. A session is published on a link of
//! its own: [`crate::publish`]. Both sides may be newer: unknown types and fields are ignored, and only a
//! [`PROTOCOL`] that differs is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, HostId, ProjectId, Seq, SessionId};
use crate::limits::NAME_CHARACTERS;
use crate::message::Snapshot;
use crate::name::bounded;
use crate::packet::{BadPacket, Decode, Encode, Packet, json, utf8};
use crate::publish::RequestId;
use crate::rest::ContextFile;
use crate::session::{ForkedFrom, Size};
use crate::tagged::tagged;

/// The number of this protocol: both sides must have the same.
pub const PROTOCOL: u32 = 1;
/// Drivers of a host that a relay remembers.
const DRIVERS: usize = 16;

tagged! {
    /// From host to relay.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ToRelay {
        /// Comes first, once.
        Hello(Box<Hello>),
        /// The answer to [`ToHost::Start`]: it runs, and is about to be published.
        Started {
            /// Which request.
            request: RequestId,
            /// The session.
            session: Box<Hosted>,
        },
        /// The answer to a request that could not be done.
        Failed {
            /// Which request.
            request: RequestId,
            /// Stable, as in the REST API: `bad_request`, `overloaded`, `exists`, `internal`.
            code: String,
            /// For people: what to do.
            message: String,
        },
        /// The answer to [`ToHost::Files`].
        Files {
            /// Which request.
            request: RequestId,
            /// Those that are there now.
            files: Vec<ContextFile>,
        },
        /// Asks for a sign of life: [`crate::message::KEEPALIVE_PING`].
        Ping {
            /// 0.
            t: u64,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// Who a host is, and what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// [`PROTOCOL`] of the host.
    pub protocol: u32,
    /// The version of its program.
    pub version: String,
    /// For people: the machine's name.
    pub name: String,
    /// The drivers that can start sessions on it now, as `pty`.
    pub drivers: Vec<String>,
    /// The drivers that it knows and that cannot start sessions now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingDriver>,
    /// The sessions that it runs, and those that are over and not all durable at the relay.
    pub sessions: Vec<Hosted>,
}

/// A driver that a host knows and that cannot start sessions there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingDriver {
    /// The driver's name.
    pub driver: String,
    /// For people: why, and what to do.
    pub reason: String,
}

impl Hello {
    /// As it can be shown and kept: a host of another version, or another program, may send anything.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let mut sessions = self.sessions;
        for session in &mut sessions {
            let name = session.facts.name.take().map(|name| bounded(&name, NAME_CHARACTERS));
            session.facts.name = name.filter(|name| !name.is_empty());
        }
        let drivers = self.drivers.iter().take(DRIVERS).map(|name| bounded(name, NAME_CHARACTERS));
        let missing = self.missing.iter().take(DRIVERS).map(|missing| MissingDriver {
            driver: bounded(&missing.driver, NAME_CHARACTERS),
            reason: bounded(&missing.reason, NAME_CHARACTERS),
        });
        Self {
            name: bounded(&self.name, NAME_CHARACTERS),
            version: bounded(&self.version, NAME_CHARACTERS),
            drivers: drivers.collect(),
            missing: missing.collect(),
            sessions,
            ..self
        }
    }
}

/// A session of a host: enough for a relay that knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "FlatHosted")]
pub struct Hosted {
    /// Its id.
    pub session_id: SessionId,
    /// Its log's incarnation.
    pub epoch: Epoch,
    /// As it was started.
    #[serde(flatten)]
    pub facts: Facts,
    /// The folder that it started in.
    pub cwd: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// A [`Hosted`] as it is read: with all fields in one struct it is read from the text alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatHosted {
    session_id: SessionId,
    epoch: Epoch,
    name: Option<String>,
    project: Option<ProjectId>,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    size: Size,
    cwd: String,
    pid: Option<u32>,
    created_at: u64,
}

impl From<FlatHosted> for Hosted {
    fn from(flat: FlatHosted) -> Self {
        let FlatHosted { session_id, epoch, cwd, pid, created_at, .. } = flat;
        let FlatHosted { name, project, driver, command, env, size, .. } = flat;
        let facts = Facts { name, project, driver, command, env, size };
        Self { session_id, epoch, facts, cwd, pid, created_at }
    }
}

/// What a session is, as whoever started it said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// For people, where it was given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The project that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// What runs it.
    pub driver: String,
    /// Program and arguments; empty for the user's login shell.
    pub command: Vec<String>,
    /// Variables on top of the host's own.
    pub env: BTreeMap<String, String>,
    /// Its terminal's size at the start.
    pub size: Size,
}

tagged! {
    /// From relay to host.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ToHost {
        /// The answer to [`ToRelay::Hello`].
        Welcome {
            /// The version of the relay's program.
            version: String,
        },
        /// The relay does not work with this host, and closes.
        Refused {
            /// Stable: `protocol`, `replaced`, `overloaded`.
            code: String,
            /// For people: what to do.
            message: String,
        },
        /// Start a session.
        Start {
            /// Named in the answer.
            request: RequestId,
            /// What to start.
            session: Box<Start>,
        },
        /// End a session, whatever it does, and forget it: it was deleted.
        Forget {
            /// Which.
            session_id: SessionId,
        },
        /// Look for files that a session works with.
        Files {
            /// Named in the answer.
            request: RequestId,
            /// The session's folder; without it the user's home.
            folder: Option<String>,
            /// The folder above which nothing counts.
            top: Option<String>,
            /// Files that prompts named, the last one first.
            named: Vec<String>,
        },
        /// The answer to [`ToRelay::Ping`].
        Pong {
            /// 0.
            t: u64,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// A session to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// Its id.
    pub session_id: SessionId,
    /// What it is.
    #[serde(flatten)]
    pub facts: Facts,
    /// The folder to start in; without it the user's home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The log that it begins with, where it is a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// The log that a fork begins with. The relay has it; the host needs what its screen shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fork {
    /// The new log's incarnation.
    pub epoch: Epoch,
    /// Where it comes from; the new log's first own entry follows `from.seq`.
    pub from: ForkedFrom,
    /// The screen somewhere before that; `None` for an empty one before the first entry.
    pub picture: Option<Snapshot>,
    /// Output after the picture, up to `from.seq`, in order.
    #[serde(default)]
    pub output: Vec<Output>,
}

/// Some output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output(#[serde(with = "crate::base64_bytes")] pub bytes::Bytes);

/// Names a host. The relay's own host has this one.
///
/// # Panics
/// Never: it is an id.
#[must_use]
pub fn local_host() -> HostId {
    "localhost".parse().expect("9 letters are an id")
}

impl Fork {
    /// The last entry that the new log takes over.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.from.seq
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl Encode for $name {
            fn encode(self) -> Packet {
                json(&self)
            }
        }

        impl Decode for $name {
            fn decode(packet: Packet) -> Result<Self, BadPacket> {
                match packet {
                    Packet::Text(text) => Ok(Self::read(utf8(&text)?)?),
                    Packet::Binary(_) => Ok(Self::Unknown),
                }
            }
        }
    };
}

as_text!(ToRelay);
as_text!(ToHost);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wire: &str) -> Packet {
        Packet::Text(wire.to_owned().into())
    }

    fn to_relay(message: &ToRelay, wire: &str) {
        assert_eq!(message.clone().encode(), text(wire));
        assert_eq!(&ToRelay::decode(text(wire)).unwrap(), message);
    }

    fn to_host(message: &ToHost, wire: &str) {
        assert_eq!(message.clone().encode(), text(wire));
        assert_eq!(&ToHost::decode(text(wire)).unwrap(), message);
    }

    fn facts() -> Facts {
        Facts { driver: "pty".into(), command: vec!["vi".into()], ..Facts::default() }
    }

    #[test]
    fn messages_have_these_wire_forms() {
        let hosted = Hosted {
            session_id: "session1".parse().unwrap(),
            epoch: Epoch(5),
            facts: facts(),
            cwd: "/tmp".into(),
            pid: Some(7),
            created_at: 4,
        };
        let session = r#"{"sessionId":"session1","epoch":5,"driver":"pty","command":["vi"],"env":{},"size":{"cols":80,"rows":24},"cwd":"/tmp","pid":7,"createdAt":4}"#;
        let hello = Hello {
            protocol: PROTOCOL,
            version: "0.1.0".into(),
            name: "box".into(),
            drivers: vec!["pty".into()],
            missing: vec![],
            sessions: vec![hosted.clone()],
        };
        to_relay(
            &ToRelay::Hello(Box::new(hello.clone())),
            &format!(
                r#"{{"type":"hello","protocol":1,"version":"0.1.0","name":"box","drivers":["pty"],"sessions":[{session}]}}"#
            ),
        );
        let reason = "tmux is not installed".to_owned();
        let hello = Hello {
            missing: vec![MissingDriver { driver: "tmux".into(), reason }],
            sessions: vec![],
            ..hello
        };
        to_relay(
            &ToRelay::Hello(Box::new(hello)),
            r#"{"type":"hello","protocol":1,"version":"0.1.0","name":"box","drivers":["pty"],"missing":[{"driver":"tmux","reason":"tmux is not installed"}],"sessions":[]}"#,
        );
        to_relay(
            &ToRelay::Started { request: RequestId(1), session: Box::new(hosted) },
            &format!(r#"{{"type":"started","request":1,"session":{session}}}"#),
        );
        to_relay(
            &ToRelay::Failed { request: RequestId(1), code: "x".into(), message: "y".into() },
            r#"{"type":"failed","request":1,"code":"x","message":"y"}"#,
        );
        let file = r#"{"path":"/a","size":1,"modified":2,"source":"folder"}"#;
        to_relay(
            &ToRelay::Files {
                request: RequestId(1),
                files: vec![serde_json::from_str(file).unwrap()],
            },
            &format!(r#"{{"type":"files","request":1,"files":[{file}]}}"#),
        );
        let start = Start {
            session_id: "session1".parse().unwrap(),
            facts: facts(),
            cwd: None,
            fork: None,
        };
        to_host(
            &ToHost::Start { request: RequestId(1), session: Box::new(start) },
            r#"{"type":"start","request":1,"session":{"sessionId":"session1","driver":"pty","command":["vi"],"env":{},"size":{"cols":80,"rows":24}}}"#,
        );
        to_host(
            &ToHost::Forget { session_id: "session1".parse().unwrap() },
            r#"{"type":"forget","sessionId":"session1"}"#,
        );
        to_host(
            &ToHost::Files {
                request: RequestId(1),
                folder: Some("/a".into()),
                top: None,
                named: vec!["b".into()],
            },
            r#"{"type":"files","request":1,"folder":"/a","top":null,"named":["b"]}"#,
        );
        to_host(
            &ToHost::Refused { code: "x".into(), message: "y".into() },
            r#"{"type":"refused","code":"x","message":"y"}"#,
        );
        to_host(
            &ToHost::Welcome { version: "0.1.0".into() },
            r#"{"type":"welcome","version":"0.1.0"}"#,
        );
        assert_eq!(ToHost::decode(text(r#"{"type":"dance"}"#)).unwrap(), ToHost::Unknown);
        assert_eq!(ToRelay::decode(text(r#"{"type":"dance"}"#)).unwrap(), ToRelay::Unknown);
    }

    #[test]
    fn what_a_host_does_not_say_of_a_session_is_the_default() {
        let least = r#"{"sessionId":"session1","epoch":5,"cwd":"/tmp","createdAt":4,"more":[]}"#;
        let hosted: Hosted = serde_json::from_str(least).unwrap();
        assert_eq!(hosted.facts, Facts::default());
        for lacking in ["sessionId", "epoch", "cwd", "createdAt"] {
            let bad = least.replace(lacking, "x");
            assert!(serde_json::from_str::<Hosted>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sign_of_life_is_that_of_all_links() {
        use crate::message::{KEEPALIVE_PING, KEEPALIVE_PONG};
        to_relay(&ToRelay::Ping { t: 0 }, KEEPALIVE_PING);
        to_host(&ToHost::Pong { t: 0 }, KEEPALIVE_PONG);
    }
}
