//! The state of a shell, folded from its marks.

use super::Mark;

/// The most characters of a command line that are kept.
pub const COMMAND_LINE_CHARS: usize = 256;

/// The activity of a shell.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum ShellActivity {
    /// A command runs. This also stands for a program that is not a shell, and for a shell without
    /// marks.
    #[default]
    Running,
    /// The shell is at its prompt.
    Idle,
}

/// The process that has a session's terminal, according to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreground {
    /// A job: another process than the session's own.
    Child,
    /// The session's own process, which is not a shell that starts jobs.
    Program,
    /// The session's own process, which is a shell.
    Shell {
        /// True if its line editor has the terminal, so that it is at a prompt.
        editing: bool,
        /// A number that differs for another program that the same process executes later.
        image: u64,
    },
}

/// The source of a mark. Later ones take precedence over earlier ones.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaker {
    /// No source.
    #[default]
    Nobody,
    /// A job of the session's program: a shell within the shell, or one that is reached by ssh.
    Job,
    /// The session's program itself, with marks of the user's own.
    Program,
    /// The session's shell, with the integration of this crate.
    Integration,
}

/// The state of a session's shell, from its marks, and from the system if those fail.
///
/// [`ShellState::fold`] takes marks, and [`ShellState::observe`] takes the process that has the
/// terminal. Both return true if the state that can be read here changed. The system overrides the
/// marks in these cases:
///
/// * The last speaker is gone: its process executes another program.
/// * The last speaker fell silent: its line editor has the terminal while its marks say that a
///   command runs. Marks of a shell without a line editor do not count once it has the terminal,
///   unless the integration made them.
/// * Nobody has ever spoken.
/// * A job has the terminal, though the last mark of the shell itself was its prompt.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ShellState {
    hostname: String,
    /// The id of the process that the session runs.
    pid: u32,
    /// The source whose marks count.
    speaker: Speaker,
    /// The activity according to the marks.
    marked: ShellActivity,
    /// The process that had the terminal at the last look after the last mark.
    observed: Option<Foreground>,
    /// The image of the shell that marked the last prompt.
    image: Option<u64>,
    /// The image of the shell whose line editor was seen last.
    editor: Option<u64>,
    cwd: Option<String>,
    exit_code: Option<i32>,
    command_line: Option<String>,
    /// The command line of the command that starts next.
    announced: Option<String>,
}

impl ShellState {
    /// Creates the state of the process `pid`, of which nothing is known yet. Folders only count on
    /// the machine with this name (see [`this_host`]), because a shell that is reached by ssh also
    /// marks its folders.
    #[must_use]
    pub fn new(hostname: impl Into<String>, pid: u32) -> Self {
        Self { hostname: hostname.into(), pid, ..Self::default() }
    }

    /// Returns the source of a mark. `origin` is the process that it names; `in_job` is true if a
    /// job has the terminal.
    #[must_use]
    pub fn speaker(&self, origin: Option<u32>, in_job: bool) -> Speaker {
        match origin {
            Some(pid) if pid == self.pid => Speaker::Integration,
            _ if in_job => Speaker::Job,
            _ => Speaker::Program,
        }
    }

    /// Takes the next mark, and returns true if anything changed. Marks of a source with less
    /// precedence are ignored, except for folders.
    pub fn fold(&mut self, mark: Mark, speaker: Speaker) -> bool {
        if let Mark::Folder { host, path } = mark {
            return self.is_here(&host) && set(&mut self.cwd, Some(path));
        }
        if speaker < self.speaker {
            return false;
        }
        let before = self.shown();
        self.speaker = speaker;
        let mut ended = false;
        match mark {
            Mark::PromptStart | Mark::InputStart => self.rest(),
            Mark::CommandLine(line) => self.announced = Some(line),
            Mark::CommandStart { command_line } => {
                let announced = self.announced.take();
                // Two integrations mark it twice, and perhaps only one of them reports the line.
                let line = command_line.or(announced);
                if line.is_some() || self.marked == ShellActivity::Idle {
                    self.command_line = line;
                }
                self.marked = ShellActivity::Running;
                self.observed = None;
            }
            Mark::CommandEnd { exit_code } => {
                ended = exit_code.is_some() && set(&mut self.exit_code, exit_code);
                self.rest();
            }
            Mark::Folder { .. } => {}
        }
        ended || before != self.shown()
    }

    /// Takes the process that has the terminal, and returns true if anything changed. It should
    /// have had it for a moment: a shell also starts jobs before its prompt.
    pub fn observe(&mut self, foreground: Foreground) -> bool {
        let before = self.shown();
        if let Foreground::Shell { editing, image } = foreground {
            let is_another = self.image.is_some_and(|of_prompt| of_prompt != image);
            if editing {
                self.editor = Some(image);
            }
            let is_at_prompt =
                editing || (self.speaker == Speaker::Program && self.editor != Some(image));
            let is_silent = is_at_prompt && self.marked == ShellActivity::Running;
            if is_another || is_silent || self.speaker == Speaker::Job {
                self.lose_speaker();
            } else if self.marked == ShellActivity::Idle {
                self.image = Some(image);
            }
        }
        self.observed = Some(foreground);
        before != self.shown()
    }

    /// Returns the shell's activity.
    #[must_use]
    pub fn activity(&self) -> ShellActivity {
        match (self.marked, self.observed) {
            (ShellActivity::Running, Some(Foreground::Shell { .. }))
                if self.speaker == Speaker::Nobody =>
            {
                ShellActivity::Idle
            }
            (ShellActivity::Idle, Some(Foreground::Child)) if self.speaker >= Speaker::Program => {
                ShellActivity::Running
            }
            (ShellActivity::Idle, Some(Foreground::Program))
                if self.speaker == Speaker::Integration =>
            {
                ShellActivity::Running
            }
            (marked, _) => marked,
        }
    }

    /// Returns the shell's folder, absolute, on this machine.
    #[must_use]
    pub fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    /// Returns the exit code of the last command.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Returns the command line that is running, at most [`COMMAND_LINE_CHARS`] of it; `None` at
    /// the prompt.
    #[must_use]
    pub fn command_line(&self) -> Option<&str> {
        self.command_line.as_deref().filter(|_| self.activity() == ShellActivity::Running)
    }

    /// Returns the state that a mark can change, except for the exit code.
    fn shown(&self) -> (ShellActivity, Option<String>) {
        (self.activity(), self.command_line().map(str::to_owned))
    }

    /// Forgets the marks, because their source is gone.
    fn lose_speaker(&mut self) {
        self.speaker = Speaker::Nobody;
        self.marked = ShellActivity::Running;
        self.command_line = None;
        self.announced = None;
        self.image = None;
    }

    fn rest(&mut self) {
        self.marked = ShellActivity::Idle;
        self.command_line = None;
        self.observed = None;
    }

    /// Returns true if `host` is this machine. Some shells give its name with the domain, some
    /// without.
    fn is_here(&self, host: &str) -> bool {
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        host.is_empty() || host == "localhost" || short(host) == short(&self.hostname)
    }
}

/// Returns the name of this machine; empty if the system does not report it.
#[must_use]
pub fn this_host() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// Sets a value, and returns true if it changed.
fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changes = *place != value;
    *place = value;
    changes
}
