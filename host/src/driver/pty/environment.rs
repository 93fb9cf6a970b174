//! The variables that a session's program gets, and the user that it runs for.
//!
//! A session outlives the login, the terminal and the service that its host was started from, so
//! variables that describe those are not passed on (see [`outer`]).

mod outer;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use nix::unistd::User;

/// The host's own variables, and the user that it runs as.
pub(in crate::driver) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    user: Option<User>,
}

impl Environment {
    pub(in crate::driver) fn of_this_process() -> Self {
        let user = User::from_uid(nix::unistd::getuid()).ok().flatten();
        Self { variables: std::env::vars_os().collect(), user }
    }

    /// Returns the user's shell.
    pub(in crate::driver) fn shell(&self) -> PathBuf {
        let usable = |path: &PathBuf| path.is_absolute() && path.is_file();
        let chosen = self.variables.get(&OsString::from("SHELL")).map(PathBuf::from);
        let listed = self.user.as_ref().map(|user| user.shell.clone());
        chosen.filter(usable).or_else(|| listed.filter(usable)).unwrap_or("/bin/sh".into())
    }

    /// Returns the user's home.
    pub(in crate::driver) fn home(&self) -> PathBuf {
        let chosen = self.variables.get(&OsString::from("HOME")).map(PathBuf::from);
        let listed = self.user.as_ref().map(|user| user.dir.clone());
        chosen.filter(|path| path.is_absolute()).or(listed).unwrap_or("/".into())
    }

    /// Returns the home of the user `name`, like a shell's `~name`; `None` if the user does not
    /// exist.
    pub(in crate::driver) fn home_of(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() {
            return Some(self.home());
        }
        User::from_name(name).ok().flatten().map(|user| user.dir)
    }

    /// Returns all variables of a program that is started in the folder `cwd` with `given` added.
    pub(in crate::driver) fn for_program(
        &self,
        cwd: &Path,
        given: &BTreeMap<String, String>,
    ) -> BTreeMap<OsString, OsString> {
        let mut variables = outer::without_outer(&self.variables);
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
        // If it leads to the current folder, a shell uses it, and so keeps the name of a symlink.
        if let Some(folder) = logical(cwd) {
            variables.insert("PWD".into(), folder.into());
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

/// Returns the path as a shell spells it: absolute, without `.` and doubled slashes. `None` if it
/// contains `..`, which a shell and the system resolve differently behind a symlink.
fn logical(path: &Path) -> Option<PathBuf> {
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    (path.is_absolute() && path.components().all(is_plain)).then(|| path.components().collect())
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
        let variables = host.for_program(Path::new("/"), &given);
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
        assert_eq!(
            get(&environment(&[]).for_program(Path::new("/"), &none), "LANG"),
            Some(UTF8_LOCALE)
        );
        let empty = environment(&[("LANG", "")]);
        assert_eq!(get(&empty.for_program(Path::new("/"), &none), "LANG"), Some(UTF8_LOCALE));
        let german = environment(&[("LC_ALL", "de_DE.UTF-8")]);
        assert_eq!(get(&german.for_program(Path::new("/"), &none), "LANG"), None);
        let given = BTreeMap::from([("LANG".to_owned(), "sv_SE.UTF-8".to_owned())]);
        assert_eq!(
            get(&environment(&[]).for_program(Path::new("/"), &given), "LANG"),
            Some("sv_SE.UTF-8")
        );
    }

    #[test]
    fn the_folder_is_told_as_a_shell_spells_it() {
        let host = environment(&[("PWD", "/of/the/host"), ("OLDPWD", "/before")]);
        let none = BTreeMap::new();
        let told = |cwd: &str| {
            let variables = host.for_program(Path::new(cwd), &none);
            assert_eq!(get(&variables, "OLDPWD"), None);
            get(&variables, "PWD").map(str::to_owned)
        };
        assert_eq!(told("/a//link/./x/").as_deref(), Some("/a/link/x"));
        assert_eq!(told("/").as_deref(), Some("/"));
        assert_eq!(told("/a/link/../x"), None);
    }

    #[test]
    fn a_shell_that_is_not_there_is_not_used() {
        assert_eq!(environment(&[("SHELL", "/no/such/shell")]).shell(), PathBuf::from("/bin/sh"));
        assert_eq!(environment(&[("HOME", "relative")]).home(), PathBuf::from("/"));
    }
}
