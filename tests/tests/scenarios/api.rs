//! The REST API, as the documents that it was made after have it: bodies, statuses and words.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::session::Lifecycle;
use moorline_tests::api::Api;
use moorline_tests::expected;
use moorline_tests::relay::{Relay, Setup};
use moorline_tests::sse::Sse;
use moorline_tests::wait::{wait_for, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

mod beginnings;
mod lists;
mod terminals;

const NONE: Value = Value::Null;

fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_session_by_the_seeds_routes() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let wish =
        json!({"sessionId": "load-test-0001", "command": expected::counter(), "name": "one"});
    let created = api.expect(201, Method::POST, "/api/sessions", wish.clone()).await?;
    ensure!(created["success"] == true && created["sessionId"] == "load-test-0001", "{created}");
    let taken = api.expect(409, Method::POST, "/api/sessions", wish).await?;
    ensure!(taken["code"] == "exists" && taken["error"].is_string(), "{taken}");

    let path = "/api/session/load-test-0001";
    let session: SessionId = "load-test-0001".parse()?;
    wait_until("the program", async || api.status(&session).await.is_ok_and(|s| s.head.0 > 1))
        .await?;
    let status = api.expect(200, Method::GET, &format!("{path}/status"), NONE).await?;
    ensure!(status["sessionId"] == "load-test-0001" && status["status"] == "running", "{status}");
    ensure!(status["mode"] == "pty" && status["name"] == "one", "{status}");
    ensure!(status["pid"].is_u64() && status["uptime"].is_u64(), "{status}");
    ensure!(status["createdAt"].is_string() && status["lastActivity"].is_string(), "{status}");

    let prompt = format!("{path}/prompt");
    for nothing in [json!({}), json!({"command": ""}), json!({"command": null})] {
        let refused = api.expect(400, Method::POST, &prompt, nothing).await?;
        ensure!(refused["error"] == "Command is required", "{refused}");
    }
    for wrong in [json!([]), json!({"command": 1}), json!({"command": "x", "context": 1})] {
        let (status, answer) = api.call(Method::POST, &prompt, wrong).await?;
        ensure!((400..=422).contains(&status), "{status} {answer}");
    }
    let large = json!({"command": "x".repeat(64 * 1024 + 1)});
    let refused = api.expect(413, Method::POST, &prompt, large).await?;
    ensure!(refused["code"] == "too_large", "{refused}");
    let answer = api.expect(200, Method::POST, &prompt, json!({"command": "hi"})).await?;
    ensure!(answer["success"] == true && answer["sessionId"] == "load-test-0001", "{answer}");
    ensure!(answer["message"] == "Command sent" && answer["timestamp"].is_u64(), "{answer}");
    let mut events = Sse::replay(&api, &session, "").await?;
    events.output(Some("1:hi\r\n")).await?;

    let deleted = api.expect(200, Method::DELETE, path, NONE).await?;
    ensure!(deleted["success"] == true && deleted["message"] == "Session deleted", "{deleted}");
    ensure!(deleted["sessionId"] == "load-test-0001", "{deleted}");
    let gone = api.expect(404, Method::DELETE, path, NONE).await?;
    ensure!(gone["error"] == "Session not found", "{gone}");
    Ok(())
}

