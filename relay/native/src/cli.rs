//! The command line: its commands, and options that several of them have.

mod acp;
mod ask;
mod attach;
mod completion;
mod credential;
mod host;
mod keep;
mod listen;
mod open;
mod pane_pipe;
mod pods;
mod reach;
mod relay;
mod rules;
mod serve;
mod sessions;
mod state;
mod token;
mod token_store;
mod trust;
mod unreachable;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::http::openapi_document;
use crate::console;
pub use completion::answer_shell;

const EXAMPLES: &str = "Examples:
  moorline serve                          run a relay here; prints the address to open
  moorline host --relay URL --token-file FILE
                                          run sessions here, for a relay elsewhere
  moorline open                           open the page in a browser, signed in
  moorline new -- htop                    start a session and attach; Ctrl-] d detaches
  moorline ls                             the sessions that run
  moorline attach NAME                    one of them on this terminal, by id or name
  moorline kill NAME                      end it and remove it
  moorline token new                      another admin token, with its address
  moorline token new --scope session:ID:read --expires 7d
                                          a link to watch one session for a week
  moorline ask --command 'make deploy' && make deploy
                                          in a session: run it once somebody approves

Every option can be set in the environment too, as MOORLINE_LISTEN for --listen.";

/// Keeps terminal sessions alive and lets you reach them from a browser, through any disconnect.
#[derive(Debug, Parser)]
#[command(name = "moorline", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run a relay on this machine, and the sessions that it starts.
    Serve(serve::ServeOptions),
    /// Run sessions on this machine and publish them to a relay, here or elsewhere.
    Host(host::HostOptions),
    /// Hold a program's standard streams for a host, so that it outlives the host.
    #[command(hide = true)]
    Keep(keep::KeepOptions),
    /// Hand the output of a pane of tmux over to a host.
    #[command(hide = true)]
    PanePipe(pane_pipe::PanePipeOptions),
    /// Print the page's address with a code that lets one browser in, and open it on a desktop.
    Open(open::OpenOptions),
    /// Start a session and attach to it.
    New(sessions::NewOptions),
    /// List the sessions, newest first.
    #[command(visible_alias = "list")]
    Ls(sessions::ListOptions),
    /// Show and steer a session on this terminal.
    Attach(attach::AttachOptions),
    /// Make agent sessions available to an editor that speaks the Agent Client Protocol.
    Acp(acp::AcpOptions),
    /// In a session: ask its people to approve a command, and wait for the answer.
    Ask(ask::AskOptions),
    /// In a session: tell its people what the program does.
    State(state::StateOptions),
    /// End sessions and remove them.
    Kill(sessions::KillOptions),
    /// Keep files on the relay, in sync with folders.
    Workspace(workspace::WorkspaceOptions),
    /// Make, list and revoke tokens; works while the relay runs.
    Token(token::TokenOptions),
    /// Print a script that completes this program's options and sessions in a shell.
    ///
    /// In bash and zsh: `source <(moorline completion bash)`, or zsh; in fish: `moorline completion
    /// fish | source`.
    Completion(completion::CompletionOptions),
    /// Print the API's description, as the relay serves it at /api/openapi.json.
    Openapi {
        /// Leave out the deprecated routes under /claude/api/claude.
        #[arg(long)]
        no_legacy: bool,
    },
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// The reason that it fails, for people.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            CliCommand::Serve(options) => serve::run(options)?,
            CliCommand::Host(options) => host::run(options)?,
            CliCommand::Keep(options) => keep::run(options)?,
            CliCommand::PanePipe(options) => pane_pipe::run(&options)?,
            CliCommand::Open(options) => return open::run(&options),
            CliCommand::New(options) => return sessions::new(options),
            CliCommand::Ls(options) => return sessions::list(&options),
            CliCommand::Attach(options) => return attach::run(&options),
            CliCommand::Acp(options) => acp::run(&options)?,
            CliCommand::Ask(options) => return ask::run(options),
            CliCommand::State(options) => return Ok(state::run(options)),
            CliCommand::Kill(options) => return sessions::kill(&options),
            CliCommand::Workspace(options) => return workspace::run(options),
            CliCommand::Token(options) => token::run(&options)?,
            CliCommand::Completion(options) => completion::run(&options)?,
            CliCommand::Openapi { no_legacy } => {
                console::print(&String::from_utf8_lossy(&openapi_document(!no_legacy)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The option that names the data folder.
#[derive(Debug, clap::Args)]
struct DataDir {
    /// The folder that keeps sessions and tokens [default: the user's data folder, as
    /// ~/.local/share/moorline].
    #[arg(long, env = "MOORLINE_DATA_DIR", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    /// Returns the folder. Without the option, it is found by the XDG rules.
    fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.data_dir {
            return Ok(path.clone());
        }
        let absolute = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let data = absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
            .ok_or_else(|| anyhow::anyhow!("HOME is not set: name a folder with --data-dir"))?;
        Ok(data.join("moorline"))
    }
}

/// Returns the address to open. The token is in the fragment, which no server or log sees.
fn address_to_open(base: &str, token: &str) -> String {
    format!("{}/#token={token}", base.trim_end_matches('/'))
}
