//! Requests between the Worker, the directory and the sessions' objects: `POST` of JSON under paths
//! that the Worker never forwards from outside.
//!
//! An answer that is not a success has the body of the REST API, so that it can be passed on
//! unchanged.

use std::collections::BTreeMap;

use moorline_core::audit::AuditRecord;
use moorline_core::auth::{Grant, SecretHash, hash_secret};
use moorline_core::directory::SessionReport;
use moorline_core::passkey::RelyingParty;
use moorline_core::record::{SessionRecord, WorkspaceRecord};
use moorline_core::routes::{Reached, SessionQuestion};
use moorline_core::session::AgentDocument;
use moorline_shared::control::Hosted;
use moorline_shared::event::Event;
use moorline_shared::id::{HostId, ProjectId, Seq, SessionId, WorkspaceId};
use moorline_shared::log::Entry;
use moorline_shared::operation::OperationsQuestion;
use moorline_shared::rest::{AddPasskey, ContextFile, LogInByPasskey};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

/// Header with the [`Caller`]. The Worker alone sets it, and drops a header of this name that comes
/// from outside.
pub const ACCESS: &str = "x-moorline-access";
/// The reason of the close of a connection whose caller has lost its access.
pub const ACCESS_ENDED: &str = "the token was revoked, has expired, or allows less now";
/// Binding of the sessions' objects, which are named by their session's id.
pub const SESSION: &str = "SESSION";
/// Binding of the workspaces' objects, which are named by their workspace's id.
pub const WORKSPACE_OBJECT: &str = "WORKSPACE";
/// Binding of the directory.
pub const DIRECTORY: &str = "DIRECTORY";
/// Name of the only directory object.
pub const DIRECTORY_NAME: &str = "directory";
/// Origin of requests between objects: a URL needs one, though no host has this name.
pub const ORIGIN: &str = "https://moorline.internal";
/// Prefix of all paths in this module.
pub const PREFIX: &str = "/internal/";

/// To a session's object: [`Create`]. Creates the session with its host away. With a record that it
/// already has it changes nothing. Answer: nothing, or 409 `exists`.
pub const CREATE: &str = "/internal/create";
/// To a session's object: the host has started it, as [`HostStarted`] says. Answer: its
/// `SessionSummary` once its host's link is up; 503 `host_offline` if that takes too long.
pub const STARTED: &str = "/internal/started";
/// To a session's object, without a body: tells its clients, then deletes everything. Answer:
/// nothing, even if there was no session.
pub const DELETE: &str = "/internal/delete";
/// To a session's object, without a body: its host came back without it. Answer: nothing.
pub const HOST_LOST: &str = "/internal/host-lost";
/// To a session's object: [`Rename`]. Answer: its `SessionSummary`.
pub const RENAME: &str = "/internal/rename";
/// To a session's object: [`Move`]. Answer: its `SessionSummary`.
pub const MOVE: &str = "/internal/move";
/// To a session's object: [`Append`], for its log. Does nothing if the host is away. Answer:
/// nothing.
pub const APPEND: &str = "/internal/append";
/// To a session's object: [`ForkSource`]. Copies its log to the new session's object. Answer: the
/// `control::Fork` for the host; 400 `bad_request` if the entry does not exist; 409 `trimmed` if
/// the entries that lead to it are no longer retained.
pub const FORK: &str = "/internal/fork";

/// To the directory: [`SessionUpdate`], sent at a limited rate when the lifecycle, status or
/// clients have changed or entries were counted. Answer: nothing; 404 if the session is not listed.
pub const SUMMARY: &str = "/internal/summary";
/// To the directory: [`SessionGone`]. The session's retention time is over and it is about to remove
/// itself: the directory unlists it and has its host forget it. Answer: nothing, even if it was not
/// listed.
pub const GONE: &str = "/internal/gone";
/// To the directory: [`FilesWanted`]. Answer: [`Files`].
pub const FILES: &str = "/internal/files";
/// To the directory: [`FindFilesWanted`]. Answer: `FoundFiles`; 503 `host_offline` if the host is
/// away.
pub const FIND_FILES: &str = "/internal/find-files";
/// To the directory: [`OperationsWanted`]. Answer: `OperationsAnswer`; 503 `host_offline` if the
/// host is away.
pub const OPERATIONS: &str = "/internal/operations";
/// To the directory: [`QuestionWanted`]. Answer: `SessionAnswer`; 503 `host_offline` if the host is
/// away.
pub const QUESTION: &str = "/internal/question";
/// To a session's object, without a body: a token or cookie by which it was opened may have lost its
/// access. Answer: nothing, once the connections that have lost it are closed.
pub const RECHECK: &str = "/internal/recheck";

