//! Folders of sessions in sync with a workspace.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::CreateSession;
use moorline_tests::api::Api;
use moorline_tests::elsewhere::Elsewhere;
use moorline_tests::relay::{Kind, Relay};
use moorline_tests::sse::Sse;
use moorline_tests::wait::wait_until;
use moorline_tests::workspaces::Workspace;
use reqwest::Method;
use serde_json::json;

/// Starts a session that runs a command in a folder with the files of a workspace.
async fn session(
    api: &Api,
    files: &Workspace,
    folder: &Path,
    command: &[&str],
) -> Result<SessionId> {
    Ok(api.create(&wish(files, folder, command)?).await?.session_id)
}

fn wish(files: &Workspace, folder: &Path, command: &[&str]) -> Result<CreateSession> {
    Ok(CreateSession {
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
        cwd: Some(folder.to_string_lossy().into_owned()),
        workspace: Some(files.id.parse()?),
        ..CreateSession::default()
    })
}

async fn until_file(path: &Path, content: &[u8]) -> Result<()> {
    wait_until(&format!("the content of {}", path.display()), async || {
        fs::read(path).is_ok_and(|now| now == content)
    })
    .await
}

async fn until_missing(path: &Path) -> Result<()> {
    wait_until(&format!("the end of {}", path.display()), async || !path.exists()).await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o777)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// The modes and contents of what is in a folder, by path. A folder has no content.
type Everything = BTreeMap<String, (u32, Option<Vec<u8>>)>;

fn everything(folder: &Path) -> Result<Everything> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for found in fs::read_dir(next)? {
            let path = found?.path();
            let content = if path.is_dir() { None } else { Some(fs::read(&path)?) };
            let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
            all.insert(name, (mode(&path), content));
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(all)
}

#[tokio::test]
async fn files_go_both_ways_while_a_session_runs() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let files = Workspace::create(&api).await?;
    let at = |path: &str| folder.path().join(path);
    files.put("in/hello.txt", "hello\n").await?;
    // The files are there before the first command.
    let script = "cat in/hello.txt > copied && exec cat";
    let id = session(&api, &files, folder.path(), &["sh", "-c", script]).await?;
    files.until_content("copied", b"hello\n").await?;
    ensure!(
        api.list().await?[0].workspace.as_ref().map(ToString::to_string) == Some(files.id.clone())
    );

    // Binary files, modes, directories, renames and deletions, from the folder.
    let binary: Vec<u8> = (0..2_000_000_u32).map(|number| (number * 31 / 7) as u8).collect();
    fs::create_dir(at("out"))?;
    fs::create_dir(at("out/empty"))?;
    fs::write(at("out/data.bin"), &binary)?;
    fs::write(at("out/run.sh"), "#!/bin/sh\n")?;
    set_mode(&at("out/run.sh"), 0o755)?;
    files.until_content("out/data.bin", &binary).await?;
    wait_until("the mode", async || {
        files.listing().await.is_ok_and(|all| {
            all.get("out/run.sh").is_some_and(|it| it.0 == 0o755) && all.contains_key("out/empty")
        })
    })
    .await?;
    fs::rename(at("out"), at("moved"))?;
    files.until_content("moved/data.bin", &binary).await?;
    files.until_gone("out/data.bin").await?;
    fs::remove_file(at("copied"))?;
    files.until_gone("copied").await?;

    // And from the relay.
    files.put("in/hello.txt", "changed\n").await?;
    until_file(&at("in/hello.txt"), b"changed\n").await?;
    let rename = json!({"path": "moved", "to": "back"});
    api.expect(200, Method::POST, &files.path("/rename"), rename).await?;
    until_file(&at("back/data.bin"), &binary).await?;
    until_missing(&at("moved")).await?;
    ensure!(mode(&at("back/run.sh")) == 0o755 && at("back/empty").is_dir());
    files.send(Method::PUT, "back/run.sh", &[("x-moorline-mode", "644")], "#!/bin/sh\n").await?;
    wait_until("the mode", async || mode(&at("back/run.sh")) == 0o644).await?;
    files.delete("back").await?;
    until_missing(&at("back")).await?;

    // What is written last is there when the end is told.
    api.delete(&id).await?;
    let last = ["sh", "-c", "echo last > last.txt"];
    let id = session(&api, &files, folder.path(), &last).await?;
    wait_until("the end", async || {
        api.status(&id).await.is_ok_and(|it| it.summary.lifecycle.is_over())
    })
    .await?;
    ensure!(files.read("last.txt").await?.as_deref() == Some(&b"last\n"[..]));
    Ok(())
}

