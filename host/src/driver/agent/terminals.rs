//! The commands that an agent has the host run, each as a session of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};
use moorline_shared::id::SessionId;
use moorline_shared::session::ExitStatus;

use super::acp::{ServiceAnswer, ServiceRequest, hung_up};
use super::files::AgentFolders;
use super::rpc::{INTERNAL_ERROR, INVALID_PARAMS, NOT_FOUND, RpcError};
use crate::clock::random_bits;
use crate::driver::{OpenedTerminal, TerminalOpener, TerminalWish};

/// Most terminals of an agent at a time.
const TERMINALS: usize = 32;

/// The result of a request.
pub(super) type Served = Result<ServiceAnswer, RpcError>;

/// The terminals of an agent, by the ids of their sessions.
#[derive(Debug)]
pub(super) struct AgentTerminals {
    opener: Option<Arc<dyn TerminalOpener>>,
    folders: AgentFolders,
    /// Variables of each command, beside those that the agent names.
    env: BTreeMap<String, String>,
    table: Arc<Mutex<TerminalTable>>,
}

#[derive(Debug, Default)]
struct TerminalTable {
    open: BTreeMap<String, AgentTerminal>,
    /// The number of those that are being started.
    starting: usize,
    /// The number of times that all were ended.
    ended: u64,
}

/// One terminal.
#[derive(Debug, Clone)]
enum AgentTerminal {
    Open(Arc<OpenedTerminal>),
    /// It has ended with the host that ran it.
    Lost,
}

/// A terminal that is being started.
struct StartingTerminal {
    table: Arc<Mutex<TerminalTable>>,
    ended: u64,
}

impl AgentTerminals {
    /// Creates the terminals of a session, none of which are open. `lost` were open in an earlier
    /// host. Without an opener, there can be none.
    pub(super) fn new(
        opener: Option<Arc<dyn TerminalOpener>>,
        folders: AgentFolders,
        env: BTreeMap<String, String>,
        lost: Vec<String>,
    ) -> Self {
        let open = lost.into_iter().map(|id| (id, AgentTerminal::Lost)).collect();
        let table = TerminalTable { open, ..TerminalTable::default() };
        Self { opener, folders, env, table: Arc::new(Mutex::new(table)) }
    }

    /// Begins to serve a request for a terminal. The future ends with the answer, and may be
    /// dropped.
    pub(super) fn serve(&self, request: ServiceRequest) -> BoxFuture<'static, Served> {
        self.answer(request).unwrap_or_else(|error| Box::pin(ready(Err(error))))
    }

    /// Ends all commands, and forgets them.
    pub(super) fn end_all(&self) {
        let mut table = lock(&self.table);
        table.ended += 1;
        for terminal in std::mem::take(&mut table.open).into_values() {
            terminal.close();
        }
    }

    fn answer(&self, request: ServiceRequest) -> Result<BoxFuture<'static, Served>, RpcError> {
        let at_once = |answer| -> BoxFuture<'static, Served> { Box::pin(ready(Ok(answer))) };
        Ok(match request {
            ServiceRequest::TerminalOutput { terminal_id } => {
                at_once(self.find(&terminal_id)?.output())
            }
            ServiceRequest::WaitForTerminal { terminal_id } => {
                let terminal = self.find(&terminal_id)?;
                Box::pin(async move { Ok(ServiceAnswer::Exited(terminal.wait().await)) })
            }
            ServiceRequest::KillTerminal { terminal_id } => {
                self.find(&terminal_id)?.close();
                at_once(ServiceAnswer::Done)
            }
            ServiceRequest::ReleaseTerminal { terminal_id } => {
                self.find(&terminal_id)?.close();
                lock(&self.table).open.remove(&terminal_id);
                at_once(ServiceAnswer::Done)
            }
            request => self.create(request)?,
        })
    }

    fn create(&self, request: ServiceRequest) -> Result<BoxFuture<'static, Served>, RpcError> {
        let refused = |message: &str| RpcError::new(INTERNAL_ERROR, message);
        let ServiceRequest::CreateTerminal { command, args, env, cwd, output_bytes } = request
        else {
            return Err(refused("This is not a request for a terminal."));
        };
        let opener = self.opener.as_ref().ok_or_else(|| refused("No terminal can be opened."))?;
        let cwd = cwd.or_else(|| self.folders.0.first().cloned()).unwrap_or_default();
        if !self.folders.contain(&cwd) {
            let message = "The folder is not one of the session's.";
            return Err(RpcError::new(INVALID_PARAMS, message));
        }
        let starting = self.starting()?;
        let session_id = SessionId::from_random(random_bits());
        let id = session_id.to_string();
        let opening = opener.open(TerminalWish {
            session_id,
            command: std::iter::once(command).chain(args).collect(),
            env: self.env.clone().into_iter().chain(env).collect(),
            cwd,
            output_bytes,
        });
        Ok(Box::pin(async move {
            let opened = opening.await.map_err(|error| RpcError::new(INTERNAL_ERROR, error))?;
            starting.open(id, opened)
        }))
    }

    fn starting(&self) -> Result<StartingTerminal, RpcError> {
        let mut table = lock(&self.table);
        if table.open.len() + table.starting >= TERMINALS {
            let message = format!("{TERMINALS} terminals are open: release some of them.");
            return Err(RpcError::new(INTERNAL_ERROR, message));
        }
        table.starting += 1;
        Ok(StartingTerminal { table: Arc::clone(&self.table), ended: table.ended })
    }

    fn find(&self, id: &str) -> Result<AgentTerminal, RpcError> {
        let unknown = || RpcError::new(NOT_FOUND, "The terminal does not exist.");
        lock(&self.table).open.get(id).cloned().ok_or_else(unknown)
    }
}

