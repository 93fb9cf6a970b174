//! Commands in containers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{AttachParams, AttachedProcess, TerminalSize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use futures_util::SinkExt as _;

use super::super::FakeClusterOptions;
use super::{Trial, claim, pod};
use crate::wait::{wait_until, within};

/// Bytes of a large input.
const LARGE: usize = 3 * 1024 * 1024;

impl Trial {
    async fn exec(&self, pod: &str, words: &[&str], params: AttachParams) -> AttachedProcess {
        let params = params.max_stdout_buf_size(64 * 1024).max_stdin_buf_size(64 * 1024);
        self.pods().exec(pod, words.iter().copied(), &params).await.unwrap()
    }

    async fn output(&self, pod: &str, words: &[&str]) -> (String, Option<Status>) {
        let params = AttachParams::default().stderr(false);
        read(self.exec(pod, words, params).await).await
    }
}

async fn read(mut process: AttachedProcess) -> (String, Option<Status>) {
    let status = process.take_status().unwrap();
    let mut output = String::new();
    let mut stdout = process.stdout().unwrap();
    within("the output", stdout.read_to_string(&mut output)).await.unwrap().unwrap();
    (output, within("the status", status).await.unwrap())
}

fn exit_code(status: Option<Status>) -> String {
    let status = status.unwrap();
    if status.status.as_deref() == Some("Success") {
        return "0".to_owned();
    }
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"), "{status:?}");
    let cause = status.details.unwrap().causes.unwrap().remove(0);
    assert_eq!(cause.reason.as_deref(), Some("ExitCode"));
    cause.message.unwrap()
}

#[tokio::test]
async fn command_returns_its_output_and_exit_code_by_both_protocols() {
    for options in [
        FakeClusterOptions::default(),
        FakeClusterOptions { legacy: true, tls: false },
        FakeClusterOptions { legacy: false, tls: true },
    ] {
        let trial = Trial::start_with(options).await;
        trial.ready_pod("a").await;
        let (output, status) = trial.output("a", &["echo", "hello"]).await;
        assert_eq!((output.as_str(), exit_code(status).as_str()), ("hello\n", "0"));
        let (output, status) = trial.output("a", &["sh", "-c", "echo $HOSTNAME; exit 3"]).await;
        assert_eq!((output.as_str(), exit_code(status).as_str()), ("a\n", "3"));
        assert_eq!(trial.cluster.execs().opened(), 2);
        wait_until("the end", async || trial.cluster.execs().open() == 0).await.unwrap();
    }
}

#[tokio::test]
async fn input_of_three_megabytes_arrives_and_ends() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    let params = AttachParams::default().stdin(true).stderr(false);
    let mut process = trial.exec("a", &["sha256sum"], params).await;
    let mut stdin = process.stdin().unwrap();
    let data: Vec<u8> = (0..=250_u8).cycle().take(LARGE).collect();
    let write = async {
        stdin.write_all(&data).await.unwrap();
        stdin.shutdown().await.unwrap();
    };
    let ((), (output, status)) = tokio::join!(write, read(process));
    assert_eq!(exit_code(status), "0");
    let expected: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(output, format!("{expected}  -\n"));
}

#[tokio::test]
async fn terminal_has_the_size_that_the_client_sets() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    let params = AttachParams::interactive_tty();
    let script =
        "until [ \"$(stty size)\" = '40 123' ]; do sleep 0.01; done; tty; echo $TERM; exit 7";
    let mut process = trial.exec("a", &["sh", "-c", script], params).await;
    let mut sizes = process.terminal_size().unwrap();
    sizes.send(TerminalSize { width: 123, height: 40 }).await.unwrap();
    let (output, status) = read(process).await;
    assert!(output.starts_with("/dev/pts/") && output.ends_with("xterm\r\n"), "{output}");
    assert_eq!(exit_code(status), "7");
}

#[tokio::test]
async fn command_that_does_not_exist_says_so() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    let (_, status) = trial.output("a", &["nonsense"]).await;
    let status = status.unwrap();
    assert_eq!(status.reason.as_deref(), Some("InternalError"));
    let message = status.message.unwrap();
    assert!(
        message.contains("exec: \"nonsense\": executable file not found in $PATH"),
        "{message}"
    );
}

