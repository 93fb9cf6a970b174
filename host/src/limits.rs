//! The limit of open files of this process, and of the programs that it starts.
//!
//! A session costs a host about four descriptors, so a soft limit of 1,024, as systems set it,
//! would be reached with about 250 sessions. [`raise`] raises it for this process. Programs must
//! not inherit the raised limit: those that use `select` cannot handle more than 1,024, and others
//! close every number up to the limit when they start. A program's limit can only be set safely
//! within its own process. So this program is started in its place, and becomes it: see
//! [`become_program`].

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio::dup2_stdin;

/// Enough for a thousand sessions and their clients, many times over. A limit far above would only
/// slow down code that walks over all numbers.
const OPEN_FILES: u64 = 524_288;

/// The first argument that makes this program become another one.
const BECOME: &str = "become-program";

/// Upper bound on the wait for a program that has neither started nor failed.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The way to start programs of sessions; empty while they may inherit this process's limit.
static LAUNCHER: OnceLock<Launcher> = OnceLock::new();

/// Raises this process's limit of open files as far as allowed. Programs of sessions get `given`,
/// or else the limit that this process was started with. Call it once, at the start of a program
/// that also calls [`become_program`].
///
/// Returns the programs' limit, if it differs from this process's.
pub fn raise(given: Option<u64>) -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let current = before.current?;
    let programs = given.unwrap_or(current);
    let wanted = before.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    // The limit is not raised if it cannot be lowered again for programs.
    let launcher = Launcher::new(programs)?;
    if current < wanted {
        let raised = Rlimit { current: Some(wanted), maximum: before.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
    let differs = getrlimit(Resource::Nofile).current != Some(programs);
    (differs && LAUNCHER.set(launcher).is_ok()).then_some(programs)
}

/// Returns how to start programs of sessions, or `None` to start them directly.
pub(crate) fn launcher() -> Option<&'static Launcher> {
    LAUNCHER.get()
}

/// Returns the limit of open files that programs of sessions get, if it is not this process's.
#[must_use]
pub fn of_programs() -> Option<u64> {
    launcher().map(|launcher| launcher.open_files)
}

/// Starts this program in the place of another one, which it then becomes.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// The path of this program. It stays valid if an update replaces the program.
    itself: PathBuf,
    open_files: u64,
}

impl Launcher {
    fn new(open_files: u64) -> Option<Self> {
        let itself = Path::new("/proc/self/exe");
        let itself = if itself.exists() { itself.into() } else { std::env::current_exe().ok()? };
        Some(Self { itself, open_files })
    }

    /// Returns the command that becomes `program`, with the name `name` and `arguments`. Its
    /// standard input must be [`Launch::report`]; the program's will be the same as its standard
    /// output.
    pub(crate) fn command(
        &self,
        program: &OsStr,
        name: &OsStr,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> io::Result<Launch> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&self.itself);
        command.arg(BECOME).arg(self.open_files.to_string()).arg(program).arg(name);
        command.args(arguments);
        Ok(Launch { command, status: StartReport(ours), report: theirs.into() })
    }
}

/// A command of [`Launcher::command`].
pub(crate) struct Launch {
    pub(crate) command: Command,
    pub(crate) status: StartReport,
    /// The command's standard input, on which it reports a failure.
    pub(crate) report: OwnedFd,
}

/// Reports whether a program was started.
pub(crate) struct StartReport(UnixStream);

impl StartReport {
    /// Waits until the program runs. Call it after the command was started, once this process no
    /// longer holds [`Launch::report`]. Blocks.
    ///
    /// # Errors
    /// The reason why it does not run, as from [`Command::spawn`].
    pub(crate) fn wait(mut self) -> io::Result<()> {
        self.0.set_read_timeout(Some(START_LIMIT))?;
        let mut code = [0; 4];
        // Once the program runs, the other end is closed without any data.
        match self.0.read_exact(&mut code) {
            Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code))),
            Err(_) => Ok(()),
        }
    }
}

/// Becomes another program, if this process was started in its place: sets the limit of open files,
/// and executes that program. Returns only if that fails, or `None` if this process was started for
/// something else. `arguments` are those of the process. Call it before anything else.
#[must_use]
pub fn become_program(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != BECOME {
        return None;
    }
    // The system closes it when this process becomes the program.
    let report = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let failed = become_one(arguments).raw_os_error();
    let code = failed.unwrap_or(Errno::INVAL.raw_os_error());
    // If nobody waits for it, the exit code still reports the failure.
    let _ = report.and_then(|mut report| report.write_all(&code.to_ne_bytes()));
    Some(ExitCode::from(127))
}

/// Becomes the program that the arguments name. Only returns an error.
fn become_one(mut arguments: impl Iterator<Item = OsString>) -> io::Error {
    let files = arguments.next().and_then(|files| files.to_str()?.parse().ok());
    let (Some(files), Some(program), Some(name)) = (files, arguments.next(), arguments.next())
    else {
        return Errno::INVAL.into();
    };
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limited = setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum });
    if let Err(error) = limited.and_then(|()| dup2_stdin(io::stdout())) {
        return error.into();
    }
    Command::new(program).arg0(name).args(arguments).exec()
}
