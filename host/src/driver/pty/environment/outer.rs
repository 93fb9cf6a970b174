//! Removes variables that a host inherits from its surroundings and that do not concern a session.
//!
//! There are two kinds. Variables that describe the terminal, the login or the service that the
//! host was started from are never passed on. Variables that lead to a resource of a login, such as
//! its SSH agent or display, are passed on while something answers there. A request's own `env` is
//! applied later and can set any of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::daemon::ALLOCATOR;

type Variables = BTreeMap<OsString, OsString>;

/// Variables that are never passed on.
const DROPPED: &[&str] = &[
    // The shell that started the host.
    "_",
    "OLDPWD",
    "PWD",
    "SHLVL",
    // That shell's terminal.
    "COLORFGBG",
    "COLUMNS",
    "GNOME_TERMINAL_SCREEN",
    "GNOME_TERMINAL_SERVICE",
    "GPG_TTY",
    "GUAKE_TAB_UUID",
    "INSIDE_EMACS",
    "JEDITERM_SOURCE",
    "JEDITERM_SOURCE_ARGS",
    "LC_TERMINAL",
    "LC_TERMINAL_VERSION",
    "LINES",
    "NVIM",
    "NVIM_LISTEN_ADDRESS",
    "PTYXIS_VERSION",
    "TABBY_CONFIG_DIRECTORY",
    "TERMCAP",
    "TERMINAL_EMULATOR",
    "TERMINATOR_UUID",
    "TERM_FEATURES",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TERM_SESSION_ID",
    "TILIX_ID",
    "VIM",
    "VIMRUNTIME",
    "VIM_TERMINAL",
    "VTE_VERSION",
    "WINDOWID",
    "WT_PROFILE_ID",
    "WT_SESSION",
    "ZED_TERM",
    "__CFBundleIdentifier",
    // A terminal multiplexer around the host.
    "STY",
    "TMUX",
    "TMUX_PANE",
    "WINDOW",
    "ZELLIJ",
    "ZELLIJ_PANE_ID",
    "ZELLIJ_SESSION_NAME",
    // A coding agent around the host.
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    // The login that the host was started from.
    "DESKTOP_STARTUP_ID",
    "ET_VERSION",
    "GIO_LAUNCHED_DESKTOP_FILE",
    "GIO_LAUNCHED_DESKTOP_FILE_PID",
    "MOSH_IP",
    "MOSH_KEY",
    "MOSH_SERVER_PID",
    "SECURITYSESSIONID",
    "SESSION_MANAGER",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_ORIGINAL_COMMAND",
    "SSH_TTY",
    "SSH_USER_AUTH",
    "SUDO_COMMAND",
    "SUDO_GID",
    "SUDO_HOME",
    "SUDO_UID",
    "SUDO_USER",
    "XDG_ACTIVATION_TOKEN",
    "XDG_SEAT",
    "XDG_SEAT_PATH",
    "XDG_SESSION_CLASS",
    "XDG_SESSION_ID",
    "XDG_SESSION_PATH",
    "XDG_VTNR",
    // The service that the host was started by.
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "MAINPID",
    "MANAGERPID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "XPC_FLAGS",
    "XPC_SERVICE_NAME",
];

/// Prefixes of variables that are never passed on. The first is Moorline's own configuration,
/// including the token. The others tell programs, above all shells' integrations, that they run in
/// a certain terminal.
const DROPPED_PREFIXES: &[&str] = &[
    "MOORLINE_",
    "ALACRITTY_",
    "GHOSTTY_",
    "ITERM_",
    "KITTY_",
    "KONSOLE_",
    "TERMINOLOGY",
    "VSCODE_",
    "WARP_",
    "WAVETERM",
    "WEZTERM_",
];

/// Variables that Visual Studio Code sets to scripts of its own, which fail without its variables.
const OF_VISUAL_STUDIO_CODE: &[&str] = &["BROWSER", "GIT_ASKPASS", "GIT_EDITOR", "SSH_ASKPASS"];

/// A variable that leads to a resource of a login, the variables that are meaningless without it,
/// and a test of whether the resource answers.
type Lead = (&'static str, &'static [&'static str], fn(&OsStr, &Variables) -> bool);

const LEADS: &[Lead] = &[
    ("SSH_AUTH_SOCK", &["SSH_AGENT_PID"], |path, _| answers(Path::new(path))),
    ("XDG_RUNTIME_DIR", &[], |path, _| Path::new(path).is_dir()),
    ("DBUS_SESSION_BUS_ADDRESS", &["DBUS_SESSION_BUS_PID"], |address, _| bus_answers(address)),
    ("WAYLAND_DISPLAY", &["WAYLAND_SOCKET"], wayland_answers),
    ("DISPLAY", &["XAUTHORITY"], display_answers),
    ("SWAYSOCK", &[], |path, _| answers(Path::new(path))),
    ("I3SOCK", &[], |path, _| answers(Path::new(path))),
];

/// Returns the host's variables without those of its surroundings.
pub(super) fn without_outer(all: &Variables) -> Variables {
    let mut variables = all.clone();
    let in_visual_studio_code = all.keys().any(|name| name.as_bytes().starts_with(b"VSCODE_"));
    variables.retain(|name, value| {
        let begins = |prefix: &&str| name.as_bytes().starts_with(prefix.as_bytes());
        let of_code = in_visual_studio_code
            && OF_VISUAL_STUDIO_CODE.iter().any(|of_code| name == of_code)
            && memchr::memmem::find(value.as_bytes(), b"vscode")
                .or_else(|| memchr::memmem::find(value.as_bytes(), b"Visual Studio Code"))
                .is_some();
        !of_code
            && !DROPPED_PREFIXES.iter().any(begins)
            && !DROPPED.iter().any(|dropped| name == dropped)
            && (name.as_os_str(), value.as_os_str()) != (ALLOCATOR.0.as_ref(), ALLOCATOR.1.as_ref())
    });
    for (name, companions, answers) in LEADS {
        let leads = all.get(OsStr::new(name)).is_some_and(|value| answers(value, all));
        if !leads {
            variables.remove(OsStr::new(name));
            for companion in *companions {
                variables.remove(OsStr::new(companion));
            }
        }
    }
    variables
}

/// Returns true if a process listens on a socket file.
fn answers(path: &Path) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, InvalidInput, NotADirectory, NotFound, PermissionDenied,
    };
    match UnixStream::connect(path) {
        Ok(_) => true,
        // Other errors mean that the socket exists, but is busy or of another type.
        Err(error) => !matches!(
            error.kind(),
            ConnectionRefused | InvalidInput | NotADirectory | NotFound | PermissionDenied
        ),
    }
}