#[tokio::test]
async fn command_is_cut_after_any_byte() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    // The first message is empty, of three bytes; the next has a head of two and a channel.
    for bytes in [1_u64, 3, 4, 6, 7, 11, 12] {
        trial.cluster.execs().cut_each_after(None, Some(bytes));
        let params = AttachParams::default().stderr(false);
        let mut process = trial.exec("a", &["sh", "-c", "echo hello; sleep 100"], params).await;
        let (status, stdout) = (process.take_status().unwrap(), process.stdout().unwrap());
        let mut output = String::new();
        // The reader of an exec that fails does not end by itself.
        let mut stdout = stdout.take(6);
        let reading = stdout.read_to_string(&mut output);
        tokio::select! {
            biased;
            read = reading => assert_eq!(read.unwrap(), 6),
            status = within("the cut", status) => assert_eq!(status.unwrap(), None),
        }
        let expected = if bytes < 12 { "" } else { "hello\n" };
        assert_eq!(output, expected, "after {bytes} bytes");
        assert!(within("the end", process.join()).await.unwrap().is_err(), "after {bytes} bytes");
    }
    trial.cluster.execs().cut_each_after(Some(10), None);
    let params = AttachParams::default().stdin(true).stderr(false);
    let mut process = trial.exec("a", &["cat"], params).await;
    process.stdin().unwrap().write_all(&[b'x'; 1000]).await.unwrap();
    assert!(within("the end", process.join()).await.unwrap().is_err());
}

#[tokio::test]
async fn cut_command_gets_the_end_of_its_input_and_goes_on() {
    let trial = Trial::start().await;
    trial.claims().create(&Default::default(), &claim("files")).await.unwrap();
    let spec = json!({
        "containers": [{
            "name": "main",
            "volumeMounts": [{ "name": "files", "mountPath": "/work" }],
        }],
        "volumes": [{ "name": "files", "persistentVolumeClaim": { "claimName": "files" } }],
    });
    trial.pods().create(&Default::default(), &pod("a", &spec)).await.unwrap();
    trial.cluster.pods().wait_ready("a").await.unwrap();
    let params = AttachParams::default().stdin(true).stderr(false);
    let script = "echo on > /work/started; cat > /work/input; echo done > /work/end";
    let mut process = trial.exec("a", &["sh", "-c", script], params).await;
    process.stdin().unwrap().write_all(b"abc").await.unwrap();
    let folder = trial.cluster.claims().folder("files").unwrap();
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    wait_until("the input", async || file("input") == "abc").await.unwrap();
    assert_eq!(trial.cluster.execs().open(), 1);
    trial.cluster.execs().cut();
    assert!(within("the end", process.join()).await.unwrap().is_err());
    wait_until("the end of the command", async || file("end") == "done\n").await.unwrap();
}

#[tokio::test]
async fn stalled_command_delivers_nothing_until_told() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    let params = AttachParams::default().stdin(true).stderr(false);
    let mut process = trial.exec("a", &["cat"], params).await;
    let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    let mut echo = [0; 3];
    stdin.write_all(b"abc").await.unwrap();
    within("the echo", stdout.read_exact(&mut echo)).await.unwrap().unwrap();
    trial.cluster.execs().stall(true);
    stdin.write_all(b"def").await.unwrap();
    {
        let reading = stdout.read_exact(&mut echo);
        tokio::pin!(reading);
        // An answer to another request shows that the time was enough.
        let other = async { trial.pods().get("a").await.unwrap() };
        tokio::select! {
            biased;
            _ = &mut reading => panic!("a stalled connection delivered"),
            _ = other => {}
        }
        trial.cluster.execs().stall(false);
        within("the echo", reading).await.unwrap().unwrap();
    }
    assert_eq!(&echo, b"def");
}

#[tokio::test]
async fn lost_pipe_can_look_like_success() {
    let trial = Trial::start().await;
    trial.ready_pod("a").await;
    let params = AttachParams::default().stderr(false);
    let process = trial.exec("a", &["sleep", "100"], params).await;
    wait_until("the exec", async || trial.cluster.execs().open() == 1).await.unwrap();
    trial.cluster.execs().end_falsely();
    let (output, status) = read(process).await;
    assert_eq!((output.as_str(), exit_code(status).as_str()), ("", "0"));
}

#[tokio::test]
async fn command_needs_a_container_that_runs() {
    let trial = Trial::start().await;
    let params = AttachParams::default();
    let missing = trial.pods().exec("a", ["true"], &params).await;
    assert!(missing.err().unwrap().to_string().contains("404"));
    trial.cluster.forbid("get", "pods/exec");
    trial.ready_pod("a").await;
    let forbidden = trial.pods().exec("a", ["true"], &params).await;
    assert!(forbidden.err().unwrap().to_string().contains("403"));
}
