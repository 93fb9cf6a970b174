//! The error of a program that cannot be started.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// The most characters of an invalid text that an error shows.
const SHOWN_CHARS: usize = 80;

/// The error of a program that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// `command` has no program.
    #[error("the command is empty: name a program, or leave the command out for a login shell")]
    EmptyCommand,
    /// The program is neither a file nor on the PATH.
    #[error("program not found: {}{}", shown(.0), hint(.0))]
    NoSuchProgram(String),
    /// The program exists, but may not be executed.
    #[error("{0} is not executable")]
    NotExecutable(String),
    /// The program exists, but the system cannot run it.
    #[error("{program} cannot be run here: {source}")]
    Unusable {
        /// The path or name of the program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// The arguments and variables are larger than a program can receive.
    #[error(
        "the arguments and variables are too large for this system: put long texts into a file, \
         or type it into the session"
    )]
    TooLarge,
    /// The folder to start in is not an absolute path.
    #[error(
        "cannot start in {:?}: use an absolute path, or one that begins with ~ for the home \
         folder",
        shown(.0)
    )]
    RelativeFolder(String),
    /// The folder is in the home of a user that does not exist.
    #[error("cannot start in {}: the user does not exist", shown(.0))]
    NoSuchUser(String),
    /// The folder to start in does not exist, or cannot be entered.
    #[error("cannot start in {}: {source}", path.display())]
    NoSuchFolder {
        /// The folder that was asked for.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path to start in is not a folder.
    #[error("cannot start in {}: it is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A variable's name is empty or contains '=', or a text contains a NUL.
    #[error(
        "{:?} cannot be passed to a program: a name must not be empty or contain =, and no text \
         may contain a NUL character",
        shown(.0)
    )]
    InvalidText(String),
    /// The system has run out of a resource that a session needs.
    #[error("{0}")]
    Exhausted(&'static str),
    /// The system refused a terminal or a process.
    #[error("cannot start a process on a terminal: {0}")]
    System(#[source] io::Error),
}

impl SpawnError {
    /// Interprets the system's error of starting `program`.
    pub(in crate::driver) fn of_start(error: io::Error, program: &str) -> Self {
        let name = || program.to_owned();
        let is_file = program.contains('/') && Path::new(program).is_file();
        match error.kind() {
            // The missing file is the interpreter that its first line names, or its dynamic linker.
            ErrorKind::NotFound if is_file => Self::Unusable {
                program: name(),
                source: io::Error::new(error.kind(), "its interpreter does not exist"),
            },
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
                Self::NoSuchProgram(name())
            }
            ErrorKind::PermissionDenied => Self::NotExecutable(name()),
            ErrorKind::ArgumentListTooLong => Self::TooLarge,
            ErrorKind::ExecutableFileBusy => Self::Unusable { program: name(), source: error },
            _ if is_not_executable_format(&error) => {
                Self::Unusable { program: name(), source: error }
            }
            _ => Self::of_system(error),
        }
    }

    /// Interprets a system error that is not the program's fault.
    pub(in crate::driver) fn of_system(error: io::Error) -> Self {
        let exhausted = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE) => {
                "this host has no file descriptors left: end some sessions, or raise its limit \
                 (`ulimit -Hn`, `LimitNOFILE=` of a service) and start it again"
            }
            Some(Errno::NFILE) => {
                "this machine has no file descriptors left: end some programs, or raise fs.file-max"
            }
            Some(Errno::AGAIN) => {
                "this user may not run more processes: end some, or raise the limit (`ulimit -u`, \
                 `TasksMax=` of a service)"
            }
            Some(Errno::NOMEM) => "this machine has no memory left: end some programs",
            _ => return Self::System(error),
        };
        Self::Exhausted(exhausted)
    }
}

/// Returns true for the program of another machine, a file that is not a program, or symlinks in a
/// circle: errors of the file, not of the system.
fn is_not_executable_format(error: &io::Error) -> bool {
    let numbers = [Errno::NOEXEC, Errno::LOOP, Errno::INVAL, Errno::NOTSUP];
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    number.is_some_and(|number| numbers.contains(&number))
}

/// Returns a hint if a program's name looks like a whole command line.
fn hint(program: &str) -> String {
    let line = shown(program);
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.len() < 2 {
        return String::new();
    }
    format!(
        " (each word of a command is an element of its own, as {words:?}; a line for the shell is \
         [\"sh\", \"-c\", {line:?}])"
    )
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_program_is_explained() {
        let error = SpawnError::NoSuchProgram("echo hello".into()).to_string();
        assert!(error.starts_with("program not found: echo hello (each word"), "{error}");
        assert!(error.contains(r#"["echo", "hello"]"#), "{error}");
        assert!(error.contains(r#"["sh", "-c", "echo hello"]"#), "{error}");
        assert_eq!(SpawnError::NoSuchProgram("ls".into()).to_string(), "program not found: ls");
        let long = SpawnError::NoSuchProgram("x ".repeat(100_000)).to_string();
        assert!(long.len() < 1000 && long.contains('…'));
    }

    #[test]
    fn what_the_system_says_of_a_program_is_no_fault_of_it() {
        let error = |number: Errno, program: &str| SpawnError::of_start(number.into(), program);
        assert!(matches!(error(Errno::TOOBIG, "true"), SpawnError::TooLarge));
        assert!(matches!(error(Errno::NOEXEC, "/x"), SpawnError::Unusable { .. }));
        assert!(matches!(error(Errno::NOTDIR, "/etc/passwd/x"), SpawnError::NoSuchProgram(_)));
        assert!(matches!(error(Errno::NAMETOOLONG, "x"), SpawnError::NoSuchProgram(_)));
        assert!(matches!(error(Errno::AGAIN, "true"), SpawnError::Exhausted(_)));
    }
}
