//! The task that does what an agent's machine wants done outside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::session::ExitStatus;
use tokio::task::{AbortHandle, JoinSet};

use super::acp::ServiceRequest;
use super::ask_records::AskRecords;
use super::catalogue;
use super::files::AgentFolders;
use super::launch::{AgentLaunch, AgentPlace};
use super::machine::{AgentInput, AgentOutput};
use super::pod;
use super::process::ProcessEvent;
use super::rpc::{INTERNAL_ERROR, RpcError};
use super::shared::SharedMachine;
use super::terminals::{AgentTerminals, Served};
use super::transport::{AgentKeeper, AgentTransport};
use super::turn_watch::TurnWatch;
use crate::changes::SessionChanges;
use crate::driver::blocking;

/// Time allowed for an agent to end by itself when its session ends.
const CLOSE_GRACE: Duration = Duration::from_secs(3);
/// Most bytes that wait for the agent to read them.
const UNWRITTEN_BYTES: usize = 64 * 1024 * 1024;

/// The answer to an agent in a pod that asks the host for files or terminals.
const ELSEWHERE: &str = "You run in a pod, and this host has none of its files: read and write them \
                         yourself, and run commands yourself.";

/// Does what an agent's machine wants done outside.
#[derive(Debug)]
pub(super) struct AgentTask {
    shared: Arc<SharedMachine>,
    launch: AgentLaunch,
    keeper: Option<AgentKeeper>,
    records: Arc<AskRecords>,
    /// The agent's process, while it runs.
    process: Option<AgentTransport>,
    /// Processes that have ended, each with the change that reports it. Their keepers are needed
    /// until that is stored: if this host dies before, the next one reads their output again.
    ended: Vec<(AgentTransport, u64)>,
    services: AgentServices,
    watch: TurnWatch,
    /// True once the session is to end.
    ends: bool,
}

/// The work for the agent that is being done.
#[derive(Debug)]
struct AgentServices {
    folders: AgentFolders,
    terminals: AgentTerminals,
    /// False if the agent works where the host has neither files nor terminals.
    is_here: bool,
    work: JoinSet<(u64, Served)>,
    handles: BTreeMap<u64, AbortHandle>,
}

/// What the task waits for.
enum TaskEvent {
    Woken,
    Process(ProcessEvent),
    Served(u64, Served),
    Timeout,
}

impl AgentTask {
    pub(super) fn new(
        shared: Arc<SharedMachine>,
        launch: AgentLaunch,
        keeper: Option<AgentKeeper>,
        records: Arc<AskRecords>,
        process: Option<AgentTransport>,
        changes: Option<SessionChanges>,
    ) -> Self {
        let (folders, lost) = (launch.folders.clone(), shared.open_terminals());
        let (opener, env) = (launch.opener.clone(), launch.env.clone());
        let services = AgentServices {
            terminals: AgentTerminals::new(opener, folders.clone(), env, lost),
            folders,
            is_here: matches!(launch.place, AgentPlace::Here(_)),
            work: JoinSet::new(),
            handles: BTreeMap::new(),
        };
        let watch = TurnWatch::start(Arc::clone(&shared), changes);
        let ended = Vec::new();
        Self { shared, launch, keeper, records, process, ended, services, watch, ends: false }
    }

    /// Runs until the session ends.
    pub(super) async fn run(mut self) {
        loop {
            self.work().await;
            self.forget_ended();
            if let Some(process) = &mut self.process {
                process.pump(&self.shared);
            }
            if self.ends {
                break;
            }
            match self.next().await {
                TaskEvent::Woken => {}
                TaskEvent::Process(event) => self.process_event(event),
                TaskEvent::Served(work, result) => {
                    self.services.handles.remove(&work);
                    self.shared.handle(AgentInput::Served { work, result });
                }
                TaskEvent::Timeout => self.shared.handle(AgentInput::Timeout),
            }
        }
        self.end().await;
    }

