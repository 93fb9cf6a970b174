//! The list of sessions, and projects.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::api::Api;
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use super::{NONE, sh};

async fn listed(api: &Api, query: &str) -> Result<(Vec<String>, Value)> {
    let path = format!("/api/sessions{query}");
    let list = api.expect(200, Method::GET, &path, NONE).await?;
    let sessions = list["sessions"].as_array().with_context(|| list.to_string())?;
    let name = |session: &Value| session["name"].as_str().map(str::to_owned);
    let names = sessions.iter().map(name).collect::<Option<_>>().context("one has no name")?;
    Ok((names, list))
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let project = api.expect(201, Method::POST, "/api/projects", json!({"name": "p"})).await?;
    let project = project["project"]["id"].as_str().context("no id")?.to_owned();
    let long = expected::counter();
    for (name, command, project) in [
        ("alpha", &long, Some(&project)),
        ("beta", &sh("exit 0"), Some(&project)),
        ("gamma", &long, None),
        ("delta Beta", &long, None),
        ("epsilon", &long, None),
    ] {
        let wish = json!({"name": name, "command": command, "project": project});
        api.expect(201, Method::POST, "/api/sessions", wish).await?;
    }
    wait_until("one to end", async || {
        listed(&api, "?lifecycle=exited").await.is_ok_and(|(names, _)| names == ["beta"])
    })
    .await?;
    let newest_first = ["epsilon", "delta Beta", "gamma", "beta", "alpha"];
    for (query, names) in [
        (String::new(), &newest_first[..]),
        (format!("?project={project}"), &["beta", "alpha"]),
        ("?project=none".to_owned(), &["epsilon", "delta Beta", "gamma"]),
        ("?project=unknown-project".to_owned(), &[]),
        ("?driver=pty".to_owned(), &newest_first),
        ("?driver=tmux".to_owned(), &[]),
        ("?lifecycle=live".to_owned(), &["epsilon", "delta Beta", "gamma", "alpha"]),
        ("?q=beta".to_owned(), &["delta Beta", "beta"]),
        (format!("?q=BETA&project={project}&lifecycle=exited"), &["beta"]),
    ] {
        let (found, list) = listed(&api, &query).await?;
        ensure!(found == names, "{query}: {found:?}");
        ensure!(list["total"] == names.len() && list["nextCursor"].is_null(), "{query}: {list}");
    }
    let (mut all, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (found, list) = listed(&api, &query).await?;
        ensure!(list["total"] == 5 && found.len() <= 2, "{list}");
        all.extend(found);
        // One that comes meanwhile is newer than all that follow.
        api.run(sh("exit 0")).await.map(drop)?;
        let Some(cursor) = list["nextCursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
        let (first, list) = listed(&api, "?limit=1").await?;
        ensure!(first.len() == 1 && !newest_first.contains(&first[0].as_str()), "{first:?}");
        let id = list["sessions"][0]["sessionId"].as_str().context("no id")?;
        api.expect(200, Method::DELETE, &format!("/api/session/{id}"), NONE).await?;
    }
    ensure!(all == newest_first, "{all:?}");
    for wrong in ["limit=0", "limit=1001", "limit=x", "lifecycle=odd", "cursor=%00", "cursor=x"] {
        let answer = api.expect(400, Method::GET, &format!("/api/sessions?{wrong}"), NONE).await?;
        ensure!(answer["error"].is_string(), "{wrong}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_is_renamed_and_moved() -> Result<()> {
    let mut relay = Relay::start().await?;
    let api = relay.api();
    let made = api.expect(201, Method::POST, "/api/projects", json!({"name": "p"})).await?;
    let project = made["project"]["id"].clone();
    let session = api.run_ready(expected::counter()).await?;
    let path = format!("/api/sessions/{session}");
    let changed = api.expect(200, Method::PATCH, &path, json!({"name": "new name"})).await?;
    ensure!(changed["success"] == true && changed["session"]["name"] == "new name", "{changed}");
    let to = |project: &Value| json!({"projectId": project});
    let go = format!("{path}/move");
    let moved = api.expect(200, Method::POST, &go, to(&project)).await?;
    ensure!(moved["session"]["project"] == project, "{moved}");
    let unknown = api.expect(404, Method::POST, &go, to(&json!("unknown-project"))).await?;
    ensure!(unknown["code"] == "no_such_project", "{unknown}");

    relay.stop().await?;
    relay.launch().await?;
    let status = relay.api().status(&session).await?;
    ensure!(status.summary.name == "new name", "{status:?}");
    ensure!(status.summary.project.as_ref().map(|id| id.as_str()) == project.as_str());
    let moved = relay.api().expect(200, Method::POST, &go, to(&NONE)).await?;
    ensure!(moved["session"]["project"].is_null(), "{moved}");
    Ok(())
}

#[tokio::test]
async fn projects_are_made_changed_and_deleted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    for wrong in [json!({}), json!({"name": ""}), json!({"name": 1}), json!([])] {
        let (status, answer) = api.call(Method::POST, "/api/projects", wrong).await?;
        ensure!((400..=422).contains(&status), "{status} {answer}");
    }
    let wish = json!({"name": "notes", "directory": folder.path()});
    let made = api.expect(201, Method::POST, "/api/projects", wish).await?;
    ensure!(made["success"] == true && made["project"]["name"] == "notes", "{made}");
    let id = made["project"]["id"].as_str().context("no id")?.to_owned();
    let path = format!("/api/projects/{id}");

    // A session starts in its project's folder, unless it is told another.
    let pwd = |more: Value| {
        let mut wish = json!({"command": ["sh", "-c", "pwd; read end"], "project": id});
        wish.as_object_mut()
            .into_iter()
            .for_each(|wish| wish.extend(more.as_object().cloned().unwrap_or_default()));
        wish
    };
    let inside = api.expect(201, Method::POST, "/api/sessions", pwd(json!({}))).await?;
    let cwd = inside["session"]["cwd"].as_str().context("no cwd")?;
    ensure!(std::path::Path::new(cwd) == folder.path(), "{inside}");
    let outside = api.expect(201, Method::POST, "/api/sessions", pwd(json!({"cwd": "/"}))).await?;
    ensure!(outside["session"]["cwd"] == "/", "{outside}");
    let unknown = json!({"project": "unknown-project"});
    let answer = api.expect(404, Method::POST, "/api/sessions", unknown).await?;
    ensure!(answer["code"] == "no_such_project", "{answer}");

    let shown = api.expect(200, Method::GET, &path, NONE).await?;
    let shown = shown.get("project").unwrap_or(&shown);
    ensure!(shown["id"] == id.as_str() && shown["sessions"] == 2, "{shown}");
    let changed = api.expect(200, Method::PATCH, &path, json!({"name": "papers"})).await?;
    ensure!(changed["project"]["name"] == "papers", "{changed}");
    ensure!(changed["project"]["directory"] == made["project"]["directory"], "{changed}");
    let list = api.expect(200, Method::GET, "/api/projects", NONE).await?;
    ensure!(list["projects"].as_array().is_some_and(|projects| projects.len() == 1), "{list}");

    api.expect(200, Method::DELETE, &path, NONE).await?;
    for method in [Method::GET, Method::DELETE] {
        api.expect(404, method, &path, NONE).await?;
    }
    let sessions = api.list().await?;
    ensure!(sessions.len() == 2, "{sessions:?}");
    ensure!(sessions.iter().all(|session| session.project.is_none()), "{sessions:?}");
    Ok(())
}
