//! The commands that an agent has the host run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_shared::session::ExitStatus;
use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::acp::{ServiceAnswer, ServiceRequest};
use super::files::AgentFolders;
use super::process::{ProcessGroup, exit_status};
use super::rpc::{INTERNAL_ERROR, INVALID_PARAMS, NOT_FOUND, RpcError};

/// Most commands of a session at a time.
const TERMINALS: usize = 32;
/// Time allowed for a command to end after it was asked to.
const KILL_GRACE: Duration = Duration::from_secs(1);
/// Time allowed for the rest of the output after a command has ended.
const DRAIN: Duration = Duration::from_millis(500);

/// The result of a request.
pub(super) type Served = Result<ServiceAnswer, RpcError>;

/// Runs commands for an agent.
pub(super) trait AgentTerminals: Debug + Send {
    /// Begins to serve a request for a terminal. The future ends with the answer, and may be
    /// dropped.
    fn serve(&mut self, request: ServiceRequest) -> BoxFuture<'static, Served>;

    /// Ends all commands, and forgets them.
    fn end_all(&mut self);
}

/// Runs commands as children of the host, without a terminal.
#[derive(Debug)]
pub(super) struct ChildTerminals {
    folders: AgentFolders,
    variables: BTreeMap<OsString, OsString>,
    /// The number of commands so far.
    count: u64,
    running: BTreeMap<String, Arc<ChildTerminal>>,
}

/// One command.
#[derive(Debug)]
struct ChildTerminal {
    group: ProcessGroup,
    output: Mutex<OutputTail>,
    /// The end of the command; `None` while it runs.
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// The end of a command's output.
#[derive(Debug)]
struct OutputTail {
    bytes: Vec<u8>,
    most: usize,
    is_cut: bool,
}

impl ChildTerminals {
    pub(super) fn new(folders: AgentFolders, variables: BTreeMap<OsString, OsString>) -> Self {
        Self { folders, variables, count: 0, running: BTreeMap::new() }
    }

    fn create(&mut self, request: ServiceRequest) -> Served {
        let ServiceRequest::CreateTerminal { command, args, env, cwd, output_bytes } = request
        else {
            return Err(RpcError::new(INTERNAL_ERROR, "This is not a request for a terminal."));
        };
        if self.running.len() >= TERMINALS {
            let message = format!("{TERMINALS} terminals are open: release some of them.");
            return Err(RpcError::new(INTERNAL_ERROR, message));
        }
        let cwd = cwd.or_else(|| self.folders.0.first().cloned()).unwrap_or_default();
        if !self.folders.contain(&cwd) {
            let message = "The folder is not one of the session's.";
            return Err(RpcError::new(INVALID_PARAMS, message));
        }
        let mut words = Command::new(&command);
        words.args(args).env_clear().envs(&self.variables).envs(env).current_dir(cwd);
        words.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = words.process_group(0).kill_on_drop(true).spawn();
        let failed = |error| RpcError::new(INTERNAL_ERROR, format!("{command}: {error}"));
        let child = child.map_err(failed)?;
        let group = ProcessGroup::of(&child)
            .ok_or_else(|| RpcError::new(INTERNAL_ERROR, "The command has no process."))?;

        let (ended, exit) = watch::channel(None);
        let tail = OutputTail { bytes: Vec::new(), most: output_bytes, is_cut: false };
        let terminal = Arc::new(ChildTerminal { group, output: Mutex::new(tail), exit });
        tokio::spawn(Arc::clone(&terminal).follow(child, ended));
        self.count += 1;
        let id = format!("terminal-{}", self.count);
        self.running.insert(id.clone(), terminal);
        Ok(ServiceAnswer::Terminal(id))
    }

    fn find(&self, id: &str) -> Result<Arc<ChildTerminal>, RpcError> {
        let unknown = || RpcError::new(NOT_FOUND, "The terminal does not exist.");
        self.running.get(id).cloned().ok_or_else(unknown)
    }

    fn answer(&mut self, request: ServiceRequest) -> Result<BoxFuture<'static, Served>, RpcError> {
        let at_once =
            |served: Served| -> BoxFuture<'static, Served> { Box::pin(std::future::ready(served)) };
        Ok(match request {
            ServiceRequest::TerminalOutput { terminal_id } => {
                at_once(Ok(self.find(&terminal_id)?.answer()))
            }
            ServiceRequest::WaitForTerminal { terminal_id } => {
                let terminal = self.find(&terminal_id)?;
                Box::pin(async move { Ok(ServiceAnswer::Exited(terminal.wait().await)) })
            }
            ServiceRequest::KillTerminal { terminal_id } => {
                self.find(&terminal_id)?.end();
                at_once(Ok(ServiceAnswer::Done))
            }
            ServiceRequest::ReleaseTerminal { terminal_id } => {
                self.find(&terminal_id)?.end();
                self.running.remove(&terminal_id);
                at_once(Ok(ServiceAnswer::Done))
            }
            request => at_once(self.create(request)),
        })
    }
}

impl AgentTerminals for ChildTerminals {
    fn serve(&mut self, request: ServiceRequest) -> BoxFuture<'static, Served> {
        self.answer(request).unwrap_or_else(|error| Box::pin(std::future::ready(Err(error))))
    }

    fn end_all(&mut self) {
        for terminal in std::mem::take(&mut self.running).into_values() {
            terminal.end();
        }
    }
}

