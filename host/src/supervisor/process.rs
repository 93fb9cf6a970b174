//! The process of a supervisor: does what its machine decides.

use std::ffi::OsString;
use std::fs::remove_file;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::BytesMut;
use moorline_shared::event::Activity;
use moorline_shared::frame::Frame;
use moorline_shared::session::ExitStatus;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::folder::{FolderAction, FolderWake, SupervisedFolder};
use super::init::run_as_init;
use super::program::{ProgramWake, SupervisedProgram};
use super::terminal::{ProgramSpec, SupervisedTerminal, TerminalWake, exited};
use super::{OUTPUT_BYTES, SupervisorConfig, json};
use crate::clock::monotonic;
use crate::driver::{DriverError, DriverOutput};
use crate::keeper::machine::{KeeperInput, KeeperMachine, KeeperOutput};
use crate::keeper::socket::{self, KeeperSocket, SocketWake};
use crate::keeper::{FolderReport, KeeperConfig, Vitals};

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
    program: SupervisedProgram,
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
    Program(ProgramWake),
    Folder(FolderWake),
    Terminated,
}

impl Supervisor {
    async fn start(config: SupervisorConfig) -> Result<Self, SupervisorError> {
        let SupervisorConfig { socket, folder, workspace, .. } = config.clone();
        let terminated = signal(SignalKind::terminate())?;
        let listener = socket::listen(&socket)?;
        let machine = match config.agent {
            true => KeeperMachine::of_agent(monotonic()),
            false => KeeperMachine::of_terminal(OUTPUT_BYTES, monotonic()),
        };
        let (machine, synced) = match workspace {
            Some(workspace) => {
                let begun = SupervisedFolder::begin(folder.clone(), workspace.id, workspace.host);
                (machine.with_folder(), Some(begun.await))
            }
            None => (machine, None),
        };
        let mut supervisor = Self {
            socket: KeeperSocket::new(machine, listener),
            program: supervised(config)?,
            path: folder,
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
                supervisor.start_program().await?;
            }
            None => supervisor.start_program().await?,
        }
        Ok(supervisor)
    }

    /// Starts the program at once. The end of an agent that cannot be started is told to its host.
    async fn start_program(&mut self) -> Result<(), DriverError> {
        match self.program.start().await {
            Err(error) if !self.program.is_terminal() => {
                self.not_started(&error);
                Ok(())
            }
            started => started,
        }
    }

    fn not_started(&mut self, error: &DriverError) {
        self.say(&error.to_string());
        // There is no output that could end.
        self.socket.tell(KeeperInput::OutputEnded);
        self.end(ExitStatus { code: Some(NOT_STARTED), ..ExitStatus::default() });
    }

    /// Runs until the machine decides to leave.
    async fn serve(mut self) {
        loop {
            // A size applies to the input that follows it.
            if self.carry_out() {
                return;
            }
            self.write_input();
            self.program.drain(&mut self.socket);
            self.socket.fill();
            if self.carry_out() {
                return;
            }
            let wake = self.wait().await;
            self.handle(wake).await;
        }
    }

    async fn wait(&mut self) -> SupervisorWake {
        let Self { socket, program, folder, .. } = self;
        let room = socket.machine.output_room();
        let has_input = !socket.machine.input().is_empty();
        tokio::select! {
            wake = socket.wait() => SupervisorWake::Socket(wake),
            wake = program.next(room, has_input) => SupervisorWake::Program(wake),
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
            SupervisorWake::Program(wake) => self.handle_program(wake),
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

    fn handle_program(&mut self, wake: ProgramWake) {
        match wake {
            ProgramWake::Terminal(TerminalWake::Output(output)) => self.take_output(output),
            ProgramWake::Terminal(TerminalWake::Writable(true)) => {}
            ProgramWake::Terminal(TerminalWake::Writable(false)) => {
                self.socket.tell(KeeperInput::InputBroken);
            }
            ProgramWake::Pipes(wake) => {
                if let Some(status) = self.program.pipe(wake, &mut self.socket) {
                    self.end(status);
                }
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
                    if let Err(error) = self.program.start().await {
                        self.not_started(&error);
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
                self.program.close_output();
                self.end(status);
            }
            // A terminal has no other output.
            Some(_) => {}
            None => self.program.close_output(),
        }
    }

    fn take_bytes(&mut self, buffer: BytesMut) {
        self.socket.tell(KeeperInput::Output(&buffer[Frame::DATA_START..]));
        self.program.show(buffer);
    }

    /// Tells a line of the supervisor's own.
    fn say(&mut self, text: &str) {
        self.program.say(text, &mut self.socket);
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
            if self.program.is_terminal() {
                self.socket.tell(KeeperInput::OutputEnded);
            }
        }
    }

    /// Writes what the terminal takes now.
    fn write_input(&mut self) {
        while !self.socket.machine.input().is_empty() {
            match self.program.write(self.socket.machine.input()) {
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
                KeeperOutput::Signal(signal) => {
                    if !self.program.end(signal) {
                        self.end = Some(ExitStatus::default());
                        self.socket.tell(KeeperInput::OutputEnded);
                        self.tell_end();
                    }
                }
                KeeperOutput::CloseInput => self.program.close_input(),
                KeeperOutput::Resize(size) => self.program.resize(size),
                KeeperOutput::MakeSnapshot => {
                    let snapshot = self.program.snapshot();
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

/// Returns the program of a supervisor, which is not started yet.
///
/// # Errors
/// The system's error if an agent has no command.
fn supervised(config: SupervisorConfig) -> io::Result<SupervisedProgram> {
    let SupervisorConfig { socket, session_id, folder, integration, command, size, .. } = config;
    if !config.agent {
        let spec = ProgramSpec { session_id, folder, integration, command };
        let terminal = SupervisedTerminal::new(spec, size);
        return Ok(SupervisedProgram::Terminal(Box::new(terminal)));
    }
    let mut words = command.into_iter().map(OsString::from);
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let arguments = words.collect();
    let open_files = None;
    Ok(SupervisedProgram::agent(KeeperConfig { socket, folder, program, arguments, open_files }))
}

async fn next(folder: Option<&mut SupervisedFolder>) -> FolderWake {
    match folder {
        Some(folder) => folder.next().await,
        None => std::future::pending().await,
    }
}
