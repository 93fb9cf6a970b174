//! The `pty` driver: a program on a pseudo-terminal of its own.
//!
//! [`Pty::spawn`] starts it. [`PtyReader::read`] gives its output until `None`, which comes when
//! the program has ended and everything that it wrote was given; [`PtyWriter::wait`] then tells
//! how it ended. Dropping both halves closes the terminal, which hangs up whatever still runs
//! on it.
//!
//! Built on `pty-process`, which starts the process without unsafe code in this crate and with
//! tokio's own child handling. `portable-pty` has blocking readers only and so needs two threads
//! a session; `rustix-openpty` leaves the controlling terminal to an unsafe `pre_exec`.

mod environment;
mod integration;
mod reader;
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
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use environment::Environment;
pub use reader::PtyReader;
pub use writer::PtyWriter;

/// What to start, and where.
#[derive(Debug, Clone, Default)]
pub struct Spawn {
    /// The program and its arguments; `None` is the user's login shell.
    pub command: Option<Vec<String>>,
    /// The folder to start in; `None` is the user's home.
    pub cwd: Option<PathBuf>,
    /// Variables to set besides those that the host itself has.
    pub env: BTreeMap<String, String>,
    /// The terminal's size.
    pub size: Size,
    /// A folder of Moorline's own for the scripts that make bash, zsh and fish mark their prompts
    /// (see [`crate::marks`]); it is made where it is missing. `None` starts them as they are. So
    /// is every other program, and a shell whose arguments say more than that it is interactive.
    pub integration: Option<PathBuf>,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// `command` has no program.
    #[error("the command is empty: name a program, or leave the command out for a login shell")]
    EmptyCommand,
    /// The program is neither a file nor on the PATH.
    #[error("no such program: {0}")]
    NoSuchProgram(String),
    /// The program is there and may not be run.
    #[error("{0} is not executable")]
    NotExecutable(String),
    /// The folder to start in does not exist, or cannot be seen.
    #[error("cannot start in {}: {source}", path.display())]
    NoSuchFolder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The path to start in is something else than a folder.
    #[error("cannot start in {}: it is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A variable's name is empty or has '=' in it, or a text has a NUL in it.
    #[error("{0:?} cannot be passed to a program")]
    InvalidText(String),
    /// The system refused a terminal or a process.
    #[error("cannot start a process on a terminal: {0}")]
    System(#[source] io::Error),
}

/// A program that was started on a terminal.
#[derive(Debug)]
pub struct Pty {
    /// Gives what the program writes.
    pub reader: PtyReader,
    /// Takes input, sizes and signals. Cheap to clone.
    pub writer: PtyWriter,
    /// The folder that it started in.
    pub cwd: PathBuf,
}

/// How the program ended; `None` while it runs.
type Exit = Option<ExitStatus>;

impl Pty {
    /// Starts a program on a new terminal. Must be called inside a tokio runtime; a task of that
    /// runtime waits for the program's end.
    ///
    /// # Errors
    /// [`SpawnError`]; nothing was started then.
    pub fn spawn(spawn: &Spawn) -> Result<Self, SpawnError> {
        let environment = Environment::of_this_process();
        let cwd = folder(spawn, &environment)?;
        let (program, command) = command(spawn, &environment)?;
        let (child, master) = start(command, &cwd, spawn.size, &program)?;

        let pid = child.id().ok_or_else(|| SpawnError::System(io::ErrorKind::NotFound.into()))?;
        let (ended, exit) = watch::channel(None);
        tokio::spawn(reap(child, ended));
        let (output, input) = halves(master).map_err(SpawnError::System)?;
        let reader = PtyReader::new(output, exit.clone());
        Ok(Self { reader, writer: PtyWriter::new(input, exit, pid), cwd })
    }
}

/// The folder to start in, known to be one.
fn folder(spawn: &Spawn, environment: &Environment) -> Result<PathBuf, SpawnError> {
    let path = spawn.cwd.clone().unwrap_or_else(|| environment.home());
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Ok(path),
        Ok(_) => Err(SpawnError::NotAFolder(path)),
        // A home that is not there is no reason to have no shell.
        Err(_) if spawn.cwd.is_none() => Ok(PathBuf::from("/")),
        Err(source) => Err(SpawnError::NoSuchFolder { path, source }),
    }
}

