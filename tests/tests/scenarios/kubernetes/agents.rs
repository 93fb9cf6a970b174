//! Agents that run in pods.

use moorline_tests::run_cluster::RunCluster;
use moorline_tests::sse::Told;
use moorline_tests::workspaces::Workspace;

use super::*;

/// An agent of a few lines, for images that have no more than a shell: it repeats its prompts, answers
/// `flood` with so many parts, and remembers in its folder which sessions it has loaded.
const SHELL_AGENT: &str = r#"
say() {
    printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"one","update":'
    printf '{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"%s"}}}}\n' "$1"
}
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    case $line in
    *'"method":"initialize"'*)
        answer '{"protocolVersion":1,"agentCapabilities":{"loadSession":true}}' ;;
    *'"method":"session/new"'*) echo new >>sessions; answer '{"sessionId":"one"}' ;;
    *'"method":"session/load"'*) echo load >>sessions; answer '{}' ;;
    *'"method":"session/prompt"'*flood*)
        part=0
        while [ $part -lt 3000 ]; do say "<$part>"; part=$((part + 1)); done
        answer '{"stopReason":"end_turn"}' ;;
    *'"method":"session/prompt"'*sessions*)
        for it in $(cat sessions); do say "$it."; done
        answer '{"stopReason":"end_turn"}' ;;
    *'"method":"session/prompt"'*write*)
        echo written >written; say wrote; answer '{"stopReason":"end_turn"}' ;;
    *'"method":"session/prompt"'*) say "in $(pwd)"; answer '{"stopReason":"end_turn"}' ;;
    esac
done
"#;

/// A session of an agent in a pod.
struct PodAgent {
    api: Api,
    id: SessionId,
    events: Sse,
    /// The folder of the scripted agent. Paths in messages of the protocol are not translated in the
    /// fake cluster, so it is one of this machine.
    folder: tempfile::TempDir,
}

impl PodAgent {
    async fn start(api: &Api, wish: Value) -> Result<Self> {
        let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        let id: SessionId = serde_json::from_value(created["sessionId"].clone())?;
        let events = Sse::replay(api, &id, "").await?;
        Ok(Self { api: api.clone(), id, events, folder: tempfile::tempdir()? })
    }

    /// Starts the repository's scripted agent, which keeps its sessions in its folder.
    async fn peer(api: &Api) -> Result<Self> {
        let program = env!("CARGO_BIN_EXE_moorline-acp-peer");
        let command = [program, "agent", "--state", "state", "--log", "agent.log"];
        let folder = tempfile::tempdir()?;
        let cwd = folder.path();
        let wish = json!({ "driver": "agent", "pod": {}, "command": command, "cwd": cwd });
        Ok(Self { folder, ..Self::start(api, wish).await? })
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/session/{}/{rest}", self.id)
    }

    async fn prompt(&self, text: &str) -> Result<String> {
        let body = json!({ "command": text });
        let answer = self.api.expect(200, Method::POST, &self.path("prompt"), body).await?;
        Ok(answer["turnId"].as_str().context("no turn")?.to_owned())
    }

    /// Returns what the agent says until a turn is over, and the event that it is.
    async fn until_over(&mut self, turn: &str) -> Result<(String, Value)> {
        self.until_over_with(turn, || {}).await
    }

    /// The same. Each time that the agent says something, `heard` is called.
    async fn until_over_with(&mut self, turn: &str, heard: impl Fn()) -> Result<(String, Value)> {
        let mut said = String::new();
        loop {
            let Told { kind, data, .. } = self.events.event().await?.context("the stream ended")?;
            match &*kind {
                "agent-message" if data["role"] == "agent" || data["role"].is_null() => {
                    said.push_str(data["delta"].as_str().unwrap_or_default());
                    heard();
                }
                "agent-turn" if data["turnId"] == turn => {
                    let state = data["state"].as_str().unwrap_or_default();
                    if matches!(state, "done" | "failed" | "cancelled") {
                        return Ok((said, data));
                    }
                }
                _ => {}
            }
        }
    }

    async fn ask(&mut self, text: &str) -> Result<String> {
        let turn = self.prompt(text).await?;
        let (said, over) = self.until_over(&turn).await?;
        ensure!(over["state"] == "done", "{over}");
        Ok(said)
    }

