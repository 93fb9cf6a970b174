//! The messages between a host and its relay that concern all of the host's sessions:
//! `/hosts/:id/control`.
//!
//! The host dials and sends [`ToRelay::Hello`]; the relay welcomes or refuses it. Then the relay
//! sends requests. Each is answered once, in any order. A host that starts a session of its own
//! accord sends [`ToRelay::Opened`], or closes the link and dials again, so that its next hello
//! lists the session. If a link is lost, its pending requests may still have been carried out; the
//! next hello then lists the session. Each session is published on a link of its own: see
//! [`crate::publish`]. Either side may be newer than the other: unknown types and fields are
//! ignored, and only a different [`PROTOCOL`] is refused.

mod flat;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::agent::rule::{ApprovalRule, RulesQuestion};
use crate::agent::spec::{AgentSpec, KnownAgent};
use crate::change::{ChangesAnswer, ChangesQuestion};
use crate::event::Event;
use crate::file_search::FoundFiles;
use crate::id::{ApprovalId, Epoch, HostId, ProjectId, Seq, SessionId, WorkspaceId};
use crate::limits::NAME_CHARACTERS;
use crate::message::Snapshot;
use crate::name::bounded;
use crate::operation::{OperationsAnswer, OperationsQuestion};
use crate::packet::{BadPacket, Decode, Encode, Packet, json, utf8};
use crate::pod::{PodSpec, PodsAnswer, PodsQuestion};
use crate::publish::RequestId;
use crate::rest::{ContextFile, MissingDriver};
use crate::session::{ForkedFrom, Size};
use crate::tagged::tagged;
use crate::tmux::{TmuxAnswer, TmuxQuestion, TmuxServer, TmuxSpec};

/// The version number of this protocol. Both sides must have the same one.
pub const PROTOCOL: u32 = 1;
/// The most drivers of one host that a relay remembers.
const DRIVERS: usize = 16;

