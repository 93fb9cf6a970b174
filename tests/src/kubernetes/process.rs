//! Processes of containers: children of the test, each in a process group of its own.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Command;

use super::json::{list, name, namespace, text, uid};
use super::volumes::MountTable;

/// The variable by which the processes of a pod are found again, wherever they have gone.
const MARKER: &str = "FAKE_CLUSTER_POD";
/// Looks for processes of a pod, each after the last ones were killed. A process that forks all the
/// time may get away with more.
const KILL_ROUNDS: usize = 100;

/// Where and how a container's processes run.
#[derive(Debug, Clone)]
pub(super) struct ContainerPlace {
    /// The container's mounts, for what commands name.
    pub(super) mounts: MountTable,
    /// Its variables, with the paths of this machine.
    env: Vec<(String, String)>,
    /// The folder that processes start in.
    folder: PathBuf,
}

impl ContainerPlace {
    /// Describes a container of a pod. `work` is the folder of containers that name none.
    pub(super) fn new(
        cluster: &str,
        pod: &Value,
        container: &Value,
        mounts: MountTable,
        work: PathBuf,
    ) -> Self {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let mut env = vec![
            ("PATH".to_owned(), path),
            ("HOSTNAME".to_owned(), name(pod).to_owned()),
            (MARKER.to_owned(), format!("{cluster}/{}/{}/", uid(pod), text(&container["name"]))),
        ];
        for variable in list(&container["env"]) {
            let value = match &variable["value"] {
                Value::String(value) => mounts.translate(&expand(value, &env)),
                _ => field(pod, text(&variable["valueFrom"]["fieldRef"]["fieldPath"])).to_owned(),
            };
            env.push((text(&variable["name"]).to_owned(), value));
        }
        let folder = match text(&container["workingDir"]) {
            "" => work,
            folder => PathBuf::from(mounts.translate(folder)),
        };
        Self { mounts, env, folder }
    }

    /// The command of a container. The images of a fake have no entry point: without `command`,
    /// `args` is the command, and without both the container waits.
    pub(super) fn main(&self, container: &Value) -> io::Result<Command> {
        let words = list(&container["command"]).iter().chain(list(&container["args"]));
        let words: Vec<_> = words.map(|word| expand(text(word), &self.env)).collect();
        if words.is_empty() {
            return self.command(&["sleep".to_owned(), "infinity".to_owned()]);
        }
        self.command(&words)
    }

    /// A command within the container.
    ///
    /// # Errors
    /// If it is empty.
    pub(super) fn command(&self, words: &[String]) -> io::Result<Command> {
        let words: Vec<_> = words.iter().map(|word| self.mounts.translate(word)).collect();
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command"));
        };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.env.iter().cloned());
        command.current_dir(&self.folder).stdin(Stdio::null());
        Ok(command)
    }
}

/// Asks a process to end. It may have ended already.
pub(super) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        _ = kill_process(pid, Signal::TERM);
    }
}

/// Kills all processes of a cluster, of one of its pods, or of one of the pod's containers: `path` is
/// empty, has a uid, or a uid and a name. Returns when there are none.
pub(super) fn kill_all(cluster: &str, path: &[&str]) {
    let mark = format!("{MARKER}={}/", [&[cluster], path].concat().join("/"));
    for _ in 0..KILL_ROUNDS {
        let pids = marked(mark.as_bytes());
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            _ = kill_process(pid, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

/// The exit code of a process as a container runtime says it.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

/// The sentence of a container runtime about a command that did not start.
pub(super) fn start_error(program: &str, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') => {
            format!("stat {program}: no such file or directory")
        }
        io::ErrorKind::NotFound => "executable file not found in $PATH".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!("unable to start container process: exec: \"{program}\": {why}: unknown")
}

/// The processes whose environment has a variable that begins so.
fn marked(mark: &[u8]) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &i32| {
        let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        variables.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark))
    };
    pids.filter(is_marked).filter_map(Pid::from_raw).collect()
}

/// Replaces `$(NAME)` by the value of a variable.
fn expand(text: &str, env: &[(String, String)]) -> String {
    let named = env.iter().filter(|(name, _)| text.contains(&format!("$({name})")));
    named.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

/// A field of a pod that a variable may name.
fn field<'a>(pod: &'a Value, path: &str) -> &'a str {
    match path {
        "metadata.name" => name(pod),
        "metadata.namespace" => namespace(pod),
        "metadata.uid" => uid(pod),
        "spec.nodeName" => text(&pod["spec"]["nodeName"]),
        "spec.serviceAccountName" => text(&pod["spec"]["serviceAccountName"]),
        "status.podIP" => text(&pod["status"]["podIP"]),
        _ => "",
    }
}