    async fn until_pod(&mut self, phase: PodPhase) -> Result<PodStatus> {
        loop {
            let told = self.events.skip_to("pod-status").await?;
            let status: PodStatus = serde_json::from_value(told.data)?;
            if status.phase == phase {
                return Ok(status);
            }
        }
    }

    /// Returns what the scripted agent has heard, by its own log.
    fn heard(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("agent.log"))?)
    }

    /// Returns the number of prompts that it has heard.
    fn heard_prompts(&self) -> Result<usize> {
        let is_prompt = |line: &&str| line.starts_with("in ") && line.contains("session/prompt");
        Ok(self.heard()?.lines().filter(is_prompt).count())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_in_a_pod_is_prompted_and_asks_however_often_its_exec_is_cut() -> Result<()> {
    const BYTES: usize = 3_000_000;
    let place = Place::start().await?;
    let mut agent = PodAgent::peer(&place.api).await?;
    agent.until_pod(PodPhase::Ready).await?;
    ensure!(agent.ask("say Hello.\ncwd").await?.starts_with("Hello."));
    place.cluster.execs().cut_each_after(Some(20_011), Some(150_001));
    place.cluster.execs().cut();
    let said = agent.ask(&format!("flood {BYTES}")).await?;
    ensure!(said.len() == BYTES, "{} of {BYTES} bytes", said.len());
    let long = "x".repeat(50_000);
    let said = agent.ask(&format!("say {long}")).await?;
    ensure!(said == long, "{} bytes were said", said.len());
    ensure!(place.cluster.execs().opened() > 10, "{} execs", place.cluster.execs().opened());
    place.cluster.execs().cut_each_after(None, None);

    let turn = agent.prompt("edit notes.txt \"new\\n\"").await?;
    let asked = agent.events.skip_to("approval-request").await?.data;
    place.cluster.execs().cut();
    let path = agent.path(&format!("approvals/{}", asked["approvalId"].as_str().context("no id")?));
    let decision = json!({ "approved": true, "digest": asked["digest"] });
    agent.api.expect(200, Method::POST, &path, decision).await?;
    let (_, over) = agent.until_over(&turn).await?;
    ensure!(over["state"] == "done", "{over}");
    ensure!(std::fs::read_to_string(agent.folder.path().join("notes.txt"))? == "new\n");
    // The host has none of its files, and says so.
    let said = agent.ask("read notes.txt\nrun ls").await?;
    ensure!(said.contains("error") && said.contains("You run in a pod"), "{said}");
    let heard = agent.heard_prompts()?;
    ensure!(heard == 5, "the agent was prompted {heard} times");
    place.api.delete(&agent.id).await?;
    wait_until("the pod to go", async || place.cluster.pods().names().is_empty()).await?;
    wait_until("the volume to go", async || place.cluster.claims().names().is_empty()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_in_a_pod_goes_on_after_its_host_was_killed() -> Result<()> {
    let mut place = Place::start().await?;
    let mut agent = PodAgent::peer(&place.api).await?;
    agent.until_pod(PodPhase::Ready).await?;
    let turn = agent.prompt("say before\nwait go\nsay after").await?;
    loop {
        let message = agent.events.skip_to("agent-message").await?.data;
        if message["role"] == "agent" {
            break;
        }
    }
    place.relay.kill_host().await?;
    std::fs::write(agent.folder.path().join("go"), "")?;
    place.relay.launch_host().await?;
    let (said, over) = agent.until_over(&turn).await?;
    ensure!(over["state"] == "done" && said.contains("after"), "{over} {said}");
    ensure!(agent.heard_prompts()? == 1);
    let said = agent.ask("say again").await?;
    ensure!(said == "again", "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_loses_its_pod_is_told_and_goes_on_in_the_next() -> Result<()> {
    let place = Place::start().await?;
    let mut agent = PodAgent::peer(&place.api).await?;
    let pod = agent.until_pod(PodPhase::Ready).await?.pod;
    ensure!(agent.ask("say remember").await? == "remember");
    let turn = agent.prompt("say before\nhang").await?;
    loop {
        let message = agent.events.skip_to("agent-message").await?.data;
        if message["role"] == "agent" {
            break;
        }
    }
    place.cluster.pods().evict(&pod)?;
    let (_, over) = agent.until_over(&turn).await?;
    ensure!(over["state"] == "failed" && over["error"]["code"] == "agent_exited", "{over}");
    let suspended = agent.until_pod(PodPhase::Suspended).await?;
    ensure!(suspended.reason.as_deref() == Some("evicted"), "{suspended:?}");
    // The next prompt starts it again, and it has its earlier conversation.
    ensure!(agent.ask("say back").await? == "back");
    let log = agent.heard()?;
    ensure!(log.contains("session/load") || log.contains("session/resume"), "{log}");
    // One that ends by itself, likewise.
    let turn = agent.prompt("stderr last words\nexit 3").await?;
    let (_, over) = agent.until_over(&turn).await?;
    let error = over["error"].to_string();
    ensure!(error.contains("agent_exited") && error.contains("code 3: last words"), "{over}");
    ensure!(agent.ask("say once more").await? == "once more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_no_pod_can_run_is_told_and_can_be_asked_again() -> Result<()> {
    let place = Place::start().await?;
    let path = format!("/api/hosts/{}/pods", host_id(&place.api).await?);
    let template = json!({ "name": "plain", "image": "a", "supervisor": "none" });
    place.api.expect(200, Method::POST, &path, template).await?;
    let wish = json!({ "driver": "agent", "pod": { "template": "plain" }, "command": ["x"] });
    let (status, body) = place.api.call(Method::POST, "/api/sessions", wish).await?;
    ensure!(status == 400 && body["message"].to_string().contains("supervisor"), "{status} {body}");

    let command = ["/no/such/agent"];
    let wish = json!({ "driver": "agent", "pod": {}, "command": command });
    let mut agent = PodAgent::start(&place.api, wish).await?;
    let turn = agent.prompt("hello").await?;
    let (_, over) = agent.until_over(&turn).await?;
    let error = over["error"].to_string();
    ensure!(error.contains("agent_failed") && error.contains("/no/such/agent"), "{over}");

    let template = json!({ "name": "default", "image": "a", "readySeconds": 2 });
    place.api.expect(200, Method::POST, &path, template).await?;
    place.cluster.script_next(PodScript::Unschedulable("0/1 nodes are available.".to_owned()));
    let mut agent = PodAgent::peer(&place.api).await?;
    let turn = agent.prompt("say never").await?;
    let (_, over) = agent.until_over(&turn).await?;
    ensure!(over["error"].to_string().contains("0/1 nodes are available."), "{over}");
    ensure!(agent.ask("say now").await? == "now");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_is_enough_for_an_agent_in_any_cluster() -> Result<()> {
    let cluster = RunCluster::start().await?;
    let relay = Relay::start_with(cluster.setup()).await?;
    let api = relay.api();
    cluster.prepare(&api).await?;
    let files = Workspace::create(&api).await?;
    files.put("agent.sh", SHELL_AGENT).await?;
    // It comes into the pod with the files of the workspace, before it is started.
    let wish = json!({
        "driver": "agent", "pod": {}, "command": ["/bin/sh", "agent.sh"], "workspace": files.id,
    });
    let mut agent = PodAgent::start(&api, wish).await?;
    let pod = agent.until_pod(PodPhase::Ready).await?.pod;
    ensure!(agent.ask("where").await?.starts_with("in /"));
    let turn = agent.prompt("flood").await?;
    let (said, over) = agent.until_over_with(&turn, || cluster.proxy.cut()).await?;
    ensure!(over["state"] == "done", "{over}");
    let expected: String = (0..3000).map(|part| format!("<{part}>")).collect();
    ensure!(said == expected, "{} of {} bytes were said", said.len(), expected.len());
    agent.ask("write").await?;
    files.until_content("written", b"written\n").await?;
    super::real::delete_pod(&cluster, &pod).await?;
    agent.until_pod(PodPhase::Suspended).await?;
    ensure!(agent.ask("sessions").await? == "new.load.", "it has not loaded its session");
    api.delete(&agent.id).await
}
