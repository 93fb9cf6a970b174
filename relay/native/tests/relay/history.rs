//! Times of the entries of a log.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::common::Server;

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Returns the number and time of each entry of output, by an event stream.
async fn streamed(server: &Server, id: &str) -> Vec<(u64, u64)> {
    let head = format!("GET /api/session/{id}/events?lastEventId=0");
    let (status, events) = server.request(&head, "").await;
    assert_eq!(status, 200, "{events}");
    let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let data = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
    data.filter(|data| data["type"] == "session-output").map(|data| pair(&data, "seq")).collect()
}

/// Returns the same by the polling endpoint.
async fn polled(server: &Server, id: &str) -> Vec<(u64, u64)> {
    let (status, body) = server.request(&format!("GET /api/terminal/{id}/output"), "").await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["output"].as_array().unwrap().iter().map(|piece| pair(piece, "index")).collect()
}

fn pair(data: &Value, seq: &str) -> (u64, u64) {
    (data[seq].as_u64().unwrap(), data["timestamp"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_history_are_those_at_which_it_happened() {
    let folder = tempfile::tempdir().unwrap();
    let before = wall_ms();
    let server = Server::start(folder.path()).await;
    let id = server.create("echo one; read go; echo two").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until_text("one").await;
    let between = wall_ms();
    while wall_ms() == between {
        tokio::task::yield_now().await;
    }
    follower.type_piece(1, "\n").await;
    follower.until_closed().await;
    let after = wall_ms();
    while wall_ms() == after {
        tokio::task::yield_now().await;
    }

    let told = streamed(&server, &id).await;
    let (first, last) = (told.first().unwrap().1, told.last().unwrap().1);
    assert!(before <= first && first <= between, "{before} {told:?} {between}");
    assert!(between < last && last <= after, "{between} {told:?} {after}");
    assert_eq!(streamed(&server, &id).await, told);
    assert_eq!(polled(&server, &id).await, told);
    server.stop().await;

    let server = Server::start(folder.path()).await;
    assert_eq!(streamed(&server, &id).await, told);
    assert_eq!(polled(&server, &id).await, told);
    let wish = json!({ "name": "fork" }).to_string();
    let (status, fork) = server.request(&format!("POST /api/sessions/{id}/fork"), &wish).await;
    assert_eq!(status, 201, "{fork}");
    let fork: Value = serde_json::from_str(&fork).unwrap();
    let copied = polled(&server, fork["sessionId"].as_str().unwrap()).await;
    assert!(copied.starts_with(&told), "{copied:?} {told:?}");
    server.stop().await;
}
