//! Changes of sessions and projects by the REST API.

use super::common::Server;
use moorline_shared::message::ServerMessage;
use serde_json::{Value, json};

async fn call(server: &Server, head: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, text) = server.request(head, &body).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{head}: {text}")))
}

fn snapshot(message: ServerMessage) -> Option<String> {
    match message {
        ServerMessage::Snapshot(snapshot) => {
            Some(String::from_utf8_lossy(&snapshot.data).into_owned())
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_id_is_taken_once_and_free_again_after() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let wish = json!({ "sessionId": "my-session", "command": ["sleep", "1000"] });
    let create = || call(&server, "POST /api/sessions", wish.clone());
    let both = tokio::join!(create(), create());
    let mut statuses = [both.0.0, both.1.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let (status, answer) = create().await;
    assert_eq!(
        (status, &answer["code"], &answer["sessionId"]),
        (409, &json!("exists"), &json!("my-session"))
    );
    let (deleted, created) =
        tokio::join!(call(&server, "DELETE /api/session/my-session", Value::Null), create());
    assert_eq!(deleted.0, 200);
    assert!([201, 409].contains(&created.0), "{created:?}");
    if created.0 == 409 {
        assert_eq!(create().await.0, 201);
    }
    let (_, list) = call(&server, "GET /api/sessions", Value::Null).await;
    assert_eq!(list["total"], 1);
    server.stop().await;
    // The stored row is the new session's.
    let server = Server::start(folder.path()).await;
    let (status, _) = call(&server, "GET /api/session/my-session/status", Value::Null).await;
    assert_eq!(status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_stays_changed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let (status, made) = call(&server, "POST /api/projects", json!({ "name": "notes" })).await;
    assert_eq!(status, 201);
    let project = made["project"]["id"].clone();
    let id = server.create("exit 0").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until_closed().await;
    let path = format!("/api/sessions/{id}");
    // The session is over, and not in memory.
    let (status, _) = call(&server, &format!("PATCH {path}"), json!({ "name": "new" })).await;
    assert_eq!(status, 200);
    let wish = json!({ "projectId": project });
    let (status, moved) = call(&server, &format!("POST {path}/move"), wish).await;
    assert_eq!((status, &moved["session"]["project"]), (200, &project));
    server.stop().await;

    let server = Server::start(folder.path()).await;
    let (_, list) = call(&server, "GET /api/sessions", Value::Null).await;
    assert_eq!(
        (&list["sessions"][0]["name"], &list["sessions"][0]["project"]),
        (&json!("new"), &project)
    );
    let (_, projects) = call(&server, "GET /api/projects", Value::Null).await;
    assert_eq!(projects["projects"][0]["sessions"], 1);
    let path = format!("/api/projects/{}", project.as_str().unwrap());
    assert_eq!(call(&server, &format!("DELETE {path}"), Value::Null).await.0, 200);
    server.stop().await;

    let server = Server::start(folder.path()).await;
    let (_, list) = call(&server, "GET /api/sessions", Value::Null).await;
    assert_eq!(
        (&list["sessions"][0]["name"], &list["sessions"][0]["project"]),
        (&json!("new"), &Value::Null)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_goes_on_where_the_first_one_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    // Leaves the alternate screen and mouse reports on, and stops in the middle of a sequence.
    let script = "printf 'one\\n'; read go; printf 'two\\n\\033[?1049h\\033[?1000hALTERNATE\\033]0;ti'; \
        read go; exit";
    let id = server.create(script).await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until_text("one").await;
    let at = *follower.seqs.last().unwrap();
    follower.type_piece(1, "\n").await;
    follower.until_text("ALTERNATE").await;

    let fork = format!("POST /api/sessions/{id}/fork");
    let (status, early) = call(&server, &fork, json!({ "seq": at, "name": "early" })).await;
    assert_eq!((status, &early["forkedFrom"]["seq"]), (201, &json!(at)), "{early}");
    assert_eq!(early["forkedFrom"]["sessionId"], json!(id));
    let (status, late) = call(&server, &fork, Value::Null).await;
    assert_eq!(status, 201, "{late}");
    for (wish, expected) in [(json!({ "seq": 0 }), 400), (json!({ "seq": 1_000_000 }), 400)] {
        assert_eq!(call(&server, &fork, wish).await.0, expected);
    }

    let mut early = server.follow(early["sessionId"].as_str().unwrap()).await;
    early.resume(Some(0), "client_2").await;
    // The fork's own process has printed the line again.
    while early.text().matches("one\r\n").count() < 2 {
        early.step_once().await;
    }
    assert!(!early.text().contains("two"), "{}", early.text());
    assert!(early.seqs.iter().copied().eq(1..=early.seqs.len() as u64), "{:?}", early.seqs);

    let id = late["sessionId"].as_str().unwrap();
    let mut late = server.follow(id).await;
    late.resume(None, "client_3").await;
    late.until_text("one").await;
    late.send(moorline_shared::message::ClientMessage::SnapshotRequest).await;
    let screen = late.until(snapshot).await;
    assert!(screen.contains("two") && !screen.contains("ALTERNATE"), "{screen:?}");
    assert!(!screen.contains("\u{1b}[?1000h"), "{screen:?}");
    server.stop().await;

    // A fork is stored like any other session.
    let server = Server::start(folder.path()).await;
    let mut again = server.follow(id).await;
    again.resume(Some(1), "client_3").await;
    again.until_closed().await;
    assert!(again.text().contains("ALTERNATE") && again.text().contains("one"), "{}", again.text());
    // A fork can begin from a session that is over.
    let (status, fork) = call(&server, &format!("POST /api/sessions/{id}/fork"), Value::Null).await;
    assert_eq!(status, 201, "{fork}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_of_a_long_log_shows_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    // More output than the relay keeps after a snapshot. The fork's own process waits at once.
    let script = "mkdir begun || exec cat; \
        head -c 9000000 /dev/zero | tr '\\0' x | fold -w 79; printf '\nthe %s\n' end; exec cat";
    let wish = json!({ "command": ["sh", "-c", script], "cwd": folder.path() });
    let (status, source) = call(&server, "POST /api/sessions", wish).await;
    assert_eq!(status, 201, "{source}");
    let id = source["sessionId"].as_str().unwrap();
    let mut follower = server.follow(id).await;
    follower.resume(None, "client_1").await;
    while !follower.output.ends_with(b"the end\r\n") {
        follower.step_once().await;
    }
    let at = *follower.seqs.last().unwrap();
    let (status, fork) = call(&server, &format!("POST /api/sessions/{id}/fork"), Value::Null).await;
    assert_eq!((status, &fork["forkedFrom"]["seq"]), (201, &json!(at)), "{fork}");
    let mut fork = server.follow(fork["sessionId"].as_str().unwrap()).await;
    fork.resume(Some(at), "client_2").await;
    fork.send(moorline_shared::message::ClientMessage::SnapshotRequest).await;
    let screen = fork.until(snapshot).await;
    assert!(screen.contains("xxx") && screen.contains("the end"), "{screen:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_asked_for_its_agents() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    // A session shows that the host is connected.
    server.create("exit 0").await;
    let (status, answer) = call(&server, "GET /api/hosts/localhost/agents", Value::Null).await;
    assert_eq!((status, &answer["hostId"]), (200, &json!("localhost")));
    assert!(answer["agents"].is_array(), "{answer}");
    for (host, status, code) in [("nobody123", 404, "no_such_host"), ("x", 400, "invalid_id")] {
        let (refused, answer) =
            call(&server, &format!("GET /api/hosts/{host}/agents"), Value::Null).await;
        assert_eq!((refused, &answer["code"]), (status, &json!(code)));
    }
    // Only one driver runs agents.
    let wish = json!({ "driver": "pty", "agent": { "agent": "codex" } });
    let (status, answer) = call(&server, "POST /api/sessions", wish).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_request")));
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("not `pty`"), "{answer}");
    server.stop().await;
}
