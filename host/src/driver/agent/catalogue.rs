//! The coding agents that can be started by their id, and the ways to find and install them.
//!
//! All of them speak the Agent Client Protocol, by themselves or through an adapter. Any other
//! agent that speaks it can be started by its command.
//!
//! Every function here accesses the file system, and may run programs to learn their versions: call
//! it where blocking is allowed.

mod folders;
mod version;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use moorline_shared::agent::spec::KnownAgent;

use folders::ProgramFolders;
use version::{VersionCache, is_older};

/// The error for an agent that cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingAgent {
    /// No agent has this id.
    #[error("the agent `{id}` is not known: choose one of `{known}`, or give its command")]
    Unknown {
        /// The id that was asked for.
        id: String,
        /// The ids of all agents.
        known: String,
    },
    /// A program that the agent needs was not found.
    #[error("{name} is not installed here: `{program}` was not found. To install it: `{install}`")]
    NotInstalled {
        /// The name of the agent.
        name: &'static str,
        /// The program.
        program: &'static str,
        /// The command that installs it.
        install: String,
    },
}

/// An agent that can be started by its id.
#[derive(Debug)]
struct CatalogueEntry {
    id: &'static str,
    name: &'static str,
    /// The program that speaks the protocol.
    program: &'static str,
    /// Its arguments.
    arguments: &'static [&'static str],
    /// The arguments of versions before one, such as 0.33.
    before: Option<([u64; 2], &'static [&'static str])>,
    /// Another program that it runs.
    needs: Option<&'static str>,
    /// The npm package that contains the program. Its `package.json` tells the version.
    package: Option<&'static str>,
    /// True if the program prints its version if it is run with `--version`.
    has_version_flag: bool,
    /// The command that installs it, unless `npm install -g` of its package does.
    install: Option<&'static str>,
    login: &'static str,
    /// Versions of the package that change files without asking, as they are installed. `cargo
    /// xtask agents` tells.
    acts_alone: &'static [&'static str],
}

/// What most entries have in common.
const PLAIN: CatalogueEntry = CatalogueEntry {
    id: "",
    name: "",
    program: "",
    arguments: &[],
    before: None,
    needs: None,
    package: None,
    has_version_flag: true,
    install: None,
    login: "",
    acts_alone: &[],
};

/// All agents, the most common first. Their commands are those of the registry of the Agent Client
/// Protocol.
const ENTRIES: &[CatalogueEntry] = &[
    CatalogueEntry {
        id: "claude-code",
        name: "Claude Code",
        program: "claude-agent-acp",
        package: Some("@agentclientprotocol/claude-agent-acp"),
        has_version_flag: false,
        acts_alone: &["0.101.0"],
        login: "Run `claude-agent-acp --cli` (or `claude`) and log in with `/login`, or set \
                `ANTHROPIC_API_KEY`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "codex",
        name: "Codex",
        program: "codex-acp",
        package: Some("@agentclientprotocol/codex-acp"),
        has_version_flag: false,
        acts_alone: &["2.6.0"],
        login: "Run `codex login`, or set `OPENAI_API_KEY`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "gemini",
        name: "Gemini CLI",
        program: "gemini",
        arguments: &["--acp"],
        before: Some(([0, 33], &["--experimental-acp"])),
        package: Some("@google/gemini-cli"),
        login: "Run `gemini` and sign in, or set `GEMINI_API_KEY`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "opencode",
        name: "OpenCode",
        program: "opencode",
        arguments: &["acp"],
        package: Some("opencode-ai"),
        acts_alone: &["1.18.33"],
        login: "Run `opencode auth login`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "pi",
        name: "Pi",
        program: "pi-acp",
        needs: Some("pi"),
        package: Some("pi-acp"),
        has_version_flag: false,
        acts_alone: &["0.0.34"],
        install: Some("npm install -g @earendil-works/pi-coding-agent pi-acp"),
        login: "Run `pi` and log in with `/login`, or set the key of a provider, such as \
                `ANTHROPIC_API_KEY`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "goose",
        name: "goose",
        program: "goose",
        arguments: &["acp"],
        install: Some(
            "curl -fsSL https://github.com/block/goose/releases/download/stable/download_cli.sh | bash",
        ),
        login: "Run `goose configure`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "qwen-code",
        name: "Qwen Code",
        program: "qwen",
        arguments: &["--acp"],
        package: Some("@qwen-code/qwen-code"),
        login: "Run `qwen` and log in with `/auth`, or set `OPENAI_API_KEY`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "github-copilot",
        name: "GitHub Copilot",
        program: "copilot",
        arguments: &["--acp"],
        package: Some("@github/copilot"),
        login: "Run `copilot` and log in with `/login`, or set `GH_TOKEN`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "cursor",
        name: "Cursor",
        program: "cursor-agent",
        arguments: &["acp"],
        install: Some("curl https://cursor.com/install -fsS | bash"),
        login: "Run `cursor-agent login`, or set `CURSOR_API_KEY`.",
        ..PLAIN
    },
    CatalogueEntry {
        id: "kimi",
        name: "Kimi CLI",
        program: "kimi",
        arguments: &["acp"],
        install: Some("uv tool install kimi-cli"),
        login: "Run `kimi` and log in with `/login`.",
        ..PLAIN
    },
];

