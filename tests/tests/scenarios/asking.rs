//! Programs of a session ask for approvals, with the program as users have it.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use moorline_tests::sse::Sse;
use reqwest::Method;
use serde_json::{Value, json};

/// Starts a session that runs a script, in which `$m` is the program.
pub(super) async fn script(relay: &Relay, script: &str) -> Result<SessionId> {
    let script = format!("m={}; {script}", relay.program().display());
    relay.api().run(["/bin/sh", "-c", &script].map(str::to_owned).to_vec()).await
}

#[tokio::test]
async fn an_approval_that_nobody_decides_expires_or_is_withdrawn() -> Result<()> {
    let relay = Relay::start().await?;
    let asks = "$m ask --command 'make deploy' --explanation why --expires 1s; echo code $?; \
                $m ask --command 'rm x' --expires never & read go; kill $!; wait; cat";
    let id = script(&relay, asks).await?;
    let mut events = Sse::replay(&relay.api(), &id, "").await?;
    let asked = events.skip_to("approval-request").await?.data;
    ensure!(asked["command"] == "make deploy" && asked["explanation"] == "why", "{asked}");
    ensure!(asked["kind"] == "command" && asked["expiresAt"].is_u64(), "{asked}");
    let waiting = events.skip_to("agent-state").await?.data;
    ensure!(waiting["value"] == "waiting", "{waiting}");
    let expired = events.skip_to("approval-expired").await?.data;
    ensure!(expired["approvalId"] == asked["approvalId"], "{expired}");
    let before = events.skip_to("agent-state").await?.data;
    ensure!(before["value"] == "idle", "{before}");
    let asked = events.skip_to("approval-request").await?.data;
    ensure!(asked["expiresAt"].is_null(), "{asked}");
    relay.api().prompt(&id, "go").await?;
    let withdrawn = events.skip_to("approval-progress").await?.data;
    ensure!(withdrawn["approvalId"] == asked["approvalId"], "{withdrawn}");
    ensure!(withdrawn["state"] == "withdrawn", "{withdrawn}");
    let mut replay = Sse::replay(&relay.api(), &id, "").await?;
    let output = replay.output(Some("code 3")).await?.text();
    ensure!(output.contains("nobody decided in time"), "{output}");
    Ok(())
}

#[tokio::test]
async fn a_program_reports_its_state() -> Result<()> {
    let relay = Relay::start().await?;
    let id = script(&relay, "$m state working --tool Bash && $m state done; cat").await?;
    let mut events = Sse::replay(&relay.api(), &id, "").await?;
    let state = events.skip_to("agent-state").await?.data;
    ensure!(state["value"] == "working" && state["tool"] == "Bash", "{state}");
    let state = events.skip_to("agent-state").await?.data;
    ensure!(state["value"] == "done" && state["tool"].is_null(), "{state}");
    Ok(())
}

#[tokio::test]
async fn rules_are_listed_and_revoked_by_the_hosts_id() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let hosts = api.expect(200, Method::GET, "/api/hosts", Value::Null).await?;
    let host = hosts["hosts"][0]["hostId"].as_str().unwrap_or_default();
    let path = format!("/api/hosts/{host}/rules");
    let list = api.expect(200, Method::GET, &path, Value::Null).await?;
    ensure!(list == json!({ "rules": [] }), "{list}");
    for (method, path, status, code) in [
        (Method::DELETE, format!("{path}?rule=none"), 404, "no_such_rule"),
        (Method::DELETE, path, 400, "bad_request"),
        (Method::GET, "/api/hosts/no_such_host/rules".to_owned(), 404, "no_such_host"),
        (Method::GET, "/api/hosts/x/rules".to_owned(), 400, "invalid_id"),
    ] {
        let (got, error) = api.refusal(method, &path).await?;
        ensure!((got, error.code.as_str()) == (status, code), "{path}: {got} {error:?}");
    }
    Ok(())
}
