//! A driver without a terminal: lines of input control its sessions, which make their own
//! snapshots.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use moorline_host::driver::{
    Driver, DriverError, DriverOutput, DriverSnapshot, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession, Survival,
};
use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalKind, ApprovalOption, ApprovalRequest, ApprovalSubject,
};
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::event::{Activity, EventKind, Status};
use moorline_shared::frame::Frame;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::{ExitStatus, Size};
use tokio::sync::mpsc;

/// The driver. Each line of input makes a session `say` something, `note` it as an event, be
/// `idle`, `ask` for the approval of a command or of a `form`, `withdraw` that, or end (`bye`). It
/// says each decision, except about approvals whose id begins with `deaf`.
#[derive(Debug)]
pub(crate) struct LineDriver;

/// A driver whose requirements are missing on this machine.
#[derive(Debug)]
pub(crate) struct AbsentDriver;

impl Driver for LineDriver {
    fn name(&self) -> &'static str {
        "line"
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async move {
            if let [word, ..] = &spec.facts.command[..] {
                return Err(DriverError::Refused(format!("`{word}`: lines only").into()));
            }
            let (sender, receiver) = mpsc::channel(1);
            let told = Told { size: spec.facts.size, ..Told::default() };
            Ok(StartedSession {
                output: Box::new(LineOutput(receiver)),
                control: Arc::new(LineControl { sender, told: Arc::new(Mutex::new(told)) }),
                snapshots: SnapshotSource::Driver,
                cwd: "/lines".into(),
                pid: None,
                survival: Survival::Ends,
            })
        })
    }
}

/// A driver of agents, which knows one and says what a session would continue.
#[derive(Debug)]
pub(crate) struct AgentDriver;

impl Driver for AgentDriver {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn agents(&self) -> Vec<KnownAgent> {
        vec![KnownAgent { id: "echo".into(), name: "Echo".into(), ..KnownAgent::default() }]
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        let fork = spec.fork.map(|fork| (fork.items.len(), fork.summary.seq.0));
        let agent = spec.facts.agent.and_then(|agent| agent.agent);
        let told = format!("{agent:?} continues {fork:?}");
        Box::pin(async { Err(DriverError::Refused(told.into())) })
    }
}

impl Driver for AbsentDriver {
    fn name(&self) -> &'static str {
        "absent"
    }

    fn missing(&self) -> Option<String> {
        Some("it is not installed".into())
    }

    fn start(&self, _: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async { Err(DriverError::Exhausted("it is not installed".into())) })
    }
}

#[derive(Debug)]
struct LineOutput(mpsc::Receiver<DriverOutput>);

impl OutputSource for LineOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        let closed = DriverOutput::End(ExitStatus::default());
        Box::pin(async { self.0.recv().await.unwrap_or(closed) })
    }
}

#[derive(Debug)]
struct LineControl {
    /// Has room for one output, so that nothing comes between making and sending it.
    sender: mpsc::Sender<DriverOutput>,
    told: Arc<Mutex<Told>>,
}

/// The input that a session got.
#[derive(Debug, Default)]
struct Told {
    /// The incomplete line.
    line: String,
    said: String,
    /// Output that waits for a flush.
    held: String,
    size: Size,
}

impl Told {
    fn complete(&mut self) -> Vec<DriverOutput> {
        let line = std::mem::take(&mut self.line);
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "say" => {
                self.said.push_str(rest);
                let mut buffer: BytesMut = Frame::buffer(rest.len());
                buffer.extend_from_slice(rest.as_bytes());
                vec![DriverOutput::Bytes(buffer)]
            }
            "hold" => {
                self.held = rest.to_owned();
                vec![]
            }
            "note" => {
                let fields = [("text".to_owned(), rest.into())].into_iter().collect();
                vec![DriverOutput::Event { kind: EventKind::Other.as_str(), fields }]
            }
            "idle" => {
                let cwd = Some(rest.to_owned());
                vec![DriverOutput::Status(Status {
                    status: Activity::Idle,
                    cwd,
                    ..Status::default()
                })]
            }
            "ask" => vec![asks(rest, ApprovalKind::Command)],
            "form" => vec![asks(rest, ApprovalKind::Form)],
            "withdraw" => {
                let (approval_id, reason) = (rest.parse().unwrap(), "never mind".to_owned());
                vec![DriverOutput::Withdraw { approval_id, reason }]
            }
            "bye" => {
                let end =
                    DriverOutput::End(ExitStatus { code: Some(7), signal: None, reason: None });
                vec![self.snapshot(), end]
            }
            _ => vec![],
        }
    }

    fn snapshot(&self) -> DriverOutput {
        let data = Bytes::from(format!("said:{} line:{}", self.said, self.line));
        DriverOutput::Snapshot(Some(DriverSnapshot { data, size: Some(self.size) }))
    }
}