#[tokio::test]
async fn what_is_not_synced_is_left_alone() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let outside = tempfile::tempdir()?;
    let files = Workspace::create(&api).await?;
    let at = |path: &str| folder.path().join(path);
    fs::write(outside.path().join("secret"), "secret")?;
    symlink(outside.path(), at("link"))?;
    symlink(outside.path().join("secret"), at("file-link"))?;
    fs::create_dir_all(at(".git"))?;
    fs::write(at(".git/config"), "x")?;
    fs::write(at(".moorlineignore"), "*.log\n/build/\n")?;
    fs::write(at("a.log"), "x")?;
    fs::create_dir(at("build"))?;
    fs::write(at("build/x"), "x")?;
    fs::write(at("large"), vec![0; 16 * 1024 * 1024 + 1])?;
    fs::write(at("Name"), "1")?;
    session(&api, &files, folder.path(), &["cat"]).await?;
    fs::write(at("name"), "2")?;
    fs::write(at("kept.txt"), "kept")?;
    files.until_content("kept.txt", b"kept").await?;
    files.until_content("Name", b"1").await?;
    let listed: Vec<_> = files.listing().await?.into_keys().collect();
    ensure!(listed == [".moorlineignore", "Name", "kept.txt"], "{listed:?}");
    // What another one puts there does not come out by a link, nor replace it.
    files.put("link/x", "escaped").await?;
    files.put("file-link", "escaped").await?;
    files.put("build/y", "ignored").await?;
    files.put("marker", "1").await?;
    until_file(&at("marker"), b"1").await?;
    ensure!(!outside.path().join("x").exists() && !at("build/y").exists());
    ensure!(fs::read(outside.path().join("secret"))? == b"secret");
    // And is not taken for deleted.
    ensure!(files.read("link/x").await?.is_some() && files.read("build/y").await?.is_some());
    // A file gets there once its name is free.
    fs::remove_file(at("Name"))?;
    files.until_content("name", b"2").await?;
    // A file that grows gets there once it is complete.
    let mut grown = Vec::new();
    for number in 0..200 {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(at("grows"))?;
        let line = format!("line {number}\n");
        std::io::Write::write_all(&mut file, line.as_bytes())?;
        grown.extend_from_slice(line.as_bytes());
        tokio::task::yield_now().await;
    }
    files.until_content("grows", &grown).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_writes_when_it_is_deleted_arrives() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let files = Workspace::create(&api).await?;
    // A host with no more rights than it needs.
    let token = api.token("host").await?;
    let host = Elsewhere::start_with(&relay, relay.url(), "host_two", token).await?;
    let script = "trap 'echo last > last.txt; exit' HUP; echo > begun; while :; do sleep 0.1; done";
    let wish = CreateSession {
        host: Some("host_two".parse()?),
        ..wish(&files, folder.path(), &["sh", "-c", script])?
    };
    let id = api.create(&wish).await?.session_id;
    files.until_content("begun", b"\n").await?;
    api.delete(&id).await?;
    files.until_content("last.txt", b"last\n").await?;
    drop(host);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_sync_is_told_in_the_sessions_log() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folder) = (relay.api(), tempfile::tempdir()?);
    let files = Workspace::create(&api).await?;
    let at = |path: &str| folder.path().join(path);
    fs::write(at("large"), vec![0; 16 * 1024 * 1024 + 1])?;
    fs::write(at("Name"), "1")?;
    let id = session(&api, &files, folder.path(), &["cat"]).await?;
    let mut events = Sse::replay(&api, &id, "").await?;
    let mut told = async |code: &str, path: &str| {
        let event = events.skip_to("session-error").await?.data;
        let why = event["error"].as_str().unwrap_or_default();
        ensure!(event["code"] == code && why.starts_with(&format!("{path}: ")), "{event}");
        ensure!(event["recoverable"] == true, "{event}");
        Ok(())
    };
    // It was there before the session.
    told("file_too_large", "large").await?;
    fs::remove_file(at("large"))?;
    fs::write(at("name"), "2")?;
    told("path_collision", "name").await?;
    fs::remove_file(at("name"))?;
    files.until_content("Name", b"1").await?;
    fs::write(at("large"), vec![0; 16 * 1024 * 1024 + 1])?;
    told("file_too_large", "large").await
}

