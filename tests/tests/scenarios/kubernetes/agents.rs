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
}

impl PodAgent {
    async fn start(api: &Api, wish: Value) -> Result<Self> {
        let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        let id: SessionId = serde_json::from_value(created["sessionId"].clone())?;
        let events = Sse::replay(api, &id, "").await?;
        Ok(Self { api: api.clone(), id, events })
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
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_no_pod_can_run_is_told() -> Result<()> {
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
    let wish = json!({ "driver": "agent", "pod": {}, "command": ["/bin/sh"] });
    let mut agent = PodAgent::start(&place.api, wish).await?;
    let turn = agent.prompt("never").await?;
    let (_, over) = agent.until_over(&turn).await?;
    ensure!(over["error"].to_string().contains("0/1 nodes are available."), "{over}");
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
