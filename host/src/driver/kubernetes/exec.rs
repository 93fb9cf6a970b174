//! Programs that are executed in a pod: the delivery of the supervisor, and the connection to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt as _;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::cluster::Cluster;
use super::error::ClusterError;
use super::link::{LinkFailure, PodLink};
use super::machine::DeliveryError;
use super::manifest::{CONTAINER, PodPlan, SOCKET, SUPERVISOR};
use crate::keeper::{AttachError, Kept, RefusalCode};

/// Time allowed for the delivery of the supervisor.
const DELIVERY_LIMIT: Duration = Duration::from_secs(60);
/// Time allowed for an exec to be opened.
const EXEC_LIMIT: Duration = Duration::from_secs(15);
/// The size of the buffers between an exec and its reader. Those of the library are 1 KiB.
const BUFFER_BYTES: usize = 256 * 1024;
/// The most bytes of a program's answer.
const ANSWER_BYTES: u64 = 4096;

/// The folder with a supervisor for each kind of machine: `<architecture>/moorline-supervisor`.
#[derive(Debug, Clone)]
pub(super) struct Supervisors(pub(super) Option<PathBuf>);

impl Supervisors {
    /// Reads the supervisor for a kind of machine, as `uname -m` names it.
    async fn read(&self, machine: &str) -> Result<Vec<u8>, DeliveryError> {
        let folder = self.0.as_deref().ok_or_else(|| {
            let message = "this host has no supervisors to send: give it `--supervisors`, or set \
                           the template's `supervisor` to `init` or `none`";
            DeliveryError::Impossible(message.to_owned())
        })?;
        let architecture = match machine {
            "x86_64" | "amd64" => "x86_64",
            "aarch64" | "arm64" => "aarch64",
            other => other,
        };
        let path = folder.join(Path::new(architecture).file_name().unwrap_or_default());
        tokio::fs::read(path.join("moorline-supervisor")).await.map_err(|error| {
            let path = path.display();
            DeliveryError::Impossible(format!(
                "this host has no supervisor for {architecture} ({path}: {error})"
            ))
        })
    }
}

/// Sends the supervisor into a pod, unless it is there.
pub(super) async fn deliver(
    cluster: &Cluster,
    plan: &PodPlan,
    supervisors: &Supervisors,
) -> Result<(), DeliveryError> {
    let delivery = async {
        const LOOK: &str = "if [ -x /moorline/supervisor ]; then echo there; else uname -m; fi";
        let answer = ask(cluster, plan, LOOK, &[]).await?;
        if answer == "there" {
            return Ok(());
        }
        let program = supervisors.read(&answer).await?;
        // The length is explicit: closing the input would close the whole connection.
        let take = format!(
            "head -c {} >/moorline/supervisor.new && chmod 755 /moorline/supervisor.new && mv \
             /moorline/supervisor.new /moorline/supervisor && echo there",
            program.len()
        );
        match &*ask(cluster, plan, &take, &program).await? {
            "there" => Ok(()),
            answer => {
                let message = format!("the supervisor could not be stored in the pod: {answer}");
                Err(DeliveryError::Impossible(message))
            }
        }
    };
    let late = |_| Err(DeliveryError::Lost("the supervisor was not sent in time".to_owned()));
    timeout(DELIVERY_LIMIT, delivery).await.unwrap_or_else(late)
}

/// Runs a script in the pod, with this input, and returns its output.
async fn ask(
    cluster: &Cluster,
    plan: &PodPlan,
    script: &str,
    input: &[u8],
) -> Result<String, DeliveryError> {
    let lost = |error: &dyn std::fmt::Display| DeliveryError::Lost(error.to_string());
    let command = ["/bin/sh", "-c", script].map(str::to_owned);
    let opened = open(cluster, plan, &command, false).await;
    let mut process = opened.map_err(|error| lost(&error))?;
    let status = process.take_status();
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (process.stdin(), process.stdout(), process.stderr())
    else {
        return Err(DeliveryError::Lost("the exec has no streams".to_owned()));
    };
    let send = async {
        stdin.write_all(input).await?;
        stdin.flush().await
    };
    let (sent, mut answer, errors) = tokio::join!(send, line(stdout), line(stderr));
    sent.map_err(|error| lost(&error))?;
    if answer.is_empty() {
        answer = errors;
    }
    if answer.is_empty() {
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let message = status.and_then(|status| status.message).unwrap_or_default();
        if message.contains("executable file not found") || message.contains("no such file") {
            return Err(DeliveryError::Impossible(format!(
                "the image has no /bin/sh, which the supervisor's delivery needs: set the \
                 template's `supervisor` to `init` or `none` ({message})"
            )));
        }
        return Err(DeliveryError::Lost(format!("the pod did not answer: {message}")));
    }
    Ok(answer)
}

