//! What works with a workspace beside sessions: archives, event streams, the command line; and what a
//! restart of the host keeps.

use std::fs;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::rest::CreateSession;
use moorline_shared::sse::{Parser, SseEvent, SseItem};
use moorline_tests::api::{Api, refusal};
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::{wait_until, within};
use moorline_tests::workspaces::Workspace;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::process::Command;

/// Runs a session to its end in a folder with the files of a workspace.
async fn run_in(api: &Api, files: &Workspace, folder: &std::path::Path) -> Result<()> {
    let wish = CreateSession {
        command: Some(vec!["true".to_owned()]),
        cwd: Some(folder.to_string_lossy().into_owned()),
        workspace: Some(files.id.parse()?),
        ..CreateSession::default()
    };
    let id = api.create(&wish).await?.session_id;
    wait_until("the end", async || {
        api.status(&id).await.is_ok_and(|it| it.summary.lifecycle.is_over())
    })
    .await
}

#[tokio::test]
async fn a_host_that_was_killed_goes_on_from_what_both_sides_had() -> Result<()> {
    let mut relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let files = Workspace::create(&api).await?;
    let at = |path: &str| folder.path().join(path);
    fs::write(at("deleted-here"), "1")?;
    fs::write(at("deleted-there"), "2")?;
    fs::write(at("changed-here"), "3")?;
    fs::write(at("changed-there"), "4")?;
    run_in(&api, &files, folder.path()).await?;
    relay.kill_host().await?;
    fs::remove_file(at("deleted-here"))?;
    fs::write(at("changed-here"), "3, changed")?;
    files.delete("deleted-there").await?;
    files.put("changed-there", "4, changed").await?;
    relay.launch_host().await?;
    run_in(&api, &files, folder.path()).await?;
    // Without the base, what was deleted would be back, and what was changed a conflict.
    let listed: Vec<_> = files.listing().await?.into_keys().collect();
    ensure!(listed == ["changed-here", "changed-there"], "{listed:?}");
    ensure!(files.read("changed-here").await?.as_deref() == Some(&b"3, changed"[..]));
    ensure!(fs::read(at("changed-there"))? == b"4, changed" && !at("deleted-there").exists());
    Ok(())
}

#[tokio::test]
async fn an_archive_goes_in_and_out() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let (files, copy) = (Workspace::create(&api).await?, Workspace::create(&api).await?);
    files.send(Method::PUT, "a/run.sh", &[("x-moorline-mode", "755")], "#!/bin/sh\n").await?;
    files.put("b.bin", vec![0, 255, 7]).await?;
    let formats = if relay.kind() == Kind::Edge { &["tar"][..] } else { &["tar", "zip"] };
    for format in formats {
        let query = format!("/archive?format={format}");
        let packed = api.request(Method::GET, &files.path(&query)).send().await?;
        ensure!(packed.status() == 200, "{}", packed.text().await?);
        let packed = packed.bytes().await?;
        let put = api.request(Method::POST, &copy.path(&query)).body(packed).send().await?;
        ensure!(put.status() == 200, "{}", put.text().await?);
        ensure!(copy.listing().await? == files.listing().await?);
        copy.delete("a").await?;
    }
    let bad = api.request(Method::POST, &copy.path("/archive")).body(vec![7; 600]).send().await?;
    ensure!(refusal(bad).await?.1.code == "bad_archive");
    if relay.kind() == Kind::Edge {
        let (status, body) = api.refusal(Method::GET, &files.path("/archive?format=zip")).await?;
        ensure!((status, &*body.code) == (501, "not_supported"));
    }
    Ok(())
}

/// Reads events up to one of `files-changed`.
async fn changed(mut answer: Response) -> Result<Vec<SseEvent>> {
    ensure!(answer.status() == 200, "{}", answer.status());
    let (mut parser, mut all) = (Parser::new(), Vec::new());
    loop {
        let chunk = within("an event", answer.chunk()).await??.context("the stream has ended")?;
        parser.push(&chunk, |item| {
            if let SseItem::Event(event) = item {
                all.push(event);
            }
        })?;
        if all.iter().any(|event| event.kind == "files-changed") {
            return Ok(all);
        }
    }
}

