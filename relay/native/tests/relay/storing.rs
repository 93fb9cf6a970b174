//! A relay that cannot store anything.

use std::path::Path;

use rusqlite::types::Value as Sql;
use serde_json::{Value, json};

use super::common::Server;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_served_while_nothing_more_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("echo stored; read end").await;
    let output = format!("GET /api/terminal/{id}/output?since=0");
    while !server.request(&output, "").await.1.contains("stored") {}
    server.stop().await;
    // The state after a kill, on a disk that is too full for a session's row.
    let database = rusqlite::Connection::open(folder.path().join("moorline.sqlite3")).unwrap();
    database
        .execute_batch(
            r#"UPDATE sessions SET lifecycle = '"live"';
            CREATE TRIGGER no_row BEFORE INSERT ON sessions
                BEGIN SELECT RAISE(FAIL, 'there is no room'); END;
            CREATE TRIGGER no_change BEFORE UPDATE ON sessions
                BEGIN SELECT RAISE(FAIL, 'there is no room'); END;"#,
        )
        .unwrap();
    drop(database);
    let server = Server::start(folder.path()).await;
    let (status, list) = server.request("GET /api/sessions", "").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, &list["sessions"][0]["sessionId"]), (200, &json!(id)));
    let (status, text) = server.request(&output, "").await;
    assert!(status == 200 && text.contains("stored"), "{text}");
    // Another session runs nevertheless.
    let another = server.create("echo new; read end").await;
    let output = format!("GET /api/terminal/{another}/output?since=0");
    while !server.request(&output, "").await.1.contains("new") {}
    server.stop().await;
}

/// Keeps rows from being changed, as a full disk does, or allows it again.
fn lock_rows(folder: &Path, locked: bool) {
    let database = rusqlite::Connection::open(folder.join("moorline.sqlite3")).unwrap();
    for table in ["sessions", "projects"] {
        for change in ["INSERT", "UPDATE", "DELETE"] {
            let name = format!("no_{change}_{table}");
            let statement = if locked {
                format!(
                    "CREATE TRIGGER {name} BEFORE {change} ON {table}
                    BEGIN SELECT RAISE(FAIL, 'there is no room'); END"
                )
            } else {
                format!("DROP TRIGGER {name}")
            };
            database.execute_batch(&statement).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_does_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("while read line; do echo \"got $line\"; done").await;
    let (_, made) = server.request("POST /api/projects", r#"{"name":"before"}"#).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let project = made["project"]["id"].as_str().unwrap();
    let rename = (format!("PATCH /api/sessions/{id}"), r#"{"name":"after"}"#.to_owned());
    let moved =
        (format!("POST /api/sessions/{id}/move"), json!({"projectId": project}).to_string());
    let of_project = format!("/api/projects/{project}");
    let changed = (format!("PATCH {of_project}"), r#"{"name":"after"}"#.to_owned());
    let another = ("POST /api/projects".to_owned(), r#"{"name":"another"}"#.to_owned());
    let no_project = (format!("DELETE {of_project}"), String::new());
    let deleted = (format!("DELETE /api/session/{id}"), String::new());
    let requests = [rename, moved, changed, another, no_project, deleted];
    let look = async || {
        let (_, sessions) = server.request("GET /api/sessions", "").await;
        let sessions: Value = serde_json::from_str(&sessions).unwrap();
        let of = |field: &str| sessions["sessions"][0][field].clone();
        let (_, projects) = server.request("GET /api/projects", "").await;
        json!([of("sessionId"), of("name"), of("project"), of("lifecycle"), projects])
    };

    let before = look().await;
    lock_rows(folder.path(), true);
    for (head, body) in &requests {
        let (status, text) = server.request(head, body).await;
        assert_eq!(status, 500, "{head}: {text}");
    }
    assert_eq!(look().await, before);
    let input = format!("POST /api/terminal/{id}/input");
    assert_eq!(server.request(&input, r#"{"data":"it\n"}"#).await.0, 200);
    let output = format!("GET /api/terminal/{id}/output?since=0");
    while !server.request(&output, "").await.1.contains("got it") {}

    lock_rows(folder.path(), false);
    let database = rusqlite::Connection::open(folder.path().join("moorline.sqlite3")).unwrap();
    let rows = |what: &str| database.query_row(what, [], |row| row.get::<_, Sql>(0)).unwrap();
    for (head, body) in &requests[..2] {
        assert_eq!(server.request(head, body).await.0, 200, "{head}");
    }
    // Stored as soon as the request is answered.
    assert_eq!(rows("SELECT name FROM sessions"), Sql::Text("after".into()));
    assert_eq!(rows("SELECT project FROM sessions"), Sql::Text(project.into()));
    for (head, body) in &requests[2..] {
        assert!(matches!(server.request(head, body).await.0, 200 | 201), "{head}");
    }
    assert_eq!(rows("SELECT count(*) FROM sessions"), Sql::Integer(0));
    server.stop().await;
}
