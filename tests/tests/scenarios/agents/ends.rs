//! What is open where a session is forked or lost: nobody is asked it any more.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use moorline_tests::sse::Sse;
use moorline_tests::wait::wait_for;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Agent, said_until_done, turn_is};
use crate::asking::script;

/// Checks that an approval of a session is withdrawn for everybody who reads it by REST. The program
/// of a fork may have asked anew.
async fn is_withdrawn(api: &Api, id: &SessionId, asked: &Value) -> Result<()> {
    let path = format!("/api/session/{id}/approvals");
    let open = api.expect(200, Method::GET, &format!("{path}?state=open"), Value::Null).await?;
    let mut others = open["approvals"].as_array().context("no approvals")?.iter();
    ensure!(others.all(|it| it["approvalId"] != asked["approvalId"]), "{open}");
    let path = format!("{path}/{}", asked["approvalId"].as_str().context("no approval")?);
    let approval = api.expect(200, Method::GET, &path, Value::Null).await?;
    ensure!(approval["state"] == "withdrawn" && approval["reason"].is_string(), "{approval}");
    let decision = json!({ "approved": true, "digest": asked["digest"] });
    let refused = api.expect(410, Method::POST, &path, decision).await?;
    ensure!(refused["code"] == "approval_withdrawn", "{refused}");
    // The list of all sessions follows their reports.
    let closed = async || {
        let all = api.expect(200, Method::GET, "/api/approvals", Value::Null).await.ok()?;
        let mut cards = all["approvals"].as_array()?.iter();
        let is_it = |card: &Value| {
            card["sessionId"] == json!(id) && card["approvalId"] == asked["approvalId"]
        };
        (!cards.any(is_it)).then_some(())
    };
    wait_for("the approval to leave the list of all", closed).await
}

async fn fork(api: &Api, source: &SessionId) -> Result<SessionId> {
    let path = format!("/api/sessions/{source}/fork");
    let made = api.expect(201, Method::POST, &path, json!({})).await?;
    Ok(made["sessionId"].as_str().context("no id")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_has_open_is_over_in_its_fork() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let done = agent.prompt("say done").await?;
    turn_is(&mut events, &done, "done").await?;
    let stopped = agent.prompt("sleep 600000").await?;
    turn_is(&mut events, &stopped, "running").await?;
    agent.api.expect(200, Method::POST, &agent.path("stop"), json!({})).await?;
    turn_is(&mut events, &stopped, "cancelled").await?;
    let ran = agent.prompt("ask {\"title\":\"Go on?\"}\nsay went on").await?;
    let asked = events.skip_to("approval-request").await?.data;
    let queued = agent.prompt("say queued").await?;
    turn_is(&mut events, &queued, "queued").await?;

    let id = fork(&agent.api, &agent.id).await?;
    let fork = Agent { api: agent.api.clone(), id, folder: agent.folder };
    let mut events = fork.events().await?;
    events.skip_to("session-forked").await?;
    let closed = events.skip_to("approval-progress").await?.data;
    ensure!(closed["approvalId"] == asked["approvalId"], "{closed}");
    ensure!(closed["state"] == "withdrawn", "{closed}");
    let failed = turn_is(&mut events, &ran, "failed").await?;
    ensure!(
        failed["error"]["code"] == "forked" && failed["prompt"]["text"].is_string(),
        "{failed}"
    );
    turn_is(&mut events, &queued, "withdrawn").await?;
    is_withdrawn(&fork.api, &fork.id, &asked).await?;
    let list = fork.api.expect(200, Method::GET, &fork.path("prompts"), Value::Null).await?;
    let turns = list["turns"].as_array().context("no turns")?.iter();
    let states: Vec<_> = turns.map(|turn| (&turn["turnId"], &turn["state"])).collect();
    let expected = [
        (&json!(done), &json!("done")),
        (&json!(stopped), &json!("cancelled")),
        (&json!(ran), &json!("failed")),
        (&json!(queued), &json!("withdrawn")),
    ];
    ensure!(states == expected, "{list}");
    for over in [&done, &queued] {
        let retry = fork.path(&format!("prompts/{over}/retry"));
        let refused = fork.api.expect(409, Method::POST, &retry, json!({})).await?;
        ensure!(refused["code"] == "not_retryable", "{refused}");
    }
    // The first prompt is told the conversation before it, which is no script.
    let first = fork.prompt("say first").await?;
    turn_is(&mut events, &first, "done").await?;
    let retry = fork.path(&format!("prompts/{ran}/retry"));
    let retried = fork.api.expect(200, Method::POST, &retry, json!({})).await?;
    let retried = retried["turnId"].as_str().context("no turn")?;
    let again = events.skip_to("approval-request").await?.data;
    super::decide(&fork, &again, true, 200).await?;
    let said = said_until_done(&mut events, retried).await?;
    ensure!(said.contains("went on"), "{said}");
    // So can one that was over before the fork.
    let retry = fork.path(&format!("prompts/{stopped}/retry"));
    let retried = fork.api.expect(200, Method::POST, &retry, json!({})).await?;
    turn_is(&mut events, retried["turnId"].as_str().context("no turn")?, "running").await?;

    // The source still asks.
    let path = format!("/api/session/{}/approvals?state=open", agent.id);
    let open = fork.api.expect(200, Method::GET, &path, Value::Null).await?;
    ensure!(open["approvals"][0]["approvalId"] == asked["approvalId"], "{open}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_asks_is_over_in_a_fork_and_in_a_lost_session() -> Result<()> {
    let mut relay = Relay::start().await?;
    let api = relay.api();
    let asks = "$m ask --command 'echo one' & $m ask --command 'echo two' & wait; cat";
    let id = script(&relay, asks).await?;
    let mut events = Sse::replay(&api, &id, "").await?;
    let first = events.skip_to("approval-request").await?.data;
    let second = events.skip_to("approval-request").await?.data;
    let path = |asked: &Value| {
        let approval = asked["approvalId"].as_str().unwrap_or_default();
        format!("/api/session/{id}/approvals/{approval}")
    };
    api.expect(200, Method::POST, &path(&first), json!({ "approved": false })).await?;
    while events.skip_to("approval-confirmed").await?.data["approvalId"] != first["approvalId"] {}

    let forked = fork(&api, &id).await?;
    let mut events = Sse::replay(&api, &forked, "").await?;
    events.skip_to("session-forked").await?;
    let closed = events.skip_to("approval-progress").await?.data;
    ensure!(closed["approvalId"] == second["approvalId"], "{closed}");
    is_withdrawn(&api, &forked, &second).await?;
    let confirmed: Value = api.get(&path(&first).replace(id.as_str(), forked.as_str())).await?;
    ensure!(confirmed["state"] == "delivered", "{confirmed}");

    relay.kill_host().await?;
    relay.launch_host().await?;
    let lost = async || {
        let status = api.status(&id).await.ok()?;
        (serde_json::to_value(status).ok()?["lifecycle"] == "lost").then_some(())
    };
    wait_for("the session to be lost", lost).await?;
    let status = serde_json::to_value(api.status(&id).await?)?;
    ensure!(status["agent"]["state"].is_null() && status["agent"]["approvals"] == 0, "{status}");
    is_withdrawn(&api, &id, &second).await
}
