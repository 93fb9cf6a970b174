//! A native relay that a test starts in its own way: with its own folder, limits and streams. All
//! other tests use [`crate::relay`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::rest::{CreateSession, HostList};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::programs;
use crate::relay::TOKEN;
use crate::wait::{wait_for, wait_until, within};

/// A relay and its host. Dropping it ends both.
#[derive(Debug)]
pub struct Served {
    child: Child,
    data: PathBuf,
    /// Its REST API, with the administrator's token.
    pub api: Api,
}

/// A command of the `moorline` program, without inherited `MOORLINE_` variables.
///
/// # Errors
/// If the program is missing.
pub fn moorline() -> Result<Command> {
    by(&[])
}

/// The same, run by another program that gets the command as its last arguments.
///
/// # Errors
/// If the program is missing.
pub fn by(starter: &[&str]) -> Result<Command> {
    let program = programs::moorline()?;
    let words: Vec<&OsStr> = starter.iter().map(OsStr::new).chain([program.as_os_str()]).collect();
    let mut command = Command::new(words[0]);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"MOORLINE_") {
            command.env_remove(name);
        }
    }
    command.args(&words[1..]).env("SHELL", "/bin/sh").env("MOORLINE_TOKEN", TOKEN);
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// Adds the arguments that serve from a folder on any port.
pub fn serve<'a>(command: &'a mut Command, data: &Path) -> &'a mut Command {
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data)
}

/// Runs a command to its end, and returns its output.
///
/// # Errors
/// If it does not end in time.
pub async fn run(command: &mut Command) -> Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(within("the command to end", command.output()).await??)
}

/// Runs a command that must fail, and returns its error output.
///
/// # Errors
/// If it succeeds, or does not end in time.
pub async fn refusal(command: &mut Command) -> Result<String> {
    let output = run(command).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "it was not refused: {said}");
    Ok(said)
}

impl Served {
    /// Starts a command that serves from this folder, and waits until the relay has a host.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(command: &mut Command, data: &Path) -> Result<Self> {
        let mut child = command.spawn()?;
        let pid = child.id();
        let lock = data.join("relay.lock");
        let mut ended = None;
        let address = wait_for("the relay to listen", async || {
            ended = child.try_wait().ok().flatten();
            let text = std::fs::read(&lock).unwrap_or_default();
            let serving: Value = serde_json::from_slice(&text).unwrap_or_default();
            let is_it = serving["pid"].as_u64() == pid.map(u64::from);
            let address = serving["address"].as_str().filter(|_| is_it).map(str::to_owned);
            address.or_else(|| ended.map(|_| String::new()))
        });
        let address = address.await?;
        if let Some(status) = ended {
            bail!("the relay ended with {status}");
        }
        let api = Api::new(format!("http://{address}"), Some(TOKEN.to_owned()));
        let served = Self { child, data: data.to_owned(), api };
        wait_until("the relay's host", async || {
            let list = served.api.get::<HostList>("/api/hosts").await.unwrap_or_default();
            list.hosts.iter().any(|host| host.connected)
        })
        .await?;
        Ok(served)
    }

    /// Runs a script as a session, and waits until its output contains this text.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn until_puts_out(&self, script: &str, text: &str) -> Result<String> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let wish = CreateSession { command: Some(command), ..CreateSession::default() };
        let id = self.api.create(&wish).await?.session_id;
        self.until_has(id.as_str(), text).await
    }

    /// Waits until all output of a session, from its first byte on, contains this text.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn until_has(&self, id: &str, text: &str) -> Result<String> {
        wait_for(&format!("{text:?} of a session"), async || {
            let path = format!("/api/terminal/{id}/output?since=0");
            let (_, answer) = self.api.call(Method::GET, &path, Value::Null).await.ok()?;
            let pieces = answer["output"].as_array()?;
            let all: String = pieces.iter().filter_map(|piece| piece["content"].as_str()).collect();
            all.contains(text).then_some(all)
        })
        .await
    }

    /// Types a line into a session.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn type_line(&self, id: &str, line: &str) -> Result<()> {
        let path = format!("/api/terminal/{id}/input");
        let data = json!({"data": format!("{line}\r")});
        self.api.expect(200, Method::POST, &path, data).await.map(drop)
    }

    /// Process id of the relay.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("it has ended")?)?)
    }

    /// Process id of the host, from its lock file.
    ///
    /// # Errors
    /// If no host has run.
    pub fn host_pid(&self) -> Result<i32> {
        let text = std::fs::read(self.data.join("host.lock")).context("no host runs")?;
        let running: Value = serde_json::from_slice(&text)?;
        Ok(i32::try_from(running["pid"].as_i64().context("no process")?)?)
    }

    /// Sends the relay a signal, and waits for its end.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        kill_process(process(self.pid()?)?, signal)?;
        Ok(within("the relay to end", self.child.wait()).await??)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both may have ended already.
        drop(self.child.start_kill());
        if let Ok(host) = self.host_pid().and_then(process) {
            let _ = kill_process(host, Signal::KILL);
        }
    }
}

fn process(pid: i32) -> Result<Pid> {
    Pid::from_raw(pid).context("a process has a number above 0")
}
