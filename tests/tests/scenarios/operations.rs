//! Operations: an agent's text is previewed, and what is still as it was previewed is done.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::CreateSession;
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use moorline_tests::sse::Sse;
use reqwest::Method;
use serde_json::{Value, json};

/// What an agent says, in several forms.
const TEXT: &str = "\
I'll change two files and add one:

```rust src/new.rs
fn new() {}
```

a.txt
```
<<<<<<< SEARCH
two
=======
three
>>>>>>> REPLACE
```

<rename path=\"b.txt\" to=\"c.txt\"/>

Then test:

```sh
touch run.txt
```
";

async fn session_in(api: &Api, folder: &Path) -> Result<SessionId> {
    let wish = CreateSession {
        command: Some(vec!["cat".to_owned()]),
        cwd: Some(folder.to_string_lossy().into_owned()),
        ..CreateSession::default()
    };
    Ok(api.create(&wish).await?.session_id)
}

fn codes(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    results.iter().map(|result| result["code"].as_str().unwrap_or("done")).collect()
}

#[tokio::test]
async fn operations_that_are_as_previewed_are_done() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let at = |path: &str| folder.path().join(path);
    std::fs::write(at("a.txt"), "one\ntwo\n")?;
    std::fs::write(at("b.txt"), "b\n")?;
    let id = session_in(&api, folder.path()).await?;
    let mut events = Sse::replay(&api, &id, "").await?;
    let path = format!("/api/session/{id}/operations");

    let preview = format!("{path}/preview");
    let found = api.expect(200, Method::POST, &preview, json!({"response": TEXT})).await?;
    ensure!(found["success"] == true && found["sessionId"] == json!(id), "{found}");
    ensure!(found["count"] == 4 && found["timestamp"].is_u64(), "{found}");
    let operations = found["operations"].as_array().context("no operations")?;
    let kinds: Vec<&Value> = operations.iter().map(|operation| &operation["type"]).collect();
    ensure!(kinds == ["write", "patch", "rename", "run"], "{kinds:?}");
    ensure!(operations[0]["before"].is_null() && operations[1]["before"].is_string(), "{found}");
    let diff = operations[1]["diff"].as_str().unwrap_or_default();
    ensure!(diff.contains("\n-two\n+three\n"), "{diff}");
    let event = events.skip_to("operations-detected").await?.data;
    ensure!(event["response"] == TEXT && event["operations"] == found["operations"], "{event}");

    // Somebody else is quicker with one of them.
    std::fs::write(at("a.txt"), "one\ntwo\nmore\n")?;
    let execute = format!("{path}/execute");
    let all = json!({"operations": operations, "allOrNothing": true});
    let none = api.expect(200, Method::POST, &execute, all).await?;
    ensure!(codes(&none) == ["skipped", "stale", "skipped", "not_run"], "{none}");
    ensure!(none["executed"] == 0 && !at("src").exists(), "{none}");
    let some = json!({"operations": operations});
    let done = api.expect(200, Method::POST, &execute, some).await?;
    ensure!(codes(&done) == ["done", "stale", "done", "not_run"], "{done}");
    ensure!(done["success"] == true && done["executed"] == 2 && done["count"] == 4, "{done}");
    ensure!(done["results"][0]["operation"] == "write", "{done}");
    ensure!(std::fs::read_to_string(at("src/new.rs"))? == "fn new() {}\n");
    ensure!(std::fs::read_to_string(at("a.txt"))? == "one\ntwo\nmore\n");
    ensure!(!at("b.txt").exists() && std::fs::read_to_string(at("c.txt"))? == "b\n");
    ensure!(!at("run.txt").exists(), "a command was run");
    let event = events.skip_to("operations-executed").await?.data;
    ensure!(codes(&event) == codes(&none), "{event}");
    let event = events.skip_to("operations-executed").await?.data;
    ensure!(event["results"] == done["results"], "{event}");

    // A new preview shows the file as it is now.
    let found = api.expect(200, Method::POST, &preview, json!({"response": TEXT})).await?;
    let again = json!({"operations": [found["operations"][1]]});
    let done = api.expect(200, Method::POST, &execute, again).await?;
    ensure!(codes(&done) == ["done"], "{done}");
    ensure!(std::fs::read_to_string(at("a.txt"))? == "one\nthree\nmore\n");
    Ok(())
}

#[tokio::test]
async fn operations_are_for_those_who_may_write() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let id = session_in(&api, folder.path()).await?;
    let path = format!("/api/session/{id}/operations");
    let reader = api.token(&format!("session:{id}:read")).await?;
    let reader = api.with_token(Some(&reader));
    let writer = api.token(&format!("session:{id}:write")).await?;
    let writer = api.with_token(Some(&writer));
    for (what, body) in [
        ("preview", json!({"response": "x"})),
        ("execute", json!({"operations": [{"type": "write", "path": "x", "content": ""}]})),
    ] {
        let path = format!("{path}/{what}");
        reader.expect(403, Method::POST, &path, body.clone()).await?;
        writer.expect(200, Method::POST, &path, body).await?;
    }
    ensure!(folder.path().join("x").exists());
    let out = json!({"operations": [{"type": "write", "path": "../out", "content": ""}]});
    let refused = api.expect(200, Method::POST, &format!("{path}/execute"), out).await?;
    ensure!(codes(&refused) == ["outside_folder"], "{refused}");

    // The folder goes away under the session.
    let mut events = Sse::live(&api, &id).await?;
    drop(folder);
    let preview = json!({"response": "x"});
    let refused = api.expect(409, Method::POST, &format!("{path}/preview"), preview).await?;
    ensure!(refused["code"] == "no_folder" && refused["sessionId"] == json!(id), "{refused}");
    let event = events.skip_to("session-error").await?.data;
    ensure!(event["code"] == "PREVIEW_ERROR" && event["recoverable"] == true, "{event}");
    let delete = json!({"operations": [{"type": "delete", "path": "x"}]});
    api.expect(409, Method::POST, &format!("{path}/execute"), delete).await?;
    let event = events.skip_to("operations-error").await?.data;
    ensure!(event["operations"][0]["path"] == "x" && event["error"].is_string(), "{event}");
    Ok(())
}

#[tokio::test]
async fn operations_of_the_largest_size_pass() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let id = session_in(&api, folder.path()).await?;
    let path = format!("/api/session/{id}/operations");
    // Each needs an escape of six bytes, as much as a body can be in another one.
    let content = "\u{1}".repeat(39 * 1024);
    let write = json!({"type": "write", "path": "x", "content": content});
    let body = json!({"operations": [write]});
    let done = api.expect(200, Method::POST, &format!("{path}/execute"), body).await?;
    ensure!(codes(&done) == ["done"], "{done}");
    ensure!(std::fs::read_to_string(folder.path().join("x"))? == content);
    let large = json!({"response": "x".repeat(240 * 1024)});
    let refused = api.expect(413, Method::POST, &format!("{path}/preview"), large).await?;
    ensure!(refused["code"] == "too_large", "{refused}");
    Ok(())
}
