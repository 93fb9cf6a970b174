//! `moorline-supervisor`: keeps the terminal or the agent of a Moorline session in a Kubernetes pod.
//!
//! A host puts this program into a pod and starts it: see `moorline_host::supervisor`.
//!
//! ```text
//! moorline-supervisor run --socket PATH --session ID --folder PATH --integration PATH
//!                         --size COLSxROWS [--workspace ID --host NAME] [--agent true]
//!                         [-- PROGRAM [ARGUMENT]…]
//! moorline-supervisor connect --socket PATH
//! moorline-supervisor install PATH
//! moorline-supervisor version
//! ```

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use lexopt::prelude::*;
use moorline_host::supervisor::{SupervisedWorkspace, SupervisorConfig, connect, run};
use moorline_shared::session::Size;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = lexopt::Parser::from_env();
    let Some(Value(verb)) = arguments.next()? else { bail!("a verb is missing: run or connect") };
    match verb.to_str() {
        Some("run") => Ok(run(supervised(&mut arguments)?)?),
        Some("connect") => {
            connect(&socket(&mut arguments)?).context("the supervisor cannot be reached")?;
            Ok(ExitCode::SUCCESS)
        }
        Some("install") => {
            let Some(Value(path)) = arguments.next()? else { bail!("a path is missing") };
            install(&PathBuf::from(path)).context("the supervisor cannot be installed")?;
            Ok(ExitCode::SUCCESS)
        }
        Some("version") => {
            writeln!(std::io::stdout(), "{}", env!("CARGO_PKG_VERSION"))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("the verb {} is unknown", verb.display()),
    }
}

/// Copies this program to a path, as a whole or not at all.
fn install(path: &Path) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::copy(std::env::current_exe()?, &new)?;
    std::fs::rename(new, path)
}

fn socket(arguments: &mut lexopt::Parser) -> anyhow::Result<PathBuf> {
    match arguments.next()? {
        Some(Long("socket")) => Ok(arguments.value()?.into()),
        _ => bail!("--socket is missing"),
    }
}

fn supervised(arguments: &mut lexopt::Parser) -> anyhow::Result<SupervisorConfig> {
    let (mut socket, mut session, mut folder, mut integration) = (None, None, None, None);
    let (mut size, mut command) = (Size::default(), Vec::new());
    let (mut workspace, mut host, mut agent) = (None, "pod".to_owned(), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("socket") => socket = Some(arguments.value()?.into()),
            Long("session") => session = Some(arguments.value()?.string()?.parse()?),
            Long("folder") => folder = Some(arguments.value()?.into()),
            Long("integration") => integration = Some(arguments.value()?.into()),
            Long("size") => size = parse_size(&arguments.value()?.string()?)?,
            Long("workspace") => workspace = Some(arguments.value()?.string()?.parse()?),
            Long("agent") => agent = arguments.value()? == "true",
            Long("host") => host = arguments.value()?.string()?,
            Value(word) => command.push(word.string()?),
            // A newer host may say more.
            Long(_) => drop(arguments.value()?),
            Short(_) => return Err(argument.unexpected().into()),
        }
    }
    Ok(SupervisorConfig {
        socket: socket.context("--socket is missing")?,
        session_id: session.context("--session is missing")?,
        folder: folder.context("--folder is missing")?,
        integration: integration.context("--integration is missing")?,
        command,
        agent,
        size,
        workspace: workspace.map(|id| SupervisedWorkspace { id, host }),
    })
}

/// Reads a size such as `80x24`.
fn parse_size(text: &str) -> anyhow::Result<Size> {
    let (cols, rows) = text.split_once('x').context("a size is COLSxROWS")?;
    Ok(Size { cols: cols.parse()?, rows: rows.parse()? })
}