/// The process to be, and its program's name for errors.
fn command(spawn: &Spawn, environment: &Environment) -> Result<(String, Command), SpawnError> {
    let words = spawn.command.as_deref();
    let (program, arguments) = match words.map(<[_]>::split_first) {
        None => (environment.shell(), &[][..]),
        Some(None) => return Err(SpawnError::EmptyCommand),
        Some(Some((program, arguments))) => (program.into(), arguments),
    };
    if program.as_os_str().is_empty() {
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
    let mut variables = environment.for_program(&spawn.env);
    let mut command = if words.is_none() { login_shell(&program) } else { Command::new(&program) };
    if let Some(folder) = &spawn.integration {
        let is_login = words.is_none();
        match integration::prepare(folder, &program, arguments, is_login, &mut variables) {
            Ok(first) => _ = command.args(first),
            Err(error) => tracing::warn!(%error, "a shell starts without its integration"),
        }
    }
    command.args(arguments).env_clear().envs(variables);
    Ok((program.to_string_lossy().into_owned(), command))
}

/// A shell knows by the dash before its name that it is the login shell.
fn login_shell(shell: &Path) -> Command {
    let mut name = OsString::from("-");
    name.push(shell.file_name().unwrap_or(OsStr::new("sh")));
    let mut command = Command::new(shell);
    command.arg0(name);
    command
}

/// Opens a terminal and starts the process on it.
fn start(
    command: Command,
    cwd: &Path,
    size: Size,
    program: &str,
) -> Result<(Child, OwnedFd), SpawnError> {
    // A process that is forked between the opening of a master and its close-on-exec flag would
    // inherit the master and keep the terminal alive: one start at a time.
    static STARTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);

    let (master, terminal) = pty_process::open().map_err(terminal_error)?;
    let size = size.clamped();
    master.resize(pty_process::Size::new(size.rows, size.cols)).map_err(terminal_error)?;
    erase_whole_characters(&terminal).map_err(|error| SpawnError::System(error.into()))?;
    let child = pty_process::Command::from(command)
        .current_dir(cwd)
        .spawn(terminal)
        .map_err(|error| start_error(error, program))?;
    Ok((child, master.into()))
}

/// Makes the line editing of the kernel know UTF-8.
fn erase_whole_characters(terminal: &pty_process::Pts) -> rustix::io::Result<()> {
    use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};
    let mut attributes = tcgetattr(terminal)?;
    attributes.input_modes |= InputModes::IUTF8;
    tcsetattr(terminal, OptionalActions::Now, &attributes)
}

/// Registers the master with the runtime, once to read and once to write. Tokio's pipe halves are
/// its safe handles for any file that does not block; `AsyncFd` takes unsafe code.
fn halves(master: OwnedFd) -> io::Result<(pipe::Receiver, pipe::Sender)> {
    let input = master.try_clone()?;
    Ok((
        pipe::Receiver::from_file_unchecked(File::from(master))?,
        pipe::Sender::from_file_unchecked(File::from(input))?,
    ))
}

fn terminal_error(error: pty_process::Error) -> SpawnError {
    SpawnError::System(io_error(error))
}

fn start_error(error: pty_process::Error, program: &str) -> SpawnError {
    let error = io_error(error);
    match error.kind() {
        io::ErrorKind::NotFound => SpawnError::NoSuchProgram(program.to_owned()),
        io::ErrorKind::PermissionDenied => SpawnError::NotExecutable(program.to_owned()),
        _ => SpawnError::System(error),
    }
}

fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        other => io::Error::other(other),
    }
}

/// Waits for the process, so that it does not stay a zombie, and tells how it ended.
async fn reap(mut child: Child, ended: watch::Sender<Exit>) {
    let status = match child.wait().await {
        Ok(status) => ExitStatus {
            code: status.code(),
            signal: status.signal().map(|number| {
                nix::sys::signal::Signal::try_from(number)
                    .map_or_else(|_| format!("SIG{number}"), |signal| signal.as_str().to_owned())
            }),
        },
        Err(error) => {
            tracing::error!(%error, "a process cannot be waited for");
            ExitStatus::default()
        }
    };
    ended.send_replace(Some(status));
}