/// Checks an address like `unix:path=/run/user/1000/bus,guid=…`; others cannot be tested and count
/// as answering.
fn bus_answers(address: &OsStr) -> bool {
    let Some(rest) = address.as_bytes().strip_prefix(b"unix:path=") else { return true };
    let path = rest.split(|byte| matches!(byte, b',' | b';')).next().unwrap_or_default();
    answers(Path::new(OsStr::from_bytes(path)))
}

/// Checks a display that is a path, or the name of a socket in the runtime folder.
fn wayland_answers(display: &OsStr, variables: &Variables) -> bool {
    let folder = variables.get(OsStr::new("XDG_RUNTIME_DIR")).map(PathBuf::from);
    answers(&folder.unwrap_or_default().join(display))
}

/// Checks a display. `:0` is on this machine. A display with a host name is reached over the
/// network: through ssh, which ends with the login that the host was started from, or as the user
/// has set it up.
fn display_answers(display: &OsStr, variables: &Variables) -> bool {
    let of_ssh = || variables.contains_key(OsStr::new("SSH_CONNECTION"));
    let Some(number) = display.as_bytes().strip_prefix(b":") else {
        return !of_ssh() && !display.as_bytes().starts_with(b"localhost:");
    };
    let number = number.split(|byte| *byte == b'.').next().unwrap_or_default();
    let mut name = OsString::from("X");
    name.push(OsStr::from_bytes(number));
    answers(&Path::new("/tmp/.X11-unix").join(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn passed_on(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        without_outer(&variables).into_keys().map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn what_describes_the_surroundings_stays_out() {
        let outer = [
            ("SSH_CONNECTION", "1.2.3.4 1 5.6.7.8 22"),
            ("SSH_TTY", "/dev/pts/3"),
            ("GPG_TTY", "/dev/pts/3"),
            ("TMUX_PANE", "%1"),
            ("STY", "1.pts"),
            ("XDG_SESSION_ID", "c1"),
            ("SHLVL", "3"),
            ("VSCODE_IPC_HOOK_CLI", "/run/user/1000/vscode-ipc.sock"),
            ("GIT_ASKPASS", "/home/me/.vscode-server/bin/x/askpass.sh"),
            ("SUDO_USER", "me"),
            ALLOCATOR,
            ("TERMINAL_EMULATOR", "JetBrains-JediTerm"),
            ("__CFBundleIdentifier", "com.googlecode.iterm2"),
            ("XPC_SERVICE_NAME", "0"),
            ("MOSH_SERVER_PID", "7"),
            ("MOSH_IP", "1.2.3.4"),
            ("WARP_IS_LOCAL_SHELL_SESSION", "1"),
        ];
        assert_eq!(passed_on(&outer), [""; 0]);
        assert_eq!(passed_on(&[(ALLOCATOR.0, "a user's own")]), [ALLOCATOR.0]);
        let users = [("GIT_ASKPASS", "/usr/bin/ksshaskpass"), ("TMUX_TMPDIR", "/x"), ("A", "")];
        assert_eq!(passed_on(&users), ["A", "GIT_ASKPASS", "TMUX_TMPDIR"]);
    }

    #[test]
    fn what_a_login_left_is_passed_on_while_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        let agent = path.to_str().unwrap();
        let bus = format!("unix:path={agent},guid=7");
        let leads = [
            ("DBUS_SESSION_BUS_ADDRESS", &*bus),
            ("SSH_AGENT_PID", "7"),
            ("SSH_AUTH_SOCK", agent),
            ("SWAYSOCK", agent),
            ("WAYLAND_DISPLAY", "agent"),
            ("XDG_RUNTIME_DIR", folder.path().to_str().unwrap()),
        ];
        assert_eq!(passed_on(&leads), ["XDG_RUNTIME_DIR"]);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(passed_on(&leads), leads.map(|(name, _)| name));
        drop(listener);
        assert!(path.exists(), "a socket that nobody listens on any more");
        assert_eq!(passed_on(&leads), ["XDG_RUNTIME_DIR"]);
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(passed_on(&leads), [""; 0]);
    }

    #[test]
    fn a_display_of_another_login_stays_out() {
        let forwarded = [("DISPLAY", "localhost:10.0"), ("XAUTHORITY", "/run/user/0/xauth")];
        assert_eq!(passed_on(&forwarded), [""; 0]);
        assert_eq!(passed_on(&[("DISPLAY", ":98765")]), [""; 0]);
        assert_eq!(passed_on(&[("DISPLAY", "x.example.org:0")]), ["DISPLAY"]);
        let by_ssh = [("DISPLAY", "10.0.0.1:10"), ("SSH_CONNECTION", "1.2.3.4 1 5.6.7.8 22")];
        assert_eq!(passed_on(&by_ssh), [""; 0]);
    }
}
