//! The REST API against its own description, by requests that a machine thinks of.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use moorline_tests::programs;
use moorline_tests::relay::{Relay, Setup, TOKEN};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

/// Each would wait for what comes next, or is no HTTP any more.
const STREAMS: [&str; 7] = [
    "/acp",
    "/api/events",
    "/api/session/{id}/events",
    "/api/workspaces/{id}/events",
    "/sessions/{id}/stream",
    "/api/terminal/ws/{id}",
    "/claude/api/claude/chat",
];
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";
/// Sessions that requests name more often than chance would have it.
const LIVE: &str = "schema-live-0001";
const OVER: &str = "schema-over-0001";

/// A relay whose sessions can do no harm, whatever is typed into them and whatever they are told
/// to run.
async fn harmless(folder: &Path) -> Result<Relay> {
    let folder = folder.to_string_lossy().into_owned();
    let variables = [("PATH", folder.clone()), ("HOME", folder), ("SHELL", "/bin/cat".to_owned())];
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Relay::start_with(Setup { variables, ..Setup::default() }).await
}

/// What is there to be named, and how often it is.
async fn configuration(relay: &Relay) -> Result<String> {
    let api = relay.api();
    // Raw, so that no byte that is typed ends it.
    let stays = json!(["/bin/sh", "-c", "/bin/stty raw -echo; exec /bin/cat"]);
    for (id, program) in [(LIVE, stays), (OVER, json!(["/bin/true"]))] {
        let wish = json!({"sessionId": id, "command": program});
        api.expect(201, Method::POST, "/api/sessions", wish).await?;
    }
    let made = api.expect(201, Method::POST, "/api/projects", json!({"name": "p"})).await?;
    let Value::String(project) = &made["project"]["id"] else { bail!("no id: {made}") };
    Ok(format!(
        r#"
[dictionaries.sessions]
values = ["{LIVE}", "{OVER}"]

[dictionaries.projects]
values = ["{project}"]

[[operations]]
include-path-regex = "^/api/(session|sessions|terminal)/"
exclude-method = "DELETE"

[operations.parameters]
"path.id" = {{ dictionary = "sessions", probability = 0.7 }}
"body.projectId" = {{ dictionary = "projects", probability = 0.5 }}

# A pane of tmux is wished for as well, which this relay does not have: 503 `driver_missing`.
[[operations]]
include-path-regex = "/sessions$"
include-method = "POST"

[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]

[[operations]]
include-path-regex = "^/api/projects/"
exclude-method = "DELETE"

[operations.parameters]
"path.id" = {{ dictionary = "projects", probability = 0.7 }}
"#
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_it_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let relay = harmless(folder.path()).await?;
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, configuration(&relay).await?)?;
    let mut command = Command::new(programs::schemathesis()?);
    command
        .arg("--no-color")
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{}/api/openapi.json", relay.url()), "--url", &relay.url()])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--phases", "coverage,fuzzing,stateful", "--checks", CHECKS])
        // The same requests each time, about half a minute's worth. A second worker is of no use to
        // what keeps Python busy, and parsing in two threads at a time fails now and then.
        .args(["--seed", "1", "--max-examples", "25", "--workers", "1", "--continue-on-failure"])
        .args(["--request-timeout", "20", "--report-dir"])
        .arg(folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for path in STREAMS {
        command.args(["--exclude-path", path]);
    }
    let output = command.output().await.context("schemathesis does not start")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::write(programs::artifacts()?.join("schemathesis.txt"), &said)?;
    if !output.status.success() {
        bail!("{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let (status, _) = relay.api().get_text("/healthz").await?;
    ensure!(status == 200, "{status} after all that");
    Ok(())
}
