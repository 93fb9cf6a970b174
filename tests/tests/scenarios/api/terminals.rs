//! Terminals beside a session, read by polling.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::api::Api;
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use moorline_tests::sse::Sse;
use moorline_tests::wait::wait_for;
use reqwest::Method;
use serde_json::{Value, json};

use super::NONE;

/// Asks for output until all of it contains this; returns where to go on.
async fn poll(api: &Api, id: &str, since: u64, text: &str) -> Result<(u64, String)> {
    let (mut next, mut all) = (since, String::new());
    wait_for(&format!("{text:?} by polling"), async || {
        let path = format!("/api/terminal/{id}/output?since={next}");
        let answer = api.expect(200, Method::GET, &path, NONE).await.ok()?;
        for piece in answer["output"].as_array()? {
            let index = piece["index"].as_u64()?;
            assert!(index > next && piece["type"] == "stdout", "{piece} after {next}");
            all.push_str(piece["content"].as_str()?);
        }
        assert!(answer["terminalId"] == id && answer["success"] == true, "{answer}");
        assert!(answer["since"] == next && answer["next"].as_u64() >= Some(next), "{answer}");
        next = answer["next"].as_u64()?;
        all.contains(text).then_some(())
    })
    .await?;
    Ok((next, all))
}

#[tokio::test]
async fn a_terminal_is_read_by_polling() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let made = api.expect(200, Method::POST, "/api/terminal", json!({"workingDir": "/"})).await?;
    ensure!(made["success"] == true, "{made}");
    let id = made["terminalId"].as_str().context("no id")?;
    let input = format!("/api/terminal/{id}/input");
    for nothing in [json!({}), json!({"data": ""})] {
        let refused = api.expect(400, Method::POST, &input, nothing).await?;
        ensure!(refused["error"] == "Input data is required", "{refused}");
    }
    let typed = json!({"data": "echo here:$PWD:$((6*7))\r"});
    let answer = api.expect(200, Method::POST, &input, typed).await?;
    ensure!(answer["success"] == true, "{answer}");
    let (next, _) = poll(&api, id, 0, "here:/:42").await?;
    api.expect(200, Method::POST, &input, json!({"data": "echo é$((1+1))\r"})).await?;
    let (_, rest) = poll(&api, id, next, "é2").await?;
    ensure!(!rest.contains(":42"), "{rest:?} came twice");

    for wrong in ["-1", "x", "1.5"] {
        let path = format!("/api/terminal/{id}/output?since={wrong}");
        let (status, answer) = api.call(Method::GET, &path, NONE).await?;
        // The document that this comes from takes what is no number for 0.
        ensure!(status == 400 || status == 200, "{status} {answer}");
    }
    let closed = api.expect(200, Method::DELETE, &format!("/api/terminal/{id}"), NONE).await?;
    ensure!(closed["success"] == true, "{closed}");
    let gone = api.expect(404, Method::GET, &format!("/api/terminal/{id}/output"), NONE).await?;
    ensure!(gone["error"].is_string(), "{gone}");
    Ok(())
}

#[tokio::test]
async fn a_terminal_beside_a_session_is_told_of_in_its_log() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let project = api.expect(201, Method::POST, "/api/projects", json!({"name": "p"})).await?;
    let project = &project["project"]["id"];
    let wish = json!({"command": expected::counter(), "cwd": folder.path(), "project": project});
    let parent = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    let parent = parent["sessionId"].as_str().context("no id")?;
    let mut events = Sse::live(&api, &parent.parse()?).await?;
    let wish = json!({"sessionId": parent});
    let made = api.expect(200, Method::POST, "/api/terminal", wish).await?;
    let id = made["terminalId"].as_str().context("no id")?;
    let told = events.skip_to("terminal-created").await?;
    ensure!(told.data["terminalId"] == id && told.id.is_some(), "{told:?}");
    ensure!(told.data["workingDir"].as_str().map(std::path::Path::new) == Some(folder.path()));
    let status = api.status(&id.parse()?).await?;
    ensure!(status.summary.project.as_ref().map(|id| id.as_str()) == project.as_str());
    ensure!(status.summary.cwd.as_deref().map(std::path::Path::new) == Some(folder.path()));

    api.expect(200, Method::DELETE, &format!("/api/terminal/{id}"), NONE).await?;
    let told = events.skip_to("terminal-closed").await?;
    ensure!(told.data["terminalId"] == id, "{told:?}");
    let wish = json!({"sessionId": "not-a-session"});
    let answer: Value = api.expect(404, Method::POST, "/api/terminal", wish).await?;
    ensure!(answer["error"] == "Session not found", "{answer}");
    Ok(())
}

/// What is wrong with a wish is told by every relay, whoever of them finds it.
#[tokio::test]
async fn what_cannot_be_started_is_a_bad_request() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let long = "x".repeat(200 * 1024);
    let refused = [
        (json!({"command": ["true", long]}), "too large"),
        (json!({"command": ["true"], "env": {"A": long}}), "too large"),
        (json!({"command": ["true", "a\0b"]}), "NUL"),
        (json!({"env": {"A": "\0"}}), "NUL"),
        (json!({"env": {"A\0": ""}}), "NUL"),
        (json!({"env": {"A=B": ""}}), "variable"),
        (json!({"cwd": "/tmp\0"}), "NUL"),
        (json!({"cwd": "relative"}), "absolute"),
        (json!({"cwd": "./x"}), "absolute"),
        (json!({"cwd": "~nobody-here"}), "the user does not exist"),
        (json!({"cwd": "/no/such/folder"}), "cannot start in"),
        (json!({"command": ["echo hello"]}), "each word"),
        (json!({"command": ["/etc/passwd"]}), "not executable"),
        (json!({"command": ["/etc/passwd/x"]}), "program not found"),
        (json!({"command": [""]}), "empty"),
    ];
    for (wish, says) in refused {
        let answer = api.expect(400, Method::POST, "/api/sessions", wish).await?;
        let told = answer["message"].as_str().unwrap_or_default();
        ensure!(answer["code"] == "bad_request" && told.contains(says), "{says}: {answer}");
        ensure!(told.len() < 1000, "{} bytes of it", told.len());
    }
    let relative = json!({"workingDir": "relative"});
    ensure!(
        api.expect(400, Method::POST, "/api/terminal", relative).await?["code"] == "bad_request"
    );
    let project = json!({"name": "x", "directory": "relative"});
    ensure!(
        api.expect(400, Method::POST, "/api/projects", project).await?["code"] == "bad_request"
    );

    let home = std::env::var("HOME")?;
    for cwd in ["~", "~/", "~/."] {
        let wish = json!({"cwd": cwd, "command": ["cat"]});
        let made = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        let told = made["session"]["cwd"].as_str().unwrap_or_default();
        ensure!(told.trim_end_matches(['/', '.']) == home, "{made}");
    }
    Ok(())
}
