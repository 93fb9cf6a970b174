//! The folders in which programs of agents are found.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Folders within the home where package managers and installers put programs.
const IN_HOME: &[&str] = &[
    ".local/bin",
    "bin",
    ".npm-global/bin",
    ".npm-packages/bin",
    ".local/share/npm/bin",
    ".volta/bin",
    ".bun/bin",
    ".local/share/pnpm",
    "Library/pnpm",
    ".local/share/mise/shims",
    ".asdf/shims",
    ".cargo/bin",
    ".opencode/bin",
];
/// Such folders of the machine. A host that a service manager started may not have them in `PATH`.
const ON_MACHINE: &[&str] = &[
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/usr/bin",
    "/bin",
    "/snap/bin",
];
/// The folder within the home where nvm keeps the versions of Node.js, each with its own programs.
const NVM_VERSIONS: &str = ".nvm/versions/node";
/// The most versions of Node.js that are searched.
const NVM_VERSIONS_MOST: usize = 32;
/// The most bytes of npm's settings that are read.
const NPMRC_BYTES: u64 = 64 * 1024;

/// The folders of programs, in the order of a search.
#[derive(Debug, Clone)]
pub(super) struct ProgramFolders {
    home: PathBuf,
    folders: Vec<PathBuf>,
}

impl ProgramFolders {
    /// Returns the folders of the host's own `PATH`, then the usual ones.
    pub(super) fn of_this_process() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let prefix = std::env::var_os("NPM_CONFIG_PREFIX").map(PathBuf::from);
        let prefix = prefix.map(|prefix| prefix.join("bin"));
        let own: Vec<_> = std::env::split_paths(&path).chain(prefix).collect();
        let mut all = Self::new(&home.unwrap_or_else(|| "/".into()), &own);
        ON_MACHINE.iter().for_each(|folder| all.add(folder.into()));
        all
    }

    /// Returns these folders, then the usual ones of a home. A folder that is not absolute is left
    /// out: programs of the current folder are not the user's.
    pub(super) fn new(home: &Path, own: &[PathBuf]) -> Self {
        let mut all = Self { home: home.to_owned(), folders: Vec::new() };
        own.iter().for_each(|folder| all.add(folder.clone()));
        if let Some(prefix) = npm_prefix(home) {
            all.add(prefix.join("bin"));
        }
        IN_HOME.iter().for_each(|folder| all.add(home.join(folder)));
        nvm_versions(home).into_iter().for_each(|version| all.add(version.join("bin")));
        all
    }

    /// Returns the user's home.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Returns the path of a program; `None` if no folder has it.
    pub(super) fn find(&self, program: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(program)).find(|path| is_executable(path))
    }

    /// Returns the folders that exist, as a value of `PATH`.
    pub(super) fn path(&self) -> OsString {
        let there = self.folders.iter().filter(|folder| folder.is_dir());
        // A folder with a colon in its name cannot be in a `PATH`.
        let there = there.filter(|folder| std::env::join_paths([folder]).is_ok());
        std::env::join_paths(there).unwrap_or_default()
    }

    fn add(&mut self, folder: PathBuf) {
        if folder.is_absolute() && !self.folders.contains(&folder) {
            self.folders.push(folder);
        }
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Returns the `prefix` of npm's settings, where it installs global packages.
fn npm_prefix(home: &Path) -> Option<PathBuf> {
    let mut settings = String::new();
    let file = File::open(home.join(".npmrc")).ok()?;
    file.take(NPMRC_BYTES).read_to_string(&mut settings).ok()?;
    let mut values = settings.lines().filter_map(|line| line.split_once('='));
    let prefix = values.rfind(|(name, _)| name.trim() == "prefix")?.1;
    let prefix = prefix.trim().trim_matches(['"', '\'']);
    let in_home = ["~/", "${HOME}/"].iter().find_map(|home| prefix.strip_prefix(home));
    Some(in_home.map_or_else(|| prefix.into(), |rest| home.join(rest)))
}

/// Returns the versions of Node.js that nvm has installed, newest first.
fn nvm_versions(home: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(home.join(NVM_VERSIONS)) else { return Vec::new() };
    let mut versions: Vec<PathBuf> = found.filter_map(|it| it.ok().map(|it| it.path())).collect();
    versions.sort_by_cached_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = name.trim_start_matches('v').split('.').map(|part| part.parse::<u64>().ok());
        std::cmp::Reverse(numbers.collect::<Vec<_>>())
    });
    versions.truncate(NVM_VERSIONS_MOST);
    versions
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes a shell script as a program, and returns its path.
    pub(crate) fn install(path: &Path, script: &str) -> String {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_program_is_found_in_the_path_before_the_usual_folders() {
        let folder = tempfile::tempdir().unwrap();
        let (home, own) = (folder.path().join("home"), folder.path().join("own"));
        let folders = || ProgramFolders::new(&home, &[own.clone(), "relative".into(), "".into()]);
        assert_eq!(folders().find("agent"), None);
        let mut installed = Vec::new();
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(".npmrc"), "a=b\n prefix = ${HOME}/node\n").unwrap();
        // Each place comes before those before it.
        for place in [
            home.join(".nvm/versions/node/v9.11.0/bin"),
            home.join(".nvm/versions/node/v22.1.0/bin"),
            home.join(".npm-global/bin"),
            home.join(".local/bin"),
            home.join("node/bin"),
            own.clone(),
        ] {
            let path = install(&place.join("agent"), "exit 0");
            assert_eq!(folders().find("agent"), Some(path.into()));
            installed.push(place);
        }
        installed.reverse();
        assert_eq!(folders().path(), std::env::join_paths(installed).unwrap());
    }

    #[test]
    fn only_a_file_that_can_be_run_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let folders = ProgramFolders::new(folder.path(), &[folder.path().join("own")]);
        fs::create_dir_all(folder.path().join("own/folder")).unwrap();
        fs::write(folder.path().join("own/text"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("own/link")).unwrap();
        for name in ["folder", "text", "link", "none"] {
            assert_eq!(folders.find(name), None, "{name}");
        }
    }

    #[test]
    fn the_folders_of_this_process_have_a_shell() {
        let folders = ProgramFolders::of_this_process();
        assert!(folders.find("sh").is_some());
        assert!(!folders.path().is_empty() && folders.home().is_absolute());
    }
}
