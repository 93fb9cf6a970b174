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

/// Who has a session's terminal, as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreground {
    /// A job: another process than the one that the session runs.
    Child,
    /// That one, and it is no shell that starts jobs.
    Program,
    /// That one, and it is a shell.
    Shell {
        /// Its line editor has the terminal: it is at a prompt.
        editing: bool,
        /// Tells the program from another one that the same process executes later.
        image: u64,
    },
}

/// Whom a mark comes from. The later ones are listened to rather than the earlier.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaker {
    /// Nobody.
    #[default]
    Nobody,
    /// A job of the session's program: a shell within the shell, or one that is reached by ssh.
    Job,
    /// The session's program itself, by marks of the user's own.
    Program,
    /// The session's shell, by the integration of this crate.
    Integration,
}

/// What a session's shell does: as its marks tell, and where they fail as the system tells.
///
/// [`ShellState::fold`] takes marks, [`ShellState::observe`] who has the terminal; both say whether
/// anything changed that can be asked for here. The system decides against the marks in three
/// cases: who spoke last has gone (its process executes another program) or was silenced (its line
/// editor has the terminal while its marks say that a command runs; the marks of a shell without a
/// line editor count for nothing when it has the terminal, unless the integration made them); nobody
/// has ever spoken; and a job has the terminal though the last mark of the shell itself was its
/// prompt.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ShellState {
    hostname: String,
    /// The process that the session runs.
    pid: u32,
    /// Who is listened to.
    speaker: Speaker,
    /// What marks say.
    marked: Activity,
    /// Who had the terminal when it was last looked at since the last mark.
    observed: Option<Foreground>,
    /// Of the shell that marked the last prompt.
    image: Option<u64>,
    /// Of the shell whose line editor was seen last.
    editor: Option<u64>,
    cwd: Option<String>,
    exit_code: Option<i32>,
    command_line: Option<String>,
    /// Of the command that starts next.
    announced: Option<String>,
}

impl ShellState {
    /// Nothing is known yet of the process `pid`. A folder counts only on the machine of this name
    /// (see [`this_host`]): a shell that is reached by ssh also marks its folders.
    #[must_use]
    pub fn new(hostname: impl Into<String>, pid: u32) -> Self {
        Self { hostname: hostname.into(), pid, ..Self::default() }
    }

    /// Who says a mark: `origin` is the process that it names, `in_job` whether a job has the
    /// terminal.
    #[must_use]
    pub fn speaker(&self, origin: Option<u32>, in_job: bool) -> Speaker {
        match origin {
            Some(pid) if pid == self.pid => Speaker::Integration,
            _ if in_job => Speaker::Job,
            _ => Speaker::Program,
        }
    }

    /// Takes the next mark, and says whether anything changed. One of somebody who is not
    /// listened to is passed over, but for folders.
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
                // Two integrations mark it twice, and only one of them may tell the line.
                let line = command_line.or(announced);
                if line.is_some() || self.marked == Activity::Idle {
                    self.command_line = line;
                }
                self.marked = Activity::Running;
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

    /// Takes who has the terminal, and says whether anything changed. It should have been so for a
    /// moment: a shell starts jobs before its prompt too.
    pub fn observe(&mut self, foreground: Foreground) -> bool {
        let before = self.shown();
        if let Foreground::Shell { editing, image } = foreground {
            let is_another = self.image.is_some_and(|of_prompt| of_prompt != image);
            if editing {
                self.editor = Some(image);
            }
            let is_at_prompt =
                editing || (self.speaker == Speaker::Program && self.editor != Some(image));
            let is_silent = is_at_prompt && self.marked == Activity::Running;
            if is_another || is_silent || self.speaker == Speaker::Job {
                self.lose_speaker();
            } else if self.marked == Activity::Idle {
                self.image = Some(image);
            }
        }
        self.observed = Some(foreground);
        before != self.shown()
    }

    /// Whether a command runs.
    #[must_use]
    pub fn activity(&self) -> Activity {
        match (self.marked, self.observed) {
            (Activity::Running, Some(Foreground::Shell { .. }))
                if self.speaker == Speaker::Nobody =>
            {
                Activity::Idle
            }
            (Activity::Idle, Some(Foreground::Child)) if self.speaker >= Speaker::Program => {
                Activity::Running
            }
            (Activity::Idle, Some(Foreground::Program)) if self.speaker == Speaker::Integration => {
                Activity::Running
            }
            (marked, _) => marked,
        }
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
        self.command_line.as_deref().filter(|_| self.activity() == Activity::Running)
    }

    /// What changes with a mark, besides the exit code.
    fn shown(&self) -> (Activity, Option<String>) {
        (self.activity(), self.command_line().map(str::to_owned))
    }

    /// Nobody tells any more what the shell does.
    fn lose_speaker(&mut self) {
        self.speaker = Speaker::Nobody;
        self.marked = Activity::Running;
        self.command_line = None;
        self.announced = None;
        self.image = None;
    }

    fn rest(&mut self) {
        self.marked = Activity::Idle;
        self.command_line = None;
        self.observed = None;
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
