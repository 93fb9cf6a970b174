//! What a machine has to say.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_shared::agent::action::ActionNumber;
use moorline_shared::agent::approval::ApprovalRequest;
use moorline_shared::agent::fault::AgentFault;
use moorline_shared::event::{EventFields, EventKind, SessionError, Status};
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::time::Time;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::fit::fit_fields;
use crate::driver::agent::acp::{AgentCall, ServiceRequest};
use crate::driver::agent::rpc::{self, RpcError, RpcId};
use crate::driver::agent::transcript::Transcript;

/// The field that says that something is missing.
const TRUNCATED: &str = "truncated";
/// Most events about faults of the protocol within [`FAULT_SPAN`].
const FAULTS: u32 = 3;
/// See [`FAULTS`].
const FAULT_SPAN: Duration = Duration::from_mins(1);

/// The name of a kind of event. As an alias, because serde would borrow a reference from its input.
type KindName = &'static str;

/// An output of an [`AgentMachine`](super::AgentMachine).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AgentOutput {
    /// Write this line to the agent, with a line feed.
    Line(String),
    /// An event of the session.
    Event {
        /// The name of its kind.
        #[serde(deserialize_with = "kind_name")]
        kind: KindName,
        /// Its fields.
        fields: Map<String, Value>,
    },
    /// More of the transcript, as terminal output.
    Transcript(String),
    /// The session's new status.
    Status(Status),
    /// A question to the users.
    Ask(Box<ApprovalRequest>),
    /// A question is withdrawn.
    Withdraw {
        /// The question.
        approval_id: ApprovalId,
        /// The reason, in a sentence.
        reason: String,
    },
    /// What a decision allowed has been done, or has failed.
    Done(ApprovalId),
    /// All that follows from the actions up to this one was output.
    Acted(ActionNumber),
    /// A turn begins. Its prompt must not reach the agent before the session's files were looked at.
    TurnBegins {
        /// The turn.
        turn_id: TurnId,
    },
    /// A turn is over. Look at the session's files, and pass what has changed in as
    /// [`AgentInput::Changes`](super::AgentInput::Changes).
    TurnOver {
        /// The turn.
        turn_id: TurnId,
    },
    /// Do this for the agent, and pass the answer in as
    /// [`AgentInput::Served`](super::AgentInput::Served).
    Serve {
        /// The number that the answer repeats.
        work: u64,
        /// What to do.
        request: ServiceRequest,
    },
    /// Nobody waits for this answer any more.
    Forget {
        /// The number of the work.
        work: u64,
    },
    /// The agent was seen to ask, or not to ask, before it changed a file. Remember it for the next
    /// sessions with this version of the agent.
    Observed {
        /// True if it has asked.
        asks: bool,
    },
    /// Start the agent's process.
    Start,
    /// Kill the agent's process group. [`AgentInput::Exited`](super::AgentInput::Exited) follows.
    Kill,
    /// Write what is to be written, close the agent's input, and end the session.
    End,
}

/// Reads the name of a kind.
fn kind_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KindName, D::Error> {
    Ok(EventKind::of(&String::deserialize(deserializer)?).as_str())
}

/// The outputs that nobody has taken yet, and what they must not repeat.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Outbox {
    /// The outputs, oldest first. The owner takes them after each input.
    queue: VecDeque<AgentOutput>,
    transcript: Transcript,
    faults: FaultMeter,
}

/// Limits the events about faults of the protocol.
#[derive(Debug, Default, Serialize, Deserialize)]
struct FaultMeter {
    /// When the present span began.
    since: Time,
    /// The number of faults in it.
    count: u32,
}

impl Outbox {
    pub(super) fn pop(&mut self) -> Option<AgentOutput> {
        self.queue.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn push(&mut self, output: AgentOutput) {
        self.queue.push_back(output);
    }

    /// Sends a request to the agent.
    pub(super) fn request(&mut self, id: u64, asked: &AgentCall) {
        self.push(AgentOutput::Line(rpc::request(id, asked.0, &asked.1)));
    }

    /// Sends a notification to the agent.
    pub(super) fn notify(&mut self, asked: &AgentCall) {
        self.push(AgentOutput::Line(rpc::notification(asked.0, &asked.1)));
    }

    /// Drops lines for a process that has ended.
    pub(super) fn drop_lines(&mut self) {
        self.queue.retain(|output| !matches!(output, AgentOutput::Line(_)));
    }

    /// Drops what is to be done with the agent's process.
    pub(super) fn drop_orders(&mut self) {
        use AgentOutput::{End, Kill, Start};
        self.queue.retain(|output| !matches!(output, Start | Kill | End));
    }

    /// Answers a request of the agent.
    pub(super) fn answer(&mut self, id: &RpcId, result: &Result<Value, RpcError>) {
        self.push(AgentOutput::Line(rpc::answer(id, result)));
    }

    /// Answers a request of the agent with an error.
    pub(super) fn refuse(&mut self, id: &RpcId, code: i64, message: &str) {
        self.answer(id, &Err(RpcError::new(code, message)));
    }

    /// Adds an event, of which nothing is missing unless it says so itself.
    pub(super) fn event<F: EventFields>(&mut self, fields: &F) {
        self.event_cut(fields, false);
    }

    /// Adds an event. If a part of it is missing, or has to be left out because it is too large, the
    /// event says so.
    pub(super) fn event_cut<F: EventFields>(&mut self, fields: &F, is_cut: bool) {
        // Texts, numbers and JSON values always encode, as an object.
        if let Ok(Value::Object(mut fields)) = serde_json::to_value(fields) {
            if fit_fields(&mut fields) || is_cut {
                fields.insert(TRUNCATED.to_owned(), true.into());
            }
            self.push(AgentOutput::Event { kind: F::KIND.as_str(), fields });
        }
    }

    /// Adds to the transcript.
    pub(super) fn show(&mut self, write: impl FnOnce(&mut Transcript) -> String) {
        let text = write(&mut self.transcript);
        if !text.is_empty() {
            self.push(AgentOutput::Transcript(text));
        }
    }

    /// Reports an error after which the session goes on.
    pub(super) fn error(&mut self, fault: AgentFault, sentence: impl Into<String>) {
        let error = sentence.into();
        self.show(|transcript| transcript.error(&error));
        let code = Some(fault.code().to_owned());
        self.event(&SessionError { error, code, recoverable: Some(true) });
    }

    /// Reports a fault of the agent's protocol, unless there were many.
    pub(super) fn fault(&mut self, now: Time, what: &str) {
        let faults = &mut self.faults;
        if now - faults.since >= FAULT_SPAN {
            *faults = FaultMeter { since: now, count: 0 };
        }
        faults.count = faults.count.saturating_add(1);
        if faults.count <= FAULTS {
            let sentence = format!("The agent broke the protocol: {what}.");
            self.error(AgentFault::AgentProtocol, sentence);
        }
    }
}
