//! The process of a supervisor: does what its machine decides.

use std::fs::remove_file;
use std::io;
use std::process::ExitCode;
use std::str::FromStr as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use moorline_shared::control::Facts;
use moorline_shared::event::Activity;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::{ExitStatus, Size};
use nix::sys::signal::Signal as SignalName;
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::init::run_as_init;
use super::{OUTPUT_BYTES, SupervisorConfig};
use crate::clock::monotonic;
use crate::driver::pty::PtyDriver;
use crate::driver::{
    Driver as _, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec,
    StartedSession,
};
use crate::keeper::Vitals;
use crate::keeper::machine::{KeeperInput, KeeperMachine, KeeperOutput};
use crate::keeper::socket::{self, HostSocket};
use crate::screen::{CATCH_UP_BYTES, Screen};

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
    machine: KeeperMachine,
    screen: Screen,
    /// Entries that the screen was given.
    seq: Seq,
    output: mpsc::Receiver<DriverOutput>,
    control: Arc<dyn SessionControl>,
    /// True if the program runs in the terminal's foreground instead of the shell.
    busy: bool,
    listener: UnixListener,
    host: Option<HostSocket>,
    terminated: Signal,
}

/// The reason why a supervisor woke up.
enum SupervisorWake {
    Accepted(UnixStream),
    HostReadable,
    HostWritable,
    Output(Option<DriverOutput>),
    InputWritable(bool),
    Terminated,
    Timeout,
}

impl Supervisor {
    async fn start(config: SupervisorConfig) -> Result<Self, SupervisorError> {
        let SupervisorConfig { socket, session_id, folder, integration, command, size } = config;
        let terminated = signal(SignalKind::terminate())?;
        let listener = socket::listen(&socket)?;
        let facts = Facts { command, size, ..Facts::default() };
        let spec = SessionSpec {
            session_id,
            facts,
            cwd: Some(folder),
            fork: None,
            variables: std::collections::BTreeMap::new(),
            opener: None,
        };
        let started = PtyDriver::new(Some(integration)).start(spec).await?;
        let StartedSession { output, control, pid, .. } = started;
        let pid = pid.unwrap_or_default();
        Ok(Self {
            machine: KeeperMachine::of_terminal(pid, OUTPUT_BYTES, monotonic()),
            screen: Screen::new(size),
            seq: Seq::ZERO,
            output: read_ahead(output),
            control,
            busy: false,
            listener,
            host: None,
            terminated,
        })
    }

    /// Runs until the machine decides to leave.
    async fn serve(mut self) {
        loop {
            // A size applies to the input that follows it.
            if self.carry_out() {
                return;
            }
            self.write_input();
            if let Some(host) = &mut self.host {
                host.fill(&mut self.machine);
            }
            if self.carry_out() {
                return;
            }
            let wake = self.wait().await;
            self.handle(wake);
        }
    }

    async fn wait(&mut self) -> SupervisorWake {
        let Self { machine, host, control, output, .. } = self;
        let due = machine.poll_timeout().map(|at| at - monotonic());
        // An output is at most one frame.
        let has_room = machine.output_room() >= FRAME_DATA_BYTES;
        let has_input = !machine.input().is_empty();
        tokio::select! {
            stream = socket::accept(&self.listener) => SupervisorWake::Accepted(stream),
            () = socket::readable(host.as_ref()) => SupervisorWake::HostReadable,
            () = socket::writable(host.as_ref()) => SupervisorWake::HostWritable,
            output = output.recv(), if has_room && !output.is_closed() => SupervisorWake::Output(output),
            open = control.writable(), if has_input => SupervisorWake::InputWritable(open),
            _ = self.terminated.recv() => SupervisorWake::Terminated,
            () = sleep(due.unwrap_or_default()), if due.is_some() => SupervisorWake::Timeout,
        }
    }

    fn handle(&mut self, wake: SupervisorWake) {
        match wake {
            SupervisorWake::Accepted(stream) => self.connect(stream),
            SupervisorWake::HostReadable => self.receive(),
            SupervisorWake::HostWritable => {
                if self.host.as_mut().is_some_and(|host| host.send().is_err()) {
                    self.disconnect();
                }
            }
            SupervisorWake::Output(output) => self.take_output(output),
            SupervisorWake::InputWritable(true) => {}
            SupervisorWake::InputWritable(false) => self.tell(KeeperInput::InputBroken),
            SupervisorWake::Terminated => self.tell(KeeperInput::Terminate),
            SupervisorWake::Timeout => self.tell(KeeperInput::Timeout),
        }
    }