#[tokio::test]
async fn two_folders_become_equal_and_a_conflict_keeps_both() -> Result<()> {
    let mut relay = Relay::start().await?;
    if relay.kind() == Kind::InProcess {
        // Nobody changes a folder while its relay is away: its sessions end with the relay.
        return Ok(());
    }
    let api = relay.api();
    let files = Workspace::create(&api).await?;
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let mut ids = Vec::new();
    for folder in &folders {
        ids.push(session(&api, &files, folder.path(), &["cat"]).await?);
    }
    fs::write(folders[0].path().join("both.txt"), "first")?;
    until_file(&folders[1].path().join("both.txt"), b"first").await?;
    // While the relay is away, both change the file.
    relay.kill().await?;
    fs::write(folders[0].path().join("both.txt"), "one")?;
    fs::write(folders[1].path().join("both.txt"), "two")?;
    relay.launch().await?;
    wait_until("both versions on both sides", async || {
        let all: Vec<_> = folders.iter().map(|folder| everything(folder.path()).ok()).collect();
        let versions = |all: &BTreeMap<String, (u32, Option<Vec<u8>>)>| {
            let contents: Vec<_> = all.values().filter_map(|it| it.1.clone()).collect();
            contents.contains(&b"one".to_vec()) && contents.contains(&b"two".to_vec())
        };
        all[0].is_some() && all[0] == all[1] && all[0].as_ref().is_some_and(versions)
    })
    .await?;
    let tree = files.tree().await?;
    let conflict = tree.files.iter().find(|file| file.conflict_of.is_some());
    let conflict = conflict.map(|file| file.path.as_str()).unwrap_or_default();
    ensure!(tree.files.len() == 2 && conflict.starts_with("both.conflict-"), "{tree:?}");
    // The session whose version was moved aside says so.
    let mut first = Sse::replay(&api, &ids[0], "").await?;
    let mut second = Sse::replay(&api, &ids[1], "").await?;
    let told = tokio::select! {
        told = first.skip_to("session-error") => told?.data,
        told = second.skip_to("session-error") => told?.data,
    };
    let why = told["error"].as_str().unwrap_or_default();
    ensure!(told["code"] == "files_conflict" && why.contains(conflict), "{told}");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_files_are_loaded_and_changed() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, folders) = (relay.api(), [tempfile::tempdir()?, tempfile::tempdir()?]);
    let files = Workspace::create(&api).await?;
    for number in 0..10_000 {
        let folder = folders[0].path().join(format!("d{}", number % 100));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{number}.txt")), format!("file {number}"))?;
    }
    session(&api, &files, folders[0].path(), &["cat"]).await?;
    ensure!(files.details().await?.files == 10_100);
    session(&api, &files, folders[1].path(), &["cat"]).await?;
    ensure!(everything(folders[0].path())? == everything(folders[1].path())?);
    fs::remove_dir_all(folders[0].path().join("d7"))?;
    fs::write(folders[1].path().join("d8/8.txt"), "changed")?;
    until_missing(&folders[1].path().join("d7")).await?;
    until_file(&folders[0].path().join("d8/8.txt"), b"changed").await
}