impl Drop for AgentTerminals {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl StartingTerminal {
    /// Registers the terminal, unless all were ended meanwhile.
    fn open(self, id: String, opened: OpenedTerminal) -> Served {
        let terminal = AgentTerminal::Open(Arc::new(opened));
        let mut table = lock(&self.table);
        if table.ended != self.ended {
            drop(table);
            terminal.close();
            return Err(RpcError::new(INTERNAL_ERROR, "The agent has ended meanwhile."));
        }
        table.open.insert(id.clone(), terminal);
        drop(table);
        Ok(ServiceAnswer::Terminal(id))
    }
}

impl Drop for StartingTerminal {
    fn drop(&mut self) {
        lock(&self.table).starting -= 1;
    }
}

impl AgentTerminal {
    fn output(&self) -> ServiceAnswer {
        match self {
            Self::Open(opened) => {
                let (output, truncated) = opened.tail.output();
                ServiceAnswer::Output { output, truncated, exit: opened.tail.exit() }
            }
            Self::Lost => {
                let (output, exit) = (String::new(), Some(hung_up()));
                ServiceAnswer::Output { output, truncated: true, exit }
            }
        }
    }

    async fn wait(&self) -> ExitStatus {
        match self {
            Self::Open(opened) => opened.tail.wait().await,
            Self::Lost => hung_up(),
        }
    }

    fn close(&self) {
        if let Self::Open(opened) = self {
            opened.close();
        }
    }
}

fn lock(table: &Mutex<TerminalTable>) -> MutexGuard<'_, TerminalTable> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never opens anything.
    #[derive(Debug)]
    struct Refusing;

    impl TerminalOpener for Refusing {
        fn open(&self, _: TerminalWish) -> BoxFuture<'static, Result<OpenedTerminal, String>> {
            Box::pin(ready(Err("Too many.".to_owned())))
        }
    }

    fn terminals(folder: &std::path::Path, lost: &[&str]) -> AgentTerminals {
        let lost = lost.iter().map(|&id| id.to_owned()).collect();
        let folders = AgentFolders(vec![folder.to_owned()]);
        AgentTerminals::new(Some(Arc::new(Refusing)), folders, BTreeMap::new(), lost)
    }

    fn run(cwd: Option<&str>) -> ServiceRequest {
        ServiceRequest::CreateTerminal {
            command: "true".into(),
            args: vec![],
            env: vec![],
            cwd: cwd.map(Into::into),
            output_bytes: 8,
        }
    }

    #[tokio::test]
    async fn terminals_are_bounded_and_stay_in_the_folders() {
        let folder = tempfile::tempdir().unwrap();
        let terminals = terminals(folder.path(), &[]);
        let code = async |request| terminals.serve(request).await.unwrap_err().code;
        assert_eq!(code(run(Some("/"))).await, INVALID_PARAMS);
        let waiting: Vec<_> = (0..TERMINALS).map(|_| terminals.serve(run(None))).collect();
        let error = terminals.serve(run(None)).await.unwrap_err();
        assert!(error.message.starts_with("32 terminals are open"), "{}", error.message);
        drop(waiting);
        assert_eq!(terminals.serve(run(None)).await.unwrap_err().message, "Too many.");
        let terminal_id = "none".to_owned();
        assert_eq!(code(ServiceRequest::ReleaseTerminal { terminal_id }).await, NOT_FOUND);
    }

    #[tokio::test]
    async fn what_ran_in_an_earlier_host_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let terminals = terminals(folder.path(), &["before"]);
        let terminal_id = || "before".to_owned();
        let waited = ServiceRequest::WaitForTerminal { terminal_id: terminal_id() };
        assert_eq!(terminals.serve(waited).await, Ok(ServiceAnswer::Exited(hung_up())));
        let release = || ServiceRequest::ReleaseTerminal { terminal_id: terminal_id() };
        assert_eq!(terminals.serve(release()).await, Ok(ServiceAnswer::Done));
        assert_eq!(terminals.serve(release()).await.unwrap_err().code, NOT_FOUND);
    }
}