/// The agents of this machine.
static HERE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::new(ProgramFolders::of_this_process()));

/// Lists all agents, installed or not. Blocks, for a few seconds at most.
#[must_use]
pub fn agents() -> Vec<KnownAgent> {
    HERE.agents()
}

/// Returns the command that starts an agent: the absolute path of its program, and its arguments.
/// Run it with [`search_path`] as `PATH`. Blocks, for a few seconds at most.
///
/// # Errors
/// [`MissingAgent`], which says what to do.
pub fn find(id: &str) -> Result<Vec<String>, MissingAgent> {
    HERE.find(id)
}

/// Returns the command that starts an agent on another machine, where nothing can be looked up.
///
/// # Errors
/// [`MissingAgent::Unknown`].
pub fn command_elsewhere(id: &str) -> Result<Vec<String>, MissingAgent> {
    let entry = Catalogue::entry(id)?;
    let words = std::iter::once(&entry.program).chain(entry.arguments);
    Ok(words.map(|word| (*word).to_owned()).collect())
}

/// Returns the installed version of an agent; `None` if it is not installed, or does not say. Blocks,
/// for a few seconds at most.
#[must_use]
pub fn version(id: &str) -> Option<String> {
    let entry = ENTRIES.iter().find(|entry| entry.id == id)?;
    HERE.look(entry).version
}

/// Returns false if the installed version of an agent was seen to change files or run commands
/// without asking. `None` if that is not known. Blocks for a moment.
#[must_use]
pub fn asks(id: &str) -> Option<bool> {
    HERE.asks(id)
}

/// Returns the `PATH` to run an agent with: the host's own, followed by the folders where agents
/// are usually installed. Agents find there what runs them, such as `node`.
#[must_use]
pub fn search_path() -> OsString {
    HERE.folders.path()
}

/// The agents that are found in some folders.
#[derive(Debug)]
struct Catalogue {
    folders: ProgramFolders,
    versions: VersionCache,
    /// Held while all agents are looked for, so that many requests do not run many programs.
    turn: Mutex<()>,
}

impl CatalogueEntry {
    fn install(&self) -> String {
        match (self.install, self.package) {
            (Some(install), _) => install.to_owned(),
            (None, package) => format!("npm install -g {}", package.unwrap_or(self.program)),
        }
    }

    fn asks(&self, version: &str) -> Option<bool> {
        self.acts_alone.contains(&version).then_some(false)
    }

    fn arguments(&self, version: Option<&str>) -> &'static [&'static str] {
        match (self.before, version) {
            (Some((first, arguments)), Some(version)) if is_older(version, first) => arguments,
            _ => self.arguments,
        }
    }
}

impl Catalogue {
    fn new(folders: ProgramFolders) -> Self {
        Self { folders, versions: VersionCache::default(), turn: Mutex::new(()) }
    }

    fn agents(&self) -> Vec<KnownAgent> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Programs that print their version take up to seconds, so they run at the same time.
        std::thread::scope(|scope| {
            let looked = ENTRIES.iter().map(|entry| scope.spawn(|| self.look(entry)));
            let looked: Vec<_> = looked.collect();
            looked.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }

    fn entry(id: &str) -> Result<&'static CatalogueEntry, MissingAgent> {
        ENTRIES.iter().find(|entry| entry.id == id).ok_or_else(|| {
            let ids: Vec<_> = ENTRIES.iter().map(|entry| entry.id).collect();
            MissingAgent::Unknown { id: id.to_owned(), known: ids.join("`, `") }
        })
    }

    fn find(&self, id: &str) -> Result<Vec<String>, MissingAgent> {
        let entry = Self::entry(id)?;
        let program = self.program(entry)?;
        // Asking a program for its version takes time, so it is only asked if it matters.
        let version = entry.before.and_then(|_| self.version(entry, &program));
        Ok(command(entry, &program, version.as_deref()))
    }

    /// Looks at the version of the package only: no program is run.
    fn asks(&self, id: &str) -> Option<bool> {
        let entry = ENTRIES.iter().find(|entry| entry.id == id)?;
        let version = version::of_package(&self.program(entry).ok()?, entry.package?)?;
        entry.asks(&version)
    }

    fn look(&self, entry: &CatalogueEntry) -> KnownAgent {
        let program = self.program(entry).ok();
        let version = program.as_ref().and_then(|program| self.version(entry, program));
        KnownAgent {
            id: entry.id.to_owned(),
            name: entry.name.to_owned(),
            command: program.map(|program| command(entry, &program, version.as_deref())),
            asks: version.as_deref().and_then(|version| entry.asks(version)),
            version,
            install: entry.install(),
            login: entry.login.to_owned(),
        }
    }

