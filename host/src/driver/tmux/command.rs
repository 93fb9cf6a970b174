//! The tmux program: which server to talk to, single commands, and how to write arguments.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Time allowed for a single command. A server that is stopped or hangs does not answer.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// The error of a tmux command.
#[derive(Debug, thiserror::Error)]
pub(super) enum TmuxError {
    /// The program cannot be run.
    #[error("tmux cannot be run: {0}")]
    Program(#[source] io::Error),
    /// The socket at which a pane's pipe arrives cannot be created.
    #[error("the pane's output cannot be piped: {0}")]
    Pipe(#[source] io::Error),
    /// The server does not answer.
    #[error("the tmux server does not answer: it may be stopped or busy")]
    Silent,
    /// The command was refused; the text is tmux's own.
    #[error("tmux: {0}")]
    Refused(String),
    /// The connection to the server has ended.
    #[error("the connection to the tmux server has ended")]
    Disconnected,
}

/// A tmux server, by its socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerSocket {
    /// A name, as of `tmux -L`, or an absolute path; `None` for the default server.
    pub(super) socket: Option<String>,
}

impl ServerSocket {
    /// Returns the command line that reaches this server, up to the command.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        // Within tmux, these would select the server or forbid to attach.
        command.env_remove("TMUX").env_remove("TMUX_PANE").stdin(Stdio::null());
        match self.socket.as_deref() {
            Some(path) if path.starts_with('/') => command.arg("-S").arg(path),
            Some(name) => command.arg("-L").arg(name),
            None => &mut command,
        };
        command
    }

    /// Runs one command, and returns its output.
    ///
    /// # Errors
    /// [`TmuxError`].
    pub(super) async fn run(&self, arguments: &[OsString]) -> Result<Vec<u8>, TmuxError> {
        let mut command = self.command();
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let output = timeout(COMMAND_LIMIT, command.output()).await;
        let output = output.map_err(|_| TmuxError::Silent)?.map_err(TmuxError::Program)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(TmuxError::Refused(if said.is_empty() { output.status.to_string() } else { said }))
    }
}

/// Returns the sockets in the folder of the user's tmux servers, the default one first. May block.
pub(super) fn sockets() -> Vec<ServerSocket> {
    let folder = std::env::var_os("TMUX_TMPDIR").filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let folder = folder.join(format!("tmux-{}", nix::unistd::geteuid()));
    let mut names = names_in(&folder);
    names.sort_by_key(|name| (name != "default", name.clone()));
    let socket = |name: String| ServerSocket { socket: (name != "default").then_some(name) };
    names.into_iter().map(socket).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::FileTypeExt as _;
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let sockets =
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    sockets.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Returns the reason why this tmux cannot be used; `None` if it can. May block.
pub(super) fn missing() -> Option<String> {
    let version = match std::process::Command::new("tmux").arg("-V").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some("tmux is not installed: install it with your package manager".into());
        }
        Err(error) => return Some(format!("tmux cannot be run: {error}")),
    };
    is_old(&version).then(|| format!("{version} is too old: install tmux 3.2 or later"))
}

/// Returns true if the version that `tmux -V` has printed is known to lack what is needed.
fn is_old(version: &str) -> bool {
    let number = version.strip_prefix("tmux ").unwrap_or(version);
    let number = number.strip_prefix("next-").unwrap_or(number);
    let mut parts = number.split('.');
    let Some(major) = parts.next().and_then(|major| major.parse::<u32>().ok()) else {
        // A development version, or a system's own, such as `openbsd-7.7`.
        return false;
    };
    let minor = parts.next().unwrap_or_default();
    let digits = minor.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(minor.len());
    (major, minor[..digits].parse().unwrap_or(0)) < (3, 2)
}

/// Writes an argument of a command in tmux's own language, so that it is taken literally.
pub(super) fn quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', "'\"'\"'"))
}

/// Writes an argument whose formats tmux would expand, so that it is taken literally.
pub(super) fn literal(argument: &str) -> String {
    argument.replace('#', "##")
}

/// Writes an argument of a shell's command.
pub(super) fn shell_quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_without_what_is_needed_are_told() {
        for old in ["tmux 1.8", "tmux 2.9a", "tmux 3.0", "tmux 3.1c"] {
            assert!(is_old(old), "{old}");
        }
        for new in [
            "tmux 3.2",
            "tmux 3.3a",
            "tmux 3.5a",
            "tmux next-3.7",
            "tmux master",
            "tmux openbsd-7.7",
            "tmux 4.0",
            "",
        ] {
            assert!(!is_old(new), "{new}");
        }
    }

    #[test]
    fn arguments_are_taken_literally() {
        assert_eq!(quoted("a'b"), r#"'a'"'"'b'"#);
        assert_eq!(literal("#(rm) #{x}"), "##(rm) ##{x}");
        assert_eq!(shell_quoted("a'b c"), r"'a'\''b c'");
    }
}