/// To the directory: [`WorkspaceWanted`]. Answer: [`WorkspaceFacts`].
pub const WORKSPACE: &str = "/internal/workspace";

/// To the directory: [`Held`]. Answer: a list of the callers as they are now, `null` for a
/// caller that is no longer allowed what it was; 429 if a token is used too often.
pub const STILL: &str = "/internal/still";
/// To the directory: [`Opened`]. Records the connection, so that it can be closed when its token
/// loses its access. Answer: nothing, or 401 if it has lost it already.
pub const OPENED: &str = "/internal/opened";
/// To the directory, with a WebSocket: it is closed when the caller's token loses its access. The
/// query's `path` is the route that the caller was admitted to.
pub const LEASE: &str = "/internal/lease";
/// To the directory: [`Audited`]. Answer: nothing.
pub const AUDIT: &str = "/internal/audit";
/// To the directory: [`Presented`], a token's hash. Answer: [`Allowed`], or 401.
pub const VERIFY: &str = "/internal/verify";
/// To the directory: [`Presented`], a cookie's hash. Answer: [`Allowed`], or 401.
pub const VERIFY_COOKIE: &str = "/internal/verify-cookie";
/// To the directory: [`Keep`]. Answer: nothing, or 401 if the cookie to renew is not valid.
pub const KEEP: &str = "/internal/keep";
/// To the directory: [`Leaving`], whose cookie or own token is void from then on. Answer: `LoggedOut`.
pub const LOG_OUT: &str = "/internal/log-out";
/// To the directory: [`Presented`], a ticket's hash; the ticket is void from then on. Answer:
/// [`Allowed`], or 401.
pub const REDEEM: &str = "/internal/redeem";
/// To the directory: [`PasskeyBegin`]. Answer: `PasskeyCreation` if there is a caller, else
/// `PasskeyRequest`.
pub const PASSKEY_BEGIN: &str = "/internal/passkey-begin";
/// To the directory: [`PasskeyAnswer`]. Answer: `PasskeyAdded`.
pub const PASSKEY_ADD: &str = "/internal/passkey-add";
/// To the directory: [`PasskeyLogin`]. Answer: [`PasskeyLoggedIn`], or 401.
pub const PASSKEY_LOG_IN: &str = "/internal/passkey-log-in";
/// To the directory: [`Ensure`]. Answer: nothing once the session exists, else the error that
/// prevented it.
pub const ENSURE: &str = "/internal/ensure";

/// Names a workspace: to the directory, to learn of it; to its object with [`DELETE`], to delete its
/// files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceWanted {
    /// The workspace.
    pub id: WorkspaceId,
}

/// What the directory knows of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceFacts {
    /// Its row; `None` if it does not exist.
    pub record: Option<WorkspaceRecord>,
    /// What the access to it depends on.
    pub reached: Reached,
}

/// Request to create a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// Record of the new session.
    pub record: SessionRecord,
    /// State of its agent, if it is a fork.
    #[serde(default)]
    pub agent: Option<AgentDocument>,
}

/// A host's answer to a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStarted {
    /// The session that the host now runs.
    pub session: Hosted,
    /// Time to wait for the host's link to the session, in milliseconds.
    pub within_ms: u64,
}

/// A session's new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The name; `None` shows the session's id instead.
    pub name: Option<String>,
}

/// A session's new project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The project; `None` takes the session out of its project.
    pub project: Option<ProjectId>,
}

/// An event for a session's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The event to append.
    pub event: Event,
}

/// Request to copy this session's log to a new session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkSource {
    /// The last entry to copy; `None` copies everything up to the head.
    pub seq: Option<Seq>,
    /// Record of the new session; the source sets its `head`.
    pub record: SessionRecord,
}

/// A session's update to the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUpdate {
    /// The session's current summary and size.
    pub report: SessionReport,
    /// Entries counted since the session's last update.
    pub counted: Counted,
}

/// Counts of entries that were added to logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Entries by type; output counts as `session-output`.
    pub events: BTreeMap<String, u64>,
    /// Bytes of output in those entries.
    pub output_bytes: u64,
}

impl Counted {
    /// Counts one entry, and its bytes if it is output.
    pub fn entry(&mut self, entry: &Entry) {
        if let Entry::Output(frame) = entry {
            self.output_bytes += frame.data_len() as u64;
        }
        self.count(entry.kind().as_str(), 1);
    }

