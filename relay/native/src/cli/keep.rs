//! `moorline keep`, which a host starts for a program that must outlive it.

use std::ffi::OsString;
use std::path::PathBuf;

use moorline_host::keeper::{self, KeeperConfig};

/// Hold a program's standard streams for a host, so that it outlives the host.
#[derive(Debug, clap::Args)]
pub(super) struct KeepOptions {
    /// The socket at which the host connects.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,

    /// The folder in which the program starts.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,

    /// The limit of open files for the program.
    #[arg(long, value_name = "COUNT")]
    open_files: Option<u64>,

    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// Keeps the program until it has ended and a host has read everything.
pub(super) fn run(options: KeepOptions) -> anyhow::Result<()> {
    let mut words = options.command.into_iter();
    let config = KeeperConfig {
        socket: options.socket,
        folder: options.folder,
        program: words.next().unwrap_or_default(),
        arguments: words.collect(),
        open_files: options.open_files,
    };
    Ok(keeper::run(&config)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        options: KeepOptions,
    }

    #[test]
    fn the_host_s_command_line_is_understood() {
        let config = KeeperConfig {
            socket: "/a b/agent.sock".into(),
            folder: "/f".into(),
            program: "agent".into(),
            arguments: vec!["--socket".into(), "--".into(), "-x".into()],
            open_files: Some(1024),
        };
        let words = std::iter::once("moorline".into()).chain(config.command_line());
        let options = Words::parse_from(words).options;
        assert_eq!((options.socket, options.folder), (config.socket, config.folder));
        assert_eq!(options.open_files, config.open_files);
        let mut command = vec![config.program];
        command.extend(config.arguments);
        assert_eq!(options.command, command);
    }
}
