//! The fake seen by `kubectl`: somebody else's client.
//!
//! Not every machine has it: `MOORLINE_TEST_KUBECTL=$(which kubectl) cargo test -p moorline-tests
//! --lib kubectl -- --ignored` runs these.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::super::{FakeCluster, FakeClusterOptions};
use super::pod;
use crate::wait::{wait_until, within};

/// What `kubectl` printed.
#[derive(Debug)]
struct Printed {
    code: Option<i32>,
    out: String,
    errors: String,
}

/// `kubectl` with a cluster.
struct Kubectl {
    cluster: FakeCluster,
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Kubectl {
    async fn start() -> Self {
        let program = std::env::var_os("MOORLINE_TEST_KUBECTL");
        let program = program.expect("MOORLINE_TEST_KUBECTL names the program").into();
        let options = FakeClusterOptions { tls: true, legacy: false };
        let cluster = FakeCluster::start_with(options).await.unwrap();
        Self { cluster, program, folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Its caches are not those of the user.
        command.env("HOME", self.folder.path()).env("KUBECONFIG", self.cluster.kubeconfig());
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn run(&self, words: &[&str]) -> Printed {
        printed(words, self.command(words)).await
    }

    /// Runs it with this input, and returns what it prints if it succeeds.
    async fn read(&self, words: &[&str], input: &str) -> String {
        let mut command = self.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let output = within(&words.join(" "), child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs it, and returns what it prints if it succeeds.
    async fn succeed(&self, words: &[&str]) -> String {
        let printed = self.run(words).await;
        assert_eq!(printed.code, Some(0), "{words:?}: {printed:?}");
        printed.out
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn apply(&self, object: &impl serde::Serialize) -> String {
        let mut object = serde_json::to_value(object).unwrap();
        object["apiVersion"] = "v1".into();
        object["kind"] = "Pod".into();
        self.read(&["apply", "-f", "-"], &object.to_string()).await
    }
}

async fn printed(words: &[&str], mut command: Command) -> Printed {
    let output = within(&words.join(" "), command.output()).await.unwrap().unwrap();
    Printed {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn kubectl_sees_a_pod_from_apply_to_delete() {
    let kubectl = Kubectl::start().await;
    assert_eq!(kubectl.apply(&pod("a", &json!({}))).await, "pod/a created\n");
    assert_eq!(kubectl.apply(&pod("a", &json!({}))).await, "pod/a unchanged\n");
    let mut labelled = pod("a", &json!({}));
    labelled.metadata.labels.as_mut().unwrap().insert("more".into(), "yes".into());
    assert_eq!(kubectl.apply(&labelled).await, "pod/a configured\n");
    let waited = kubectl.succeed(&["wait", "--for=condition=Ready", "pod/a"]).await;
    assert_eq!(waited, "pod/a condition met\n");
    let list = kubectl.succeed(&["get", "pods", "-l", "more=yes"]).await;
    let mut lines = list.lines();
    let head: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
    assert!(lines.next().unwrap().starts_with("a      1/1     Running   0"), "{list}");
    let described = kubectl.succeed(&["describe", "pod", "a"]).await;
    for part in [
        "Status:           Running",
        "Ready             True",
        "Successfully assigned",
        "Started container main",
    ] {
        assert!(described.contains(part), "{part} is not in:\n{described}");
    }
    let events = kubectl.succeed(&["events", "--for", "pod/a"]).await;
    assert!(events.contains("Scheduled") && events.contains("Started"), "{events}");
    let deleted = kubectl.succeed(&["delete", "pod", "a"]).await;
    assert!(deleted.starts_with("pod \"a\" deleted"), "{deleted}");
    assert!(kubectl.cluster.pods().names().is_empty());
    let missing = kubectl.run(&["get", "pod", "a"]).await;
    assert_eq!(missing.errors, "Error from server (NotFound): pods \"a\" not found\n");
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn kubectl_runs_commands_and_copies_files() {
    let kubectl = Kubectl::start().await;
    let work = kubectl.file("work");
    std::fs::create_dir(&work).unwrap();
    kubectl.apply(&pod("a", &json!({}))).await;
    kubectl.cluster.pods().wait_ready("a").await.unwrap();
    assert_eq!(kubectl.succeed(&["exec", "a", "--", "echo", "hello"]).await, "hello\n");
    assert_eq!(kubectl.read(&["exec", "-i", "a", "--", "rev"], "abc\n").await, "cba\n");
    let failed = kubectl.run(&["exec", "a", "--", "sh", "-c", "echo no >&2; exit 5"]).await;
    assert_eq!(failed.code, Some(5), "{failed:?}");
    assert!(failed.errors.starts_with("no\n"), "{failed:?}");
    assert!(failed.errors.ends_with("command terminated with exit code 5\n"), "{failed:?}");
    let missing = kubectl.run(&["exec", "a", "--", "nonsense"]).await;
    assert!(missing.errors.contains("executable file not found in $PATH"), "{missing:?}");
    let source = kubectl.file("source");
    std::fs::write(&source, vec![b'x'; 1_000_000]).unwrap();
    let there = work.join("there");
    kubectl.succeed(&["cp", text(&source), &format!("a:{}", text(&there))]).await;
    assert_eq!(std::fs::read(&there).unwrap().len(), 1_000_000);
    let back = kubectl.file("back");
    kubectl.succeed(&["cp", &format!("a:{}", text(&there)), text(&back)]).await;
    assert_eq!(std::fs::read(&back).unwrap().len(), 1_000_000);
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn kubectl_opens_a_terminal_of_its_own_size() {
    let kubectl = Kubectl::start().await;
    kubectl.apply(&pod("a", &json!({}))).await;
    kubectl.cluster.pods().wait_ready("a").await.unwrap();
    // `script` gives it a terminal.
    let program = text(&kubectl.program);
    let inner =
        format!("stty rows 31 cols 97; {program} exec -it a -- sh -c 'sleep 0.3; stty size; tty'");
    let mut command = Command::new("script");
    command.env("HOME", kubectl.folder.path()).env("KUBECONFIG", kubectl.cluster.kubeconfig());
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::null()).kill_on_drop(true);
    let printed = printed(&["exec -it"], command).await;
    assert!(printed.out.contains("31 97"), "{printed:?}");
    assert!(printed.out.contains("/dev/pts/"), "{printed:?}");
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn kubectl_reads_and_follows_logs() {
    let kubectl = Kubectl::start().await;
    let script = "for word in one two three; do echo $word; done; sleep 0.2; echo four";
    let spec = json!({ "containers": [{ "name": "main", "command": ["sh", "-c", script] }] });
    kubectl.apply(&pod("a", &spec)).await;
    wait_until("to run", async || !kubectl.cluster.pods().phase("a").contains("Pending"))
        .await
        .unwrap();
    assert_eq!(kubectl.succeed(&["logs", "-f", "a"]).await, "one\ntwo\nthree\nfour\n");
    assert_eq!(kubectl.succeed(&["logs", "a", "--tail=1"]).await, "four\n");
    wait_until("the end", async || kubectl.cluster.pods().phase("a") == "Succeeded").await.unwrap();
    let list = kubectl.succeed(&["get", "pods"]).await;
    assert!(list.contains("0/1     Completed"), "{list}");
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn kubectl_applies_the_example_manifests() {
    let kubectl = Kubectl::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes");
    kubectl.succeed(&["apply", "-f", text(&folder.join("namespace.yaml"))]).await;
    for file in ["access.yaml", "relay.yaml", "limits.yaml"] {
        let file = folder.join(file);
        let words = ["apply", "-n", "moorline", "-f", text(&file)];
        let first = kubectl.succeed(&words).await;
        assert!(first.lines().all(|line| line.ends_with(" created")), "{first}");
        let second = kubectl.succeed(&words).await;
        assert!(second.lines().all(|line| line.ends_with(" unchanged")), "{second}");
    }
}
