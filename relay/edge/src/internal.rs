//! What the Worker, the directory and the sessions' objects ask of each other: by `POST` of JSON
//! under paths that the Worker lets nobody reach from outside.
//!
//! An answer that is no success has the body of the REST API, so that it can be passed on as it is.

use std::collections::BTreeMap;

use moorline_core::auth::{SecretHash, hash_secret};
use moorline_core::directory::SessionReport;
use moorline_core::record::SessionRecord;
use moorline_shared::control::Hosted;
use moorline_shared::event::Event;
use moorline_shared::id::{HostId, ProjectId, Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::rest::ContextFile;
use serde::{Deserialize, Serialize};

/// Says what the caller may do. The Worker alone sets it; what came from outside under this name is
/// dropped. To a session: `admin`, `write`, `read` or `host`. To the directory: the token's scope.
pub const ACCESS: &str = "x-moorline-access";
/// The binding of the sessions' objects: each has its session's id as name.
pub const SESSION: &str = "SESSION";
/// The binding of the directory.
pub const DIRECTORY: &str = "DIRECTORY";
/// The name of the only directory.
pub const DIRECTORY_NAME: &str = "directory";
/// Requests between objects have an address, but no host.
pub const ORIGIN: &str = "https://moorline.internal";
/// What all paths here begin with.
pub const PREFIX: &str = "/internal/";

/// To a session's object: [`Create`]; the session is there, and its host away. Again with the same
/// record it changes nothing. Answer: nothing, or 409 `exists`.
pub const CREATE: &str = "/internal/create";
/// To a session's object: the host has started it, as [`Started`] says. Answered with its
/// `SessionSummary` when its link is up; 503 `host_offline` where it does not come in time.
pub const STARTED: &str = "/internal/started";
/// To a session's object, without a body: its clients are told, and everything is gone. Answer:
/// nothing, also where there was nothing.
pub const DELETE: &str = "/internal/delete";
/// To a session's object, without a body: its host came back without it. Answer: nothing.
pub const HOST_LOST: &str = "/internal/host-lost";
/// To a session's object: [`Rename`]. Answer: its `SessionSummary`.
pub const RENAME: &str = "/internal/rename";
/// To a session's object: [`Move`]. Answer: its `SessionSummary`.
pub const MOVE: &str = "/internal/move";
/// To a session's object: [`Append`], for the log; where the host is away nothing happens. Answer:
/// nothing.
pub const APPEND: &str = "/internal/append";
/// To a session's object: [`ForkSource`]. It copies its log to the object of the new session, and
/// answers with what the host needs: a `control::Fork`. 400 `bad_request` for an entry that is not there,
/// 409 `trimmed` where too much before it is gone.
pub const FORK: &str = "/internal/fork";

/// To the directory: [`SessionUpdate`], whenever lifecycle, status or clients have changed, or something was
/// counted, but not all the time. Answer: nothing; 404 where the directory knows no such session.
pub const SUMMARY: &str = "/internal/summary";
/// To the directory: [`Gone`]; the session was kept for its time, and is about to remove itself. It is
/// listed no more, and its host is to forget it. Answer: nothing, also where none was listed.
pub const GONE: &str = "/internal/gone";
/// To the directory: [`FilesWanted`]. Answer: [`Files`].
pub const FILES: &str = "/internal/files";
/// To the directory: [`Presented`], a token's hash. Answer: [`Allowed`], or 401.
pub const VERIFY: &str = "/internal/verify";
/// To the directory: [`Presented`], a cookie's hash. Answer: [`Allowed`], or 401.
pub const VERIFY_COOKIE: &str = "/internal/verify-cookie";
/// To the directory: [`Keep`]. Answer: nothing.
pub const KEEP: &str = "/internal/keep";
/// To the directory: [`Presented`], a cookie's hash; it is void from then on. Answer: nothing.
pub const DROP: &str = "/internal/drop";
/// To the directory: [`Presented`], a ticket's hash; the ticket is void from then on. Answer:
/// [`Allowed`], or 401.
pub const REDEEM: &str = "/internal/redeem";
/// To the directory: [`Ensure`]. Answer: nothing, when there is such a session; else why not.
pub const ENSURE: &str = "/internal/ensure";

/// A session that is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// Its row.
    pub record: SessionRecord,
}

/// A host's answer to a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// What runs.
    pub session: Hosted,
    /// How long to wait for its link.
    pub within_ms: u64,
}

/// A session's new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// `None` for its id.
    pub name: Option<String>,
}

/// A session's new project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// `None` for none.
    pub project: Option<ProjectId>,
}

/// An event for a session's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The event.
    pub event: Event,
}

/// A session that begins on this one's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkSource {
    /// The last entry to take over; without it the head.
    pub seq: Option<Seq>,
    /// The new session's row; its `head` is set by the source.
    pub record: SessionRecord,
}

/// What a session tells the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUpdate {
    /// How it is.
    pub report: SessionReport,
    /// What it has counted since its last update.
    pub counted: Counted,
}

/// Entries that have come to logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// By type: output is `session-output`.
    pub events: BTreeMap<String, u64>,
    /// Bytes of output.
    pub output_bytes: u64,
}

impl Counted {
    /// Counts an entry.
    pub fn entry(&mut self, entry: &Entry) {
        if let Entry::Output(frame) = entry {
            self.output_bytes += frame.data_len() as u64;
        }
        self.count(entry.kind().as_str(), 1);
    }

    /// Counts what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.output_bytes += other.output_bytes;
        other.events.iter().for_each(|(kind, count)| self.count(kind, *count));
    }

    fn count(&mut self, kind: &str, more: u64) {
        match self.events.get_mut(kind) {
            Some(count) => *count += more,
            None => drop(self.events.insert(kind.to_owned(), more)),
        }
    }
}

/// A session that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its id.
    pub session_id: SessionId,
}

/// The files that a session works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesWanted {
    /// The session's host.
    pub host: HostId,
    /// Its project: nothing above that one's folder counts.
    pub project: Option<ProjectId>,
    /// Its folder.
    pub folder: Option<String>,
    /// Files that prompts named, the last one first.
    pub named: Vec<String>,
}

/// See [`FILES`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Those that are there now; none where the host is away.
    pub files: Vec<ContextFile>,
}

/// A secret that someone has presented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// Its hash.
    pub hash: SecretHash,
    /// Of a cookie: the hash of the token that the Worker was given, which the directory does not
    /// know.
    pub own: Option<SecretHash>,
    /// The address of who presents it, if that is known.
    pub from: Option<String>,
}

impl Presented {
    /// A secret, and nothing besides.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self { hash: hash_secret(secret), own: None, from: None }
    }
}

/// A cookie that stands for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The hash of what it holds.
    pub hash: SecretHash,
    /// The token's.
    pub token: SecretHash,
}

/// What a secret allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// A scope.
    pub access: String,
    /// The hash of the token that the secret stands for, if it is none itself.
    pub token: Option<SecretHash>,
}

/// A session that is to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensure {
    /// Its id.
    pub session_id: SessionId,
    /// What it is called, if it is new.
    pub name: Option<String>,
}