#[tokio::test]
async fn ids_are_checked_on_every_route() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let routes = [
        (Method::GET, "/api/session/:id/events"),
        (Method::GET, "/api/session/:id/events/status"),
        (Method::GET, "/api/session/:id/status"),
        (Method::GET, "/api/session/:id/context"),
        (Method::GET, "/api/session/:id/files"),
        (Method::POST, "/api/session/:id/prompt"),
        (Method::DELETE, "/api/session/:id"),
        (Method::PATCH, "/api/sessions/:id"),
        (Method::POST, "/api/sessions/:id/move"),
        (Method::POST, "/api/sessions/:id/duplicate"),
        (Method::POST, "/api/sessions/:id/fork"),
        (Method::GET, "/api/terminal/:id/output"),
        (Method::POST, "/api/terminal/:id/input"),
        (Method::DELETE, "/api/terminal/:id"),
    ];
    let long = "x".repeat(33);
    let wrong = [("short", 400), ("bad.id.with.dots", 400), (&long, 400), ("not-a-session", 404)];
    let body = json!({"command": "x", "data": "x", "name": "x", "projectId": null});
    for (method, route) in routes {
        for (id, expected) in wrong {
            let path = route.replace(":id", id);
            let body = if method == Method::GET { NONE } else { body.clone() };
            let (status, answer) = api.call(method.clone(), &path, body).await?;
            ensure!(status == expected, "{status} to {method} {path}: {answer}");
            ensure!(answer["error"].is_string() && answer["code"].is_string(), "{answer}");
            ensure!(answer["sessionId"] == id, "{method} {path}: {answer}");
        }
        let method = if method == Method::GET { Method::PUT } else { Method::TRACE };
        let path = route.replace(":id", "not-a-session");
        let (status, _) = api.call(method, &path, NONE).await?;
        ensure!(status == 405, "{status} to a wrong method on {path}");
    }
    // What comes with a later version is not there yet.
    let path = "/api/session/not-a-session/operations/preview";
    ensure!(api.call(Method::POST, path, NONE).await?.0 == 404);
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_over_takes_no_prompt() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run(sh("exit 0")).await?;
    wait_until("its end", async || {
        let status = api.status(&session).await;
        status.is_ok_and(|status| status.summary.lifecycle == Lifecycle::Exited)
    })
    .await?;
    let path = format!("/api/session/{session}/prompt");
    let refused = api.expect(409, Method::POST, &path, json!({"command": "x"})).await?;
    ensure!(refused["code"] == "session_ended", "{refused}");
    Ok(())
}

#[tokio::test]
async fn files_of_the_folder_are_found_by_some_letters() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let folder = tempfile::tempdir()?;
    let work = folder.path().join("work");
    for name in ["src", "target"] {
        std::fs::create_dir_all(work.join(name))?;
    }
    std::fs::write(folder.path().join("main-secret"), "")?;
    for name in ["src/main.rs", "src/domain.rs", "target/main.d", "README.md"] {
        std::fs::write(work.join(name), "")?;
    }
    std::fs::write(work.join(".gitignore"), "target\n")?;
    let wish = json!({ "command": ["cat"], "cwd": work });
    let made = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    let session = made["sessionId"].as_str().context("no id")?;
    let find = async |query: &str| {
        let path = format!("/api/session/{session}/files{query}");
        api.expect(200, Method::GET, &path, NONE).await
    };
    let found = find("?q=main").await?;
    ensure!(found["files"] == json!(["src/main.rs", "src/domain.rs"]), "{found}");
    ensure!(found["truncated"] == false && found["sessionId"] == json!(session), "{found}");
    ensure!(find("").await?["files"].as_array().is_some_and(|all| all.len() == 4));
    ensure!(find("?q=..%2Fmain-secret").await?["files"] == json!([]));
    let path = format!("/api/session/{session}/files?q={}", "x".repeat(129));
    ensure!(api.expect(400, Method::GET, &path, NONE).await?["code"] == "bad_request");
    // Who may only watch has no need of it.
    let reader = api.token(&format!("session:{session}:read")).await?;
    let reader = api.with_token(Some(&reader));
    let path = format!("/api/session/{session}/files");
    let refused = reader.expect(403, Method::GET, &path, NONE).await?;
    ensure!(refused["code"] == "forbidden", "{refused}");
    Ok(())
}

