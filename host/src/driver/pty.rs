//! The `pty` driver: a program on a pseudo-terminal of its own.
//!
//! [`PtyDriver`] is the driver. On a lower level, [`Pty::spawn`] starts a program.
//! [`PtyReader::read`] returns its output, and `None` once the program has ended and all of its
//! output was returned; [`PtyWriter::wait`] then returns its exit status. Dropping both halves
//! closes the terminal, which hangs up whatever still runs on it.
//!
//! It is built on `pty-process`, which starts the process without unsafe code in this crate and
//! with tokio's own child handling. `portable-pty` only has blocking readers and so needs two
//! threads per session; `rustix-openpty` leaves the controlling terminal to an unsafe `pre_exec`.

pub(super) mod environment;
mod error;
mod foreground;
mod integration;
mod process;
mod reader;
mod session;
mod signals;
mod status;
mod writer;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use moorline_shared::session::{ExitStatus, Size};
use rustix::io::Errno;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::limits::{Launch, StartReport, launcher};
use crate::signals::signal_name;
use environment::Environment;
pub use error::SpawnError;
pub use reader::PtyReader;
pub use session::PtyDriver;
pub use writer::PtyWriter;

/// The driver's name, by which sessions select it.
pub const NAME: &str = "pty";

/// The program to start, with its folder, variables and terminal.
#[derive(Debug, Clone, Default)]
pub struct Spawn {
    /// The program and its arguments; `None` for the user's login shell.
    pub command: Option<Vec<String>>,
    /// The folder to start in: an absolute path, or one within a home, such as `~`, `~/x` or
    /// `~user/x`; `None` for the user's home.
    pub cwd: Option<PathBuf>,
    /// Variables to set in addition to the host's own.
    pub env: BTreeMap<String, String>,
    /// The terminal's size at the start.
    pub size: Size,
    /// A folder for the scripts that make bash, zsh and fish mark their prompts (see
    /// [`crate::marks`]); it is created if missing. With `None`, shells start unchanged. So does
    /// every other program, and a shell whose arguments ask for more than an interactive shell.
    pub integration: Option<PathBuf>,
}

/// A program that was started on a terminal.
#[derive(Debug)]
pub struct Pty {
    /// Yields the program's output.
    pub reader: PtyReader,
    /// Takes input, sizes and signals. Cheap to clone.
    pub writer: PtyWriter,
    /// The folder that it started in.
    pub cwd: PathBuf,
}

/// The program's exit status; `None` while it runs.
type Exit = Option<ExitStatus>;

impl Pty {
    /// Starts a program on a new terminal. Must be called within a tokio runtime; a task of that
    /// runtime waits for the program's end.
    ///
    /// # Errors
    /// [`SpawnError`]; then nothing was started.
    pub fn spawn(spawn: &Spawn) -> Result<Self, SpawnError> {
        let environment = Environment::of_this_process();
        let cwd = folder(spawn, &environment)?;
        let program = program(spawn, &cwd, &environment)?;
        signals::stop_inheritance();
        let (child, master) = start(&program, &cwd, spawn.size)?;

        let pid = child.id().ok_or_else(|| SpawnError::System(io::ErrorKind::NotFound.into()))?;
        let (ended, exit) = watch::channel(None);
        tokio::spawn(reap(child, ended));
        let (output, input) = halves(master).map_err(SpawnError::of_system)?;
        let reader = PtyReader::new(output, exit.clone());
        Ok(Self { reader, writer: PtyWriter::new(input, exit, pid), cwd })
    }
}

/// Returns the folder to start in, after checking that it can be entered.
pub(super) fn folder(spawn: &Spawn, environment: &Environment) -> Result<PathBuf, SpawnError> {
    let path = match &spawn.cwd {
        Some(path) => absolute(path, environment)?,
        None => environment.home(),
    };
    // Looking up the dot requires the right to enter the folder.
    match std::fs::metadata(path.join(".")) {
        Ok(_) => Ok(path),
        // A missing home must not prevent a shell.
        Err(_) if spawn.cwd.is_none() => Ok(PathBuf::from("/")),
        Err(_) if std::fs::metadata(&path).is_ok_and(|found| !found.is_dir()) => {
            Err(SpawnError::NotAFolder(path))
        }
        Err(source) => Err(SpawnError::NoSuchFolder { path, source }),
    }
}

/// Returns the path with `~` expanded as shells do; one that cannot be expanded is returned as it is.
pub(crate) fn expanded(path: &Path) -> PathBuf {
    absolute(path, &Environment::of_this_process()).unwrap_or_else(|_| path.to_owned())
}

/// Returns the path with `~` expanded as shells do.
pub(in crate::driver) fn absolute(
    path: &Path,
    environment: &Environment,
) -> Result<PathBuf, SpawnError> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let text = || path.to_string_lossy().into_owned();
    let mut parts = path.components();
    let first = parts.next().and_then(|first| first.as_os_str().to_str());
    let Some(user) = first.and_then(|first| first.strip_prefix('~')) else {
        return Err(SpawnError::RelativeFolder(text()));
    };
    let home = environment.home_of(user).ok_or_else(|| SpawnError::NoSuchUser(text()))?;
    Ok(if parts.as_path().as_os_str().is_empty() { home } else { home.join(parts.as_path()) })
}

/// A program that is ready to be started.
pub(super) struct PtyProgram {
    pub(super) path: PathBuf,
    /// The name that it is started under, which is its zeroth argument.
    name: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: BTreeMap<OsString, OsString>,
}

