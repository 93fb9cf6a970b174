//! A program in a session, as its host knows it.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use moorline_host::ask::wire::{LocalFollowUp, LocalQuestion, LocalReply, LocalRequest};
use moorline_host::ask::{AskClient, KEY_VARIABLE, PATIENCE, SESSION_VARIABLE, SOCKET_VARIABLE};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::id::SessionId;

/// The session that this process belongs to.
#[derive(Debug)]
pub(in crate::cli) struct ProgramSession {
    id: SessionId,
    key: String,
    socket: PathBuf,
}

/// The outcome of a question.
#[derive(Debug)]
pub(super) enum AskOutcome {
    /// It was decided.
    Decided { approved: bool, command: String, decision: Box<ApprovalDecision> },
    /// Nobody decided in time.
    Expired,
    /// The session has ended.
    Withdrawn { reason: String },
    /// It was not asked, or the answer is unknown.
    NotAsked(NotAsked),
}

/// The reason why nobody could be asked, or nothing reported.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NotAsked {
    /// This process does not belong to a session.
    #[error(
        "this is not a session of Moorline: {SESSION_VARIABLE}, {SOCKET_VARIABLE} and {KEY_VARIABLE} \
         are not set"
    )]
    NoSession,
    /// The variables of the session are not valid.
    #[error("{SESSION_VARIABLE} or {KEY_VARIABLE} is not valid")]
    Invalid,
    /// The host cannot be reached.
    #[error("the host of this session cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The host has gone before it has answered.
    #[error("the host of this session has ended or restarted before it answered: {0}")]
    HostGone(io::Error),
    /// The host does not accept the request.
    #[error("{0}")]
    Refused(String),
}

impl AskOutcome {
    /// Returns a sentence for whoever asked.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Decided { approved, decision, .. } => {
                let what = if *approved { "approved" } else { "denied" };
                let reason = decision.reason.as_deref().filter(|reason| !reason.is_empty());
                let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
                format!("{what} by {}{reason}", decision.by)
            }
            Self::Expired => "nobody decided in time".to_owned(),
            Self::Withdrawn { reason } => reason.clone(),
            Self::NotAsked(error) => error.to_string(),
        }
    }
}

impl ProgramSession {
    /// Returns the session that this process belongs to, by its variables.
    pub(in crate::cli) fn of_this_process() -> Result<Self, NotAsked> {
        let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let variables =
            (variable(SESSION_VARIABLE), variable(KEY_VARIABLE), variable(SOCKET_VARIABLE));
        let (Some(id), Some(key), Some(socket)) = variables else {
            return Err(NotAsked::NoSession);
        };
        let id = id.to_str().and_then(|id| id.parse().ok()).ok_or(NotAsked::Invalid)?;
        let key = key.into_string().map_err(|_| NotAsked::Invalid)?;
        Ok(Self { id, key, socket: socket.into() })
    }

    /// Asks a question, and waits for the outcome for as long as it takes.
    pub(super) fn ask(&self, question: LocalQuestion) -> AskOutcome {
        self.try_ask(question).unwrap_or_else(AskOutcome::NotAsked)
    }

    fn try_ask(&self, question: LocalQuestion) -> Result<AskOutcome, NotAsked> {
        let mut client = AskClient::connect(&self.socket).map_err(NotAsked::Unreachable)?;
        let (session, key) = (self.id.clone(), self.key.clone());
        let question = Box::new(question);
        send(&mut client, &LocalRequest::Ask { session, key, question })?;
        match client.receive(Some(2 * PATIENCE)).map_err(NotAsked::HostGone)? {
            LocalReply::Asked { .. } => {}
            reply => return Err(unexpected(reply)),
        }
        match client.receive(None).map_err(NotAsked::HostGone)? {
            LocalReply::Decided { approved, command, decision } => {
                // The host must know that the decision has arrived, or it says that it has not.
                client.send(&LocalFollowUp::Received).map_err(NotAsked::HostGone)?;
                Ok(AskOutcome::Decided { approved, command, decision })
            }
            LocalReply::Expired => Ok(AskOutcome::Expired),
            LocalReply::Withdrawn { reason } => Ok(AskOutcome::Withdrawn { reason }),
            reply => Err(unexpected(reply)),
        }
    }

    /// Reports a state.
    pub(in crate::cli) fn report(
        &self,
        value: String,
        tool: Option<String>,
    ) -> Result<(), NotAsked> {
        let mut client = AskClient::connect(&self.socket).map_err(NotAsked::Unreachable)?;
        let (session, key) = (self.id.clone(), self.key.clone());
        send(&mut client, &LocalRequest::State { session, key, value, tool })?;
        match client.receive(Some(2 * PATIENCE)).map_err(NotAsked::HostGone)? {
            LocalReply::Done => Ok(()),
            reply => Err(unexpected(reply)),
        }
    }
}

fn send(client: &mut AskClient, request: &LocalRequest) -> Result<(), NotAsked> {
    client.send(request).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => NotAsked::Refused(error.to_string()),
        // A host that is full has refused already, and does not read.
        _ => match client.receive(Some(PATIENCE)) {
            Ok(reply) => unexpected(reply),
            Err(_) => NotAsked::HostGone(error),
        },
    })
}

/// Returns the error for a reply that is a refusal, or not one to the request.
pub(in crate::cli) fn unexpected(reply: LocalReply) -> NotAsked {
    match reply {
        LocalReply::Refused { message, .. } => NotAsked::Refused(message),
        _ => NotAsked::Refused("the host answers in a form that this version does not know".into()),
    }
}