    /// Returns the path of an agent's program. Other programs that it needs are here too.
    fn program(&self, entry: &CatalogueEntry) -> Result<PathBuf, MissingAgent> {
        let found = |program: &'static str| {
            self.folders.find(program).ok_or_else(|| MissingAgent::NotInstalled {
                name: entry.name,
                program,
                install: entry.install(),
            })
        };
        entry.needs.map_or(Ok(()), |needed| found(needed).map(drop))?;
        found(entry.program)
    }

    fn version(&self, entry: &CatalogueEntry, program: &Path) -> Option<String> {
        let packaged = entry.package.and_then(|package| version::of_package(program, package));
        packaged.or_else(|| {
            entry.has_version_flag.then(|| self.versions.get(program, &self.folders)).flatten()
        })
    }
}

fn command(entry: &CatalogueEntry, program: &Path, version: Option<&str>) -> Vec<String> {
    let program = program.to_string_lossy().into_owned();
    let arguments = entry.arguments(version).iter().map(|word| (*word).to_owned());
    std::iter::once(program).chain(arguments).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::folders::tests::install;
    use super::*;

    fn catalogue(folder: &Path) -> Catalogue {
        Catalogue::new(ProgramFolders::new(folder, &[folder.join("bin")]))
    }

    fn words(command: &[&str]) -> Vec<String> {
        command.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn each_agent_has_an_id_and_says_how_to_install_it_and_to_log_in() {
        let folder = tempfile::tempdir().unwrap();
        let agents = catalogue(folder.path()).agents();
        let ids: BTreeSet<_> = agents.iter().map(|agent| &agent.id).collect();
        assert_eq!((ids.len(), agents.len()), (ENTRIES.len(), ENTRIES.len()));
        for agent in &agents {
            assert!(agent.command.is_none() && agent.version.is_none(), "{agent:?}");
            assert!(agent.login.ends_with('.') && !agent.name.is_empty(), "{agent:?}");
            let error = catalogue(folder.path()).find(&agent.id).unwrap_err().to_string();
            assert!(error.contains(&agent.install), "{error}");
        }
        // Nothing is lost on the way through a relay.
        assert_eq!(KnownAgent::cleaned(agents.clone()), agents);
        let error = catalogue(folder.path()).find("hal").unwrap_err().to_string();
        assert!(error.contains("`hal`") && error.contains("`claude-code`, `codex`"), "{error}");
    }

    #[test]
    fn what_is_installed_has_a_command_and_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let goose = install(&folder.path().join("bin/goose"), "echo goose 1.50.1");
        let catalogue = catalogue(folder.path());
        let agents = catalogue.agents();
        let found = agents.iter().find(|agent| agent.id == "goose").unwrap();
        assert_eq!(found.command, Some(words(&[&goose, "acp"])));
        assert_eq!(found.version.as_deref(), Some("1.50.1"));
        assert_eq!(agents.iter().filter(|agent| agent.command.is_some()).count(), 1);
        assert_eq!(catalogue.find("goose"), Ok(words(&[&goose, "acp"])));
    }

    #[test]
    fn a_version_that_acts_alone_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("lib/codex-acp");
        let program = install(&package.join("dist/index.js"), "exit 1");
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(program, folder.path().join("bin/codex-acp")).unwrap();
        for (version, asks) in [("2.6.0", Some(false)), ("2.5.0", None)] {
            let named =
                format!(r#"{{"name":"@agentclientprotocol/codex-acp","version":"{version}"}}"#);
            std::fs::write(package.join("package.json"), named).unwrap();
            let catalogue = catalogue(folder.path());
            let codex = catalogue.agents().into_iter().find(|agent| agent.id == "codex").unwrap();
            assert_eq!((codex.asks, catalogue.asks("codex")), (asks, asks));
        }
    }

    #[test]
    fn an_adapter_is_not_there_without_its_agent() {
        let folder = tempfile::tempdir().unwrap();
        let adapter = install(&folder.path().join("bin/pi-acp"), "exit 1");
        let catalogue = catalogue(folder.path());
        let error = catalogue.find("pi").unwrap_err();
        assert!(matches!(error, MissingAgent::NotInstalled { program: "pi", .. }), "{error}");
        install(&folder.path().join("bin/pi"), "exit 1");
        assert_eq!(catalogue.find("pi"), Ok(words(&[&adapter])));
    }

    #[test]
    fn an_older_version_has_its_own_arguments() {
        for (version, argument) in [
            ("echo 0.32.9", "--experimental-acp"),
            ("echo 0.33.0-preview.11", "--acp"),
            ("echo 1.0.0", "--acp"),
            ("exit 1", "--acp"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let gemini = install(&folder.path().join("bin/gemini"), version);
            assert_eq!(catalogue(folder.path()).find("gemini"), Ok(words(&[&gemini, argument])));
        }
    }

    #[test]
    fn a_program_that_would_not_print_its_version_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let ran = folder.path().join("ran");
        let script = format!("touch {}; echo 1.0.0", ran.display());
        install(&folder.path().join("bin/codex-acp"), &script);
        let agents = catalogue(folder.path()).agents();
        let codex = agents.iter().find(|agent| agent.id == "codex").unwrap();
        assert!(codex.command.is_some() && codex.version.is_none(), "{codex:?}");
        assert!(!ran.exists());
    }
}
