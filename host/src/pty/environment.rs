//! The variables that a session's program gets, and the user that it runs for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use nix::unistd::User;

/// What the host's own surroundings say.
pub(super) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    user: Option<User>,
}

/// Variables that describe the terminal or the service that the host itself runs in.
const OF_THE_HOST: [&str; 17] = [
    "COLUMNS",
    "LINES",
    "TERMCAP",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "LC_TERMINAL",
    "LC_TERMINAL_VERSION",
    "TMUX",
    "TMUX_PANE",
    "STY",
    "VTE_VERSION",
    "WINDOWID",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];

/// Moorline's own configuration, the token among it, is none of a session's business. The others
/// tell programs, shells' integrations above all, that they run in that terminal.
const PREFIXES_OF_THE_HOST: [&str; 7] =
    ["MOORLINE_", "KITTY_", "GHOSTTY_", "WEZTERM_", "ITERM_", "KONSOLE_", "VSCODE_"];

impl Environment {
    pub(super) fn of_this_process() -> Self {
        let user = User::from_uid(nix::unistd::getuid()).ok().flatten();
        Self { variables: std::env::vars_os().collect(), user }
    }

    /// The user's shell.
    pub(super) fn shell(&self) -> PathBuf {
        let usable = |path: &PathBuf| path.is_absolute() && path.is_file();
        let chosen = self.variables.get(&OsString::from("SHELL")).map(PathBuf::from);
        let listed = self.user.as_ref().map(|user| user.shell.clone());
        chosen.filter(usable).or_else(|| listed.filter(usable)).unwrap_or("/bin/sh".into())
    }

    /// The user's home.
    pub(super) fn home(&self) -> PathBuf {
        let chosen = self.variables.get(&OsString::from("HOME")).map(PathBuf::from);
        let listed = self.user.as_ref().map(|user| user.dir.clone());
        chosen.filter(|path| path.is_absolute()).or(listed).unwrap_or("/".into())
    }

    /// Every variable of a program that is started with `given` set besides.
    pub(super) fn for_program(
        &self,
        given: &BTreeMap<String, String>,
    ) -> BTreeMap<OsString, OsString> {
        let mut variables = self.variables.clone();
        variables.retain(|name, _| {
            let begins = |prefix: &&str| name.as_encoded_bytes().starts_with(prefix.as_bytes());
            !PREFIXES_OF_THE_HOST.iter().any(begins)
                && !OF_THE_HOST.iter().any(|of_host| name == of_host)
        });
        variables.insert("TERM".into(), "xterm-256color".into());
        variables.insert("COLORTERM".into(), "truecolor".into());
        let mut default = |name: &str, value: OsString| {
            variables.entry(name.into()).or_insert(value);
        };
        default("HOME", self.home().into());
        default("SHELL", self.shell().into());
        if let Some(user) = &self.user {
            default("USER", user.name.clone().into());
            default("LOGNAME", user.name.clone().into());
        }
        variables.extend(given.iter().map(|(name, value)| (name.into(), value.into())));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"];
        if !locale
            .iter()
            .any(|name| variables.get(&OsString::from(name)).is_some_and(|value| !value.is_empty()))
        {
            variables.insert("LANG".into(), UTF8_LOCALE.into());
        }
        variables
    }
}

#[cfg(target_os = "macos")]
const UTF8_LOCALE: &str = "en_US.UTF-8";
#[cfg(not(target_os = "macos"))]
const UTF8_LOCALE: &str = "C.UTF-8";

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Environment { variables: variables.collect(), user: None }
    }

    fn get<'a>(variables: &'a BTreeMap<OsString, OsString>, name: &str) -> Option<&'a str> {
        variables.get(&OsString::from(name)).and_then(|value| value.to_str())
    }

    #[test]
    fn secrets_and_the_outer_terminal_stay_out() {
        let host = environment(&[
            ("MOORLINE_TOKEN", "secret"),
            ("MOORLINE_DATA_DIR", "/d"),
            ("TMUX", "/tmp/t"),
            ("KITTY_SHELL_INTEGRATION", "enabled"),
            ("TERM", "dumb"),
            ("PATH", "/bin"),
        ]);
        let given = BTreeMap::from([("MOORLINE_SESSION".to_owned(), "abcdefgh".to_owned())]);
        let variables = host.for_program(&given);
        assert_eq!(get(&variables, "MOORLINE_TOKEN"), None);
        assert_eq!(get(&variables, "MOORLINE_DATA_DIR"), None);
        assert_eq!(get(&variables, "TMUX"), None);
        assert_eq!(get(&variables, "KITTY_SHELL_INTEGRATION"), None);
        assert_eq!(get(&variables, "MOORLINE_SESSION"), Some("abcdefgh"));
        assert_eq!(get(&variables, "TERM"), Some("xterm-256color"));
        assert_eq!(get(&variables, "COLORTERM"), Some("truecolor"));
        assert_eq!(get(&variables, "PATH"), Some("/bin"));
    }

    #[test]
    fn a_utf8_locale_is_set_where_there_is_none() {
        let none = BTreeMap::new();
        assert_eq!(get(&environment(&[]).for_program(&none), "LANG"), Some(UTF8_LOCALE));
        let empty = environment(&[("LANG", "")]);
        assert_eq!(get(&empty.for_program(&none), "LANG"), Some(UTF8_LOCALE));
        let german = environment(&[("LC_ALL", "de_DE.UTF-8")]);
        assert_eq!(get(&german.for_program(&none), "LANG"), None);
        let given = BTreeMap::from([("LANG".to_owned(), "sv_SE.UTF-8".to_owned())]);
        assert_eq!(get(&environment(&[]).for_program(&given), "LANG"), Some("sv_SE.UTF-8"));
    }

    #[test]
    fn a_shell_that_is_not_there_is_not_used() {
        assert_eq!(environment(&[("SHELL", "/no/such/shell")]).shell(), PathBuf::from("/bin/sh"));
        assert_eq!(environment(&[("HOME", "relative")]).home(), PathBuf::from("/"));
    }
}
