//! A relay that cannot store anything.

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
    // As after a kill, and on a disk that takes no row of a session.
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
    // Another one runs all the same.
    let another = server.create("echo new; read end").await;
    let output = format!("GET /api/terminal/{another}/output?since=0");
    while !server.request(&output, "").await.1.contains("new") {}
    server.stop().await;
}
