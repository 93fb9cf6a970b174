//! Changes: a scripted agent changes files; they are listed, kept and reverted.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::{Value, json};

use super::agents::{Agent, decide, turn_is};

/// Sixty lines, some of which are others.
fn lines(others: &[(usize, &str)]) -> String {
    let line = |number| match others.iter().find(|(other, _)| *other == number) {
        Some((_, text)) => format!("{text}\n"),
        None => format!("line {number}\n"),
    };
    (1..=60).map(line).collect()
}

async fn listed(agent: &Agent) -> Result<Value> {
    agent.api.expect(200, Method::GET, &agent.path("changes"), Value::Null).await
}

fn file<'a>(listed: &'a Value, path: &str) -> Result<&'a Value> {
    let files = listed["files"].as_array().context("no files")?;
    files.iter().find(|file| file["path"] == path).with_context(|| format!("{listed}"))
}

/// Returns a request for some hunks of a file.
fn hunks(file: &Value, places: &[usize]) -> Value {
    let ids: Vec<&Value> = places.iter().map(|place| &file["hunks"][*place]["id"]).collect();
    json!({ "path": file["path"], "before": file["before"], "hunks": ids })
}

async fn settle(agent: &Agent, body: Value) -> Result<Value> {
    agent.api.expect(200, Method::POST, &agent.path("changes"), body).await
}

#[tokio::test]
async fn what_an_agent_changes_is_kept_or_reverted_by_hunks() -> Result<()> {
    let mut relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let at = |name: &str| agent.folder.path().join(name);
    // What the agent's program writes itself is not its work.
    std::fs::write(at(".gitignore"), "agent.log\nstate\n")?;
    std::fs::write(at("long.txt"), lines(&[]))?;
    std::fs::write(at("short.txt"), "old\n")?;
    let before = listed(&agent).await?;
    ensure!(before["count"] == 0 && before["complete"] == true, "{before}");

    let mut events = agent.events().await?;
    // One file by the host, the other by the agent's own process.
    let changed = lines(&[(10, "TEN"), (50, "FIFTY")]);
    let script = format!("write long.txt {}\nedit short.txt \"new\\n\"", json!(changed));
    let turn = agent.prompt(&script).await?;
    let asked = events.skip_to("approval-request").await?.data;
    let running = listed(&agent).await?;
    ensure!(running["count"] == 1, "while the turn runs: {running}");
    decide(&agent, &asked, true, 200).await?;
    turn_is(&mut events, &turn, "done").await?;
    let report = events.skip_to("agent-changes").await?.data;
    ensure!(report["turnId"] == json!(turn) && report["files"] == 2, "{report}");
    ensure!(report["added"] == 3 && report["removed"] == 3, "{report}");

    let list = listed(&agent).await?;
    let long = file(&list, "long.txt")?;
    ensure!(long["state"] == "modified" && long["turnIds"] == json!([turn]), "{long}");
    ensure!(long["hunks"].as_array().map(Vec::len) == Some(2), "{long}");
    let text = long["hunks"][1]["text"].as_str().unwrap_or_default();
    ensure!(text.contains("-line 50\n+FIFTY\n"), "{text}");
    let settled =
        settle(&agent, json!({ "keep": [hunks(long, &[0])], "revert": [hunks(long, &[1])] }))
            .await?;
    ensure!(settled["done"] == 2, "{settled}");
    ensure!(agent.file("long.txt") == Some(lines(&[(10, "TEN")])));
    let report = events.skip_to("agent-changes").await?.data;
    ensure!(report["files"] == 1 && report["turnId"].is_null(), "{report}");

    // The file moves on: what was listed of it is stale.
    let list = listed(&agent).await?;
    ensure!(list["count"] == 1, "{list}");
    let seen = file(&list, "short.txt")?;
    std::fs::write(at("short.txt"), "newer\n")?;
    let whole = json!({ "path": "short.txt", "before": seen["before"] });
    let settled = settle(&agent, json!({ "revert": [whole] })).await?;
    ensure!(settled["done"] == 0 && settled["results"][0]["code"] == "stale", "{settled}");
    ensure!(agent.file("short.txt").as_deref() == Some("newer\n"));

    // Nothing is forgotten when host and relay die.
    relay.kill_host().await?;
    relay.launch_host().await?;
    relay.kill().await?;
    relay.launch().await?;
    let list = listed(&agent).await?;
    let short = file(&list, "short.txt")?;
    ensure!(list["count"] == 1 && short["hunks"][0]["text"] == "-old\n+newer\n", "{list}");
    let whole = json!({ "path": "short.txt", "before": short["before"] });
    let settled = settle(&agent, json!({ "revert": [whole] })).await?;
    ensure!(settled["done"] == 1 && settled["results"][0]["action"] == "revert", "{settled}");
    ensure!(agent.file("short.txt").as_deref() == Some("old\n"));
    ensure!(listed(&agent).await?["count"] == 0);

    // Nor is what a turn began with, if the host dies within the turn.
    let mut events = agent.events().await?;
    let turn = agent.prompt("edit short.txt \"again\\n\"").await?;
    turn_is(&mut events, &turn, "requires-action").await?;
    relay.kill_host().await?;
    relay.launch_host().await?;
    let asked = agent.approvals().await?;
    decide(&agent, asked.first().context("no question")?, true, 200).await?;
    let mut events = agent.events().await?;
    turn_is(&mut events, &turn, "done").await?;
    events.skip_to("agent-changes").await?;
    let list = listed(&agent).await?;
    let short = file(&list, "short.txt")?;
    ensure!(short["turnIds"] == json!([turn]), "{list}");
    ensure!(short["hunks"][0]["text"] == "-old\n+again\n", "{list}");
    Ok(())
}

#[tokio::test]
async fn changes_are_for_those_who_may_write_and_of_agents_only() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let path = agent.path("changes");
    let reader = agent.api.token(&format!("session:{}:read", agent.id)).await?;
    let reader = agent.api.with_token(Some(&reader));
    for (method, body) in [(Method::GET, Value::Null), (Method::POST, json!({ "keep": [] }))] {
        reader.expect(403, method, &path, body).await?;
    }
    agent.api.expect(400, Method::POST, &path, json!({})).await?;
    let many = vec![json!({ "path": "a" }); 201];
    agent.api.expect(413, Method::POST, &path, json!({ "keep": many })).await?;
    let shell = agent.api.expect(201, Method::POST, "/api/sessions", json!({})).await?;
    let shell = shell["sessionId"].as_str().context("no id")?;
    let refused = format!("/api/session/{shell}/changes");
    let refused = agent.api.expect(409, Method::GET, &refused, Value::Null).await?;
    ensure!(refused["code"] == "not_an_agent", "{refused}");
    Ok(())
}