/// Reads the first line of an answer.
async fn line(stream: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    let mut stream = stream.take(ANSWER_BYTES);
    while !text.contains(&b'\n') {
        match stream.read_buf(&mut text).await {
            Ok(1..) => {}
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Connects to the supervisor. Output follows from `read_from` on; after a snapshot, if it is
/// `None`.
///
/// # Errors
/// [`LinkFailure`].
pub(super) async fn attach(
    cluster: &Cluster,
    plan: &PodPlan,
    read_from: Option<u64>,
) -> Result<PodLink, LinkFailure> {
    let command = [SUPERVISOR, "connect", "--socket", SOCKET].map(str::to_owned);
    let opened = open(cluster, plan, &command, false).await;
    let mut process = opened.map_err(|error| LinkFailure::Lost(error.to_string()))?;
    let status = process.take_status();
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (process.stdin(), process.stdout(), process.stderr())
    else {
        return Err(LinkFailure::Lost("the exec has no streams".to_owned()));
    };
    // Unread errors would stop everything else.
    let complaint = tokio::spawn(line(stderr));
    let ended = async move {
        if let Some(status) = status {
            status.await;
        }
    };
    let mut ended = ended.boxed();
    let greeted = async {
        match read_from {
            Some(read_from) => Kept::over(stdout, stdin, read_from).await,
            None => Kept::over_snapshot(stdout, stdin).await,
        }
    };
    let kept = tokio::select! {
        kept = greeted => kept,
        () = &mut ended => Err(AttachError::Gone),
    };
    match kept {
        Ok(kept) => Ok(PodLink::supervised(kept, ended, process)),
        Err(AttachError::Refused { code: RefusalCode::Version, message }) => {
            Err(LinkFailure::OtherVersion(message))
        }
        Err(error) => {
            let complaint = timeout(Duration::from_millis(200), complaint).await;
            let complaint = complaint.ok().and_then(Result::ok).filter(|line| !line.is_empty());
            Err(LinkFailure::Lost(complaint.unwrap_or_else(|| error.to_string())))
        }
    }
}

/// Starts the session's program by an exec, without a supervisor.
///
/// # Errors
/// [`LinkFailure`].
pub(super) async fn start_directly(
    cluster: &Cluster,
    plan: &PodPlan,
) -> Result<PodLink, LinkFailure> {
    const BEGIN: &str = "cd \"$1\"; shift; export TERM=xterm-256color; exec \"$@\"";
    let mut command = ["/bin/sh", "-c", BEGIN, "sh", &plan.cwd].map(str::to_owned).to_vec();
    match plan.command.is_empty() {
        true => command.push("/bin/sh".to_owned()),
        false => command.extend(plan.command.iter().cloned()),
    }
    let opened = open(cluster, plan, &command, true).await;
    PodLink::direct(opened.map_err(|error| LinkFailure::Lost(error.to_string()))?)
}

/// Opens an exec: with a terminal, or with a stream of its own for errors.
async fn open(
    cluster: &Cluster,
    plan: &PodPlan,
    command: &[String],
    terminal: bool,
) -> Result<AttachedProcess, ClusterError> {
    let params = AttachParams::default()
        .container(CONTAINER)
        .stdin(true)
        .stdout(true)
        .stderr(!terminal)
        .tty(terminal)
        .max_stdin_buf_size(BUFFER_BYTES)
        .max_stdout_buf_size(BUFFER_BYTES);
    let pods = cluster.pods(&plan.namespace);
    let name = plan.name();
    let opened = timeout(EXEC_LIMIT, pods.exec(&name, command, &params)).await;
    let late = |_| ClusterError::Unreachable("the exec was not opened in time".to_owned());
    Ok(opened.map_err(late)??)
}
