//! What an agent asks of the host: files and terminals.

use std::path::PathBuf;

use moorline_shared::session::ExitStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::content::id;
use super::{list, text};

/// Most bytes of output that a terminal keeps for its agent.
const OUTPUT_BYTES: u64 = 1024 * 1024;

/// A request for the host's files or terminals. It is done only within the session's folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceRequest {
    /// Read a text file.
    ReadFile {
        /// Its path.
        path: PathBuf,
        /// The first line to read, from 1; `None` for the first.
        line: Option<u64>,
        /// The most lines to read; `None` for all.
        limit: Option<u64>,
    },
    /// Write a text file.
    WriteFile {
        /// Its path.
        path: PathBuf,
        /// Its new content.
        content: String,
    },
    /// Run a command.
    CreateTerminal {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables to set.
        env: Vec<(String, String)>,
        /// The folder to run it in; `None` for the session's.
        cwd: Option<PathBuf>,
        /// The most bytes of output to keep.
        output_bytes: usize,
    },
    /// Return the output of a command so far.
    TerminalOutput {
        /// Its id.
        terminal_id: String,
    },
    /// Wait for the end of a command.
    WaitForTerminal {
        /// Its id.
        terminal_id: String,
    },
    /// End a command, and keep its output.
    KillTerminal {
        /// Its id.
        terminal_id: String,
    },
    /// End a command, and forget it.
    ReleaseTerminal {
        /// Its id.
        terminal_id: String,
    },
}

/// The answer to a [`ServiceRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAnswer {
    /// The text of a file.
    Content(String),
    /// A command runs.
    Terminal(String),
    /// The output of a command.
    Output {
        /// The output, or the end of it.
        output: String,
        /// True if the beginning is missing.
        truncated: bool,
        /// The end of the command; `None` while it runs.
        exit: Option<ExitStatus>,
    },
    /// A command has ended.
    Exited(ExitStatus),
    /// It is done.
    Done,
}

/// Returns how a command has ended whose terminal was closed with its host.
pub(in super::super) fn hung_up() -> ExitStatus {
    ExitStatus { code: None, signal: Some("SIGHUP".to_owned()), reason: None }
}

/// Reads a request for files or terminals. Returns `None` for another method, and an error if the
/// parameters cannot be understood.
pub(in super::super) fn service(
    method: &str,
    params: &Value,
) -> Option<Result<ServiceRequest, ()>> {
    let path = || Some(PathBuf::from(text(params, "path")?));
    let number = |name: &str| params.get(name).and_then(Value::as_u64);
    let terminal = || id(params, "terminalId");
    let request = match method {
        "fs/read_text_file" => path().map(|path| {
            let (line, limit) = (number("line"), number("limit"));
            ServiceRequest::ReadFile { path, line, limit }
        }),
        "fs/write_text_file" => path().and_then(|path| {
            Some(ServiceRequest::WriteFile { path, content: text(params, "content")? })
        }),
        "terminal/create" => create(params),
        "terminal/output" => {
            terminal().map(|terminal_id| ServiceRequest::TerminalOutput { terminal_id })
        }
        "terminal/wait_for_exit" => {
            terminal().map(|terminal_id| ServiceRequest::WaitForTerminal { terminal_id })
        }
        "terminal/kill" => {
            terminal().map(|terminal_id| ServiceRequest::KillTerminal { terminal_id })
        }
        "terminal/release" => {
            terminal().map(|terminal_id| ServiceRequest::ReleaseTerminal { terminal_id })
        }
        _ => return None,
    };
    Some(request.ok_or(()))
}

fn create(params: &Value) -> Option<ServiceRequest> {
    let args = list(params, "args").unwrap_or_default().iter();
    let env = list(params, "env").unwrap_or_default().iter();
    let most = params.get("outputByteLimit").and_then(Value::as_u64).unwrap_or(OUTPUT_BYTES);
    Some(ServiceRequest::CreateTerminal {
        command: text(params, "command")?,
        // A command must not run without one of its arguments.
        args: args.map(|arg| arg.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        env: env.map(|it| Some((text(it, "name")?, text(it, "value")?))).collect::<Option<_>>()?,
        cwd: text(params, "cwd").map(PathBuf::from),
        output_bytes: usize::try_from(most.min(OUTPUT_BYTES)).unwrap_or_default(),
    })
}

/// Encodes the answer to a request.
pub(in super::super) fn service_answer(answer: ServiceAnswer) -> Value {
    match answer {
        ServiceAnswer::Content(content) => json!({ "content": content }),
        ServiceAnswer::Terminal(terminal_id) => json!({ "terminalId": terminal_id }),
        ServiceAnswer::Output { output, truncated, exit } => {
            let exit = exit.as_ref().map(exit_status);
            json!({ "output": output, "truncated": truncated, "exitStatus": exit })
        }
        ServiceAnswer::Exited(exit) => exit_status(&exit),
        ServiceAnswer::Done => json!({}),
    }
}

fn exit_status(exit: &ExitStatus) -> Value {
    json!({ "exitCode": exit.code, "signal": exit.signal })
}
