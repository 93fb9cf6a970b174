//! The task that carries out what an agent's machine says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::session::ExitStatus;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::acp::ServiceRequest;
use super::files::AgentFolders;
use super::launch::AgentLaunch;
use super::machine::{AgentInput, AgentOutput};
use super::process::{AgentProcess, AgentProgram, ProcessEvent};
use super::rpc::{INTERNAL_ERROR, RpcError};
use super::shared::{SharedMachine, push_text};
use super::terminals::{AgentTerminals, ChildTerminals, Served};
use crate::driver::{DriverOutput, blocking};

/// Time allowed for an agent to end by itself when its session ends.
const CLOSE_GRACE: Duration = Duration::from_secs(3);
/// Time allowed for an agent's processes to end when they are to be killed.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// Carries out what an agent's machine says.
#[derive(Debug)]
pub(super) struct AgentTask {
    shared: Arc<SharedMachine>,
    program: AgentProgram,
    /// The agent's process, while it runs.
    process: Option<AgentProcess>,
    services: AgentServices,
    sender: mpsc::Sender<DriverOutput>,
    /// The outputs that the session did not take yet. The agent is not read while there are any.
    pending: VecDeque<DriverOutput>,
    /// True once the session is to end.
    ends: bool,
}

/// The work for the agent that is being done.
#[derive(Debug)]
struct AgentServices {
    folders: AgentFolders,
    terminals: Box<dyn AgentTerminals>,
    work: JoinSet<(u64, Served)>,
    handles: BTreeMap<u64, AbortHandle>,
}

/// What the task waits for.
enum TaskEvent {
    Passed,
    Woken,
    Process(ProcessEvent),
    Served(u64, Served),
    Timeout,
}

impl AgentTask {
    pub(super) fn new(
        shared: Arc<SharedMachine>,
        launch: AgentLaunch,
        process: AgentProcess,
        sender: mpsc::Sender<DriverOutput>,
    ) -> Self {
        let AgentLaunch { program, folders, .. } = launch;
        let variables = program.variables.clone();
        let services = AgentServices {
            terminals: Box::new(ChildTerminals::new(folders.clone(), variables)),
            folders,
            work: JoinSet::new(),
            handles: BTreeMap::new(),
        };
        let (process, pending) = (Some(process), VecDeque::new());
        Self { shared, program, process, services, sender, pending, ends: false }
    }

    /// Runs until the session ends, or nobody reads it any more.
    pub(super) async fn run(mut self) {
        self.shared.handle(AgentInput::Started);
        loop {
            self.carry_out().await;
            if self.ends {
                break;
            }
            let input = match self.next().await {
                None => break,
                Some(TaskEvent::Passed | TaskEvent::Woken) => continue,
                Some(TaskEvent::Process(event)) => self.process_input(event),
                Some(TaskEvent::Served(work, result)) => {
                    self.services.handles.remove(&work);
                    AgentInput::Served { work, result }
                }
                Some(TaskEvent::Timeout) => AgentInput::Timeout,
            };
            self.shared.handle(input);
        }
        self.end().await;
    }

