//! The limit of open files of this process, and that of the programs which it starts.
//!
//! A session costs a host some four descriptors, and a soft limit of 1,024, as systems set it, would
//! be reached with some 250 of them. [`raise`] raises it for this process. Programs must not inherit
//! that: those which use `select` cannot go beyond 1,024, and others close every number up to the
//! limit when they start. What a program gets can be set safely in its own process only, so this
//! program is started in its place, and becomes it: see [`become_program`].

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

/// What a thousand sessions and their clients need, many times over. A limit far above would only
/// slow down whatever walks over all numbers.
const OPEN_FILES: u64 = 524_288;

/// The first argument that makes this program become another.
const BECOME: &str = "become-program";

/// Upper bound on how long a program is waited for that has neither started nor failed.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How programs of sessions are started; empty while they may inherit this process's limit.
static LAUNCHER: OnceLock<Launcher> = OnceLock::new();

/// Raises the limit of open files of this process as far as it may be. Programs of sessions get
/// `given`, or else the limit that this process was started with. Call it once, at the start of a
/// program that calls [`become_program`] too.
///
/// Returns the limit of programs if it is another than this process's.
pub fn raise(given: Option<u64>) -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let current = before.current?;
    let programs = given.unwrap_or(current);
    let wanted = before.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    // Without a way to give it back to programs it is not raised.
    let launcher = Launcher::new(programs)?;
    if current < wanted {
        let raised = Rlimit { current: Some(wanted), maximum: before.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
    let differs = getrlimit(Resource::Nofile).current != Some(programs);
    (differs && LAUNCHER.set(launcher).is_ok()).then_some(programs)
}

/// How programs of sessions are to be started, if not directly.
pub(crate) fn launcher() -> Option<&'static Launcher> {
    LAUNCHER.get()
}

/// Starts this program in the place of another, which it then becomes.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// This program. One that was replaced by an update since it was started is still there.
    itself: PathBuf,
    open_files: u64,
}

impl Launcher {
    fn new(open_files: u64) -> Option<Self> {
        let itself = Path::new("/proc/self/exe");
        let itself = if itself.exists() { itself.into() } else { std::env::current_exe().ok()? };
        Some(Self { itself, open_files })
    }

    /// The command that becomes `program`, by the name `name` and with `arguments`. Its standard
    /// input is to be [`Launch::report`]; the program's will be the same as its standard output.
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
        Ok(Launch { command, status: Status(ours), report: theirs.into() })
    }
}

/// A command of [`Launcher::command`].
pub(crate) struct Launch {
    pub(crate) command: Command,
    pub(crate) status: Status,
    /// Where it reports a failure.
    pub(crate) report: OwnedFd,
}

/// Tells whether a program was started.
pub(crate) struct Status(UnixStream);

impl Status {
    /// Waits until the program runs. Call it after the command was started, when this process holds
    /// [`Launch::report`] no more. Blocks.
    ///
    /// # Errors
    /// Why it does not run, as [`Command::spawn`] would tell.
    pub(crate) fn wait(mut self) -> io::Result<()> {
        self.0.set_read_timeout(Some(START_LIMIT))?;
        let mut code = [0; 4];
        // The other end is closed with nothing in it when the program runs.
        match self.0.read_exact(&mut code) {
            Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code))),
            Err(_) => Ok(()),
        }
    }
}

/// What this program does in the place of another that it was started for: it sets the limit of
/// open files and becomes that one. `None` if it was started for nothing of the kind. The arguments
/// are those of the process. Call it before anything else.
#[must_use]
pub fn become_program(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != BECOME {
        return None;
    }
    // Closed by the system when this becomes the program.
    let report = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let failed = become_one(arguments).raw_os_error();
    let code = failed.unwrap_or(Errno::INVAL.raw_os_error());
    // Without anyone who waits for it, the exit code tells.
    let _ = report.and_then(|mut report| report.write_all(&code.to_ne_bytes()));
    Some(ExitCode::from(127))
}

/// Returns only if it fails.
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
