//! What marks add up to.

use super::Mark;

/// As much is kept of a command line.
pub const COMMAND_LINE_CHARS: usize = 256;

/// Whether a shell works or waits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A command runs; so does whatever is no shell, or a shell without marks.
    #[default]
    Running,
    /// The shell is at its prompt.
    Idle,
}

/// What a session's shell does, as far as its marks tell.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ShellState {
    hostname: String,
    activity: Activity,
    cwd: Option<String>,
    exit_code: Option<i32>,
    command_line: Option<String>,
    /// Of the command that starts next.
    announced: Option<String>,
}

impl ShellState {
    /// Nothing is known yet. A folder counts only on the machine of this name (see [`this_host`]):
    /// a shell that is reached by ssh also marks its folders.
    #[must_use]
    pub fn new(hostname: impl Into<String>) -> Self {
        Self { hostname: hostname.into(), ..Self::default() }
    }

    /// Takes the next mark, and says whether anything changed that can be asked for here.
    pub fn fold(&mut self, mark: Mark) -> bool {
        match mark {
            Mark::PromptStart | Mark::InputStart => self.rest(),
            Mark::CommandLine(line) => {
                self.announced = Some(line);
                false
            }
            Mark::CommandStart { command_line } => {
                let announced = self.announced.take();
                // Two integrations mark it twice, and only one of them may tell the line.
                let again = || self.command_line.clone();
                let line = command_line.or(announced).or_else(again);
                set(&mut self.activity, Activity::Running) | set(&mut self.command_line, line)
            }
            Mark::CommandEnd { exit_code } => {
                let ended = exit_code.is_some() && set(&mut self.exit_code, exit_code);
                self.rest() | ended
            }
            Mark::Folder { host, path } => self.is_here(&host) && set(&mut self.cwd, Some(path)),
        }
    }

    /// Whether a command runs.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// The shell's folder, absolute, on this machine.
    #[must_use]
    pub fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    /// How the last command ended.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// What runs, at most [`COMMAND_LINE_CHARS`] of it; `None` at the prompt.
    #[must_use]
    pub fn command_line(&self) -> Option<&str> {
        self.command_line.as_deref()
    }

    fn rest(&mut self) -> bool {
        set(&mut self.activity, Activity::Idle) | set(&mut self.command_line, None)
    }

    /// Some shells give the name with its domain, some without.
    fn is_here(&self, host: &str) -> bool {
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        host.is_empty() || host == "localhost" || short(host) == short(&self.hostname)
    }
}

/// The name of the machine that this runs on; empty where the system does not tell.
#[must_use]
pub fn this_host() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// Whether that is something else than before.
fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changes = *place != value;
    *place = value;
    changes
}