    /// Waits for what happens next. `None` if nobody reads the session any more.
    async fn next(&mut self) -> Option<TaskEvent> {
        let Self { shared, process, services, sender, pending, .. } = self;
        let timeout = shared.lock().poll_timeout();
        let reads = pending.is_empty();
        let process = async {
            match process {
                Some(process) => process.next(reads).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            room = sender.reserve(), if !reads => {
                let room = room.ok()?;
                if let Some(output) = pending.pop_front() {
                    room.send(output);
                }
                shared.set_waiting(pending.len());
                Some(TaskEvent::Passed)
            }
            () = sender.closed(), if reads => None,
            () = shared.woken() => Some(TaskEvent::Woken),
            Some(done) = services.work.join_next() => Some(match done {
                Ok((work, served)) => TaskEvent::Served(work, served),
                Err(_) => TaskEvent::Woken,
            }),
            event = process => Some(TaskEvent::Process(event)),
            () = shared.clock().wait(timeout) => Some(TaskEvent::Timeout),
        }
    }

    fn process_input(&mut self, event: ProcessEvent) -> AgentInput {
        match event {
            ProcessEvent::Line(line) => AgentInput::Line(line),
            ProcessEvent::LineTooLong => AgentInput::LineTooLong,
            ProcessEvent::Stuck => {
                tracing::warn!("an agent does not read what it is told, and is ended");
                self.kill();
                AgentInput::Timeout
            }
            ProcessEvent::Exited(exit, last_words) => {
                self.process = None;
                self.services.terminals.end_all();
                AgentInput::Exited { exit, last_words }
            }
        }
    }

    /// Carries out all outputs of the machine.
    async fn carry_out(&mut self) {
        loop {
            // The lock is not held while an output is carried out.
            let output = self.shared.lock().poll_output();
            let Some(output) = output else { break };
            match output {
                AgentOutput::Line(line) => {
                    if let Some(process) = &mut self.process {
                        process.write(&line);
                    }
                }
                AgentOutput::Event { kind, fields } => {
                    self.pending.push_back(DriverOutput::Event { kind, fields });
                }
                AgentOutput::Transcript(text) => push_text(&text, &mut self.pending),
                AgentOutput::Status(status) => {
                    self.pending.push_back(DriverOutput::Status(status));
                }
                AgentOutput::Ask(request) => self.pending.push_back(DriverOutput::Ask(request)),
                AgentOutput::Withdraw { approval_id, reason } => {
                    self.pending.push_back(DriverOutput::Withdraw { approval_id, reason });
                }
                AgentOutput::Done(approval_id) => {
                    self.pending.push_back(DriverOutput::Done(approval_id));
                }
                AgentOutput::Serve { work, request } => self.services.serve(work, request),
                AgentOutput::Forget { work } => self.services.forget(work),
                AgentOutput::Start => self.start().await,
                AgentOutput::Kill => self.kill(),
                AgentOutput::End => self.ends = true,
            }
        }
        self.shared.set_waiting(self.pending.len());
    }

    async fn start(&mut self) {
        let program = self.program.clone();
        let started = blocking(move || program.spawn()).await;
        let started = started.map_err(|error| error.to_string());
        let input = match started.and_then(|started| started.map_err(|error| error.to_string())) {
            Ok(process) => {
                self.process = Some(process);
                AgentInput::Started
            }
            Err(message) => AgentInput::NotStarted { message },
        };
        self.shared.handle(input);
    }

    fn kill(&self) {
        if let Some(process) = &self.process {
            let group = process.group();
            tokio::spawn(async move { group.end(KILL_GRACE).await });
        }
    }

    /// Ends the agent, and then the session.
    async fn end(mut self) {
        self.services.terminals.end_all();
        self.services.work.abort_all();
        let exit = match self.process {
            Some(process) => process.close(CLOSE_GRACE).await,
            None => ExitStatus::default(),
        };
        self.pending.push_back(DriverOutput::End(exit));
        for output in self.pending {
            if self.sender.send(output).await.is_err() {
                return;
            }
        }
    }
}

impl AgentServices {
    fn serve(&mut self, work: u64, request: ServiceRequest) {
        use ServiceRequest::{ReadFile, WriteFile};
        let handle = match request {
            ReadFile { .. } | WriteFile { .. } => {
                let folders = self.folders.clone();
                self.work.spawn(async move {
                    let served = blocking(move || folders.serve(&request)).await;
                    let failed = |error: crate::driver::DriverError| {
                        Err(RpcError::new(INTERNAL_ERROR, error.to_string()))
                    };
                    (work, served.unwrap_or_else(failed))
                })
            }
            request => {
                let serving = self.terminals.serve(request);
                self.work.spawn(async move { (work, serving.await) })
            }
        };
        self.handles.insert(work, handle);
    }

    fn forget(&mut self, work: u64) {
        if let Some(handle) = self.handles.remove(&work) {
            handle.abort();
        }
    }
}