    async fn next(&mut self) -> TaskEvent {
        let Self { shared, process, services, .. } = self;
        let reads = shared.has_room();
        let process = async {
            match process {
                Some(process) => process.next(reads).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shared.woken() => TaskEvent::Woken,
            Some(done) = services.work.join_next() => match done {
                Ok((work, served)) => TaskEvent::Served(work, served),
                Err(_) => TaskEvent::Woken,
            },
            event = process => TaskEvent::Process(event),
            () = shared.timeout() => TaskEvent::Timeout,
        }
    }

    fn process_event(&mut self, event: ProcessEvent) {
        match event {
            ProcessEvent::Line(line, end) => self.shared.handle_line(AgentInput::Line(line), end),
            ProcessEvent::LineTooLong(end) => {
                self.shared.handle_line(AgentInput::LineTooLong, end);
            }
            ProcessEvent::Written(up_to) => self.shared.written(up_to),
            ProcessEvent::Exited(exit, last_words) => {
                self.exited(AgentInput::Exited { exit, last_words });
            }
            ProcessEvent::Suspended(message) => self.exited(AgentInput::Suspended { message }),
            ProcessEvent::Over => self.shared.handle(AgentInput::Close),
        }
        if let Some(process) = &self.process
            && process.unwritten() + self.shared.unwritten() > UNWRITTEN_BYTES
        {
            tracing::warn!("an agent does not read what it is told, and is ended");
            process.kill();
        }
    }

    fn exited(&mut self, input: AgentInput) {
        self.services.terminals.end_all();
        let change = self.shared.process_changed(None, input);
        self.ended.extend(self.process.take().map(|process| (process, change)));
    }

    /// Lets go of the processes that have ended, once that is stored.
    fn forget_ended(&mut self) {
        for (process, _) in self.ended.extract_if(.., |(_, it)| self.shared.has_stored(*it)) {
            process.forget();
        }
    }

    /// Does all work that may be done.
    async fn work(&mut self) {
        while let Some(work) = self.shared.next_work() {
            match work {
                AgentOutput::Serve { work, request } => self.services.serve(work, request),
                AgentOutput::Forget { work } => self.services.forget(work),
                AgentOutput::Observed { asks } => self.observed(asks),
                AgentOutput::TurnBegins { turn_id } => self.watch.begin(turn_id),
                AgentOutput::TurnOver { turn_id } => self.watch.end(&turn_id),
                AgentOutput::Start => self.start().await,
                AgentOutput::Kill => {
                    if let Some(process) = &self.process {
                        process.kill();
                    }
                }
                AgentOutput::End => self.ends = true,
                // All others are for the session's log or for the agent.
                _ => {}
            }
        }
    }

    /// Remembers whether the agent asks, if it is one of the catalogue. The session does not wait
    /// for it: finding out the version may take seconds.
    fn observed(&self, asks: bool) {
        let Some(agent) = self.launch.agent.clone() else { return };
        let records = Arc::clone(&self.records);
        tokio::task::spawn_blocking(move || {
            let version = catalogue::version(&agent);
            if let Err(error) = records.record(&agent, version, asks) {
                tracing::warn!(%error, "cannot remember whether an agent asks");
            }
        });
    }

    async fn start(&mut self) {
        match AgentTransport::start(&self.launch, self.keeper.as_ref()).await {
            Ok(process) => {
                _ = self.shared.process_changed(process.keeper(), AgentInput::Started);
                self.process = Some(process);
            }
            Err(error) => {
                self.shared.handle(AgentInput::NotStarted { message: error.to_string() });
            }
        }
    }

    /// Ends the agent, and then the session.
    async fn end(mut self) {
        self.services.terminals.end_all();
        self.services.work.abort_all();
        self.watch.forget();
        self.ended.into_iter().for_each(|(process, _)| process.forget());
        let exit = match (self.process, &self.launch.place) {
            (Some(process), _) => process.close(CLOSE_GRACE).await,
            (None, AgentPlace::Pod(pod)) => pod::close(pod).await,
            (None, AgentPlace::Here(_)) => ExitStatus::default(),
        };
        self.shared.end(exit);
    }
}

impl AgentServices {
    fn serve(&mut self, work: u64, request: ServiceRequest) {
        use ServiceRequest::{ReadFile, WriteFile};
        let handle = match request {
            _ if !self.is_here => {
                let refused = Err(RpcError::new(INTERNAL_ERROR, ELSEWHERE));
                self.work.spawn(async move { (work, refused) })
            }
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