#[tokio::test]
async fn context_files_are_those_that_prompts_and_folders_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("AGENTS.md"), "read me")?;
    std::fs::write(folder.path().join("notes.txt"), "0123456789")?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let wish = json!({"command": expected::counter(), "cwd": folder.path()});
    let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    let path = format!("/api/session/{}", created["sessionId"].as_str().context("no id")?);
    let wish = json!({"command": "x", "context": ["notes.txt", "missing.txt"]});
    api.expect(200, Method::POST, &format!("{path}/prompt"), wish).await?;
    let found = wait_for("both files", async || {
        let answer = api.expect(200, Method::GET, &format!("{path}/context"), NONE).await.ok()?;
        let files = answer["context"].as_array()?.clone();
        (answer["timestamp"].is_u64() && files.len() >= 2).then_some(files)
    })
    .await?;
    let of = |name: &str| {
        found.iter().find(|file| file["path"].as_str().is_some_and(|path| path.ends_with(name)))
    };
    let agents = of("/AGENTS.md").with_context(|| format!("{found:?}"))?;
    ensure!(agents["source"] == "folder" && agents["size"] == 7, "{agents}");
    let notes = of("/notes.txt").with_context(|| format!("{found:?}"))?;
    ensure!(notes["source"] == "prompt" && notes["size"] == 10, "{notes}");
    ensure!(notes["modified"].as_u64() > Some(1_700_000_000_000), "{notes}");
    Ok(())
}

#[tokio::test]
async fn a_duplicate_begins_anew_and_a_fork_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let wish = json!({"command": expected::counter(), "cwd": folder.path(), "name": "first"});
    let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    let first: SessionId = created["sessionId"].as_str().context("no id")?.parse()?;
    let mut events = Sse::replay(&api, &first, "").await?;
    api.prompt(&first, "one").await?;
    let at = events.output(Some("1:one\r\n")).await?.last.context("output has an id")?;
    api.prompt(&first, "two").await?;
    events.output(Some("2:two\r\n")).await?;

    let path = format!("/api/sessions/{first}");
    let twin = api.expect(201, Method::POST, &format!("{path}/duplicate"), json!({})).await?;
    ensure!(twin["session"]["command"] == created["session"]["command"], "{twin}");
    ensure!(twin["session"]["cwd"] == created["session"]["cwd"], "{twin}");
    ensure!(twin["forkedFrom"].is_null() && twin["sessionId"] != first.as_str(), "{twin}");
    let id: SessionId = twin["sessionId"].as_str().context("no id")?.parse()?;
    let mut events = Sse::replay(&api, &id, "").await?;
    ensure!(events.output(Some("ready\r\n")).await?.text() == "ready\r\n");
    api.prompt(&id, "new").await?;
    ensure!(events.output(Some("1:new\r\n")).await?.text() == "1:new\r\n");

    let wish = json!({"seq": at.seq, "name": "branch"});
    let fork = api.expect(201, Method::POST, &format!("{path}/fork"), wish).await?;
    ensure!(fork["session"]["name"] == "branch", "{fork}");
    let from = &fork["forkedFrom"];
    ensure!(from["sessionId"] == first.as_str() && from["seq"] == at.seq.0, "{fork}");
    let id: SessionId = fork["sessionId"].as_str().context("no id")?.parse()?;
    let mut events = Sse::replay(&api, &id, "").await?;
    api.prompt(&id, "other").await?;
    let output = events.output(Some("1:other\r\n")).await?;
    let text = output.text();
    ensure!(text.contains("1:one") && !text.contains("2:two"), "{text:?}");
    // A fork is a session of its own: the first one knows nothing of it.
    api.prompt(&first, "three").await?;
    let output = Sse::replay(&api, &first, "").await?.output(Some("3:three\r\n")).await?;
    ensure!(!output.text().contains("other"), "{:?}", output.text());

    let ahead = json!({"seq": 1_000_000});
    let (status, answer) = api.call(Method::POST, &format!("{path}/fork"), ahead).await?;
    ensure!((400..=422).contains(&status), "{status} {answer}");
    Ok(())
}

