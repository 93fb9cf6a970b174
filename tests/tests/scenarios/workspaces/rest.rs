//! The files of a workspace by requests, and who may send which.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::api::refusal;
use moorline_tests::relay::Relay;
use moorline_tests::workspaces::Workspace;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn files_are_put_read_renamed_and_deleted() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let files = Workspace::create(&api).await?;
    let binary: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 / 3) as u8).collect();
    let put =
        files.send(Method::PUT, "a%20b/data.bin", &[("x-moorline-mode", "640")], binary.clone());
    let put = put.await?;
    ensure!(put.status() == 201, "{}", put.text().await?);
    let tag = put.headers()["etag"].to_str()?.to_owned();
    files.put("run.sh", "#!/bin/sh\n").await?;

    ensure!(files.read("a%20b/data.bin").await?.context("no file")? == binary);
    let part = files.send(Method::GET, "a%20b/data.bin", &[("range", "bytes=524280-524299")], "");
    let part = part.await?;
    ensure!(part.status() == 206 && part.headers()["x-moorline-mode"] == "640");
    ensure!(part.bytes().await?[..] == binary[524_280..524_300]);
    let known = files.send(Method::GET, "a%20b/data.bin", &[("if-none-match", &tag)], "").await?;
    ensure!(known.status() == 304);

    // Who has not seen a file does not replace it.
    let stale = files.send(Method::PUT, "run.sh", &[("if-match", &tag)], "x").await?;
    let (status, body) = refusal(stale).await?;
    ensure!(status == 412 && body.code == "stale" && body.file.context("no file")?.size == 10);
    let taken = files.send(Method::PUT, "run.sh", &[("if-none-match", "*")], "x").await?;
    ensure!(taken.status() == 412);

    let rename = json!({"path": "a b", "to": "c/d"});
    api.expect(200, Method::POST, &files.path("/rename"), rename).await?;
    let tree = files.tree().await?;
    let paths: Vec<_> = tree.files.iter().map(|file| file.path.as_str()).collect();
    ensure!(paths == ["c", "c/d", "c/d/data.bin", "run.sh"], "{paths:?}");
    files.delete("c").await?;
    let news: Value = api.get(&files.path(&format!("/files?since={}", tree.revision))).await?;
    ensure!(news["full"] == false && news["files"].as_array().context("no files")?.len() == 3);
    ensure!(news["files"][0]["deleted"] == true, "{news}");

    for (path, code) in [
        ("..%2Fx", "path_invalid"),
        ("x/..%2F..%2Fy", "path_invalid"),
        ("a%5Cb", "path_invalid"),
        ("%00", "path_invalid"),
        ("RUN.SH", "path_collision"),
        ("run.sh/x", "path_collision"),
    ] {
        let (_, body) = refusal(files.send(Method::PUT, path, &[], "x").await?).await?;
        ensure!(body.code == code, "{path}: {body:?}");
    }
    let large = files.send(Method::PUT, "large", &[], vec![0; 16 * 1024 * 1024 + 1]).await?;
    let (status, body) = refusal(large).await?;
    ensure!((status, &*body.code) == (413, "file_too_large"));
    let details = files.details().await?;
    ensure!(details.bytes == 10 && details.files == 1 && !details.is_full, "{details:?}");

    // Deleted, nothing of it is left.
    api.expect(200, Method::DELETE, &files.path(""), Value::Null).await?;
    let (status, body) = api.refusal(Method::GET, &files.path("/files/run.sh")).await?;
    ensure!((status, &*body.code) == (404, "no_such_workspace"));
    let again = json!({"id": files.id});
    api.expect(201, Method::POST, "/api/workspaces", again).await?;
    ensure!(files.tree().await?.files.is_empty() && files.details().await?.revision == 0);
    Ok(())
}

#[tokio::test]
async fn a_full_workspace_says_so() -> Result<()> {
    let relay = Relay::start().await?;
    let files = Workspace::create(&relay.api()).await?;
    let limit = files.details().await?.limit_bytes;
    let most = 16 * 1024 * 1024;
    for number in 0..limit / most {
        let content: Vec<u8> = (0..most).map(|at| (at / 4096 + number) as u8).collect();
        files.put(&format!("{number}"), content).await?;
    }
    let (status, body) = refusal(files.send(Method::PUT, "more", &[], "x").await?).await?;
    ensure!((status, &*body.code) == (507, "workspace_full"), "{body:?}");
    let details = files.details().await?;
    ensure!(details.is_full && details.bytes == limit, "{details:?}");
    files.delete("0").await?;
    ensure!(!files.details().await?.is_full);
    files.put("more", "x").await
}

#[tokio::test]
async fn a_token_reaches_the_workspaces_of_its_project() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let project = api.expect(201, Method::POST, "/api/projects", json!({"name": "p"})).await?;
    let project = project["project"]["id"].as_str().context("no id")?.to_owned();
    let other = Workspace::create(&api).await?;
    let writer = api.with_token(Some(&api.token(&format!("project:{project}:write")).await?));
    let reader = api.with_token(Some(&api.token(&format!("project:{project}:read")).await?));
    let files = Workspace::create(&writer).await?;
    files.put("a", "1").await?;

    let list: Value = reader.get("/api/workspaces").await?;
    let listed = list["workspaces"].as_array().context("no list")?;
    ensure!(listed.len() == 1 && listed[0]["project"] == project, "{list}");
    let reading = Workspace { api: reader.clone(), ..files.clone() };
    ensure!(reading.read("a").await?.as_deref() == Some(&b"1"[..]));
    ensure!(reading.send(Method::PUT, "a", &[], "2").await?.status() == 403);
    ensure!(reader.refusal(Method::POST, "/api/workspaces").await?.0 == 403);
    ensure!(writer.refusal(Method::GET, &other.path("/files")).await?.0 == 403);
    let wish = json!({"workspace": other.id});
    let (status, refused) = writer.call(Method::POST, "/api/sessions", wish).await?;
    ensure!(status == 404 && refused["code"] == "no_such_workspace", "{refused}");
    // A host without sessions that use it has no business there.
    let host = api.with_token(Some(&api.token("host").await?));
    ensure!(host.refusal(Method::GET, &files.path("/files")).await?.0 == 403);
    ensure!(api.refusal(Method::GET, "/api/workspaces/short").await?.0 == 400);
    ensure!(api.refusal(Method::GET, "/api/workspaces/none_such/files").await?.0 == 404);
    Ok(())
}
