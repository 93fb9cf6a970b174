//! Paths that try to lead out of the folder that they are in.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::{Value, json};

use super::{head_of, token};

#[tokio::test]
async fn no_path_of_a_file_leads_out_of_the_pages_folder() -> Result<()> {
    let relay = Relay::start().await?;
    let mut names = Vec::new();
    for up in ["..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "..%00", "...."] {
        for between in ["/", "%2f", "\\", "%5c", "//"] {
            let up = [up; 9].join(between);
            names.extend(
                ["etc/passwd", "workerd.capnp", "worker/index.js"]
                    .map(|file| format!("/{up}{between}{file}")),
            );
            names.push(format!("/docs/{up}{between}etc/passwd"));
        }
    }
    for one_up in ["/..%2fworkerd.capnp", "/x/..%2f..%2fworkerd.capnp", "/..%5cworkerd.capnp"] {
        names.push(one_up.to_owned());
    }
    for file in ["etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "%00", "push.js%00.html"] {
        names.push(format!("//{file}"));
        names.push(format!("/{file}"));
    }
    for name in &names {
        let head = head_of(&relay, name, "").await.with_context(|| name.clone())?;
        let status = head.split(' ').nth(1).with_context(|| format!("{name}: {head}"))?;
        ensure!(["307", "400", "404"].contains(&status), "{status} to {name}");
    }
    Ok(())
}

async fn session_in(api: &Api, folder: &std::path::Path) -> Result<SessionId> {
    let wish = json!({"command": ["cat"], "cwd": folder});
    let made = api.expect(201, Method::POST, "/api/sessions", wish).await?;
    Ok(made["sessionId"].as_str().context("no id")?.parse()?)
}

#[tokio::test]
async fn a_session_starts_only_in_a_folder_that_exists_and_is_named_in_full() -> Result<()> {
    let relay = Relay::start().await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("file"), "")?;
    let file = folder.path().join("file");
    for cwd in
        ["..", "../..", "x/../..", "./x", "\\\\host\\share", "/tmp\0/x", "~other", "file:///"]
            .map(|cwd| json!(cwd))
            .into_iter()
            .chain([json!(file), json!(folder.path().join("missing"))])
    {
        for path in ["/api/sessions", "/api/terminal"] {
            let name = if path == "/api/terminal" { "workingDir" } else { "cwd" };
            let (status, body) = relay.api().call(Method::POST, path, json!({name: cwd})).await?;
            ensure!((400..=422).contains(&status), "{status} to {cwd} at {path}: {body}");
        }
    }
    ensure!(relay.api().list().await?.is_empty(), "one of these started a session");
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_session_reaches_out_of_its_folder() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let around = tempfile::tempdir()?;
    let folder = around.path().join("within");
    std::fs::create_dir(&folder)?;
    let outside = around.path().join("outside.txt");
    std::fs::write(&outside, "secret\n")?;
    std::os::unix::fs::symlink(around.path(), folder.join("link"))?;
    std::os::unix::fs::symlink(&outside, folder.join("file.txt"))?;
    let id = session_in(&api, &folder).await?;
    let (_, secret) = token(&api, &format!("session:{id}:write")).await?;
    let writer = api.with_token(Some(&secret));

    let full = outside.to_string_lossy().into_owned();
    for path in [
        "../outside.txt",
        "x/../../outside.txt",
        &full,
        "link/outside.txt",
        "file.txt",
        "..\\outside.txt",
        "a\0b",
    ] {
        let operations = json!({"operations": [
            {"type": "write", "path": path, "content": "changed"},
            {"type": "rename", "path": path, "to": "mine"},
            {"type": "rename", "path": "mine", "to": path},
            {"type": "delete", "path": path},
        ]});
        let execute = format!("/api/session/{id}/operations/execute");
        let (status, answer) = writer.call(Method::POST, &execute, operations).await?;
        ensure!(status == 200 || status == 400, "{status} to {path:?}: {answer}");
        ensure!(!answer.to_string().contains("secret"), "{path:?}: {answer}");
        let context = json!({"command": "x", "context": [path]});
        let prompt = format!("/api/session/{id}/prompt");
        let (_, answer) = writer.call(Method::POST, &prompt, context).await?;
        ensure!(!answer.to_string().contains("secret"), "{path:?}: {answer}");
        let preview = format!("/api/session/{id}/operations/preview");
        let response = json!({"response": format!("```txt {path}\nchanged\n```")});
        let (_, answer) = writer.call(Method::POST, &preview, response).await?;
        ensure!(!answer.to_string().contains("secret"), "{path:?}: {answer}");
        ensure!(std::fs::read_to_string(&outside)? == "secret\n", "{path:?} changed it");
    }
    for wish in ["outside", "..%2Foutside", "%2Fetc%2Fpasswd", "link%2Foutside"] {
        let path = format!("/api/session/{id}/files?q={wish}");
        let found = writer.expect(200, Method::GET, &path, Value::Null).await?;
        let files = found["files"].as_array().context("no files")?;
        // A name with a backslash is a name within the folder.
        let is_outside = |file: &Value| {
            file.as_str().is_none_or(|file| file.split('/').any(|part| part == "outside.txt"))
        };
        ensure!(!files.iter().any(is_outside), "{wish}: {found}");
    }
    ensure!(outside.exists() && std::fs::read_dir(around.path())?.count() == 2, "a file is new");
    Ok(())
}