#[tokio::test]
async fn a_stream_tells_changes_and_resumes_by_revision() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let files = Workspace::create(&api).await?;
    files.put("a", "1").await?;
    let path = files.path("/events");
    let live = api.request(Method::GET, &path).send().await?;
    files.put("b", "2").await?;
    let events = changed(live).await?;
    let event = events.last().context("no event")?;
    let data: Value = serde_json::from_str(&event.data)?;
    ensure!(event.id.as_deref() == Some("2") && data["files"][0]["path"] == "b", "{event:?}");
    let again = api.request(Method::GET, &path).header("last-event-id", "1").send().await?;
    ensure!(changed(again).await? == events);
    let all = api.request(Method::GET, &format!("{path}?since=0")).send().await?;
    let all: Value = serde_json::from_str(&changed(all).await?[0].data)?;
    ensure!(all["files"].as_array().is_some_and(|files| files.len() == 2), "{all}");
    Ok(())
}

/// Runs a command without a token and an address: both come from the data folder.
async fn command(relay: &Relay, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(relay.program());
    command.args(arguments).env("MOORLINE_DATA_DIR", relay.data_dir()).kill_on_drop(true);
    command.env_remove("MOORLINE_TOKEN").env_remove("MOORLINE_URL");
    Ok(within("a command", command.output()).await??)
}

async fn output(relay: &Relay, arguments: &[&str]) -> Result<String> {
    let output = command(relay, arguments).await?;
    ensure!(output.status.success(), "{arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_pulls_and_pushes() -> Result<()> {
    let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let api = relay.api();
    let id = output(&relay, &["workspace", "create", "notes"]).await?;
    let files = Workspace { api, id: id.clone() };
    ensure!(output(&relay, &["workspace", "list"]).await?.contains("notes"));
    let folders = tempfile::tempdir()?;
    let (one, two) = (folders.path().join("one"), folders.path().join("two"));
    let at = |folder: &std::path::Path| folder.to_string_lossy().into_owned();
    fs::create_dir(&one)?;
    fs::write(one.join("a"), "1")?;
    output(&relay, &["workspace", "push", "notes", &at(&one)]).await?;
    ensure!(files.read("a").await?.as_deref() == Some(&b"1"[..]));
    output(&relay, &["workspace", "pull", &id, &at(&two)]).await?;
    ensure!(fs::read(two.join("a"))? == b"1");
    // What is only on one side stays; what differs is replaced by a push, and kept by a pull.
    fs::write(one.join("a"), "2")?;
    fs::write(two.join("a"), "3")?;
    fs::write(two.join("only"), "two")?;
    files.put("only-there", "x").await?;
    output(&relay, &["workspace", "push", "notes", &at(&one)]).await?;
    ensure!(files.read("a").await?.as_deref() == Some(&b"2"[..]));
    ensure!(files.read("only-there").await?.is_some());
    output(&relay, &["workspace", "pull", "notes", &at(&two)]).await?;
    ensure!(fs::read(two.join("a"))? == b"2" && fs::read(two.join("only"))? == b"two");
    let names = fs::read_dir(&two)?.filter_map(|it| it.ok()?.file_name().into_string().ok());
    ensure!(names.into_iter().any(|name| name.starts_with("a.conflict-")));
    ensure!(files.read("only").await?.is_none());
    // A file that the workspace does not take is told, by the status too.
    fs::write(one.join("A"), "collides")?;
    let refused = command(&relay, &["workspace", "push", "notes", &at(&one)]).await?;
    let told = String::from_utf8(refused.stderr)?;
    ensure!(refused.status.code() == Some(2) && told.contains("A: "), "{told}");
    // The folder follows while it is watched.
    let mut watch = Command::new(relay.program());
    watch.args(["workspace", "watch", "notes", &at(&two)]).kill_on_drop(true);
    let _watch = watch.env("MOORLINE_DATA_DIR", relay.data_dir()).spawn()?;
    files.until_content("only", b"two").await?;
    files.put("later", "later").await?;
    wait_until("the file", async || fs::read(two.join("later")).is_ok_and(|it| it == b"later"))
        .await?;
    ensure!(output(&relay, &["workspace", "delete", "notes"]).await? == id);
    ensure!(!command(&relay, &["workspace", "pull", "notes", "."]).await?.status.success());
    Ok(())
}