tagged! {
    /// A message from a host to its relay.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ToRelay {
        /// The first message, sent once per link.
        Hello(Box<Hello>),
        /// The answer to [`ToHost::Start`]: the session runs, and is about to be published.
        Started {
            /// The request that this answers.
            request: RequestId,
            /// The session that was started.
            session: Box<Hosted>,
        },
        /// The host has started a session of its own accord, such as a command of an agent, and is
        /// about to publish it. The next hello lists it too.
        Opened {
            /// The session that was started.
            session: Box<Hosted>,
        },
        /// The answer to a request that failed.
        Failed {
            /// The request that this answers.
            request: RequestId,
            /// A stable code, as in the REST API: `bad_request`, `overloaded`, `exists`,
            /// `no_such_rule`, `internal`.
            code: String,
            /// A sentence for the user that says what to do.
            message: String,
        },
        /// The answer to [`ToHost::Files`].
        Files {
            /// The request that this answers.
            request: RequestId,
            /// The files that exist now.
            files: Vec<ContextFile>,
        },
        /// The answer to [`ToHost::FindFiles`].
        FoundFiles {
            /// The request that this answers.
            request: RequestId,
            /// The files that match.
            found: FoundFiles,
        },
        /// The answer to [`ToHost::Operations`].
        Operations {
            /// The request that this answers.
            request: RequestId,
            /// The answer to its question.
            answer: Box<OperationsAnswer>,
        },
        /// The answer to [`ToHost::Changes`].
        Changes {
            /// The request that this answers.
            request: RequestId,
            /// The answer to its question.
            answer: Box<ChangesAnswer>,
        },
        /// The answer to [`ToHost::Agents`].
        Agents {
            /// The request that this answers.
            request: RequestId,
            /// The agents that the host knows, installed or not.
            agents: Vec<KnownAgent>,
        },
        /// The answer to [`ToHost::TmuxServers`].
        TmuxServers {
            /// The request that this answers.
            request: RequestId,
            /// The servers of the host's user.
            servers: Vec<TmuxServer>,
        },
        /// The answer to [`ToHost::Tmux`].
        Tmux {
            /// The request that this answers.
            request: RequestId,
            /// The answer to its question.
            answer: Box<TmuxAnswer>,
        },
        /// The answer to [`ToHost::Pods`].
        Pods {
            /// The request that this answers.
            request: RequestId,
            /// The answer to its question.
            answer: Box<PodsAnswer>,
        },
        /// The answer to [`ToHost::Rules`].
        Rules {
            /// The request that this answers.
            request: RequestId,
            /// The host's rules, oldest first.
            rules: Vec<ApprovalRule>,
        },
        /// Counts of the host's pods: sent after the welcome and when they change. Needs no answer.
        PodMetrics {
            /// The JSON of [`PodMetrics`](crate::pod::PodMetrics), which only relays with metrics
            /// read.
            metrics: serde_json::Value,
        },
        /// A keepalive that the relay answers: [`crate::message::KEEPALIVE_PING`].
        Ping {
            /// Always 0.
            t: u64,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// A host's name, versions, drivers and sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The [`PROTOCOL`] version of the host.
    pub protocol: u32,
    /// The version of the host's program.
    pub version: String,
    /// The machine's name, for display.
    pub name: String,
    /// The drivers that can start sessions now, such as `pty`.
    pub drivers: Vec<String>,
    /// The drivers that the host supports but that cannot start sessions now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingDriver>,
    /// The sessions that run, and ended ones whose log is not yet all durable at the relay.
    pub sessions: Vec<Hosted>,
}

impl Hello {
    /// Cleans the names and bounds the lists of drivers, so that they are safe to show and keep: a
    /// host of another version, or another program, may send anything.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let sessions = self.sessions.into_iter().map(Hosted::cleaned).collect();
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

/// A session of a host, described in full for a relay that does not know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "flat::FlatHosted")]
pub struct Hosted {
    /// The id of the session.
    pub session_id: SessionId,
    /// The epoch of its log.
    pub epoch: Epoch,
    /// The spec that it was started from.
    #[serde(flatten)]
    pub facts: Facts,
    /// The folder that it started in.
    pub cwd: String,
    /// The id of its process, if it has one.
    pub pid: Option<u32>,
    /// When it was created, in milliseconds since 1970.
    pub created_at: u64,
}

impl Hosted {
    /// Cleans the texts, as [`Hello::cleaned`] does.
    #[must_use]
    pub fn cleaned(mut self) -> Self {
        let name = self.facts.name.take().map(|name| bounded(&name, NAME_CHARACTERS));
        self.facts.name = name.filter(|name| !name.is_empty());
        self.facts.agent = self.facts.agent.take().map(AgentSpec::cleaned);
        self.facts.tmux = self.facts.tmux.take().and_then(TmuxSpec::cleaned);
        self.facts.pod = self.facts.pod.take().and_then(PodSpec::cleaned);
        self
    }
}

/// The spec that a session was started from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// The name to display, if it was given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The project that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// The name of the driver that runs it.
    pub driver: String,
    /// The program and its arguments; empty for the user's login shell.
    pub command: Vec<String>,
    /// Environment variables, in addition to the host's own.
    pub env: BTreeMap<String, String>,
    /// The terminal's size at the start.
    pub size: Size,
    /// The agent, in a session of the driver `agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
    /// The pane, in a session of the driver `tmux`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmux: Option<TmuxSpec>,
    /// The workspace that its folder is in sync with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The pod, in a session of the driver `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSpec>,
    /// The session that it was opened beside, if a host has opened it of its own accord.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<SessionId>,
}

tagged! {
    /// A message from a relay to a host.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ToHost {
        /// The answer to [`ToRelay::Hello`].
        Welcome {
            /// The version of the relay's program.
            version: String,
        },
        /// The relay does not accept this host, and closes the link.
        Refused {
            /// A stable code: `protocol`, `replaced`, `overloaded`.
            code: String,
            /// A sentence for the user that says what to do.
            message: String,
        },
        /// Starts a session.
        Start {
            /// The id that the answer repeats.
            request: RequestId,
            /// The session to start.
            session: Box<Start>,
        },
        /// Ends a session, whatever it is doing, and forgets it: it was deleted.
        Forget {
            /// The session to forget.
            session_id: SessionId,
        },
        /// Asks for the files that a session works with.
        Files {
            /// The id that the answer repeats.
            request: RequestId,
            /// The session's folder; the user's home if `None`.
            folder: Option<String>,
            /// The folder above which files are not searched.
            top: Option<String>,
            /// Files that prompts named, most recent first.
            named: Vec<String>,
        },
        /// Asks for the files below a session's folder whose paths match.
        FindFiles {
            /// The id that the answer repeats.
            request: RequestId,
            /// The session's folder; the user's home if `None`.
            folder: Option<String>,
            /// Letters of the path, in their order.
            query: String,
        },
        /// Asks for a preview or the execution of operations in a session's folder.
        Operations {
            /// The id that the answer repeats.
            request: RequestId,
            /// The session's folder; the user's home if `None`.
            folder: Option<String>,
            /// The operations to preview or to execute.
            question: Box<OperationsQuestion>,
        },
        /// Asks about the files that the agent of a session has changed.
        Changes {
            /// The id that the answer repeats.
            request: RequestId,
            /// The session.
            session_id: SessionId,
            /// The question.
            question: Box<ChangesQuestion>,
        },
        /// Asks for the agents that the host knows.
        Agents {
            /// The id that the answer repeats.
            request: RequestId,
        },
        /// Asks for the tmux servers of the host's user.
        TmuxServers {
            /// The id that the answer repeats.
            request: RequestId,
        },
        /// Asks about the tmux session that the pane of a session is in, or changes it.
        Tmux {
            /// The id that the answer repeats.
            request: RequestId,
            /// The session.
            session_id: SessionId,
            /// The question.
            question: Box<TmuxQuestion>,
        },
        /// Asks for the templates of pods and the pods of the host's cluster, or changes them.
        Pods {
            /// The id that the answer repeats.
            request: RequestId,
            /// The question.
            question: Box<PodsQuestion>,
        },
        /// Asks for the host's rules about approvals, or revokes one. A rule that does not exist is
        /// answered by [`ToRelay::Failed`] with `no_such_rule`.
        Rules {
            /// The id that the answer repeats.
            request: RequestId,
            /// The question.
            question: RulesQuestion,
        },
        /// The answer to [`ToRelay::Ping`].
        Pong {
            /// Always 0.
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
    /// The id of the new session.
    pub session_id: SessionId,
    /// The spec to start it from.
    #[serde(flatten)]
    pub facts: Facts,
    /// The folder to start in; the user's home if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The log that the session begins with, if it is a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// The log that a fork begins with. The relay has it already; the host only needs to redraw its
/// screen, or to know the conversation so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fork {
    /// The epoch of the new log.
    pub epoch: Epoch,
    /// The log and entry that the fork was taken from; the new log's first own entry follows
    /// `from.seq`.
    pub from: ForkedFrom,
    /// The screen at some entry up to `from.seq`; `None` for the empty screen before the first
    /// entry. Hosts know it as `picture`.
    #[serde(rename = "picture")]
    pub snapshot: Option<Snapshot>,
    /// Output after the snapshot, up to `from.seq`, in order.
    #[serde(default)]
    pub output: Vec<Output>,
    /// The events after the snapshot, up to `from.seq`, in order. Only for sessions of the driver
    /// `agent`, which have no screen: for them `output` is empty, and the snapshot is a
    /// [`Conversation`](crate::fold::Conversation).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ForkedEvent>,
    /// The approvals that are open at `from.seq`. Their programs do not wait for the fork's answer,
    /// so its log reports them as withdrawn. The host knows those of an agent from its events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalId>,
}

/// An event of the log that a fork begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkedEvent {
    /// The number of its entry.
    pub seq: Seq,
    /// The event.
    pub event: Event,
}

/// A piece of output; base64 on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output(#[serde(with = "crate::base64_bytes")] pub bytes::Bytes);

/// Returns the id of the relay's own host.
///
/// # Panics
/// Never: the text is a valid id.
#[must_use]
pub fn local_host() -> HostId {
    "localhost".parse().expect("9 letters are an id")
}

impl Fork {
    /// Returns the last entry that the new log takes over.
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