    /// Adds the counts of another.
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

/// Notice that a session removes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionGone {
    /// Id of the session.
    pub session_id: SessionId,
}

/// Request for the files that a session works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesWanted {
    /// The host that runs the session.
    pub host: HostId,
    /// The session's project: files above its folder are left out.
    pub project: Option<ProjectId>,
    /// The session's working folder.
    pub folder: Option<String>,
    /// Files that prompts have named, the latest first.
    pub named: Vec<String>,
}

/// Answer to [`FILES`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The files that exist now; empty if the host is away.
    pub files: Vec<ContextFile>,
}

/// Request for files of a session's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindFilesWanted {
    /// The host that runs the session.
    pub host: HostId,
    /// The session's working folder.
    pub folder: Option<String>,
    /// Letters of the paths to find.
    pub query: String,
}

/// A question about operations, for the host of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationsWanted {
    /// The host that runs the session.
    pub host: HostId,
    /// The session's working folder.
    pub folder: Option<String>,
    /// The question.
    pub question: OperationsQuestion,
}

/// A question about a session, for its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionWanted {
    /// The host that runs the session.
    pub host: HostId,
    /// The session.
    pub session_id: SessionId,
    /// The question.
    pub question: SessionQuestion,
}

/// A secret that a caller has presented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// Hash of the secret.
    pub hash: SecretHash,
    /// For a cookie: hash of the Worker's own token, which the directory does not know.
    pub own: Option<SecretHash>,
    /// The caller's IP address, if known.
    pub from: Option<String>,
    /// The session that the request is about.
    pub session: Option<SessionId>,
}

impl Presented {
    /// Hashes a secret, with no further details.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self { hash: hash_secret(secret), own: None, from: None, session: None }
    }
}

/// A browser that logs out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// What it presents.
    pub presented: Presented,
    /// True for a cookie, false for a token.
    pub is_cookie: bool,
}

/// A cookie that is new or renewed, and the token that it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// Hash of the cookie's secret.
    pub hash: SecretHash,
    /// Whose browser it is.
    pub caller: Caller,
    /// When the cookie expires.
    pub expires_at: Time,
    /// False if it is renewed.
    pub is_new: bool,
}

/// Request for what a browser needs to make a passkey, or to log in by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyBegin {
    /// The relay as the page knows it.
    pub rp: RelyingParty,
    /// Who gets a passkey; `None` to log in.
    pub caller: Option<Caller>,
}

/// A passkey that a browser has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyAnswer {
    /// The relay as the page knows it.
    pub rp: RelyingParty,
    /// Whose token it is for.
    pub caller: Caller,
    /// The passkey.
    pub wanted: AddPasskey,
}

/// A login by a passkey, with the cookie to store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyLogin {
    /// The relay as the page knows it.
    pub rp: RelyingParty,
    /// The passkey's signature.
    pub login: LogInByPasskey,
    /// Hash of the cookie's secret.
    pub cookie: SecretHash,
    /// The query of the request, which says how long the cookie is to be valid.
    pub query: String,
    /// Who asks; its hash is not used.
    pub presented: Presented,
}

/// Answer to [`PASSKEY_LOG_IN`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyLoggedIn {
    /// When the cookie expires.
    pub expires_at: Time,
}

/// The caller of a request, or of a connection that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// What the caller's token gives.
    pub grant: Grant,
    /// Hash of the token. For the Worker's own token, it is that of no stored one.
    pub token: SecretHash,
    /// Hash of the cookie's secret, if a cookie stands for the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<SecretHash>,
    /// When that cookie expires, as far as the directory has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_expires_at: Option<Time>,
    /// The caller's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// True if a ticket stands for the token in this request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_by_ticket: bool,
}

/// A connection that a caller opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The caller.
    pub caller: Caller,
    /// The path of the route, as the table has it.
    pub path: String,
    /// The session that it is about.
    pub session: Option<SessionId>,
}

/// The holder of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// The caller.
    pub caller: Caller,
    /// The project of the session that the request is about.
    pub project: Option<ProjectId>,
}

/// What was done in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// The events, oldest first.
    pub records: Vec<AuditRecord>,
}

/// Callers whose connections are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The session that their connections are about.
    pub session: Option<SessionId>,
    /// The callers.
    pub callers: Vec<Caller>,
    /// True for a request of the caller, which counts as one with its token.
    #[serde(default)]
    pub is_request: bool,
}

/// Request to have a session exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensure {
    /// Id of the session.
    pub session_id: SessionId,
    /// Name of the session if it is created.
    pub name: Option<String>,
    /// Who asks for it.
    pub caller: Caller,
}
