//! The process of a supervisor: does what its machine decides.

use std::fs::remove_file;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::BytesMut;
use moorline_shared::event::Activity;
use moorline_shared::frame::Frame;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::ExitStatus;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::folder::{FolderAction, FolderWake, SupervisedFolder};
use super::init::run_as_init;
use super::terminal::{ProgramSpec, SupervisedTerminal, TerminalWake, exited, line};
use super::{OUTPUT_BYTES, SupervisorConfig, json};
use crate::clock::monotonic;
use crate::driver::{DriverError, DriverOutput};
use crate::keeper::machine::{KeeperInput, KeeperMachine, KeeperOutput};
use crate::keeper::socket::{self, KeeperSocket, SocketWake};
use crate::keeper::{FolderReport, Vitals};

/// The exit code of a program that could not be started, as a shell has it.
const NOT_STARTED: i32 = 127;

/// The error of a supervisor that could not start its program.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The program cannot be started.
    #[error("{0}")]
    Program(#[from] DriverError),
    /// The system refused something that every supervisor needs.
    #[error("cannot supervise the terminal: {0}")]
    System(#[from] io::Error),
}

/// Runs a supervisor in this process until its program has ended and a host has heard of that. If
/// this is the first process of a container, a child does so. Blocks. Must be called before other
/// threads are started.
///
/// # Errors
/// [`SupervisorError`] if the program was not started.
pub fn run(config: SupervisorConfig) -> Result<ExitCode, SupervisorError> {
    if std::process::id() == 1 {
        let code = run_as_init()?;
        return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let path = config.socket.clone();
    let served = runtime.block_on(async {
        let supervisor = Supervisor::start(config).await?;
        supervisor.serve().await;
        Ok(ExitCode::SUCCESS)
    });
    let _ = remove_file(path);
    // The hang-up of the terminal may still be on its way.
    runtime.shutdown_background();
    served
}

/// A supervisor that runs.
struct Supervisor {
    socket: KeeperSocket,
    terminal: SupervisedTerminal,
    /// The path of the session's folder.
    path: PathBuf,
    /// True if the program runs in the terminal's foreground instead of the shell.
    busy: bool,
    /// The folder, if it is in sync with a workspace.
    folder: Option<SupervisedFolder>,
    /// How the program has ended, until that is told: the last files come first.
    end: Option<ExitStatus>,
    /// True once this process was asked to end.
    is_terminating: bool,
    terminated: Signal,
}

/// The reason why a supervisor woke up.
enum SupervisorWake {
    Socket(SocketWake),
    Terminal(TerminalWake),
    Folder(FolderWake),
    Terminated,
}

impl Supervisor {
    async fn start(config: SupervisorConfig) -> Result<Self, SupervisorError> {
        let SupervisorConfig { socket, session_id, folder, integration, command, size, workspace } =
            config;
        let terminated = signal(SignalKind::terminate())?;
        let listener = socket::listen(&socket)?;
        let machine = KeeperMachine::of_terminal(OUTPUT_BYTES, monotonic());
        let (machine, synced) = match workspace {
            Some(workspace) => {
                let begun = SupervisedFolder::begin(folder.clone(), workspace.id, workspace.host);
                (machine.with_folder(), Some(begun.await))
            }
            None => (machine, None),
        };
        let path = folder.clone();
        let spec = ProgramSpec { session_id, folder, integration, command };
        let mut supervisor = Self {
            socket: KeeperSocket::new(machine, listener),
            terminal: SupervisedTerminal::new(spec, size),
            path,
            busy: false,
            folder: None,
            end: None,
            is_terminating: false,
            terminated,
        };
        match synced {
            Some(Ok(mut folder)) => {
                let actions = folder.begin_load();
                supervisor.folder = Some(folder);
                supervisor.do_for_folder(actions).await;
            }
            Some(Err(failure)) => {
                supervisor.say(&failure.to_string());
                let report = FolderReport { settled: u64::MAX, problem: Some(failure.reason()) };
                supervisor.socket.tell(KeeperInput::Folder(json(&report)));
                supervisor.terminal.start().await?;
            }
            None => supervisor.terminal.start().await?,
        }
        Ok(supervisor)
    }

    /// Runs until the machine decides to leave.
    async fn serve(mut self) {
        loop {
            // A size applies to the input that follows it.
            if self.carry_out() {
                return;
            }
            self.write_input();
            self.socket.fill();
            if self.carry_out() {
                return;
            }
            let wake = self.wait().await;
            self.handle(wake).await;
        }
    }

    async fn wait(&mut self) -> SupervisorWake {
        let Self { socket, terminal, folder, .. } = self;
        // An output is at most one frame.
        let has_room = socket.machine.output_room() >= FRAME_DATA_BYTES;
        let has_input = !socket.machine.input().is_empty();
        tokio::select! {
            wake = socket.wait() => SupervisorWake::Socket(wake),
            wake = terminal.next(has_room, has_input) => SupervisorWake::Terminal(wake),
            wake = next(folder.as_mut()) => SupervisorWake::Folder(wake),
            _ = self.terminated.recv() => SupervisorWake::Terminated,
        }
    }

    async fn handle(&mut self, wake: SupervisorWake) {
        match wake {
            SupervisorWake::Socket(wake) => {
                self.socket.handle(wake);
                self.pass_on().await;
            }
            SupervisorWake::Terminal(TerminalWake::Output(output)) => self.take_output(output),
            SupervisorWake::Terminal(TerminalWake::Writable(true)) => {}
            SupervisorWake::Terminal(TerminalWake::Writable(false)) => {
                self.socket.tell(KeeperInput::InputBroken);
            }
            SupervisorWake::Folder(wake) => {
                let actions = self.folder.as_mut().map(|folder| folder.handle(wake));
                self.do_for_folder(actions.unwrap_or_default()).await;
            }
            SupervisorWake::Terminated => {
                self.is_terminating = true;
                self.socket.tell(KeeperInput::Terminate);
                self.end_without_host();
            }
        }
    }

    /// Passes on to the folder what has come from the host.
    async fn pass_on(&mut self) {
        self.end_without_host();
        let Some(folder) = &mut self.folder else { return };
        let mut actions = folder.connected(self.socket.is_connected());
        while let Some(answer) = self.socket.machine.poll_answer() {
            actions.extend(folder.answered(answer));
        }
        self.do_for_folder(actions).await;
    }

    async fn do_for_folder(&mut self, actions: Vec<FolderAction>) {
        for action in actions {
            match action {
                FolderAction::Ask(request) => self.socket.tell(KeeperInput::Ask(request)),
                FolderAction::Tell(report) => self.socket.tell(KeeperInput::Folder(report)),
                FolderAction::Say(text) => self.say(&text),
                FolderAction::Start => {
                    if let Err(error) = self.terminal.start().await {
                        self.say(&error.to_string());
                        self.end(ExitStatus { code: Some(NOT_STARTED), ..ExitStatus::default() });
                    }
                }
                FolderAction::End => self.tell_end(),
            }
        }
    }

    fn take_output(&mut self, output: Option<DriverOutput>) {
        match output {
            Some(DriverOutput::Bytes(buffer)) => self.take_bytes(buffer),
            Some(DriverOutput::Status(status)) => {
                self.busy = status.status == Activity::Running;
                self.socket.tell(KeeperInput::Status(json(&status)));
            }
            Some(DriverOutput::End(status)) => {
                self.terminal.close_output();
                self.end(status);
            }
            // A terminal has no other output.
            Some(_) => {}
            None => self.terminal.close_output(),
        }
    }

    fn take_bytes(&mut self, buffer: BytesMut) {
        self.socket.tell(KeeperInput::Output(&buffer[Frame::DATA_START..]));
        self.terminal.show(buffer);
    }

    /// Shows a line of the supervisor's own on the terminal.
    fn say(&mut self, text: &str) {
        self.take_bytes(line(text));
    }

    /// Takes note of the program's end, which is told after its last files.
    fn end(&mut self, status: ExitStatus) {
        self.end = Some(status);
        match &mut self.folder {
            Some(folder) => folder.end(self.socket.is_connected()),
            None => self.tell_end(),
        }
        self.end_without_host();
    }

    /// Waits no longer for the last files, if there is little time and nobody to pass them on.
    fn end_without_host(&mut self) {
        if self.is_terminating && !self.socket.is_connected() {
            self.tell_end();
        }
    }

    fn tell_end(&mut self) {
        if let Some(status) = self.end.take() {
            self.socket.tell(exited(status));
            self.socket.tell(KeeperInput::OutputEnded);
        }
    }

    /// Writes what the terminal takes now.
    fn write_input(&mut self) {
        while !self.socket.machine.input().is_empty() {
            match self.terminal.write(self.socket.machine.input()) {
                Ok(0) => return,
                Ok(count) => self.socket.tell(KeeperInput::InputTaken(count)),
                Err(_) => return self.socket.tell(KeeperInput::InputBroken),
            }
        }
    }

    /// Carries out the machine's actions. Returns true if the supervisor is to end.
    fn carry_out(&mut self) -> bool {
        while let Some(action) = self.socket.machine.poll_output() {
            match action {
                KeeperOutput::Signal(_) => {
                    if !self.terminal.hang_up() {
                        self.end = Some(ExitStatus::default());
                        self.tell_end();
                    }
                }
                KeeperOutput::CloseInput => {}
                KeeperOutput::Resize(size) => self.terminal.resize(size),
                KeeperOutput::MakeSnapshot => {
                    let snapshot = self.terminal.snapshot();
                    self.socket.tell(KeeperInput::Snapshot(snapshot));
                }
                KeeperOutput::Measure => {
                    let vitals = Vitals { busy: self.busy, ..Vitals::read(&self.path) };
                    self.socket.tell(KeeperInput::Vitals(json(&vitals)));
                }
                KeeperOutput::Settle(number) => {
                    self.folder.iter_mut().for_each(|folder| folder.settle(number));
                }
                KeeperOutput::Disconnect => self.socket.disconnect(),
                KeeperOutput::Leave => return true,
            }
        }
        false
    }
}

async fn next(folder: Option<&mut SupervisedFolder>) -> FolderWake {
    match folder {
        Some(folder) => folder.next().await,
        None => std::future::pending().await,
    }
}
