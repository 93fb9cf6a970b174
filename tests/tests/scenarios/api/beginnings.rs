//! How sessions begin: at which size, and under which name.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use moorline_tests::sse::Sse;
use moorline_tests::wire::{Greeting, Wire};
use reqwest::Method;
use serde_json::{Value, json};

use super::{NONE, sh};

fn id_of(answer: &Value, field: &str) -> Result<SessionId> {
    Ok(answer[field].as_str().with_context(|| format!("no id in {answer}"))?.parse()?)
}

#[tokio::test]
async fn a_program_starts_at_the_size_that_was_asked_for() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let tells = sh("stty size; trap 'echo told' WINCH; while :; do read -r x || sleep 0.1; done");
    let wish = json!({"command": tells, "cols": 101, "rows": 31});
    let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    let first = id_of(&created, "sessionId")?;
    Sse::replay(&api, &first, "").await?.output(Some("31 101\r\n")).await?;

    let path = format!("/api/sessions/{first}");
    let larger = json!({"cols": 120, "rows": 40});
    for (how, wish, size) in [
        ("duplicate", json!({}), "31 101\r\n"),
        ("duplicate", larger.clone(), "40 120\r\n"),
        ("fork", json!({}), "31 101\r\n"),
        ("fork", larger.clone(), "40 120\r\n"),
    ] {
        let made = api.expect(201, Method::POST, &format!("{path}/{how}"), wish).await?;
        let id = id_of(&made, "sessionId")?;
        let output = Sse::replay(&api, &id, "").await?.output(Some(size)).await?;
        ensure!(!output.text().contains("told"), "{how}: {:?}", output.text());
    }
    let made = api.expect(200, Method::POST, "/api/terminal", larger).await?;
    let id = id_of(&made, "terminalId")?;
    let status = api.status(&id).await?;
    ensure!((status.cols, status.rows) == (120, 40), "{status:?}");
    for (route, wish) in [
        ("/api/sessions".to_owned(), json!({"cols": 1})),
        ("/api/terminal".to_owned(), json!({"rows": 501})),
        (format!("{path}/duplicate"), json!({"rows": 0})),
        (format!("{path}/fork"), json!({"cols": 1001})),
    ] {
        let (status, answer) = api.call(Method::POST, &route, wish).await?;
        ensure!(status == 400 && answer["code"] == "bad_request", "{route}: {status} {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_has_one_name_everywhere() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("src").tempdir()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let wish = json!({"command": ["/bin/sh"], "cwd": folder.path()});
    let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    let id = id_of(&created, "sessionId")?;
    let last = folder.path().file_name().and_then(|name| name.to_str()).context("a name")?;
    let called = format!("sh in {last}");
    let tells = async || -> Result<[Value; 4]> {
        let list = api.expect(200, Method::GET, "/api/sessions", NONE).await?;
        let status =
            api.expect(200, Method::GET, &format!("/api/session/{id}/status"), NONE).await?;
        let mut wire = Wire::connect(&relay, &id, &Greeting::extended()).await?;
        let meta = wire.expect("session-meta").await?;
        let listed = &list["sessions"][0];
        Ok([
            listed["name"].clone(),
            status["name"].clone(),
            meta["name"].clone(),
            listed["named"].clone(),
        ])
    };
    ensure!(created["session"]["name"] == called.as_str(), "{created}");
    let told = tells().await?;
    ensure!(told == [json!(called), json!(called), json!(called), json!(false)], "{told:?}");

    // A name that is given counts, and goes again.
    let path = format!("/api/sessions/{id}");
    let renamed = api.expect(200, Method::PATCH, &path, json!({"name": "notes"})).await?;
    ensure!(
        renamed["session"]["name"] == "notes" && renamed["session"]["named"] == true,
        "{renamed}"
    );
    let told = tells().await?;
    ensure!(told == [json!("notes"), json!("notes"), json!("notes"), json!(true)], "{told:?}");
    let twin = api.expect(201, Method::POST, &format!("{path}/duplicate"), json!({})).await?;
    ensure!(twin["session"]["name"] == "notes (copy)", "{twin}");
    let renamed = api.expect(200, Method::PATCH, &path, json!({"name": ""})).await?;
    ensure!(renamed["session"]["name"] == called.as_str(), "{renamed}");
    let twin = api.expect(201, Method::POST, &format!("{path}/duplicate"), json!({})).await?;
    ensure!(
        twin["session"]["name"] == called.as_str() && twin["session"]["named"] == false,
        "{twin}"
    );
    Ok(())
}
