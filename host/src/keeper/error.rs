//! The errors of keepers, and the report of a keeper that could not start its program.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{KeeperConfig, RefusalCode};

/// The error of starting a keeper and its program. Nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The folder in which the program should start does not exist, or cannot be entered.
    #[error("cannot start in {}: {source}", path.display())]
    Folder {
        /// The folder that was asked for.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program cannot be run.
    #[error("{}", program_message(program, source))]
    Program {
        /// The path or name of the program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// The keeper cannot listen on its socket.
    #[error("cannot keep a program at {}: {source}", path.display())]
    Socket {
        /// The path of the socket.
        path: PathBuf,
        /// The system's error, or that another keeper listens there.
        source: io::Error,
    },
    /// The system refused something that every keeper needs.
    #[error("cannot keep a program: {0}")]
    System(#[from] io::Error),
    /// The keeper has started the program, but cannot be reached.
    #[error("the keeper cannot be reached: {0}")]
    Unreachable(#[from] AttachError),
}

/// The error of connecting to a keeper.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The keeper has ended, and its program with it.
    #[error("the keeper has ended")]
    Gone,
    /// The keeper does not serve this host.
    #[error("the keeper refused this host: {message}")]
    Refused {
        /// The reason, for programs.
        code: RefusalCode,
        /// The reason, for people.
        message: String,
    },
    /// The connection failed, for a reason that may pass.
    #[error("cannot connect to the keeper: {0}")]
    Io(#[from] io::Error),
}

fn program_message(program: &str, source: &io::Error) -> String {
    let is_file = program.contains('/') && Path::new(program).is_file();
    match source.kind() {
        ErrorKind::NotFound if is_file => {
            format!("{program} cannot be run here: its interpreter does not exist")
        }
        ErrorKind::NotFound => format!("program not found: {program}"),
        ErrorKind::PermissionDenied => format!("{program} is not executable"),
        _ => format!("{program} cannot be run here: {source}"),
    }
}

impl KeepError {
    /// Returns the report from which [`KeepError::of_report`] restores this error: a kind (1 byte),
    /// the system's number (4 bytes, or 0), and the text.
    pub(super) fn report(&self) -> Vec<u8> {
        let unreachable = io::Error::other("it refused itself");
        let (kind, source) = match self {
            Self::Folder { source, .. } => (1, source),
            Self::Program { source, .. } => (2, source),
            Self::Socket { source, .. } => (3, source),
            Self::System(source) => (4, source),
            Self::Unreachable(_) => (4, &unreachable),
        };
        let mut report = vec![kind];
        report.extend(source.raw_os_error().unwrap_or(0).to_ne_bytes());
        report.extend(source.to_string().as_bytes());
        report
    }

    /// Restores the error that a keeper of this `config` reported.
    pub(super) fn of_report(report: &[u8], config: &KeeperConfig) -> Self {
        let parts = report.split_first().and_then(|(kind, rest)| {
            let (number, text) = rest.split_first_chunk()?;
            Some((*kind, i32::from_ne_bytes(*number), String::from_utf8_lossy(text)))
        });
        let Some((kind, number, text)) = parts else {
            return Self::System(io::Error::other("the keeper ended without a reason"));
        };
        let source = match number {
            0 => io::Error::other(text),
            number => io::Error::from_raw_os_error(number),
        };
        match kind {
            1 => Self::Folder { path: config.folder.clone(), source },
            2 => Self::Program { program: config.program.to_string_lossy().into(), source },
            3 => Self::Socket { path: config.socket.clone(), source },
            _ => Self::System(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_restores_the_error() {
        let config = KeeperConfig {
            socket: "/s".into(),
            folder: "/f".into(),
            program: "agent".into(),
            arguments: Vec::new(),
            open_files: None,
        };
        let missing = || io::Error::from_raw_os_error(2);
        let errors = [
            KeepError::Folder { path: "/f".into(), source: missing() },
            KeepError::Program { program: "agent".into(), source: missing() },
            KeepError::Socket { path: "/s".into(), source: io::Error::other("taken") },
            KeepError::System(missing()),
        ];
        for error in errors {
            let restored = KeepError::of_report(&error.report(), &config);
            assert_eq!(restored.to_string(), error.to_string());
        }
        let silent = KeepError::of_report(&[1, 0], &config).to_string();
        assert!(silent.contains("without a reason"), "{silent}");
    }

    #[test]
    fn the_reason_names_the_program() {
        let error = |number, program: &str| KeepError::Program {
            program: program.into(),
            source: io::Error::from_raw_os_error(number),
        };
        assert_eq!(error(2, "agent").to_string(), "program not found: agent");
        assert_eq!(error(13, "/a").to_string(), "/a is not executable");
        let script = std::env::current_exe().unwrap();
        let text = error(2, script.to_str().unwrap()).to_string();
        assert!(text.contains("interpreter"), "{text}");
    }
}