fn asks(id: &str, kind: ApprovalKind) -> DriverOutput {
    let option = |id: &str, kind: AnswerKind| ApprovalOption {
        option_id: id.to_owned(),
        name: id.to_owned(),
        kind,
    };
    DriverOutput::Ask(Box::new(ApprovalRequest {
        approval_id: id.parse().unwrap(),
        command: "make".to_owned(),
        explanation: String::new(),
        expires_at: None,
        kind,
        options: vec![option("yes", AnswerKind::AllowOnce), option("no", AnswerKind::RejectOnce)],
        subject: ApprovalSubject::default(),
        digest: String::new(),
        turn_id: None,
        form: None,
        form_order: Vec::new(),
        from: None,
        truncated: false,
    }))
}

impl LineControl {
    /// Makes an output once there is room for it, and sends it.
    fn send_later(&self, make: impl FnOnce(&Told) -> DriverOutput + Send + 'static) {
        let (sender, told) = (self.sender.clone(), Arc::clone(&self.told));
        tokio::spawn(async move {
            if let Ok(room) = sender.reserve().await {
                room.send(make(&told.lock().unwrap()));
            }
        });
    }
}

impl SessionControl for LineControl {
    fn flush(&self) -> BoxFuture<'static, ()> {
        let (sender, held) =
            (self.sender.clone(), std::mem::take(&mut self.told.lock().unwrap().held));
        Box::pin(async move {
            if held.is_empty() {
                return;
            }
            // The first one is in the log once there is room after the second: the reader reports each
            // before it takes the next.
            for text in [&*held, " "] {
                let mut buffer: BytesMut = Frame::buffer(text.len());
                buffer.extend_from_slice(text.as_bytes());
                let _ = sender.send(DriverOutput::Bytes(buffer)).await;
            }
            let _ = sender.reserve().await;
        })
    }

    fn write(&self, input: &[u8]) -> io::Result<usize> {
        for (taken, byte) in input.iter().enumerate() {
            if *byte != b'\n' {
                self.told.lock().unwrap().line.push(char::from(*byte));
                continue;
            }
            match self.sender.try_reserve() {
                Ok(room) => {
                    let mut outputs = self.told.lock().unwrap().complete().into_iter();
                    if let Some(output) = outputs.next() {
                        room.send(output);
                    }
                    outputs.for_each(|output| self.send_later(move |_| output));
                }
                Err(mpsc::error::TrySendError::Full(())) => return Ok(taken),
                Err(mpsc::error::TrySendError::Closed(())) => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
        }
        Ok(input.len())
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { self.sender.reserve().await.is_ok() })
    }

    fn resize(&self, size: Size) -> io::Result<()> {
        self.told.lock().unwrap().size = size;
        Ok(())
    }

    fn request_snapshot(&self) {
        self.send_later(Told::snapshot);
    }

    fn decide(&self, id: &ApprovalId, decision: Option<&ApprovalDecision>) -> bool {
        if id.as_str().starts_with("deaf") {
            return false;
        }
        let decided = decision.map_or_else(String::new, |decision| {
            let option = decision.option_id.as_deref().unwrap_or_default();
            format!(" {} {option}", decision.approved)
        });
        let text = format!("[{id}{decided}]");
        self.send_later(move |_| {
            let mut buffer: BytesMut = Frame::buffer(text.len());
            buffer.extend_from_slice(text.as_bytes());
            DriverOutput::Bytes(buffer)
        });
        true
    }

    fn close(&self) {
        self.send_later(|_| {
            DriverOutput::End(ExitStatus { code: None, signal: None, reason: None })
        });
    }
}