    fn tell(&mut self, input: KeeperInput<'_>) {
        self.machine.handle(monotonic(), input);
    }

    fn connect(&mut self, stream: UnixStream) {
        if let Some(old) = self.host.replace(HostSocket::new(stream)) {
            old.replaced();
        }
        self.tell(KeeperInput::Connected);
    }

    fn disconnect(&mut self) {
        self.host = None;
        self.tell(KeeperInput::Disconnected);
    }

    fn receive(&mut self) {
        let Some(host) = &mut self.host else { return };
        if host.receive().is_err() {
            return self.disconnect();
        }
        while let Some(input) = host.next_input() {
            self.machine.handle(monotonic(), input);
        }
    }

    fn take_output(&mut self, output: Option<DriverOutput>) {
        match output {
            Some(DriverOutput::Bytes(buffer)) => self.take_bytes(buffer),
            Some(DriverOutput::Status(status)) => {
                self.busy = status.status == Activity::Running;
                self.tell(KeeperInput::Status(json(&status)));
            }
            Some(DriverOutput::End(ExitStatus { code, signal, .. })) => {
                let named = |name: String| SignalName::from_str(&name).ok();
                let signal = signal.and_then(named).map(|signal| signal as i32);
                self.tell(KeeperInput::Exited { code, signal });
                self.tell(KeeperInput::OutputEnded);
                self.output.close();
            }
            // A terminal has no other output.
            Some(_) => {}
            None => self.output.close(),
        }
    }

    fn take_bytes(&mut self, buffer: BytesMut) {
        self.tell(KeeperInput::Output(&buffer[Frame::DATA_START..]));
        self.seq = self.seq.next();
        match Frame::seal(self.seq, 0, buffer) {
            Ok(frame) => self.screen.push(&frame),
            Err(error) => tracing::error!(%error, "the screen misses output"),
        }
        if self.screen.pending_bytes() > CATCH_UP_BYTES {
            self.screen.catch_up();
        }
    }

    /// Writes what the terminal takes now.
    fn write_input(&mut self) {
        while !self.machine.input().is_empty() {
            match self.control.write(self.machine.input()) {
                Ok(0) => return,
                Ok(count) => self.tell(KeeperInput::InputTaken(count)),
                Err(_) => return self.tell(KeeperInput::InputBroken),
            }
        }
    }

    /// Carries out the machine's actions. Returns true if the supervisor is to end.
    fn carry_out(&mut self) -> bool {
        while let Some(action) = self.machine.poll_output() {
            match action {
                KeeperOutput::Signal(_) => self.control.close(),
                KeeperOutput::CloseInput => {}
                KeeperOutput::Resize(size) => self.resize(size),
                KeeperOutput::MakeSnapshot => {
                    let snapshot = self.screen.snapshot().data;
                    self.tell(KeeperInput::Snapshot(snapshot));
                }
                KeeperOutput::Measure => {
                    let vitals = Vitals { busy: self.busy, ..Vitals::read() };
                    self.tell(KeeperInput::Vitals(json(&vitals)));
                }
                KeeperOutput::Disconnect => {
                    if let Some(host) = self.host.take() {
                        host.leave();
                    }
                    self.tell(KeeperInput::Disconnected);
                }
                KeeperOutput::Leave => return true,
            }
        }
        false
    }

    fn resize(&self, size: Size) {
        self.screen.resize(size);
        if let Err(error) = self.control.resize(size) {
            tracing::debug!(%error, "the terminal could not be resized");
        }
    }
}

/// Reads one output ahead, in a task of its own: the future of a read must not be dropped.
fn read_ahead(mut source: Box<dyn OutputSource>) -> mpsc::Receiver<DriverOutput> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(room) = sender.reserve().await {
            let output = source.next().await;
            let is_last = matches!(output, DriverOutput::End(_));
            room.send(output);
            if is_last {
                return;
            }
        }
    });
    receiver
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
