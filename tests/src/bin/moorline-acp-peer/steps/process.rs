//! Steps that concern the peer as a process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Signal, getpid, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::turn::{MESSAGE, PeerTurn, Stepped};

/// Interval between two looks for a file.
const INTERVAL: Duration = Duration::from_millis(5);
/// Seconds that a child sleeps: longer than any test.
const CHILD_SECONDS: &str = "86400";

/// Waits until the file exists.
pub(crate) async fn wait(turn: &mut PeerTurn, path: &Path) -> Stepped {
    let there = async {
        while !path.exists() {
            tokio::time::sleep(INTERVAL).await;
        }
    };
    turn.unless_cancelled(there).await
}

/// Creates the file, if it does not exist.
pub(crate) fn touch(path: &Path) -> Stepped {
    let file = std::fs::File::options().create(true).append(true).open(path);
    file.with_context(|| format!("cannot create {}", path.display()))?;
    Ok(())
}

/// Ends the process as no program can prevent.
pub(crate) fn kill() -> Stepped {
    kill_process(getpid(), Signal::KILL).map_err(anyhow::Error::from)?;
    Ok(())
}

/// Survives the signals that end a program by default.
pub(crate) fn stubborn() -> Stepped {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        // A handler stays for the life of the process, even if nobody listens to it.
        drop(signal(kind).map_err(anyhow::Error::from)?);
    }
    Ok(())
}

/// Starts a sleeping child in the peer's process group, says its pid, and leaves it alone.
pub(crate) async fn child(turn: &mut PeerTurn, holds_output: bool) -> Stepped {
    let output = || if holds_output { Stdio::inherit() } else { Stdio::null() };
    let mut command = Command::new("sleep");
    command.arg(CHILD_SECONDS).stdin(Stdio::null()).stdout(output()).stderr(output());
    let child = command.spawn().context("cannot start sleep")?;
    let pid = child.id().context("the child has ended")?;
    turn.say(MESSAGE, &format!("child: {pid}")).await
}

/// Says an environment variable.
pub(crate) async fn env(turn: &mut PeerTurn, name: &str) -> Stepped {
    let value = std::env::var_os(name);
    let text = match &value {
        Some(value) => format!("{name}={}", value.to_string_lossy()),
        None => format!("{name} is not set"),
    };
    turn.say(MESSAGE, &text).await
}

/// Says the working directories of the process and of the session.
pub(crate) async fn cwd(turn: &mut PeerTurn) -> Stepped {
    let process = std::env::current_dir().map_err(anyhow::Error::from)?;
    let session = turn.session()?.cwd();
    turn.say(MESSAGE, &format!("cwd: {}, session: {session}", process.display())).await
}