#[tokio::test]
async fn metrics_count_what_happens() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let mut events = Sse::live(&api, &session).await?;
    api.prompt(&session, "x").await?;
    events.output(Some("1:x")).await?;
    let metrics = wait_for("all of it to be counted", async || {
        let metrics = api.expect(200, Method::GET, "/api/debug/metrics", NONE).await.ok()?;
        let events = &metrics["eventBus"]["eventsByType"];
        let counted = ["session-created", "session-output", "command-sent"]
            .iter()
            .all(|kind| events[kind].as_u64() > Some(0));
        (counted && metrics["sse"]["totalConnections"] == 1).then_some(metrics)
    })
    .await?;
    let bus = &metrics["eventBus"];
    ensure!(bus["eventsEmitted"].as_u64() > Some(2), "{metrics}");
    ensure!(bus["listenerCounts"].is_object() && bus["activeListeners"] == 1, "{metrics}");
    ensure!(metrics["outputBytes"].as_u64() > Some(4), "{metrics}");

    let (status, text) = api.get_text("/metrics").await?;
    ensure!(status == 200 && text.contains("# TYPE moorline_"), "{status} {text}");
    let sample = "\nmoorline_events_total{type=\"command-sent\"} 1\n";
    ensure!(text.contains(sample), "{text}");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let value = line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        ensure!(value.is_some(), "{line:?} is no sample");
    }
    for path in ["/metrics", "/api/debug/metrics"] {
        let stranger = api.with_token(None);
        ensure!(stranger.get_text(path).await?.0 == 401, "{path} is open");
    }
    Ok(())
}

/// What the program prints, which is the same for both relays.
fn printed(relay: &Relay, arguments: &[&str]) -> Result<Value> {
    let output = relay.command().args(arguments).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

#[tokio::test]
async fn the_api_describes_itself() -> Result<()> {
    let relay = Relay::start().await?;
    // For everyone: it tells nothing of what runs.
    let api: Api = relay.api().with_token(None);
    let document = api.expect(200, Method::GET, "/api/openapi.json", NONE).await?;
    ensure!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    ensure!(document == printed(&relay, &["openapi"])?, "it is another one than the program's");
    for (path, methods) in [
        ("/api/sessions", &["get", "post"][..]),
        ("/api/sessions/{id}", &["patch"]),
        ("/api/sessions/{id}/move", &["post"]),
        ("/api/sessions/{id}/duplicate", &["post"]),
        ("/api/sessions/{id}/fork", &["post"]),
        ("/api/projects", &["get", "post"]),
        ("/api/projects/{id}", &["get", "patch", "delete"]),
        ("/api/session/{id}", &["delete"]),
        ("/api/session/{id}/status", &["get"]),
        ("/api/session/{id}/events", &["get"]),
        ("/api/session/{id}/events/status", &["get"]),
        ("/api/session/{id}/context", &["get"]),
        ("/api/session/{id}/prompt", &["post"]),
        ("/api/terminal", &["post"]),
        ("/api/terminal/{id}", &["delete"]),
        ("/api/terminal/{id}/output", &["get"]),
        ("/api/terminal/{id}/input", &["post"]),
        ("/api/events", &["get"]),
        ("/api/tickets", &["post"]),
        ("/api/login", &["post", "delete"]),
        ("/api/debug/metrics", &["get"]),
        ("/metrics", &["get"]),
        ("/healthz", &["get"]),
    ] {
        for method in methods {
            let operation = &document["paths"][path][method];
            ensure!(operation["responses"].is_object(), "{method} {path} is not described");
            ensure!(operation["summary"].is_string(), "{method} {path} has no summary");
        }
    }
    let (status, page) = api.get_text("/docs/api").await?;
    ensure!(status == 200 && page.starts_with("<!"), "{status}");
    Ok(())
}

#[tokio::test]
async fn legacy_routes_can_be_turned_off() -> Result<()> {
    // Of both relays; natively there is `--no-legacy` too.
    let variables = vec![("MOORLINE_NO_LEGACY".to_owned(), "1".to_owned())];
    let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
    let document = relay.api().expect(200, Method::GET, "/api/openapi.json", NONE).await?;
    ensure!(document == printed(&relay, &["openapi", "--no-legacy"])?);
    for path in ["/claude/api/claude/sessions", "/claude/api/claude/chat"] {
        let (status, _) = relay.api().get_text(path).await?;
        ensure!(status == 404, "{status} to {path}");
        ensure!(document["paths"][path].is_null(), "{path} is described");
    }
    Ok(())
}