impl Drop for ChildTerminals {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl ChildTerminal {
    /// Reads the output until its end, and publishes the end of the command.
    async fn follow(self: Arc<Self>, mut child: Child, ended: watch::Sender<Option<ExitStatus>>) {
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let mut reading = Box::pin(async {
            tokio::join!(self.read(output), self.read(errors));
        });
        let exit = tokio::select! {
            () = &mut reading => child.wait().await,
            exit = child.wait() => {
                // What it has started in the background may keep its output open.
                _ = timeout(DRAIN, reading).await;
                exit
            }
        };
        ended.send_replace(Some(exit.map(exit_status).unwrap_or_default()));
    }

    async fn read(&self, source: Option<impl AsyncRead + Unpin>) {
        let Some(mut source) = source else { return };
        let mut buffer = vec![0; 8192];
        while let Ok(count @ 1..) = source.read(&mut buffer).await {
            let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
            output.push(&buffer[..count]);
        }
    }

    fn answer(&self) -> ServiceAnswer {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        ServiceAnswer::Output {
            output: String::from_utf8_lossy(&output.bytes).into_owned(),
            truncated: output.is_cut,
            exit: self.exit.borrow().clone(),
        }
    }

    async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        status.unwrap_or_default()
    }

    /// Ends the command, if it runs.
    fn end(&self) {
        if self.exit.borrow().is_some() {
            return;
        }
        let group = self.group;
        match Handle::try_current() {
            Ok(runtime) => _ = runtime.spawn(async move { group.end(KILL_GRACE).await }),
            // Nobody is left who could wait.
            Err(_) => group.signal(Signal::SIGKILL),
        }
    }
}

impl OutputTail {
    /// Takes output, and drops the beginning of what is too much, at a character.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > self.most {
            self.is_cut = true;
            let mut surplus = self.bytes.len() - self.most;
            while self.bytes.get(surplus).is_some_and(|byte| byte & 0xc0 == 0x80) {
                surplus += 1;
            }
            self.bytes.drain(..surplus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminals(folder: &std::path::Path) -> ChildTerminals {
        let path = std::env::var_os("PATH").unwrap();
        let variables = BTreeMap::from([("PATH".into(), path)]);
        ChildTerminals::new(AgentFolders(vec![folder.to_owned()]), variables)
    }

    fn run(script: &str) -> ServiceRequest {
        ServiceRequest::CreateTerminal {
            command: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("NAME".into(), "value".into())],
            cwd: None,
            output_bytes: 8,
        }
    }

    #[tokio::test]
    async fn a_command_runs_and_leaves_its_output() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminals = terminals(folder.path());
        let created = terminals.serve(run("echo 123456789 $NAME >&2; exit 3")).await;
        let Ok(ServiceAnswer::Terminal(id)) = created else { panic!("{created:?}") };
        let waited = terminals.serve(ServiceRequest::WaitForTerminal { terminal_id: id.clone() });
        let exit = ExitStatus { code: Some(3), signal: None };
        assert_eq!(waited.await, Ok(ServiceAnswer::Exited(exit.clone())));
        let output = terminals.serve(ServiceRequest::TerminalOutput { terminal_id: id.clone() });
        let want =
            ServiceAnswer::Output { output: "9 value\n".into(), truncated: true, exit: Some(exit) };
        assert_eq!(output.await, Ok(want));
        let release = ServiceRequest::ReleaseTerminal { terminal_id: id };
        assert_eq!(terminals.serve(release.clone()).await, Ok(ServiceAnswer::Done));
        assert_eq!(terminals.serve(release).await.unwrap_err().code, NOT_FOUND);
    }

    #[tokio::test]
    async fn a_killed_command_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminals = terminals(folder.path());
        let created = terminals.serve(run("sleep 1000 & echo $!; wait")).await;
        let Ok(ServiceAnswer::Terminal(id)) = created else { panic!("{created:?}") };
        let terminal_id = id.clone();
        let child = loop {
            let output = ServiceRequest::TerminalOutput { terminal_id: terminal_id.clone() };
            match terminals.serve(output).await {
                Ok(ServiceAnswer::Output { output, .. }) if output.ends_with('\n') => {
                    break output.trim().parse().unwrap();
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let kill = ServiceRequest::KillTerminal { terminal_id: id.clone() };
        assert_eq!(terminals.serve(kill).await, Ok(ServiceAnswer::Done));
        let waited = terminals.serve(ServiceRequest::WaitForTerminal { terminal_id: id }).await;
        let Ok(ServiceAnswer::Exited(exit)) = waited else { panic!("{waited:?}") };
        assert_eq!(exit.signal.as_deref(), Some("SIGTERM"));
        let child = nix::unistd::Pid::from_raw(child);
        while is_running(child) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns true if a process runs; a zombie does not.
    fn is_running(pid: nix::unistd::Pid) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !status.is_empty() && !status.contains(") Z ")
    }

    #[tokio::test]
    async fn a_command_stays_in_the_folders() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminals = terminals(folder.path());
        let mut outside = run("true");
        if let ServiceRequest::CreateTerminal { cwd, .. } = &mut outside {
            *cwd = Some("/".into());
        }
        assert_eq!(terminals.serve(outside).await.unwrap_err().code, INVALID_PARAMS);
    }
}