pub(super) fn program(
    spawn: &Spawn,
    cwd: &Path,
    environment: &Environment,
) -> Result<PtyProgram, SpawnError> {
    let words = spawn.command.as_deref();
    let (path, arguments) = match words.map(<[_]>::split_first) {
        None => (environment.shell(), &[][..]),
        Some(None) => return Err(SpawnError::EmptyCommand),
        Some(Some((program, arguments))) => (program.into(), arguments),
    };
    if path.as_os_str().is_empty() {
        return Err(SpawnError::EmptyCommand);
    }
    if let Some(word) = words.unwrap_or_default().iter().find(|word| word.contains('\0')) {
        return Err(SpawnError::InvalidText(word.clone()));
    }
    for (name, value) in &spawn.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(SpawnError::InvalidText(name.clone()));
        }
    }
    let mut variables = environment.for_program(cwd, &spawn.env);
    let name = if words.is_none() { login_name(&path) } else { path.clone().into() };
    let mut first = Vec::new();
    if let Some(folder) = &spawn.integration {
        let is_login = words.is_none();
        match integration::prepare(folder, &path, arguments, is_login, &mut variables) {
            Ok(arguments) => first = arguments,
            Err(error) => tracing::warn!(%error, "a shell starts without its integration"),
        }
    }
    let arguments = first.into_iter().chain(arguments.iter().map(Into::into)).collect();
    Ok(PtyProgram { path, name, arguments, variables })
}

/// Returns a shell's name with a dash in front, which makes it a login shell.
fn login_name(shell: &Path) -> OsString {
    let mut name = OsString::from("-");
    name.push(shell.file_name().unwrap_or(OsStr::new("sh")));
    name
}

impl PtyProgram {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.arguments);
        command
    }

    /// Starts the program on a terminal. With a launcher, that is started first to set limits, and
    /// the returned status waits until it has become the program.
    fn spawn(
        &self,
        cwd: &Path,
        terminal: pty_process::Pts,
    ) -> io::Result<(Child, Option<StartReport>)> {
        let spawn = |mut command: Command, report: Option<OwnedFd>| {
            command.env_clear().envs(&self.variables).current_dir(cwd);
            let command = pty_process::Command::from(command);
            let command = report.into_iter().fold(command, pty_process::Command::stdin);
            command.spawn(terminal).map_err(io_error)
        };
        let Some(launcher) = launcher() else { return Ok((spawn(self.command(), None)?, None)) };
        let Launch { command, status, report } =
            launcher.command(self.path.as_os_str(), &self.name, &self.arguments)?;
        Ok((spawn(command.into(), Some(report))?, Some(status)))
    }
}

/// Opens a terminal, and starts the program on it.
fn start(program: &PtyProgram, cwd: &Path, size: Size) -> Result<(Child, OwnedFd), SpawnError> {
    // A process that is forked between the opening of a master and its close-on-exec flag would
    // inherit the master and keep the terminal alive. So only one program is started at a time.
    static STARTING: Mutex<()> = Mutex::new(());
    let one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);

    let (master, terminal) = pty_process::open().map_err(terminal_error)?;
    let size = size.clamped();
    master.resize(pty_process::Size::new(size.rows, size.cols)).map_err(terminal_error)?;
    erase_whole_characters(&terminal).map_err(|error| SpawnError::of_system(error.into()))?;
    let failed = |error| SpawnError::of_start(error, &program.path.to_string_lossy());
    let (child, status) = program.spawn(cwd, terminal).map_err(failed)?;
    drop(one_at_a_time);
    if let Some(status) = status {
        status.wait().map_err(failed)?;
    }
    Ok((child, master.into()))
}

/// Makes the kernel's line editing erase whole UTF-8 characters.
fn erase_whole_characters(terminal: &pty_process::Pts) -> rustix::io::Result<()> {
    use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};
    let mut attributes = tcgetattr(terminal)?;
    attributes.input_modes |= InputModes::IUTF8;
    tcsetattr(terminal, OptionalActions::Now, &attributes)
}

/// Registers the master with the runtime, once for reading and once for writing. Tokio's pipe
/// halves are its safe handles for any non-blocking file; `AsyncFd` would take unsafe code.
fn halves(master: OwnedFd) -> io::Result<(pipe::Receiver, pipe::Sender)> {
    let input = master.try_clone()?;
    Ok((
        pipe::Receiver::from_file_unchecked(File::from(master))?,
        pipe::Sender::from_file_unchecked(File::from(input))?,
    ))
}

fn terminal_error(error: pty_process::Error) -> SpawnError {
    let error = io_error(error);
    if error.raw_os_error() == Some(Errno::NOSPC.raw_os_error()) {
        return SpawnError::Exhausted(
            "this machine has no terminals left: end some sessions, or raise kernel.pty.max",
        );
    }
    SpawnError::of_system(error)
}

fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        other => io::Error::other(other),
    }
}

/// Waits for the process, so that it does not stay a zombie, and publishes its exit status.
async fn reap(mut child: Child, ended: watch::Sender<Exit>) {
    let status = match child.wait().await {
        Ok(status) => ExitStatus {
            code: status.code(),
            signal: status.signal().map(signal_name),
            reason: None,
        },
        Err(error) => {
            tracing::error!(%error, "a process cannot be waited for");
            ExitStatus::default()
        }
    };
    ended.send_replace(Some(status));
}
