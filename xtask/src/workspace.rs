//! The checkout's folders, and commands that find the project's own tools.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The checkout that this program was built from.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    kept: PathBuf,
    path: OsString,
}

impl Workspace {
    /// Locates the checkout, its target folder and the user's cache folder.
    pub(crate) fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask is not in a workspace")?
            .to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |set| root.join(set));
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let tools = tools_dir(&target);
        let first = [tools.join("bin"), root.join("client/node_modules/.bin")];
        // Last, because it has a Python of its own.
        let last = tools.join("python/bin");
        let folders = first.into_iter().chain(std::env::split_paths(&inherited)).chain([last]);
        let path = std::env::join_paths(folders)
            .context("a folder of PATH or of this checkout has a name that PATH can't hold")?;
        let kept = kept_dir(|name| std::env::var_os(name))
            .context("set HOME or XDG_CACHE_HOME: xtask installs its tools below it")?;
        Ok(Self { root, target, kept, path })
    }

    /// The project's own tools in this checkout: links into the user's cache folder. Programs are
    /// in `bin/` below it.
    pub(crate) fn tools(&self) -> PathBuf {
        tools_dir(&self.target)
    }

    /// The user's cache folder of tools, shared by every checkout. Each version has its own folder.
    pub(crate) fn kept(&self) -> &Path {
        &self.kept
    }

    /// The client's files as they are served.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The target folder for wasm32, separate so that its builds can run beside native ones.
    pub(crate) fn web_target(&self) -> PathBuf {
        self.target.join("web")
    }

    /// A command in the checkout's root that finds the project's own tools first.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let mut command = Command::new(self.find(program).unwrap_or_else(|| program.to_owned()));
        command.current_dir(&self.root).env("PATH", &self.path);
        // Cargo sets these variables for the package that it runs, which is this one. Build scripts
        // watch them, and would run again whenever a build is started from here instead of by hand.
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in names {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// The PATH of commands, with one more folder before all others.
    ///
    /// # Errors
    /// If PATH can't hold the folder's name.
    pub(crate) fn path_behind(&self, first: &Path) -> Result<OsString> {
        let folders = std::env::split_paths(&self.path);
        std::env::join_paths(std::iter::once(first.to_owned()).chain(folders))
            .with_context(|| format!("PATH can't hold {}", first.display()))
    }

    /// The cargo that runs this, for native builds.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// The cargo that runs this, for builds for wasm32.
    pub(crate) fn cargo_web(&self, arguments: &[&str]) -> Command {
        let mut command = self.cargo(arguments);
        command.env("CARGO_TARGET_DIR", self.web_target());
        command
    }

    /// Finds a program by its name: the project's own first, then on PATH.
    pub(crate) fn find(&self, program: &Path) -> Option<PathBuf> {
        std::env::split_paths(&self.path)
            .map(|folder| folder.join(program))
            .find(|file| file.is_file())
    }

    /// Returns true if a program is found.
    pub(crate) fn has(&self, program: &str) -> bool {
        self.find(Path::new(program)).is_some()
    }

    /// The version that `Cargo.lock` names for a package.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String> {
        let lock = std::fs::read_to_string(self.root.join("Cargo.lock"))
            .context("can't read Cargo.lock")?;
        locked_version(&lock, package)
            .with_context(|| format!("Cargo.lock does not contain {package}"))
    }
}

/// The cache folder, by the rules of freedesktop.org: a relative path is ignored.
fn kept_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("moorline/tools"))
}

fn tools_dir(target: &Path) -> PathBuf {
    target.join("tools")
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"ab\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked_version(lock, "ab").as_deref(), Some("2.0.0"));
        assert_eq!(locked_version(lock, "b"), None);
    }

    #[test]
    fn tools_are_kept_where_the_user_keeps_caches() {
        let kept = |set: &[(&str, &str)]| {
            kept_dir(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
            })
        };
        let of = |path: &str| Some(PathBuf::from(path));
        assert_eq!(kept(&[("HOME", "/home/a")]), of("/home/a/.cache/moorline/tools"));
        let both = [("HOME", "/home/a"), ("XDG_CACHE_HOME", "/cache")];
        assert_eq!(kept(&both), of("/cache/moorline/tools"));
        let relative = [("HOME", "/home/a"), ("XDG_CACHE_HOME", "cache")];
        assert_eq!(kept(&relative), of("/home/a/.cache/moorline/tools"));
        assert_eq!(kept(&[]), None);
    }

    #[test]
    fn the_projects_own_tools_come_first() {
        let workspace = Workspace::new().unwrap();
        let first = std::env::split_paths(&workspace.path).next().unwrap();
        assert_eq!(first, workspace.tools().join("bin"));
    }
}
